"""Whether a season that is known shows in the numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rnncli.data.guessing.season import season_shows


def months(swing: float, noise: float, rows: int = 144, seed: int = 0) -> list[float]:
    random = np.random.default_rng(seed)
    walk = noise * random.normal(size=rows).cumsum()
    return list(100 + swing * np.sin(2 * np.pi * np.arange(rows) / 12) + walk)


@pytest.mark.parametrize(("swing", "noise", "shows"), [(10, 0.5, True), (0.1, 1, False), (0, 1, False)])
def test_a_season_shows_where_the_one_before_tells_more_than_the_newest_value(swing, noise, shows):
    frame = pd.DataFrame({"y": [str(value) for value in months(swing, noise)]})
    assert season_shows(frame, (), ["y"], 12) is shows


def test_most_series_decide_in_both_layouts():
    columns = {f"s{n}": months(10 if n else 0, 0.5, seed=n) for n in range(3)}
    assert season_shows(pd.DataFrame(columns).astype(str), (), list(columns), 12)
    rows = pd.DataFrame(columns).melt(var_name="id", value_name="y").astype(str)
    assert season_shows(rows, ["id"], ["y"], 12)


def test_what_is_held_out_has_no_say():
    values = [*months(0, 1, rows=160), *months(50, 0, rows=40)]
    assert not season_shows(pd.DataFrame({"y": values}).astype(str), (), ["y"], 12)


@pytest.mark.parametrize(("rows", "season"), [(20, 12), (144, 1), (0, 12)])
def test_no_season_shows_in_too_few_rows_or_without_one(rows, season):
    frame = pd.DataFrame({"y": [str(value) for value in months(10, 0, rows)]}, dtype=str)
    assert not season_shows(frame, (), ["y"], season)


def test_empty_cells_are_passed_over():
    cells = [str(value) if row % 5 else "" for row, value in enumerate(months(10, 0))]
    assert season_shows(pd.DataFrame({"y": cells}), (), ["y"], 12)
