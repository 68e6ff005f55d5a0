"""The texts that a verb compares, and their vectors, from a model or from a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from unmask.data.labelled.config import Columns, LabelledConfig
from unmask.errors import UsageError
from unmask.infer.config import AnsweringConfig

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from unmask.data.labelled.examples import TextExample

Model = Annotated[
    str | None,
    Parameter(help="A sentence encoder: a model or run folder, or a hub id; not with --vectors."),
]
Texts = Annotated[
    Path,
    Parameter(
        help="The texts: .txt is one a line; .jsonl, .csv, .tsv and .parquet have a column `text`."
    ),
]
Given = Annotated[
    Path | None,
    Parameter(help="A .npy file with a vector for each text, instead of a model."),
]
Column = Annotated[Columns | None, Parameter(name="column", help="Short for --data.columns.")]
Data = Annotated[LabelledConfig | None, Parameter(name="data")]
Answering = Annotated[AnsweringConfig, Parameter(name="*")]


def compared(
    model: str | None,
    input: Path,
    vectors: Path | None,
    column: Columns | None,
    data: LabelledConfig | None,
    answering: AnsweringConfig,
) -> tuple[list[TextExample], NDArray[np.generic]]:
    """The texts of a file and a vector for each.

    Raises:
        UsageError: Neither a model nor vectors, or both.
    """
    from unmask.data.rejects import Rejects
    from unmask.infer.files import texts_in
    from unmask.search.text_vectors import encoded, loaded

    if (model is None) == (vectors is None):
        found = "neither of the two" if model is None else "both"
        raise UsageError(f"expected a model, or vectors by --vectors; found {found}.")
    config = reading(data, column)
    rejects = Rejects(config.max_reject_rate, setting="--data.max-reject-rate")
    texts = list(texts_in(input, config, rejects))
    rejects.warn_of_first(input)
    if vectors is not None:
        return texts, loaded(vectors, len(texts), input)
    assert model is not None
    from unmask.infer.engine import load
    from unmask.infer.progress import telling

    embedder = load(model, precision=answering.precision).embedder()
    with telling("encoding") as told:
        return texts, encoded([text.text for text in texts], replace(embedder, told=told))


def reading(data: LabelledConfig | None, column: Columns | None) -> LabelledConfig:
    """How a file is read; columns may be named by either flag.

    Raises:
        UsageError: By both.
    """
    config = data or LabelledConfig()
    if column is None:
        return config
    if "columns" in config.model_fields_set:
        raise UsageError("--column, --data.columns: the same settings; give one.")
    return config.model_copy(update={"columns": column})
