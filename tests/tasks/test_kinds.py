"""Byte-level BPE and Unigram vocabularies, and layouts other than BERT's, in every task."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unmask.batch import IGNORED, pack
from unmask.data.config import MaskingConfig
from unmask.data.labelled.examples import Answer, TaggedExample
from unmask.data.masking import mask_tokens
from unmask.tasks.encoding import pair, single
from unmask.tasks.qa_windows import encode_contexts, token_span, windows_of
from unmask.tasks.words import encode_words, windows, words_of
from unmask.text.config import TokenizerConfig
from unmask.text.layout import Layout
from unmask.text.learn import train
from unmask.text.tokenizer import Tokenizer

TEXTS = [
    "Paris is the capital of France, and Lyon is not.",
    "The unbelievable cat sat on the capital mat.",
    "“Was it late?” she asked; nobody in the café knew.",
]
ROBERTA_LAYOUT = Layout((0,), (2, 2), (2,))


@pytest.fixture(scope="module", params=["bpe", "unigram"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    size = 290 if request.param == "bpe" else 60
    return train(TEXTS * 3, TokenizerConfig(kind=request.param, vocab_size=size))


def test_pairs_have_two_separators_between_them_and_lose_no_token() -> None:
    a, b = np.arange(10, 30), np.arange(40, 45)
    seen: set[int] = set()
    for window in pair(a, b, ROBERTA_LAYOUT, 16, 3):
        ids = window.input_ids.tolist()
        assert len(ids) <= 16
        assert ids[0] == 0
        assert ids[window.num_first - 2 :] == [2, 2, *b.tolist(), 2]
        seen |= set(ids)
    assert seen == {0, 2, *a.tolist(), *b.tolist()}
    (alone,) = single(a, ROBERTA_LAYOUT, 22, 3)
    assert alone.input_ids.tolist() == [0, *a.tolist(), 2]


def test_whole_words_are_masked_whole(tokenizer: Tokenizer) -> None:
    config = MaskingConfig(unit="word", rate=0.4, mask_share=1.0, random_share=0.0)
    whole = [tokenizer.layout.single(tokenizer.encode(text)).tolist() for text in TEXTS]
    some = False
    for seed in range(20):
        masked = mask_tokens(pack(whole), tokenizer, config, seed=seed)
        is_masked = masked.labels["mlm"] != IGNORED
        assert is_masked.any()
        for part, ids in zip(is_masked.split(list(masked.lengths)), whole, strict=True):
            goes_on = torch.from_numpy(tokenizer.is_continuation[ids])
            for i in range(2, len(ids) - 1):
                if goes_on[i]:
                    assert part[i] == part[i - 1], tokenizer.id_to_token(ids[i])
                    some = some or bool(part[i])
    assert some


def test_an_answer_is_found_without_the_blank_before_it(tokenizer: Tokenizer) -> None:
    text = TEXTS[0]
    context = encode_contexts([text], tokenizer)[text]
    answer = Answer("capital", start=text.index("capital"))
    first, last = token_span(context.places, answer)
    assert (context.places[first, 0], context.places[last, 1]) == (answer.start, answer.start + 7)
    question = np.array(tokenizer.encode("Which one?"))
    layout = tokenizer.layout
    longest = len(question) + layout.pair_cost + 12
    found = 0
    for window in windows_of(question, context, (first, last), layout, longest, 4):
        assert window.places is not None
        assert len(window.places) == len(window.input_ids) <= longest
        inside = window.places[:, 0] >= 0
        assert inside.sum() == len(window.input_ids) - len(question) - layout.pair_cost
        start, end = (int(window.labels[name][0]) for name in ("start", "end"))
        if start:
            found += 1
            assert (window.places[start, 0], window.places[end, 1]) == (
                answer.start,
                answer.start + 7,
            )
    assert found


def test_words_keep_their_place_in_every_kind(tokenizer: Tokenizer) -> None:
    for text in TEXTS:
        spans = words_of(text, tokenizer)
        assert "".join(text[i:j] for i, j in spans) == "".join(text.split())
        assert all(text[i:j].isalnum() or j - i == 1 for i, j in spans)
        (words,) = encode_words([TaggedExample("x", text, spans, None, "file:1")], tokenizer)
        assert len(words.sizes) == len(spans)
        (window,) = windows(words, tokenizer.layout, 200, 0)
        judged = window.words[window.words != IGNORED]
        assert sorted(set(judged.tolist())) == list(range(len(spans)))
        assert window.is_first.sum() == len(spans)
        assert window.input_ids.tolist() == tokenizer.layout.single(words.ids).tolist()
