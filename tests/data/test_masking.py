from __future__ import annotations

import doctest
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import chi2, chisquare

from unmask.batch import IGNORED, Batch, pack
from unmask.data import masking
from unmask.data.config import MaskingConfig
from unmask.data.masking import Masker, mask_tokens
from unmask.data.picking import spans
from unmask.errors import DataError

PAD, UNK, CLS, SEP, MASK = range(5)
FIRST_WORD = 5
UNITS = ["token", "word", "span"]


def vocabulary(
    size: int = 105, continuations: float = 0.0, mask: int | None = MASK
) -> SimpleNamespace:
    """Ids 0..4 are special; the last `continuations` of the rest go on with a word."""
    ids = np.arange(size)
    return SimpleNamespace(
        special=SimpleNamespace(mask=mask),
        is_special=ids < FIRST_WORD,
        is_continuation=ids >= size - round(continuations * (size - FIRST_WORD)),
    )


def random_batch(lengths: list[int], *, size: int = 105, seed: int = 0) -> Batch:
    generator = np.random.default_rng(seed)
    return pack(
        [[CLS, *generator.integers(FIRST_WORD, size, length).tolist(), SEP] for length in lengths],
        sample_ids=[100 + i for i in range(len(lengths))],
    )


def per_sequence(batch: Batch, values: torch.Tensor) -> list[list[int]]:
    return [part.tolist() for part in values.split(list(batch.lengths))]


def picked_counts(batch: Batch) -> list[int]:
    return [sum(i != IGNORED for i in part) for part in per_sequence(batch, batch.labels["mlm"])]


@pytest.mark.parametrize("unit", ["token", "span"])
@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 60), min_size=1, max_size=6),
    rate=st.floats(0.01, 0.99),
    seed=st.integers(0, 10),
)
def test_the_number_of_picked_positions_is_exact(
    unit: str, lengths: list[int], rate: float, seed: int
) -> None:
    config = MaskingConfig(rate=rate, unit=unit)
    masked = mask_tokens(random_batch(lengths), vocabulary(continuations=0.3), config, seed)
    assert picked_counts(masked) == [
        max(1, round(rate * length)) if length else 0 for length in lengths
    ]


@pytest.mark.parametrize("unit", UNITS)
def test_halves_round_to_the_even_neighbour(unit: str) -> None:
    masked = mask_tokens(random_batch([10, 14]), vocabulary(), MaskingConfig(rate=0.25, unit=unit))
    assert picked_counts(masked) == [2, 4]


@pytest.mark.parametrize("unit", UNITS)
def test_special_tokens_are_never_picked_and_never_drawn(unit: str) -> None:
    sequences = [[CLS, 10, UNK, 11, PAD, 12, SEP, 13, MASK, 14, SEP]] * 50
    batch = pack(sequences)
    config = MaskingConfig(rate=0.9, mask_share=0.0, random_share=1.0, unit=unit)
    masked = mask_tokens(batch, vocabulary(size=16), config)
    special = batch.input_ids < FIRST_WORD
    assert torch.equal(masked.input_ids[special], batch.input_ids[special])
    assert masked.labels["mlm"][special].eq(IGNORED).all()
    assert masked.input_ids[~special].ge(FIRST_WORD).all()
    assert picked_counts(masked) == [4] * 50  # round(0.9 * 5) = round(4.5)


@pytest.mark.parametrize("unit", UNITS)
def test_a_sequence_of_special_tokens_alone_gets_no_mask(unit: str) -> None:
    batch = pack([[CLS, SEP], [CLS, 9, SEP], [CLS, UNK, SEP]])
    masked = mask_tokens(batch, vocabulary(), MaskingConfig(unit=unit))
    assert picked_counts(masked) == [0, 1, 0]


@pytest.mark.parametrize("unit", UNITS)
def test_labels_are_the_original_ids_and_other_positions_stay(unit: str) -> None:
    batch = random_batch([40, 7, 90])
    masked = mask_tokens(batch, vocabulary(continuations=0.3), MaskingConfig(unit=unit))
    labels = masked.labels["mlm"]
    picked = labels != IGNORED
    assert torch.equal(labels[picked], batch.input_ids[picked])
    assert torch.equal(masked.input_ids[~picked], batch.input_ids[~picked])
    assert masked.input_ids.dtype == labels.dtype == torch.int64


