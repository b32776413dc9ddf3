"""Everything odd that is planted in data is named, and nothing is said of data that is as it should be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tables_as_text import make_config

from rnncli.config.load import load
from rnncli.data.findings import leaks
from rnncli.data.findings.correlation import correlation, uncut
from rnncli.data.reading.frames import open_tables
from rnncli.training.check import check

ROOT = Path(__file__).resolve().parent.parent.parent
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"), key=lambda path: path.name)
ROWS = 240


best = leaks._best_shifts


def _texts(values) -> list[str]:
    return [value if isinstance(value, str) else f"{value:.5f}" for value in values]


def _write(columns, path="d.csv") -> None:
    names = list(columns)
    rows = zip(*(_texts(columns[name]) for name in names), strict=True)
    Path(path).write_text("\n".join([",".join(names), *(",".join(row) for row in rows)]) + "\n")


def _days(count=ROWS) -> list[str]:
    return [str(day) for day in np.datetime64("2020-01-01") + np.arange(count)]


def _walk(seed, count=ROWS):
    return np.random.default_rng(seed).normal(size=count + 50).cumsum()


def _findings(columns, **keys):
    _write(columns)
    settings = make_config(**{"task__horizon": 6, "window__context": 12, **keys})
    return check(settings, open_tables("d.csv")).findings


def _told(columns, **keys) -> list[tuple[str, str | None]]:
    return [(finding.kind, finding.column) for finding in _findings(columns, **keys)]


def _series(names, make, count=ROWS):
    """Long columns of several series: ``make(number)`` gives the further columns of each."""
    parts = [make(number) for number in range(len(names))]
    columns = {"id": [name for name in names for _ in range(count)], "ds": _days(count) * len(names)}
    return columns | {key: [cell for part in parts for cell in part[key]] for key in parts[0]}


# no false alarms


# recipes are for more data than the project holds
TRUE_ALARMS = {"long_horizon": {"long_context"}, "panel": {"long_context"}}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_nothing_is_said_of_the_data_that_comes_along(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = load(str(path))
    found = {finding.kind for finding in check(config, open_tables(config.data.path)).findings}
    assert found == TRUE_ALARMS.get(path.stem, set())


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_said_of_independent_walks_and_noise(seed):
    noise = np.random.default_rng(seed).normal(size=(3, ROWS))
    columns = {"ds": _days(), "y": _walk(seed)[:ROWS], "a": _walk(seed + 100)[:ROWS], "b": noise[0], "c": noise[1]}
    assert _findings(columns, data__past=["a", "b"], data__future="c") == ()


def test_trends_are_not_leaks():
    steps = np.arange(ROWS)
    noise = np.random.default_rng(0).normal(size=(2, ROWS))
    columns = {"ds": _days(), "y": steps * 100 + noise[0], "count": 7 * steps + noise[1], "number": steps}
    assert np.corrcoef(columns["y"], columns["count"])[0, 1] > 0.9999
    assert _findings(columns, data__past=["count", "number"]) == ()


def test_old_values_and_flags_are_not_leaks():
    y = _walk(3)
    flags = np.arange(ROWS) % 50 == 7
    columns = {
        "ds": _days(),
        "y": y[20 : 20 + ROWS],
        "week": y[13 : 13 + ROWS],
        "last": y[19 : 19 + ROWS],
        "flag": flags * 1.0,
    }
    assert _findings(columns, data__past=["last", "week", "flag"]) == ()
    assert _findings(columns, data__future=["week", "flag"]) == ()


# leaks


@pytest.mark.parametrize("shift", [1, 3, 6])
@pytest.mark.parametrize("series", [1, 5])
def test_a_column_from_the_future_is_named_with_its_distance(shift, series):
    def make(number):
        y = _walk(number)
        return {"y": y[:ROWS], "x": y[shift : ROWS + shift], "z": np.cos(np.arange(ROWS) ** 1.3)}

    columns = _series([f"s{number}" for number in range(series)], make)
    (found,) = _findings(columns, data__series="id", data__past=["z", "x"])
    rows = "1 row" if shift == 1 else f"{shift} rows"
    assert (found.kind, found.column, found.message) == ("leak", "x", f"x is y, {rows} ahead: a leak")


def test_a_linear_function_with_another_slope_in_every_series_is_a_leak():
    def make(number):
        y = _walk(number)
        return {"y": y[:ROWS], "x": (number + 1) * y[2 : ROWS + 2] - 5 * number}

    (found,) = _findings(_series(["a", "b", "c"], make), data__series="id", data__past="x")
    assert found.message == "x is a linear function of y, 2 rows ahead: a leak"


def test_a_leak_in_most_series_is_named_with_them_and_in_few_is_not():
    def columns(leaking):
        def make(number):
            y = _walk(number)
            return {"y": y[:ROWS], "x": y[4 : ROWS + 4] if number < leaking else _walk(number + 50)[:ROWS]}

        return _series(["a", "b", "c", "d", "e"], make)

    (found,) = _findings(columns(3), data__series="id", data__past="x")
    assert found.message == "x is y, 4 rows ahead: a leak, in 3 of 5 series looked at: a, b, c"
    assert _findings(columns(2), data__series="id", data__past="x") == ()


def test_with_many_pairs_of_columns_fewer_series_are_looked_at(monkeypatch):
    def make(number):
        y = _walk(number)
        return {"y": y[:ROWS], "x": y[4 : ROWS + 4]}

    columns = _series([f"s{number:02}" for number in range(20)], make)
    (found,) = _findings(columns, data__series="id", data__past="x")
    assert found.message == "x is y, 4 rows ahead: a leak"
    looked_at = []
    monkeypatch.setattr(leaks, "MOST_PRODUCTS", 1)
    monkeypatch.setattr(leaks, "_best_shifts", lambda *given: looked_at.append(given) or best(*given))
    (fewer,) = _findings(columns, data__series="id", data__past="x")
    assert fewer == found
    assert len(looked_at) == 7  # every third: at most eight


def test_a_leak_shows_through_short_series():
    names = [f"s{number}" for number in range(60)]

    def make(number):
        y = _walk(number)
        return {"y": y[:14], "x": y[2:16]}

    told = _told(_series(names, make, 14), data__series="id", data__past="x", window__context=3, task__horizon=2)
    assert told == [("leak", "x")]


def test_a_leak_shows_through_empty_cells():
    y = _walk(0)
    x = [f"{value:.5f}" if row % 7 else "" for row, value in enumerate(y[2 : ROWS + 2])]
    columns = {"ds": _days(), "y": y[:ROWS], "x": x}
    assert _told(columns, data__past="x", data__missing="ffill") == [("leak", "x")]


@pytest.mark.parametrize("leaking", ["A", "B"])
def test_a_leak_in_the_wide_layout_is_named_with_its_target(leaking):
    walks = {"A": _walk(0), "B": _walk(1)}
    columns = {"ds": _days(), **{name: y[:ROWS] for name, y in walks.items()}, "x": walks[leaking][3 : ROWS + 3]}
    (found,) = _findings(columns, data__layout="wide", data__target=["A", "B"], data__past="x")
    assert found.message == f"x is {leaking}, 3 rows ahead: a leak"


def test_a_target_that_knows_another_is_a_leak():
    y = _walk(0)
    columns = {"ds": _days(), "y": y[:ROWS], "late": y[2 : ROWS + 2]}
    (found,) = _findings(columns, data__target=["y", "late"])
    assert found.message == "late is y, 2 rows ahead: a leak"


def test_what_is_known_ahead_may_hold_the_target_no_nearer_than_the_horizon():
    y = _walk(0)
    for shift, told in ((5, [("leak", "x")]), (6, []), (0, [("leak", "x")]), (-2, [("leak", "x")])):
        x = y[10 - shift : 10 - shift + ROWS]
        assert _told({"ds": _days(), "y": y[10 : 10 + ROWS], "x": x}, data__future="x") == told


def test_a_copy_of_the_past_is_no_leak_but_adds_nothing():
    y = _walk(0)[:ROWS]
    (found,) = _findings({"ds": _days(), "y": y, "x": 1.8 * y + 32}, data__past="x")
    assert (found.kind, found.message) == ("copy", "x is a linear function of y: it adds nothing")


def test_a_copy_of_another_input_is_named():
    a = _walk(1)[:ROWS]
    columns = {"ds": _days(), "y": _walk(0)[:ROWS], "a": a, "b": a, "c": 3 * a}
    found = _findings(columns, data__past=["a", "b"], data__future="c")
    assert [finding.message for finding in found] == [
        "b is a: it adds nothing", "c is a linear function of a: it adds nothing",
    ]  # fmt: skip


@pytest.mark.parametrize("shift", [0, 3])
def test_an_input_of_a_regression_must_not_hold_its_target(shift):
    y = _walk(0)
    columns = {"ds": _days(), "y": y[:ROWS], "x": y[shift : ROWS + shift], "z": _walk(1)[:ROWS]}
    keys = {"task": {"kind": "regression"}, "split__by": "time"}
    (found,) = _findings(columns, **keys)
    assert (found.kind, found.column) == ("leak", "x")


def test_a_number_for_a_whole_series_that_an_input_gives_away():
    names = [f"s{number:02}" for number in range(30)]
    sizes = np.random.default_rng(0).normal(size=30)

    def make(number):
        return {"y": [sizes[number]] * 20, "twice": [2 * sizes[number]] * 20, "x": _walk(number)[:20]}

    told = _told(_series(names, make, 20), task={"kind": "regression"}, data__series="id", data__static="twice")
    assert told == [("leak", "twice")]


@pytest.mark.parametrize("static", [False, True])
def test_a_code_for_the_label_is_a_leak(static):
    names = [f"s{number:02}" for number in range(40)]

    def make(number):
        label = "left" if number % 2 else "right"
        return {"y": [label] * 20, "side": ["L" if number % 2 else "R"] * 20, "x": _walk(number)[:20]}

    parts = {"data__static": "side"} if static else {"data__past": ["x", "side"]}
    keys = {"task": {"kind": "classification"}, "data__series": "id", "data__categorical": "side", "window": {}}
    (found,) = _findings(_series(names, make, 20), **keys, **parts)
    assert found.message == "side tells y, each of its values occurs with one label only: a leak"


def test_a_code_for_the_label_of_every_row_is_a_leak():
    words = ["hot" if value > 0 else "cold" for value in np.diff(_walk(5))[:ROWS]]
    columns = {"ds": _days(), "y": words, "x": _walk(0)[:ROWS], "code": [float(word == "hot") for word in words]}
    assert _told(columns, task={"kind": "tagging"}) == [("leak", "code")]


# columns


def test_constant_columns_are_named():
    columns = {"ds": _days(), "y": _walk(0)[:ROWS], "five": [5.0] * ROWS, "x": _walk(1)[:ROWS]}
    (found,) = _findings(columns, data__past=["five", "x"])
    assert found.message == "five is 5 in every row: it tells nothing"


def test_a_constant_category_is_named_by_its_word():
    columns = {"ds": _days(), "y": _walk(0)[:ROWS], "kind": ["plain"] * ROWS}
    (found,) = _findings(columns, data__past="kind", data__categorical="kind")
    assert found.message == "kind is plain in every row: it tells nothing"


def test_a_constant_target_a_constant_series_and_a_part_of_the_date_that_stays():
    days = {"ds": _days(), "A": _walk(0)[:ROWS], "B": [3.0] * ROWS}
    assert _told(days, data__layout="wide", data__target=["A", "B"]) == [("constant", "B")]
    assert _told({"ds": _days(), "y": [2.0] * ROWS}) == [("constant", "y")]
    assert _told({"ds": _days(), "y": days["A"]}, data__calendar=["hour", "month"]) == [("constant", "hour")]


def test_a_constant_static_column_is_named_and_others_do_not_disturb():
    def make(number):
        words = {"region": ["north", "south", "east"][number], "same": "7", "kind": f"k{number % 2}"}
        return {"y": _walk(number)[:ROWS], **{name: [word] * ROWS for name, word in words.items()}}

    keys = {"data__series": "id", "data__static": ["region", "same", "kind"], "data__categorical": ["region", "kind"]}
    assert _told(_series(["a", "b", "c"], make), **keys) == [("constant", "same")]


def test_a_categorical_input_does_not_disturb():
    columns = {"ds": _days(), "y": _walk(0)[:ROWS], "day": [f"d{row % 7}" for row in range(ROWS)]}
    assert _told(columns, data__past="day", data__categorical="day") == []


def test_a_target_that_stands_still_is_named_with_its_place():
    y = _walk(0)[:ROWS]
    y[100:140] = 4.5
    (found,) = _findings({"ds": _days(), "y": y})
    assert (found.kind, found.column) == ("long_run", "y")
    assert found.message == "y is 4.5 in 40 rows on end from 2020-04-10"


def test_runs_end_with_their_series():
    def make(number):
        y = _walk(number)[:ROWS]
        y[-15:] = 1
        y[:15] = 1
        return {"y": y}

    assert _findings(_series(["a", "b"], make), data__series="id") == ()


@pytest.mark.parametrize("value", [1e6, -9999.0])
def test_a_number_far_from_all_others_is_named_with_its_place(value):
    def make(number):
        y = _walk(number)[:ROWS] + 100 * number
        if number == 1:
            y[200] = value
        return {"y": y}

    (found,) = _findings(_series(["a", "b", "c"], make), data__series="id")
    assert (found.kind, found.column, found.series) == ("outlier", "y", ("b",))
    assert found.message == f"y is {value:g} at 2020-07-19 in series b, over 20 deviations away"


def test_an_outlier_among_few_rows_shows_too():
    y = _walk(0)[:40]
    y[7] = 4000
    assert _told({"ds": _days(40), "y": y}) == [("outlier", "y")]


def test_an_outlier_in_a_short_sequence_shows_among_all_sequences():
    columns = _labelled(["a", "b"] * 20)
    columns["x"][100] = -9999.0
    (found,) = _findings(columns, **CLASSES)
    assert found.message == "x is -9999 at 2020-01-05 in series s012, over 20 deviations away"


def test_series_of_different_size_and_rare_events_are_no_outliers():
    def make(number):
        return {"y": _walk(number)[:ROWS] * 1000.0**number, "sale": [float(row == 100) for row in range(ROWS)]}

    assert _findings(_series(["a", "b", "c"], make), data__series="id", data__past="sale") == ()


# series


def test_ids_that_look_like_one_series_are_named():
    found = _findings(_series(["shop", "Shop ", "other"], lambda n: {"y": _walk(n)[:ROWS]}), data__series="id")
    assert [(finding.kind, finding.message) for finding in found] == [
        ("similar_ids", "series ids differ only by case or spaces: 'shop', 'Shop '")
    ]


def _of_lengths(lengths):
    return {
        "id": [name for name, count in lengths.items() for _ in range(count)],
        "ds": [day for count in lengths.values() for day in _days(count)],
        "y": [value for number, count in enumerate(lengths.values()) for value in _walk(number)[:count]],
    }


def test_series_that_are_left_out_and_series_shorter_than_a_window_are_named():
    columns = _of_lengths({"a": 200, "b": 200, "tiny": 4, "short": 20})
    found = _findings(columns, data__series="id", data__short_series="skip", window__context=60)
    assert [(finding.kind, finding.message) for finding in found] == [
        ("note", "1 of 4 series left out, too short: tiny"),
        ("short_series", "1 of 3 series are shorter than a window of 66 rows: short"),
    ]


def test_a_context_that_most_windows_do_not_fill_is_named():
    (found,) = _findings({"ds": _days(), "y": _walk(0)[:ROWS]}, window__context=230)
    assert (found.kind, found.hint) == ("long_context", "the longest holds 186")


def test_parts_shorter_than_the_horizon_are_named():
    columns = _of_lengths({"a": 100, "b": 60})
    found = _findings(columns, data__series="id", split__test="2020-02-28", split__validation=8)
    assert [(finding.kind, finding.series) for finding in found] == [("short_part", ("b",))]
    assert found[0].message == "1 of 2 series have fewer test rows than the horizon of 6: b"


@pytest.mark.parametrize(
    ("time", "told"), [("day", []), ("year", []), ("number", ["no_season"]), ("10s", ["no_season"])]
)
def test_a_season_that_is_not_found_is_named(time, told):
    times = {
        "day": _days(),
        "year": [f"{1700 + row}-01-01" for row in range(ROWS)],
        "number": [str(row) for row in range(ROWS)],
        "10s": [str(moment) for moment in np.datetime64("2020-01-01T00:00:00") + 11 * np.arange(ROWS)],
    }
    columns = {"ds": times[time], "y": _walk(0)[:ROWS]}
    assert [kind for kind, _ in _told(columns)] == told
    assert _told(columns, data__season=12) == []


# classes


def _labelled(labels):
    columns = _series([f"s{number:03}" for number in range(len(labels))], lambda n: {"x": _walk(n)[:8]}, 8)
    return columns | {"y": [label for label in labels for _ in range(8)]}


CLASSES = {"task": {"kind": "classification"}, "data__series": "id", "window": {}}


def test_balanced_classes_are_as_they_should_be():
    assert _findings(_labelled(["a", "b", "c"] * 20), **CLASSES) == ()


def test_a_class_with_one_member_is_named_and_where_it_is_missing():
    found = _findings(_labelled(["a", "b"] * 20 + ["odd"]), **CLASSES)
    assert ("lonely_class", "y: one member only of odd") in [(f.kind, f.message) for f in found]
    parts = [finding.message for finding in found if finding.kind == "absent_class"]
    assert len(parts) == 2
    assert all(message.endswith("part has none of odd") for message in parts)


def test_a_class_that_is_nearly_all_there_is_is_named():
    found = _findings(_labelled(["a"] * 95 + ["b"] * 5), **CLASSES)
    assert [finding.message for finding in found if finding.kind == "imbalance"] == ["y: 95% are a"]


def test_rare_ones_of_a_tagging_are_named():
    columns = {"ds": _days(), "x": _walk(0)[:ROWS], "y": [float(row == 50) for row in range(ROWS)]}
    assert _told(columns, task={"kind": "tagging"}) == [("imbalance", "y")]


# arithmetic


def test_correlation_is_numpys_with_empty_cells_left_out():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(50, 2)), random.normal(size=(50, 3)) * 1e6 + 1e8
    x[random.random((50, 2)) < 0.2] = np.nan
    y[random.random((50, 3)) < 0.2] = np.nan
    found = correlation(x, y)
    for row in range(2):
        for column in range(3):
            both = ~np.isnan(x[:, row]) & ~np.isnan(y[:, column])
            wanted = np.corrcoef(x[both, row], y[both, column])[0, 1]
            assert found[row, column] == pytest.approx(wanted, abs=1e-9)
    assert np.isnan(correlation(np.ones((50, 1)), y)).all()
    assert np.isnan(correlation(x[:5], y[:5])).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_two_inputs_that_make_up_the_target_are_a_leak(sign):
    a, b = _walk(1), _walk(2)
    columns = {"ds": _days(), "y": (a + sign * b)[:ROWS], "a": a[:ROWS], "c": _walk(3)[:ROWS], "b": b[:ROWS]}
    keys = {"task__kind": "regression", "task__horizon": None, "split__by": "time"}
    (found,) = (finding for finding in _findings(columns, **keys) if finding.kind == "leak")
    assert found.message == f"a {'+' if sign > 0 else '-'} b is y in the same row: a leak"
    assert found.column == "b"


def test_two_inputs_that_make_up_the_target_ahead_are_a_leak_and_in_the_same_row_are_not():
    a, b = _walk(1), _walk(2)
    ahead = {"ds": _days(), "y": (b - a)[:ROWS], "a": a[2 : ROWS + 2], "b": b[2 : ROWS + 2]}
    (found,) = (finding for finding in _findings(ahead, data__past="*") if finding.kind == "leak")
    assert found.message == "b - a is y, 2 rows ahead: a leak"
    now = {"ds": _days(), "y": (a + b)[:ROWS], "a": a[:ROWS], "b": b[:ROWS]}
    assert "leak" not in [kind for kind, _ in _told(now, data__past="*")]
    known = _told(now, data__future=["a", "b"])
    assert ("leak", "b") in known


# targets that were cut off


def _lives(number, count=ROWS):
    """Rows left of a life, and the same cut off at 40 as a target: both fall by one a row."""
    left = np.arange(count + number, number, -1)
    return {"left": left, "target": np.minimum(left, 40), "x": _walk(number)[:count], "slow": left / 3 + number}


@pytest.mark.parametrize("column", ["left", "slow", "x"])
def test_a_counter_gives_away_the_target_that_was_cut_from_it(column):
    columns = _series("abcdef", _lives)
    keys = {"task__kind": "regression", "task__horizon": None, "data__series": ["id"], "data__target": ["target"]}
    told = _told(columns, **keys, data__past=[column], window__context=5)
    assert (("leak", column) in told) == (column == "left")  # a trend like it is none: it was not counted from the end


def test_values_at_both_ends_are_left_out_where_they_stand_for_long():
    values = np.concatenate([np.full(30, 9.0), np.linspace(8, 2, 40), np.full(30, 1.0)])
    assert np.array_equal(np.isnan(uncut(values)), (values == 9) | (values == 1))
    for kept in (np.linspace(0, 1, 100), np.tile([0.0, 1.0], 50), np.full(9, np.nan)):
        assert np.array_equal(uncut(kept), kept, equal_nan=True)
