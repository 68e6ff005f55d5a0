"""Every recipe of the repository is one that `unmask` accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from unmask.recipe import files
from unmask.recipe.config import Pretrain

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted((ROOT / "recipes").rglob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_has_known_keys_and_says_what_it_is_for(path: Path) -> None:
    recipe = files.load(path, {}, Pretrain)

    assert recipe.train.steps or recipe.train.minutes, "a recipe names its budget"
    assert path.read_text(encoding="utf-8").startswith("# ")
