"""Corpora of vocabularies in which a word's pieces depend on the blank before it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unmask.data.config import CorpusConfig
from unmask.data.prepare import prepare
from unmask.data.sentences import split_in_parts
from unmask.data.shards import Shards
from unmask.data.units import encode_all
from unmask.text.config import TokenizerConfig
from unmask.text.learn import train
from unmask.text.tokenizer import Tokenizer

TEXTS = [
    "The cat sat. The dog, too!  They sat on the mat.\nThen the cat left.\n\nIt was late.",
    "", "One.", "She said “no”. He left. 中文。中文。 The end.",
    "  The cat.  The dog. \n\n The mat. ",
]  # fmt: skip


@pytest.fixture(params=["bpe", "unigram"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    config = TokenizerConfig(kind=request.param, vocab_size=280 if request.param == "bpe" else 60)
    return train(TEXTS * 3, config)


def test_a_document_has_the_ids_of_its_text(tokenizer: Tokenizer) -> None:
    (unit,) = encode_all(TEXTS, tokenizer, workers=1)
    expected = [tokenizer.encode(text) for text in TEXTS if tokenizer.encode(text)]
    assert unit.tokens.tolist() == [i for ids in expected for i in ids]
    assert unit.document_ends.tolist() == np.cumsum([len(ids) for ids in expected]).tolist()
    assert unit.num_empty == 1


def test_sentences_end_where_their_text_does(tokenizer: Tokenizer) -> None:
    (unit,) = encode_all(TEXTS[:1], tokenizer, workers=1)
    sentences = [each for part in split_in_parts(TEXTS[0], 99) for each in part]
    bounds = [0, *unit.sentence_ends.tolist()]
    assert len(bounds) == len(sentences) + 1
    for sentence, start, stop in zip(sentences, bounds, bounds[1:], strict=False):
        written = "".join(tokenizer.decode(unit.tokens[start:stop].tolist()).lower().split())
        assert written == "".join(sentence.lower().split())


def test_a_corpus_is_prepared_and_read_back(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    for i, text in enumerate(TEXTS):
        (tmp_path / "text" / f"{i}.txt").write_text(text)
    report = prepare([tmp_path / "text"], tokenizer, tmp_path / "corpus", CorpusConfig())
    shards = Shards.open(tmp_path / "corpus")
    shards.verify()
    again = Tokenizer.load(shards.tokenizer_folder)
    assert again.sha256 == tokenizer.sha256
    assert report.unknown_rate == 0
    assert 1 <= report.tokens_per_word < 12
