"""Words keep their places: as pieces, in windows, and in raw text."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import BertTokenizerFast

from unmask.batch import IGNORED
from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.examples import TaggedExample
from unmask.data.labelled.reading import read_tagged
from unmask.data.labelled.words import joined
from unmask.data.rejects import Rejects
from unmask.tasks.words import Words, WordWindow, encode_words, windows, words_of
from unmask.text.config import TokenizerConfig
from unmask.text.layout import Layout
from unmask.text.special import SpecialIds, SpecialTokens
from unmask.text.tokenizer import Tokenizer
from unmask.text.wordpiece import build

PIECES = """[PAD] [UNK] [CLS] [SEP] [MASK] the cat sat un ##believ ##able ##s caf ##e do n t '
" ” “ ‘ ’ . , ! - 中 文 ❤ 😀 a b ##a ##b"""
VOCABULARY = {piece: i for i, piece in enumerate(PIECES.split())}
SPECIAL = SpecialIds(0, 1, 2, 3, 4)
LAYOUT = Layout.bert(2, 3)
ODD = [
    "“",
    "‘unbelievables",
    "”",
    "do",
    "n't",
    "\u00ad",
    "❤️",
    "️",
    "中文中",
    "café",
    "\x00",
    "[SEP]",
    "a" * 200,
]


def make_tokenizer() -> Tokenizer:
    return Tokenizer(build(VOCABULARY, TokenizerConfig(), SpecialTokens()), SpecialTokens())


TOKENIZER = make_tokenizer()


def sentence(words: list[str]) -> TaggedExample:
    return TaggedExample("1", *joined(words), None, "file:1")


any_words = st.lists(st.one_of(st.sampled_from(ODD), st.text(min_size=1, max_size=5)), max_size=9)


@settings(deadline=None, derandomize=True)
@given(st.lists(any_words, max_size=4))
@example([[], ODD, []])
@example([["\ud800", "a\n\x0bb", "\u2028"]])
def test_every_word_has_its_own_pieces_and_at_least_one(sentences: list[list[str]]) -> None:
    found = encode_words([sentence(words) for words in sentences], TOKENIZER)

    assert len(found) == len(sentences)
    for words, pieces in zip(sentences, found, strict=True):
        expected = [TOKENIZER.encode(word) or [SPECIAL.unk] for word in words]
        assert pieces.sizes.tolist() == [len(ids) for ids in expected]
        assert pieces.ids.tolist() == [i for ids in expected for i in ids]
        assert pieces.ids.dtype == np.int64


def theirs(tokenizer: Tokenizer, folder: Path) -> BertTokenizerFast:
    tokenizer.save(folder)
    return BertTokenizerFast.from_pretrained(folder)


def test_ids_are_those_of_transformers_for_words(tmp_path: Path) -> None:
    words = [word for word in ODD if word not in ("\u00ad", "️", "\x00", "[SEP]")]
    reference = theirs(TOKENIZER, tmp_path)(words, is_split_into_words=True)

    (found,) = encode_words([sentence(words)], TOKENIZER)

    assert found.ids.tolist() == reference["input_ids"][1:-1]
    numbers = np.repeat(np.arange(len(words)), found.sizes)
    assert numbers.tolist() == reference.word_ids()[1:-1]


@pytest.fixture(scope="module")
def real_tokenizer() -> Tokenizer:
    if "UNMASK_DATA" not in os.environ:
        pytest.skip("UNMASK_DATA is not set: no real words to encode")
    return Tokenizer.load(
        Path(os.environ["UNMASK_DATA"], "bert-assets", "bert-base-uncased-vocab.txt")
    )


@pytest.mark.parametrize(
    ("file", "num_words", "num_empty"),
    [("ud-ewt/en_ewt-ud-dev.conllu.gz", 25_147, 0), ("wnut17/emerging.dev.conll", 15_733, 4)],
    ids=["ud", "wnut"],
)
def test_real_words_have_the_ids_of_transformers(
    real_tokenizer: Tokenizer, tmp_path: Path, file: str, num_words: int, num_empty: int
) -> None:
    reference = theirs(real_tokenizer, tmp_path)
    path = Path(os.environ["UNMASK_DATA"], file)
    with Rejects(0.0) as rejects:
        sentences = list(read_tagged(path, LabelledConfig(), rejects))
    words = [[one.text[start:end] for start, end in one.words] for one in sentences]
    expected = reference(words, is_split_into_words=True, add_special_tokens=False)

    found = encode_words(sentences, real_tokenizer)

    for i, pieces in enumerate(found):
        numbers = np.repeat(np.arange(len(words[i])), pieces.sizes)
        known = set(expected.word_ids(i))
        is_known = np.isin(numbers, list(known))
        num_empty -= len(words[i]) - len(known)
        assert pieces.ids[is_known].tolist() == expected["input_ids"][i]
        assert (pieces.ids[~is_known] == real_tokenizer.special.unk).all()
    assert num_empty == 0  # variation selectors and the like, which transformers gives no token
    assert sum(map(len, words)) == num_words


sizes = st.lists(st.integers(1, 7), max_size=30)


