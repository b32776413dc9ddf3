"""Small tables as text, and configs for them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from rnncli.config import schema
from rnncli.config.document import Document
from rnncli.config.load import check


def make_config(**keys: Any) -> schema.Config:
    """A small forecasting config for ``d.csv``, with ``section__key=value`` changed; None takes a key away."""
    values: dict[str, Any] = {
        "data": {"path": "d.csv", "time": "ds", "target": "y"},
        "window": {"context": 4},
        "task": {"kind": "forecasting", "horizon": 2},
    }
    for key, value in keys.items():
        section, _, name = key.partition("__")
        part = values.setdefault(section, {}) if name else values
        part.pop(name or section, None)
        if value is not None:
            part[name or section] = value
    return check(Document(values, {}))


def make_rows(count: int = 30) -> list[list[str]]:
    """Rows of time, target and one more number."""
    days = np.datetime64("2020-01-01") + np.arange(count)
    return [[str(day), f"{math.sin(row) + 5:.3f}", str(row % 7)] for row, day in enumerate(days)]


def as_csv(
    rows: Iterable[Sequence[str]] | None = None, header: str = "ds,y,x", end: str = "\n", comma: str = ","
) -> str:
    """Rows, `make_rows` if they are left out, below a header."""
    found = make_rows() if rows is None else rows
    return end.join([header.replace(",", comma), *(comma.join(row) for row in found)]) + end


def with_cell(row: int, column: int, text: str) -> str:
    """`make_rows` with one cell changed; row 0 stands in line 2."""
    rows = make_rows()
    rows[row][column] = text
    return as_csv(rows)


def with_times(times: Iterable[Any]) -> str:
    """A row for each time, as text."""
    return as_csv(([str(time), f"{math.sin(row) + 5:.4f}"] for row, time in enumerate(times)), "ds,y")


def with_ids(ids: Sequence[str], count: int = 30) -> str:
    """`make_rows` for each id."""
    rows = [
        [name, day, f"{float(value) + number:.3f}", more]
        for number, name in enumerate(ids)
        for day, value, more in make_rows(count)
    ]
    return as_csv(rows, "id,ds,y,x")
