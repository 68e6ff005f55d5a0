"""`unmask predict`: a fine-tuned model's answers about texts."""

from __future__ import annotations

import json as json_format
import logging
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from pydantic import BaseModel

from unmask.cli.flags import AsJson, flags_of
from unmask.cli.texts import STANDARD_INPUT, each_numbered
from unmask.data.labelled.config import Columns, LabelledConfig
from unmask.errors import UsageError
from unmask.infer.config import AnsweringConfig, ZeroShotConfig

if TYPE_CHECKING:
    from unmask.checkpoint.bundle import Bundle
    from unmask.data.rejects import Rejects

logger = logging.getLogger(__name__)

_FOR_LABELS = {
    "labels", "label_separator", "class_names", "label_range", "no_label", "tree_labels",
}  # fmt: skip
"""Settings that say what a label is."""

Named = Iterator[tuple[str, Any]]
"""What is asked about, each with its name."""


def predict(
    model: str,
    /,
    *text: str,
    input: Path | None = None,
    column: Annotated[Columns | None, Parameter(name="column")] = None,
    data: Annotated[LabelledConfig | None, Parameter(name="data")] = None,
    max_reject_rate: float | None = None,
    candidate_labels: str | None = None,
    zero_shot: Annotated[ZeroShotConfig | None, Parameter(name="*")] = None,
    answering: Annotated[AnsweringConfig, Parameter(name="*")] = AnsweringConfig(),
    json: AsJson = False,
) -> None:
    """Answers about texts: their labels, their words' tags, or the answers to questions.

    Parameters
    ----------
    model
        A model or run folder, or a hub id.
    text
        Texts, each answered about by itself; for question answering a question and a context.
        Without any, or by -, they are read from standard input, one per line.
    input
        A file instead: .txt is one text per line (unless --data.format says otherwise); .jsonl,
        .csv, .tsv and .parquet have columns `text`, `text_pair`, `question`, `context`, `choices`;
        for tagging, files of words are read as in training.
    column
        Short for --data.columns.
    max_reject_rate
        Short for --data.max-reject-rate.
    candidate_labels
        Labels that the model was not trained on, with commas between them: zero-shot
        classification, by a model that was fine-tuned on natural language inference.
    """
    from unmask.data.rejects import Rejects
    from unmask.infer.engine import load

    _refuse_both(text, input, {"column.": column, "data.": data})
    _refuse_without_labels(candidate_labels, zero_shot)
    config = _reading(data or LabelledConfig(), column, max_reject_rate)
    if candidate_labels is not None:
        config = config.model_copy(update={"columns": _of_one_text(config.columns)})
    texts = each_numbered(text, "A quiet, lovely film.") if input is None else iter(())
    bundle = load(model, precision=answering.precision).bundle
    rejects = Rejects(config.max_reject_rate, setting="--data.max-reject-rate")
    if input is None:
        asked = _texts(bundle, texts, alone=candidate_labels is not None)
    else:
        asked = _records(bundle, input, config, rejects)
    for name, answer in _answers(bundle, asked, candidate_labels, zero_shot or ZeroShotConfig()):
        print(_as_json(name, answer) if json else f"{name:>6}  {_shown(answer)}")
    rejects.check()
    if input is not None:
        rejects.warn_of_first(input)


def _refuse_both(
    text: tuple[str, ...], input: Path | None, tables: dict[str, BaseModel | None]
) -> None:
    """Texts come as arguments, by lines, or in a file, which alone is read by settings."""
    if text and input is not None:
        raise UsageError("predict: give texts, or a file by --input; expected one of the two.")
    if input is not None and str(input) in ("-", STANDARD_INPUT):
        raise UsageError(
            "--input -: is for files. Leave it out, and lines of text are read from standard input."
        )
    for table, settings in tables.items():
        if input is None and settings is not None:
            raise UsageError(
                f"{flags_of(settings, table)}: for files only, so give one by --input."
            )


def _refuse_without_labels(candidate_labels: str | None, zero_shot: ZeroShotConfig | None) -> None:
    if candidate_labels is None and zero_shot is not None:
        raise UsageError(f"{flags_of(zero_shot)}: expected together with --candidate-labels.")


