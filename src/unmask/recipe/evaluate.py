"""Measuring a model on text that it has not seen."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from unmask.batch import IGNORED, Batch
from unmask.checkpoint import native
from unmask.data.config import CorpusConfig
from unmask.data.manifest import is_corpus
from unmask.data.prepare import prepare
from unmask.data.report import ordinary_counts, unigram_entropy
from unmask.data.shards import Shards
from unmask.errors import DataError, UsageError
from unmask.recipe.config import Evaluate
from unmask.recipe.material import held_out_batches, sequences
from unmask.tasks.masked_lm import MaskedLM
from unmask.text.tokenizer import Tokenizer
from unmask.train.evaluate import evaluate as measured

_MICRO_BATCH_TOKENS = 8192


def evaluate(
    model: Path | str, data: Path | str, config: Evaluate | None = None
) -> dict[str, float]:
    """Scores masked language modelling on a corpus folder, or on text.

    Masks are those by which pretraining measures itself. Beside the model's `mlm_loss` (nats),
    `mlm_accuracy` and `mlm_pseudo_perplexity` stand the entropy of the text's own tokens and how
    often its commonest one is right, how many `positions` were asked for, and `num_rejects`,
    records of the text that could not be read. Special tokens, unknown ones among them, are never
    asked for. Next sentence prediction is not measured.

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
    tokenizer = bundle.tokenizer
    with _opened(Path(data), tokenizer) as (shards, num_rejects):
        documents = np.arange(shards.num_documents)
        source = sequences(shards, documents, config.sequence_length, tokenizer, None)
        counts = ordinary_counts(shards.unigram_counts(), tokenizer.is_special)
        asked = _Asked(commonest=int(counts.argmax()))
        batches = held_out_batches(source, tokenizer, config.num_sequences, _MICRO_BATCH_TOKENS)
        scores = measured(bundle.model, MaskedLM(), map(asked.seen, batches))
        return {
            **scores,
            "unigram_entropy": unigram_entropy(counts),
            "unigram_accuracy": asked.hits / max(1, asked.positions),
            "positions": asked.positions,
            "num_rejects": num_rejects,
        }


class _Asked:
    """Counts what streams by: positions asked for, and those where one token is right."""

    def __init__(self, commonest: int) -> None:
        self.positions, self.hits = 0, 0
        self._commonest = commonest

    def seen(self, batch: Batch) -> Batch:
        labels = batch.labels["mlm"]
        self.positions += int((labels != IGNORED).sum())
        self.hits += int((labels == self._commonest).sum())
        return batch


@contextmanager
def _opened(data: Path, tokenizer: Tokenizer) -> Iterator[tuple[Shards, int]]:
    """The corpus, or for text one that is gone afterwards; and how many records were rejected."""
    if is_corpus(data):
        shards = Shards.open(data)
        if shards.tokenizer_sha256 != tokenizer.sha256:
            raise DataError(
                f"{data}: was prepared with another tokenizer than the model's; prepare it "
                "again with --tokenizer MODEL, or give the text itself."
            )
        shards.verify()
        yield shards, 0
        return
    with tempfile.TemporaryDirectory(prefix="unmask-") as folder:
        report = prepare([data], tokenizer, Path(folder, "corpus"), CorpusConfig())
        yield Shards.open(Path(folder, "corpus")), report.num_rejects
