"""Settings of the embedding losses; imports no tensors, so that a command line reads them fast."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0.0, le=1e4)]
Cosine = Annotated[float, Field(ge=-1.0, le=1.0)]
Score = Annotated[float, Field(ge=-1e6, le=1e6)]
Distance = Literal["cosine", "euclidean", "manhattan"]
Similarity = Literal["cosine", "dot"]


class MatryoshkaConfig(BaseModel):
    """Lets the first entries of an embedding be an embedding of their own.

    Kusupati et al. 2022 (arXiv 2205.13147), section 3, equation 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    dims: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)
    """Numbers of entries for which the loss is computed and summed; the whole embedding should be
    among them."""
    weights: tuple[Positive, ...] | None = None
    """What each of these losses counts; without it 1."""
    normalize: bool = True
    """Scales each truncated embedding to length one, as sentence-transformers does. Losses that
    look at cosines alone do not notice; off for those that compare inner products or vectors with
    a teacher whose own have no such length."""

    @model_validator(mode="after")
    def _one_weight_each(self) -> Self:
        if len(set(self.dims)) != len(self.dims):
            raise ValueError(f"dims {self.dims} names a number twice")
        if self.weights is not None and len(self.weights) != len(self.dims):
            raise ValueError(
                f"there are {len(self.weights)} weights for {len(self.dims)} dims: give one each"
            )
        return self


class EmbeddingLossConfig(BaseModel):
    """What any embedding loss can be told."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str
    """Which loss, see `LOSS_CONFIGS`."""
    matryoshka: MatryoshkaConfig | None = None
    """Sums the loss over truncated embeddings too."""


class SoftmaxConfig(EmbeddingLossConfig):
    """A classifier over two embeddings (Reimers and Gurevych 2019, section 3.1)."""

    name: Literal["softmax"] = "softmax"
    """Which loss."""
    features: tuple[Literal["vectors", "difference", "product"], ...] = Field(
        default=("vectors", "difference"), min_length=1
    )
    """What the classifier reads of embeddings u and v: both of them, |u - v|, u * v. The paper's
    table 6 compares; u, v and |u - v| were best."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.features)) != len(self.features):
            raise ValueError(f"features {self.features} names one twice")
        return self


class CosineSimilarityConfig(EmbeddingLossConfig):
    """Squared error of the cosine (Reimers and Gurevych 2019, section 3.1)."""

    name: Literal["cosine-similarity"] = "cosine-similarity"
    """Which loss."""
    score_range: tuple[Score, Score] = (0.0, 1.0)
    """Least and greatest score of the data, such as 0 and 5; a score outside is an error."""
    cosine_range: tuple[Cosine, Cosine] = (0.0, 1.0)
    """The cosines that these two stand for; scores between them become cosines linearly."""

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        for name in ("score_range", "cosine_range"):
            low, high = getattr(self, name)
            if low >= high:
                raise ValueError(f"{name} is {low:g}, {high:g}: expected the lower one first")
        return self


class ContrastiveConfig(EmbeddingLossConfig):
    """Pairs drawn together or pushed apart (Hadsell et al. 2006, equation 4)."""

    name: Literal["contrastive"] = "contrastive"
    """Which loss."""
    distance: Distance = "cosine"
    """1 - cosine, or the length of the difference, Euclidean or Manhattan."""
    margin: Positive = 0.5
    """Distance beyond which a pair that is not alike costs nothing (sentence-transformers)."""


class OnlineContrastiveConfig(EmbeddingLossConfig):
    """The same for the hard pairs of a batch alone."""

    name: Literal["online-contrastive"] = "online-contrastive"
    """Which loss."""
    distance: Distance = "cosine"
    """1 - cosine, or the length of the difference, Euclidean or Manhattan."""
    margin: Positive = 0.5
    """Distance beyond which a pair that is not alike costs nothing (sentence-transformers)."""


class TripletConfig(EmbeddingLossConfig):
    """Positives nearer than negatives (Reimers and Gurevych 2019, section 3.1)."""

    name: Literal["triplet"] = "triplet"
    """Which loss."""
    distance: Distance = "euclidean"
    """1 - cosine, or the length of the difference, Euclidean or Manhattan."""
    margin: Positive = 1.0
    """How much nearer (the paper's 1; sentence-transformers' default is 5)."""