def test_masking_changes_neither_its_input_nor_the_other_labels() -> None:
    batch = random_batch([40])
    before = batch.input_ids.clone()
    batch = Batch(**{**vars(batch), "labels": {"nsp": torch.tensor([1])}})
    masked = mask_tokens(batch, vocabulary())
    assert torch.equal(batch.input_ids, before)
    assert set(masked.labels) == {"nsp", "mlm"}
    assert set(batch.labels) == {"nsp"}


@pytest.mark.parametrize("unit", ["token", "word"])
def test_replacements_split_80_10_10(unit: str) -> None:
    batch = random_batch([126] * 500, size=5005)
    masked = mask_tokens(batch, vocabulary(5005, continuations=0.2), MaskingConfig(unit=unit))
    labels = masked.labels["mlm"]
    picked = labels != IGNORED
    ids, original = masked.input_ids[picked], labels[picked]
    total = int(picked.sum())
    num_masked, num_kept = int((ids == MASK).sum()), int((ids == original).sum())
    observed = [num_masked, total - num_masked - num_kept, num_kept]
    # One of 5,000 random tokens is the original by chance.
    shares = np.array([0.8, 0.1 * (1 - 1 / 5000), 0.1 * (1 + 1 / 5000)])
    assert chisquare(observed, shares * total).pvalue > 1e-3


def test_spans_are_replaced_80_10_10() -> None:
    batch = random_batch([66] * 4000, size=5005)
    masked = mask_tokens(batch, vocabulary(5005), MaskingConfig(unit="span"))
    # The first picked position of each sequence, for the positions of one span are not independent.
    picked = masked.labels["mlm"].ne(IGNORED).reshape(4000, 68)
    first = torch.arange(4000) * 68 + picked.int().argmax(dim=1)
    ids, original = masked.input_ids[first], masked.labels["mlm"][first]
    num_masked, num_kept = int((ids == MASK).sum()), int((ids == original).sum())
    observed = [num_masked, 4000 - num_masked - num_kept, num_kept]
    shares = np.array([0.8, 0.1 * (1 - 1 / 5000), 0.1 * (1 + 1 / 5000)])
    assert chisquare(observed, shares * 4000).pvalue > 1e-3


def test_the_split_is_a_setting() -> None:
    config = MaskingConfig(rate=0.5, mask_share=0.0, random_share=0.0)
    batch = random_batch([100])
    assert torch.equal(mask_tokens(batch, vocabulary(), config).input_ids, batch.input_ids)
    config = MaskingConfig(rate=0.5, mask_share=1.0, random_share=0.0)
    masked = mask_tokens(batch, vocabulary(), config)
    assert int((masked.input_ids == MASK).sum()) == 50


def test_every_position_is_picked_equally_often() -> None:
    masked = mask_tokens(random_batch([40] * 3000), vocabulary())
    counts = masked.labels["mlm"].reshape(3000, 42).ne(IGNORED).sum(0)[1:-1].numpy()
    assert counts.sum() == 3000 * 6
    # Picking without replacement spreads the counts less than chance by the factor 1 - 6/40, which
    # the statistic has to be divided by.
    expected = 3000 * 6 / 40
    statistic = float(((counts - expected) ** 2 / expected).sum()) / (1 - 6 / 40) * 39 / 40
    assert 1e-3 < chi2.sf(statistic, df=39) < 1 - 1e-3


def test_random_tokens_are_uniform_over_the_whole_vocabulary_without_specials() -> None:
    config = MaskingConfig(mask_share=0.0, random_share=1.0)
    masked = mask_tokens(random_batch([126] * 400, size=10), vocabulary(55), config)
    drawn = masked.input_ids[masked.labels["mlm"] != IGNORED].numpy()
    assert chisquare(np.bincount(drawn - FIRST_WORD, minlength=50)).pvalue > 1e-3


