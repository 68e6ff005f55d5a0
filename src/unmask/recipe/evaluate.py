"""Measuring a model on text that it has not seen."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from unmask.batch import IGNORED
from unmask.checkpoint import native
from unmask.data.config import CorpusConfig
from unmask.data.manifest import is_corpus
from unmask.data.prepare import prepare
from unmask.data.report import unigram_entropy
from unmask.data.shards import Shards
from unmask.errors import DataError, UsageError
from unmask.recipe.config import Evaluate
from unmask.recipe.material import (
    EVALUATION_SEED,
    frequency_accuracy,
    held_out_batches,
    sequences,
)
from unmask.tasks.masked_lm import MaskedLM
from unmask.text.tokenizer import Tokenizer
from unmask.train.evaluate import evaluate as measured

_MICRO_BATCH_TOKENS = 8192


def evaluate(
    model: Path | str, data: Path | str, config: Evaluate | None = None
) -> dict[str, float]:
    """Scores a masked language model on a corpus folder, or on text, as pretraining scores itself.

    Beside the model's `mlm_loss` (nats), `mlm_accuracy` and `mlm_pseudo_perplexity` stand what
    the text's own token frequencies would give, and how many positions were asked. Unknown tokens
    are special tokens, and so are never asked for.

    Raises:
        UsageError: A model without a masked language model head, or too short for the sequences.
        DataError: A damaged corpus, or one that was prepared with another tokenizer.
    """
    config = config or Evaluate()
    bundle = native.load(model)
    if not isinstance(bundle.task, MaskedLM) or bundle.tokenizer is None:
        raise UsageError(
            f"{model}: an encoder without a masked language model head and a tokenizer has "
            "nothing to be measured by; give a folder that `unmask pretrain` wrote."
        )
    if config.sequence_length > bundle.config.max_position_embeddings:
        raise UsageError(
            f"--sequence-length {config.sequence_length}: the model has only "
            f"{bundle.config.max_position_embeddings} positions."
        )
    with _opened(Path(data), bundle.tokenizer) as shards:
        source = sequences(
            shards,
            np.arange(shards.num_documents),
            config.sequence_length,
            bundle.tokenizer,
            EVALUATION_SEED if bundle.task.next_sentence else None,
        )
        batches = held_out_batches(source, bundle.tokenizer, config.sequences, _MICRO_BATCH_TOKENS)
        return {
            **measured(bundle.model, bundle.task, batches),
            "unigram_entropy": unigram_entropy(shards.unigram_counts()),
            "unigram_accuracy": frequency_accuracy(shards, batches),
            "positions": sum(int((batch.labels["mlm"] != IGNORED).sum()) for batch in batches),
        }


@contextmanager
def _opened(data: Path, tokenizer: Tokenizer) -> Iterator[Shards]:
    """The corpus, or for text one that is gone afterwards."""
    if is_corpus(data):
        shards = Shards.open(data)
        if shards.tokenizer_sha256 != tokenizer.sha256:
            raise DataError(
                f"{data}: was prepared with another tokenizer than the model's; prepare it "
                "again with --tokenizer MODEL, or give the text itself."
            )
        shards.verify()
        yield shards
        return
    with tempfile.TemporaryDirectory(prefix="unmask-") as folder:
        prepare([data], tokenizer, Path(folder, "corpus"), CorpusConfig())
        yield Shards.open(Path(folder, "corpus"))
