"""Tables to a Panel; whatever cannot be understood is named by file, line and column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rnncli.data import clock
from rnncli.data.calendar import elapsed, waves
from rnncli.data.columns import require
from rnncli.data.reading.frames import Tables
from rnncli.data.panel import Columns, Panel, SeriesId, show_ids
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
            keys, times, given = keys[order], times[order], given[order]
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
    _check_duplicates(tables, panel, columns)
    panel = replace(panel, values=_with_derived(panel, columns), ends=_ends(panel, columns), notes=notes)
    _check_missing(tables, panel, columns, missing, asked_for)
    return panel, columns


def _order(
    keys: NDArray[np.int64], times: NDArray[np.generic], columns: Columns
) -> NDArray[np.int64] | None:
    """Row positions by series, then by time (without one, by place in the file); None if the rows stand so already."""
    if columns.time is None:
        return None if (keys[1:] >= keys[:-1]).all() else np.argsort(keys, kind="stable")
    later = (keys[1:] > keys[:-1]) | ((keys[1:] == keys[:-1]) & np.greater_equal(times[1:], times[:-1]))
    return None if later.all() else np.lexsort((times, keys))


def _values(
    tables: Tables, columns: Columns, asked_for: bool
) -> tuple[NDArray[np.float64], Columns, tuple[str, ...]]:
    """(rows, targets + past + future) in the order of the file, labels and categories as codes."""
    if not asked_for and columns.labels is None and not columns.categories:  # all are numbers: one array, filled once
        return _numbers(tables, (*columns.targets, *columns.read)), columns, ()
    if asked_for:
        targets = np.full((sum(len(part.lines) for part in tables.parts), len(columns.targets)), np.nan)
    elif columns.labels is not None:
        codes, columns = _codes(tables, columns)
        targets = codes[:, None]
    else:
        targets = _numbers(tables, columns.targets)
    numeric = [name for name in columns.read if name not in columns.categories]
    parts: dict[str, NDArray[np.float64]] = dict(zip(numeric, _numbers(tables, numeric).T, strict=True))
    notes: tuple[str, ...] = ()
    for name in columns.read:
        if name in columns.categories:
            parts[name], columns, unseen = categories(tables, columns, name)
            notes += unseen
    return np.column_stack([targets, *(parts[name] for name in columns.read)]), columns, notes


def categories(
    tables: Tables, columns: Columns, name: str
) -> tuple[NDArray[np.float64], Columns, tuple[str, ...]]:
    """(rows,) codes of a categorical column, NaN where it is empty; without known values, those of the table."""
    texts = tables.frame([name], str)[name]
    known = columns.categories[name] or tuple(sorted(set(texts.unique()) - {""}, key=_natural))
    numbers = {"": np.nan} | {value: float(code) for code, value in enumerate(known, 1)}
    codes = np.array(texts.map(numbers), dtype=np.float64)
    unseen = np.isnan(codes) & texts.ne("").to_numpy()
    codes[unseen] = 0
    notes: tuple[str, ...] = ()
    if unseen.any():
        first = texts.iloc[int(np.argmax(unseen))]
        notes = (f"{name}: {int(unseen.sum()):,} rows hold categories not seen in training, such as {first}",)
    return codes, replace(columns, categories={**columns.categories, name: known}), notes


def _static(
    tables: Tables, columns: Columns, panel: Panel
) -> tuple[NDArray[np.float64], Columns, tuple[str, ...]]:
    """(series, static) the one value that each series has, NaN where its cells are empty."""
    found = np.full((len(panel), len(columns.static)), np.nan)
    series = np.repeat(np.arange(len(panel)), panel.lengths())
    notes: tuple[str, ...] = ()
    for position, name in enumerate(columns.static):
        if name in columns.categories:
            cells, columns, unseen = categories(tables, columns, name)
            notes += unseen
        else:
            cells = _numbers(tables, [name])[:, 0]
        values = cells[panel.source]
        known = np.flatnonzero(~np.isnan(values))[::-1]
        found[series[known], position] = values[known]  # the first of each series is written last
        other = np.flatnonzero(~np.isnan(values) & (values != found[series, position]))
        if len(other):
            who = show_ids([panel.ids[int(series[other[0]])]])
            place = tables.place(int(panel.source[other[0]]), name)
            raise DataError(f"another value within series {who}", "data.static is for one value a series", place)
    return found, columns, notes


def _weights(tables: Tables, name: str) -> NDArray[np.float64]:
    weights = _numbers(tables, [name])[:, 0]
    bad = np.flatnonzero(~(weights >= 0))
    if len(bad):
        raise DataError("a weight must be a number from 0 on", place=tables.place(int(bad[0]), name))
    if not weights.any():
        raise DataError("every weight is 0: nothing to learn", place=tables.place(0, name))
    return weights


def _with_derived(panel: Panel, columns: Columns) -> NDArray[np.float64]:
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
    known = np.asarray(panel.observed[:, : len(columns.value_targets)].any(axis=1))
    newest = np.maximum.accumulate(np.where(known, np.arange(len(panel.times)), -1))[ends - 1]
    return np.asarray(np.where(newest >= panel.offsets[:-1], newest + 1, ends))


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


def _check_missing(tables: Tables, panel: Panel, columns: Columns, missing: str, asked_for: bool) -> None:
    """Refuse empty cells, unless `missing` says what to do with them.

    Labels may be missing, and whatever is not known ahead may be so in the rows after the newest known target.
    """
    past_end = np.arange(len(panel.times)) >= np.repeat(panel.ends, panel.lengths())
    free = columns.value_targets if asked_for or columns.labels is not None else ()
    for column, name in enumerate(columns.values):
        if name in free or name in columns.derived:
            continue
        empty = np.isnan(panel.values[:, column])
        if empty.all():
            shown = columns.targets[0] if columns.wide and column == 0 else name
            raise DataError("no row has a value", "leave the column out", tables.place(0, shown))
        rows = np.flatnonzero(empty if name in columns.known_ahead else empty & ~past_end)
        if len(rows) and missing == "error":
            if columns.wide and column == 0:
                name = panel.ids[int(panel.series_of(rows[:1])[0])][0]
            message = f"{len(rows):,} empty cell{'s' if len(rows) > 1 else ''}, this is the first"
            place = tables.place(int(panel.source[rows].min()), name)
            raise DataError(message, "set data.missing: ffill or mask", place)


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


def _melt(
    columns: Columns, times: NDArray[np.generic], values: NDArray[np.float64], weights: NDArray[np.float64] | None
) -> Panel:
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
        source=np.tile(order, count).astype(np.int64),
        weights=None if weights is None else np.tile(weights[order], count),
    )
