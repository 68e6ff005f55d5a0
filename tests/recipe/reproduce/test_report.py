from __future__ import annotations

from typing import Any

from unmask.recipe.reproduce.report import markdown


def row(
    data: str, mean: float, interval: tuple[float, float], baselines: dict[str, float]
) -> dict[str, Any]:
    return {
        "data": data,
        "parts": "as published",
        "start": "pretrained",
        "train_examples": 1000,
        "test_examples": 200,
        "seeds": [0],
        "missing_seeds": 0,
        "learning_rate": None,
        "scores": {"accuracy": {"mean": mean, "spread": None, "interval": interval}},
        "baselines": {name: {"accuracy": value} for name, value in baselines.items()},
        "published": [],
    }


def shown(*rows: dict[str, Any]) -> str:
    versions = {"unmask": "0", "torch": "0", "python": "0"}
    return markdown(
        {
            "table": "tasks-all",
            "title": "Some",
            "model": "model",
            "rows": list(rows),
            "skipped": {},
            "versions": versions,
        }
    )


def test_baselines_of_one_kind_share_a_column() -> None:
    texts = {"majority": 0.5, "tf-idf + logistic regression": 0.7, "linear probe": 0.75}
    words = {
        "majority": 0.1,
        "majority of each word": 0.4,
        "word features + logistic regression": 0.6,
    }

    page = shown(row("A", 0.9, (0.85, 0.95), texts), row("B", 0.8, (0.75, 0.85), words))

    assert "| 95 % interval | one answer | words alone | linear probe |" in page
    assert "| 85.0 to 95.0 | 50.0 | 70.0 | 75.0 |" in page
    assert "| 75.0 to 85.0 | 40.0 | 60.0 |  |" in page


def test_rows_whose_interval_reaches_a_baseline_are_named() -> None:
    above = row("Clear", 0.9, (0.85, 0.95), {"majority": 0.5, "linear probe": 0.84})
    within = row("Doubtful", 0.8, (0.74, 0.86), {"majority": 0.5, "linear probe": 0.75})

    assert "Not clearly better than the best baseline: Doubtful." in shown(above, within)
    assert "Not clearly" not in shown(above)
