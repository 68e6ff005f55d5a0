from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from unmask.recipe import charts
from unmask.recipe.charts import MOST_CLASSES, OTHERS, Bar
from unmask.tasks.metrics.calibration import reliability


def size_of(path: Path) -> tuple[int, int]:
    """Width and height in pixels."""
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def share_of(path: Path, color: str) -> float:
    """Of the picture's pixels."""
    pixels = imread(path)[:, :, :3]
    return float((np.abs(pixels - to_rgb(color)).max(axis=2) < 0.02).mean())


def drawn(counts: Any, names: list[str], path: Path) -> Path:
    charts.confusion(np.asarray(counts), names, "examples", path)
    return path


def test_of_few_classes_all_are_shown() -> None:
    counts = np.arange(9).reshape(3, 3)

    shown, names = charts.most_frequent(counts, ["a", "b", "c"])

    assert shown.tolist() == counts.tolist()
    assert names == ["a", "b", "c"]


def test_of_many_classes_the_rarest_are_added_up_and_none_is_lost() -> None:
    number = MOST_CLASSES + 5
    counts = np.random.default_rng(0).integers(1, 9, size=(number, number))
    rare = [0, 3, 7, 20, 34]
    counts[rare] = 0
    counts[rare, 11] = 1

    shown, names = charts.most_frequent(counts, [f"c{i}" for i in range(number)])

    assert names == [*(f"c{i}" for i in range(number) if i not in rare), OTHERS]
    assert shown.sum() == counts.sum()
    assert shown[:-1].sum() == counts.sum() - len(rare)
    assert shown[-1, names.index("c11")] == len(rare)
    assert shown[0, -1] == counts[1, rare].sum()


def test_a_long_name_keeps_both_ends() -> None:
    _, (name, other) = charts.most_frequent(np.eye(2, dtype=int), ["declined" * 5, "x" * 29])

    assert name == "declineddeclin…clineddeclined"
    assert other == "x" * 29


def test_a_perfect_model_has_a_dark_diagonal_and_a_bad_one_has_none(tmp_path: Path) -> None:
    right = drawn(np.eye(2, dtype=int) * 50, ["no", "yes"], tmp_path / "right.png")
    guessed = drawn(np.full((2, 2), 25), ["no", "yes"], tmp_path / "guessed.png")

    darkest = "#08306b"  # of the colour map
    assert share_of(right, darkest) > 0.2
    assert share_of(guessed, darkest) == 0.0


def test_a_confusion_grows_with_its_classes_up_to_the_most(tmp_path: Path) -> None:
    sizes = [
        size_of(
            drawn(np.eye(n, dtype=int), [f"class {i:02}" for i in range(n)], tmp_path / "c.png")
        )
        for n in (2, 12, 30, 200)
    ]

    assert sizes == sorted(sizes)
    assert all(width == height for width, height in sizes)
    assert sizes[2][0] > 30 * 55  # pixels that a cell with two lines of print takes
    assert sizes[3][0] < sizes[2][0] + 200


@pytest.mark.parametrize("name", ["$lost$", "a$b", "$", "体育", "📈", "back\\slash", "{x}_{y}^2"])
def test_any_name_can_be_drawn(name: str, tmp_path: Path) -> None:
    drawn(np.eye(2, dtype=int), [name, "other"], tmp_path / "confusion.png")
    charts.bars([("by name", [Bar(name, 0.5, 3)])], "F1", tmp_path / "bars.png")

    assert size_of(tmp_path / "confusion.png")[0] > 300
    assert size_of(tmp_path / "bars.png")[0] == 504


def test_a_class_that_never_occurs_has_an_empty_row(tmp_path: Path) -> None:
    path = drawn([[5, 0], [0, 0]], ["no", "yes"], tmp_path / "confusion.png")

    assert 0.1 < share_of(path, "#08306b") < 0.25


def test_reliability_has_a_bar_where_there_are_examples(tmp_path: Path) -> None:
    sure = np.array([0.95] * 8 + [0.65] * 4)
    probabilities = np.stack((1 - sure, sure), axis=1)
    labels = np.array([1] * 8 + [1, 1, 0, 0])

    charts.reliability(reliability(labels, probabilities, 10), "examples", tmp_path / "r.png")
    charts.reliability(
        reliability(labels[:8], probabilities[:8], 10), "examples", tmp_path / "one.png"
    )

    assert size_of(tmp_path / "r.png") == (660, 780)
    both, one = (share_of(tmp_path / name, charts.LIGHT) for name in ("r.png", "one.png"))
    assert both == pytest.approx(1.5 * one, rel=0.1)  # a bar of height 1, and one of 0.5


def test_numbers_are_drawn_where_they_lie(tmp_path: Path) -> None:
    given = np.linspace(0, 5, 40)

    charts.scatter(given, given, tmp_path / "right.png")
    charts.scatter(given, np.full(40, 2.5), tmp_path / "mean.png")
    charts.scatter(np.zeros(1), np.zeros(1), tmp_path / "alone.png")

    assert size_of(tmp_path / "right.png") == (660, 660)
    pictures = [imread(tmp_path / name) for name in ("right.png", "mean.png")]
    assert not np.array_equal(*pictures)
    assert size_of(tmp_path / "alone.png") == (660, 660)


def test_bars_stand_in_panels_of_their_own(tmp_path: Path) -> None:
    few, more = [Bar("a", 0.5, 3)], [Bar(f"b{i}", 1.0, 9) for i in range(10)]

    charts.bars([("one", few)], "F1", tmp_path / "one.png")
    charts.bars([("one", few), ("two", more)], "F1", tmp_path / "two.png")

    one, two = size_of(tmp_path / "one.png"), size_of(tmp_path / "two.png")
    assert two[0] == 2 * one[0]
    assert two[1] > one[1]


def test_curves_mark_the_best_score(tmp_path: Path) -> None:
    losses = {"loss": [(1, 0.9), (2, 0.5), (3, 0.4)]}

    charts.curves(losses, [(2, 0.8), (3, 0.7)], "accuracy", tmp_path / "both.png")
    charts.curves(losses, [], "accuracy", tmp_path / "losses.png")

    assert size_of(tmp_path / "both.png") == (960, 540)
    assert share_of(tmp_path / "both.png", charts.RED) > 0
    assert share_of(tmp_path / "losses.png", charts.RED) == 0


@pytest.mark.parametrize("number", [1, 3, 200])
def test_few_losses_are_marked_and_none_lies_on_the_edge(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Any] = []
    monkeypatch.setattr(charts, "_save", lambda figure, _: kept.append(figure))
    losses = [(10 * i, 0.6931 - 0.00001 * i) for i in range(1, number + 1)]

    charts.curves({"loss": losses}, [(17, 0.5), (34, 0.6)], "accuracy", tmp_path / "curves.png")

    axes, right = kept[0].axes
    marker = axes.get_lines()[0].get_marker()
    assert (marker == "o") == (number <= 50)
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] > 0.6931 * 1.03
    assert right.get_ylim()[0] < 0.5
    assert right.get_ylim()[1] > 0.6
