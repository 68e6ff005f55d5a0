"""What a pretraining run came to: published with its card, its scores and its curve."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.history import SCORES
from unmask.checkpoint.runs import GENERATOR_FOLDER
from unmask.errors import writing
from unmask.recipe.card import model_card
from unmask.recipe.config import Pretrain
from unmask.recipe.keeper import RunKeeper
from unmask.recipe.material import HeldOut
from unmask.recipe.telling import HELD_OUT_RATE, training_rates, warning_of
from unmask.tasks.masked_lm import MaskedLM
from unmask.tasks.replaced_token import GeneratorAndDiscriminator
from unmask.train import curve
from unmask.train.distributed import World
from unmask.train.log import METRICS_FILE, read_metrics

CURVE_FILE = "loss.png"


@dataclass(frozen=True)
class Result:
    """What a pretraining run came to."""

    folder: Path
    """The trained model, in Hugging Face's layout."""
    scores: dict[str, float]
    """Held-out `mlm_loss` in nats, `mlm_accuracy`, `mlm_pseudo_perplexity`, and NSP's."""
    unigram_entropy: float
    """Entropy in nats of the training corpus' tokens: about the loss of guessing by frequency."""
    unigram_accuracy: float
    """Share of held-out tokens that are the training corpus' most frequent token."""
    curve: Path
    """The loss curve as PNG."""
    sketch: str
    """The loss curve in characters."""

    def figures(self) -> dict[str, float]:
        """Held-out scores beside what the training corpus' token frequencies alone would give."""
        return {
            **self.scores,
            "corpus_unigram_entropy": self.unigram_entropy,
            "corpus_unigram_accuracy": self.unigram_accuracy,
        }

    @property
    def warning(self) -> str | None:
        """That the model has learned nothing, where guessing by frequency would be better."""
        return warning_of(self.scores, self.unigram_entropy)


def conclude(
    keeper: RunKeeper,
    recipe: Pretrain,
    bundle: Bundle,
    scores: dict[str, float],
    held_out: HeldOut,
    here: World,
) -> Result:
    """Writes the model folder with its card, scores and curve."""
    run, entropy = keeper.run, held_out.unigram_entropy
    rates = (*training_rates(recipe), HELD_OUT_RATE)

    def add(folder: Path) -> None:
        (folder / CURVE_FILE).write_bytes((run / CURVE_FILE).read_bytes())
        card = model_card(recipe, bundle, scores, entropy, CURVE_FILE)
        (folder / "README.md").write_text(card, encoding="utf-8")
        (folder / SCORES).write_text(_as_json(scores, held_out), encoding="utf-8")

    def publish() -> None:
        metrics = read_metrics(run / METRICS_FILE)
        with writing(run / CURVE_FILE):
            curve.draw(metrics, entropy, run / CURVE_FILE, rates=rates)
        keeper.publish(bundle, add)
        if isinstance(bundle.model, GeneratorAndDiscriminator):
            _publish_generator(run, recipe, bundle, bundle.model)

    here.first(publish)
    return Result(
        folder=run / native.MODEL_FOLDER,
        scores=scores,
        unigram_entropy=entropy,
        unigram_accuracy=held_out.unigram_accuracy,
        curve=run / CURVE_FILE,
        sketch=curve.sketch(read_metrics(run / METRICS_FILE), entropy, rates=rates),
    )


def _publish_generator(
    run: Path, recipe: Pretrain, bundle: Bundle, model: GeneratorAndDiscriminator
) -> None:
    """Beside the discriminator, a masked language model in its own right."""
    config = recipe.generator_config(bundle.config)
    generator = replace(bundle, model=model.generator, task=MaskedLM(), config=config)
    native.save(generator, run / GENERATOR_FOLDER)


def _as_json(scores: dict[str, float], held_out: HeldOut) -> str:
    """What `unmask doctor` judges a model by; JSON has no word for NaN and infinity."""
    finite = {name: value if math.isfinite(value) else None for name, value in scores.items()}
    document = {
        "validation": finite,
        "corpus_unigram_entropy": held_out.unigram_entropy,
        "corpus_unigram_accuracy": held_out.unigram_accuracy,
    }
    return json.dumps(document, indent=2) + "\n"
