"""What a pretraining run says of itself before it begins and in the end, any run on going on."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from unmask.checkpoint.bundle import Bundle
from unmask.data.config import MaskingConfig
from unmask.recipe.config import Pretrain
from unmask.recipe.material import HeldOut
from unmask.train.config import TrainConfig
from unmask.train.distributed import World
from unmask.train.loop import TrainingData
from unmask.train.schedule import DEFAULT_STEPS, batch_size_at, progress_of, stage_at
from unmask.train.state import RunState

HELD_OUT_RATE = MaskingConfig().rate
"""Share of held-out tokens that are asked for, whatever the run trains with."""
ALREADY_FINISHED = (
    "already finished: its model is there, and a run cannot be prolonged. For a longer one choose "
    "another --output"
)
"""Said of a run whose checkpoints are gone."""
_MOMENTS = 1000
"""Of the budget, over which the batch size and the stages are averaged."""


def introduction(
    recipe: Pretrain, bundle: Bundle, data: TrainingData, held_out: HeldOut, here: World
) -> list[str]:
    """Lines that say what is trained on what, what is held out, and how the two losses differ."""
    size = sum(parameter.numel() for parameter in bundle.model.parameters())
    lines = [
        f"{title(recipe, bundle)}, {size / 1e6:.1f}M parameters, vocabulary "
        f"{bundle.config.vocab_size:,}; {len(data.sources[-1]):,} sequences of up to "
        f"{recipe.train.sequence_length} tokens{_epochs(recipe, data)}; {here.device}, "
        f"{counted(here.size, 'process', 'processes')}, "
        f"{counted(torch.get_num_threads(), 'thread', 'threads')}",
        _held_out(recipe, held_out),
    ]
    if recipe.objective != "left-to-right" and {*training_rates(recipe)} != {HELD_OUT_RATE}:
        first, last = (f"{100 * rate:g} %" for rate in training_rates(recipe))
        hidden = first if first == last else f"{first}, in the end {last},"
        lines.append(
            f"training hides {hidden} of the tokens, held-out text "
            f"{100 * HELD_OUT_RATE:g} % as in BERT: the fewer are hidden, the lower is the loss"
        )
    return lines


def training_rates(recipe: Pretrain) -> tuple[float, float]:
    """Shares of the tokens that are hidden in the beginning and in the end."""
    masking = recipe.masking
    return masking.rate, masking.rate if masking.final_rate is None else masking.final_rate


def title(recipe: Pretrain, bundle: Bundle) -> str:
    """What is trained: a preset, or a model that is gone on with."""
    if bundle.folder is not None:
        return f"{bundle.name}, gone on with"
    by = {"replaced-token": " with its generator", "left-to-right": ", the causal control"}
    kind = "BERT" if recipe.family in ("bert", "left-to-right") else recipe.family
    return f"{recipe.preset} {kind}{by.get(recipe.objective, '')}"


def counted(number: int, one: str, many: str) -> str:
    """A number of things."""
    return f"{number:,} {one if number == 1 else many}"


def _epochs(recipe: Pretrain, data: TrainingData) -> str:
    """How often all sequences are seen; nobody can tell for a budget in minutes."""
    train = recipe.train
    if train.minutes is not None:
        return ""
    steps = train.steps or DEFAULT_STEPS
    moments = [(moment + 0.5) / _MOMENTS for moment in range(_MOMENTS)]
    per_step = [
        batch_size_at(train, moment) / len(data.sources[stage_at(data.stage_starts, moment)])
        for moment in moments
    ]
    epochs = steps * sum(per_step) / _MOMENTS
    shown = f"{epochs:.2g}" if epochs < 10 else f"{epochs:,.0f}"
    return f", about {shown} epochs in {counted(steps, 'step', 'steps')}"


def _held_out(recipe: Pretrain, held_out: HeldOut) -> str:
    documents = counted(held_out.num_documents, "document", "documents")
    share = held_out.document_share
    where = f" of {recipe.validation}" if share is None else f" ({share:.1%} of the corpus')"
    measured = sum(len(batch.lengths) for batch in held_out.batches)
    every = counted(held_out.num_sequences, "sequence", "sequences")
    part = "all" if measured == held_out.num_sequences else f"{measured:,}"
    return f"held out: {documents}{where}, {every}, {part} of them measured"


def standing(train: TrainConfig, state: RunState, *, goes_on: bool, is_over: bool) -> str:
    """Where a run that was to be resumed stands; `is_over` if it ended before its budget did."""
    if not goes_on:
        return "nothing to resume: the run begins"
    if is_over or progress_of(train, state.global_step, state.seconds) >= 1.0:
        why = "no better score came for long enough" if is_over else "its budget is used"
        return (
            f"already finished at step {state.global_step:,}: {why}, and a run cannot be "
            "prolonged. For a longer one choose another --output"
        )
    budget = (
        f"{state.seconds / 60:.1f} of {train.minutes:g} minutes"
        if train.minutes is not None
        else f"step {state.global_step:,} of {train.steps or DEFAULT_STEPS:,}"
    )
    return f"goes on from checkpoint-{state.global_step} ({budget})"


def warning_of(scores: Mapping[str, float], unigram_entropy: float) -> str | None:
    """What to say of a run that ended no better than guessing, with what to try; None if it did."""
    loss = scores["next_loss"] if "next_loss" in scores else scores["mlm_loss"]
    whose = "generator's held-out loss" if "rtd_loss" in scores else "held-out loss"
    said = no_better_than_guessing(loss, unigram_entropy, whose)
    return said and (
        f"{said} Train longer, lower optim.learning_rate, or raise optim.warmup_rate; `unmask "
        "doctor CORPUS` looks for faults in the text."
    )


def no_better_than_guessing(
    mlm_loss: float, unigram_entropy: float, whose: str = "held-out loss"
) -> str | None:
    """The same without advice."""
    if mlm_loss <= unigram_entropy:  # which NaN is not
        return None
    return (
        f"warning: the {whose} ended at {mlm_loss:.4g} nats, above the unigram entropy of "
        f"the corpus ({unigram_entropy:.2f}): guessing by frequency alone does better."
    )
