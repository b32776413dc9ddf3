"""The time column of a panel must be regular for forecasts: its frequency is found here, and every gap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnncli.data import clock
from rnncli.data.frames import Tables
from rnncli.data.panel import Columns, Panel, show_ids
from rnncli.errors import DataError


def with_frequency(panel: Panel, columns: Columns, tables: Tables, season: int | None) -> Columns:
    """`columns` with the frequency of the time column and the season that follows from it.

    Raises:
        DataError: at the first row of a series that does not follow the one before by the frequency.
    """
    frequency = columns.frequency or _frequency(panel, columns)
    if columns.time is not None:
        if frequency is None:
            longest = int(np.argmax(panel.lengths()))
            raise _irregular(panel, tables, columns, longest, None)
        check_regular(panel, columns, tables, frequency)
    return replace(columns, frequency=frequency, season=season or clock.season(frequency))


def check_regular(panel: Panel, columns: Columns, tables: Tables, frequency: str) -> None:
    """Refuse a series whose time column skips or repeats.

    Raises:
        DataError: at the first such row.
    """
    first, last = panel.offsets[:-1], panel.offsets[1:]
    even = np.ones(len(panel.times), dtype=bool)
    even[1:] = clock.regular(panel.times, frequency)
    even[first[last > first]] = True
    if not even.all():
        row = int(np.flatnonzero(~even)[0])
        raise _irregular(panel, tables, columns, int(panel.series_of(np.array([row]))[0]), row)


def _frequency(panel: Panel, columns: Columns) -> str | None:
    """The step of the first series that has one; the commonest gap decides where series skip rows."""
    if columns.time is None:
        return None
    for series in np.argsort(-panel.lengths(), kind="stable")[:20]:
        found = clock.step(panel.times[panel.rows(int(series))])
        if found:
            return found
    longest = panel.times[panel.rows(int(np.argmax(panel.lengths())))]
    if len(longest) < 4:
        return None
    gaps, counts = np.unique(np.diff(longest), return_counts=True)
    start = int(np.flatnonzero(np.diff(longest) == gaps[np.argmax(counts)])[0])
    return clock.step(longest[start : start + 2]) if counts.max() > len(longest) / 2 else None


def _irregular(panel: Panel, tables: Tables, columns: Columns, series: int, row: int | None) -> DataError:
    rows = panel.rows(series)
    who = f" of series {show_ids([panel.ids[series]])}" if columns.series else ""
    if row is None:
        place = tables.place(int(panel.source[rows.start]), columns.time)
        what = "has fewer than 3 rows" if rows.stop - rows.start < 3 else "has no regular step"
        return DataError(f"the time column{who} {what}, so its frequency is not known", "resample it first", place)
    before, here = clock.write(panel.times[row - 1 : row + 1], columns.time_format)
    place = tables.place(int(panel.source[row]), columns.time)
    hint = clock.skipped_hint(*panel.times[row - 1 : row + 1]) if panel.times.dtype.kind == "M" else None
    message = f"the time column{who} jumps from {before} to {here}"
    return DataError(message, hint or "fill or resample the rows first", place)