def numbered(sizes: list[int]) -> Words:
    return Words(np.arange(10, 10 + sum(sizes)), np.array(sizes, dtype=np.int64))


def held(window: WordWindow, words: Words) -> list[int]:
    """Which words a window holds, all their pieces or none."""
    begin, end = window.input_ids[1] - 10, window.input_ids[-2] - 9
    edges = np.concatenate(([0], np.cumsum(words.sizes)))
    assert begin in edges
    assert end in edges
    return list(range(*np.searchsorted(edges, [begin, end])))


@settings(deadline=None, derandomize=True)
@given(sizes, st.integers(9, 20), st.integers(0, 6))
def test_windows_divide_no_word_and_judge_each_where_it_has_most_context(
    sizes: list[int], longest: int, stride: int
) -> None:
    words = numbered(sizes)
    ends = np.cumsum(sizes)
    found = windows(words, LAYOUT, longest, stride)

    assert found
    judged: list[int] = []
    contexts: dict[int, list[tuple[int, int]]] = {i: [] for i in range(len(sizes))}
    for number, window in enumerate(found):
        assert len(window.input_ids) == len(window.words) == len(window.is_first) <= longest
        assert window.input_ids[[0, -1]].tolist() == [SPECIAL.cls, SPECIAL.sep]
        assert window.words[[0, -1]].tolist() == [IGNORED, IGNORED]
        here = held(window, words) if sizes else []
        edges = np.array([ends[i] - sizes[i] for i in here] + [ends[here[-1]] if here else 0])
        for i in here:
            contexts[i].append((-min(ends[i] - sizes[i] - edges[0], edges[-1] - ends[i]), number))
        judged += window.words[window.is_first].tolist()
        assert np.isin(window.words[window.words != IGNORED], here).all()
    assert judged == list(range(len(sizes)))
    for i, options in contexts.items():
        best = found[min(options)[1]]
        assert (best.words == i).sum() == sizes[i]
    for before, after in pairwise(found):
        assert before.input_ids[-2] - after.input_ids[1] + 1 <= stride
        assert after.input_ids[-2] > before.input_ids[-2]


def test_neighbours_share_as_much_as_the_stride_allows() -> None:
    first, second, third = windows(numbered([1] * 12), LAYOUT, 8, 3)

    assert first.input_ids.tolist() == [2, *range(10, 16), 3]
    assert second.input_ids.tolist() == [2, *range(13, 19), 3]
    assert third.input_ids.tolist() == [2, *range(16, 22), 3]
    assert first.words.tolist() == [IGNORED, 0, 1, 2, 3, 4, IGNORED, IGNORED]
    assert second.words.tolist() == [IGNORED, IGNORED, IGNORED, 5, 6, 7, IGNORED, IGNORED]


def test_a_word_longer_than_a_window_is_cut() -> None:
    found = windows(numbered([2, 9, 1]), LAYOUT, 6, 0)

    assert [window.input_ids.tolist()[1:-1] for window in found] == [
        [10, 11], [12, 13, 14, 15], [21],
    ]  # fmt: skip
    assert [window.words[window.is_first].tolist() for window in found] == [[0], [1], [2]]


def test_a_text_without_words_is_one_window() -> None:
    (window,) = windows(numbered([]), LAYOUT, 8, 2)

    assert window.input_ids.tolist() == [2, 3]
    assert (window.words == IGNORED).all()


def test_a_stride_of_more_than_half_a_window_is_half_of_it() -> None:
    words = numbered([1] * 20)

    found, half = (windows(words, LAYOUT, 8, stride) for stride in (60, 3))

    assert [w.input_ids.tolist() for w in found] == [w.input_ids.tolist() for w in half]
    assert len(found) > 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The cat's “un-believable”.", "The cat ' s “ un - believable ” ."),
        (" I ❤️ you\u00a0😀\n", "I ❤️ you 😀"),
        ("中文abc文，a", "中 文 abc 文 ， a"),
        ("so\u00adft \u00ad \ud800", "so\u00adft \u00ad \ud800"),
        (" \t", ""),
    ],
)
def test_raw_text_falls_into_words(text: str, words: str) -> None:
    assert [text[start:end] for start, end in words_of(text, TOKENIZER)] == words.split(" ") * bool(
        words
    )


def test_ideographs_stay_together_where_the_tokenizer_lets_them() -> None:
    config = TokenizerConfig(split_chinese_characters=False)
    tokenizer = Tokenizer(build(VOCABULARY, config, SpecialTokens()), SpecialTokens())

    assert words_of("中文 a", tokenizer) == ((0, 2), (3, 4))


@settings(deadline=None, derandomize=True)
@given(
    st.text(
        st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from("中文 -.a❤️"), max_size=20
    )
)
def test_raw_words_are_the_text_and_have_its_ids(text: str) -> None:
    spans = words_of(text, TOKENIZER)

    assert "".join(text[start:end] for start, end in spans) == "".join(text.split())
    assert all(a < b for span in spans for a, b in pairwise(span))
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    ids = [i for start, end in spans for i in TOKENIZER.encode(text[start:end])]
    assert ids == TOKENIZER.encode(text)
