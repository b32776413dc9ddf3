"""Tables as people have them, and what a first config must say of each."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

DAYS = pd.date_range("2021-01-01", periods=90)
HOURS = pd.date_range("2021-03-26", periods=150, freq="h")
BERLIN = HOURS.tz_localize("UTC").tz_convert("Europe/Berlin")
MONTHS = pd.date_range("2010-01-01", periods=80, freq="MS")


@dataclass(frozen=True)
class Shape:
    """A file and some keys of the config for it, as ``section.key: value``."""

    content: bytes
    keys: dict[str, Any] = field(default_factory=dict)
    file: str = "d.csv"


def wave(count: int, shift: float = 0.0) -> list[float]:
    """Numbers that swing, with a little that does not."""
    return [round(50 + 10 * math.sin(row / 3 + shift) + row * 7919 % 13 / 5, 2) for row in range(count)]


def as_bytes(columns: dict[str, Sequence[Any]] | pd.DataFrame, **options: Any) -> bytes:
    return pd.DataFrame(columns).to_csv(index=False, **options).encode()


def stacked(ids: Sequence[str], make: Callable[[int], dict[str, Any]], name: str = "id") -> pd.DataFrame:
    """Tables below each other, one an id."""
    return pd.concat(pd.DataFrame({name: identity, **make(number)}) for number, identity in enumerate(ids))


ISO = "%Y-%m-%d"
LONG = stacked(["a", "b", "c"], lambda number: {"date": DAYS.strftime(ISO), "value": wave(90, number)})
LARGE = [f"{(row * 37 % 50 + 1) * 123.5:,.2f}" for row in range(90)]


def european(text: str) -> str:
    return text.translate(str.maketrans(",.", ".,"))


def dated(form: str, times: pd.DatetimeIndex = DAYS) -> dict[str, Sequence[Any]]:
    return {"date": list(times.strftime(form)), "y": wave(len(times))}


def counted(rows: int, shift: int) -> dict[str, Any]:
    return {"t": range(rows), "y": wave(rows, shift)}


def sequences(count: int, make: Callable[[int], dict[str, Any]]) -> pd.DataFrame:
    return stacked([f"q{number}" for number in range(count)], make, "seq")


def labelled(number: int) -> dict[str, Any]:
    rows = 10 + number % 5
    return {
        "t": range(rows),
        "a": wave(rows, number),
        "b": wave(rows, 2 * number),
        "label": ["walk", "run", "sit"][number % 3],
    }


def with_words(number: int) -> dict[str, Any]:
    found = labelled(number)
    rows = len(found["t"])
    return {"colour": [["red", "blue"][row % 2] for row in range(rows)], "size": number % 4, **found}


def music() -> pd.DataFrame:
    notes = np.random.default_rng(0).integers(0, 2, (12, 21, 88))
    return sequences(
        12,
        lambda number: {
            "t": range(20),
            **{f"x{note}": notes[number, :-1, note] for note in range(88)},
            **{f"y{note}": notes[number, 1:, note] for note in range(88)},
        },
    )


def engines(number: int) -> dict[str, Any]:
    rows = 30 + number
    return {"cycle": range(1, rows + 1), "s1": wave(rows, number), "s2": wave(rows, 3), "rul": range(rows - 1, -1, -1)}


def events() -> pd.DatetimeIndex:
    gaps = np.random.default_rng(0).exponential(300, 150).astype(int) + 1
    return pd.Timestamp("2021-01-01") + pd.to_timedelta(np.cumsum(gaps), unit="s")


PLAIN: dict[str, Shape] = {  # what every part of a config is there for already
    "long": Shape(as_bytes(LONG), {"data.time": "date", "data.series": "id", "data.target": "value"}),
    "wide": Shape(
        as_bytes({"date": DAYS.strftime(ISO), **{name: wave(90, len(name)) for name in ("rome", "oslo", "wien")}}),
        {"data.layout": "wide", "data.target": ["rome", "oslo", "wien"]},
    ),
    "wide, numbered": Shape(
        as_bytes({"date": DAYS.strftime(ISO), **{f"MT_{number:03}": wave(90, number) for number in range(12)}}),
        {"data.layout": "wide", "data.target": "MT_0*"},
    ),
    "tabs": Shape(as_bytes(LONG, sep="\t"), {"data.series": "id"}, "d.tsv"),
    "gz": Shape(gzip.compress(as_bytes(LONG)), {"data.path": "d.csv.gz"}, "d.csv.gz"),
    "a date and a time": Shape(as_bytes(dated("%Y-%m-%d %H:%M:%S", HOURS)), {"task.horizon": 15}),
    "day first": Shape(as_bytes(dated("%d/%m/%Y")), {"data.time_format": "%d/%m/%Y"}),
    "day first, dots": Shape(as_bytes(dated("%d.%m.%y")), {"data.time_format": "%d.%m.%y"}),
    "month first": Shape(as_bytes(dated("%m/%d/%Y")), {"data.time_format": "%m/%d/%Y"}),
    "first days of months": Shape(as_bytes(dated("%d/%m/%Y", MONTHS)), {"data.time_format": "%d/%m/%Y"}),
    "months": Shape(as_bytes(dated("%Y-%m", MONTHS)), {"data.time_format": None, "task.horizon": 8}),
    "months as numbers": Shape(as_bytes(dated("%Y%m", MONTHS)), {"data.time_format": "%Y%m"}),
    "years": Shape(as_bytes({"year": range(1900, 1980), "y": wave(80)}), {"data.time": "year"}),
    "quarters": Shape(
        as_bytes({"quarter": [f"{2000 + row // 4}Q{row % 4 + 1}" for row in range(80)], "y": wave(80)}),
        {"data.time": "quarter", "data.time_format": "%YQ%q", "task.horizon": 4},
    ),
    "weeks": Shape(
        as_bytes({"week": pd.date_range("2017-01-02", periods=180, freq="W-MON").strftime("%G-W%V"), "y": wave(180)}),
        {"data.time": "week", "data.time_format": "%G-W%V", "task.horizon": 18},
    ),
    "missing cells": Shape(
        as_bytes({"date": DAYS.strftime(ISO), "y": [*wave(40), None, None, *wave(48)]}), {"data.missing": "ffill"}
    ),
    "no time": Shape(as_bytes({"y": wave(120)}), {"data.time": None}),
    "thousands of short series": Shape(
        as_bytes(stacked([f"s{number}" for number in range(1200)], lambda n: counted(8 + n % 5, n))),
        {"data.series": "id", "task.horizon": 1},
    ),
    "two id columns": Shape(
        as_bytes(
            pd.concat(
                pd.DataFrame({"store": store, "item": item, **dated(ISO)}) for store in (1, 2) for item in (7, 8)
            )
        ),
        {"data.series": ["store", "item"]},
    ),
    "a label a series": Shape(as_bytes(sequences(24, labelled)), {"task.kind": "classification"}),
    "date and time in two columns": Shape(
        as_bytes({"Date": HOURS.strftime(ISO), "Time": HOURS.strftime("%H:%M"), "power": wave(150)}),
        {"data.time": "Date", "data.clock": "Time", "data.target": "power"},
    ),
    "an index before all": Shape(("," + "\n".join(f"{n},{line}" if n else line for n, line in enumerate(
        as_bytes(dated(ISO)).decode().splitlines()))).encode(), {"data.time": "date"}),
}  # fmt: skip

DIALECTS: dict[str, Shape] = {
    "semicolons": Shape(as_bytes(LONG, sep=";"), {"data.delimiter": ";", "data.decimal": None}),
    "decimal comma": Shape(as_bytes(LONG, sep=";", decimal=","), {"data.delimiter": ";", "data.decimal": ","}),
    "thousands": Shape(as_bytes({"date": DAYS.strftime(ISO), "sales": LARGE}), {"data.thousands": ","}),
    "thousands, european": Shape(
        as_bytes({"Datum": DAYS.strftime("%d.%m.%Y"), "Umsatz": [european(cell) for cell in LARGE]}, sep=";"),
        {"data.decimal": ",", "data.thousands": ".", "data.time_format": "%d.%m.%Y"},
    ),
    "tabs in a .csv": Shape(as_bytes(LONG, sep="\t"), {"data.delimiter": "tab"}),
    "utf-16": Shape(as_bytes(LONG).decode().encode("utf-16"), {"data.encoding": "utf-16"}),
    "decimal comma in quotes": Shape(as_bytes(LONG, decimal=","), {"data.delimiter": None, "data.decimal": ","}),
    "latin": Shape(
        as_bytes(LONG.rename(columns={"id": "Straße"}), sep=";").decode().encode("latin-1"),
        {"data.encoding": "latin-1", "data.series": "Straße"},
    ),
    "summer time": Shape(
        as_bytes({"time": [time.isoformat() for time in BERLIN], "y": wave(150)}),
        {"data.time_zone": "Europe/Berlin", "data.irregular": None},
    ),
    "western windows": Shape(
        as_bytes(LONG.rename(columns={"id": "Straße in €"}), sep=";").decode().encode("cp1252"),
        {"data.encoding": "cp1252", "data.series": "Straße in €"},
    ),
    "seconds": Shape(
        as_bytes({"ts": [int(time.timestamp()) for time in HOURS], "y": wave(150)}), {"data.time_unit": "s"}
    ),
    "milliseconds": Shape(
        as_bytes({"ts": [int(time.timestamp() * 1000) for time in HOURS], "y": wave(150)}), {"data.time_unit": "ms"}
    ),
}

STEPS: dict[str, Shape] = {
    "gaps": Shape(
        as_bytes(pd.DataFrame(dated(ISO)).drop(index=[5, 30, 31, 60])),
        {"data.irregular": "resample", "data.frequency": "1D", "data.missing": "ffill"},
    ),
    "business days without holidays": Shape(
        as_bytes(pd.DataFrame(dated(ISO, pd.bdate_range("2021-01-01", periods=150))).drop(index=[30, 77])),
        {"data.irregular": "resample", "data.frequency": "B"},
    ),
    "events": Shape(as_bytes(dated("%Y-%m-%d %H:%M:%S", events())), {"data.irregular": "delta"}),
    "some series are short": Shape(
        as_bytes(stacked([f"s{n}" for n in range(20)], lambda n: counted(2 if n == 7 else 60, n))),
        {"data.short_series": "skip", "task.horizon": 6},
    ),
}  # fmt: skip

LABELS: dict[str, Shape] = {
    "words and numbers beside a label": Shape(
        as_bytes(sequences(24, with_words)), {"data.static": ["size"], "data.categorical": ["colour"]}
    ),
    "a label a row": Shape(
        as_bytes({"t": range(200), "a": wave(200), "activity": [["up", "down"][row // 7 % 2] for row in range(200)]}),
        {"task.kind": "tagging", "data.target": "activity"},
    ),
    "classes as numbers": Shape(
        as_bytes({"t": range(200), "a": wave(200), "activity": [1 + row // 9 % 3 for row in range(200)]}),
        {"task.kind": "tagging", "training.loss": "cross_entropy"},
    ),
    "88 notes": Shape(as_bytes(music()), {"task.kind": "tagging", "data.target": "y*"}),
}

SHAPES = PLAIN | DIALECTS | STEPS | LABELS
ENGINES = as_bytes(stacked([str(number) for number in range(12)], engines, "unit"))
