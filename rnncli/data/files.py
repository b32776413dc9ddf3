"""Tables to a Panel; whatever cannot be understood is named by file, line and column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rnncli.data.calendar import elapsed, waves
from rnncli.data.checks import check_duplicates, check_missing
from rnncli.data.codes import categories, classes
from rnncli.data.columns import require
from rnncli.data.panel import Columns, Floats, Numbers, Panel, SeriesId, show_ids
from rnncli.data.reading.frames import Tables
from rnncli.errors import DataError


def read_panel(tables: Tables, columns: Columns, missing: str) -> tuple[Panel, Columns]:
    """The series in `tables`, sorted by time.

    Columns that the data must settle (time format, labels, categories) are filled in where `columns` leaves them open.

    Raises:
        DataError: for a cell that is not what its column should be, or is empty while `missing` is ``error``.
    """
    asked_for = not columns.target_is_input and not set(columns.targets) <= set(tables.header)
    weighted = (columns.weight,) if columns.weight in tables.header else ()  # to predict, nothing is weighed
    others = {*columns.series, *columns.read, *columns.static, *((columns.time,) if columns.time else ())}
    require(tables, sorted(others if asked_for else {*others, *columns.targets}))
    times, columns = _times(tables, columns)
    if columns.calendar and times.dtype.kind != "M":
        raise DataError("holds numbers, data.calendar needs dates", "leave it out", tables.place(0, columns.time))
    keys, ids = _ids(tables, columns)
    given, columns, notes = _values(tables, columns, asked_for)
    weights = _weights(tables, weighted[0]) if weighted else None
    if columns.wide:
        panel = _melt(columns, times, given, weights)
    else:
        order = _order(keys, times, columns)
        if order is not None:
            keys, times = keys[order], times[order]
            for column in range(given.shape[1]):  # column by column, for the sake of memory
                given[:, column] = given[order, column]
            weights = None if weights is None else weights[order]
        panel = Panel(
            columns=columns.values,
            ids=tuple(ids),
            offsets=np.searchsorted(keys, np.arange(len(ids) + 1)).astype(np.int64),
            times=times,
            values=given,
            source=np.arange(len(keys), dtype=np.int32) if order is None else order.astype(np.int32),
            weights=weights,
        )
        static, columns, unseen = _static(tables, columns, panel)
        panel, notes = replace(panel, static=static), notes + unseen
    check_duplicates(tables, panel, columns)
    panel = replace(panel, values=_with_derived(panel, columns), ends=_ends(panel, columns), notes=notes)
    check_missing(tables, panel, columns, missing, asked_for)
    return panel, columns


def _order(keys: Numbers, times: NDArray[np.generic], columns: Columns) -> NDArray[np.int64] | None:
    """Row positions by series, then by time (without one, by place in the file); None if the rows stand so already."""
    if columns.time is None:
        return None if (keys[1:] >= keys[:-1]).all() else np.argsort(keys, kind="stable")
    later = (keys[1:] > keys[:-1]) | ((keys[1:] == keys[:-1]) & np.greater_equal(times[1:], times[:-1]))
    return None if later.all() else np.lexsort((times, keys))


def _values(tables: Tables, columns: Columns, asked_for: bool) -> tuple[Floats, Columns, tuple[str, ...]]:
    """(rows, targets + past + future) in the order of the file, labels and categories as codes."""
    names = (*columns.targets, *columns.read)
    values = np.empty((len(tables), len(names)))
    coded = [position for position, name in enumerate(names) if name in columns.categories]
    notes: tuple[str, ...] = ()
    told = 0 if not asked_for and columns.labels is None else len(columns.targets)  # targets that are no numbers
    if asked_for:
        values[:, :told] = np.nan
    elif told:
        values[:, 0], columns = classes(tables, columns)
    numeric = [position for position in range(told, len(names)) if position not in coded]
    tables.numbers([names[position] for position in numeric], values, numeric)
    for position in coded:
        values[:, position], columns, unseen = categories(tables, columns, names[position])
        notes += unseen
    return values, columns, notes


def _static(tables: Tables, columns: Columns, panel: Panel) -> tuple[Floats, Columns, tuple[str, ...]]:
    """(series, static) the one value that each series has, NaN where its cells are empty."""
    found = np.full((len(panel), len(columns.static)), np.nan)
    notes: tuple[str, ...] = ()
    if not columns.static:
        return found, columns, notes
    series = np.repeat(np.arange(len(panel)), panel.lengths())
    for position, name in enumerate(columns.static):
        if name in columns.categories:
            cells, columns, unseen = categories(tables, columns, name)
            notes += unseen
        else:
            cells = tables.numbers([name])[:, 0]
        values = cells[panel.source]
        known = np.flatnonzero(~np.isnan(values))[::-1]
        found[series[known], position] = values[known]  # the first of each series is written last
        other = np.flatnonzero(~np.isnan(values) & (values != found[series, position]))
        if len(other):
            who = show_ids([panel.ids[int(series[other[0]])]])
            place = tables.place(int(panel.source[other[0]]), name)
            raise DataError(f"another value within series {who}", "data.static is for one value a series", place)
    return found, columns, notes


def _weights(tables: Tables, name: str) -> Floats:
    weights = tables.numbers([name])[:, 0]
    bad = np.flatnonzero(~(weights >= 0))
    if len(bad):
        raise DataError("a weight must be a number from 0 on", place=tables.place(int(bad[0]), name))
    if not weights.any():
        raise DataError("every weight is 0: nothing to learn", place=tables.place(0, name))
    return weights


def _with_derived(panel: Panel, columns: Columns) -> Floats:
    """The panel's values with those that follow from the time column, in the order of `columns.values`."""
    if not columns.derived:
        return panel.values
    before = len(columns.value_targets) + len(columns.past)
    parts = [panel.values[:, :before], panel.values[:, before:]]
    if columns.elapsed:
        parts.insert(1, elapsed(panel)[:, None])
    return np.concatenate([*parts, waves(panel.times, columns.calendar)], axis=1)


