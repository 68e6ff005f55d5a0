from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from transformers import AlbertTokenizer, AutoTokenizer, MPNetTokenizer, RobertaTokenizer

from unmask.errors import DataError, UsageError
from unmask.text.config import TokenizerConfig
from unmask.text.kinds import Kind
from unmask.text.learn import train
from unmask.text.special import ALBERT, MPNET, ROBERTA, SpecialTokens

from .families import TRAINING, texts
from .test_families import assert_equal, assert_equal_masks

SIZES = {"bpe": 330, "unigram": 160}
NAMES: dict[str, Kind] = {"bpe": "byte-level BPE", "unigram": "Unigram"}


def settings(kind: str, **more: Any) -> TokenizerConfig:
    return TokenizerConfig.model_validate({"kind": kind, "vocab_size": SIZES[kind], **more})


@pytest.fixture(params=["bpe", "unigram"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_family_finds_its_special_tokens_and_its_layout(kind: str) -> None:
    learned = train(TRAINING, settings(kind))
    special = ROBERTA if kind == "bpe" else ALBERT
    assert learned.kind == NAMES[kind]
    assert learned.special_tokens == special
    assert learned.special.all() == set(range(5))
    assert len(learned.layout.between) == (2 if kind == "bpe" else 1)
    assert learned.special.pad == (1 if kind == "bpe" else 0)  # what the families' configs say
    assert learned.vocab_size == SIZES[kind]


@pytest.mark.parametrize("lowercase", [True, False])
def test_transformers_reads_what_was_learned(kind: str, lowercase: bool, tmp_path: Path) -> None:
    more = {} if kind == "bpe" else {"lowercase": lowercase}
    learned = train(TRAINING, settings(kind, **more))
    learned.save(tmp_path)
    own = (RobertaTokenizer if kind == "bpe" else AlbertTokenizer).from_pretrained(tmp_path)
    for theirs in (AutoTokenizer.from_pretrained(tmp_path), own):
        assert_equal(learned, theirs)
        assert_equal_masks(learned, theirs)


def test_mpnets_word_pieces_are_read_by_its_class(tmp_path: Path) -> None:
    config = TokenizerConfig(special_tokens="mpnet", vocab_size=300)
    learned = train(TRAINING, config)
    assert learned.kind == "WordPiece"
    assert [learned.id_to_token(i) for i in range(5)] == [
        "<s>",
        "<pad>",
        "</s>",
        "[UNK]",
        "<mask>",
    ]
    assert learned.special.pad == 1
    assert len(learned.layout.between) == 2
    plain = train(TRAINING, TokenizerConfig(vocab_size=300))
    assert set(plain.vocabulary()) - set(SpecialTokens().all()) == (
        set(learned.vocabulary()) - set(MPNET.all())
    )
    learned.save(tmp_path)
    for theirs in (
        AutoTokenizer.from_pretrained(tmp_path),
        MPNetTokenizer.from_pretrained(tmp_path),
    ):
        assert_equal(learned, theirs)
        assert_equal_masks(learned, theirs)


def test_no_known_word_is_unknown(kind: str) -> None:
    learned = train(TRAINING, settings(kind))
    for text in TRAINING[:50]:
        assert learned.special.unk not in learned.encode(text)


def test_the_order_of_the_texts_does_not_matter(kind: str) -> None:
    config = settings(kind)
    assert train(TRAINING, config).sha256 == train(iter(TRAINING[::-1]), config).sha256


def test_processes_and_threads_give_the_same_vocabulary(kind: str) -> None:
    program = (
        "from unmask.text.learn import train\n"
        "from unmask.text.config import TokenizerConfig\n"
        f"texts = {texts(7, 150)!r}\n"
        f"config = TokenizerConfig(kind={kind!r}, vocab_size={SIZES[kind]})\n"
        "print(train(texts, config).sha256)"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "RAYON_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "true"},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for threads in ("1", "2", "4")
    }
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("bpe", "limit_alphabet", 100),
        ("bpe", "lowercase", True),
        ("bpe", "strip_accents", True),
        ("bpe", "max_word_length", 50),
        ("unigram", "min_frequency", 3),
        ("unigram", "split_chinese_characters", True),
    ],
)
def test_a_setting_without_effect_is_refused(kind: str, name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"{name}: .* has no effect .* kind {kind}"):
        train(TRAINING, settings(kind, **{name: value}))


def test_asking_for_what_a_kind_does_anyway_is_no_mistake() -> None:
    train(TRAINING, settings("bpe", lowercase=False, strip_accents=None))


def test_too_small_a_vocabulary_and_no_word_are_named(kind: str) -> None:
    with pytest.raises(UsageError, match="too small"):
        train(TRAINING, settings(kind, vocab_size=20))
    with pytest.raises(DataError, match="found no word"):
        train(["", " \n"], settings(kind))


def test_an_alphabet_that_spells_no_word_is_named() -> None:
    with pytest.raises(UsageError, match=r"limit_alphabet: 1 keeps .* 2 distinct words"):
        train(["ab cd"], settings("unigram", limit_alphabet=1))


def test_a_text_that_allows_fewer_entries_says_so(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert train(["the cat the cat"], settings(kind, vocab_size=5000)).vocab_size < 5000
    assert "fewer than the 5000 asked for" in caplog.text
