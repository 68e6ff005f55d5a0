"""Learning a byte-level BPE vocabulary from text."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable

from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers
from tokenizers.trainers import BpeTrainer

from unmask.errors import DataError, UsageError
from unmask.text.byte_level import build_byte_level, enclose_as_roberta
from unmask.text.config import TokenizerConfig
from unmask.text.normalise import replace_surrogates
from unmask.text.special import ROBERTA
from unmask.text.tokenizer import Tokenizer
from unmask.text.train import NO_WORD, repeated
from unmask.text.words import drop_rarest

logger = logging.getLogger(__name__)

ORDER = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
"""RoBERTa's special tokens by their ids; its mask stands last, which only files of old need."""
_STRETCH = re.compile(r" ?\S+")
_MOST_STRETCHES = 4_000_000


def train_bpe(texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
    """Learns byte-level merges (Radford et al. 2019, section 2.2) with RoBERTa's special tokens.

    Words are counted with the blank before them, by GPT-2's splitter; runs of white space are not
    learned from. The same texts in any order give the same vocabulary, since every pair of pieces
    has a fixed number from the start: specials, the 256 bytes, then merges.

    Raises:
        DataError: The texts hold no word.
        UsageError: `config.vocab_size` does not even hold the bytes.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    least = len(ORDER) + len(alphabet)
    if config.vocab_size < least:
        raise UsageError(
            f"vocab_size: {config.vocab_size} is too small for kind bpe; its {len(ORDER)} special "
            f"tokens and {len(alphabet)} bytes need {least}. Ask for more (--vocab-size)."
        )
    words = _count(texts)
    if not words:
        raise DataError(NO_WORD)
    trainer = BpeTrainer(
        vocab_size=config.vocab_size,
        min_frequency=config.min_frequency,
        special_tokens=list(ORDER),
        initial_alphabet=alphabet,
        show_progress=False,
    )
    scratch = Backend(models.BPE())
    scratch.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    scratch.train_from_iterator(repeated(sorted(words.items())), trainer)
    model = json.loads(scratch.to_str())["model"]
    vocabulary, merges = model["vocab"], [tuple(merge) for merge in model["merges"]]
    if len(vocabulary) < config.vocab_size:
        logger.warning(
            "vocab_size: the text allows %d entries, fewer than the %d asked for "
            "(min_frequency %d).",
            len(vocabulary),
            config.vocab_size,
            config.min_frequency,
        )
    backend = build_byte_level(vocabulary, merges, add_prefix_space=False)
    enclose_as_roberta(backend, ROBERTA, add_prefix_space=False, trim_offsets=True)
    return Tokenizer(backend, ROBERTA, place="trained vocabulary")


def _count(texts: Iterable[str]) -> Counter[str]:
    """How often each word stands in the texts, spelled in the byte alphabet."""
    split = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str
    stretches: Counter[str] = Counter()
    for text in texts:
        stretches.update(_STRETCH.findall(replace_surrogates(text)))
        if len(stretches) > _MOST_STRETCHES:
            least = drop_rarest(stretches, _MOST_STRETCHES)
            logger.warning(
                "more than %d distinct stretches between blanks: those counted up to %d times so "
                "far were forgotten",
                _MOST_STRETCHES,
                least,
            )
    words: Counter[str] = Counter()
    for stretch, count in stretches.items():
        for word, _ in split(stretch):
            words[word] += count
    return words
