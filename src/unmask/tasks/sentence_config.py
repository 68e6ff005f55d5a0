"""What makes one vector out of a text; imports no tensors, so that a command line reads it fast."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

PoolingMode = Literal["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
"""In sentence-transformers' spelling."""
Similarity = Literal["cosine", "dot", "euclidean", "manhattan"]
"""How two vectors are compared; distances count negatively, so that more is nearer."""
QUERY_PROMPTS = ("query",)
DOCUMENT_PROMPTS = ("document", "passage", "corpus")
"""Names of the prompts before what is asked and what is found; the first there is counts."""
DenseActivation = Literal["identity", "tanh", "gelu", "relu", "sigmoid"]


class DenseConfig(BaseModel):
    """A dense layer over pooled vectors."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    in_features: int = Field(ge=1, le=65_536)
    """Width of what comes in."""
    out_features: int = Field(ge=1, le=65_536)
    """Width of what goes out."""
    bias: bool = True
    """Whether a vector is added."""
    activation: DenseActivation = "tanh"
    """What the sums go through."""


class SentenceConfig(BaseModel):
    """How a sentence encoder makes vectors of texts, and how it wants to be asked."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    pooling: tuple[PoolingMode, ...] = ("mean",)
    """What is made of the tokens' hidden states; of several the vectors are joined."""
    include_prompt: bool = True
    """Whether a prompt's tokens, with those before them, are pooled too."""
    layers: tuple[DenseConfig | Literal["normalize"], ...] = ()
    """What the pooled vector goes through, in order."""
    prompts: dict[str, str] = {}
    """Texts set before what is encoded, by the name of their use, such as "query"."""
    default_prompt_name: str | None = None
    """The prompt where none is named."""
    similarity: Similarity = "cosine"
    """By which the model was trained to be compared."""
    truncate_dim: int | None = Field(default=None, ge=1)
    """Dimensions kept of each vector, all without it."""

    def width(self, hidden_size: int) -> int:
        """Dimensions of a vector before it is truncated."""
        dense = [layer for layer in self.layers if isinstance(layer, DenseConfig)]
        return dense[-1].out_features if dense else hidden_size * len(self.pooling)

    def prompt_for(self, names: Sequence[str]) -> str:
        """The text of the first of these prompts that the model has, else its usual one, if any."""
        usual = () if self.default_prompt_name is None else (self.default_prompt_name,)
        return next((self.prompts[name] for name in (*names, *usual) if name in self.prompts), "")

    @property
    def is_normalised(self) -> bool:
        """Whether all vectors have length 1."""
        return bool(self.layers) and self.layers[-1] == "normalize"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not self.pooling or len(set(self.pooling)) < len(self.pooling):
            raise ValueError(f"pooling {list(self.pooling)} should name one way or more, each once")
        dense = [layer for layer in self.layers if isinstance(layer, DenseConfig)]
        for before, after in pairwise(dense):
            if before.out_features != after.in_features:
                raise ValueError(
                    f"layers: one gives {before.out_features} dimensions, the next takes "
                    f"{after.in_features}"
                )
        if self.default_prompt_name is not None and self.default_prompt_name not in self.prompts:
            raise ValueError(
                f"default_prompt_name {self.default_prompt_name!r} is none of the prompts: "
                f"{', '.join(self.prompts) or 'there are none'}"
            )
        return self
