"""Learning a WordPiece vocabulary from text."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers
from tokenizers.trainers import WordPieceTrainer

from unmask.errors import DataError, UsageError
from unmask.text.config import TokenizerConfig
from unmask.text.special import MPNET, SpecialTokens
from unmask.text.tokenizer import Tokenizer
from unmask.text.wordpiece import CONTINUATION, build
from unmask.text.words import count_words

logger = logging.getLogger(__name__)

NO_WORD = (
    "training text: found no word in it; expected at least some words of text. "
    "Check that the files are not empty and were read with the right format."
)
_SPECIAL = {
    "bert": (SpecialTokens(), SpecialTokens().all()),
    "mpnet": (MPNET, ("<s>", "<pad>", "</s>", "[UNK]", "<mask>")),
}
"""The special tokens by their setting, and their order in a new vocabulary: MPNet's padding must
have the id 1, from which it counts positions."""
_WORDS_A_LINE = 4096
"""Words handed to the trainer in one string."""


def train_wordpiece(texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
    """Learns a vocabulary: special tokens, single characters, then merges by frequency.

    The merges are those of `tokenizers`' trainer (byte-pair merges over word counts, as in
    Sennrich et al. 2016, not the likelihood of Schuster and Nakajima 2012). The same texts, in
    any order (while `count_words` forgets none) and with any number of threads, give the same
    vocabulary. Where the text allows fewer entries than `config.vocab_size`, the result is smaller
    and the log says so. Words with a character beyond `config.limit_alphabet` are not learned
    from, since they will be unknown tokens. Memory grows with the distinct words.

    Raises:
        DataError: The texts hold no word.
        UsageError: `config.vocab_size` does not even hold the single characters.
    """
    special, order = _SPECIAL[config.special_tokens]
    plain = build({special.unk: 0}, config, special)
    words = count_words(texts, plain, config.max_word_length)
    if not words:
        raise DataError(NO_WORD)
    characters = _characters(words, config.limit_alphabet)
    least = len(order) + len(characters.starting) + len(characters.continuing)
    if config.vocab_size < least:
        raise UsageError(
            f"vocab_size: {config.vocab_size} is too small for this text; its "
            f"{len(order)} special tokens, {len(characters.starting)} characters and "
            f"{len(characters.continuing)} continuing characters need at least {least}. "
            f"Ask for more (--vocab-size), or keep fewer characters (--limit-alphabet, now "
            f"{config.limit_alphabet})."
        )
    tokens = [*order, *characters.starting, *characters.continuing]
    tokens += _merges(words, characters, special, config)
    if len(tokens) < config.vocab_size:
        logger.warning(
            "vocab_size: the text allows %d entries, fewer than the %d asked for "
            "(min_frequency %d); the vocabulary has %d.%s",
            len(tokens),
            config.vocab_size,
            config.min_frequency,
            len(tokens),
            _about_left_out(words, characters, config),
        )
    vocabulary = {token: i for i, token in enumerate(tokens)}
    return Tokenizer(build(vocabulary, config, special), special, place="trained vocabulary")


@dataclass(frozen=True)
class _Characters:
    """The pieces of one character each, by code point."""

    starting: list[str]
    continuing: list[str]
    num_left_out: int
    """Characters of the text beyond the limit."""

    def spell(self, word: str) -> bool:
        """Whether all characters of the word were kept; else it is an unknown token."""
        return self._kept.issuperset(word)

    @cached_property
    def _kept(self) -> frozenset[str]:
        return frozenset(self.starting)


def _characters(words: Counter[str], limit: int) -> _Characters:
    """The most frequent characters; ties go to the lower code point."""
    counts: Counter[str] = Counter()
    after_first: set[str] = set()
    for word, count in words.items():
        for character in word:
            counts[character] += count
        after_first.update(word[1:])
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    kept = sorted(ranked[:limit])
    continuing = [CONTINUATION + c for c in kept if c in after_first]
    return _Characters(kept, continuing, len(ranked) - len(kept))


def _about_left_out(words: Counter[str], characters: _Characters, config: TokenizerConfig) -> str:
    if not characters.num_left_out:
        return ""
    lost = sum(count for word, count in words.items() if not characters.spell(word))
    return (
        f" limit_alphabet {config.limit_alphabet} leaves out {characters.num_left_out} "
        f"character(s), and with them {lost / words.total():.2%} of the words, which become "
        "unknown tokens: raise it (--limit-alphabet) to learn from them."
    )


def _merges(
    words: Counter[str], characters: _Characters, special: SpecialTokens, config: TokenizerConfig
) -> list[str]:
    """The pieces longer than one character, the most frequent merge first.

    The trainer numbers continuing characters in the order of a hash map, which changes from run
    to run and decides between equally frequent merges. Passing them (and the alphabet) in fixes
    their numbers.
    """
    given = [*special.all(), *characters.continuing]
    trainer = WordPieceTrainer(
        vocab_size=config.vocab_size,
        min_frequency=config.min_frequency,
        special_tokens=given,
        initial_alphabet=characters.starting,
        limit_alphabet=len(characters.starting),
        continuing_subword_prefix=CONTINUATION,
        show_progress=False,
    )
    scratch = Backend(models.WordPiece({special.unk: 0}, unk_token=special.unk))
    scratch.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    # Only words that can be spelled: of others the trainer would drop the characters it does not
    # know and learn from what is left, joined.
    spelled = ((word, count) for word, count in words.items() if characters.spell(word))
    scratch.train_from_iterator(repeated(spelled), trainer)
    ids = scratch.get_vocab()
    return sorted(ids, key=lambda token: ids[token])[len(given) + len(characters.starting) :]


def repeated(words: Iterable[tuple[str, int]]) -> Iterator[str]:
    """Each word as often as it was counted: the trainers of `tokenizers` take text, not counts."""
    for word, count in words:
        for start in range(0, count, _WORDS_A_LINE):
            yield " ".join([word] * min(_WORDS_A_LINE, count - start))
