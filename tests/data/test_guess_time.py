"""What a column of times means when nobody says it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rnncli.data import clock
from rnncli.data.guessing.rhythm import rhythm
from rnncli.data.guessing.time import is_time_of_day, read_time

DAYS = pd.date_range("2020-01-01", periods=60)
MONTHS = pd.date_range("2001-01-01", periods=40, freq="MS")


def column(values) -> pd.Series:
    return pd.Series([str(value) for value in values], dtype=str)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("%Y-%m-%d", False),
        ("%Y-%m-%dT%H:%M:%S", False),
        ("%Y%m%d", False),
        ("%d/%m/%Y", True),
        ("%d.%m.%Y", True),
        ("%d-%m-%y", True),
        ("%m/%d/%Y", True),
        ("%m/%d/%Y %I:%M %p", True),
        ("%d.%m.%Y %H:%M:%S", True),
        ("%d/%m/%Y %H.%M.%S", True),
        ("%d-%b-%Y", True),
        ("%B %d, %Y", True),
        ("%Y%m%d%H%M", True),
    ],
)
def test_every_form_is_read_back(form, told):
    found = read_time(column(DAYS.strftime(form)))
    assert found is not None
    assert (found.form, found.unit, found.told, found.doubtful) == (form, None, told, False)
    np.testing.assert_array_equal(found.times, DAYS.to_numpy().astype("datetime64[us]"))


@pytest.mark.parametrize("form", ["%Y-%m", "%Y/%m", "%Y%m", "%YM%m", "%b %Y", "%b-%y", "%m/%Y"])
def test_months(form):
    found = read_time(column(MONTHS.strftime(form)))
    assert found is not None
    assert found.form == form
    assert clock.step(found.times) == "MS"


@pytest.mark.parametrize(("unit", "size"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_numbers_since_1970(unit, size):
    found = read_time(column(1_577_836_800 * size + 3600 * size * hour for hour in range(20)))
    assert found is not None
    assert (found.form, found.unit, found.told) == (None, unit, True)
    assert found.times[1] == np.datetime64("2020-01-01T01:00")


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_several_offsets_are_those_of_a_zone(zone):
    hours = pd.date_range("2021-03-10", periods=500, freq="h", tz=zone)
    found = read_time(column(time.isoformat() for time in hours))
    assert found is not None
    assert (found.form, found.zone) == ("%Y-%m-%dT%H:%M:%S%z", zone)
    assert clock.step(found.times) == "h"


def test_offsets_of_no_zone_that_is_known_are_brought_to_utc():
    found = read_time(column(["2020-01-01T00:00:00+05:30", "2020-01-01T01:00:00+05:30", "2020-01-01T01:00:00+04:30"]))
    assert found is not None
    assert found.zone == "UTC"


def test_seconds_with_a_fraction():
    found = read_time(column([f"{1_577_836_800 + row * 0.5}" for row in range(20)]))
    assert found is not None
    assert (found.unit, clock.step(found.times)) == ("s", "500ms")


def test_day_first_is_seen_from_cells_above_12():
    found = read_time(column(DAYS.strftime("%d/%m/%Y")))
    assert found is not None
    assert found.remark == "day-first dates (%d/%m/%Y) seen from 36 cells above 12"


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y"])
def test_where_both_orders_fit_an_even_step_decides(form):
    found = read_time(column(MONTHS.strftime(form)))
    assert found is not None
    assert found.form == form
    assert "guessed" in found.remark
    assert not found.doubtful


def test_where_nothing_decides_it_is_said():
    found = read_time(column(["01/02/2020", "05/03/2020", "06/03/2020"]))
    assert found is not None
    assert found.form == "%d/%m/%Y"
    assert found.doubtful
    assert "%m/%d/%Y" in found.remark


@pytest.mark.parametrize(
    "cells",
    [["a", "b"], ["2020-01-01", ""], ["2020-01-01", "Total"], ["2020-02-30"], ["0000000001", "0000000002"], ["", ""]],
)
def test_what_is_no_time(cells):
    assert read_time(column(cells)) is None


@pytest.mark.parametrize(("cells", "form"), [(["1", "2", "3"], "integer"), (["0.5", "1.0"], "number")])
def test_numbers_of_steps(cells, form):
    found = read_time(column(cells))
    assert found is not None
    assert (found.form, found.calendar) == (form, False)


def test_time_of_day_is_told_from_a_date():
    assert is_time_of_day(column(["10:30:00", "23:59:59"]))
    assert is_time_of_day(column(["10:30", "11:30"]))
    assert not is_time_of_day(column(["2020-01-01", "2020-01-02"]))
    assert not is_time_of_day(column(["10", "11"]))


def one(times) -> tuple[str | None, int, bool]:
    array = np.asarray(times)
    found = rhythm(array, np.zeros(len(array), dtype=np.int64))
    return found.frequency, found.uneven, found.fits


def us(times) -> np.ndarray:
    return pd.DatetimeIndex(times).to_numpy().astype("datetime64[us]")


def test_even_steps():
    assert one(us(DAYS)) == ("1D", 0, True)
    assert one(us(MONTHS)) == ("MS", 0, True)
    assert one(np.arange(0, 50, 5)) == ("5", 0, True)
    assert one(us(DAYS)[::-1]) == ("1D", 0, True)


def test_skipped_rows_keep_the_frequency():
    assert one(np.delete(us(DAYS), [7, 20, 21])) == ("1D", 2, True)
    assert one(np.delete(us(MONTHS), [7, 20, 30])) == ("MS", 3, True)
    workdays = us(pd.bdate_range("2020-01-01", periods=100))
    assert one(np.delete(workdays, [33, 70])) == ("B", 2, True)


def test_a_clock_that_is_not_exact_has_a_round_frequency():
    jitter = np.random.default_rng(0).integers(-20, 20, 100).astype("timedelta64[s]")
    frequency, uneven, fits = one(us(pd.date_range("2020-01-01", periods=100, freq="5min")) + jitter)
    assert (frequency, fits) == ("5min", True)
    assert uneven > 90


def test_events_have_no_grid():
    seconds = np.cumsum(np.random.default_rng(0).exponential(300, 200).astype(int) + 1)
    frequency, _, fits = one(np.datetime64("2020-01-01", "us") + seconds.astype("timedelta64[s]"))
    assert (frequency, fits) == ("5min", False)


def test_a_grid_that_would_be_mostly_empty_does_not_fit():
    bursts = np.concatenate([np.arange(40), 10_000 + np.arange(40), 50_000 + np.arange(40)])
    assert one(bursts) == ("1", 2, False)


def test_each_series_has_its_own_steps():
    times = np.concatenate([np.arange(20), np.arange(3, 30), [5]])
    found = rhythm(times, np.repeat([0, 1, 2], [20, 27, 1]))
    assert (found.frequency, found.uneven) == ("1", 0)


@pytest.mark.parametrize("times", [[5], [5, 9]])
def test_few_rows(times):
    found = rhythm(np.array(times), np.zeros(len(times), dtype=np.int64))
    assert found.frequency == (None if len(times) == 1 else "4")
