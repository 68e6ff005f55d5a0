"""Verbs that look at what is there."""

from __future__ import annotations

import json as json_format
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from unmask.cli.flags import AsJson
from unmask.data.labelled.config import LabelledConfig
from unmask.errors import DataError, UsageError
from unmask.tasks.config import TaskName

if TYPE_CHECKING:
    from unmask.data.finding import Finding

_SHORT = {
    "num_hidden_layers": "layers",
    "hidden_size": "hidden",
    "num_attention_heads": "heads",
    "intermediate_size": "feed-forward",
    "encoder_parameters": "encoder",
    "pretraining_parameters": "with MLM and NSP",
}
"""Headings that leave room for the numbers."""
_DOCTOR_TAKES = (
    "doctor takes a corpus, which `unmask corpus TEXT --tokenizer DIR --output DIR` makes, or a "
    "model or run folder; with --task NAME a file of labelled examples"
)


def inspect(model: str | None = None, /, *, json: AsJson = False) -> None:
    """Says what a model is: family, sizes, parameters, tokenizer, heads, how it was made.

    Parameters
    ----------
    model
        A model or run folder, or a hub id; without one, a table of the presets' sizes. --json
        prints all settings and numbers.
    """
    from unmask.checkpoint.describe import describe, presets
    from unmask.cli.summary import summary
    from unmask.terminal import show, show_table

    if model is not None:
        described = describe(model)
        show(described, summary(described), as_json=json)
        return
    sizes = presets()
    if json:
        print(json_format.dumps(sizes))
        return
    rows = [[name, *(f"{number:,}" for number in of.values())] for name, of in sizes.items()]
    show_table(["preset", *(_SHORT[name] for name in sizes["base"])], rows)


def doctor(
    folder: Path,
    /,
    *others: Path,
    task: TaskName | None = None,
    model: str | None = None,
    data: Annotated[LabelledConfig | None, Parameter(name="data")] = None,
    json: AsJson = False,
) -> None:
    """Names what is wrong or unwise in a corpus, a model or labelled examples, and how to mend it.

    The exit code is 3 where one of the findings is an error.

    Parameters
    ----------
    folder
        A corpus or model folder; with --task a file of labelled examples to train on.
    others
        With --task, files to validate or test on, which must not repeat examples to train on.
    task
        What the examples are for.
    model
        The model that is to read them: are they too long for it, and does it know their words?
    """
    if task is not None:
        from unmask.recipe.examples import examined

        findings = examined(task, folder, others, data or LabelledConfig(), model)
    elif others or model is not None or data is not None:
        raise UsageError("doctor: several files, --model and --data.* are for --task.")
    else:
        findings = _examined(folder)
    if json:
        print(json_format.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    elif not findings:
        print(f"{folder}: nothing to complain about")
    else:
        for finding in findings:
            advice = "Hint" if finding.severity == "note" else "Fix"
            print(f"{finding.severity}: {finding.what}\n    {finding.why}")
            print(f"    {advice}: {finding.fix}")
    if any(finding.severity == "error" for finding in findings):
        sys.exit(3)


def _examined(folder: Path) -> list[Finding]:
    from unmask.data.manifest import is_corpus

    if is_corpus(folder):
        from unmask.data.doctor import examine_corpus

        return examine_corpus(folder)
    _refuse_raw_material(folder)
    from unmask.checkpoint.doctor import examine_model

    return examine_model(folder)


def _refuse_raw_material(folder: Path) -> None:
    """Says what text or a tokenizer is; anything else may be a model, if a broken one."""
    from unmask.data.sources import find

    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    models = ("config", "model", "checkpoint-", "pytorch_model", "metrics.jsonl")
    if any(name.startswith(models) for name in names):
        return
    if names & {"tokenizer.json", "vocab.txt", "vocab.json"}:
        raise UsageError(f"{folder}: is a tokenizer; {_DOCTOR_TAKES}.")
    try:
        sources, _ = find([folder])
    except DataError:
        if folder.is_file():
            raise UsageError(f"{folder}: is a file; {_DOCTOR_TAKES}.") from None
        return
    what = "a file of text" if folder.is_file() else f"text ({len(sources)} files)"
    raise UsageError(f"{folder}: is {what}; {_DOCTOR_TAKES}.")
