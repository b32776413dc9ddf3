"""The steps of the time column: the frequency that is in them, uneven ones refused, resampled or fed to the network."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.frequencies import to_offset

from rnncli.config import schema
from rnncli.data import clock
from rnncli.data.calendar import waves
from rnncli.data.panel import Columns, Floats, Panel, Rows, show_ids
from rnncli.data.reading.frames import Tables
from rnncli.errors import DataError

MOST_ROWS = 10_000_000  # on an even grid: up to here any, beyond up to MOST_TIMES the rows that there are
MOST_TIMES = 10


def regularise(
    panel: Panel, columns: Columns, tables: Tables, data: schema.Data, *, forecasting: bool
) -> tuple[Panel, Columns]:
    """The panel with even steps, or as it is where that is not asked for; `columns` with frequency and season.

    Raises:
        DataError: at the first row of a series that does not follow the one before by the frequency, or for a
            frequency that is none.
    """
    if data.frequency is not None:
        _check_frequency(data.frequency, panel.times.dtype.kind)
    if data.irregular == "resample" or (data.irregular == "delta" and forecasting):
        columns = replace(columns, frequency=columns.frequency or _commonest(panel, columns, tables))
    if data.irregular == "resample":
        panel = resample(panel, columns, tables, data.missing)
    elif data.irregular == "error" and columns.time is not None:
        frequency = columns.frequency or _frequency(panel, columns)
        if frequency is None:
            longest = int(np.argmax(panel.lengths()))
            raise _irregular(panel, tables, columns, longest, None)
        check_regular(panel, columns, tables, frequency)
        columns = replace(columns, frequency=frequency)
    return panel, columns


def _check_frequency(frequency: str, kind: str) -> None:
    """Refuse what is no step forward of times of this kind."""
    try:
        size = to_offset(frequency).n if kind == "M" else float(frequency)
    except ValueError:
        size = 0
    if not 0 < size < math.inf:
        of_dates = ("dates", "such as 15min, h, D, B, W, MS or ME")
        what, hint = of_dates if kind == "M" else ("numbers", "a number above 0")
        raise DataError(f"data.frequency: {frequency} is not a step of a column of {what}", hint)


def with_season(columns: Columns, season: int | None) -> Columns:
    """`columns` with the rows of a season: as given, or as the frequency has it."""
    return replace(columns, season=season or clock.season(columns.frequency))


def resample(panel: Panel, columns: Columns, tables: Tables, missing: str) -> Panel:
    """The panel with one row a step: means of what falls into the step, the newest of categories and labels.

    Raises:
        DataError: if steps are left empty while `missing` is ``error``, or if there would be far too many.
    """
    assert columns.frequency is not None
    _check_size(panel, columns.frequency, tables, columns)
    bins = [_bins(panel.times[panel.rows(series)], columns.frequency) for series in range(len(panel))]
    lengths = np.array([len(times) for times, _ in bins])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = np.concatenate([index + offset for (_, index), offset in zip(bins, offsets, strict=False)])
    values = np.full((offsets[-1], panel.values.shape[1]), np.nan)
    for position, name in enumerate(panel.columns):
        known = np.flatnonzero(~np.isnan(panel.values[:, position]))
        column, places = panel.values[known, position], rows[known]
        if name in columns.unscaled and name not in columns.derived:
            values[places, position] = column  # the newest is written last
        else:
            counts = np.bincount(places, minlength=len(values))
            sums = np.bincount(places, column, minlength=len(values))
            values[:, position] = np.where(counts, sums / np.maximum(counts, 1), np.nan)
    newest = np.searchsorted(rows, np.arange(len(values)), side="right") - 1
    made = replace(
        panel,
        offsets=offsets,
        times=np.concatenate([times for times, _ in bins]),
        values=values,
        source=panel.source[newest],
        ends=rows[panel.ends - 1] + 1,
        weights=None if panel.weights is None else _means(panel.weights, rows, len(values)),
    )
    made = replace(made, values=_renewed(made, columns))
    empty = np.flatnonzero(np.bincount(rows, minlength=len(values)) == 0)
    if len(empty) and missing == "error":
        moment = clock.write(made.times[empty[:1]], columns.time_format)[0]
        message = f"resampled to {columns.frequency}, {len(empty):,} rows are empty, the first at {moment}"
        place = tables.place(int(made.source[empty[0]]), columns.time)
        raise DataError(message, "set data.missing: ffill or mask", place)
    return made


def _check_size(panel: Panel, frequency: str, tables: Tables, columns: Columns) -> None:
    """Refuse a frequency so short that hardly a row of the grid would hold anything, before it fills the memory."""
    spans = np.subtract(panel.times[panel.offsets[1:] - 1], panel.times[panel.offsets[:-1]])
    start, many = pd.Timestamp("2000-01-01"), 10
    if panel.times.dtype.kind == "M":
        spans = spans / np.timedelta64(1, "s")
        size = (start + many * to_offset(frequency) - start).total_seconds() / many
    else:
        size = float(frequency)
    rows = int(spans.sum() / size) + len(panel)
    if rows > max(MOST_ROWS, MOST_TIMES * len(panel.times)):
        message = f"resampled to {frequency}, {len(panel.times):,} rows become {rows:,}"
        place = tables.place(int(panel.source[0]), columns.time)
        raise DataError(message, "set a longer data.frequency, or data.irregular: delta", place)


def _bins(times: NDArray[np.generic], frequency: str) -> tuple[NDArray[np.generic], Rows]:
    """The even times that span sorted `times`, and the place among them of each, as pandas resamples."""
    if times.dtype.kind == "M":
        rows = pd.Series(np.arange(len(times)), index=pd.DatetimeIndex(times)).resample(frequency)
        counts = rows.count()
        grid = pd.DatetimeIndex(counts.index).to_numpy().astype(times.dtype)
        return grid, np.repeat(np.arange(len(grid)), counts.to_numpy())
    size = float(frequency)
    index = np.floor((times - times[0]) / size + 1e-9).astype(np.int64)
    return np.asarray(times[0] + np.arange(index[-1] + 1) * size, dtype=times.dtype), index


def _means(values: Floats, rows: Rows, count: int) -> Floats:
    """(count,) means of the values of each row, 0 where there is none."""
    counts = np.maximum(np.bincount(rows, minlength=count), 1)
    return np.asarray(np.bincount(rows, values, minlength=count) / counts)


def _renewed(panel: Panel, columns: Columns) -> Floats:
    """The values with the waves of the panel's own times."""
    if not columns.calendar:
        return panel.values
    count = 2 * len(columns.calendar)
    return np.concatenate([panel.values[:, :-count], waves(panel.times, columns.calendar)], axis=1)


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


