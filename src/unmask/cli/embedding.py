"""`unmask embed`: vectors of a file of texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unmask.cli.flags import AsJson
from unmask.cli.vectored import reading
from unmask.data.labelled.config import Columns, LabelledConfig
from unmask.infer.config import AnsweringConfig, EncodingConfig


def embed(
    model: str,
    /,
    *,
    input: Path,
    output: Path,
    column: Annotated[Columns | None, Parameter(name="column")] = None,
    data: Annotated[LabelledConfig | None, Parameter(name="data")] = None,
    encoding: Annotated[EncodingConfig, Parameter(name="*")] = EncodingConfig(),
    answering: Annotated[AnsweringConfig, Parameter(name="*")] = AnsweringConfig(),
    json: AsJson = False,
) -> None:
    """Writes a vector for each text of a file.

    Parameters
    ----------
    model
        A model or run folder, or a hub id.
    input
        .txt is one text a line; .jsonl, .csv, .tsv and .parquet have a column `text`.
    output
        A file: .npy has the vectors in the order of the texts, (N, D) in float32; .parquet has the
        columns `id`, `text` and `embedding`.
    column
        Short for --data.columns.
    """
    from unmask.data.rejects import Rejects
    from unmask.infer.encode import Encoder
    from unmask.infer.engine import load
    from unmask.infer.files import texts_in
    from unmask.infer.vector_files import write_vectors
    from unmask.terminal import show

    bundle = load(model, precision=answering.precision).bundle
    encoder = Encoder.of(bundle, encoding.pooling)
    prompt = encoder.prompt(encoding.prompt, encoding.prompt_name)
    config = reading(data, column)
    rejects = Rejects(config.max_reject_rate, setting="--data.max-reject-rate")
    texts = texts_in(input, config, rejects)
    total = write_vectors(
        texts,
        lambda some: encoder.vectors(some, prompt, encoding.batch_size),
        encoder.dimension,
        output,
    )
    rejects.check()
    rejects.warn_of_first(input)
    document = {"output": str(output), "texts": total, "dimension": encoder.dimension}
    show(document, [(name, str(value)) for name, value in document.items()], as_json=json)
