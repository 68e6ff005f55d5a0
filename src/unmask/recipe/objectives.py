"""What each objective is made of: task, heads, sequences and what is done to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from unmask.data.config import MaskingConfig
from unmask.data.drawing import MaskerAndDraws
from unmask.data.loader import Transform
from unmask.data.masking import Masker
from unmask.data.pairs import SentenceOrder, SentencePairs
from unmask.recipe.config import Pretrain
from unmask.tasks.left_to_right import LeftToRight, next_tokens
from unmask.tasks.masked_lm import MaskedLM
from unmask.tasks.replaced_token import ReplacedToken
from unmask.tasks.task import CountedTask
from unmask.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Objective:
    """One way to pretrain."""

    task: CountedTask
    heads: frozenset[str]
    """Of the model that is published."""
    transform: Callable[[Tokenizer, MaskingConfig, int], Transform]
    """By tokenizer, masking and seed, what turns plain sequences into examples."""
    pairs: type[SentencePairs] | None = None
    """Sequences of two segments; without it, of one."""


def objective_of(recipe: Pretrain) -> Objective:
    """By what a recipe pretrains."""
    if recipe.objective == "replaced-token":
        return Objective(ReplacedToken(), frozenset({"rtd"}), _masked_and_drawn)
    if recipe.objective == "left-to-right":
        return Objective(LeftToRight(), frozenset({"mlm"}), lambda *_: next_tokens)
    task = MaskedLM(next_sentence=recipe.next_sentence, sentence_order=recipe.sentence_order)
    pairs = SentencePairs if recipe.next_sentence else SentenceOrder
    if task.pair_term is None:
        return Objective(task, frozenset({"mlm"}), Masker)
    return Objective(task, frozenset({"mlm", "nsp"}), Masker, pairs)


def _masked_and_drawn(tokenizer: Tokenizer, config: MaskingConfig, seed: int) -> Transform:
    return MaskerAndDraws(Masker(tokenizer, config, seed), seed)
