"""Columns beside the target: what they become in the panel and in a window, and what they must not be."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tables_as_text import as_csv, make_config, make_rows

from rnncli.data.calendar import CALENDAR, elapsed, waves
from rnncli.data.files import read_panel
from rnncli.data.panel import Panel
from rnncli.data.reading import sources
from rnncli.data.reading.frames import Tables, open_tables
from rnncli.data.resident import resident
from rnncli.errors import ConfigError, DataError
from rnncli.predict import predict
from rnncli.trained import build_network, load_model
from rnncli.training.prepare import on_device, training_windows
from rnncli.training.request import Request, Watch
from rnncli.training.train import train

SILENT = Watch(lambda fit, state: None, lambda event: None, lambda text: None)
CPU = torch.device("cpu")

HAND = [  # a time, a part of the date, and how far round it is
    ("2024-01-01T00:00", "month", 0), ("2024-07-15T00:00", "month", 0.5), ("2024-10-01T00:00", "month", 0.75),
    ("2024-01-01T00:00", "weekday", 0), ("2024-01-07T00:00", "weekday", 6 / 7), ("2024-01-03T06:00", "hour", 0.25),
    ("2024-01-03T06:45", "minute", 0.75), ("2024-01-16T00:00", "monthday", 15 / 31), ("2024-05-31", "quarter", 0.25),
    ("2024-12-31", "quarter", 0.75), ("2024-12-31", "yearday", 365 / 365.25), ("2023-01-01", "yearday", 0),
]  # fmt: skip


@pytest.mark.parametrize(("time", "part", "share"), HAND)
def test_a_part_of_the_date_is_a_wave(time, part, share):
    found = waves(np.array([time], dtype="datetime64[us]"), [part])[0]
    assert found.tolist() == pytest.approx([math.sin(2 * math.pi * share), math.cos(2 * math.pi * share)])


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.lists(st.datetimes(pd.Timestamp(1700, 1, 1), pd.Timestamp(2200, 1, 1)), min_size=1, max_size=9))
def test_waves_follow_from_the_calendar_and_lie_on_the_circle(times):
    found = waves(np.array(times, dtype="datetime64[us]"), list(CALENDAR)).reshape(len(times), -1, 2)
    np.testing.assert_allclose((found**2).sum(2), 1)
    own = [[t.minute / 60, t.hour / 24, t.weekday() / 7, (t.day - 1) / 31, (t.timetuple().tm_yday - 1) / 365.25,
        (t.month - 1) / 12, (t.month - 1) // 3 / 4] for t in times]  # fmt: skip
    turns = np.arctan2(found[..., 0], found[..., 1]) / (2 * np.pi)
    np.testing.assert_allclose(np.cos(2 * np.pi * (turns - np.array(own))), 1, atol=1e-12)


def test_waves_are_named_and_stand_last_and_unscaled(read):
    prepared = read(as_csv(), data__calendar=["month", "weekday"], data__past="x")
    names = ("y", "x", "sin(month)", "cos(month)", "sin(weekday)", "cos(weekday)")
    assert prepared.panel.columns == prepared.columns.values == names
    assert prepared.columns.known_ahead == names[2:]
    np.testing.assert_array_equal(prepared.scaler.centre[0, 2:], 0)
    np.testing.assert_array_equal(prepared.scaler.spread[0, 2:], 1)
    expected = waves(prepared.panel.times, ["month", "weekday"])
    np.testing.assert_array_equal(prepared.panel.values[:, 2:], expected)


def test_a_calendar_needs_dates(read):
    rows = [[str(row), value, more] for row, (_, value, more) in enumerate(make_rows())]
    with pytest.raises(DataError, match=r"d\.csv:2 ds: holds numbers, data\.calendar needs dates"):
        read(as_csv(rows), data__calendar="month")


@pytest.mark.parametrize(("unit", "size"), [("s", 1), ("h", 3600), ("D", 86400)])
def test_the_elapsed_time_is_in_seconds_and_starts_anew_in_every_series(unit, size):
    steps = np.array([0, 1, 3, 6, 2, 4, 9])
    times = np.datetime64("2024-02-27", "us") + steps.astype(f"timedelta64[{unit}]")
    offsets = np.array([0, 4, 7])
    panel = Panel(("y",), (("a",), ("b",)), offsets, times, np.zeros((7, 1)), np.arange(7))
    assert elapsed(panel).tolist() == [0, size, 2 * size, 3 * size, 0, 2 * size, 5 * size]


def test_the_elapsed_time_is_in_the_units_of_a_column_of_numbers(read):
    rows = [[f"{row * row / 2}", str(math.sin(row)), "1"] for row in range(30)]
    prepared = read(as_csv(rows), data__irregular="delta", data__frequency="1", data__past="x")
    assert prepared.panel.columns == ("y", "x", "elapsed")
    expected = np.diff(np.arange(30) ** 2 / 2, prepend=0)
    np.testing.assert_allclose(prepared.panel.values[:, 2], expected)
    train = prepared.panel.values[: int(prepared.split.train.last[0]), 2]
    assert prepared.scaler.centre[0, 2] == pytest.approx(train.mean())
    assert "elapsed" not in prepared.columns.known_ahead


STORES = ["id,ds,y,x,size,region"]
STORES += [
    f"{name},{day},{5 + math.sin(row + number):.3f},{row % 5},{10 * number},{'ns'[number % 2]}"
    for number, name in enumerate("abcd")
    for row, day in enumerate(np.datetime64("2024-01-01") + np.arange(30))
]
STORE_KEYS = {"data__series": "id", "data__static": ["size", "region"], "data__categorical": "region"}


def test_a_static_column_is_one_number_a_series_scaled_over_the_series(read):
    prepared = read("\n".join(STORES), **STORE_KEYS)
    assert prepared.panel.static.tolist() == [[0, 1], [10, 2], [20, 1], [30, 2]]
    assert prepared.scaler.static.tolist() == [[15, 0], [pytest.approx(np.std([0, 10, 20, 30])), 1]]
    windows = training_windows(prepared, on_device(prepared, CPU))
    batch = windows.batch(np.arange(len(windows)))
    expected = (prepared.panel.static - prepared.scaler.static[0]) / prepared.scaler.static[1]
    np.testing.assert_allclose(batch.static.numpy(), expected[windows.series], rtol=1e-6)


def test_a_static_column_that_changes_has_its_place(read):
    rows = [*STORES]
    rows[40] = rows[40].replace(",10,", ",11,")
    with pytest.raises(DataError, match=r"d\.csv:41 size: another value within series b") as caught:
        read("\n".join(rows), **STORE_KEYS)
    assert caught.value.exit_code == 3


def test_a_static_cell_may_stand_in_the_first_row_alone(read):
    rows = [row if row.startswith("id") or "2024-01-01" in row else row.rsplit(",", 2)[0] + ",," for row in STORES]
    prepared = read("\n".join(rows), **STORE_KEYS)
    np.testing.assert_array_equal(prepared.panel.static, [[0, 1], [10, 2], [20, 1], [30, 2]])


@pytest.mark.parametrize("column", ["x", "ds", "y", "id"])
def test_a_categorical_column_must_be_an_input(read, column):
    with pytest.raises(DataError, match=f"{column} is no input"):
        read("\n".join(STORES), **{**STORE_KEYS, "data__categorical": column})


def test_categories_are_counted_from_one_in_their_natural_order(read):
    rows = [[day, value, ("10", "9", "b", "a", "é,\"[/]", "NA", "0")[row % 7]] for row, (day, value, _) in
        enumerate(make_rows())]  # fmt: skip
    quoted = [[day, value, '"' + name.replace('"', '""') + '"'] for day, value, name in rows]
    prepared = read(as_csv(quoted), data__past="x", data__categorical="x")
    known = ("0", "9", "10", "NA", "a", "b", 'é,"[/]')
    assert prepared.columns.categories == {"x": known}
    assert prepared.panel.values[:, 1].tolist() == [known.index(name) + 1 for _, _, name in rows]
    np.testing.assert_array_equal(prepared.scaler.apply(prepared.panel.values, np.zeros(30, dtype=int))[:, 1],
        prepared.panel.values[:, 1])  # fmt: skip


ODD = ["a.b", "weight", "x y", "sin(hour)", "é", "0", "[/]", "../../z", "observed", "column0"]


@pytest.mark.parametrize("name", ODD)
def test_a_categorical_column_may_have_any_name(read, name):
    prepared = read(as_csv(header=f"ds,y,{name}"), data__past=[name], data__categorical=[name], data__missing="mask")
    network = build_network(prepared.config, prepared.columns, 0)
    assert network.sizes.width(network.sizes.past) == 1 + min(16, 7 // 2 + 1) + 2  # the target, a vector and two flags
    batch = training_windows(prepared, on_device(prepared, CPU)).batch(np.arange(3))
    assert torch.isfinite(network(batch.past, batch.lengths, batch.level)).all()


@pytest.mark.parametrize("name", ["observed(y)", "sin(month)", "cos(month)", "elapsed"])
def test_an_input_may_not_have_the_name_of_one_that_is_made(read, name):
    keys = {"data__past": [name], "data__missing": "mask", "data__irregular": "delta", "data__calendar": "month"}
    with pytest.raises(DataError, match="is the name of an input that is made"):
        read(as_csv(header=f"ds,y,{name}"), **keys)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """A model of stores with a categorical past, future and static column."""
    folder = tmp_path_factory.mktemp("stores")
    (folder / "d.csv").write_text(_table("uvw") + "\n")
    config = make_config(
        data__path=str(folder / "d.csv"), data__series="id", data__past="p", data__future="f", data__static="s",
        data__categorical=["p", "f", "s"], model={"hidden_size": 8}, training={"epochs": 2},
    )  # fmt: skip
    train(config, open_tables(config.data.path), Request(folder / "run"), SILENT)
    return load_model(folder / "run", CPU)


def _table(names: str, ahead: int = 2, last: str | None = None) -> str:
    """Two series with three categorical columns; `last` is the category of p in each newest known row."""
    days = np.datetime64("2024-01-01") + np.arange(40 + ahead)
    rows = ["id,ds,y,p,f,s"]
    for number, name in enumerate("ab"):
        for row, day in enumerate(days):
            known = row < 40
            p = names[row % 3] if row != 39 or last is None else last
            rows.append(f"{name},{day},{math.sin(row) if known else ''},{p if known else ''},{names[(row + 1) % 3]},"
                f"{names[number]}")  # fmt: skip
    return "\n".join(rows)


def test_categories_are_kept_in_the_model(stores):
    assert stores.columns.categories == {"p": ("u", "v", "w"), "f": ("u", "v", "w"), "s": ("u", "v")}


@pytest.mark.parametrize("values", [{"p": "uvw", "f": "uvw"}, {"p": "uvwx", "f": "uv"}], ids=["alike", "unlike"])
def test_every_categorical_column_finds_its_own_vectors_in_the_file_again(tmp_path, values):
    """Named in another order than that of the alphabet, as a dict in a file would have them."""
    rows = [[f"{step}", f"{math.sin(step):.4f}", values["p"][step % len(values["p"])],
        values["f"][step // 2 % len(values["f"])]] for step in range(60)]  # fmt: skip
    Path("d.csv").write_text(as_csv(rows, "ds,y,p,f"))
    config = make_config(
        data__past=["p", "f"], data__categorical=["p", "f"], model={"hidden_size": 8}, training={"epochs": 1}
    )
    tables = open_tables("d.csv")
    made = train(config, tables, Request(tmp_path / "run"), SILENT).model
    found = load_model(tmp_path / "run", CPU)
    assert made.network.sizes == found.network.sizes
    pd.testing.assert_frame_equal(predict(found, tables).table, predict(made, tables).table, check_exact=True)


def test_an_unseen_category_is_the_zero_vector_counted_and_told_once(stores):
    Path("new.csv").write_text(_table("uvw", last="zebra"))
    predicted = predict(stores, open_tables("new.csv"))
    assert predicted.notes == ("p: 2 rows hold categories not seen in training, such as zebra",)
    panel, columns = read_panel(open_tables("new.csv"), stores.columns, "error")
    position = columns.values.index("p")
    assert (panel.values[panel.ends - 1, position] == 0).all()
    vectors = stores.network.inputs.vectors["column1"].weight
    assert (vectors[0] == 0).all()
    assert (vectors[1:] != 0).any(dim=1).all()
    Path("blank.csv").write_text(_table("uvw", last="another"))
    again = predict(stores, open_tables("blank.csv")).table
    pd.testing.assert_frame_equal(again, predicted.table, check_exact=True)  # all unknown ones are one


def test_codes_at_prediction_are_those_of_training_whatever_is_in_the_table(stores):
    Path("few.csv").write_text(_table("www"))
    panel, columns = read_panel(open_tables("few.csv"), stores.columns, "error")
    assert set(panel.values[: panel.ends[0], columns.values.index("p")]) == {3.0}
    assert panel.static.tolist() == [[0.0], [0.0]]  # w was no static category


def test_the_columns_known_ahead_are_those_of_the_horizon(read):
    days = np.datetime64("2024-01-01") + np.arange(30)
    rows = [[str(day), f"{math.sin(row):.4f}", str(row)] for row, day in enumerate(days)]
    prepared = read(as_csv(rows), data__future="x", data__calendar="weekday", task__horizon=3)
    windows = training_windows(prepared, on_device(prepared, CPU))
    batch = windows.batch(np.arange(len(windows)))
    scaled = (np.arange(30) - prepared.scaler.centre[0, 1]) / prepared.scaler.spread[0, 1]
    for number, origin in enumerate(windows.origins):
        np.testing.assert_allclose(batch.ahead[number, :, 0].numpy(), scaled[origin : origin + 3], rtol=1e-5)
        expected = waves(prepared.panel.times[origin : origin + 3], ["weekday"])
        np.testing.assert_allclose(batch.ahead[number, :, 1:].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("missing", ["ffill", "mask"])
def test_flags_follow_all_values_and_stand_for_cells_of_the_file_alone(read, missing):
    rows = make_rows()
    rows[5][1] = rows[9][2] = ""
    prepared = read(as_csv(rows), data__future="x", data__calendar="month", data__missing=missing)
    values = resident(prepared.panel, prepared.columns, prepared.scaler, missing, CPU)
    assert values.ahead == (1, 4)
    assert values.inputs.shape[1] == (6 if missing == "mask" else 4)
    if missing == "mask":
        assert np.argwhere(values.inputs[:, 4:].numpy() == 0).tolist() == [[5, 0], [9, 1]]
        names = prepared.task.sizes().past
        assert names == ("y", "x", "sin(month)", "cos(month)", "observed(y)", "observed(x)")


def test_a_future_cell_may_not_be_empty_even_after_the_last_target(read):
    rows = make_rows()
    rows[28][1] = rows[29][1] = rows[29][2] = ""
    with pytest.raises(DataError, match=r"d\.csv:31 x: 1 empty cell") as caught:
        read(as_csv(rows), data__future="x")
    assert caught.value.exit_code == 3
    rows[29][2] = "3"
    prepared = read(as_csv(rows), data__future="x")
    assert (prepared.panel.ends.tolist(), prepared.split.test.last.tolist()) == ([28], [28])


@pytest.mark.parametrize(("cell", "message"), [("-1", "from 0 on"), ("", "from 0 on"), ("nan", "from 0 on"),
    ("heavy", "not a number")])  # fmt: skip
def test_a_weight_that_is_none_has_its_place(read, cell, message):
    rows = make_rows()
    rows[7][2] = cell
    with pytest.raises(DataError, match=rf"d\.csv:9 x: .*{message}"):
        read(as_csv(rows), data__weight="x")


def test_weights_stand_by_their_rows_whatever_the_order(read):
    rows = make_rows()
    mixed = [rows[position] for position in np.random.default_rng(0).permutation(len(rows))]
    found = [read(as_csv(some), data__weight="x").panel.weights.tolist() for some in (rows, mixed)]
    assert found[0] == found[1] == [float(row[2]) for row in rows]
    with pytest.raises(DataError, match="every weight is 0"):
        read(as_csv([[day, value, "0"] for day, value, _ in rows]), data__weight="x")


def test_weights_are_not_needed_to_predict(read):
    panel = read(as_csv(), data__weight="x")
    Path("new.csv").write_text(as_csv([row[:2] for row in make_rows()], "ds,y"))
    assert read_panel(open_tables("new.csv"), panel.columns, "error")[0].weights is None


@pytest.mark.parametrize(
    ("key", "value"),
    [("future", "y"), ("static", ["x", "y"]), ("weight", "ds"), ("calendar", "decade"), ("calendar", [])],
)
def test_what_can_be_known_of_columns_before_reading_is_refused_then(read, key, value):
    with pytest.raises(ConfigError):
        read(as_csv(), **{f"data__{key}": value})


def test_other_tasks_take_categories_that_are_named_and_leave_other_words(read):
    rows = [[f"s{number}", str(step), "uv"[number % 2], "kl"[step % 2], "words", f"{step + number}"]
        for number in range(20) for step in range(5)]  # fmt: skip
    keys = {"task": {"kind": "classification"}, "window": None, "data__series": "id", "data__target": "label"}
    prepared = read(as_csv(rows, "id,ds,label,kind,note,z"), **keys, data__categorical="kind")
    assert prepared.columns.past == ("kind", "z")
    plain = read(as_csv(rows, "id,ds,label,kind,note,z"), **keys)
    assert plain.columns.past == ("z",)


def test_categories_are_not_held_as_text(read, monkeypatch):
    def held(*unused, **unused_too):
        raise AssertionError("a column was read whole")

    monkeypatch.setattr(sources, "PIECE", 64)
    monkeypatch.setattr(Tables, "frame", held)
    rows = [[*row, "abc"[number % 3]] for number, row in enumerate(make_rows())]
    prepared = read(as_csv(rows, "ds,y,x,c"), data__past=["c"], data__categorical="c")
    found = prepared.panel.values[:, prepared.columns.values.index("c")]
    assert found.tolist() == [1.0 + number % 3 for number in range(len(rows))]
