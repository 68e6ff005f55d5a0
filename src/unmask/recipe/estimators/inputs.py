"""What scikit-learn hands an estimator, as labelled examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite

from unmask.data.labelled.examples import TaggedExample, TextExample
from unmask.data.labelled.words import joined
from unmask.errors import DataError, UsageError

Kind = str
"""`single`, `multi` or `regression`."""
Label = str | tuple[str, ...] | float
_ROWS = (list, tuple, set, frozenset, np.ndarray)
"""What several labels of one example may be."""


def require_targets(name: str, X: Sequence[Any], y: Any) -> None:
    """Refuses to fit on nothing, on too little, or without answers.

    Raises:
        UsageError: No `y`.
        DataError: Fewer than two examples.
        ValueError: Not as many answers as examples, in scikit-learn's words.
    """
    if y is None:
        raise UsageError(f"{name} requires y to be passed, but the target y is None.")
    check_consistent_length(X, y)
    if len(X) < 2:
        raise DataError(
            f"X: {len(X)} sample{'s' * (len(X) != 1)} to fit on; expected two or more, since some "
            "are held out."
        )


def rows_of(X: Any) -> list[Any]:
    """The rows of a list, an array, a Series or a DataFrame.

    Raises:
        UsageError: One text alone, or nothing that has rows.
    """
    if hasattr(X, "__array__"):  # also a DataFrame, which iterates over the names of its columns
        X = np.atleast_1d(np.asarray(X)).tolist()
    if isinstance(X, str | bytes | Mapping) or not isinstance(X, Iterable):
        raise UsageError(f"{type(X).__name__}: no list or array, of which there must be one.")
    return list(X)


def text_examples(X: Any, labels: Sequence[Label] | None = None) -> list[TextExample]:
    """Each row as a text or a pair of texts.

    Raises:
        DataError: A row is neither.
    """
    return [
        TextExample(str(i), *_text_and_pair(row, i), None if labels is None else labels[i], None,
                    f"X[{i}]")
        for i, row in enumerate(rows_of(X))
    ]  # fmt: skip


def _text_and_pair(row: Any, number: int) -> tuple[str, str | None]:
    parts: Any = (row,) if isinstance(row, str) else row
    is_short = isinstance(parts, list | tuple) and len(parts) in (1, 2)
    if is_short and all(isinstance(part, str) for part in parts):
        return parts[0], parts[1] if len(parts) == 2 else None
    size = f" of {len(row)}" if isinstance(row, list | tuple) else ""
    raise DataError(
        f"X[{number}]: is {type(row).__name__}{size}; expected a text, or a pair (text, text_pair)."
    )


def tagged_examples(X: Any, y: Sequence[Any] | None = None) -> list[TaggedExample]:
    """Each row of words, with a tag for each.

    Raises:
        DataError: A row is no list of words, or has not a tag for each.
    """
    examples = []
    for i, row in enumerate(rows_of(X)):
        if isinstance(row, str) or not isinstance(row, Sequence | np.ndarray):
            raise DataError(f"X[{i}]: is {type(row).__name__}; expected a list of words.")
        words = list(row)
        wrong = [j for j, word in enumerate(words) if not isinstance(word, str) or not word]
        if wrong:
            raise DataError(
                f"X[{i}][{wrong[0]}]: is {words[wrong[0]]!r}; expected a word, which is not empty."
            )
        tags = None if y is None else tuple(map(str, y[i]))
        if tags is not None and len(tags) != len(words):
            raise DataError(f"y[{i}]: {len(tags)} tags for {len(words)} words; expected as many.")
        text, spans = joined(words)
        examples.append(TaggedExample(str(i), text, spans, tags, f"X[{i}]"))
    return examples


def kind_of(y: Any) -> Kind:
    """`multi` for rows of labels or of 0 and 1, else `single`."""
    if hasattr(y, "__array__"):
        shape = np.asarray(y).shape
        return "multi" if len(shape) == 2 and shape[1] > 1 else "single"
    return "multi" if any(isinstance(row, _ROWS) for row in y) else "single"


def labels_of(y: Any, kind: Kind) -> tuple[list[Label], NDArray[Any], bool]:
    """Each example's label by name, the classes in order, and whether `y` was 0 and 1 in columns.

    Raises:
        ValueError: Targets of another kind, in scikit-learn's words; DataError is one.
    """
    if kind == "multi":
        return _several(y)
    values = column_or_1d(y, warn=True)
    if kind == "regression":
        numbers = values.astype(np.float64)
        assert_all_finite(numbers, input_name="y")
        return numbers.tolist(), np.zeros(0), False
    assert_all_finite(values, input_name="y")
    check_classification_targets(values)
    classes = np.unique(values)
    if len(classes) < 2:
        raise DataError(f"y: has one class ({classes[0]}); expected two or more to tell apart.")
    return [str(value) for value in values.tolist()], classes, False


def _several(y: Any) -> tuple[list[Label], NDArray[Any], bool]:
    table = _table(y)
    if table is not None:
        names = [str(i) for i in range(table.shape[1])]
        rows = [tuple(name for name, on in zip(names, row, strict=True) if on) for row in table]
        return list(rows), np.arange(table.shape[1]), True
    if not all(isinstance(row, _ROWS) for row in rows_of(y)):
        raise DataError("y: is not a list of labels for each text, which several labels need.")
    found = [list(row) for row in rows_of(y)]
    classes = np.unique([label for row in found for label in row])
    if not len(classes):
        raise DataError("y: no example has any label; expected one class or more.")
    return [tuple(map(str, dict.fromkeys(row))) for row in found], classes, False


def _table(y: Any) -> NDArray[Any] | None:
    """(n, K) of 0 and 1, if that is what `y` is; two labels or more that are all 0 or 1 are one."""
    rows = rows_of(y)
    is_even = all(isinstance(row, _ROWS) for row in rows) and len({len(row) for row in rows}) == 1
    if is_even and len(rows[0]) > 1 and all(value in (0, 1) for row in rows for value in row):
        return np.array([list(row) for row in rows])
    return None
