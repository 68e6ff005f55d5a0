"""The model card: what a model is, how it was made and how well it does."""

from __future__ import annotations

from unmask.checkpoint.bundle import Bundle
from unmask.models.config import family_name
from unmask.nn.mask_decoder import EnhancedMaskDecoder
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
    size = sum(parameter.numel() for parameter in bundle.model.published().parameters())
    rows = [f"| {name} | {shown(value, 4)} |" for name, value in scores.items()]
    warning = warning_of(scores, unigram_entropy)
    failed = [] if warning is None else ["", f"**{warning}**"]
    made = "" if bundle.folder else f"{recipe.preset} "
    train = recipe.train
    steps = f"{train.steps or DEFAULT_STEPS} steps"
    budget = f"{train.minutes} minutes" if train.minutes else steps
    return "\n".join(
        [
            "---",
            "library_name: transformers",
            *(["pipeline_tag: fill-mask"] if recipe.objective == "mlm" else []),
            f"tags: [unmask, {family_name(bundle.config)}, {_TAGS[recipe.objective]}]",
            "---",
            "",
            f"# A {made}{_kind(bundle)} of {size / 1e6:.1f}M parameters",
            "",
            f"{_USES[recipe.objective]}{_filling(bundle)} It does not generate text, and its raw "
            "`[CLS]` vector is no sentence embedding.",
            "",
            f"Pretrained by {_objective(recipe)}, "
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


_TAGS = {
    "mlm": "masked-language-model",
    "replaced-token": "replaced-token-detection",
    "left-to-right": "left-to-right-control",
}
_USES = {
    "mlm": "It fills in `[MASK]` and is meant to be fine-tuned.",
    "replaced-token": "It tells which tokens were replaced and is meant to be fine-tuned; the "
    "generator beside it fills in `[MASK]`.",
    "left-to-right": "It is the control of an experiment: each token sees only those before it. "
    "Nothing but that experiment uses it.",
}


def _filling(bundle: Bundle) -> str:
    """What other tools fill masks without."""
    if not isinstance(bundle.model.decoder, EnhancedMaskDecoder):
        return ""
    return (
        " Its masks are filled through the enhanced mask decoder of DeBERTa's paper, which "
        "`transformers` leaves out and answers otherwise; as an encoder it is the same there."
    )


def _kind(bundle: Bundle) -> str:
    name = family_name(bundle.config)
    return "BERT" if name in ("bert", "left-to-right") else f"model of the family {name}"


def _objective(recipe: Pretrain) -> str:
    if recipe.objective == "left-to-right":
        return "predicting the next token"
    final = recipe.masking.final_rate
    falling = "" if final is None else f", moving to {100 * final:g} %"
    masked = f"({100 * recipe.masking.rate:g} % of the tokens{falling}, by {recipe.masking.unit})"
    if recipe.objective == "replaced-token":
        return f"replaced token detection over a generator's tokens {masked}"
    pairs = " with next sentence prediction" if recipe.next_sentence else ""
    pairs = " with sentence order prediction" if recipe.sentence_order else pairs
    return f"masked language modelling {masked}{pairs}"
