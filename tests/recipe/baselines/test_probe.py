from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from unmask.batch import pack
from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.examples import TaggedExample, TextExample
from unmask.recipe.baselines import probe
from unmask.tasks.classification import Classification
from unmask.tasks.config import ClassificationConfig, TaggingConfig
from unmask.tasks.tagging import Tagging


def texts(*given: str, pair: str | None = None) -> list[TextExample]:
    return [
        TextExample(str(i), text, pair, "yes" if i % 2 else "no", None, f"t:{i}")
        for i, text in enumerate(given)
    ]


def hidden(base: Bundle, ids: list[int], num_first: int | None = None) -> np.ndarray[Any, Any]:
    """(T, D) of one sequence by itself."""
    tokenizer = base.require_tokenizer()
    whole = [tokenizer.special.cls, *ids, tokenizer.special.sep]
    segments = [int(num_first is not None and i >= num_first) for i in range(len(whole))]
    with torch.no_grad():
        found: torch.Tensor = base.model.encoder(pack([whole], token_type_ids=[segments]))
    return found.numpy()


def plain(first: Any, train: Any) -> Any:
    """Vectors as they were before they were standardised."""
    return first * np.where(train.std(axis=0) == 0, 1, train.std(axis=0)) + train.mean(axis=0)


def test_a_text_is_the_mean_of_its_last_hidden_states(base: Bundle) -> None:
    examples = texts("the film was good", "bad", "which river flows north")
    task = Classification.begin(ClassificationConfig(), examples)
    reader = probe.Means(task, lambda _, windows: np.mean(windows, axis=0))

    first, other = probe.standardised(reader, examples, examples[1:], base)

    encode = base.require_tokenizer().encode
    expected = np.stack([hidden(base, encode(one.text)).mean(axis=0) for one in examples])
    np.testing.assert_allclose(first.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(first.std(axis=0), 1, atol=1e-4)
    np.testing.assert_allclose(plain(first, expected), expected, atol=1e-5)
    np.testing.assert_allclose(plain(other, expected), expected[1:], atol=1e-5)


def test_a_pair_is_read_together(base: Bundle) -> None:
    examples = texts("the film", "bad film", pair="was good")
    task = Classification.begin(ClassificationConfig(), examples)
    reader = probe.Means(task, lambda _, windows: np.mean(windows, axis=0))

    first, _ = probe.standardised(reader, examples, examples, base)

    tokenizer = base.require_tokenizer()
    second = [tokenizer.special.sep, *tokenizer.encode("was good")]
    ids = [tokenizer.encode(one.text) for one in examples]
    expected = [hidden(base, [*a, *second], len(a) + 2).mean(axis=0) for a in ids]
    np.testing.assert_allclose(plain(first, np.stack(expected)), expected, atol=1e-5)


def test_a_long_text_is_the_mean_of_its_windows(base: Bundle) -> None:
    examples = texts("bad " * 60, "good")
    task = Classification.begin(ClassificationConfig(stride=4), examples)
    reader = probe.Means(task, lambda _, windows: np.mean(windows, axis=0))

    first, _ = probe.standardised(reader, examples, examples, base)

    ids, other = (base.require_tokenizer().encode(one.text) for one in examples)
    assert len(ids) == 60
    windows = [hidden(base, part).mean(axis=0) for part in (ids[:46], ids[42:])]
    expected = np.stack([np.mean(windows, axis=0), hidden(base, other).mean(axis=0)])
    np.testing.assert_allclose(plain(first, expected), expected, atol=1e-5)


def test_a_word_is_the_hidden_state_of_its_first_piece(base: Bundle) -> None:
    words = ("good", "film")
    example = TaggedExample("0", "good film", ((0, 4), (5, 9)), ("A", "B"), "t:0")
    task = Tagging.begin(TaggingConfig(), [example, replace(example, tags=("B", "A"))])
    reader = probe.Rows(task, lambda _, windows: np.concatenate(windows))

    first, other = probe.standardised(reader, [example], [example, example], base)

    encode = base.require_tokenizer().encode
    pieces = [encode(word) for word in words]
    assert len(pieces[0]) > 1
    rows = hidden(base, [*pieces[0], *pieces[1]])
    expected = rows[[1, 1 + len(pieces[0])]]
    assert other.shape == (4, 32)
    np.testing.assert_allclose(plain(first, expected), expected, atol=1e-5)


def test_equal_vectors_stay_numbers(base: Bundle) -> None:
    examples = texts("good", "good")
    task = Classification.begin(ClassificationConfig(), examples)
    reader = probe.Means(task, lambda _, windows: np.mean(windows, axis=0))

    first, _ = probe.standardised(reader, examples, examples, base)

    assert np.isfinite(first).all()


@pytest.mark.parametrize(("most", "number"), [(100, 40), (30, 15), (1, 1)])
def test_training_examples_are_drawn_up_to_a_number_of_parts(most: int, number: int) -> None:
    examples = list(range(40))

    drawn = probe.drawn(examples, lambda _: 2, most)

    assert len(drawn) == len(set(drawn)) == number
    assert drawn == probe.drawn(examples, lambda _: 2, most)
    assert set(drawn) <= set(examples)
