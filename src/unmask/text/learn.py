"""Learning a vocabulary of any kind."""

from __future__ import annotations

from collections.abc import Iterable

from unmask.errors import UsageError
from unmask.text.config import TokenizerConfig
from unmask.text.tokenizer import Tokenizer
from unmask.text.train import train_wordpiece
from unmask.text.train_bpe import train_bpe
from unmask.text.train_unigram import train_unigram

_TRAINERS = {"wordpiece": train_wordpiece, "bpe": train_bpe, "unigram": train_unigram}
_DONE = {
    "bpe": {"lowercase": False, "strip_accents": False, "split_chinese_characters": False},
    "unigram": {"split_chinese_characters": False},
}
"""What a kind does whatever the settings say: asking for just that is no mistake."""
_WITHOUT_EFFECT = {
    "bpe": ("special_tokens", "lowercase", "strip_accents", "split_chinese_characters",
            "limit_alphabet", "max_word_length"),
    "unigram": ("special_tokens", "split_chinese_characters", "min_frequency", "max_word_length"),
}  # fmt: skip


def train(texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
    """Learns a vocabulary of `config.kind`; see the kinds' own functions.

    Raises:
        DataError: The texts hold no word.
        UsageError: A setting that has no effect on this kind, or too small a vocabulary.
    """
    given = config.model_dump()
    for name in _WITHOUT_EFFECT.get(config.kind, ()):
        value = given[name]
        done = _DONE[config.kind].get(name)
        if name in config.model_fields_set and value is not None and value != done:
            raise UsageError(
                f"{name}: {value} has no effect on a vocabulary of kind {config.kind}: "
                f"{_REASONS[name]}. Leave it out, or learn one of kind wordpiece."
            )
    return _TRAINERS[config.kind](texts, config)


_REASONS = {
    "special_tokens": "it has those of the models that it is made for",
    "lowercase": "byte-level pieces keep the case, as RoBERTa's do",
    "strip_accents": "byte-level pieces keep every accent",
    "split_chinese_characters": "its pieces are found across ideographs",
    "limit_alphabet": "its alphabet is the 256 bytes, which spell every text",
    "max_word_length": "it has no longest word",
    "min_frequency": "pieces are chosen by what they are worth to the whole text",
}
