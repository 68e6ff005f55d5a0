"""Learning a Unigram vocabulary from text."""

from __future__ import annotations

import io
import logging
from collections import Counter
from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers

from unmask.errors import DataError, UsageError
from unmask.text.config import TokenizerConfig
from unmask.text.sentencepiece_model import parse_model
from unmask.text.special import ALBERT
from unmask.text.tokenizer import Tokenizer
from unmask.text.train import NO_WORD
from unmask.text.unigram import UnigramSettings, albert, albert_parts
from unmask.text.words import count_words

logger = logging.getLogger(__name__)

_LONGEST_WORD = 1000
"""Characters; longer words are not learned from."""


def train_unigram(texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
    """Learns pieces by SentencePiece's Unigram trainer (Kudo 2018), with ALBERT's special tokens.

    SentencePiece and not `tokenizers`, whose trainer sums in the order of a hash map and so gives
    other scores and ids each time. It is given the counted words in a fixed order and works in one
    thread, so that the same texts in any order give the same vocabulary. Text is normalised as
    ALBERT does it. Words with a character beyond `config.limit_alphabet` are not learned from.

    Raises:
        DataError: The texts hold no word.
        UsageError: `config.vocab_size` does not even hold the single characters, or none of the
            words has only characters within `config.limit_alphabet`.
    """
    strip = config.lowercase if config.strip_accents is None else config.strip_accents
    settings = UnigramSettings(lowercase=config.lowercase, keep_accents=not strip)
    plain = albert_parts(Backend(models.Unigram([("<unk>", 0.0)], 0)), settings)
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words = count_words(texts, plain, _LONGEST_WORD)
    if not words:
        raise DataError(NO_WORD)
    kept = _characters(words, config.limit_alphabet)
    least = len(ALBERT.all()) + len(kept) + 1  # the blank
    if config.vocab_size <= least:
        raise UsageError(
            f"vocab_size: {config.vocab_size} is too small for this text; its "
            f"{len(ALBERT.all())} special tokens, {len(kept)} characters and the blank need more "
            f"than {least}. Ask for more (--vocab-size), or keep fewer characters "
            f"(--limit-alphabet, now {config.limit_alphabet})."
        )
    spelled = sorted((word, count) for word, count in words.items() if kept.issuperset(word))
    if not spelled:
        raise UsageError(
            f"limit_alphabet: {config.limit_alphabet} keeps too few characters; each of the "
            f"{len(words)} distinct words has another one, so that none is left to learn from. "
            "Keep more (--limit-alphabet)."
        )
    backend = albert(
        parse_model(_model(spelled, config.vocab_size), "trained vocabulary"), settings
    )
    learned = Tokenizer(backend, ALBERT, place="trained vocabulary")
    if learned.vocab_size < config.vocab_size:
        logger.warning(
            "vocab_size: the text allows %d entries, fewer than the %d asked for.",
            learned.vocab_size,
            config.vocab_size,
        )
    return learned


def _characters(words: Counter[str], limit: int) -> frozenset[str]:
    """The most frequent characters; ties go to the lower code point."""
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for character in word:
            counts[character] += count
    return frozenset(sorted(counts, key=lambda character: (-counts[character], character))[:limit])


def _model(words: Sequence[tuple[str, int]], vocab_size: int) -> bytes:
    """SentencePiece's model file, learned from words with their counts; ALBERT's tokens first."""
    import sentencepiece

    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(f"{word}\t{count}" for word, count in words),
        input_format="tsv",
        model_writer=file,
        model_type="unigram",
        vocab_size=vocab_size,
        hard_vocab_limit=False,
        character_coverage=1.0,
        normalization_rule_name="identity",
        num_threads=1,
        minloglevel=2,
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        pad_piece=ALBERT.pad,
        unk_piece=ALBERT.unk,
        control_symbols=[ALBERT.cls, ALBERT.sep, ALBERT.mask],
    )
    return file.getvalue()
