"""The roles of columns, from their names and their cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rnncli.data.guessing import excerpt
from rnncli.data.guessing.guess import Findings, guess
from rnncli.data.guessing.keys import Wishes
from rnncli.data.guessing.sizes import fit_sizes
from rnncli.data.reading.frames import open_tables
from rnncli.errors import DataError

DAYS = list(pd.date_range("2020-01-01", periods=60).strftime("%Y-%m-%d"))


def find(columns: dict[str, Any] | pd.DataFrame, **wishes: Any) -> Findings:
    """What is found in a table with these columns."""
    pd.DataFrame(columns).to_csv("d.csv", index=False)
    return guess(open_tables("d.csv"), Wishes(**wishes))


def wave(count: int = 60, shift: float = 0.0) -> list[float]:
    return [round(50 + 10 * np.sin(row / 2 + shift) + row * 7919 % 13, 3) for row in range(count)]


def stacked(ids: list[str], **columns: Any) -> pd.DataFrame:
    """A table in which every id has the same columns; a function makes its own from the id's number."""
    parts = []
    for number, name in enumerate(ids):
        own = {key: value(number) if callable(value) else value for key, value in columns.items()}
        parts.append(pd.DataFrame({"who": name, **own}))
    return pd.concat(parts)


def test_one_series():
    found = find({"date": DAYS, "y": wave()})
    assert (found.keys.time, found.keys.series, found.choice.targets, found.choice.task) == (
        "date",
        (),
        ("y",),
        "forecasting",
    )
    assert (found.season, found.in_values, list(found.lengths), found.blank) == (7, False, [60], ())


def test_series_by_the_column_that_makes_times_unique():
    found = find(stacked(["a", "b"], date=DAYS, y=lambda number: wave(shift=number)))
    assert (found.keys.time, found.keys.series, list(found.lengths)) == ("date", ("who",), [60, 60])


def test_series_by_two_columns():
    found = find(
        pd.concat(
            pd.DataFrame(
                {"store": store, "item": item, "day": DAYS, "sold": [int(v) for v in wave(shift=store + item)]}
            )
            for store in (1, 2, 3)
            for item in (7, 8)
        )
    )
    assert (found.keys.time, found.keys.series, found.choice.targets) == ("day", ("store", "item"), ("sold",))


def test_a_column_of_whole_numbers_is_no_id_because_a_row_stands_twice():
    found = find({"date": [*DAYS, DAYS[3]], "y": [*range(30), *range(30), 3]})
    assert (found.keys.time, found.keys.series) == ("date", ())


def test_a_column_that_tears_an_even_grid_is_no_id():
    found = find({"t": range(60), "y": wave(), "state": ["low"] * 10 + ["high"] * 20 + ["low"] * 30})
    assert (found.keys.series, found.choice.task, found.choice.targets) == ((), "tagging", ("state",))


def test_an_id_whose_rows_stand_together_needs_no_time():
    found = find(stacked(["a", "b", "c"], y=lambda number: wave(shift=number)))
    assert (found.keys.time, found.keys.series, found.choice.targets) == (None, ("who",), ("y",))


def test_without_time_the_season_is_seen_in_the_numbers():
    found = find({"y": [float(f"{np.sin(row / 12 * 2 * np.pi):.4f}") for row in range(100)]})
    assert (found.keys.time, found.season, found.in_values) == (None, 12, True)
    noise = np.random.default_rng(0).normal(size=400)
    assert find({"y": noise[:100]}).season == 1
    assert find({"y": 10 * np.sin(np.arange(400) / 12 * np.pi) + noise}).season in (23, 24, 25)


def test_a_constant_column_has_no_season():
    assert find({"y": [1.5] * 50}).season == 1


@pytest.mark.parametrize(
    ("names", "target"),
    [
        (["a", "b", "c"], "c"),
        (["a", "sales", "c"], "sales"),
        (["Target", "value"], "Target"),
        (["y"], "y"),
        (["a", "Total Sales (€)", "Temp °C"], "Total Sales (€)"),
        (["temp", "Heat [kWh]", "c"], "temp"),
        (["acc_y", "acc_x"], "acc_x"),
    ],
)
def test_target_by_name_or_place(names, target):
    values = {name: [v * 1000**position for v in wave(shift=position)] for position, name in enumerate(names)}
    found = find({"date": DAYS, **values})
    assert (found.choice.targets, found.choice.wide) == ((target,), False)
    assert set(found.inputs.past) == set(names) - {target}


