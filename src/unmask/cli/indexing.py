"""`unmask index`: makes documents searchable."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from pydantic import BaseModel

from unmask.cli.flags import AsJson
from unmask.errors import DataError, UsageError
from unmask.infer.config import AnsweringConfig
from unmask.search.config import IndexConfig, ReadingConfig

if TYPE_CHECKING:
    from unmask.data.rejects import Rejects
    from unmask.infer.engine import Engine
    from unmask.search.adding import Added, Told
    from unmask.search.documents import Document
    from unmask.search.index import Index
    from unmask.terminal import Tell

_SECONDS_BETWEEN = 10.0
"""Lines of progress where stderr is no terminal."""


def index(
    model: str,
    /,
    *,
    input: tuple[Path, ...] = (),
    output: str,
    settings: Annotated[IndexConfig | None, Parameter(name="*")] = None,
    reading: Annotated[ReadingConfig, Parameter(name="*")] = ReadingConfig(),
    answering: Annotated[AnsweringConfig, Parameter(name="*")] = AnsweringConfig(),
    delete: tuple[str, ...] = (),
    compact: Annotated[bool, Parameter(negative="")] = False,
    json: AsJson = False,
) -> None:
    """Makes documents searchable by a sentence encoder, and adds to them or deletes later.

    The same command goes on where it was killed: what is there with the same content is passed
    over. What an index is made by and how is fixed when it is begun.

    Parameters
    ----------
    model
        A sentence encoder: a model or run folder, or a hub id.
    input
        Files of documents: .txt is one text per line; .jsonl, .csv, .tsv and .parquet have columns
        `text`, `id` and `title`, and every other column is metadata. A document takes the place of
        one of its id.
    output
        A folder for the index; or qdrant://HOST:PORT/COLLECTION, or
        postgresql://USER@HOST/DATABASE.
    delete
        Ids of documents to remove.
    compact
        Frees the space of what was deleted or replaced, and puts the parts of the index together,
        which copies all of it. Without it, a part is copied by itself when documents are added and
        more than a third of it is gone.
    """
    from unmask.infer.engine import load
    from unmask.search.homes import is_there

    if not input and not delete and not compact:
        raise UsageError(
            "index: expected files of documents by --input, ids by --delete, or --compact."
        )
    for file in input:  # before an index is begun
        if not file.exists() or file.is_dir():
            found = "is a folder" if file.is_dir() else "no such file"
            raise DataError(f"{file}: {found}; expected a file of documents.")
    engine = load(model, precision=answering.precision)
    is_new = bool(input) and not is_there(output)
    with (
        _opened(output, engine, model, settings or IndexConfig(), is_new=is_new) as opened,
        opened.store.alone(),
    ):
        figures: dict[str, Any] = {"index": opened.store.place}
        if delete:
            figures["deleted"] = opened.delete(delete)
        if input:
            figures |= _add(opened, input, reading)
        if compact:
            figures |= opened.compact()
        counts = opened.count()
        figures |= {"num_documents": counts.documents, "num_passages": counts.passages}
    _show_figures(figures, as_json=json)


def _opened(
    output: str, engine: Engine, model: str, settings: IndexConfig, *, is_new: bool
) -> Index:
    """A new index, or the one that is there, if it was made as these settings say."""
    from unmask.search.index import Index

    embedder = engine.embedder()
    if is_new:
        if engine.similarity_fn_name == "dot" and "similarity" not in settings.model_fields_set:
            settings = settings.model_copy(update={"similarity": "dot"})
        # A folder is found again from anywhere, a hub id is one already.
        lasting = str(Path(model).resolve()) if Path(model).exists() else model
        return Index.create(output, embedder, settings, model=lasting)
    opened = Index.open(output, embedder)
    for flag, wanted, there in _differences(settings, opened.store.about.config):
        opened.close()
        raise UsageError(
            f"--{flag} {wanted}: the index at {opened.store.place} was begun with {there}, and "
            "that stays. Leave the flag out to add to it, or choose another --output."
        )
    return opened


def _differences(
    given: BaseModel, kept: BaseModel, table: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Flags that the user wrote, with a value that is not the one that is kept."""
    for name in sorted(given.model_fields_set):
        wanted, there = getattr(given, name), getattr(kept, name)
        flag = f"{table}{name.replace('_', '-')}"
        if isinstance(wanted, BaseModel):
            yield from _differences(wanted, there, f"{flag}.")
        elif wanted != there:
            yield flag, wanted, there


def _add(opened: Index, files: Sequence[Path], reading: ReadingConfig) -> dict[str, Any]:
    """Adds the documents of files; what became of them, and how the nearest are found.

    Nobody else adds any meanwhile, so that the list of rejects is that of these files.
    """
    from unmask.data.rejects import KEPT, Rejects
    from unmask.search.reading import read_documents
    from unmask.terminal import progress

    folder = Path(opened.store.place)
    # By this ending those who look for texts in the folder know to pass it over.
    listed = folder / f"index{KEPT}" if folder.is_dir() else None
    rejects = Rejects(reading.max_reject_rate, listed, setting="--max-reject-rate")

    def documents() -> Iterator[Document]:
        for file in files:
            yield from read_documents(file, reading, rejects)

    total = sum(file.stat().st_size for file in files)
    try:
        with rejects, progress("indexing") as tell:
            added = opened.add(documents(), _telling(rejects, total, tell))
    except KeyboardInterrupt:
        message = "the same command goes on from what has been kept"
        raise KeyboardInterrupt(message) from None
    except DataError as error:
        if listed is None or not len(rejects):
            raise
        raise DataError(f"{error}\nAll rejects, with their reasons: {listed}") from error
    if listed is None:
        rejects.warn_of_first(files[0])
    elif len(rejects):
        rejects.warn(listed)
    else:
        listed.unlink()
    return {**asdict(added), "num_rejects": len(rejects), **opened.figures}


def _telling(rejects: Rejects, total: int, tell: Tell) -> Told:
    """Says how far adding has come: on a terminal by a bar, else by a line now and then."""
    from unmask.terminal import counted

    started = last = time.monotonic()

    def told(kept: Added, waiting: int) -> None:
        nonlocal last
        now = time.monotonic()
        done = kept.passages + waiting
        rate = done / max(1e-9, now - started)
        beside = f"{counted(done, 'passage', 'passages')}, {rate:,.0f}/s"
        tell(rejects.bytes_read, total, beside)
        if sys.stderr.isatty() or now - last < _SECONDS_BETWEEN:
            return
        last = now
        share = rejects.bytes_read / max(1, total)
        left = f", about {(now - started) * (1 / share - 1):,.0f} s left" if 0 < share < 1 else ""
        print(f"indexing: {beside}{left}", file=sys.stderr)

    return told


def _show_figures(figures: dict[str, Any], *, as_json: bool) -> None:
    from unmask.terminal import figure, show

    rows = [
        (
            name.removeprefix("num_").replace("_", " "),
            figure(value)
            if isinstance(value, float)
            else f"{value:,}"
            if isinstance(value, int)
            else value,
        )
        for name, value in figures.items()
    ]
    show(figures, rows, as_json=as_json)
