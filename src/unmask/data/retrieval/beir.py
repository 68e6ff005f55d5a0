"""BEIR's layout: corpus.jsonl, queries.jsonl, and qrels/SPLIT.tsv (Thakur et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unmask.data.jsonl import check_text, parse
from unmask.data.labelled.labels import Fault
from unmask.data.lines import read_lines
from unmask.data.plain import each
from unmask.data.rejects import Rejects
from unmask.data.retrieval.config import RetrievalConfig
from unmask.data.retrieval.fields import of_line, whole_number
from unmask.data.retrieval.files import checked, open_source, parsed, text_lines
from unmask.data.retrieval.first_lines import FirstLines
from unmask.data.retrieval.records import CorpusDocument, Judgement, Query
from unmask.data.sources import Source
from unmask.errors import DataError

HEADER = ("query-id", "corpus-id", "score")
NO_TEXT = "have no text"
"""The note that counts documents and queries that are there, but empty."""


def read_corpus(
    path: Path | str, config: RetrievalConfig, rejects: Rejects
) -> Iterator[CorpusDocument]:
    """The documents of a corpus.jsonl (also .gz, .zst), one after another.

    Each line has `_id` and `text`, and may have `title` and `metadata`. Of the documents read,
    16 bytes each are remembered, to reject an id that comes again. A document without text stays,
    since judgements may name it, and is counted in `rejects.notes`.

    Raises:
        DataError: No such file, one that breaks off, too many rejects, or no document at all.
    """
    source = open_source(path)
    return checked(source, _documents(source, config, rejects), "documents", rejects)


def read_queries(path: Path | str, config: RetrievalConfig, rejects: Rejects) -> Iterator[Query]:
    """The queries of a queries.jsonl, each with `_id` and `text`; otherwise as `read_corpus`.

    Raises:
        DataError: As `read_corpus`.
    """
    source = open_source(path)
    found = (
        Query(record.id, record.text, record.place)
        for record in _documents(source, config, rejects)
    )
    return checked(source, found, "queries", rejects)


def read_qrels(path: Path | str, config: RetrievalConfig, rejects: Rejects) -> Iterator[Judgement]:
    """The judgements of a TSV file with the header `query-id corpus-id score`.

    Raises:
        DataError: No such file, another header, one that breaks off, too many rejects, or no
            judgement at all.
    """
    source = open_source(path)
    return checked(source, _judgements(source, config, rejects), "judgements", rejects)


@dataclass(frozen=True)
class BeirFolder:
    """Where the parts of a data set in BEIR's layout lie."""

    corpus: Path
    queries: Path
    qrels: Path


def find(folder: Path | str, split: str) -> BeirFolder:
    """The parts of a data set; `split` is the name of its judgements, such as `test`.

    Raises:
        DataError: One is not there.
    """
    folder = Path(folder)
    return BeirFolder(
        _part(folder, "corpus.jsonl"),
        _part(folder, "queries.jsonl"),
        _part(folder / "qrels", f"{split}.tsv"),
    )


def _part(folder: Path, name: str) -> Path:
    for ending in ("", ".gz", ".zst"):
        path = folder / f"{name}{ending}"
        if path.is_file():
            return path
    found = ", ".join(sorted(path.name for path in folder.glob("*"))[:20]) or "nothing"
    raise DataError(
        f"{folder}: holds no {name} (nor {name}.gz); found {found}. Expected BEIR's layout: "
        "corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv."
    )


def _documents(
    source: Source, config: RetrievalConfig, rejects: Rejects
) -> Iterator[CorpusDocument]:
    seen = FirstLines()
    for group in read_lines(source, config.max_line_bytes, rejects):
        for line in each(group):
            found = parse(line, source, rejects)
            if found is None:
                continue
            record, content = found
            try:
                document = _document(record, f"{source}:{line.line}")
                first = seen.take(document.id, line.line)
                if first is not None:
                    raise Fault("duplicate id", f"`{document.id[:80]}` stands in line {first}")
            except Fault as fault:
                rejects.add(str(source), line.line, fault.kind, fault.detail, content)
                continue
            text = check_text(document.title + document.text, source, line.line, rejects)
            if text is None:
                continue
            rejects.num_records += 1
            if not text.strip():
                rejects.notes[NO_TEXT] += 1
            yield document


def _document(record: dict[str, Any], place: str) -> CorpusDocument:
    name = record.get("_id", record.get("id"))
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if name is None:
        raise Fault("no field `_id`", f"found {', '.join(list(record)[:10]) or 'none'}")
    if not isinstance(name, str) or not name.strip():
        raise Fault("field `_id` is no name", repr(name)[:80])
    if "text" not in record:
        raise Fault("no field `text`", f"found {', '.join(list(record)[:10])}")
    texts = [record.get(field) for field in ("title", "text")]
    for field, value in zip(("title", "text"), texts, strict=True):
        if value is not None and not isinstance(value, str):
            raise Fault(f"field `{field}` is no text", type(value).__name__)
    metadata = record.get("metadata")
    title, text = (value or "" for value in texts)
    return CorpusDocument(name, title, text, place, metadata if isinstance(metadata, dict) else {})


def _judgements(source: Source, config: RetrievalConfig, rejects: Rejects) -> Iterator[Judgement]:
    lines = text_lines(source, config, rejects)
    first = next(lines, None)
    if first is None:
        return
    number, text = first
    if tuple(text.split("\t")) != HEADER:
        raise DataError(
            f"{source}:{number}: the header is missing: found {text[:80]!r}, expected "
            f"{' '.join(HEADER)} with tabs between. Is this a TREC file, or not the judgements?"
        )

    def judgement(text: str, number: int) -> Judgement:
        query, document, relevance = of_line(text.split("\t"), HEADER)
        return Judgement(query, document, whole_number("score", relevance), str(source), number)

    yield from parsed(source, lines, judgement, rejects)
