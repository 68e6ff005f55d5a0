"""Verbs that compare the texts of a file with each other: what says the same, what is alike."""

from __future__ import annotations

import json as json_format
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unmask.cli.flags import AsJson
from unmask.cli.vectored import Answering, Column, Data, Given, Model, Texts, compared
from unmask.errors import UsageError
from unmask.infer.config import AnsweringConfig
from unmask.search.comparing_config import ClusterConfig, DeduplicateConfig, ParaphrasesConfig

if TYPE_CHECKING:
    from unmask.data.labelled.examples import TextExample
    from unmask.search.close_pairs import Ids

Output = Annotated[
    Path | None,
    Parameter(help="A file for the results, .jsonl or .csv; without it they are printed."),
]
Row = dict[str, Any]
_DEDUPLICATE = DeduplicateConfig()
_PARAPHRASES = ParaphrasesConfig()
_CLUSTER = ClusterConfig()
_SHOWN_TEXTS = 5
"""Of a cluster, on a terminal."""


def deduplicate(
    model: Model = None,
    /,
    *,
    input: Texts,
    output: Annotated[
        Path | None,
        Parameter(
            help="A file for the texts that are kept: .txt, or .jsonl or .csv with the ids of "
            "those that each stands for; without it they are printed."
        ),
    ] = None,
    vectors: Given = None,
    settings: Annotated[DeduplicateConfig, Parameter(name="*")] = _DEDUPLICATE,
    column: Column = None,
    data: Data = None,
    answering: Answering = AnsweringConfig(),
    json: AsJson = False,
) -> None:
    """Keeps one of the texts that say the same, the first of each group."""
    from unmask.search.deduplicate import deduplicate as grouped

    _check_output(output, texts_alone=True)
    texts, made = compared(model, input, vectors, column, data, answering)
    found = grouped(made, settings)
    of_kept: dict[int, list[str]] = {int(i): [] for i in found.kept}
    for text, kept in zip(texts, found.representative.tolist(), strict=True):
        of_kept[kept].append(text.id)
    rows = (
        {"id": texts[i].id, "text": texts[i].text, "duplicates": ids[1:]}
        for i, ids in of_kept.items()
    )
    figures = {"texts": len(texts), "kept": len(found.kept), "groups": len(found.groups)}
    _give(rows, figures, output, _show_kept, as_json=json)


def paraphrases(
    model: Model = None,
    /,
    *,
    input: Texts,
    output: Output = None,
    vectors: Given = None,
    settings: Annotated[ParaphrasesConfig, Parameter(name="*")] = _PARAPHRASES,
    column: Column = None,
    data: Data = None,
    answering: Answering = AnsweringConfig(),
    json: AsJson = False,
) -> None:
    """Lists the pairs of texts that are most alike, the best first."""
    from unmask.search.paraphrases import paraphrases as best

    _check_output(output)
    texts, made = compared(model, input, vectors, column, data, answering)
    found = best(made, settings)
    rows = (
        {
            "score": round(score, 6),
            "text1": texts[i].text,
            "text2": texts[j].text,
            "id1": texts[i].id,
            "id2": texts[j].id,
        }
        for i, j, score in zip(found.i, found.j, found.scores.tolist(), strict=True)
    )
    figures = {"texts": len(texts), "pairs": len(found.i)}
    _give(rows, figures, output, _show_pairs, as_json=json)


def cluster(
    model: Model = None,
    /,
    *,
    input: Texts,
    output: Output = None,
    vectors: Given = None,
    settings: Annotated[ClusterConfig, Parameter(name="*")] = _CLUSTER,
    column: Column = None,
    data: Data = None,
    answering: Answering = AnsweringConfig(),
    json: AsJson = False,
) -> None:
    """Gives each text the number of a cluster of texts about the same."""
    from unmask.search.cluster import cluster as clustered
    from unmask.search.cluster import labels_of

    _check_output(output)
    _refuse_idle(settings)
    texts, made = compared(model, input, vectors, column, data, answering)
    found = clustered(made, settings)
    numbers = labels_of(found, len(texts)).tolist()
    rows = (
        {"id": text.id, "text": text.text, "cluster": None if number < 0 else number}
        for text, number in zip(texts, numbers, strict=True)
    )
    alone = numbers.count(-1)
    figures = {"texts": len(texts), "clusters": len(found), "alone": alone}
    _give(rows, figures, output, lambda _: _show_clusters(texts, found), as_json=json)


def _refuse_idle(settings: ClusterConfig) -> None:
    """Settings of the other of the two ways to cluster."""
    idle = {"threshold", "min_size"} if settings.num_clusters is not None else {"seed"}
    if written := idle & settings.model_fields_set:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(written))
        other = "without" if settings.num_clusters is not None else "together with"
        raise UsageError(f"{named}: expected {other} --num-clusters.")


def _check_output(output: Path | None, *, texts_alone: bool = False) -> None:
    from unmask.search.row_files import check_ending

    if output is not None:
        check_ending(output, texts_alone=texts_alone)


def _give(
    rows: Iterable[Row],
    figures: dict[str, int],
    output: Path | None,
    show_rows: Callable[[Iterable[Row]], None],
    *,
    as_json: bool,
) -> None:
    """Writes the rows and tells the figures, or prints the rows, for people as `show_rows` does."""
    from unmask.search.row_files import write_rows
    from unmask.terminal import show

    if output is None and not as_json:
        show_rows(rows)
        return
    if output is None:
        for row in rows:
            print(json_format.dumps(row, ensure_ascii=False))
        return
    write_rows(output, rows)
    told = [(name.replace("_", " "), f"{number:,}") for name, number in figures.items()]
    show({"output": str(output), **figures}, [("output", str(output)), *told], as_json=as_json)


def _show_kept(rows: Iterable[Row]) -> None:
    for row in rows:
        others = f"  (also {', '.join(row['duplicates'])})" if row["duplicates"] else ""
        print(f"{row['id']:>6}  {row['text']}{others}")


def _show_pairs(rows: Iterable[Row]) -> None:
    for row in rows:
        print(f"{row['score']:7.4f}  {row['text1']}\n{'':9}{row['text2']}")


def _show_clusters(texts: list[TextExample], clusters: list[Ids]) -> None:
    """The beginning of each cluster, and how many texts lie in none."""
    from unmask.terminal import counted

    for number, members in enumerate(clusters):
        print(f"cluster {number}: {counted(len(members), 'text', 'texts')}")
        for i in members[:_SHOWN_TEXTS].tolist():
            print(f"{texts[i].id:>8}  {texts[i].text}")
    alone = len(texts) - sum(map(len, clusters))
    print(f"{counted(alone, 'text lies', 'texts lie')} in no cluster")
