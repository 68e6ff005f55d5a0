"""What embedding losses refuse, in words that name what to do."""

from __future__ import annotations

import torch
from torch import Tensor

from unmask.errors import UsageError


def check_embeddings(name: str, embeddings: Tensor, texts: tuple[int, int | None]) -> None:
    """Raises UsageError unless they are (G, K, E) with as many texts K as the loss takes."""
    if embeddings.ndim != 3 or not embeddings.is_floating_point():
        raise UsageError(
            f"{name}: embeddings of shape {tuple(embeddings.shape)} and {embeddings.dtype}; "
            "expected (examples, texts, dimension) of floating point."
        )
    least, most = texts
    found = embeddings.shape[1]
    if found < least or (most is not None and found > most):
        expected = f"at least {least}" if most is None else _between(least, most)
        raise UsageError(
            f"{name}: examples of {found} text(s), expected {expected}. "
            "Choose the columns of the data, or another loss."
        )


def check_labels(name: str, kind: str, labels: Tensor | None, embeddings: Tensor) -> None:
    """Raises UsageError unless there are finite labels of the kind for each example."""
    if labels is None:
        if kind != "none":
            raise UsageError(
                f"{name}: the examples have no labels, expected {_WORDS[kind]} with each. "
                "Add the column, or choose a loss that needs none."
            )
        return
    if kind == "none":
        raise UsageError(
            f"{name}: the examples have labels, which it makes no use of. "
            "Leave the column out, or choose a loss that learns from it."
        )
    fits = labels.ndim == _AXES[kind] and len(labels) == len(embeddings)
    if not fits or (kind == "class" and labels.dtype != torch.int64):
        raise UsageError(
            f"{name}: labels of shape {tuple(labels.shape)} and {labels.dtype} for "
            f"{len(embeddings)} examples, expected {_WORDS[kind]} with each."
        )
    _check_finite(name, kind, labels)


def check_range(name: str, labels: Tensor, low: float, high: float, advice: str) -> None:
    """Raises UsageError where (G,) labels lie outside `low`..`high`."""
    outside = (labels < low) | (labels > high)
    if outside.any():
        raise UsageError(
            f"{name}: label {labels[outside][0].item():g}, expected {low:g} to {high:g} "
            f"({int(outside.sum())} of {len(labels)} examples lie outside). {advice}"
        )


def check_ids(name: str, ids: Tensor | None, embeddings: Tensor) -> None:
    """Raises UsageError unless there is an integer for each text, or none at all."""
    if ids is not None and (ids.shape != embeddings.shape[:2] or ids.dtype != torch.int64):
        raise UsageError(
            f"{name}: ids of shape {tuple(ids.shape)} and {ids.dtype}, expected "
            f"{tuple(embeddings.shape[:2])} of int64, one for each text."
        )


_WORDS = {
    "score": "a score (a number)",
    "class": "a class (an integer)",
    "scores": "a list of a teacher's scores",
    "vectors": "a teacher's vector for each text, or one for all,",
}
_AXES = {"score": 1, "class": 1, "scores": 2, "vectors": 3}


def _check_finite(name: str, kind: str, labels: Tensor) -> None:
    finite = torch.isfinite(labels)
    if not finite.all():
        bad = ~finite.flatten(1).all(1) if labels.ndim > 1 else ~finite
        raise UsageError(
            f"{name}: {labels[~finite][0].item()} in {_WORDS[kind].rstrip(',')}, expected finite "
            f"numbers ({int(bad.sum())} of {len(labels)} examples have others). Mend the data."
        )


def _between(least: int, most: int) -> str:
    return str(least) if least == most else f"{least} to {most}"