@pytest.mark.parametrize(
    "names", [["s1", "s2", "s3"], ["berlin", "paris", "rome", "oslo", "wien"], [f"{n}" for n in range(12)] + ["OT"]]
)
def test_columns_of_one_kind_are_series(names):
    found = find({"date": DAYS, **{name: wave(shift=position) for position, name in enumerate(names)}})
    assert (found.choice.targets, found.choice.wide) == (tuple(names), True)
    assert len(found.lengths) == len(names)


def test_columns_of_several_kinds_are_not_series():
    found = find(
        {"date": DAYS, "rain": wave(), "people": range(60), "price": wave(), "holiday": [0, 1] * 30, "x": wave()}
    )
    assert (found.choice.targets, found.choice.wide) == (("price",), False)


def test_a_label_that_is_the_same_throughout_a_series_is_classification():
    found = find(stacked(list("abcdefgh"), t=range(9), x=lambda n: wave(9, n), label=lambda n: ["up", "down"][n % 2]))
    assert (found.choice.task, found.choice.targets, found.keys.series) == ("classification", ("label",), ("who",))


def test_a_last_column_of_few_numbers_is_a_label_where_there_are_no_dates():
    columns = {"x": lambda n: wave(60, n), "kind": lambda n: n % 3}
    assert find(stacked(list("abcdefgh"), t=range(60), **columns)).choice.task == "classification"
    assert find(stacked(list("abcdefgh"), date=DAYS, **columns)).choice.targets == ("x",)


def test_a_label_that_changes_is_tagging():
    found = find({"t": range(60), "x": wave(), "activity": ["rest", "run", "run"] * 20})
    assert (found.choice.task, found.choice.targets) == ("tagging", ("activity",))


def test_numbers_named_as_a_label_are_classes():
    found = find({"t": range(60), "x": wave(), "activity": [1, 2, 3] * 20})
    assert (found.choice.task, found.choice.targets, found.classes_as_numbers) == ("tagging", ("activity",), True)
    found = find({"t": range(60), "x": wave(), "label": [0, 1] * 30})
    assert (found.choice.task, found.classes_as_numbers) == ("tagging", False)
    found = find({"date": DAYS, "x": wave(), "event": [1, 2, 3] * 20})
    assert (found.choice.task, found.choice.targets) == ("forecasting", ("x",))
    assert find({"t": range(60), "x": wave(), "label": range(60)}).choice.task == "forecasting"


def test_several_flags_beside_inputs_are_tagging():
    random = np.random.default_rng(0).integers(0, 2, (60, 6))
    columns = {f"x{n}": random[:, n] for n in range(3)} | {f"y{n}": random[:, 3 + n] for n in range(3)}
    found = find(columns)
    assert (found.choice.task, found.choice.targets) == ("tagging", ("y0", "y1", "y2"))
    assert found.inputs.past == ("x0", "x1", "x2")


def test_inputs_of_a_label():
    found = find(
        stacked(
            list("abcdefgh"),
            t=range(9),
            x=lambda n: wave(9, n),
            colour=["red", "blue", "red"] * 3,
            age=lambda n: 30 + n,
            note=lambda n: [f"note {n} {row}" for row in range(9)],
            nothing="",
            label=lambda n: ["up", "down"][n % 2],
        )
    )
    assert found.inputs.past == ("x", "colour")
    assert found.inputs.static == ("age",)
    assert found.inputs.categorical == ("colour",)
    assert [name for name, _ in found.inputs.unused] == ["note", "nothing"]
    assert not found.inputs.explicit


def test_a_number_that_some_series_never_have_is_no_input():
    found = find(
        stacked(
            list("abcdefgh"),
            t=range(9),
            x=lambda n: wave(9, n),
            z=lambda n: wave(9) if n else "",
            label=lambda n: "ab"[n % 2],
        )
    )
    assert (found.inputs.past, found.inputs.explicit) == (("x",), True)


def test_empty_cells_of_what_is_used_are_found():
    y = [*wave(59), None]
    assert find({"date": DAYS, "y": y, "x": wave()}).blank == ("y",)
    assert find({"date": DAYS, "y": wave(), "x": y}).blank == ()


