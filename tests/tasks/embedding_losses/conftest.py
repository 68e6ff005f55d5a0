"""Examples for every embedding loss, and embeddings that need no encoder."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from unmask.tasks.embedding_losses.registry import LOSSES

NUM_EXAMPLES, DIMENSION, NUM_CLASSES = 9, 6, 3

Labels = Tensor | None


def _drawn(name: str, num_examples: int, num_texts: int | None, seed: int) -> tuple[Tensor, Labels]:
    kind = LOSSES[name]
    num_texts = num_texts or kind.texts[0]
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(
        num_examples, num_texts, DIMENSION, generator=generator, dtype=torch.float64
    )
    whole = torch.randint(0, NUM_CLASSES, (num_examples,), generator=generator)
    labels: dict[str, Labels] = {
        "none": None,
        "class": whole,
        "score": whole / 2 if "contrastive" not in name else (whole > 0).double(),
        "scores": torch.randn(
            num_examples, num_texts - 1, generator=generator, dtype=torch.float64
        ),
        "vectors": torch.randn(embeddings.shape, generator=generator, dtype=torch.float64),
    }
    return embeddings, labels[kind.labels]


@pytest.fixture
def draw() -> Callable[..., tuple[Tensor, Labels]]:
    """Random embeddings (G, K, DIMENSION) in fp64, and labels, that the loss of a name takes."""

    def drawn(
        name: str, num_examples: int = NUM_EXAMPLES, num_texts: int | None = None, seed: int = 0
    ) -> tuple[Tensor, Labels]:
        return _drawn(name, num_examples, num_texts, seed)

    return drawn
