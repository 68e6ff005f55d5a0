from __future__ import annotations

import re

import numpy as np
import pytest

from unmask.recipe.baselines.features import WORD, TextFeatures


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I don't, eh?", ["I", "don", "'", "t", ",", "eh", "?"]),
        ("naïve 3.5 %", ["naïve", "3", ".", "5", "%"]),
        ("我爱Paris塔", ["我", "爱", "Paris", "塔"]),
        ("カタカナ ab", ["カ", "タ", "カ", "ナ", "ab"]),
        ("\u200b", ["\u200b"]),
    ],
)
def test_words_are_letters_marks_and_characters_that_stand_alone(
    text: str, words: list[str]
) -> None:
    assert re.findall(WORD, text) == words


def test_one_text_is_its_words_and_pairs_of_words_by_their_rarity() -> None:
    features = TextFeatures.fit(["good film", "bad film"], None)

    rows = features(["good film", "good good unknown"], None).toarray()

    assert rows.shape == (2, 5)
    names = features.first.get_feature_names_out().tolist()
    assert names == ["bad", "bad film", "film", "good", "good film"]
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0)
    assert rows[0, names.index("good")] > rows[0, names.index("film")] > 0
    assert rows[1].nonzero()[0].tolist() == [names.index("good")]


def test_a_pair_knows_what_both_texts_share() -> None:
    texts, pairs = ["a red car", "a red car"], ["a red car", "no blue sky"]
    features = TextFeatures.fit(texts, pairs)

    same, other = features(texts, pairs).toarray()

    num_shared = len(features.shared.vocabulary_)
    common, different = slice(-2 * num_shared - 1, -num_shared - 1), slice(-num_shared - 1, -1)
    assert same[-1] == pytest.approx(1.0)
    assert other[-1] == 0.0
    assert not same[different].any()
    assert not other[common].any()
    assert (same[common] > 0).sum() == 3
    assert (other[different] > 0).sum() == 6
