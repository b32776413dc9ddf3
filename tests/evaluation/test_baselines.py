"""Baselines against their definitions, window by window."""

from __future__ import annotations

import numpy as np

from rnncli.data.panel import Columns, Panel
from rnncli.data.split import Part
from rnncli.evaluation.baselines import history, majority, naive, seasonal_naive
from rnncli.evaluation.evaluate import skill


def panel_of(*series: list[float]) -> Panel:
    values = np.concatenate([np.array(one, dtype=float) for one in series])[:, None]
    offsets = np.cumsum([0, *(len(one) for one in series)])
    return Panel(
        columns=("y",),
        ids=tuple((str(number),) for number in range(len(series))),
        offsets=offsets,
        times=np.arange(len(values)),
        values=values,
        observed=~np.isnan(values),
        source=np.arange(len(values)),
    )


def test_naive_repeats_the_newest_known_value() -> None:
    panel = panel_of([1, 2, np.nan, 4], [7, 8])
    past = history(panel, Columns(("y",)), Part(panel.offsets[:-1], panel.offsets[1:]))
    forecast = naive(past, np.array([3, 4, 6]), 2)
    assert forecast[:, :, 0].tolist() == [[2, 2], [4, 4], [8, 8]]


def test_seasonal_naive_repeats_the_newest_season_and_falls_back() -> None:
    panel = panel_of([1, 2, 3, 4, 5, 6, 7], [10, 20])
    past = history(panel, Columns(("y",), season=3), Part(panel.offsets[:-1], panel.offsets[1:]))
    forecast = seasonal_naive(past, np.array([6, 3, 2, 9]), 5)
    assert forecast[0, :, 0].tolist() == [4, 5, 6, 4, 5]
    assert forecast[1, :, 0].tolist() == [1, 2, 3, 1, 2]
    assert forecast[2, :, 0].tolist() == [2, 2, 2, 2, 2]
    assert forecast[3, :, 0].tolist() == [20, 20, 20, 20, 20]


def test_majority_gives_the_shares_of_the_training_series() -> None:
    panel = panel_of([0, 0], [1, 1], [1, 1], [2, 2])
    train = Part(panel.offsets[:-1], np.array([2, 4, 6, 6]))
    past = history(panel, Columns(("y",), labels=("a", "b", "c")), train)
    shares = majority(past, np.array([8]), 0)
    assert shares.tolist() == [[1 / 3, 2 / 3, 0.0]]


def test_skill_is_measured_against_the_best_baseline() -> None:
    baselines = {"naive": {"mae": 4.0, "accuracy": 0.5}, "other": {"mae": 2.0, "accuracy": 0.75}}
    result = skill({"mae": 1.0, "accuracy": 0.875}, baselines)
    assert result == {"mae": 0.5, "accuracy": 0.5}
    worse = skill({"mae": 3.0, "accuracy": 0.7}, baselines)
    assert worse["mae"] == -0.5
    assert worse["accuracy"] < 0
