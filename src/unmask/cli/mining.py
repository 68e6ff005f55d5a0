"""`unmask mine`: pairs out of a corpus, and hard negatives for pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unmask.cli.flags import AsJson, flags_of
from unmask.cli.vectored import Column, Data, reading
from unmask.data.labelled.config import LabelledConfig
from unmask.errors import DataError, UsageError
from unmask.infer.config import AnsweringConfig
from unmask.search.comparing_config import MiningConfig, PairsConfig

if TYPE_CHECKING:
    from unmask.data.rejects import Rejects
    from unmask.search.mine import Mining

Pair = tuple[str, str]
_PAIRS = PairsConfig()
_MINING = MiningConfig()
_ANY_RATE = {"max_reject_rate": LabelledConfig().max_reject_rate}
"""What is the same for every source."""


def mine(
    model: str | None = None,
    /,
    *,
    input: Path,
    output: Path,
    corpus: Path | None = None,
    reranker: str | None = None,
    source: Annotated[PairsConfig, Parameter(name="*")] = _PAIRS,
    settings: Annotated[MiningConfig, Parameter(name="*")] = _MINING,
    column: Column = None,
    data: Data = None,
    answering: Annotated[AnsweringConfig, Parameter(name="*")] = AnsweringConfig(),
    json: AsJson = False,
) -> None:
    """Finds hard negatives for pairs of texts, or makes pairs out of a corpus.

    Parameters
    ----------
    model
        A sentence encoder: a model or run folder, or a hub id. Without it the pairs alone are
        written, which --pairs says how to make.
    input
        Pairs: a table with columns such as `anchor` and `positive`. By --pairs a corpus instead:
        a table with `title` and `text`, or files of text.
    output
        A file for `unmask finetune embedding` or `reranking`, .jsonl or .csv.
    corpus
        Further texts that may be negatives, one a line of .txt, or a table with a column `text`
        (and `title`, which comes first); without it only the positives of other anchors.
    reranker
        A cross-encoder whose scores the candidates are judged by.
    """
    from unmask.search.row_files import check_ending

    check_ending(output)
    config = reading(data, column)
    if source.pairs != "columns" and config.model_copy(update=_ANY_RATE) != LabelledConfig():
        raise UsageError(f"--data, --column: without effect together with --pairs {source.pairs}.")
    if model is None:
        _refuse_without_model(source, settings, corpus, reranker)
        _write_pairs(_pairs(input, source, config), output, as_json=json)
        return
    _refuse_idle(source, settings)
    pairs = list(_pairs(input, source, config))
    further = [] if corpus is None else list(_corpus(corpus, config))
    mining = _mined(model, pairs, further, reranker, settings, answering)
    _write_mined(mining, settings, output, as_json=json)


def _refuse_idle(source: PairsConfig, settings: MiningConfig) -> None:
    """Settings of another source of pairs, or of another way to choose."""
    lengths = {"min_words", "max_words"} & source.model_fields_set
    if source.pairs == "columns" and lengths:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(lengths))
        raise UsageError(
            f"{named}: without effect on pairs that stand in columns; expected --pairs title-body "
            "or paragraphs."
        )
    if settings.sampling == "top" and "seed" in settings.model_fields_set:
        raise UsageError("--seed: without effect on the hardest; expected --sampling random.")


def _refuse_without_model(
    source: PairsConfig, settings: MiningConfig, corpus: Path | None, reranker: str | None
) -> None:
    idle = flags_of(settings)
    if corpus is not None or reranker is not None or idle:
        flags = ["--corpus"] * (corpus is not None) + ["--reranker"] * (reranker is not None)
        raise UsageError(
            f"{', '.join([*flags, *([idle] if idle else [])])}: is for negatives, which are found "
            "by a model; name one first."
        )
    if source.pairs == "columns":
        raise UsageError(
            "mine: expected a model that finds negatives for pairs, or --pairs title-body or "
            "paragraphs to make pairs out of a corpus."
        )


def _pairs(file: Path, source: PairsConfig, config: LabelledConfig) -> Iterator[Pair]:
    """The pairs of a file, or those that its structure gives.

    Raises:
        DataError: None at all, or a file that cannot be read.
    """
    from unmask.data.rejects import Rejects

    rejects = Rejects(config.max_reject_rate, setting="--data.max-reject-rate")
    is_empty = True
    for pair in _found_pairs(file, source, config, rejects):
        is_empty = False
        yield pair
    rejects.warn_of_first(file)
    if is_empty:
        raise DataError(
            f"{file}: gives no pair by --pairs {source.pairs}; expected two texts that belong "
            f"together, of at least --min-words {source.min_words} words."
        )


def _found_pairs(
    file: Path, source: PairsConfig, config: LabelledConfig, rejects: Rejects
) -> Iterator[Pair]:
    from unmask.data.config import ReaderConfig
    from unmask.data.corpus import read
    from unmask.data.labelled.reading import read_sentences
    from unmask.search.config import ReadingConfig
    from unmask.search.reading import read_documents
    from unmask.search.structure import paragraph_pairs, title_pairs

    if source.pairs == "title-body":
        yield from title_pairs(read_documents(file, ReadingConfig(), rejects), source)
    elif source.pairs == "paragraphs":
        yield from paragraph_pairs(read([file], ReaderConfig(), rejects), source)
    else:
        unlabelled = config.model_copy(update={"labels": "none"})
        for example in read_sentences(file, unlabelled, rejects):
            if len(example.texts) < 2:
                raise DataError(
                    f"{example.place}: one text; expected an anchor and its positive, in columns "
                    "that are named so or by --data.columns.texts. Pairs out of a corpus are made "
                    "by --pairs."
                )
            yield example.texts[0], example.texts[1]


def _corpus(file: Path, config: LabelledConfig) -> Iterator[str]:
    from unmask.data.rejects import Rejects
    from unmask.search.chunking import with_title
    from unmask.search.config import ReadingConfig
    from unmask.search.reading import read_documents

    rejects = Rejects(config.max_reject_rate, setting="--data.max-reject-rate")
    for document in read_documents(file, ReadingConfig(), rejects):
        yield with_title(document.title, document.text)
    rejects.warn_of_first(file)


def _mined(
    model: str,
    pairs: list[Pair],
    corpus: list[str],
    reranker: str | None,
    settings: MiningConfig,
    answering: AnsweringConfig,
) -> Mining:
    from unmask.infer.engine import load
    from unmask.infer.progress import telling
    from unmask.search.mine import mine as mined

    judge = None
    if reranker is not None:
        judge = load(reranker, precision=answering.precision).reranker()
    embedder = load(model, precision=answering.precision).embedder()
    with telling("encoding") as told:
        return mined(pairs, replace(embedder, told=told), settings, corpus, judge)


def _write_pairs(pairs: Iterator[Pair], output: Path, *, as_json: bool) -> None:
    from unmask.search.row_files import write_rows
    from unmask.terminal import show

    rows = ({"anchor": anchor, "positive": positive} for anchor, positive in pairs)
    figures = {"output": str(output), "pairs": write_rows(output, rows)}
    show(figures, [(name, str(value)) for name, value in figures.items()], as_json=as_json)


def _write_mined(mining: Mining, settings: MiningConfig, output: Path, *, as_json: bool) -> None:
    from unmask.search.mined_rows import rows
    from unmask.search.row_files import write_rows
    from unmask.terminal import figure, show

    total = write_rows(output, rows(mining.found, settings))
    few = sum(len(one.negatives) < settings.num_negatives for one in mining.found)
    figures: dict[str, Any] = {
        "output": str(output),
        "anchors": len(mining.found),
        "rows": total,
        "anchors_with_fewer_negatives": few,
        "mean_positive_score": fmean(s for one in mining.found for s in one.positive_scores),
        "mean_negative_score": fmean(s for one in mining.found for s in one.negative_scores),
        "left_out": mining.left_out,
    }
    told = [
        (name.replace("_", " "), figure(value) if isinstance(value, float) else str(value))
        for name, value in figures.items()
        if name != "left_out"
    ]
    told += [(f"  {reason}", f"{count:,} candidates") for reason, count in mining.left_out.items()]
    show(figures, told, as_json=as_json)