@pytest.mark.parametrize("unit", UNITS)
def test_a_mask_does_not_depend_on_the_batch_around_it(unit: str) -> None:
    batch = random_batch([40, 7, 90, 1, 33])
    masker = Masker(vocabulary(continuations=0.3), MaskingConfig(unit=unit), seed=3)
    together = masker(batch, np.array([0, 1, 0, 2, 1]))
    sequences = per_sequence(batch, batch.input_ids)
    order = [3, 0, 4, 1, 2]
    shuffled = masker(
        pack([sequences[i] for i in order], sample_ids=[100 + i for i in order]),
        np.array([0, 1, 0, 2, 1])[order],
    )
    for field in ("input_ids", "mlm"):
        whole, parts = (
            per_sequence(b, b.input_ids if field == "input_ids" else b.labels["mlm"])
            for b in (together, shuffled)
        )
        assert [whole[i] for i in order] == parts


@pytest.mark.parametrize("unit", UNITS)
def test_dynamic_masks_change_with_the_epoch_and_static_ones_do_not(unit: str) -> None:
    batch = random_batch([60, 60])
    dynamic = Masker(vocabulary(), MaskingConfig(unit=unit), seed=0)
    static = Masker(vocabulary(), MaskingConfig(unit=unit, dynamic=False), seed=0)
    assert not torch.equal(dynamic(batch, 0).labels["mlm"], dynamic(batch, 1).labels["mlm"])
    assert torch.equal(dynamic(batch, 0).input_ids, static(batch, 0).input_ids)
    assert torch.equal(static(batch, 0).input_ids, static(batch, 7).input_ids)


def test_the_seed_and_the_sample_change_the_mask() -> None:
    ids = [CLS, *range(10, 70), SEP]
    batch = pack([ids, ids], sample_ids=[1, 2])
    first, second = per_sequence(batch, mask_tokens(batch, vocabulary()).labels["mlm"])
    assert first != second
    other_seed = mask_tokens(batch, vocabulary(), seed=1)
    assert per_sequence(batch, other_seed.labels["mlm"])[0] != first


def words_of(batch: Batch, tokenizer: SimpleNamespace) -> np.ndarray:
    """(N,) the number of the word at each position, -1 at special tokens."""
    ids = batch.input_ids.numpy()
    special = tokenizer.is_special[ids]
    after_special = np.concatenate([[True], special[:-1]])
    opens = ~special & (after_special | ~tokenizer.is_continuation[ids])
    return np.where(special, -1, np.cumsum(opens) - 1)


def test_words_are_picked_whole_and_within_the_budget() -> None:
    tokenizer = vocabulary(continuations=0.4)
    batch = random_batch([80] * 50)
    masked = mask_tokens(batch, tokenizer, MaskingConfig(unit="word"))
    words = words_of(batch, tokenizer)
    picked = masked.labels["mlm"].ne(IGNORED).numpy()
    assert not set(words[picked]) & set(words[~picked])
    counts = picked_counts(masked)
    assert max(counts) == 12  # round(0.15 * 80)
    # Words are 1.7 pieces long: some single piece nearly always fills what is left.
    assert np.mean(counts) > 11.9


def test_single_piece_words_are_picked_exactly_and_uniformly() -> None:
    masked = mask_tokens(random_batch([20] * 2000), vocabulary(), MaskingConfig(unit="word"))
    assert set(picked_counts(masked)) == {3}
    counts = masked.labels["mlm"].reshape(2000, 22).ne(IGNORED).sum(0)[1:-1].numpy()
    assert chisquare(counts).pvalue > 1e-3


def test_a_word_longer_than_the_budget_is_skipped() -> None:
    # One word of nine pieces and eleven of one; the budget is round(0.15 * 20) = 3 pieces.
    long_word = [10, *[100] * 8]
    batch = pack([[CLS, *long_word, *range(20, 31), SEP]] * 200)
    masked = mask_tokens(batch, vocabulary(continuations=0.2), MaskingConfig(unit="word"))
    assert set(picked_counts(masked)) == {3}
    assert 10 not in masked.labels["mlm"].tolist()


def test_where_no_word_fits_one_is_picked_whole() -> None:
    batch = pack([[CLS, 10, 100, 100, 11, 101, 101, SEP]] * 20)
    masked = mask_tokens(batch, vocabulary(continuations=0.2), MaskingConfig(unit="word"))
    labels = [
        [i for i in part if i != IGNORED] for part in per_sequence(batch, masked.labels["mlm"])
    ]
    assert {tuple(part) for part in labels} == {(10, 100, 100), (11, 101, 101)}