def _reading(
    data: LabelledConfig, column: Columns | None, max_reject_rate: float | None
) -> LabelledConfig:
    """How a file is read; what has a short flag may be given by either.

    Raises:
        UsageError: It is given by both.
    """
    idle = data.model_fields_set & _FOR_LABELS
    if idle:
        flags = ", ".join(f"--data.{name.replace('_', '-')}" for name in sorted(idle))
        logger.warning("%s: without effect, for predict looks at no labels.", flags)
    written = {} if column is None else column.model_dump(exclude_unset=True)
    if twice := written.keys() & data.columns.model_fields_set:
        name = min(twice).replace("_", "-")
        raise UsageError(f"--column.{name}, --data.columns.{name}: the same setting; give one.")
    config = data.model_copy(update={"columns": data.columns.model_copy(update=written)})
    if max_reject_rate is None:
        return config
    if "max_reject_rate" in data.model_fields_set:
        raise UsageError("--max-reject-rate, --data.max-reject-rate: the same setting; give one.")
    return config.model_copy(update={"max_reject_rate": max_reject_rate})


def _of_one_text(columns: Columns) -> Columns:
    """Also of a table of pairs only the first text is read."""
    if columns.text_pair is not None:
        raise UsageError("--column.text-pair: --candidate-labels are for one text, not for pairs.")
    return columns.model_copy(update={"text_pair": ""})


def _texts(bundle: Bundle, texts: Iterator[tuple[int, str]], *, alone: bool) -> Named:
    """Each text, or each two where the model reads pairs, unless each is asked about `alone`."""
    from unmask.infer.asking import example_of, parts_of

    parts = parts_of(bundle)
    asked: Iterable[tuple[int, Any]] = texts
    if len(parts) == 2 and not alone:
        asked = _pairs(bundle, parts, texts)
    for number, one in asked:
        yield str(number), example_of(bundle, number, one)


def _pairs(
    bundle: Bundle, parts: tuple[str, ...], texts: Iterator[tuple[int, str]]
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Two arguments are one pair; a text with a tab in it is a pair by itself."""
    first: list[str] = []
    for number, text in texts:
        if "\t" in text and not first:
            yield number, tuple(text.split("\t", 1))
            continue
        first.append(text)
        if len(first) == 2:
            break
    rest = [text for _, text in texts]
    if len(first) == 2 and not rest:
        yield 1, tuple(first)
    elif first:
        raise UsageError(
            f"{bundle.name}: reads two texts, {' and '.join(parts)}; found "
            f"{len(first) + len(rest)}. Give the two, lines with a tab between them, or a file by "
            "--input."
        )


def _records(bundle: Bundle, file: Path, config: LabelledConfig, rejects: Rejects) -> Named:
    from unmask.infer.files import examples_of

    return examples_of(bundle, file, config, rejects)


def _answers(bundle: Bundle, asked: Named, labels: str | None, config: ZeroShotConfig) -> Named:
    """Each answer, by the name of what was asked about; many may be read ahead."""
    from unmask.infer.asking import answers
    from unmask.infer.zero_shot import zero_shot

    names: deque[str] = deque()

    def examples() -> Iterator[Any]:
        for name, example in asked:
            names.append(name)
            yield example

    if labels is not None:
        found = zero_shot(bundle, (one.text for one in examples()), labels, config)
    else:
        found = answers(bundle, examples())
    for answer in found:
        yield names.popleft(), answer


def _as_json(name: str, answer: dict[str, Any]) -> str:
    return json_format.dumps({"id": name, **answer}, ensure_ascii=False)


def _shown(answer: dict[str, Any]) -> str:
    """One line for people."""
    if "sequence" in answer:
        pairs = zip(answer["labels"], answer["scores"], strict=True)
        return ", ".join(f"{label} {score:.4f}" for label, score in pairs)
    if "entities" in answer:
        found = [f"{e['word']} [{e.get('entity_group') or e.get('entity')} {e['score']:.3f}]"
                 for e in answer["entities"]]  # fmt: skip
        return ", ".join(found) or "(nothing found)"
    if "answer" in answer:
        return f"{answer['score']:.4f}  {answer['answer'] or '(no answer)'}"
    if "labels" in answer:
        return ", ".join(f"{name} {answer['scores'][name]:.4f}" for name in answer["labels"]) or (
            "(no label)"
        )
    if "ranking" in answer:
        return ", ".join(f"{one['corpus_id']} {one['score']:.4f}" for one in answer["ranking"])
    if "value" in answer:
        return f"{answer['value']:.4f}"
    return f"{answer['score']:.4f}  {answer.get('label', '')}".rstrip()
