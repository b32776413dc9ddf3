"""A Parquet file is read as the CSV file of its cells would be."""

from __future__ import annotations

import datetime
import decimal
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tables_as_text import as_csv, make_config, make_rows, with_ids

from rnncli.data.reading.dialect import Dialect, dialect_of
from rnncli.data.reading.frames import open_tables
from rnncli.errors import DataError, MissingExtraError
from rnncli.training.prepare import Prepared, prepare

DAYS = [datetime.date(2020, 1, 1) + datetime.timedelta(days=day) for day in range(30)]
Y = [float(row[1]) for row in make_rows()]


def _write(columns: dict[str, Any], path: str = "d.parquet", **options: Any) -> None:
    pq.write_table(pa.table(columns), path, **options)


def _read(columns: dict[str, Any], **keys: Any) -> Prepared:
    _write(columns)
    settings = make_config(data__path="d.parquet", **keys)
    return prepare(settings, open_tables("d.parquet", dialect_of(settings.data)))


MOMENTS = pd.DatetimeIndex(DAYS)
TIMES = {
    "dates": pa.array(DAYS),
    "dates of 64 bits": pa.array(DAYS, pa.date64()),
    "seconds": pa.array(MOMENTS, pa.timestamp("s")),
    "microseconds": pa.array(MOMENTS, pa.timestamp("us")),
    "nanoseconds": pa.array(MOMENTS, pa.timestamp("ns")),
    "text": pa.array([str(day) for day in DAYS]),
    "large text": pa.array([str(day) for day in DAYS], pa.large_string()),
    "a dictionary": pa.array([str(day) for day in DAYS]).dictionary_encode(),
}


@pytest.mark.parametrize("name", TIMES)
def test_times_are_those_of_the_csv(read, name):
    plain = read(as_csv())
    made = _read({"ds": TIMES[name], "y": Y})
    np.testing.assert_array_equal(made.panel.times, plain.panel.times)
    np.testing.assert_array_equal(made.panel.values, plain.panel.values)
    assert (made.columns.time_format, made.columns.frequency) == ("%Y-%m-%d", "1D")


@pytest.mark.parametrize(("step", "form"), [("h", "%Y-%m-%d %H:%M:%S"), ("250ms", "%Y-%m-%d %H:%M:%S.%f")])
def test_times_of_the_day_are_kept(step, form):
    moments = pd.date_range("2020-01-01", periods=30, freq=step)
    made = _read({"ds": pa.array(moments, pa.timestamp("ns")), "y": Y})
    np.testing.assert_array_equal(made.panel.times, moments.to_numpy(dtype="datetime64[us]"))
    assert made.columns.time_format == form


def test_times_with_a_zone_have_their_offset():
    moments = pd.date_range("2020-10-24", periods=30, freq="h", tz="Europe/Berlin")
    columns = {"ds": pa.array(moments, pa.timestamp("us", tz="Europe/Berlin")), "y": Y}
    with pytest.raises(DataError, match=r"data\.time_zone"):
        _read(columns)
    made = _read(columns, data__time_zone="Europe/Berlin")
    np.testing.assert_array_equal(made.panel.times, moments.tz_convert(None).to_numpy(dtype="datetime64[us]"))


