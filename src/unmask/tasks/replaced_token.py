"""Replaced token detection (ELECTRA: Clark et al. 2020, arXiv 2003.10555; DeBERTa-v3)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.batch import Batch
from unmask.data.drawing import DRAW
from unmask.nn.borrowed import BorrowedTokens
from unmask.tasks import masked_lm
from unmask.tasks.losses import widened
from unmask.tasks.masked_lm import MaskedLM
from unmask.tasks.task import Model, Outputs, Task, Term

WEIGHT = 50.0
"""Of detection beside the generator's loss (Clark et al. 2020, section 3.1)."""
_IS_REPLACED = "is_replaced"


class ReplacedToken:
    """Two terms: `mlm` of the generator, and `rtd`, whether each token is the generator's."""

    name = "replaced_token"

    def rows(self, _batch: Batch) -> None:
        """All: every token is judged."""

    def outputs(self, heads: nn.ModuleDict, hidden: Tensor, batch: Batch) -> Outputs:
        """`rtd` (N,)."""
        return {"rtd": heads["rtd"](hidden, batch)}

    def counts(self, batch: Batch) -> dict[str, float]:
        """Picked positions, and all tokens, special ones among them (google-research/electra)."""
        return {**MaskedLM().counts(batch), "rtd": float(batch.num_tokens)}

    def loss(self, outputs: Outputs, batch: Batch) -> list[Term]:
        """The generator's summed cross-entropy, and the discriminator's binary one, in nats.

        Other names: discriminator loss, RTD loss. Formula of the term `rtd` over the N tokens, p
        being the sigmoid of a logit and r 1 where the token is not the original:
        -sum of r * log p + (1 - r) * log(1 - p). Training divides it by N, `mlm` by the picked
        positions, and adds `WEIGHT` times the one to the other (Clark et al. 2020, section 3.1).
        Neighbours: `MaskedLM.loss`, which is the term `mlm` and asks at picked positions alone;
        `losses.binary_cross_entropy`, the same formula over independent labels.

        Worked example, two tokens of which the second was replaced, each judged by a logit of
        log 3, so that p is 3/4; the generator gave the second's original 1/2:

        >>> from unmask.batch import IGNORED, pack
        >>> batch = replace(pack([[0, 1]]), labels={"mlm": torch.tensor([IGNORED, 0])})
        >>> judged, is_replaced = torch.tensor([3.0, 3.0]).log(), torch.tensor([0.0, 1.0])
        >>> outputs = {"mlm": torch.zeros(1, 2), "rtd": judged, "is_replaced": is_replaced}
        >>> mlm, rtd = ReplacedToken().loss(outputs, batch)
        >>> round(mlm.total.exp().item(), 4), round(rtd.total.exp().item(), 4), rtd.weight
        (2.0, 5.3333, 50.0)
        """
        wide, answers = widened(outputs["rtd"]), outputs[_IS_REPLACED]
        total = functional.binary_cross_entropy_with_logits(wide, answers.to(wide), reduction="sum")
        return [*MaskedLM().loss(outputs, batch), Term("rtd", WEIGHT, total)]

    def hits(self, outputs: Outputs, batch: Batch) -> dict[str, int]:
        """How often the highest score is the label's, and how often a token is judged rightly."""
        right = (outputs["rtd"] > 0) == outputs[_IS_REPLACED].bool()
        return {**MaskedLM().hits(outputs, batch), "rtd": int(right.sum())}

    def stored(self) -> dict[str, Any]:
        """The name."""
        return {"name": self.name}


class GeneratorAndDiscriminator(Model):
    """Trains both at once; what is published is the discriminator."""

    def __init__(self, generator: Model, discriminator: Model) -> None:
        super().__init__(discriminator.encoder, dict(discriminator.heads.items()))
        self.generator = generator

    def forward(self, batch: Batch, task: Task) -> Outputs:
        """The generator's scores `mlm` (M, V), and `rtd` (N,) over what it put in their place."""
        scores = self.generator(batch, MaskedLM())["mlm"]
        replaced, is_replaced = replace_tokens(batch, scores)
        return {"mlm": scores, **super().forward(replaced, task), _IS_REPLACED: is_replaced}

    def published(self) -> Model:
        """The discriminator, its token vectors in one table."""
        tokens = self.encoder.embedding.tokens
        if not isinstance(tokens, BorrowedTokens):
            return Model(self.encoder, dict(self.heads.items()))
        embedding = _with_part(self.encoder.embedding, "tokens", tokens.folded())
        encoder: Any = _with_part(self.encoder, "embedding", embedding)
        return Model(encoder, dict(self.heads.items()))

    def beside(self) -> dict[str, Tensor]:
        """What the published model lacks: the generator, and differences of token vectors."""
        there = self.published().state_dict().keys()
        return {n: p.detach() for n, p in self.named_parameters() if n not in there}

    def restore(self, published: Mapping[str, Tensor], beside: Mapping[str, Tensor]) -> None:
        """Takes back what `published` and `beside` gave."""
        found = {**published, **beside}
        with torch.no_grad():
            for name, parameter in self.named_parameters():  # each once, whatever it is tied to
                parameter.copy_(found[name])


def replace_tokens(batch: Batch, scores: Tensor) -> tuple[Batch, Tensor]:
    """The batch with tokens drawn from the generator's scores (M, V) at the picked positions.

    Each is drawn by the number that the batch brings for it, through the cumulated probabilities:
    the same whatever the batch, up to draws that rounding errors of the scores decide. Gradients do
    not flow through the draw (Clark et al. 2020, section 2).

    Returns:
        The batch, and (N,) float, 1 where a token is not the original; where the generator hits the
        original, nothing was replaced.
    """
    rows = masked_lm.picked(batch)
    original = batch.labels["mlm"][rows]
    with torch.no_grad():
        cumulated = torch.softmax(scores.double(), dim=-1).cumsum(dim=-1)  # (M, V)
        draws = batch.labels[DRAW][rows].double() * cumulated[:, -1]
        drawn = torch.searchsorted(cumulated, draws[:, None], right=True).squeeze(1)
        drawn.clamp_(max=scores.shape[-1] - 1)
    input_ids = batch.input_ids.index_copy(0, rows, drawn)
    is_replaced = torch.zeros(batch.num_tokens, device=scores.device)
    is_replaced[rows] = (drawn != original).float()
    return replace(batch, input_ids=input_ids), is_replaced


def _with_part(module: nn.Module, name: str, part: nn.Module) -> nn.Module:
    """A shallow copy of a module with one of its parts exchanged."""
    copied = copy.copy(module)
    copied._modules = {**module._modules, name: part}
    return copied
