"""Where fine-tuning begins: the pretrained encoder under a fresh head, the budget in steps."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle, refuse_control
from unmask.checkpoint.huggingface.configuration import read_config
from unmask.checkpoint.transfer import Transfer, num_kept, with_head, with_sentences
from unmask.data.windows import Window
from unmask.errors import UsageError
from unmask.models.config import EncoderConfig
from unmask.nn.dropout import Dropout
from unmask.recipe.config import Finetune
from unmask.recipe.examples import Examples
from unmask.recipe.together import Say
from unmask.tasks.embedding import Embedding
from unmask.tasks.registry import as_reranker
from unmask.tasks.reranking import Reranking
from unmask.tasks.sentence import SentenceEmbedding
from unmask.tasks.sentence_config import DenseConfig, SentenceConfig
from unmask.tasks.task import LabelledTask, Model
from unmask.train.distributed import World
from unmask.train.layers import freeze, reinitialise_top

logger = logging.getLogger(__name__)

_KEPT_BYTES = 4 * 2**30
"""Of activations, see `kept_tokens`."""


def load(model: Path | str) -> Bundle:
    """The pretrained model, with a tokenizer.

    Raises:
        DataError: It has none, or is damaged.
    """
    bundle = native.load(model)
    bundle.require_tokenizer()
    return bundle


def require_no_control(model: Path | str) -> None:
    """Refuses the left-to-right control before anything else is read.

    Raises:
        UsageError: It is one.
    """
    folder = native.locate(model)
    refuse_control(read_config(folder)[1], str(folder))


def name_of(model: Path | str) -> str:
    """What a model is called without telling of somebody's disk: its folder's name, or hub id."""
    path = Path(model)
    if not path.exists():
        return str(model)
    named = [part for part in path.absolute().parts if part != native.MODEL_FOLDER]
    return named[-1]


def begin(recipe: Finetune, base: Bundle, task: LabelledTask[Any, Any], say: Say) -> Bundle:
    """The pretrained encoder under a fresh head, which depends on the seed alone.

    Raises:
        UsageError: Longer windows are asked for than the model reads.
    """
    longest = recipe.settings.max_length
    is_given = "max_length" in recipe.settings.model_fields_set  # a task's own default may be long
    if is_given and longest is not None and longest > base.max_length:
        raise UsageError(
            f"max_length is {longest}, but {base.name} reads {base.max_length} tokens at most: "
            "leave it out (--max-length), or set no more. Longer texts are cut into windows."
        )
    generator = torch.Generator().manual_seed(recipe.train.seed)
    config = base.config
    if recipe.dropout is not None:
        config = config.with_dropout(recipe.dropout)
        for part in base.model.modules():
            if isinstance(part, Dropout):
                part.rate = recipe.dropout
    if isinstance(task, Embedding):
        before = base.task.config if isinstance(base.task, SentenceEmbedding) else None
        task = task.standing_on(before, config.hidden_size)
        if before is not None:
            _tell_of_left_out(before, task.config, say)
        _require_dropout(task, base)
        start = with_sentences(replace(base, config=config), task, generator)
    elif isinstance(task, Reranking) and _scores_pairs(base, task):
        say("the model scores pairs already: its score is what is trained on")
        head = base.model.heads[task.head]
        start = Transfer(Model(base.model.encoder, {task.head: head}), has_pooler=True)
    else:
        start = with_head(replace(base, config=config), task.head, task.num_outputs, generator)
    if task.head == "pooled_classifier" and not start.has_pooler:
        say("the model was pretrained without a pooler: it starts with fresh weights")
    if recipe.reinitialise:
        reinitialise_top(start.model, recipe.reinitialise, config.initializer_range, generator)
    if recipe.freeze is not None:
        _warn_of_frozen(recipe.freeze, freeze(start.model, recipe.freeze), start.model)
        _require_trained(recipe.freeze, start.model)
    begun = replace(base, model=start.model.train(), task=task, config=config, folder=None)
    if isinstance(task, Embedding | Reranking):  # other tools cut where the tokenizer says
        length = min(base.max_length, longest or base.max_length)
        return replace(begun, tokenizer=base.require_tokenizer().with_max_length(length))
    return begun


def _require_dropout(task: Embedding, base: Bundle) -> None:
    """Refuses to tell a text from others by two passes that are one and the same.

    Raises:
        UsageError: A loss wants such passes of a model that drops nothing out.
    """
    names = [loss.name for loss in task.losses if loss.passes > 1]
    rates = [part.rate for part in base.model.modules() if isinstance(part, Dropout)]
    if names and not any(rates):
        raise UsageError(
            f"{names[0]}: learns from two passes over a text with dropout of their own, but "
            f"{base.name} drops nothing out (rate 0), so that both give the same vector: set "
            "--dropout 0.1, or give pairs and another loss."
        )


def _tell_of_left_out(before: SentenceConfig, after: SentenceConfig, say: Say) -> None:
    """Says it where trained layers of the model that is gone on with are not part of what comes."""
    trained = [layer for layer in before.layers if isinstance(layer, DenseConfig)]
    left_out = trained[num_kept(before, after) :]
    if not left_out:
        return
    sizes = ", ".join(f"{layer.in_features} to {layer.out_features}" for layer in left_out)
    why = "another one takes its place: leave out --dense to go on with it"
    if before.pooling != after.pooling:
        ways = [" and ".join(config.pooling) for config in (before, after)]
        why = (
            f"it read what pooling by {ways[0]} gives, and pooling is {ways[1]} now: leave out "
            "--pooling to go on with it"
        )
    say(f"the model's own dense layer ({sizes}) is left out, since {why}")


def _scores_pairs(base: Bundle, task: Reranking) -> bool:
    """Whether the model has such a head already, that gives a text with another one number."""
    before = as_reranker(base.task)
    return before is not None and before.head == task.head in base.model.heads


def segments_shared(config: EncoderConfig, windows: Sequence[Window]) -> bool:
    """Whether pairs are read in one segment by a model whose family usually has more."""
    is_one = config.num_segments == 1 < type(config)().num_segments
    return is_one and any(window.num_first < len(window.input_ids) for window in windows)


def _require_trained(frozen: str, model: Model) -> None:
    """Refuses a run that would publish what it began with: the weights of a loss do not count.

    Raises:
        UsageError: It is one.
    """
    if not any(parameter.requires_grad for parameter in model.published().parameters()):
        raise UsageError(
            f"--freeze {frozen}: nothing would be trained of a sentence encoder that has no layer "
            "of its own. Freeze less of it, or add a layer by --dense."
        )


def _warn_of_frozen(what: str, num_frozen: int, model: Model) -> None:
    total = sum(parameter.numel() for parameter in model.parameters())
    logger.warning(
        "--freeze %s: %.1f of %.1f million parameters stay as they were pretrained. BERT is meant "
        "to be fine-tuned end to end; a frozen encoder trains faster and usually answers worse. "
        "For named entities Devlin et al. 2019 (section 5.3, table 7) have F1 96.4 fine-tuned, and "
        "91.0 to 96.1 from frozen features, which a two-layer BiLSTM read.",
        what,
        num_frozen / 1e6,
        total / 1e6,
    )


def resolved(recipe: Finetune, config: EncoderConfig, num_windows: int) -> Finetune:
    """With the budget and all intervals in steps, and a learning rate for the model's size."""
    given = recipe.train
    steps_per_epoch = num_windows / given.batch_size
    update: dict[str, Any] = {}
    if given.steps is None and given.minutes is None:
        update["steps"] = math.ceil(given.epochs * steps_per_epoch)
    if "evaluate_every" not in given.model_fields_set:
        update["evaluate_every"] = max(1, math.ceil(steps_per_epoch / given.evaluations_per_epoch))
    if "save_every" not in given.model_fields_set:
        update["save_every"] = min(given.save_every, math.ceil(steps_per_epoch))
    if recipe.task == "embedding" and "micro_batch_tokens" not in given.model_fields_set:
        update["micro_batch_tokens"] = kept_tokens(config)
    optim = recipe.optim
    if "learning_rate" not in optim.model_fields_set:
        optim = optim.model_copy(update={"learning_rate": default_rate(config)})
    return recipe.model_copy(update={"train": given.model_copy(update=update), "optim": optim})


