"""Small tables as text, and the config that reads them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

ROWS = [
    [str(day), f"{math.sin(row) + 5:.3f}", str(row % 7)]
    for row, day in enumerate(np.datetime64("2020-01-01") + np.arange(40))
]


def table(rows: Iterable[Sequence[str]] | None = None, header: str = "ds,y,x", comma: str = ",") -> str:
    """Rows of time, target and one more number below a header."""
    lines = [header.split(","), *(ROWS if rows is None else rows)]
    return "".join(comma.join(line) + "\n" for line in lines)


def cell(text: str, row: int = 9, column: int = 1) -> str:
    """The table with one cell changed; row 0 stands in line 2."""
    rows = [list(line) for line in ROWS]
    rows[row][column] = text
    return table(rows)


def column(texts: Iterable[str], position: int = 1) -> str:
    """The table with a column changed from the top; the texts are repeated if they are too few."""
    found = list(texts)
    rows = [list(line) for line in ROWS]
    for number, row in enumerate(rows):
        row[position] = found[number % len(found)]
    return table(rows)


def timed(times: Iterable[Any]) -> str:
    """A row for each time."""
    return table(([str(time), f"{math.sin(row) + 5:.4f}"] for row, time in enumerate(times)), "ds,y")


def series(ids: Sequence[str], rows: int = 40) -> str:
    """The first rows of the table for each id."""
    return table(([name, *line] for name in ids for line in ROWS[:rows]), "id,ds,y,x")


def config(**keys: Any) -> str:
    """A forecasting config for ``d.csv``; ``section__key=value`` changes it, None takes a key away."""
    values: dict[str, Any] = {
        "data": {"path": "d.csv", "time": "ds", "target": "y"},
        "window": {"context": 4},
        "task": {"kind": "forecasting", "horizon": 2},
        "model": {"cell": "rnn", "hidden_size": 2},
        "training": {"epochs": 1, "device": "cpu"},
        "evaluation": {"baselines": []},
    }
    for key, value in keys.items():
        section, _, name = key.partition("__")
        part = values.setdefault(section, {})
        part.pop(name, None)
        if value is not None:
            part[name] = value
    return json.dumps(values)
