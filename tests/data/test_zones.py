"""Times since 1970 and times in a zone: read, continued and written again as they were."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables_as_text import as_csv, with_times

from rnncli.data import clock
from rnncli.data.reading.dialect import Dialect
from rnncli.data.reading.frames import open_tables
from rnncli.errors import DataError

BERLIN = {"data__time_zone": "Europe/Berlin"}
LOCAL = "%Y-%m-%d %H:%M"
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "UTC"]


def _times(texts: list[str], form: str | None = None, **dialect: str):
    Path("t.csv").write_text(with_times(texts))
    return open_tables("t.csv", Dialect(**dialect)).times("ds", form)


def _local(zone: str, first: str, count: int, step: str, form: str = LOCAL) -> list[str]:
    return pd.date_range(first, periods=count, freq=step, tz=zone).strftime(form).tolist()


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    st.sampled_from(ZONES),
    st.datetimes(pd.Timestamp(2000, 1, 1).to_pydatetime(), pd.Timestamp(2030, 1, 1).to_pydatetime()),
    st.sampled_from(["30min", "1h", "3h"]),
    st.sampled_from([LOCAL, "%Y-%m-%dT%H:%M%z"]),
)
def test_even_hours_stay_even_and_are_written_as_they_were(zone, first, step, form):
    """Also where an hour comes twice."""
    start = pd.Timestamp(first).floor("h")
    moments = pd.date_range(start, periods=24 * 40, freq=step, tz="UTC").tz_convert(zone)
    texts = moments.strftime(form).tolist()
    times, settled = _times(texts[:-30], time_zone=zone)
    frequency = clock.step(times)
    assert frequency is not None
    future = clock.follow(times[-1], 30, frequency)
    written = clock.write(np.concatenate([times, future]), settled)
    assert [text.replace(":", "") for text in written] == [text.replace(":", "") for text in texts]
    again, form_again = _times(texts, settled, time_zone=zone)
    assert form_again == settled
    np.testing.assert_array_equal(again[: len(times)], times)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S%z"])
def test_days_are_equal_steps_whatever_hours_they_have(zone, form):
    days = pd.date_range("2020-01-01 12:00", periods=400, tz=zone)
    texts = days.strftime(form).tolist()
    times, settled = _times(texts[:-60], time_zone=zone)
    frequency = clock.step(times)
    assert frequency == "1D"
    assert clock.write(clock.follow(times[-1], 60, frequency), settled) == texts[-60:]


def test_months_of_a_zone_are_months():
    texts = (
        pd.date_range("2020-01-01", periods=30, freq="MS", tz="Europe/Berlin").strftime("%Y-%m-%dT%H:%M:%S%z").tolist()
    )
    times, settled = _times(texts[:-4], time_zone="Europe/Berlin")
    assert clock.step(times) == "MS"
    assert clock.write(clock.follow(times[-1], 4, "MS"), settled) == texts[-4:]


@pytest.mark.parametrize("order", [1, -1])
def test_the_hour_that_comes_twice_is_told_apart_in_every_series(order):
    texts = _local("Europe/Berlin", "2020-10-24 20:00", 12, "1h")[::order]
    rows = [[name, text, "1"] for name in "ab" for text in texts]
    Path("t.csv").write_text(as_csv(rows, "id,ds,y"))
    tables = open_tables("t.csv", Dialect(time_zone="Europe/Berlin"))
    times, form = tables.times("ds", None, lambda: tables.codes(["id"])[0])
    hours = np.datetime64("2020-10-24T18:00") + np.arange(12) * np.timedelta64(1, "h")
    assert times.tolist() == [*hours[::order].astype("datetime64[us]").tolist()] * 2
    assert clock.write(times, form) == texts * 2


def test_mixed_offsets_need_a_zone(read):
    texts = _local("Europe/Berlin", "2020-10-24 00:00", 60, "1h", "%Y-%m-%dT%H:%M:%S%z")
    with pytest.raises(DataError, match=r"data\.time_zone"):
        read(with_times(texts))
    columns = read(with_times(texts), **BERLIN).columns
    assert (columns.frequency, columns.season) == ("h", 24)
    times, form = _times(texts, time_zone="UTC")
    assert clock.write(times[:1], form) == ["2020-10-23T22:00:00+0000"]


def test_the_hour_that_clocks_skip_is_no_time(read):
    texts = pd.date_range("2020-03-28 00:00", periods=60, freq="1h").strftime(LOCAL).tolist()
    with pytest.raises(DataError, match="2020-03-29 02:00:00 is not a time in Europe/Berlin") as caught:
        read(with_times(texts), **BERLIN)
    assert caught.value.problems[0].place.line == 28


@pytest.mark.parametrize("texts", [_local("UTC", "2020-01-01", 30, "1D", "%Y-%m-%d"), [str(row) for row in range(30)]])
def test_a_zone_that_has_no_effect_is_refused(read, texts):
    with pytest.raises(DataError, match="no effect"):
        read(with_times(texts), **BERLIN)


def test_a_part_may_start_at_a_local_time(read):
    texts = _local("Europe/Berlin", "2020-10-20 00:00", 240, "1h")
    for start, row in (("2020-10-26 00:00", 145), ("2020-10-26", 145), ("2020-10-25T23:00:00Z", 145)):
        test = read(with_times(texts), split__test=start, **BERLIN).split.test
        assert test.first.tolist() == [row]


def test_times_that_end_in_z_are_utc_whatever_the_zone():
    texts = [f"2020-01-01T{hour:02d}:00:00Z" for hour in range(12)]
    times, form = _times(texts, time_zone="Europe/Berlin")
    assert times[0] == np.datetime64("2020-01-01T00:00")
    assert clock.write(times[:1], form) == ["2020-01-01T01:00:00+01:00"]


@pytest.mark.parametrize("style", ["Z", "+00:00", "+0000"])
def test_offsets_are_written_as_they_were(style):
    texts = [f"2020-01-01T{hour:02d}:00:00.000{style}" for hour in range(12)]
    times, form = _times(texts, time_zone="UTC")
    assert clock.write(times, form) == texts


UNITS = {"s": 10**6, "ms": 10**3, "us": 1, "min": 60 * 10**6, "h": 3600 * 10**6, "D": 86400 * 10**6}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("step", ["1D", "2D"])
def test_numbers_since_1970_are_times(unit, step):
    moments = pd.date_range("1969-12-20", periods=40, freq=step).to_numpy(dtype="datetime64[us]")
    counts = [str(count // UNITS[unit]) for count in moments.astype(np.int64)]
    times, form = _times(counts, time_unit=unit)
    np.testing.assert_array_equal(times, moments)
    assert clock.write(times, form) == counts
    assert clock.write(clock.follow(times[29], 10, step), form) == counts[30:]


@pytest.mark.parametrize(("unit", "texts"), [
    ("s", ["1577836800.25", "1577836800.5", "1577836800.75", "1577836801"]), ("D", ["43831.25", "43831.5", "43831.75"]),
    ("h", ["0.5", "1", "1.5"]), ("ms", ["0.125", "0.25", "0.375"]),
    ("ns", ["1577836800000000100", "1577836800000000200"]),
])  # fmt: skip
def test_fractions_since_1970_are_kept(unit, texts):
    times, form = _times(texts, time_unit=unit)
    assert clock.write(times, form) == texts


def test_numbers_since_1970_have_the_days_of_a_zone(read):
    """Midnights of Berlin are 23 or 25 hours apart twice a year."""
    days = pd.date_range("2020-03-01", periods=60, tz="Europe/Berlin").tz_convert("UTC").tz_localize(None)
    counts = (days.to_numpy(dtype="datetime64[s]").astype(np.int64)).tolist()
    with pytest.raises(DataError):
        read(with_times(counts), data__time_unit="s")
    columns = read(with_times(counts), data__time_unit="s", **BERLIN).columns
    assert columns.frequency == "1D"
    times, form = _times([str(count) for count in counts[:40]], time_unit="s", time_zone="Europe/Berlin")
    assert clock.write(clock.follow(times[-1], 20, "1D"), form) == [str(count) for count in counts[40:]]


@pytest.mark.parametrize(
    ("first", "unit"), [("1577836800", "s"), ("1577836800000", "ms"), ("1577836800000000", "us"),
        ("1577836800000000000", "ns"), ("1577836800.5", "s")],
)  # fmt: skip
def test_numbers_that_may_be_since_1970_need_a_unit(first, unit):
    with pytest.raises(clock.TimeError) as caught:
        clock.recognise(first)
    assert f"data.time_unit: {unit}" in str(caught.value.hint)


@pytest.mark.parametrize(("texts", "unit", "words"), [
    (["1577836800000", "1577836801000"], "s", "after 9999"), (["1", "x"], "s", "'x' is not a time"),
    (["2020-01-01"], "ms", "data.time_unit"), (["1", ""], "h", "''"), (["1e400", "1"], "D", "1e400"),
])  # fmt: skip
def test_what_is_no_number_since_1970_is_refused(texts, unit, words):
    with pytest.raises(DataError, match=r"since 1970|not a time") as caught:
        _times(texts, time_unit=unit)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "form"),
    [("13/01/2020", "%d/%m/%Y"), ("01/13/2020", "%m/%d/%Y"), ("31.12.2020 14:30", "%d.%m.%Y %H:%M"),
        ("01/31/20", "%m/%d/%y"), ("1/31/2020 2:30:00 PM", "%m/%d/%Y %I:%M:%S %p"), ("31-Jan-2020", "%d-%b-%Y"),
        ("Jan 31, 2020", "%b %d, %Y"), ("2020.01.31", "%Y.%m.%d"), ("31/01/2020, 14:30", "%d/%m/%Y, %H:%M")],
)  # fmt: skip
def test_a_form_that_is_not_certain_is_named(text, form):
    with pytest.raises(clock.TimeError) as caught:
        clock.recognise(text)
    assert f"'{form}'" in str(caught.value.hint)


def test_answers_are_in_the_zone_of_the_input(tmp_path):
    from rnncli.config.document import Document
    from rnncli.config.load import check
    from rnncli.data.reading.dialect import dialect_of
    from rnncli.predict import predict
    from rnncli.training.request import Request, Watch
    from rnncli.training.train import train

    texts = _local("America/New_York", "2020-02-20 00:00", 411, "1h", "%Y-%m-%dT%H:%M:%S%z")
    Path("d.csv").write_text(as_csv([[text, f"{math.sin(row):.3f}"] for row, text in enumerate(texts)], "ds,y"))
    values = {
        "data": {"path": "d.csv", "time": "ds", "target": "y", "time_zone": "America/New_York"},
        "task": {"kind": "forecasting", "horizon": 4},
        "window": {"context": 8},
        "model": {"hidden_size": 3},
        "training": {"epochs": 1, "device": "cpu"},
    }
    config = check(Document(values, {}))
    tables = open_tables("d.csv", dialect_of(config.data))
    silent = Watch(lambda fit, state: None, lambda event: None, lambda text: None)
    model = train(config, tables, Request(tmp_path / "run"), silent).model
    assert texts[-1] == "2020-03-08T03:00:00-0400"  # the hour before it was 01:00-0500
    assert predict(model, tables).table["ds"].tolist()[0] == "2020-03-08T04:00:00-0400"
    Path("e.csv").write_text(as_csv([[text, "1"] for text in texts[:-1]], "ds,y"))
    assert predict(model, open_tables("e.csv", dialect_of(config.data))).table["ds"].tolist()[0] == texts[-1]