def _commonest(panel: Panel, columns: Columns, tables: Tables) -> str:
    """The frequency of the panel: an even one, else the commonest gap of the longest series.

    Raises:
        DataError: if no series has two rows.
    """
    found = _frequency(panel, columns)
    if found is not None:
        return found
    longest = int(np.argmax(panel.lengths()))
    times = panel.times[panel.rows(longest)]
    gaps, counts = np.unique(np.diff(times), return_counts=True)
    if not len(gaps):
        raise _irregular(panel, tables, columns, longest, None)
    start = int(np.flatnonzero(np.diff(times) == gaps[np.argmax(counts)])[0])
    step = clock.step(times[start : start + 2])
    assert step is not None  # duplicates are refused, so that the gap is above zero
    return step


def _irregular(panel: Panel, tables: Tables, columns: Columns, series: int, row: int | None) -> DataError:
    rows = panel.rows(series)
    who = f" of series {show_ids([panel.ids[series]])}" if columns.series else ""
    if row is None:
        place = tables.place(int(panel.source[rows.start]), columns.time)
        what = "has fewer than 3 rows" if rows.stop - rows.start < 3 else "has no regular step"
        hint = "set data.frequency, or data.irregular: resample"
        return DataError(f"the time column{who} {what}, so its frequency is not known", hint, place)
    before, here = clock.write(panel.times[row - 1 : row + 1], columns.time_format)
    place = tables.place(int(panel.source[row]), columns.time)
    summer = clock.skipped_hint(*panel.times[row - 1 : row + 1]) if panel.times.dtype.kind == "M" else None
    message = f"the time column{who} jumps from {before} to {here}"
    return DataError(message, summer or "set data.irregular: resample or delta", place)
