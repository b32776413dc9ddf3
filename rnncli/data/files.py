"""Tables to a Panel; whatever cannot be understood is named by file, line and column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rnncli.data import clock
from rnncli.data.columns import require
from rnncli.data.frames import Tables
from rnncli.data.panel import Columns, Panel, SeriesId, show_ids
from rnncli.errors import DataError


def read_panel(tables: Tables, columns: Columns, missing: str) -> tuple[Panel, Columns]:
    """The series in `tables`, sorted by time.

    Columns that the data must settle (time format, class labels) are filled in where `columns` leaves them open.

    Raises:
        DataError: for a cell that is not what its column should be, or is empty while `missing` is ``error``.
    """
    asked_for = not columns.target_is_input and not set(columns.targets) <= set(tables.header)
    names = {*columns.series, *columns.past, *([columns.time] if columns.time else [])}
    require(tables, sorted(names if asked_for else {*names, *columns.targets}))
    times, columns = _times(tables, columns)
    keys, ids = _ids(tables, columns)
    if columns.wide:
        return _melt(tables, columns, times, missing), columns
    values = np.full((len(keys), len(columns.values)), np.nan)
    classes = columns.labels is not None
    numeric = columns.past if classes or asked_for else columns.values
    values[:, values.shape[1] - len(numeric) :] = _numbers(tables, numeric)
    if classes:
        values[:, 0], columns = _codes(tables, columns)
    _check_missing(tables, numeric, values[:, values.shape[1] - len(numeric) :], missing)
    order = np.arange(len(keys)) if columns.time is None else np.lexsort((times, keys))
    if columns.time is None and (np.diff(keys) < 0).any():
        order = np.argsort(keys, kind="stable")
    offsets = np.searchsorted(keys[order], np.arange(len(ids) + 1))
    panel = Panel(
        columns=columns.values,
        ids=tuple(ids),
        offsets=offsets.astype(np.int64),
        times=times[order],
        values=values[order],
        observed=~np.isnan(values[order]),
        source=order.astype(np.int64),
    )
    _check_duplicates(tables, panel, columns)
    return panel, columns


def _numbers(tables: Tables, names: Sequence[str]) -> NDArray[np.float64]:
    """(rows, names) numbers, NaN where a cell is empty."""
    return tables.numbers(names)


def check_values(panel: Panel, columns: Columns) -> None:
    """Refuse a series in which a column that is an input, or a target, has no value at all.

    Raises:
        DataError: naming the series.
    """
    counts = np.add.reduceat(panel.observed, panel.offsets[:-1], axis=0)
    empty = np.argwhere(counts == 0)
    if len(empty):
        series = sorted({int(row) for row in empty[:, 0]})
        name = panel.columns[int(empty[0, 1])]
        who = show_ids([panel.ids[number] for number in series])
        raise DataError(f"{name} has no value in series {who}", "leave these series out")


def _check_missing(tables: Tables, names: Sequence[str], values: NDArray[np.float64], missing: str) -> None:
    for column, name in enumerate(names):
        rows = np.flatnonzero(np.isnan(values[:, column]))
        if len(rows) == len(values):
            raise DataError("no row has a value", "leave the column out", tables.place(0, name))
        if len(rows) and missing == "error":
            message = f"{len(rows):,} empty cell{'s' if len(rows) > 1 else ''}, this is the first"
            raise DataError(message, "set data.missing: ffill or mask", tables.place(int(rows[0]), name))


def _times(tables: Tables, columns: Columns) -> tuple[NDArray[np.generic], Columns]:
    if columns.time is None:
        return np.arange(len(tables)), columns
    times, form = tables.times(columns.time, columns.time_format, lambda: _ids(tables, columns)[0])
    return times, replace(columns, time_format=form)


def _ids(tables: Tables, columns: Columns) -> tuple[NDArray[np.int64], list[SeriesId]]:
    """Number of the series of every row, and the ids in order of first appearance."""
    if not columns.series:
        return np.zeros(len(tables), dtype=np.int64), [()]
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


def _codes(tables: Tables, columns: Columns) -> tuple[NDArray[np.float64], Columns]:
    """Class codes of the target column; NaN where it is empty or, in prediction, absent."""
    target = columns.targets[0]
    if target not in tables.header:
        return np.full(len(tables), np.nan), columns
    found, keys = tables.codes([target])
    texts = [key[0] for key in keys]
    labels = columns.labels or tuple(sorted(set(texts) - {""}, key=_natural))
    numbers = {label: float(code) for code, label in enumerate(labels)}
    for number, text in enumerate(texts):
        if text and text not in numbers:
            place = tables.place(int(np.flatnonzero(found == number)[0]), target)
            raise DataError(f"{text!r} is not a class of this model", f"they are {', '.join(labels)}", place)
    codes = np.array([numbers.get(text, np.nan) for text in texts], dtype=np.float64)
    return codes[found], replace(columns, labels=labels)


def _natural(label: str) -> tuple[bool, float, str]:
    """Sort key: numbers by value, before words."""
    try:
        return (False, float(label), label)
    except ValueError:
        return (True, 0.0, label)


def _check_duplicates(tables: Tables, panel: Panel, columns: Columns) -> None:
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
        raise DataError(f"{text} stands already in line {other}", hint, tables.place(int(panel.source[row]), columns.time))


def _melt(tables: Tables, columns: Columns, times: NDArray[np.generic], missing: str) -> Panel:
    """The wide layout: one series a target column; past columns are shared by all."""
    names = columns.targets + columns.past
    values = _numbers(tables, names)
    _check_missing(tables, names, values, missing)
    order = np.argsort(times, kind="stable")
    count, rows = len(columns.targets), len(times)
    past = np.tile(values[order, count:], (count, 1))
    stacked = np.concatenate([values[order, :count].T.reshape(-1, 1), past], axis=1)
    panel = Panel(
        columns=columns.values,
        ids=tuple((name,) for name in columns.targets),
        offsets=np.arange(count + 1, dtype=np.int64) * rows,
        times=np.tile(times[order], count),
        values=stacked,
        observed=~np.isnan(stacked),
        source=np.tile(order, count).astype(np.int64),
    )
    _check_duplicates(tables, panel, columns)
    return panel


