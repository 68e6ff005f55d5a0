"""Verbs that look at what is there."""

from __future__ import annotations

import json as json_format
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from unmask.cli.flags import AsJson

_SHORT = {
    "num_hidden_layers": "layers",
    "hidden_size": "hidden",
    "num_attention_heads": "heads",
    "intermediate_size": "feed-forward",
    "encoder_parameters": "encoder",
    "pretraining_parameters": "with MLM and NSP",
}
"""Headings that leave room for the numbers."""


def inspect(model: str | None = None, /, *, json: AsJson = False) -> None:
    """Says what a model is: family, sizes, parameters, tokenizer, heads, how it was made.

    Parameters
    ----------
    model
        A model or run folder, or a hub id; without it, the table of the presets' sizes.
    """
    from unmask.checkpoint.describe import describe, presets
    from unmask.terminal import show, show_table

    if model is not None:
        described = describe(model)
        show(described, list(_rows(described).items()), as_json=json)
        return
    sizes = presets()
    if json:
        print(json_format.dumps(sizes))
        return
    rows = [[name, *(f"{number:,}" for number in of.values())] for name, of in sizes.items()]
    show_table(["preset", *(_SHORT[name] for name in sizes["base"])], rows)


def _rows(described: dict[str, Any], prefix: str = "") -> dict[str, str]:
    rows: dict[str, str] = {}
    for name, value in described.items():
        if isinstance(value, dict):
            rows |= _rows(value, f"{prefix}{name}.")
        else:
            rows[f"{prefix}{name}"] = f"{value:,}" if type(value) is int else str(value)
    return rows


def doctor(folder: Path, /, *, json: AsJson = False) -> None:
    """Names what is wrong or unwise about a corpus or a model, each with its fix.

    The exit code is 3 where one of the findings is an error.

    Parameters
    ----------
    folder
        A corpus or model folder.
    """
    from unmask.data.manifest import is_corpus

    if is_corpus(folder):
        from unmask.data.doctor import examine_corpus

        findings = examine_corpus(folder)
    else:
        from unmask.checkpoint.doctor import examine_model

        findings = examine_model(folder)
    for finding in findings:
        if json:
            print(json_format.dumps(asdict(finding), ensure_ascii=False))
        else:
            print(f"{finding.severity}: {finding.what}\n    {finding.why}\n    Fix: {finding.fix}")
    if not findings and not json:
        print(f"{folder}: nothing to complain about")
    if any(finding.severity == "error" for finding in findings):
        sys.exit(3)