def test_wishes():
    columns = stacked(["a", "b"], date=DAYS, t=list(range(60)), y=wave(), rul=lambda number: wave(shift=number))
    found = find(columns, target=("rul",), time="t", series=("who",), task="regression")
    assert (found.keys.time, found.choice.targets, found.choice.task) == ("t", ("rul",), "regression")
    assert find(columns, task="regression").choice.targets == ("rul",)
    assert find(columns, target=("y", "rul")).choice.targets == ("y", "rul")


def test_a_glob_takes_what_matches_in_the_order_of_the_file():
    found = find({"date": DAYS, "b2": wave(), "b1": wave(), "c": wave()}, target=("b*",))
    assert found.choice.targets == ("b2", "b1")


@pytest.mark.parametrize(
    ("wishes", "word"),
    [
        ({"target": ("yy",)}, "did you mean y"),
        ({"series": ("nope",)}, "no column nope"),
        ({"time": "dat"}, "did you mean date"),
        ({"time": "word"}, "--time word"),
    ],
)
def test_a_wish_that_cannot_be_met(wishes, word):
    with pytest.raises(DataError, match=word):
        find({"date": DAYS, "y": wave(), "word": ["a"] * 60}, **wishes)


def test_nothing_to_predict():
    with pytest.raises(DataError, match="--target"):
        find({"date": DAYS, "text": [f"some words {row}" for row in range(60)]})


def test_parts_of_a_time_are_said_to_be_parts():
    days = [day for day in DAYS[:10] for _ in range(6)]
    found = find({"date": days, "time": [f"{hour:02}:00" for hour in range(6)] * 10, "y": wave()})
    assert (found.keys.time, found.keys.series) == (None, ())
    assert any("date" in note.text and "time" in note.text and note.doubtful for note in found.notes)


def test_a_large_table_is_measured_whole_although_it_is_looked_at_in_parts(monkeypatch):
    table = stacked(list("abcdefgh"), date=DAYS, y=lambda number: [*wave(shift=number)[:-1], "" if number == 5 else 1])
    whole = find(table)
    monkeypatch.setattr(excerpt, "MOST_CELLS", 600)
    part = find(table)
    assert list(part.lengths) == list(whole.lengths) == [60] * 8
    assert part.blank == ("y",)
    assert (part.keys.time, part.keys.series, part.choice, part.keys.rhythm) == (
        whole.keys.time,
        whole.keys.series,
        whole.choice,
        whole.keys.rhythm,
    )


@pytest.mark.parametrize(
    ("rows", "season_column", "horizon", "context"),
    [(2000, "MS", 12, None), (144, "MS", 12, 48), (60, "MS", 6, 12), (12, "MS", 1, 3), (2000, "D", 7, None)],
)
def test_horizon_and_context_suit_season_and_rows(rows, season_column, horizon, context):
    dates = pd.date_range("1900-01-01", periods=rows, freq=season_column).strftime("%Y-%m-%d")
    sizes = fit_sizes(find({"date": dates, "y": wave(rows)}), None)
    assert (sizes.horizon, sizes.context, sizes.short) == (horizon, context, 0)


def test_a_few_short_series_are_left_out():
    lengths = [60] * 18 + [2, 3]
    table = pd.concat(
        pd.DataFrame({"id": f"s{n}", "t": range(rows), "y": wave(rows, n)}) for n, rows in enumerate(lengths)
    )
    sizes = fit_sizes(find(table), None)
    assert (sizes.horizon, sizes.short) == (6, 2)
    assert fit_sizes(find(table), 20).short == 0  # where all are too short, training says so


def test_few_sequences_hold_out_more_of_them():
    def sizes(count: int):
        table = pd.concat(
            pd.DataFrame({"id": f"s{n}", "t": range(6), "x": wave(6, n), "label": "ab"[n % 2]}) for n in range(count)
        )
        found = fit_sizes(find(table), None)
        return found.validation, found.test

    assert sizes(40) == (None, None)
    assert sizes(10) == (0.2, 0.2)
    assert sizes(2) == (0, None)


def test_names_that_are_hard_to_write_are_names():
    names = ["a: b", " #c", 'd"', "x*", "[e]", "line\nbreak"]
    found = find({"date": DAYS, **{name: wave(shift=n) for n, name in enumerate(names)}}, target=("x*",))
    assert found.choice.targets == ("x*",)


def test_files_are_left_as_they_are():
    find({"date": DAYS, "y": wave()})
    assert [path.name for path in Path().iterdir()] == ["d.csv"]
