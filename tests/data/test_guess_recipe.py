"""Which recipe a table gets, and what of it changes with the rows there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from rnncli.config.recipes import RECIPES
from rnncli.config.schema import TaskName
from rnncli.data.guessing.guess import Findings, Inputs
from rnncli.data.guessing.keys import Keys
from rnncli.data.guessing.recipe import MANY_EPOCHS, MOST_STEPS, SMALL_BATCH, Plan, choose_recipe
from rnncli.data.guessing.sizes import fit_sizes
from rnncli.data.guessing.task import Choice


def plan(task: TaskName, lengths: Sequence[int], horizon: int | None = None, **found: Any) -> Plan:
    """The recipe for series of these lengths."""
    rows = np.array(lengths, dtype=np.int64)
    keys = Keys(None, None, None, ("id",) if len(rows) > 1 else (), rows, None, ())
    plain = {"season": 1, "in_values": False, "season_shows": False, "one_answer": False}
    findings = Findings(keys, Choice(task, ("y",), False, ""), False, Inputs(), (), rows, notes=(), **(plain | found))
    return choose_recipe(findings, fit_sizes(findings, horizon))


def keys_of(recipe: str) -> dict[str, Any]:
    return {f"{section}.{key}": value for section, part in RECIPES[recipe].items() for key, value in part.items()}


@pytest.mark.parametrize(
    ("lengths", "horizon", "recipe"),
    [
        ([17_420], 24, "long_horizon"),
        ([7_588] * 8, 96, "long_horizon"),
        ([7_588] * 300, 96, "long_horizon"),
        ([7_588] * 8, 720, None),  # too far ahead for so many rows
        ([17_420, 300], 24, None),  # one of them is short
        ([3_120], 12, None),
        ([144], 12, None),
        ([900] * 40, 24, "panel"),
        ([120] * 10, 12, "panel"),
        ([20] * 1200, 1, "panel"),
    ],
)
def test_a_recipe_for_forecasts(lengths, horizon, recipe):
    assert plan("forecasting", lengths, horizon, season=12).recipe == recipe


def test_rows_enough_take_the_recipe_as_it_is():
    assert plan("forecasting", [17_420] * 3, season=24).keys == keys_of("long_horizon")
    assert plan("forecasting", [1700] * 100, season=24).keys == keys_of("panel")
    assert plan("classification", [40] * 200, one_answer=True).keys == keys_of("classification")
    assert plan("regression", [200] * 30).keys == keys_of("regression")
    assert plan("tagging", [90] * 40).keys == keys_of("tagging")


def test_every_key_has_a_reason():
    for found in (plan("forecasting", [120] * 12, season=12), plan("regression", [12] * 9), plan("tagging", [300])):
        assert all(found.reasons[key] for key in found.keys)


@pytest.mark.parametrize(
    ("rows", "season", "context"),
    [
        (400, 12, "7 seasons"),
        (120, 12, "3 seasons"),
        (60, 12, "1 season"),
        (30, 12, 6),
        (36, 12, "1 season"),
        (900, 365, "1 season"),
        (600, 900, 96),
    ],
)
def test_a_panel_reads_as_many_seasons_as_leave_rows_to_learn_from(rows, season, context):
    found = plan("forecasting", [rows] * 20, horizon=6, season=season)
    assert found.keys["window.context"] == context
    assert ("model.segment" in found.keys) == ("model.skip" in found.keys) == isinstance(context, str)


def test_a_panel_without_a_season_speaks_of_none():
    found = plan("forecasting", [120] * 20, horizon=6)
    assert found.recipe == "panel"
    assert isinstance(found.keys["window.context"], int)
    assert "season" not in {value for value in found.keys.values() if isinstance(value, str)}
    assert "model.skip" not in found.keys


def test_few_windows_of_a_panel_are_seen_more_often_in_small_batches():
    few, many = (plan("forecasting", [120] * count, horizon=6, season=12).keys for count in (20, 900))
    assert (few["training.epochs"], few["training.batch_size"]) == (MANY_EPOCHS, SMALL_BATCH)
    assert many["training.batch_size"] == RECIPES["panel"]["training"]["batch_size"]
    assert "window.newest" not in few  # no series has so many windows


def test_a_clear_season_in_few_rows_is_gone_around():
    clear = plan("forecasting", [144], season=12, season_shows=True)
    assert (clear.recipe, clear.keys["model.skip"], clear.keys["window.level"]) == (None, "seasonal", False)
    for rows, season in ((30, 12), (360, 180)):  # one season, even if half of the rows, or the default, are less
        assert plan("forecasting", [rows] * 3, 2, season=season, season_shows=True).keys["window.context"] == season
    for other in ({"season_shows": False}, {"season_shows": True, "lengths": [3_000]}):
        lengths = other.pop("lengths", [144])
        assert "model.skip" not in plan("forecasting", lengths, season=12, **other).keys


@pytest.mark.parametrize("task", ["forecasting", "tagging"])
def test_an_epoch_of_a_huge_table_is_bounded(task):
    lengths = {"forecasting": [400] * 20_000, "tagging": [300] * 20_000}[task]
    steps = plan(task, lengths).keys["training.steps_per_epoch"]
    assert 20 <= steps <= MOST_STEPS


def test_sequences_with_labels_are_read_singly_if_short_and_in_fewer_steps_if_long():
    recipe = keys_of("classification")
    short, long = (plan("classification", [rows] * 50, one_answer=True).keys for rows in (7, 1_200))
    assert short == {key: value for key, value in recipe.items() if key != "model.segment"}
    assert long == recipe | {"training.steps_per_epoch": 20}


@pytest.mark.parametrize(("rows", "context"), [(200, 30), (40, 20), (3, 1), (1, 1)])
def test_regression_reads_half_of_a_sequence_at_most(rows, context):
    assert plan("regression", [rows] * 20).keys["window.context"] == context


def test_a_number_for_a_whole_sequence_is_told_by_all_of_it():
    keys = plan("regression", list(range(20, 40)), one_answer=True).keys
    assert keys["window.context"] == "full"
    assert plan("regression", [500], one_answer=True).keys["window.context"] == 30


@pytest.mark.parametrize(
    ("lengths", "context"), [([90] * 16, "full"), ([400], 96), ([40] * 3, 10), ([90_000] * 12, 96), ([2] * 4, 1)]
)
def test_tagging_reads_whole_sequences_where_there_are_several(lengths, context):
    assert plan("tagging", lengths).keys["window.context"] == context


def test_a_segment_that_does_not_fit_is_left_out(monkeypatch):
    monkeypatch.setitem(RECIPES["regression"]["model"], "segment", 5)
    assert plan("regression", [60] * 20).keys["model.segment"] == 5
    assert "model.segment" not in plan("regression", [12] * 20).keys
