"""The model card: what a model is, how it was made and how well it does."""

from __future__ import annotations

from unmask.checkpoint.bundle import Bundle
from unmask.recipe.config import Pretrain
from unmask.recipe.telling import HELD_OUT_RATE, warning_of
from unmask.train.log import shown
from unmask.train.schedule import DEFAULT_STEPS


def model_card(
    recipe: Pretrain,
    bundle: Bundle,
    scores: dict[str, float],
    unigram_entropy: float,
    curve: str,
) -> str:
    """Markdown with the front matter that model hubs read."""
    size = sum(parameter.numel() for parameter in bundle.model.parameters())
    rows = [f"| {name} | {shown(value, 4)} |" for name, value in scores.items()]
    warning = warning_of(scores["mlm_loss"], unigram_entropy)
    failed = [] if warning is None else ["", f"**{warning}**"]
    made = "" if bundle.folder else f"{recipe.preset} "
    train = recipe.train
    pairs = " with next sentence prediction" if recipe.next_sentence else ""
    steps = f"{train.steps or DEFAULT_STEPS} steps"
    budget = f"{train.minutes} minutes" if train.minutes else steps
    return "\n".join(
        [
            "---",
            "library_name: transformers",
            "pipeline_tag: fill-mask",
            "tags: [unmask, bert, masked-language-model]",
            "---",
            "",
            f"# A {made}BERT of {size / 1e6:.1f}M parameters",
            "",
            "It fills in `[MASK]` and is meant to be fine-tuned. It does not generate text, and "
            "its raw `[CLS]` vector is no sentence embedding.",
            "",
            f"Pretrained by masked language modelling ({100 * recipe.masking.rate:g} % of the "
            f"tokens, by {recipe.masking.unit}){pairs}, "
            f"{budget}, {train.batch_size} sequences of up to {train.sequence_length} tokens per "
            f"step, {recipe.optim.name}. The whole recipe is in `unmask.json`.",
            "",
            "## Held-out figures",
            "",
            f"Measured on {train.validation_sequences} or fewer held-out sequences, always under "
            f"the same masks of {100 * HELD_OUT_RATE:g} % of the tokens. Guessing by frequency "
            f"alone, the unigram entropy of the training corpus, costs {unigram_entropy:.4f} "
            f"nats.",
            *failed,
            "",
            "| measure | value |",
            "|---|---|",
            *rows,
            "",
            f"![loss]({curve})",
            "",
        ]
    )
