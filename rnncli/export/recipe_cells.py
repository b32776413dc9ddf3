"""Cells of a file as numbers and times, in the script that is written beside an exported ``.npz``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from rnncli.data.dates import UNITS, following

_MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
_TRUTH = {"true": 1.0, "false": 0.0}


class Unanswered(ValueError):  # noqa: N818 - not always an error of the file
    """Why there is no answer.

    Args:
        message: what is wrong.
        row: with which row of the table, from 0; None for no one row.
    """

    def __init__(self, message: str, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row


def number(cell: str, written: Mapping[str, str | None], name: str, row: int) -> float:
    """The number of a cell, NaN if it is empty.

    Args:
        cell: its text.
        written: the signs in numbers, as the config names them.
        name, row: where it stands.

    Raises:
        Unanswered: if it is none.
    """
    text, point = cell.strip(), written["decimal"] or "."
    if cell in _MISSING:
        return math.nan
    text = text.replace(written["thousands"] or "\n", "")
    text = text if point == "." else text.replace(".", "x").replace(point, ".")
    try:
        found = float("x" if "_" in text else text)
    except ValueError:
        found = _TRUTH.get(text.lower(), math.nan)
    if not math.isfinite(found):
        raise Unanswered(f"{name}: not a number: {cell!r}", row)
    return found


def moment(cell: str, form: str | None, row: int) -> Any:
    """A time: a datetime, or a number where the column holds numbers.

    Raises:
        Unanswered: if the cell is none, or written in a way that this script cannot read.
    """
    try:
        if form in (None, "integer", "number"):
            return float(cell)
        unit, _, since = str(form).partition(" ")
        if since == "since 1970":
            return datetime(1970, 1, 1) + int(cell) * UNITS[unit]
        return datetime.strptime(cell.strip(), str(form))
    except ValueError:
        raise Unanswered(f"not a time in the form {form}: {cell!r}", row) from None


def later(time: Any, frequency: str) -> Any:
    """The time a step later.

    Raises:
        Unanswered: for steps that this script does not know; then the file needs the rows.
    """
    step = following(frequency)
    if step is None:
        raise Unanswered(f"steps of {frequency} are not known here: add the rows of the horizon with their times")
    return step(time, 1)


def seconds(gap: Any) -> float:
    """A difference of times in seconds, or in the units of a column of numbers."""
    return float(gap.total_seconds() if isinstance(gap, timedelta) else gap)