def introduction(
    recipe: Finetune, bundle: Bundle, examples: Examples, num_windows: int, here: World
) -> str:
    """One line: what is trained on what, for how long, and where."""
    size = sum(parameter.numel() for parameter in bundle.model.parameters())
    budget = f"{recipe.train.steps} steps" if recipe.train.steps else ""
    budget = f"{recipe.train.minutes:g} minutes" if recipe.train.minutes else budget
    optim = recipe.optim
    rate = optim.learning_rate if optim.name == "adamw" else optim.muon_learning_rate
    counted = ", {:,} an epoch" if recipe.task == "embedding" else " in {:,} windows"
    longer = counted.format(num_windows) if num_windows != len(examples.train) else ""
    return (
        f"{recipe.task} by {size / 1e6:.1f}M parameters; {len(examples.train):,} examples{longer}, "
        f"{len(examples.validation):,} to validate on; {budget} of "
        f"{recipe.train.batch_size} at {rate:g}; {here.device}, "
        f"{here.size} process(es), {torch.get_num_threads()} thread(s)"
    )


def kept_tokens(config: EncoderConfig) -> int:
    """About how many tokens' activations take 4 GB in fp32.

    A loss over a batch's embeddings needs a second forward of each micro-batch as soon as there are
    several, so that they are cut later than elsewhere. Counted is what each product of a block
    takes and gives, and half of it again for dropout, norms and activations.
    """
    values = config.num_hidden_layers * (8 * config.hidden_size + 2 * config.intermediate_size)
    return max(1, _KEPT_BYTES // (6 * values))


def default_rate(config: EncoderConfig) -> float:
    """The learning rate where none is set, see `FinetuningOptimConfig.learning_rate`."""
    if config.num_hidden_layers <= 4 or config.hidden_size <= 256:
        return 3e-4
    if config.num_hidden_layers < 8 or config.hidden_size < 512:
        return 1e-4
    return 5e-5
