"""What is refused of a panel as it was read: columns and series without a value, empty cells, times that repeat."""

from __future__ import annotations

import re

import numpy as np

from rnncli.data import clock
from rnncli.data.panel import Columns, Panel, show_ids
from rnncli.data.reading.frames import Tables
from rnncli.errors import DataError

_CLOCK = re.compile(r"\d{1,2}(:\d\d){1,2}( ?[AaPp]\.?[Mm]\.?)?|\d{1,2}\.\d\d\.\d\d")


def check_values(panel: Panel, columns: Columns) -> None:
    """Refuse a series in which a column that is an input, or a target, has no value at all.

    Raises:
        DataError: naming the series.
    """
    for position, name in enumerate(panel.columns):
        known = np.logical_or.reduceat(~np.isnan(panel.values[:, position]), panel.offsets[:-1])
        empty = np.flatnonzero(~known)
        if len(empty):
            who = show_ids([panel.ids[number] for number in empty])
            raise DataError(f"{name} has no value in series {who}", "leave these series out")


def check_missing(tables: Tables, panel: Panel, columns: Columns, missing: str, asked_for: bool) -> None:
    """Refuse empty cells, unless `missing` says what to do with them.

    Labels may be missing, and whatever is not known ahead may be so in the rows after the newest known target.

    Raises:
        DataError: naming the first one of the first such column.
    """
    free = columns.value_targets if asked_for or columns.labels is not None else ()
    for column, name in enumerate(columns.values):
        if name in free or name in columns.derived:
            continue
        rows = np.flatnonzero(np.isnan(panel.values[:, column]))
        if len(rows) == len(panel.values):
            shown = columns.targets[0] if columns.wide and column == 0 else name
            raise DataError("no row has a value", "leave the column out", tables.place(0, shown))
        if not len(rows) or missing != "error":
            continue
        if name not in columns.known_ahead:
            rows = rows[rows < panel.ends[panel.series_of(rows)]]
        if len(rows):
            if columns.wide and column == 0:
                name = panel.ids[int(panel.series_of(rows[:1])[0])][0]
            message = f"{len(rows):,} empty cell{'s' if len(rows) > 1 else ''}, this is the first"
            place = tables.place(int(panel.source[rows].min()), name)
            raise DataError(message, "set data.missing: ffill or mask", place)


def check_duplicates(tables: Tables, panel: Panel, columns: Columns) -> None:
    """Refuse a time that stands twice in a series.

    Raises:
        DataError: at the second of the two rows.
    """
    if columns.time is None:
        return
    same = np.zeros(len(panel.times), dtype=bool)
    same[1:] = panel.times[1:] == panel.times[:-1]
    same[panel.offsets[:-1]] = False
    if same.any():
        row = int(np.flatnonzero(same)[0])
        text = clock.write(panel.times[row : row + 1], columns.time_format)[0]
        other = tables.place(int(panel.source[row - 1])).line
        hint = "keep one row a time" if columns.series else "name the id column in data.series"
        if panel.times.dtype.kind == "M":
            hint = clock.repeated_hint(panel.times[row]) or hint
        days = panel.times.dtype.kind == "M" and not re.search("%[HI]", str(columns.time_format))
        if days and (apart := _clock_apart(tables, columns.time, int(panel.source[row]))) is not None:
            hint = f"set data.clock: {apart}"
        place = tables.place(int(panel.source[row]), columns.time)
        raise DataError(f"{text} stands already in line {other}", hint, place)


def _clock_apart(tables: Tables, time: str, row: int) -> str | None:
    """The column that holds the time of day, where that stands apart from the date."""
    names = (name for name in tables.header if name != time)
    return next((name for name in names if _CLOCK.fullmatch(tables.cell(row, name).strip())), None)
