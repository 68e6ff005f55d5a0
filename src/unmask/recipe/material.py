"""What a pretraining run reads: its corpus, and the held-out batches that it is measured on."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.batch import IGNORED, Batch
from unmask.data.config import CorpusConfig, MaskingConfig
from unmask.data.loader import Cursor, Source, Transform, split, take
from unmask.data.manifest import is_corpus
from unmask.data.packing import Chunks
from unmask.data.pairs import SentencePairs
from unmask.data.prepare import prepare
from unmask.data.randomness import Permutation
from unmask.data.report import ordinary_counts, unigram_entropy
from unmask.data.shards import Shards
from unmask.errors import DataError, UsageError
from unmask.recipe.config import Pretrain
from unmask.recipe.objectives import objective_of
from unmask.recipe.together import Say
from unmask.text.tokenizer import Tokenizer
from unmask.train.distributed import World
from unmask.train.evaluate import evaluate
from unmask.train.loop import TrainingData
from unmask.train.schedule import sequence_lengths, stage_starts

CORPUS_FOLDER = "corpus"
EVALUATION_SEED = 20181011
"""Masks of held-out text are the same in every run, whatever its seed (BERT's arXiv date)."""


_SEQUENCES_AT_ONCE = 2048


@dataclass(frozen=True)
class HeldOut:
    """Held-out text, and what a model that knows only token frequencies would come to on it."""

    batches: list[Batch]
    """What runs are measured on."""
    unigram_entropy: float
    """Of the corpus, nats."""
    unigram_accuracy: float
    """Share of the held-out picked positions that are the corpus' commonest token."""
    num_documents: int
    """Held out, of a corpus of its own or of the run's."""
    num_sequences: int
    """All that these documents give; at most `validation_sequences` of them are measured."""
    document_share: float | None
    """Of the corpus' documents; None for a corpus of its own."""


def open_corpus(
    paths: Sequence[Path],
    tokenizer: Path | None,
    run: Path,
    here: World,
    say: Say,
) -> Shards:
    """The corpus folder, checked; where a tokenizer is given, `paths` are text, prepared first.

    Prepared text lies in the run's folder, where a run that is resumed finds it.

    Raises:
        DataError: A damaged corpus, or text that cannot be prepared.
        UsageError: Text without a tokenizer, a corpus with one.
    """
    if tokenizer is None:
        folder = _the_corpus(paths)
    else:
        for path in paths:
            if is_corpus(path):
                raise UsageError(
                    f"{path}: a corpus, which holds its own tokenizer; leave out --tokenizer."
                )
        folder = run / CORPUS_FOLDER
        pieces = Tokenizer.load(tokenizer)
        here.first(lambda: _prepare(paths, pieces, folder, say))
    shards = Shards.open(folder)
    here.first(shards.verify)  # a second for each gigabyte, against days on damaged tokens
    return shards


def _the_corpus(paths: Sequence[Path]) -> Path:
    first = paths[0]
    if not is_corpus(first):
        if not first.exists() and not glob.has_magic(str(first)):
            raise DataError(f"{first}: no such file or folder.")
        raise DataError(
            f"{first}: not a corpus, which `unmask corpus` makes; to train on "
            "text itself, name a vocabulary by --tokenizer DIR."
        )
    if len(paths) > 1:
        raise UsageError(
            f"{first} and {len(paths) - 1} more: expected one corpus. Prepare all the text "
            "together by `unmask corpus`, or give it with --tokenizer DIR."
        )
    return first


def _prepare(paths: Sequence[Path], tokenizer: Tokenizer, folder: Path, say: Say) -> None:
    if not is_corpus(folder):
        report = prepare(paths, tokenizer, folder, CorpusConfig())
        say(f"{folder}: {report.num_documents:,} documents, {report.num_tokens:,} tokens")
    elif Shards.open(folder).tokenizer_sha256 != tokenizer.sha256:
        raise UsageError(
            f"{folder}: was prepared with another tokenizer; choose another output, or give the "
            "tokenizer that the run began with."
        )


def training_data(
    recipe: Pretrain, shards: Shards, tokenizer: Tokenizer
) -> tuple[TrainingData, HeldOut]:
    """Sequences to train on and batches to measure on, by whole documents.

    Raises:
        DataError: Too few documents, or a validation corpus of another tokenizer.
    """
    training, held_out = divided(recipe, shards)
    held_out_shards = shards
    if recipe.validation is not None:
        held_out_shards = Shards.open(recipe.validation)
        held_out_shards.verify()
        if held_out_shards.tokenizer_sha256 != shards.tokenizer_sha256:
            raise DataError(
                f"{recipe.validation}: was prepared with another tokenizer than the training "
                "corpus; prepare it again with the same --tokenizer"
            )

    objective = objective_of(recipe)

    def source(shards: Shards, documents: NDArray[np.int64], length: int, seed: int) -> Source:
        return sequences(shards, documents, length, tokenizer, objective.pairs, seed)

    seed = recipe.train.seed
    test = source(held_out_shards, held_out, recipe.train.sequence_length, EVALUATION_SEED)
    batches = list(
        held_out_batches(
            test,
            objective.transform(tokenizer, MaskingConfig(), EVALUATION_SEED),
            recipe.train.validation_sequences,
            recipe.train.micro_batch_tokens,
        )
    )
    data = TrainingData(
        tuple(source(shards, training, n, seed) for n in sequence_lengths(recipe.train)),
        objective.transform(tokenizer, recipe.masking, seed),
        lambda model: evaluate(model, objective.task, batches),
        stage_starts(recipe.train),
    )
    counts = ordinary_counts(shards.unigram_counts(), tokenizer.is_special)
    share = len(held_out) / shards.num_documents if recipe.validation is None else None
    return data, HeldOut(
        batches,
        unigram_entropy(counts),
        hit_rate(int(counts.argmax()), batches),
        num_documents=len(held_out),
        num_sequences=len(test),
        document_share=share,
    )


def hit_rate(token: int, batches: Iterable[Batch]) -> float:
    """How often this one token is right at the positions that are asked for."""
    labels = torch.cat(
        [batch.labels["mlm" if "mlm" in batch.labels else "next"] for batch in batches]
    )
    return float((labels[labels != IGNORED] == token).float().mean())


def divided(recipe: Pretrain, shards: Shards) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Documents to train on and documents held out, a whole one being on one side only."""
    if recipe.validation is not None:
        other = Shards.open(recipe.validation)
        return np.arange(shards.num_documents), np.arange(other.num_documents)
    least = 2 if recipe.next_sentence else 1  # a random second sentence is another document's
    if shards.num_documents < 2 * least:
        raise DataError(
            f"{shards.folder}: holds {shards.num_documents} document(s), expected at least "
            f"{2 * least}, of which {least} can be held out; give --validation another corpus, or "
            "prepare the text with smaller documents (`unmask corpus --reader.documents block`)"
        )
    shuffled = Permutation(shards.num_documents, EVALUATION_SEED, 0)(
        np.arange(shards.num_documents, dtype=np.int64)
    )
    num_held_out = max(least, round(recipe.validation_rate * shards.num_documents))
    return np.sort(shuffled[num_held_out:]), np.sort(shuffled[:num_held_out])


def sequences(
    shards: Shards,
    documents: NDArray[np.int64],
    sequence_length: int,
    tokenizer: Tokenizer,
    pairs: type[SentencePairs] | None = None,
    seed: int = 0,
) -> Source:
    """Sequences of these documents: pieces of them, or pairs of a kind, which `seed` decides."""
    if pairs is None:
        return Chunks(shards, documents, sequence_length, tokenizer.layout)
    return pairs(shards, documents, sequence_length, tokenizer.layout, seed=seed)


def held_out_batches(
    source: Source, transform: Transform, most: int | None, micro_batch_tokens: int
) -> Iterator[Batch]:
    """The same sequences, `most` of them, under the same masks in every evaluation of every run.

    `transform` masks as BERT does, by `EVALUATION_SEED`, whatever the run trains with, so that
    runs compare. Made as they are asked for, some thousand sequences at a time.

    Raises:
        DataError: The source has no sequences.
    """
    if len(source) == 0:
        raise DataError("the held-out text holds no sequence: expected at least one, add text")
    left = len(source) if most is None else min(len(source), most)
    cursor = Cursor()
    while left:
        number = min(left, _SEQUENCES_AT_ONCE)
        sample_ids, epochs, cursor = take(source, cursor, number, EVALUATION_SEED)
        yield from split(
            transform(source.batch(sample_ids, epochs), epochs, 0.0), micro_batch_tokens
        )
        left -= number
