"""Uneven steps: refused where they are, brought to a frequency as pandas does it, or fed as elapsed time."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables_as_text import as_csv, make_rows

from rnncli.data.calendar import waves
from rnncli.data.panel import Columns, Panel
from rnncli.data.reading.frames import open_tables
from rnncli.data.regular import resample
from rnncli.errors import DataError
from rnncli.training.prepare import read_data

RESAMPLE = {"data__irregular": "resample", "data__past": "x", "data__missing": "ffill"}


def make_panel(series: list[pd.DataFrame], columns: Columns) -> Panel:
    """A panel of frames with `ds` and the columns' values."""
    offsets = np.concatenate([[0], np.cumsum([len(frame) for frame in series])]).astype(np.int64)
    return Panel(
        columns=columns.values,
        ids=tuple((str(number),) for number in range(len(series))),
        offsets=offsets,
        times=np.concatenate([frame["ds"].to_numpy() for frame in series]),
        values=np.concatenate([frame[list(columns.values)].to_numpy(dtype=float) for frame in series]),
        source=np.arange(offsets[-1]),
        weights=np.arange(offsets[-1], dtype=float),
    )


@st.composite
def uneven(draw: st.DrawFn) -> list[pd.DataFrame]:
    """Some series with a row at random minutes of some months, a number of cells empty."""
    found = []
    for _ in range(draw(st.integers(1, 3))):
        random = np.random.default_rng(draw(st.integers(0, 10**6)))
        count = draw(st.integers(1, 25))
        minutes = np.sort(random.choice(draw(st.sampled_from([2_000, 200_000])), count, replace=False))
        frame = pd.DataFrame({"ds": np.datetime64("2023-12-30T21:07", "us") + minutes.astype("timedelta64[m]")})
        frame["y"], frame["x"], frame["k"] = *random.normal(size=(2, count)), random.integers(1, 4, count)
        frame.loc[random.random(count) < 0.2, "x"] = np.nan
        found.append(frame)
    return found


STEPS = ["D", "MS", "ME", "W", "h", "15min", "QS", "YE", "2D", "B", "7h"]


