"""The time column: read and written in its own form, continued by its own step, with the season that follows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tables_as_text import as_csv, make_rows, with_times

from rnncli.data import clock

EVEN = ["s", "15s", "min", "5min", "15min", "30min", "h", "2h", "6h", "8h", "12h", "D", "2D", "7D", "10D", "14D"]
CALENDAR = ["B", "MS", "ME", "QS", "QE", "YS", "YE", "2MS", "2ME", "3ME", "QS-FEB", "QE-NOV", "YE-JUN", "BME", "BMS"]
STAMPS = st.datetimes(pd.Timestamp(1950, 1, 1).to_pydatetime(), pd.Timestamp(2100, 1, 1).to_pydatetime()).map(
    lambda time: pd.Timestamp(time).floor("s")
)


def _series(texts: list[str]) -> pd.Series:
    return pd.Series(texts, dtype=str)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2020-01-31", "%Y-%m-%d"), ("2020-01-31 14:30:00", "%Y-%m-%d %H:%M:%S"),
        ("2020-01-31T14:30:00", "%Y-%m-%dT%H:%M:%S"),
        ("2020-01-31 14:30", "%Y-%m-%d %H:%M"), ("2020-01-31T14:30", "%Y-%m-%dT%H:%M"), ("2020-01", "%Y-%m"),
        ("2020/01/31", "%Y/%m/%d"),
        ("2020/01/31 14:30:00", "%Y/%m/%d %H:%M:%S"), ("2020/01/31 14:30", "%Y/%m/%d %H:%M"),
        ("2020-01-31 14:30:00.125", "%Y-%m-%d %H:%M:%S.%f"),
        ("2020-01-31T14:30:00.125", "%Y-%m-%dT%H:%M:%S.%f"), ("2020-01-31T14:30:00Z", "%Y-%m-%dT%H:%M:%SZ"),
        ("2020-01-31 14:30:00+0100", "%Y-%m-%d %H:%M:%S%z"), ("2020-01-31T14:30:00+01:00", "%Y-%m-%dT%H:%M:%S%z"),
        ("20200131", "%Y%m%d"),
        ("Jan 2020", "%b %Y"), ("January 2020", "%B %Y"), ("31 Jan 2020", "%d %b %Y"), ("0", clock.INTEGER),
        ("17", clock.INTEGER),
        ("-5", clock.INTEGER), (" 3 ", clock.INTEGER), ("1949", clock.INTEGER), ("0.5", clock.NUMBER),
        ("1e3", clock.NUMBER), ("-0.25", clock.NUMBER),
        ("10000000", clock.INTEGER), ("20201301", clock.INTEGER), ("99999999", clock.INTEGER),
    ],
)  # fmt: skip
def test_a_form_is_recognised_by_its_first_cell(text, form):
    assert clock.recognise(text)[0] == form


@pytest.mark.parametrize(
    "text",
    ["", "Total", "NA", "31/01/2020", "01/02/2020", "1.2.2020", "2020-02-30", "2020-13-01", "2020-01-31 24:00",
        "2020-W05", "2020Q1", "1577836800", "1577836800000", "2020-01-31 14:30:60", "2020-01-31T14:30:00 Europe/Berlin",
        "noon"],
)  # fmt: skip
def test_what_is_no_time_for_certain_is_refused(text):
    with pytest.raises(clock.TimeError) as caught:
        clock.recognise(text)
    assert caught.value.row == 0
    assert caught.value.hint


@pytest.mark.parametrize(
    "form", [form.replace("%z", "+01:00") for form in clock.FORMATS] + ["%d/%m/%Y", "%m/%d/%Y %H:%M", "%Y", "%j/%Y"]
)
@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(times=st.lists(STAMPS, min_size=1, max_size=6))
def test_what_is_written_is_read_back(form, times):
    stamps = pd.DatetimeIndex(times).to_numpy(dtype="datetime64[us]")
    texts = clock.write(stamps, form)
    found = clock.read(_series(texts), form)
    assert clock.write(found, form) == texts
    if "%S" in form:
        np.testing.assert_array_equal(found, stamps)


@pytest.mark.parametrize(
    ("texts", "form"),
    [(["1", "2", "30"], clock.INTEGER), (["-1", "0", "1"], clock.INTEGER), (["0.1", "0.2", "1e-05"], clock.NUMBER)],
)
def test_numbers_are_written_as_they_were(texts, form):
    assert clock.write(clock.read(_series(texts), form), form) == texts


@pytest.mark.parametrize(
    ("texts", "form", "row"),
    [
        (["1", "2", "x"], clock.INTEGER, 2), (["1", "2.5"], clock.INTEGER, 1), (["1", ""], clock.INTEGER, 1),
        (["1", "1e3"], clock.INTEGER, 1), (["1", "9" * 19], clock.INTEGER, 1), (["0.5", "nan"], clock.NUMBER, 1),
        (["0.5", "inf"], clock.NUMBER, 1), (["2020-01-01", "2020-02-30"], "%Y-%m-%d", 1),
        (["2020-01-01", "2020-01-02 12:00"], "%Y-%m-%d", 1),
        (["2020-01-01 00:00:00", "2020-01-01 00:00:60"], "%Y-%m-%d %H:%M:%S", 1),
        (["2020-01-01", "", "x"], "%Y-%m-%d", 1),
    ],
)  # fmt: skip
def test_the_first_cell_that_does_not_fit_is_named(texts, form, row):
    with pytest.raises(clock.TimeError) as caught:
        clock.read(_series(texts), form)
    assert caught.value.row == row
    assert repr(texts[row]) in caught.value.message


@pytest.mark.parametrize("offset", ["+0100", "-03:30", "Z", "+00:00"])
def test_a_column_has_one_offset_from_utc_and_keeps_it(offset):
    texts = [f"2020-01-{day:02d}T00:00:00{offset}" for day in (1, 2, 3)]
    times, form = clock.read_any(_series(texts), clock.recognise(texts[0]))
    assert clock.write(times, form) == texts
    changed = [*texts[:2], texts[2].replace(offset, "+0700")]
    with pytest.raises(clock.TimeError) as caught:
        clock.read_any(_series(changed), clock.recognise(texts[0]))
    assert caught.value.row == 2


@pytest.mark.parametrize("frequency", [*EVEN, *CALENDAR])
@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(start=STAMPS, rows=st.integers(14, 40), count=st.integers(1, 15))
def test_time_goes_on_as_it_went(frequency, start, rows, count):
    """What follows the rows of a date_range is the rest of that range."""
    origin = start if frequency in EVEN else start.normalize()
    whole = pd.date_range(origin, periods=rows + count, freq=frequency).to_numpy(dtype="datetime64[us]")
    found = clock.step(whole[:rows])
    assert found is not None
    assert clock.regular(whole, found).all()
    np.testing.assert_array_equal(clock.follow(whole[rows - 1], count, found).astype(whole.dtype), whole[rows:])


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.integers(-(10**6), 10**6), st.integers(1, 1000), st.integers(2, 20), st.integers(1, 9))
def test_whole_numbers_go_on_exactly(first, step, rows, count):
    times = first + step * np.arange(rows + count)
    found = clock.step(times[:rows])
    assert found == str(step)
    following = clock.follow(times[rows - 1], count, found)
    assert following.dtype == times.dtype
    np.testing.assert_array_equal(following, times[rows:])


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.sampled_from([0.1, 0.25, 0.5, 1 / 3, 1e-3, 2.5]), st.integers(0, 1000), st.integers(3, 20))
def test_fractions_go_on_closely(step, first, rows):
    times = (first + np.arange(rows + 3)) * step
    found = clock.step(times[:rows])
    assert found is not None
    np.testing.assert_allclose(clock.follow(times[rows - 1], 3, found), times[rows:], rtol=1e-6)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(["h", "D", "7D", "B", "ME", "MS", "QE"]), STAMPS, st.integers(8, 30), st.data())
def test_a_row_left_out_is_noticed(frequency, start, rows, data):
    whole = pd.date_range(start.normalize(), periods=rows, freq=frequency).to_numpy(dtype="datetime64[us]")
    gone = data.draw(st.integers(1, rows - 2))
    found = clock.step(whole)
    assume(found is not None)
    left = clock.regular(np.delete(whole, gone), found)
    assert np.flatnonzero(~left).tolist() == [gone - 1]


@pytest.mark.parametrize(
    ("frequency", "rows"),
    [
        ("s", 3600), ("15s", 240), ("min", 1440), ("5min", 288), ("15min", 96), ("30min", 48), ("h", 24), ("2h", 12),
        ("6h", 4), ("12h", 14), ("D", 7), ("7D", 52), ("14D", 26), ("28D", 13), ("B", 5), ("MS", 12), ("ME", 12),
        ("2MS", 6), ("3ME", 4), ("5MS", 1), ("QS-JAN", 4), ("QE", 4), ("2QE", 2),
        ("YS", 1), ("YE-DEC", 1), ("BME", 12), (None, 1), ("1", 1), ("0.1", 1), ("1e-05", 1), ("ms", 3_600_000),
        ("365D", 1),
    ],
)  # fmt: skip
def test_a_season_is_a_year_of_months_a_week_of_days_a_day_of_hours(frequency, rows):
    assert clock.season(frequency) == rows


@pytest.mark.parametrize("times", [[], ["2020-01-01"]])
def test_too_few_times_have_no_step(times):
    assert clock.step(np.array(times, dtype="datetime64[us]")) is None


@pytest.mark.parametrize("times", [[1, 2, 4], [1, 1, 1], [5, 4, 3], [1.0, 2.0, 2.5]])
def test_uneven_numbers_have_no_step(times):
    assert clock.step(np.array(times)) is None


@pytest.mark.parametrize(
    ("frequency", "form", "season"),
    [("D", "%Y-%m-%d", 7), ("h", "%Y-%m-%d %H:%M:%S", 24), ("MS", "%Y-%m", 12), ("ME", "%Y-%m-%d", 12),
        ("QE", "%Y-%m-%d", 4), ("W", "%Y/%m/%d", 52), ("B", "%d %b %Y", 5), ("MS", "%B %Y", 12), ("MS", "%b %Y", 12),
        ("YS", "%Y-%m-%d", 1), ("15min", "%Y-%m-%dT%H:%M", 96)],
)  # fmt: skip
def test_a_table_in_any_of_the_forms(read, frequency, form, season):
    columns = read(with_times(pd.date_range("2020-05-01", periods=60, freq=frequency).strftime(form))).columns
    assert (columns.time_format, columns.season) == (form, season)


def test_numbers_that_begin_with_a_whole_one_may_go_on_with_fractions(read):
    columns = read(with_times(f"{row / 2:g}" for row in range(40))).columns
    assert (columns.time_format, columns.frequency) == (clock.NUMBER, "0.5")


def test_a_time_with_milliseconds_and_a_zone_is_read(read):
    """As JavaScript's toISOString writes it."""
    assert read(with_times(f"2020-01-{day:02d}T00:00:00.000Z" for day in range(1, 31))).columns.frequency == "1D"


def test_a_season_that_is_given_counts(read):
    assert read(as_csv(), data__season=5).columns.season == 5


def test_equal_steps_are_needed_within_a_series_not_between_them(read):
    early = [["a", *row] for row in make_rows()]
    late = [["b", str(np.datetime64(row[0]) + 1000), *row[1:]] for row in make_rows()]
    assert read(as_csv(early + late, "id,ds,y,x"), data__series="id").columns.frequency == "1D"
