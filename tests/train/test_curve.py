from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from unmask.train.curve import curves, draw, sketch

METRICS: list[dict[str, Any]] = [
    {"step": 1, "tokens": 500_000, "mlm_loss": 9.0},
    {"step": 2, "tokens": 1_000_000, "mlm_loss": 7.0},
    {"step": 2, "tokens": 1_000_000, "validation_mlm_loss": 6.5},
    {"step": 3, "tokens": 1_500_000, "skipped_steps": 3},
    {"step": 4, "tokens": 2_000_000, "mlm_loss": 5.0},
]


def plot(text: str) -> list[str]:
    """The drawing alone: what stands right of the axis."""
    return [line.split("│")[1] for line in text.splitlines() if "│" in line]


def test_curves_are_training_and_held_out_losses_by_tokens() -> None:
    training, held_out = curves(METRICS)

    assert training == [(500_000, 9.0), (1_000_000, 7.0), (2_000_000, 5.0)]
    assert held_out == [(1_000_000, 6.5)]


def test_the_drawing_is_a_png(tmp_path: Path) -> None:
    draw(METRICS, 6.0, tmp_path / "loss.png")

    content = (tmp_path / "loss.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", content[16:24]) == (960, 540)


def test_a_run_without_a_logged_loss_is_drawn_too(tmp_path: Path) -> None:
    draw([], 6.0, tmp_path / "loss.png")

    assert (tmp_path / "loss.png").stat().st_size > 1000
    assert sketch([], 6.0) == "(no loss was logged)"


def test_the_sketch_falls_from_left_to_right_over_its_own_scale() -> None:
    text = sketch(METRICS, 6.0, width=41, height=9)

    rows = plot(text)
    assert len(rows) == 9
    assert {len(row) for row in rows} == {41}
    marks = {(i, row.index("·")) for i, row in enumerate(rows) if "·" in row}
    assert marks == {(0, 10), (4, 20), (8, 40)}
    assert [i for i, row in enumerate(rows) if "─" in row] == [6]
    assert [i for i, row in enumerate(rows) if "●" in row] == [5]
    assert [line[:6].strip() for line in text.splitlines()][:9] == [
        *("9.00", "", "", "", "", "", "6.00", "", "5.00")
    ]
    assert "(2.00M tokens)" in text.splitlines()[-1]


@pytest.mark.parametrize("unigram_entropy", [1.0, 6.0, 20.0])
@pytest.mark.parametrize("losses", [[7.0], [7.0, 7.0], [7.0, 6.99]])
def test_the_sketch_holds_the_entropy_wherever_it_lies(
    losses: list[float], unigram_entropy: float
) -> None:
    metrics = [{"tokens": 100 * i, "mlm_loss": loss} for i, loss in enumerate(losses)]

    rows = plot(sketch(metrics, unigram_entropy))

    assert len(rows) == 12
    assert sum("─" in row for row in rows) == 1
    assert any("·" in row for row in rows)


def test_two_rates_of_masking_stand_beside_the_curves() -> None:
    assert "training (30 % hidden)" in sketch(METRICS, 6.0, rates=(0.3, 0.3, 0.15))
    assert "training (30 to 10 % hidden)" in sketch(METRICS, 6.0, rates=(0.3, 0.1, 0.15))
    assert "%" not in sketch(METRICS, 6.0, rates=(0.15, 0.15, 0.15))


def inked(metrics: list[dict[str, Any]], path: Path) -> int:
    """Pixels of the training curve's colour."""
    draw(metrics, 6.0, path)
    pixels = imread(path)[..., :3]
    blue = [0x9B / 255, 0xB8 / 255, 0xD3 / 255]
    return int((abs(pixels - blue).max(axis=-1) < 0.02).sum())


def test_a_single_point_and_a_run_off_the_scale_are_seen(tmp_path: Path) -> None:
    legend = inked(METRICS[2:3], tmp_path / "none.png")
    diverged = [{"tokens": 10**6 * i, "mlm_loss": 10.0**i} for i in range(1, 6)]

    assert inked(METRICS[:1], tmp_path / "one.png") > legend
    assert inked(diverged, tmp_path / "diverged.png") > legend + 200
    labels = sketch(diverged, 6.0)
    assert {len(line.split("│")[0]) for line in labels.splitlines() if "│" in line} == {7}
