from __future__ import annotations

import numpy as np
import pytest

from unmask.batch import IGNORED, Batch
from unmask.data.loader import Cursor, split, step_batches
from unmask.data.windows import Window, WindowSource, collate

NEVER = np.zeros(100, dtype=np.int64)


def plain(number: int, **labels: np.ndarray) -> Window:
    """Two to five tokens, all with the window's number, of which the first is segment 0."""
    return Window(np.full(2 + number % 4, number), 1, labels)


def grouped(num_groups: int, size: int) -> list[Window]:
    """Windows whose group's number is its label."""
    return [
        Window(
            np.full(1 + (i * 7) % 4, i),
            1,
            {"group": np.array([i // size][: i % size == 0], dtype=np.int64)},
            group_size=size,
        )
        for i in range(num_groups * size)
    ]


def numbers(batch: Batch) -> list[int]:
    """The number of each sequence's window."""
    return batch.input_ids[batch.starts()].tolist()


def test_windows_are_packed_with_their_segments_and_labels() -> None:
    first = plain(1, token=np.array([7, 8, 9]), row=np.array([[0.5, 1.0]]), one=np.array([4]))
    second = plain(0, token=np.array([5, 6]), row=np.array([[0.0, 2.0]]), one=np.array([3]))

    batch = collate([first, second])

    assert batch.input_ids.tolist() == [1, 1, 1, 0, 0]
    assert batch.token_type_ids.tolist() == [0, 1, 1, 0, 1]
    assert batch.position_ids.tolist() == [0, 1, 2, 0, 1]
    assert (batch.lengths, batch.sample_ids.tolist(), batch.group_size) == ((3, 2), [0, 1], 1)
    assert batch.labels["token"].tolist() == [7, 8, 9, 5, 6]
    assert batch.labels["row"].tolist() == [[0.5, 1.0], [0.0, 2.0]]
    assert batch.labels["one"].tolist() == [4, 3]


def test_a_sample_is_a_window() -> None:
    source = WindowSource([plain(i) for i in range(5)])
    batch = source.batch(np.array([3, 0, 3]), NEVER[:3])
    assert len(source) == 5
    assert (numbers(batch), batch.sample_ids.tolist()) == ([3, 0, 3], [3, 0, 3])


def test_a_sample_of_grouped_windows_is_a_group() -> None:
    source = WindowSource(grouped(5, 3))
    batch = source.batch(np.array([4, 1]), NEVER[:2])

    assert len(source) == 5
    assert batch.group_size == 3
    assert numbers(batch) == [12, 13, 14, 3, 4, 5]
    assert batch.sample_ids.tolist() == [4, 4, 4, 1, 1, 1]
    assert batch.labels["group"].tolist() == [4, 1]
    assert collate(grouped(2, 3)[1:]).group_size == 1  # predictions are batched by length alone


def uneven(*sizes: int) -> list[Window]:
    """Groups of these sizes, each window with its own number and a grade and a class of it."""
    found = []
    for size in sizes:
        for _ in range(size):
            i = len(found)
            labels = {"grade": np.array([i / 2], np.float32), "class": np.array([i])}
            found.append(Window(np.full(2 + i % 3, i), 1, labels, group_size=size))
    return found


def test_groups_of_a_batch_are_filled_up_to_its_largest_one() -> None:
    source = WindowSource(uneven(2, 4, 1, 3))
    assert len(source) == 4

    batch = source.batch(np.array([3, 2]), NEVER[:2])

    assert (batch.group_size, batch.lengths) == (3, (3, 4, 2, 2, 1, 1))
    assert numbers(batch) == [7, 8, 9, 6, 6, 6]
    assert batch.sample_ids.tolist() == [3, 3, 3, 2, 2, 2]
    assert batch.labels["grade"][:4].tolist() == [3.5, 4.0, 4.5, 3.0]
    assert batch.labels["grade"][4:].isnan().all()
    assert batch.labels["class"].tolist() == [7, 8, 9, 6, IGNORED, IGNORED]
    alone = source.batch(np.array([2]), NEVER[:1])
    assert (alone.group_size, alone.lengths) == (1, (2,))


def test_uneven_groups_of_one_label_have_none_where_nothing_is() -> None:
    windows = [*grouped(1, 3), *grouped(1, 2)]
    batch = WindowSource(windows).batch(np.array([0, 1]), NEVER[:2])
    assert (batch.group_size, len(batch.lengths)) == (3, 6)
    assert batch.labels["group"].tolist() == [0, 0]


@pytest.mark.parametrize("micro_batch_tokens", [1, 9, 20, 1000])
def test_groups_stay_together_with_their_label(micro_batch_tokens: int) -> None:
    source = WindowSource(grouped(6, 3))
    whole = source.batch(np.arange(6), NEVER[:6])
    parts = split(whole, micro_batch_tokens)

    assert [i for part in parts for i in numbers(part)] == list(range(18))
    for part in parts:
        assert part.num_tokens <= micro_batch_tokens or len(part.lengths) == 3
        assert part.sample_ids.tolist()[::3] == part.labels["group"].tolist()
        assert [i // 3 for i in numbers(part)] == part.sample_ids.tolist()
    assert len(parts) == {1: 6, 1000: 1}.get(micro_batch_tokens, len(parts))


def test_groups_of_windows_of_one_token_keep_their_labels() -> None:
    windows = [
        Window(np.array([i]), 1, {"group": np.arange(i, i + 1 - i % 2)}, group_size=2)
        for i in range(6)
    ]
    parts = split(WindowSource(windows).batch(np.arange(3), NEVER[:3]), 2)
    assert [part.labels["group"].tolist() for part in parts] == [[0], [2], [4]]


def test_a_step_counts_groups_and_tells_each_sequence_its_epoch() -> None:
    seen: list[np.ndarray] = []

    def look(batch: Batch, epochs: np.ndarray, _progress: float) -> Batch:
        assert len(epochs) == len(batch.lengths)
        seen.append(epochs)
        return batch

    batches, cursor = step_batches(
        WindowSource(grouped(5, 2)),
        Cursor(0, 3),
        batch_size=4,
        micro_batch_tokens=1,
        seed=0,
        transform=look,
    )

    assert len(batches) == 4
    assert cursor == Cursor(1, 2)
    assert seen[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
