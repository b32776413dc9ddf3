"""Rows ahead of a panel: what is known of the horizon after the newest known target."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnncli.data import clock
from rnncli.data.calendar import waves
from rnncli.data.panel import Columns, Panel, Rows, show_id
from rnncli.data.reading.frames import Tables
from rnncli.errors import DataError


def extend(panel: Panel, columns: Columns, horizon: int, tables: Tables) -> Panel:
    """The panel with exactly `horizon` rows after the end of every series, their targets unknown.

    Rows that the data has there are taken, since they hold the future columns; without such columns they are made.

    Raises:
        DataError: if a series has too few rows with future columns after its newest known target.
    """
    begin = panel.offsets[:-1]
    there = panel.offsets[1:] - panel.ends
    if columns.future:
        _check_enough(panel, columns, there, horizon, tables)
    lengths = panel.ends - begin + horizon
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = np.repeat(begin - offsets[:-1], lengths) + np.arange(offsets[-1])
    made = rows >= np.repeat(panel.offsets[1:], lengths)
    rows = np.minimum(rows, np.repeat(panel.offsets[1:] - 1, lengths))
    values, times = panel.values[rows], panel.times[rows]
    values[made] = np.nan
    for series in np.flatnonzero(there < horizon):
        new = slice(int(offsets[series + 1]) - horizon + int(there[series]), int(offsets[series + 1]))
        times[new] = _following(times[new.start - 1], new.stop - new.start, columns)
    if columns.calendar:
        values[:, -2 * len(columns.calendar) :] = waves(times, columns.calendar)
    return replace(
        panel,
        offsets=offsets,
        times=times,
        values=values,
        source=panel.source[rows],
        ends=offsets[1:] - horizon,
        weights=None if panel.weights is None else panel.weights[rows],
    )


def _following(last: np.generic, count: int, columns: Columns) -> np.ndarray:
    if columns.frequency is None:  # row numbers
        return np.asarray(last) + np.arange(1, count + 1)
    return clock.follow(last, count, columns.frequency)


def _check_enough(panel: Panel, columns: Columns, there: Rows, horizon: int, tables: Tables) -> None:
    short = np.flatnonzero(there < horizon)
    if not len(short):
        return
    series = int(short[0])
    who = f"series {show_id(panel.ids[series])} has" if columns.series else "there are"
    others = f", and {len(short) - 1:,} more series have too few" if len(short) > 1 else ""
    message = f"{who} {there[series]} rows after the last known {columns.targets[0]}, the horizon is {horizon}{others}"
    hint = f"add rows with {', '.join(columns.future)} and an empty {columns.targets[0]}"
    raise DataError(message, hint, tables.place(int(panel.source[panel.offsets[series + 1] - 1])))