def _ends(panel: Panel, columns: Columns) -> NDArray[np.int64]:
    """(series,) the row after the newest with a known target, if columns are known ahead; else the series' end."""
    ends = panel.offsets[1:].copy()
    if not columns.future:
        return ends
    unknown = np.isnan(panel.values[:, : len(columns.value_targets)]).all(axis=1)
    known = np.concatenate([[-1], np.flatnonzero(~unknown)])
    newest = known[np.searchsorted(known, ends) - 1]
    return np.asarray(np.where(newest >= panel.offsets[:-1], newest + 1, ends))


def _times(tables: Tables, columns: Columns) -> tuple[NDArray[np.generic], Columns]:
    if columns.time is None:
        return np.arange(len(tables)), columns
    times, form = tables.times(columns.time, columns.time_format, lambda: _ids(tables, columns)[0])
    return times, replace(columns, time_format=form)


def _ids(tables: Tables, columns: Columns) -> tuple[Numbers, list[SeriesId]]:
    """Number of the series of every row, and the ids in order of first appearance."""
    if not columns.series:
        return np.zeros(len(tables), dtype=np.int32), [()]
    codes, ids = tables.codes(columns.series)
    for number, key in enumerate(ids):
        if "" in key:
            row = int(np.flatnonzero(codes == number)[0])
            place = tables.place(row, columns.series[key.index("")])
            raise DataError("an empty series id", "every row needs one", place)
    _warn_of_twins(tables, columns.series, ids)
    return codes, ids


def _warn_of_twins(tables: Tables, names: Sequence[str], ids: Sequence[SeriesId]) -> None:
    """Ids that look the same are told apart all the same, and that is said."""
    seen: dict[tuple[str, ...], SeriesId] = {}
    for key in ids:
        other = seen.setdefault(tuple(part.strip() for part in key), key)
        if other != key:
            shown = " and ".join(repr(part[0] if len(part) == 1 else part) for part in (other, key))
            tables.warn(f"{', '.join(names)}: {shown} differ by spaces alone and are two series")
            return


def _melt(columns: Columns, times: NDArray[np.generic], values: Floats, weights: Floats | None) -> Panel:
    """The wide layout: one series a target column; all other columns are shared by all."""
    order = np.argsort(times, kind="stable")
    count, rows = len(columns.targets), len(times)
    shared = np.tile(values[order, count:], (count, 1))
    return Panel(
        columns=columns.values,
        ids=tuple((name,) for name in columns.targets),
        offsets=np.arange(count + 1, dtype=np.int64) * rows,
        times=np.tile(times[order], count),
        values=np.concatenate([values[order, :count].T.reshape(-1, 1), shared], axis=1),
        source=np.tile(order.astype(np.int32), count),
        weights=None if weights is None else np.tile(weights[order], count),
    )
