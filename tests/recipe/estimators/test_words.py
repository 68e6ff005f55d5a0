from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unmask import TokenTagger
from unmask.errors import DataError

TAGS = {"cat": "B-ANIMAL", "dog": "B-ANIMAL", "film": "B-THING"}


@pytest.fixture(scope="module")
def words(texts: list[str]) -> list[list[str]]:
    return [text.split() for text in texts]


@pytest.fixture(scope="module")
def tags(words: list[list[str]]) -> list[list[str]]:
    return [[TAGS.get(word, "O") for word in row] for row in words]


@pytest.fixture(scope="module")
def fitted(tiny_encoder: Path, words: list[list[str]], tags: list[list[str]]) -> TokenTagger:
    tagger = TokenTagger(str(tiny_encoder), epochs=6, batch_size=8, learning_rate=1e-2)
    return tagger.fit(words, tags)


def test_tags_are_learned(
    fitted: TokenTagger, words: list[list[str]], tags: list[list[str]]
) -> None:
    assert fitted.predict(words[:3]) == tags[:3]
    assert fitted.score(words, tags) > 0.9
    assert fitted.classes_.tolist() == ["O", "B-ANIMAL", "I-ANIMAL", "B-THING", "I-THING"]
    assert set(fitted.validation_scores_) > {"f1", "strict_f1"}


def test_every_word_has_a_tag_and_probabilities(fitted: TokenTagger) -> None:
    asked = [["the", "cat"], [], ["\u00ad", "film ", "🦊", "dog"]]

    tags, probabilities = fitted.predict(asked), fitted.predict_proba(asked)

    assert [len(row) for row in tags] == [2, 0, 4]
    assert [row.shape for row in probabilities] == [(2, 5), (0, 5), (4, 5)]
    for row, found in zip(tags, probabilities, strict=True):
        np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-6)
        assert fitted.classes_[found.argmax(axis=1)].tolist() == row
    assert fitted.predict([]) == fitted.predict_proba([]) == []


def test_plain_tags_are_scored_by_accuracy(tiny_encoder: Path, words: list[list[str]]) -> None:
    tags = [["V" if word == "was" else "N" for word in row] for row in words]

    tagger = TokenTagger(str(tiny_encoder), scheme="plain", epochs=4, learning_rate=1e-2)
    score = tagger.set_params(batch_size=8).fit(words, tags).score(words, tags)

    found = tagger.predict(words)
    pairs = [(a, b) for one, other in zip(tags, found, strict=True)
             for a, b in zip(one, other, strict=True)]  # fmt: skip
    assert score == pytest.approx(np.mean([a == b for a, b in pairs]))
    assert score > 0.9


def test_pickled_or_saved_and_loaded_it_predicts_the_same(
    fitted: TokenTagger, words: list[list[str]], tmp_path: Path
) -> None:
    before = fitted.predict_proba(words)
    fitted.save(tmp_path / "model")

    for copy in (pickle.loads(pickle.dumps(fitted)), TokenTagger.load(tmp_path / "model")):
        assert copy.predict(words) == fitted.predict(words)
        assert (copy.classes_ == fitted.classes_).all()
        for one, other in zip(copy.predict_proba(words), before, strict=True):
            assert (one == other).all()


@pytest.mark.parametrize(
    ("X", "y", "said"),
    [
        (["the cat", "a dog"], [["O"], ["O"]], r"X\[0\]: is str; expected a list of words"),
        ([["a", ""], ["b"]], [["O", "X"], ["O"]], r"X\[0\]\[1\]: is ''; expected a word"),
        ([["a", 3], ["b"]], [["O", "X"], ["O"]], r"X\[0\]\[1\]: is 3; expected a word"),
        ([["a"], ["b", "c"]], [["O"], ["X"]], r"y\[1\]: 1 tags for 2 words"),
        ([["a"]] * 20, [["O"]] * 20, "same tag"),
        ([["a"], ["b"]], [["O"], ["X"]], "The parameter is validation_fraction"),
        ([["a"]], [["O"]], "1 sample to fit on"),
    ],
)
def test_what_cannot_be_learned_is_told(X: Any, y: Any, said: str, tiny_encoder: Path) -> None:
    with pytest.raises(DataError, match=said):
        TokenTagger(str(tiny_encoder)).fit(X, y)
