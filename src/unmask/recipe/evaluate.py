"""Measuring a model on text that it has not seen."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from unmask.batch import IGNORED, Batch
from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.history import History, generator_of, read_history
from unmask.data.config import CorpusConfig, MaskingConfig
from unmask.data.manifest import is_corpus
from unmask.data.masking import Masker
from unmask.data.prepare import prepare
from unmask.data.report import ordinary_counts, unigram_entropy
from unmask.data.shards import Shards
from unmask.errors import DataError, UsageError
from unmask.recipe.config import Evaluate
from unmask.recipe.material import EVALUATION_SEED, held_out_batches, sequences
from unmask.tasks.masked_lm import MaskedLM
from unmask.text.tokenizer import Tokenizer
from unmask.train.evaluate import evaluate as measured

logger = logging.getLogger(__name__)

_MICRO_BATCH_TOKENS = 8192
_CORPUS_FLAG = ", or raise --reader.max-reject-rate to go on without these records"
"""What preparation advises, which `unmask evaluate` cannot be told."""
_USUAL_LENGTH = 128
"""Of sequences for a model that does not say how long those were that it was trained on."""


def evaluate(
    model: Path | str | Bundle, data: Path | str, config: Evaluate | None = None
) -> dict[str, float]:
    """Scores masked language modelling on a corpus folder, or on text.

    Masks are those by which pretraining measures itself. Beside the model's `mlm_loss` (nats),
    `mlm_accuracy` and `mlm_pseudo_perplexity` stand `unigram_entropy`, that of this text's own
    tokens, and `unigram_accuracy`, how often its commonest one is right, how many `positions` were
    asked for, and `num_rejects`, records of the text that could not be read. Special tokens,
    unknown ones among them, are never asked for. Next sentence prediction is not measured.

    Raises:
        UsageError: A model without a masked language model head, or too short for the sequences.
        DataError: A damaged corpus, one that was prepared with another tokenizer, or too little
            text.
    """
    config = config or Evaluate()
    bundle = model if isinstance(model, Bundle) else native.load(model)
    bundle.refuse_control()
    if not isinstance(bundle.task, MaskedLM) or bundle.tokenizer is None:
        generator = generator_of(bundle.folder)
        raise UsageError(
            f"{bundle.name}: an encoder without a masked language model head and a tokenizer has "
            f"nothing to be measured by; give {generator or 'a masked language model'}."
        )
    tokenizer = bundle.tokenizer
    past = read_history(bundle.folder)
    length = _sequence_length(config, bundle, past)
    with _opened(Path(data), tokenizer) as (shards, num_rejects):
        if shards.num_tokens < length - tokenizer.layout.single_cost:
            raise DataError(
                f"{data}: has {shards.num_tokens} tokens, too few for one sequence of {length}; "
                "give more text, or a shorter --sequence-length."
            )
        if shards.sha256 == past.corpus_sha256:
            logger.warning(
                "%s: is what the model was trained on, so that these figures flatter it. Measure "
                "on text that it has not seen.",
                data,
            )
        source = sequences(shards, np.arange(shards.num_documents), length, tokenizer)
        counts = ordinary_counts(shards.unigram_counts(), tokenizer.is_special)
        asked = _Asked(commonest=int(counts.argmax()))
        masker = Masker(tokenizer, MaskingConfig(), EVALUATION_SEED)
        batches = held_out_batches(source, masker, config.num_sequences, _MICRO_BATCH_TOKENS)
        scores = measured(bundle.model, MaskedLM(), map(asked.seen, batches))
        return {
            **scores,
            "unigram_entropy": unigram_entropy(counts),
            "unigram_accuracy": asked.hits / max(1, asked.positions),
            "positions": asked.positions,
            "num_rejects": num_rejects,
        }


def _sequence_length(config: Evaluate, bundle: Bundle, past: History) -> int:
    longest = bundle.config.max_length
    length = config.sequence_length
    if length is None:
        return min(past.sequence_length or _USUAL_LENGTH, longest)
    if length > longest:
        raise UsageError(f"--sequence-length {length}: the model has only {longest} positions.")
    if past.sequence_length is not None and length > past.sequence_length:
        logger.warning(
            "--sequence-length %d: the model was trained on sequences of up to %d tokens; "
            "positions that were never trained make these figures worse.",
            length,
            past.sequence_length,
        )
    return length


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
        corpus = Path(folder, "corpus")
        try:
            report = prepare([data], tokenizer, corpus, CorpusConfig())
        except DataError as error:
            raise DataError(_without_what_is_not_here(str(error), folder)) from error
        yield Shards.open(corpus), report.num_rejects


def _without_what_is_not_here(message: str, folder: str) -> str:
    """What preparation says, but for a flag of `unmask corpus` and a list that is gone by then."""
    lines = message.replace(_CORPUS_FLAG, "").splitlines()
    return "\n".join(line for line in lines if folder not in line)
