"""Verbs that ask a model, or measure it."""

from __future__ import annotations

import json as json_format
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from unmask.cli.flags import AsJson
from unmask.errors import UsageError
from unmask.infer.config import FillConfig
from unmask.recipe.config import Evaluate


def fill(
    model: str,
    /,
    *text: str,
    settings: Annotated[FillConfig, Parameter(name="*")] = FillConfig(),
    json: AsJson = False,
) -> None:
    """Fills in the blanks of a text.

    Parameters
    ----------
    model
        A model or run folder, or a hub id.
    text
        Texts with one or more [MASK].
    """
    from unmask.infer.engine import load

    _require(text)
    engine = load(model)
    answers = engine.predict(list(text), settings.top_k, settings.candidates)
    for answer in answers:
        if json:
            print(json_format.dumps(answer, ensure_ascii=False))
            continue
        for guesses in answer:
            for guess in guesses if isinstance(guesses, list) else [guesses]:
                print(f"{guess['score']:7.4f}  {guess['token_str']:<16}  {guess['sequence']}")


def score(model: str, /, *text: str, json: AsJson = False) -> None:
    """Scores whole sentences by pseudo-log-likelihood; higher is more natural.

    Parameters
    ----------
    model
        A model or run folder, or a hub id.
    text
        Sentences, each of which is scored by itself.
    """
    from unmask.infer.engine import load
    from unmask.text.normalise import replace_surrogates

    _require(text)
    for scored in load(model).score(list(text)):
        if json:
            print(json_format.dumps(_finite(asdict(scored))))
        else:
            print(
                f"{scored.pseudo_log_likelihood:9.3f}  "
                f"perplexity {scored.pseudo_perplexity:10.2f}  {replace_surrogates(scored.text)}"
            )


def evaluate(
    model: str,
    data: Path,
    /,
    *,
    settings: Annotated[Evaluate, Parameter(name="*")] = Evaluate(),
    json: AsJson = False,
) -> None:
    """Measures a masked language model on text that it was not trained on.

    Parameters
    ----------
    model
        A model or run folder, or a hub id.
    data
        A corpus folder, or a file, a folder or a glob of text.
    """
    from unmask.recipe.evaluate import evaluate as measured
    from unmask.terminal import show

    figures = measured(model, data, settings)
    rows = [(name, f"{value:,.4f}".rstrip("0").rstrip(".")) for name, value in figures.items()]
    show(figures, rows, as_json=json)


def _finite(document: dict[str, Any]) -> dict[str, Any]:
    """JSON has no word for infinity, which the perplexity of a very unlikely text may be."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in document.items()
    }


def _require(text: tuple[str, ...]) -> None:
    if not text:
        raise UsageError('no text was given; write it in quotes: "The [MASK] barked."')
