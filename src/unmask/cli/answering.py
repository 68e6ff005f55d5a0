"""Verbs that ask a model, or measure it."""

from __future__ import annotations

import json as json_format
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unmask.cli.flags import AsJson, flags_of
from unmask.cli.texts import texts_of
from unmask.data.labelled.config import LabelledConfig
from unmask.errors import UsageError, writing
from unmask.infer.config import AnsweringConfig, FillConfig
from unmask.recipe.config import Evaluate, EvaluateRetrieval, EvaluateSentences

if TYPE_CHECKING:
    from unmask.checkpoint.bundle import Bundle
    from unmask.infer.engine import Engine
    from unmask.infer.fill import Answer


def fill(
    model: str,
    /,
    *text: str,
    settings: Annotated[FillConfig, Parameter(name="*")] = FillConfig(),
    answering: Annotated[AnsweringConfig, Parameter(name="*")] = AnsweringConfig(),
    json: AsJson = False,
) -> None:
    """Fills in the blanks of a text.

    Parameters
    ----------
    model
        A model or run folder, or a hub id.
    text
        Texts with one or more [MASK]; without any, or by -, they are read from standard input, one
        per line.
    """
    from unmask.infer.engine import load
    from unmask.infer.inputs import require_masked_lm

    texts = texts_of(text, "The [MASK] barked.")
    engine = load(model, precision=answering.precision)
    require_masked_lm(engine.bundle)  # a fine-tuned model would answer otherwise
    for asked, answer in zip(
        texts, engine.predict(texts, settings.top_k, settings.candidates), strict=True
    ):
        if json:
            print(json_format.dumps(answer, ensure_ascii=False))
        else:
            _show(asked, answer, engine, is_alone=len(texts) == 1)


def score(
    model: str,
    /,
    *text: str,
    answering: Annotated[AnsweringConfig, Parameter(name="*")] = AnsweringConfig(),
    json: AsJson = False,
) -> None:
    """Scores whole sentences by pseudo-log-likelihood; higher is more natural.

    Parameters
    ----------
    model
        A model or run folder, or a hub id.
    text
        Sentences, each of which is scored by itself; without any, or by -, they are read from
        standard input, one per line.
    """
    from unmask.infer.engine import load
    from unmask.terminal import figure
    from unmask.text.normalise import replace_surrogates

    texts = texts_of(text, "The dog barked.")
    for scored in load(model, precision=answering.precision).score(texts):
        if json:
            print(json_format.dumps(_finite(asdict(scored))))
        else:
            print(
                f"{scored.pseudo_log_likelihood:9.3f}  "
                f"perplexity {figure(scored.pseudo_perplexity, 2):>10}  "
                f"{replace_surrogates(scored.text)}"
            )