NUMBERS = {
    "float32": pa.array(np.arange(30), pa.float32()),
    "int8": pa.array(range(30), pa.int8()),
    "uint64": pa.array(range(30), pa.uint64()),
    "decimal": pa.array([decimal.Decimal(row) for row in range(30)], pa.decimal128(12, 3)),
    "text": pa.array([str(row) for row in range(30)]),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_every_kind(name):
    assert _read({"ds": DAYS, "y": NUMBERS[name]}).panel.values[:, 0].tolist() == list(range(30))


@pytest.mark.parametrize("kind", [pa.float64(), pa.int64(), pa.decimal128(12, 3), pa.string()])
def test_a_null_is_an_empty_cell(kind):
    cells = [None if row % 5 == 2 else row + 1 for row in range(30)]
    cells = [None if cell is None else str(cell) for cell in cells] if kind == pa.string() else cells
    columns = {"ds": DAYS, "y": pa.array(cells, kind)}
    with pytest.raises(DataError, match="6 empty cells") as caught:
        _read(columns)
    assert (caught.value.problems[0].place.file, caught.value.problems[0].place.line) == ("d.parquet", 3)
    observed = _read(columns, data__missing="ffill").panel.observed[:, 0]
    assert np.flatnonzero(~observed).tolist() == [2, 7, 12, 17, 22, 27]


def test_truth_is_one_and_zero():
    assert _read({"ds": DAYS, "y": [row % 2 == 0 for row in range(30)]}).panel.values[:3, 0].tolist() == [1, 0, 1]


def test_ids_and_labels_are_text(read):
    plain = read(with_ids(["1", "2"]), data__series="id").panel
    frame = pd.read_csv("d.csv", dtype={"id": np.int64})
    columns = {"id": frame["id"].to_numpy(), "ds": frame["ds"].tolist(), "y": frame["y"].to_numpy()}
    made = _read(columns, data__series="id").panel
    assert made.ids == plain.ids
    np.testing.assert_array_equal(made.values, plain.values)


def test_numbers_as_text_are_in_the_dialect():
    cells = [f"{value}".replace(".", ",") for value in Y]
    made = _read({"ds": DAYS, "y": cells, "x": Y}, data__decimal=",", data__past="x")
    assert made.panel.values[:, 0].tolist() == made.panel.values[:, 1].tolist() == Y
    _write({"a": cells, "b": Y})
    assert open_tables("d.parquet", Dialect(decimal=",")).numeric(["a", "b"]) == ["a", "b"]


def test_a_name_is_only_a_name():
    names = ["a.b", "a", "[x]", "é", "None"]
    _write({name: np.arange(3.0) + number for number, name in enumerate(names)})
    tables = open_tables("d.parquet")
    assert tables.header == tuple(names)
    assert tables.numbers(["é", "a.b", "a"])[0].tolist() == [3, 0, 1]


def test_parquet_and_csv_are_one_table():
    _write({"p": [1.0, 2.0], "q": ["x", "y"]})
    Path("e.csv").write_text("q,p\nz,3\n")
    tables = open_tables(["d.parquet", "e.csv"])
    assert tables.numbers(["p"])[:, 0].tolist() == [1, 2, 3]
    assert tables.codes(["q"])[1] == [("x",), ("y",), ("z",)]


def test_many_row_groups_are_read_in_order():
    _write({"p": np.arange(1000.0)}, row_group_size=7)
    tables = open_tables("d.parquet")
    assert tables.numbers(["p"])[:, 0].tolist() == list(range(1000))
    assert tables.place(999).line == 1000


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (pa.array([[1]] * 30), "holds list"), (pa.array([{"a": 1}] * 30), "holds struct"),
        (pa.array([b"1"] * 30), "holds binary"), (pa.array([datetime.timedelta(1)] * 30), "holds duration"),
        (pa.array(["x"] * 30), "'x' in line 1"),
        (pa.array([float("inf")] * 30), "finite"), (pa.array([1e39] * 30), "finite"),
        (pa.array([None] * 30, pa.float64()), "no row has a value"), (pa.array([None] * 30), "no row has a value"),
        (pa.array(DAYS), "'2020-01-01' in line 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_no_number_is_refused(cells, words):
    with pytest.raises(DataError) as caught:
        _read({"ds": DAYS, "y": cells}, data__missing="ffill")
    assert words in str(caught.value)
    assert caught.value.problems[0].place.file == "d.parquet"
    assert caught.value.problems[0].place.key == "y"
    assert caught.value.problems[0].hint


def test_whole_numbers_beyond_the_exact_ones_are_told_of():
    told: list[str] = []
    _write({"y": pa.array([1, None, 2**53 + 1])})
    open_tables("d.parquet", tell=told.append).numbers(["y"])
    assert len(told) == 1
    assert told[0].startswith("d.parquet:3 y: ")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "not Parquet"), (as_csv().encode(), "not Parquet"), (b"PAR1" + bytes(99), "not Parquet")],
    ids=["empty", "CSV", "damaged"],
)
def test_what_is_no_parquet_is_refused(content, words):
    Path("d.parquet").write_bytes(content)
    with pytest.raises(DataError, match=words):
        open_tables("d.parquet")


def test_half_a_file_and_one_without_rows_are_refused():
    _write({"p": np.arange(1000.0)})
    whole = Path("d.parquet").read_bytes()
    Path("d.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="not Parquet"):
        open_tables("d.parquet")
    _write({"p": pa.array([], pa.float64())})
    with pytest.raises(DataError, match="0 rows"):
        open_tables("d.parquet")
    os.mkfifo("pipe.parquet")
    with pytest.raises(DataError, match="pipe"):
        open_tables("pipe.parquet")


def test_a_file_that_changes_between_two_readings_is_refused():
    _write({"p": np.arange(1000.0)})
    tables = open_tables("d.parquet")
    _write({"p": np.arange(1001.0)})
    with pytest.raises(DataError, match="changed while it was read"):
        tables.numbers(["p"])


def test_the_digest_is_of_the_file():
    _write({"p": [1.0]})
    first = open_tables("d.parquet").digest()
    assert open_tables("d.parquet").digest() == first
    _write({"p": [2.0]})
    assert open_tables("d.parquet").digest() != first


def test_without_the_extra_its_name_is_told(monkeypatch):
    _write({"p": [1.0]})
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'rnncli\[parquet\]'") as caught:
        open_tables("d.parquet")
    assert caught.value.exit_code == 2
