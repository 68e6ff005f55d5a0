"""TREC's judgements (qrels) and runs, as trec_eval reads them: fields between blanks, no header."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.data.rejects import Rejects
from unmask.data.retrieval import beir
from unmask.data.retrieval.config import RetrievalConfig
from unmask.data.retrieval.fields import finite_number, of_line, whole_number
from unmask.data.retrieval.files import checked, open_source, parsed, text_lines
from unmask.data.retrieval.records import Hit, Judgement, Run
from unmask.data.sources import Source
from unmask.data.whole_file import whole_file
from unmask.errors import DataError, UsageError

_QRELS = ("query", "iteration", "document", "relevance")
_RUN = ("query", "Q0", "document", "rank", "score", "tag")
DISORDERED = "have a better score than the rank before; the scores count, not the ranks"
"""The note that counts lines of a run whose ranks contradict its scores."""


def read_qrels(path: Path | str, config: RetrievalConfig, rejects: Rejects) -> Iterator[Judgement]:
    """The judgements of a file of `query iteration document relevance`; the iteration is ignored.

    Raises:
        DataError: No such file, one with BEIR's header, one that breaks off, too many rejects, or
            no judgement at all.
    """
    source = open_source(path)

    def judgement(text: str, number: int) -> Judgement:
        fields = text.split()
        if tuple(fields) == beir.HEADER:
            raise DataError(f"{source}:{number}: has BEIR's header; read it as BEIR's TSV.")
        query, _, document, relevance = of_line(fields, _QRELS)
        value = whole_number("relevance", relevance)
        return Judgement(query, document, value, str(source), number)

    found = parsed(source, text_lines(source, config, rejects), judgement, rejects)
    return checked(source, found, "judgements", rejects)


def read_run(path: Path | str, config: RetrievalConfig, rejects: Rejects) -> Iterator[Hit]:
    """The results of a file of `query Q0 document rank score tag`, in its order.

    As in trec_eval the order of documents is that of the scores; ranks that contradict them are
    counted in `rejects.notes`, and logged once: such scores may be distances.

    Raises:
        DataError: As `read_qrels`.
    """
    source = open_source(path)
    found = _ordered(_hits(source, config, rejects), rejects)
    return checked(source, found, "results", rejects)


def write_run(run: Run, path: Path | str, tag: str) -> None:
    """Writes results with ranks from 1, the best score first; `tag` names the system.

    Scores are written in full. Documents that tie stand as trec_eval ranks them: by id, the
    greatest first, where scores are alike in single precision.

    Raises:
        UsageError: A tag that is empty or has a blank in it.
        DataError: Such an id, or a score that is not finite.
        MachineError: The file cannot be written.
    """
    if len(tag.split()) != 1 or tag != tag.strip():
        raise UsageError(f"run tag {tag!r}; expected a name without blanks, such as `minilm`.")
    with whole_file(path) as file:
        for query, found in run.items():
            for rank, document in enumerate(_ranked(query, found), 1):
                _check_names(path, query, document)
                score = float(found[document])
                file.write(f"{query} Q0 {document} {rank} {score!r} {tag}\n")


def _hits(source: Source, config: RetrievalConfig, rejects: Rejects) -> Iterator[Hit]:
    def hit(text: str, number: int) -> Hit:
        query, _, document, rank, score, tag = of_line(text.split(), _RUN)
        return Hit(
            query,
            document,
            whole_number("rank", rank),
            finite_number("score", score),
            tag,
            str(source),
            number,
        )

    return parsed(source, text_lines(source, config, rejects), hit, rejects)


def _ordered(hits: Iterator[Hit], rejects: Rejects) -> Iterator[Hit]:
    last: Hit | None = None
    for hit in hits:
        if (
            last is not None
            and last.query == hit.query
            and last.rank < hit.rank
            and last.score < hit.score
            and _in_single_precision(last.score) < _in_single_precision(hit.score)
        ):
            rejects.notes[DISORDERED] += 1
        last = hit
        yield hit


def _ranked(query: str, found: Mapping[str, float]) -> list[str]:
    scores = np.fromiter(found.values(), dtype=np.float64, count=len(found))
    wrong = np.flatnonzero(~np.isfinite(scores))
    if len(wrong):
        document = list(found)[wrong[0]]
        raise DataError(
            f"query `{query}`: the score of document `{document}` is {scores[wrong[0]]}; expected "
            "a number. Look at the vectors or the model that gave it."
        )
    pairs = zip(_in_single_precision(scores).tolist(), found, strict=True)
    return [document for _, document in sorted(pairs, reverse=True)]


def _in_single_precision(scores: ArrayLike) -> NDArray[np.float32]:
    """The scores as trec_eval compares them."""
    with np.errstate(over="ignore"):
        return np.asarray(scores, dtype=np.float64).astype(np.float32)


def _check_names(path: Path | str, *names: str) -> None:
    for name in names:
        if name.split() != [name]:
            raise DataError(
                f"{path}: the id {name!r} does not fit into a TREC file, where blanks part the "
                "fields. Rename it."
            )
