"""`unmask search`: finds the passages of an index that answer a query."""

from __future__ import annotations

import json as json_format
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unmask.cli.flags import AsJson
from unmask.errors import DataError, UsageError
from unmask.infer.config import AnsweringConfig
from unmask.search.config import SearchConfig

if TYPE_CHECKING:
    from unmask.search.embedder import Embedder
    from unmask.search.highlight import Highlight
    from unmask.search.searching import Hit
    from unmask.search.store import VectorStore


def search(
    index: str,
    query: str,
    /,
    *,
    settings: Annotated[SearchConfig, Parameter(name="*")] = SearchConfig(),
    model: str | None = None,
    reranker: str | None = None,
    answering: Annotated[AnsweringConfig, Parameter(name="*")] = AnsweringConfig(),
    verify: Annotated[bool, Parameter(negative="--no-verify")] = True,
    json: AsJson = False,
) -> None:
    """Finds the passages of an index that answer a query best.

    Parameters
    ----------
    index
        What `unmask index` made: a folder, or the address of a database.
    query
        What to search for, in quotes.
    model
        Where the model lies that the index was made by, if no longer where it lay then.
    reranker
        A cross-encoder that puts the first passages (--depth) in order again.
    verify
        Compares every byte of the index with its manifest first.
    """
    from unmask.infer.engine import load
    from unmask.search.highlight import highlight
    from unmask.search.homes import open_store
    from unmask.search.index import Index
    from unmask.search.store import closed_on_error
    from unmask.text.normalise import replace_surrogates

    _refuse_idle(settings, is_reranked=reranker is not None)
    query = replace_surrogates(query)  # of bytes that are no text, which no JSON could hold
    store = open_store(index, verify=verify)
    with closed_on_error(store):
        embedder = _embedder(store, model, answering)
        opened = Index(store, embedder)
    with opened:
        again = None
        if reranker is not None:
            again = load(reranker, precision=answering.precision).reranker()
        hits = opened.search(query, settings, again)
        stopwords = store.about.config.bm25.stopwords
        marks = highlight(query, [hit.text for hit in hits], embedder, stopwords)
    if json:
        results = [_as_json(hit, mark) for hit, mark in zip(hits, marks, strict=True)]
        document = {"index": store.place, "query": query, "results": results}
        print(json_format.dumps(document, ensure_ascii=False))
        return
    for number, (hit, mark) in enumerate(zip(hits, marks, strict=True), 1):
        _show_hit(number, hit, mark)
    if not hits:
        print("nothing found", file=sys.stderr)


def _refuse_idle(settings: SearchConfig, *, is_reranked: bool) -> None:
    """Settings of fusion and of ranking again, where there is neither."""
    idle = set() if settings.by == "hybrid" else {"rrf_k"}
    if settings.by != "hybrid" and not is_reranked:
        idle.add("depth")
    if written := idle & settings.model_fields_set:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(written))
        others = " or --reranker" if written == {"depth"} else ""
        raise UsageError(
            f"{named}: without effect together with --by {settings.by}; expected --by hybrid"
            f"{others}."
        )


def _embedder(store: VectorStore, model: str | None, answering: AnsweringConfig) -> Embedder:
    """The model that the index was made by, from where it lay or from where it is said to lie.

    Raises:
        DataError: It is no longer there.
    """
    from unmask.infer.engine import load

    if model is not None:
        return load(model, precision=answering.precision).embedder()
    try:
        return load(store.about.model, precision=answering.precision).embedder()
    except (DataError, UsageError) as error:
        raise DataError(
            f"{error}\n{store.place}: was made by this model. Where it lies now is said by --model."
        ) from error


def _as_json(hit: Hit, mark: Highlight) -> dict[str, Any]:
    """A result, all of its places in the document's text."""
    places = {
        "words": [[hit.start + span.start, hit.start + span.end] for span in mark.words],
        "sentence": [hit.start + mark.sentence.start, hit.start + mark.sentence.end],
    }
    return {**asdict(hit), **places}


def _show_hit(number: int, hit: Hit, mark: Highlight) -> None:
    """The passage, with the best sentence and the query's words marked on a terminal."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    place = f"{hit.document}:{hit.start}-{hit.end}"
    console.print(Text.assemble((f"{number}  {hit.score:.4f}  ", "dim"), (place, "bold cyan")))
    if hit.title:
        console.print(Text(hit.title, "bold"))
    text = Text(hit.text)
    text.stylize("underline", mark.sentence.start, mark.sentence.end)
    for span in mark.words:
        text.stylize("bold yellow", span.start, span.end)
    console.print(text)
    known = ", ".join(f"{name} {value}" for name, value in hit.metadata.items())
    console.print(Text(f"{known}\n" if known else "", "dim"))
