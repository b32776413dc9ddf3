"""The recipes that ``init`` writes are those of the shipped configs."""

from __future__ import annotations

from pathlib import Path

import pytest

from rnncli.config.document import parse
from rnncli.config.recipes import REASONS, RECIPES, reason

ROOT = Path(__file__).resolve().parents[2]
SECTIONS = ("window", "model", "training")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_what_the_config_of_its_name_holds(name):
    path = ROOT / "configs" / f"{name}.yaml"
    shipped = parse(path.read_text(encoding="utf-8"), str(path)).values
    assert {section: shipped[section] for section in SECTIONS if section in shipped} == RECIPES[name]
    assert set(shipped) <= {"data", "task", "split", *SECTIONS}  # or a part of the recipe would not be written by init


@pytest.mark.parametrize("name", RECIPES)
def test_every_key_of_a_recipe_has_its_reason(name):
    keys = [f"{section}.{key}" for section, part in RECIPES[name].items() for key in part]
    assert all(0 < len(reason(name, key)) <= 75 for key in keys)


def test_every_reason_is_given():
    given = {"window.level", "panel: model.skip"}  # for the defaults around the season before
    for name, recipe in RECIPES.items():
        keys = [f"{section}.{key}" for section, part in recipe.items() for key in part]
        given |= {f"{name}: {key}" if f"{name}: {key}" in REASONS else key for key in keys}
    assert given == set(REASONS)