class MultipleNegativesRankingConfig(EmbeddingLossConfig):
    """The positive among all texts of the batch (Henderson et al. 2017, arXiv 1705.00652)."""

    name: Literal["multiple-negatives-ranking"] = "multiple-negatives-ranking"
    """Which loss."""
    scale: Positive = 20.0
    """What similarities are multiplied by before the softmax, one over the temperature
    (sentence-transformers' 20; E5 and GTE take 100). 1 is usual for the inner product."""
    similarity: Similarity = "cosine"
    """Of two embeddings: their cosine or their inner product."""
    directions: Literal["forward", "symmetric", "joint"] = "forward"
    """Which questions are asked: each anchor's positive among all texts; the mean of that and of
    each positive's anchor among all anchors; or one softmax over both and over how like the
    anchors, and the texts, are among themselves (GTE, Li et al. 2023, arXiv 2308.03281)."""
    false_negative_margin: float | None = Field(default=None, ge=-2.0, le=100.0)
    """A negative that is more similar than the positive by more than this, before scaling, is
    taken for a second positive and left out. Qwen3 Embedding (arXiv 2506.05176) takes 0.1; below
    zero also what is almost as similar is left out, as a trained model may afford (GISTEmbed,
    arXiv 2402.16829). Without it nothing is left out by similarity."""


class SimCSEConfig(EmbeddingLossConfig):
    """A text recognises its own second pass (Gao et al. 2021, arXiv 2104.08821, equation 4)."""

    name: Literal["simcse"] = "simcse"
    """Which loss."""
    scale: Positive = 20.0
    """What cosines are multiplied by before the softmax (the paper's temperature 0.05)."""


class CoSENTConfig(EmbeddingLossConfig):
    """Cosines in the order of the scores (Huang et al. 2024)."""

    name: Literal["cosent"] = "cosent"
    """Which loss."""
    scale: Positive = 20.0
    """What differences of cosines are multiplied by (the authors' 20)."""


class AngleConfig(EmbeddingLossConfig):
    """Angles in complex space in the order of the scores (Li and Li 2024, arXiv 2309.12871)."""

    name: Literal["angle"] = "angle"
    """Which loss."""
    scale: Positive = 20.0
    """What differences are multiplied by (sentence-transformers' 20)."""


class MarginMSEConfig(EmbeddingLossConfig):
    """A teacher's differences of scores (Hofstätter et al. 2020, arXiv 2010.02666)."""

    name: Literal["margin-mse"] = "margin-mse"
    """Which loss."""
    similarity: Similarity = "dot"
    """Of two embeddings: their cosine or their inner product, which the paper takes."""
    scale: Positive = 1.0
    """What similarities are multiplied by to reach the teacher's range; cosines differ by 2 at
    most, scores of a cross-encoder by 20."""


class KLDivergenceConfig(EmbeddingLossConfig):
    """A teacher's probabilities of the candidates (Lin et al. 2020, arXiv 2010.11386)."""

    name: Literal["kl-divergence"] = "kl-divergence"
    """Which loss."""
    similarity: Similarity = "dot"
    """Of two embeddings: their cosine or their inner product."""
    student_temperature: Positive = 1.0
    """What similarities are divided by before the softmax; 0.05 suits cosines."""
    teacher_temperature: Positive = 1.0
    """What the teacher's scores are divided by before theirs."""


class EmbeddingMSEConfig(EmbeddingLossConfig):
    """A teacher's vectors (Reimers and Gurevych 2020, arXiv 2004.09813, section 2)."""

    name: Literal["embedding-mse"] = "embedding-mse"
    """Which loss."""
    teacher_dimension: int | None = Field(default=None, ge=1)
    """Entries of the teacher's vectors, to which a learned affine map brings the embeddings;
    without it both have as many and are compared as they are."""


LOSS_CONFIGS: dict[str, type[EmbeddingLossConfig]] = {
    "softmax": SoftmaxConfig,
    "cosine-similarity": CosineSimilarityConfig,
    "contrastive": ContrastiveConfig,
    "online-contrastive": OnlineContrastiveConfig,
    "triplet": TripletConfig,
    "multiple-negatives-ranking": MultipleNegativesRankingConfig,
    "simcse": SimCSEConfig,
    "cosent": CoSENTConfig,
    "angle": AngleConfig,
    "margin-mse": MarginMSEConfig,
    "kl-divergence": KLDivergenceConfig,
    "embedding-mse": EmbeddingMSEConfig,
}
"""The settings of each loss, by its name."""
