"""`unmask predict`: a fine-tuned model's answers about texts."""

from __future__ import annotations

import json as json_format
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from unmask.cli.flags import AsJson
from unmask.data.labelled.config import Columns
from unmask.errors import UsageError


def predict(
    model: str,
    /,
    *text: str,
    input: Path | None = None,
    column: Annotated[Columns | None, Parameter(name="column")] = None,
    max_reject_rate: float = 0.001,
    json: AsJson = False,
) -> None:
    """Answers about texts: their labels, their words' tags, or the answers to questions.

    Parameters
    ----------
    model
        A model or run folder, or a hub id.
    text
        Texts, each answered about by itself; for question answering a question and a context.
    input
        A file instead: .txt is one text a line; .jsonl, .csv, .tsv and .parquet have columns
        `text`, `text_pair`, `question`, `context`, `choices`; CoNLL files have words.
    max_reject_rate
        The run stops if more than this share of the records cannot be read.
    """
    from unmask.checkpoint import native
    from unmask.data.rejects import Rejects
    from unmask.infer.asking import answers, example_of, task_of
    from unmask.infer.files import examples_of

    if bool(text) == (input is not None):
        raise UsageError("predict: give texts, or a file by --input; expected one of the two.")
    bundle = native.load(model)
    rejects = Rejects(max_reject_rate, setting="--max-reject-rate")
    if input is not None:
        named: Iterator[tuple[str, Any]] = examples_of(bundle, input, column or Columns(), rejects)
    else:
        asked = [tuple(text)] if task_of(bundle).name == "qa" else list(text)
        named = ((str(i), example_of(bundle, i, one)) for i, one in enumerate(asked, 1))
    names: deque[str] = deque()  # of what is read ahead

    def examples() -> Iterator[Any]:
        for name, example in named:
            names.append(name)
            yield example

    for answer in answers(bundle, examples()):
        name = names.popleft()
        if json:
            print(json_format.dumps({"id": name, **answer}, ensure_ascii=False))
        else:
            print(f"{name:>6}  {_shown(answer)}")
    rejects.check()


def _shown(answer: dict[str, Any]) -> str:
    """One line for people."""
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
    if "value" in answer:
        return f"{answer['value']:.4f}"
    return f"{answer['score']:.4f}  {answer['label']}"
