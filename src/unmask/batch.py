"""The packed batch: tokens of many sequences end to end, and where each sequence stops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from unmask.errors import UsageError

IGNORED = -100
"""The label of a position that no loss looks at."""


@dataclass(frozen=True)
class Batch:
    """Sequences packed without padding; N is the sum of `lengths`, B their number."""

    input_ids: Tensor
    """(N,) int64, 0..vocab_size-1."""
    token_type_ids: Tensor
    """(N,) int64, the segment of each token: 0 or 1."""
    position_ids: Tensor
    """(N,) int64, counted from 0 within each sequence."""
    lengths: tuple[int, ...]
    """(B,) tokens of each sequence, specials included."""
    sample_ids: Tensor
    """(B,) int64, which sample of the data set each sequence is; seeds its mask."""
    labels: Mapping[str, Tensor] = field(default_factory=dict)
    """Per loss term: (N,), (B, ...) or (B / group_size,), IGNORED where nothing is asked."""
    group_size: int = 1
    """Neighbouring sequences that belong together and are never split, such as the choices of a
    question; B is a multiple of it."""

    @property
    def num_tokens(self) -> int:
        """N, specials included."""
        return int(self.input_ids.shape[0])

    def starts(self) -> Tensor:
        """(B,) int64, the index of each sequence's first token."""
        lengths = torch.tensor(self.lengths, device=self.input_ids.device)
        return torch.cumsum(lengths, 0) - lengths

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        return replace(
            self,
            input_ids=self.input_ids.to(device),
            token_type_ids=self.token_type_ids.to(device),
            position_ids=self.position_ids.to(device),
            sample_ids=self.sample_ids.to(device),
            labels={name: label.to(device) for name, label in self.labels.items()},
        )


def pack(
    sequences: list[list[int]],
    *,
    token_type_ids: list[list[int]] | None = None,
    sample_ids: list[int] | None = None,
) -> Batch:
    """Packs token ids, one list a sequence, specials already in place.

    Raises:
        UsageError: Segments or sample ids that do not fit the sequences.

    Worked example:

    >>> batch = pack([[2, 7, 3], [2, 9, 9, 3]])
    >>> batch.lengths, batch.position_ids.tolist()
    ((3, 4), [0, 1, 2, 0, 1, 2, 3])
    """
    lengths = tuple(len(sequence) for sequence in sequences)
    segments = [[0] * n for n in lengths] if token_type_ids is None else token_type_ids
    if tuple(map(len, segments)) != lengths:
        raise UsageError(
            f"token_type_ids have lengths {[*map(len, segments)]}, the sequences {[*lengths]}: "
            "expected one segment id for every token"
        )
    if sample_ids is not None and len(sample_ids) != len(lengths):
        raise UsageError(
            f"{len(sample_ids)} sample_ids for {len(lengths)} sequences: expected one for each"
        )
    return Batch(
        input_ids=torch.tensor([i for sequence in sequences for i in sequence], dtype=torch.int64),
        token_type_ids=torch.tensor(
            [i for segment in segments for i in segment], dtype=torch.int64
        ),
        position_ids=torch.tensor(
            [i for length in lengths for i in range(length)], dtype=torch.int64
        ),
        lengths=lengths,
        sample_ids=torch.tensor(
            list(range(len(lengths))) if sample_ids is None else sample_ids, dtype=torch.int64
        ),
    )
