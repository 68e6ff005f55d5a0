"""The held-out text that every arm of a comparison is measured on, whatever it trained by."""

from __future__ import annotations

from pathlib import Path

from unmask.checkpoint import native
from unmask.data.config import MaskingConfig
from unmask.data.masking import Masker
from unmask.data.shards import Shards
from unmask.recipe.config import Pretrain
from unmask.recipe.material import EVALUATION_SEED, divided, held_out_batches, sequences
from unmask.tasks.masked_lm import MaskedLM
from unmask.text.tokenizer import Tokenizer
from unmask.train.evaluate import evaluate


def measured(model: Path, corpus: Path, usual: Pretrain) -> dict[str, float]:
    """Masked language modelling by a model on the text that the `usual` recipe holds out.

    A run measures itself on sequences such as it trains on. Of arms over pairs those are others,
    half of them with a segment from elsewhere, so that losses of runs do not compare. Here all get
    the same plain sequences under the same masks: those by which a run of the `usual` recipe
    measures itself. An arm that holds out more holds out these too.
    """
    shards = Shards.open(corpus)
    tokenizer = Tokenizer.load(shards.tokenizer_folder)
    _, documents = divided(usual, shards)
    batches = held_out_batches(
        sequences(shards, documents, usual.train.sequence_length, tokenizer),
        Masker(tokenizer, MaskingConfig(), EVALUATION_SEED),
        usual.train.validation_sequences,
        usual.train.micro_batch_tokens,
    )
    return evaluate(native.load(model).model, MaskedLM(), batches)