@pytest.mark.parametrize("frequency", STEPS)
@settings(max_examples=12, deadline=None, derandomize=True, database=None)
@given(uneven())
def test_resampling_is_that_of_pandas(frequency, series):
    columns = Columns(("y",), ("x", "k"), categories={"k": ("a", "b", "c")}, time="ds", frequency=frequency)
    found = resample(make_panel(series, columns), columns, None, "mask")
    assert len(found) == len(series)
    for number, frame in enumerate(series):
        bins = frame.set_index("ds").resample(frequency)
        expected = pd.concat([bins["y"].mean(), bins["x"].mean(), bins["k"].last()], axis=1)
        np.testing.assert_array_equal(found[number].times, expected.index.to_numpy())
        np.testing.assert_allclose(found[number].values, expected.to_numpy(dtype=float), rtol=1e-12)
        weights = frame.assign(w=np.arange(len(frame)) + sum(map(len, series[:number]))).set_index("ds")["w"]
        np.testing.assert_allclose(found[number].weights, weights.resample(frequency).mean().fillna(0))
    assert found.ends.tolist() == found.offsets[1:].tolist()


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=20, unique=True), st.integers(1, 9), st.integers(-50, 50))
def test_numbers_are_binned_from_the_first_of_the_series(numbers, size, start):
    times = np.sort(np.array(numbers)) + start
    frame = pd.DataFrame({"ds": times, "y": np.sin(times)})
    columns = Columns(("y",), time="ds", frequency=str(size))
    found = resample(make_panel([frame], columns), columns, None, "mask")
    expected = frame.groupby((times - times[0]) // size)["y"].mean()
    assert found.times.tolist() == list(range(times[0], times[-1] + 1, size))[: len(found.times)]
    assert len(found.times) == (times[-1] - times[0]) // size + 1
    known = ~np.isnan(found.values[:, 0])
    assert np.flatnonzero(known).tolist() == expected.index.tolist()
    np.testing.assert_allclose(found.values[known, 0], expected)


def test_even_rows_are_left_as_they_are(read):
    plain, same = read(as_csv(), data__past="x"), read(as_csv(), **RESAMPLE)
    assert same.columns.frequency == plain.columns.frequency == "1D"
    np.testing.assert_array_equal(same.panel.times, plain.panel.times)
    np.testing.assert_array_equal(same.panel.values, plain.panel.values)
    np.testing.assert_array_equal(same.panel.source, plain.panel.source)


def _without(*rows: int) -> str:
    return as_csv(row for number, row in enumerate(make_rows()) if number not in rows)


def test_empty_steps_need_a_word_on_missing_values(read):
    with pytest.raises(
        DataError, match=r"d\.csv:6 ds: resampled to 1D, 2 rows are empty, the first at 2020-01-06"
    ) as caught:
        read(_without(5, 20), data__irregular="resample")
    assert (caught.value.exit_code, "ffill or mask" in str(caught.value.problems[0].hint)) == (3, True)
    prepared = read(_without(5, 20), **RESAMPLE)
    assert len(prepared.panel.times) == 30
    assert np.flatnonzero(np.isnan(prepared.panel.values[:, 0])).tolist() == [5, 20]


@pytest.mark.parametrize("irregular", ["error", None])
def test_uneven_steps_of_a_forecast_are_refused_by_default(read, irregular):
    with pytest.raises(DataError, match=r"d\.csv:7 ds: .*from 2020-01-05 to 2020-01-07") as caught:
        read(_without(5, 20), data__irregular=irregular)
    assert "resample" in str(caught.value.problems[0].hint)


def test_means_of_several_rows_a_step_and_waves_of_the_new_times(read):
    rows = [
        [f"2024-01-{day:02d} {hour:02d}:30:00", f"{day + hour / 10}", str(hour)]
        for day in range(1, 31)
        for hour in (3, 9, 21)
    ]
    prepared = read(as_csv(rows), **RESAMPLE, data__frequency="D", data__calendar="weekday")
    days = pd.date_range("2024-01-01", periods=30)
    np.testing.assert_allclose(prepared.panel.values[:, 0], np.arange(1, 31) + 1.1)
    np.testing.assert_array_equal(prepared.panel.values[:, 1], 11)
    np.testing.assert_array_equal(prepared.panel.values[:, 2:], waves(days.to_numpy(), ["weekday"]))
    assert prepared.columns.season == 7


def test_rows_known_ahead_may_be_empty_in_their_target(read):
    rows = make_rows()
    rows[28][1] = rows[29][1] = ""
    prepared = read(as_csv(rows), data__future="x", data__irregular="resample")
    assert prepared.panel.ends.tolist() == [28]
    assert len(prepared.panel.times) == 30


def test_a_table_without_its_target_is_resampled_too(read):
    """To predict a number or a label of rows, the target column is not needed."""
    keys = {"task": {"kind": "regression"}, "data__irregular": "resample", "data__series": "id", "data__past": "x"}
    rows = [[name, *row] for name in "abcdefghijkl" for row in make_rows(8)]
    prepared = read(as_csv(rows, "id,ds,y,x"), **keys)
    Path("new.csv").write_text(as_csv([[name, day, more] for name, day, _, more in rows], "id,ds,x"))
    panel, _ = read_data(prepared.config, prepared.columns, open_tables("new.csv"))
    assert panel.lengths().tolist() == [8] * 12
    Path("new.csv").write_text(as_csv([[name, day, more] for name, day, _, more in rows[:3] + rows[5:]], "id,ds,x"))
    with pytest.raises(DataError, match="2 rows are empty, the first at 2020-01-04"):
        read_data(prepared.config, prepared.columns, open_tables("new.csv"))


def test_each_series_is_resampled_by_itself(read):
    rows = [["a", *row] for row in make_rows()] + [["b", *row] for row in make_rows()[3:]]
    rows = [row for number, row in enumerate(rows) if number not in (4, 40)]
    prepared = read(as_csv(rows, "id,ds,y,x"), data__series="id", **RESAMPLE)
    assert prepared.panel.lengths().tolist() == [30, 27]
    assert [str(prepared.panel.times[first])[:10] for first in prepared.panel.offsets[:-1]] == [
        "2020-01-01",
        "2020-01-04",
    ]


def test_the_newest_label_of_a_step_counts(read):
    rows = [[f"s{number}", f"2024-01-{1 + step // 2:02d} {12 * (step % 2):02d}:00", "uv"[number % 2],
        str(step + number)] for number in range(20) for step in range(8)]  # fmt: skip
    prepared = read(as_csv(rows, "id,ds,label,z"), task={"kind": "classification"}, window=None, data__series="id",
        data__target="label", data__irregular="resample", data__frequency="D")  # fmt: skip
    assert set(prepared.panel.lengths()) == {4}
    assert set(prepared.panel.values[:, 0]) == {0.0, 1.0}


BAD = [("M", "dates"), ("foo", "dates"), ("0D", "dates"), ("-1D", "dates"), ("1.5", "dates"), ("nan", "dates"),
    ("D", "numbers"), ("0", "numbers"), ("-2", "numbers"), ("nan", "numbers"), ("inf", "numbers")]  # fmt: skip


@pytest.mark.parametrize("irregular", ["error", "resample", "delta"])
@pytest.mark.parametrize(("frequency", "kind"), BAD)
def test_a_frequency_that_is_none_is_refused(read, frequency, kind, irregular):
    rows = make_rows() if kind == "dates" else [[str(row), *rest] for row, (_, *rest) in enumerate(make_rows())]
    with pytest.raises(DataError, match=f"data.frequency: {frequency} is not a step of a column of {kind}") as caught:
        read(as_csv(rows), data__frequency=frequency, data__irregular=irregular)
    assert caught.value.exit_code == 3


def test_a_frequency_that_is_not_that_of_the_data_is_refused_where_it_fails(read):
    with pytest.raises(DataError, match=r"d\.csv:3 ds: .*jumps from 2020-01-01 to 2020-01-02"):
        read(as_csv(), data__frequency="W")


def test_with_elapsed_times_a_forecast_goes_on_by_the_commonest_step(read):
    rows = [row for number, row in enumerate(make_rows(60)) if number % 7 != 3]
    prepared = read(as_csv(rows), data__irregular="delta")
    assert prepared.columns.frequency == "1D"
    gaps = prepared.panel.values[:, prepared.panel.columns.index("elapsed")]
    assert sorted(set(gaps)) == [0, 86400, 2 * 86400]


def test_a_series_without_any_step_has_no_frequency(read):
    rows = [["a", *make_rows()[0]], ["b", *make_rows()[1]]]
    Path("d.csv").write_text(as_csv(rows, "id,ds,y,x"))
    with pytest.raises(DataError, match=r"frequency is not known|too short"):
        read(None, data__series="id", data__irregular="resample")


def _too_short(count: int) -> str:
    rows = [["a", *row] for row in make_rows()] + [["b", *row] for row in make_rows(count)]
    return as_csv(rows, "id,ds,y,x")


@pytest.mark.parametrize(("rows", "kept"), [(2, 1), (6, 1), (7, 2), (12, 2)])
def test_series_without_a_training_target_are_left_out_and_named(read, rows, kept):
    prepared = read(_too_short(rows), data__series="id", data__short_series="skip")
    assert len(prepared.panel) == len(prepared.scaler.ids) == kept
    notes = () if kept == 2 else ("1 of 2 series left out, too short: b",)
    assert prepared.panel.notes == notes
    alone = read(_too_short(0), data__series="id")
    np.testing.assert_array_equal(prepared.panel[0].values, alone.panel.values)
    if kept == 1:
        with pytest.raises(DataError, match="1 of 2 series too short: b"):
            read(_too_short(rows), data__series="id")


def test_nothing_but_short_series_is_refused(read):
    rows = [[name, *row] for name in "ab" for row in make_rows(3)]
    with pytest.raises(DataError, match="every series is too short"):
        read(as_csv(rows, "id,ds,y,x"), data__series="id", data__short_series="skip")
    assert math.isfinite(read(_too_short(12), data__series="id").scaler.centre.sum())


@pytest.mark.parametrize("times", [["1900-01-01", "1950-01-01", "2000-01-01"], [0, 10**9, 2 * 10**9]])
def test_a_grid_that_would_fill_the_memory_is_refused(read, times):
    frequency = "1s" if isinstance(times[0], str) else "1"
    with pytest.raises(DataError, match=r"3 rows become [0-9,]{13}.*longer data.frequency"):
        read("ds,y,x\n" + "".join(f"{time},1,2\n" for time in times), **RESAMPLE, data__frequency=frequency)