def evaluate(
    model: str,
    data: Path | None = None,
    /,
    *,
    settings: Annotated[Evaluate, Parameter(name="*")] = Evaluate(),
    labelled: Annotated[LabelledConfig | None, Parameter(name="data")] = None,
    retrieval: Annotated[EvaluateRetrieval | None, Parameter(name="retrieval")] = None,
    sentences: Annotated[EvaluateSentences | None, Parameter(name="sentences")] = None,
    answering: Annotated[AnsweringConfig, Parameter(name="*")] = AnsweringConfig(),
    predictions: Path | None = None,
    json: AsJson = False,
) -> None:
    """Measures a model on data that it was not trained on.

    A fine-tuned model is measured on labelled examples, by its task's scores with 95 % bootstrap
    intervals; a sentence encoder on pairs (with scores, with 0 and 1, with positives, or with
    translations), on texts with classes (by clusters), or on a folder in BEIR's layout; a
    pretrained model on text, by masked language modelling.

    Parameters
    ----------
    model
        A model or run folder, or a hub id; with --retrieval.from-run the folder of a test
        collection instead, and nothing behind it.
    data
        A file of labelled examples; for a sentence encoder also the folder of a test collection;
        for a pretrained model a corpus folder, or text.
    predictions
        For question answering: a file to write each question's answer to by its id, as SQuAD's
        official script reads it.
    """
    from unmask.cli.outcome import show_assessment
    from unmask.infer.asking import is_fine_tuned, task_of
    from unmask.infer.engine import load
    from unmask.recipe.assess import assess
    from unmask.recipe.evaluate import evaluate as measured
    from unmask.terminal import figure, show

    if retrieval is not None and retrieval.from_run is not None:
        from unmask.recipe.assess_sentences import assess_run

        if data is not None:
            raise UsageError(
                "--retrieval.from-run: needs no model; expected `unmask evaluate FOLDER "
                "--retrieval.from-run FILE`."
            )
        show_assessment(assess_run(Path(model), retrieval.from_run, retrieval), as_json=json)
        return
    if data is None:
        raise UsageError("evaluate: expected a model and the data to measure it on.")
    bundle = load(model, precision=answering.precision).bundle
    is_searched = _has_sentences(bundle) and data.is_dir()
    if retrieval is not None and not is_searched:
        raise UsageError(
            "--retrieval.*: is for a sentence encoder and the folder of a test collection."
        )
    if sentences is not None and (is_searched or not _has_sentences(bundle)):
        raise UsageError("--sentences.*: is for a sentence encoder and a file of examples.")
    if is_searched:
        from unmask.recipe.assess_sentences import assess_retrieval

        found = assess_retrieval(bundle, data, retrieval or EvaluateRetrieval())
        show_assessment(found, as_json=json)
        return
    fine_tuned = is_fine_tuned(bundle) or _has_sentences(bundle)
    _refuse_settings_of_the_other(settings, labelled, fine_tuned=fine_tuned)
    if predictions is not None and (not is_fine_tuned(bundle) or task_of(bundle).name != "qa"):
        raise UsageError(
            "--predictions: is for question answering; `unmask predict --json` writes the answers "
            "of other models."
        )
    if fine_tuned:
        assessment = assess(bundle, data, labelled or LabelledConfig(), sentences)
        if predictions is not None:
            _keep(assessment.predictions, predictions)
        show_assessment(assessment, as_json=json)
        return
    figures = measured(bundle, data, settings)
    rows = [
        (name, f"{value:,}" if isinstance(value, int) else figure(value))
        for name, value in figures.items()
    ]
    show(figures, rows, as_json=json)


def _has_sentences(bundle: Bundle) -> bool:
    from unmask.tasks.sentence import SentenceEmbedding

    return isinstance(bundle.task, SentenceEmbedding)


def _refuse_settings_of_the_other(
    settings: Evaluate, labelled: LabelledConfig | None, *, fine_tuned: bool
) -> None:
    if fine_tuned and settings.model_fields_set:
        raise UsageError(
            f"{flags_of(settings)}: for plain text only, but this model was fine-tuned."
        )
    if not fine_tuned and labelled is not None:
        raise UsageError(
            "--data.*: is for labelled examples, but this model was not fine-tuned: it is measured "
            "on plain text."
        )


def _keep(predictions: dict[str, str] | None, file: Path) -> None:
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        text = json_format.dumps(predictions, ensure_ascii=False, indent=1)
        file.write_text(f"{text}\n", encoding="utf-8")


def _finite(document: dict[str, Any]) -> dict[str, Any]:
    """JSON has no word for infinity, which the perplexity of a very unlikely text may be."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in document.items()
    }


def _show(text: str, answer: Answer, engine: Engine, *, is_alone: bool) -> None:
    """The guesses for each blank, under the text where there are several of either."""
    blanks = [guesses for guesses in answer if isinstance(guesses, list)]
    if not is_alone or blanks:
        print(text)
    if not blanks:
        _show_guesses(answer, engine)
    for number, guesses in enumerate(blanks, 1):
        print(f"  blank {number} of {len(blanks)}, the others left open")
        _show_guesses(guesses, engine)


def _show_guesses(guesses: Answer, engine: Engine) -> None:
    special = engine.bundle.require_tokenizer().special_tokens
    for guess in guesses:
        assert not isinstance(guess, list)
        filled = guess["sequence"].removeprefix(special.cls).removesuffix(special.sep).strip()
        print(f"{guess['score']:7.4f}  {guess['token_str']:<16}  {filled}")