def test_pieces_of_a_word_are_replaced_independently_and_spans_together() -> None:
    batch = pack([[CLS, *[10, *[100] * 5] * 10, SEP]] * 200)
    tokenizer = vocabulary(continuations=0.2)
    mixed = {}
    for unit in ("word", "span"):
        config = MaskingConfig(unit=unit, mask_share=0.5, random_share=0.0)
        masked = mask_tokens(batch, tokenizer, config)
        picked = masked.labels["mlm"].ne(IGNORED).numpy()
        words = words_of(batch, tokenizer)[picked]
        is_mask = masked.input_ids.numpy()[picked] == MASK
        shares = (
            np.bincount(words, is_mask)[np.unique(words)] / np.bincount(words)[np.unique(words)]
        )
        mixed[unit] = np.mean((shares > 0) & (shares < 1))
    assert mixed["word"] > 0.9
    # Only where two spans meet in one word can its pieces differ.
    assert mixed["span"] < 0.1


def test_spans_leave_few_long_runs_where_single_positions_leave_many_short_ones() -> None:
    run_lengths = {}
    for unit in ("token", "span"):
        masked = mask_tokens(random_batch([200] * 50), vocabulary(), MaskingConfig(unit=unit))
        picked = masked.labels["mlm"].ne(IGNORED).numpy()
        run_lengths[unit] = picked.sum() / (np.diff(picked.astype(int)) == 1).sum()
    assert run_lengths["token"] < 1.3  # 1 / (1 - 0.15), by chance
    assert run_lengths["span"] > 3.0


def test_drawn_span_lengths_follow_the_truncated_geometric_distribution() -> None:
    masker = Masker(vocabulary(), MaskingConfig(unit="span"), seed=0)
    batch = random_batch([4000] * 5)
    eligible = masker._eligible(batch, batch.input_ids.numpy(), 0)
    start, stop = spans(eligible)
    whole = np.flatnonzero(eligible.position < 3980)  # the rest may be cut by the sequence's end
    lengths = (stop - start)[whole]
    expected = 0.8 ** np.arange(10) * 0.2
    expected /= expected.sum()
    counts = np.bincount(lengths, minlength=11)[1:]
    assert chisquare(counts, expected * len(whole)).pvalue > 1e-3
    assert lengths.mean() == pytest.approx(3.8, abs=0.06)  # SpanBERT, section 3.1


def test_spans_begin_with_a_word_and_never_cross_a_special_token() -> None:
    tokenizer = vocabulary(continuations=0.4)
    masker = Masker(tokenizer, MaskingConfig(unit="span"), seed=0)
    batch = random_batch([9, 14, 30] * 20)
    eligible = masker._eligible(batch, batch.input_ids.numpy(), 0)
    start, stop = spans(eligible)
    rows = np.arange(len(start))
    assert eligible.opens_word[start].all()
    assert ((start <= rows) & (rows < stop)).all()
    assert (eligible.sequence[start] == eligible.sequence[stop - 1]).all()
    assert (eligible.index[stop - 1] - eligible.index[start] == stop - 1 - start).all()


def test_a_tokenizer_without_mask_token_is_refused() -> None:
    with pytest.raises(DataError, match=r"no mask token \(\[MASK\]\)"):
        Masker(vocabulary(mask=None), MaskingConfig(), seed=0)


def test_shares_that_exceed_one_are_refused_with_their_sum() -> None:
    with pytest.raises(ValidationError, match=r"0\.8 and random_share 0\.3 add up to 1\.1"):
        MaskingConfig(mask_share=0.8, random_share=0.3)


@pytest.mark.parametrize(("mask_share", "random_share"), [(0.9, 0.1), (0.7, 0.3), (1.0, 0.0)])
def test_shares_may_add_up_to_one(mask_share: float, random_share: float) -> None:
    config = MaskingConfig(mask_share=mask_share, random_share=random_share, rate=0.9)
    masked = mask_tokens(random_batch([400], size=5005), vocabulary(5005), config)
    picked = masked.labels["mlm"] != IGNORED
    assert masked.input_ids[picked].ne(masked.labels["mlm"][picked]).float().mean() > 0.99


def test_the_worked_example_holds() -> None:
    result = doctest.testmod(masking)
    assert result.attempted > 0
    assert result.failed == 0
