from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unmask.errors import UsageError
from unmask.recipe.config import Pretrain
from unmask.recipe.files import load


@pytest.fixture
def recipe_file(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def message_of(path: Path | None, flags: dict[str, Any]) -> str:
    with pytest.raises(UsageError) as caught:
        load(path, flags, Pretrain)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_without_a_file_and_flags_there_are_the_defaults() -> None:
    assert load(None, {}, Pretrain) == Pretrain()


def test_flags_win_over_the_file_key_by_key(recipe_file: Callable[[str], Path]) -> None:
    path = recipe_file(
        'preset = "small"\n[train]\nbatch_size = 8\nseed = 3\n[model]\nhidden_size = 64\n'
        "num_attention_heads = 2\n"
    )

    recipe = load(
        path, {"train": {"seed": 4}, "model": {"hidden_size": 32}, "dropout": 0.0}, Pretrain
    )

    assert (recipe.preset, recipe.dropout) == ("small", 0.0)
    assert (recipe.train.batch_size, recipe.train.seed) == (8, 4)
    assert recipe.model == {"hidden_size": 32, "num_attention_heads": 2}


@pytest.mark.parametrize(
    ("written", "flags", "expected"),
    [
        ("minutes = 5.0", {"steps": 9}, (9, None)),
        ("steps = 5", {"minutes": 2.0}, (None, 2.0)),
        ("steps = 5", {}, (5, None)),
        ("steps = 5", {"steps": 6}, (6, None)),
    ],
)
def test_a_budget_by_flag_replaces_the_files(
    written: str,
    flags: dict[str, Any],
    expected: tuple[int | None, float | None],
    recipe_file: Callable[[str], Path],
) -> None:
    recipe = load(recipe_file(f"[train]\n{written}\n"), {"train": flags}, Pretrain)

    assert (recipe.train.steps, recipe.train.minutes) == expected


def test_two_budgets_in_one_place_are_refused(recipe_file: Callable[[str], Path]) -> None:
    path = recipe_file("[train]\nsteps = 5\nminutes = 1.0\n")
    explained = "`train`: steps and minutes are both set: expected one budget, drop either."

    assert message_of(path, {}) == f"{path}: {explained}"
    assert message_of(None, {"train": {"steps": 1, "minutes": 1.0}}) == f"settings: {explained}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[train]\nsedd = 3\n", " [train]: unknown key `sedd`. Did you mean `seed`?"),
        (
            "[model]\nhiden_size = 3\n",
            " [model]: unknown key `hiden_size`. Did you mean `hidden_size`?",
        ),
        ("[masking]\nunits = 1\n", " [masking]: unknown key `units`. Did you mean `unit`?"),
        ("[optimizer]\n", ": unknown key `optimizer`. Did you mean `optim`?"),
        ("zzz = 1\n", ": unknown key `zzz`."),
    ],
)
def test_an_unknown_key_names_its_table_and_the_nearest_right_one(
    text: str, expected: str, recipe_file: Callable[[str], Path]
) -> None:
    path = recipe_file(text)

    assert message_of(path, {}) == f"{path}{expected}"


def test_every_fault_has_a_line_with_what_was_found(recipe_file: Callable[[str], Path]) -> None:
    path = recipe_file('dropout = 2.0\n[train]\nsteps = 0\nprecision = "fp8"\n')

    lines = message_of(path, {}).splitlines()

    assert lines == [
        f"{path}: `dropout` 2.0: expected less than 1.",
        f"{path} [train]: `steps` 0: expected 1 or more.",
        f"{path} [train]: `precision` 'fp8': expected 'fp32', 'bf16' or 'auto'.",
    ]


def test_a_model_with_too_few_positions_names_the_setting(
    recipe_file: Callable[[str], Path],
) -> None:
    path = recipe_file("[model]\nmax_position_embeddings = 64\n")

    assert message_of(path, {}) == (
        f"{path}: train.sequence_length is 128, but the model has only 64 positions: "
        "set max_position_embeddings to 128 in the table [model] of a recipe, or a shorter "
        "--train.sequence-length."
    )


def test_a_file_that_is_missing_or_broken_is_named(
    tmp_path: Path, recipe_file: Callable[[str], Path]
) -> None:
    missing = tmp_path / "missing.toml"
    assert message_of(missing, {}) == f"{missing}: cannot be read (No such file or directory)."
    assert "Is a directory" in message_of(tmp_path, {})
    broken = recipe_file("[train\nsteps = 3\n")
    assert message_of(broken, {}).startswith(f"{broken}: is no valid TOML: ")
    broken.write_bytes(b"preset = '\xff'\n")
    assert message_of(broken, {}).startswith(f"{broken}: is no valid TOML: ")


def test_a_recipe_named_without_its_folder_or_ending_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "quick.toml").write_text("dropout = 0.0\n")
    monkeypatch.chdir(tmp_path)

    assert "Did you mean recipes/quick.toml?" in message_of(Path("quick"), {})
    assert "Did you mean recipes/quick.toml?" in message_of(Path("recipes/quick"), {})
    assert "Did you mean" not in message_of(Path("slow"), {})


def test_a_value_that_came_by_a_flag_is_named_by_it(recipe_file: Callable[[str], Path]) -> None:
    path = recipe_file("dropout = 0.5\n[train]\nsteps = 0\n")

    assert message_of(path, {"dropout": 1.5, "train": {"batch_size": 0}}).splitlines() == [
        "--dropout 1.5: expected less than 1.",
        f"{path} [train]: `steps` 0: expected 1 or more.",
        "--train.batch-size 0: expected 1 or more.",
    ]
