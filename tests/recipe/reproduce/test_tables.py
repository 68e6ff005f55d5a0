from __future__ import annotations

import typing

import pytest

from unmask.cli import reproducing
from unmask.recipe.reproduce.datasets import DATA_SETS
from unmask.recipe.reproduce.objectives import TABLE as OBJECTIVES
from unmask.recipe.reproduce.tables import GROUPS, TABLES


@pytest.mark.parametrize("name", TABLES)
def test_every_row_is_a_recipe_with_a_folder_of_its_own(name: str) -> None:
    rows = TABLES[name].rows
    recipes = [row.settings(7) for row in rows]

    assert len({row.name for row in rows}) == len(rows)
    assert {recipe.train.seed for recipe in recipes} == {7}
    for row, recipe in zip(rows, recipes, strict=True):
        assert recipe.task == DATA_SETS[row.data].task
        assert recipe.metric == DATA_SETS[row.data].shown[0]


def test_every_data_set_is_in_the_table_of_all_tasks_beside_baselines() -> None:
    rows = TABLES["tasks-all"].rows

    assert [row.data for row in rows] == list(DATA_SETS)
    assert all(row.settings(0).baselines for row in rows)
    assert {row.settings(0).max_examples for row in rows} == {3000}


def test_the_few_are_a_thousand_examples_three_epochs_and_seeds() -> None:
    for row in TABLES["tasks-few"].rows:
        recipe = row.settings(0)
        assert (recipe.max_examples, recipe.train.epochs, row.seeds) == (1000, 3, 3)


def test_the_command_takes_every_name() -> None:
    assert typing.get_args(reproducing.Name) == (*GROUPS, OBJECTIVES, *reproducing.SENTENCES)
    assert {name for names in GROUPS.values() for name in names} == set(TABLES)
