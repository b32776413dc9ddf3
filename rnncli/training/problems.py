"""Every problem of the data at once: what training would refuse first, and what it would refuse next.

Each check of training is asked again about one column, or about one series, so that no problem hides another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from rnncli.config import schema
from rnncli.data import clock
from rnncli.data.checks import check_values
from rnncli.data.columns import settle_columns
from rnncli.data.files import read_panel
from rnncli.data.panel import Columns, Panel, Rows
from rnncli.data.reading.dialect import dialect_of
from rnncli.data.reading.frames import Tables, open_tables
from rnncli.data.reading.sources import expand
from rnncli.data.reading.tables import open_table
from rnncli.data.regular import check_regular, regularise
from rnncli.data.scale import check_transform
from rnncli.data.split import split
from rnncli.errors import DataError, Problem
from rnncli.tasks.task import task_of
from rnncli.training.prepare import Prepared, prepare
from rnncli.training.targets import check_labels, settle_targets

MOST = 3  # places that are named of one kind of problem
_NOTHING = "\0nothing"  # a target that no file has: what is read then is read as for a prediction

Result = TypeVar("Result")


@dataclass
class _Found:
    """Problems so far, each once, in the order in which they were met."""

    problems: list[Problem] = field(default_factory=list)

    def ask(self, check: Callable[..., Result], *arguments: Any, **options: Any) -> Result | None:
        """What `check` returns, or None if the data is not fit for it."""
        try:
            return check(*arguments, **options)
        except DataError as error:
            self.add(error.problems)
            return None

    def add(self, problems: Iterable[Problem]) -> None:
        self.problems += [problem for problem in problems if problem not in self.problems]

    def error(self) -> DataError:
        """All of them as one error."""
        first = self.problems[0]
        error = DataError(first.message, first.hint, first.place)
        error.problems = self.problems
        return error


def open_all(data: schema.Data, tell: Callable[[str], None]) -> Tables:
    """The files of a config, opened as training does.

    Raises:
        DataError: with a problem of every file that cannot be read.
    """
    try:
        return open_tables(data.path, dialect_of(data), tell)
    except DataError as error:
        found = _Found(list(error.problems))
        files = expand(data.path)
        for file in files if "-" not in files else ():  # stdin cannot be read twice
            found.ask(open_table, file, dialect_of(data), hashlib.sha256(), [])
        raise found.error() from None


def prepare_all(config: schema.Config, tables: Tables) -> Prepared:
    """The data prepared as training does.

    Raises:
        DataError: with every problem that could be found.
    """
    try:
        return prepare(config, tables)
    except DataError as error:
        found = _Found(list(error.problems))
    columns = _columns(found, config, tables)
    if columns is not None:
        rows = _rows(found, columns, tables)
        _cells(found, config.data, columns, tables)
        if rows is not None:
            _steps(found, config, *rows, tables)
        _series(found, config, columns, tables)
    raise found.error()


def _columns(found: _Found, config: schema.Config, tables: Tables) -> Columns | None:
    """The columns of the config; every name that is not in the header."""
    settled = found.ask(settle_columns, config.data, config.task.kind, tables)
    if settled is not None:
        pair = found.ask(settle_targets, config, settled, tables)
        return None if pair is None else pair[1]
    for key in ("time", "series", "target", "past", "future", "static", "categorical", "weight"):
        names = getattr(config.data, key)
        for name in [names] if isinstance(names, str) else names or ():
            found.ask(settle_columns, schema.Data(path=config.data.path, target=name), "forecasting", tables)
    return None


def _only(columns: Columns, **parts: Any) -> Columns:
    """Columns of `parts` alone, without a target."""
    names = {key: getattr(columns, key) for key in ("time_format", "frequency", "season")}
    return Columns(targets=(_NOTHING,), target_is_input=False, **{**names, **parts})


def _rows(found: _Found, columns: Columns, tables: Tables) -> tuple[Panel, Columns] | None:
    """Series and times of all rows as a panel without values, if they can be read and none stands twice."""
    series = found.ask(read_panel, tables, _only(columns, series=columns.series), "mask")
    if columns.time is None or series is None:
        return None
    pair = found.ask(read_panel, tables, _only(columns, series=columns.series, time=columns.time), "mask")
    if pair is None:
        _repeats(found, series[0], columns, tables)
        return None
    return pair[0], replace(columns, time_format=pair[1].time_format)


def _repeats(found: _Found, panel: Panel, columns: Columns, tables: Tables) -> None:
    """How many rows stand twice, and where, if the first of them is not the only one."""
    assert columns.time is not None
    try:
        times, _ = tables.times(columns.time, columns.time_format)
    except DataError:
        return
    keys = pd.DataFrame({"series": panel.series_of(np.argsort(panel.source)), "time": times})
    rows = np.flatnonzero(keys.duplicated().to_numpy())
    if len(rows) > 1:
        message = f"{len(rows):,} rows repeat a time of their series, in lines {_lines(tables, rows)}"
        found.add([Problem(message, None, tables.place(int(rows[0]), columns.time))])


def _lines(tables: Tables, rows: Rows) -> str:
    shown = ", ".join(str(tables.place(int(row)).line) for row in rows[:MOST])
    return shown if len(rows) <= MOST else f"{shown} and {len(rows) - MOST:,} more"


def _cells(found: _Found, data: schema.Data, columns: Columns, tables: Tables) -> None:
    """Whatever is in a cell that should not be, column by column."""
    for name in (*(columns.targets if columns.labels is None else ()), *columns.read):
        own = _only(columns, past=(name,), categories=_categories(columns, name))
        if not columns.future or name in columns.future:
            found.ask(read_panel, tables, own, data.missing)
        elif found.ask(read_panel, tables, own, "mask") is not None:
            # cells after the last known target may be empty, and only the target tells which those are
            past = () if name in columns.targets else (name,)
            with_target = _only(columns, series=columns.series, time=columns.time, past=past, future=columns.future)
            kinds = _categories(columns, *past, *columns.future)
            found.ask(read_panel, tables, replace(with_target, targets=columns.targets, categories=kinds), data.missing)
    for name in columns.static:
        own = _only(columns, series=columns.series, static=(name,), categories=_categories(columns, name))
        found.ask(read_panel, tables, own, "mask")
    if columns.weight is not None:
        found.ask(read_panel, tables, _only(columns, weight=columns.weight), "mask")


def _categories(columns: Columns, *names: str) -> dict[str, tuple[str, ...]]:
    return {name: () for name in names if name in columns.categories}


def _steps(found: _Found, config: schema.Config, panel: Panel, columns: Columns, tables: Tables) -> None:
    """The series whose time column jumps."""
    data = config.data
    if data.irregular != "error" or found.ask(regularise, panel, columns, tables, data, forecasting=True) is not None:
        return
    as_they_come = data.model_copy(update={"irregular": "delta"})
    pair = found.ask(regularise, panel, columns, tables, as_they_come, forecasting=True)
    if pair is None or pair[1].frequency is None:
        return
    even = np.ones(len(panel.times), dtype=bool)
    even[1:] = clock.regular(panel.times, pair[1].frequency)
    even[panel.offsets[:-1]] = True
    rows = np.flatnonzero(~even)
    series = np.unique(panel.series_of(rows))
    for number in series[:MOST]:
        found.ask(check_regular, panel[int(number)], columns, tables, pair[1].frequency)
    if len(rows) > min(len(series), MOST):
        where = _lines(tables, np.sort(panel.source[rows]))
        message = f"{len(rows):,} steps of {len(series):,} series are not {pair[1].frequency}, before lines {where}"
        found.add([Problem(message, None, tables.place(int(panel.source[rows].min()), columns.time))])


def _series(found: _Found, config: schema.Config, columns: Columns, tables: Tables) -> None:
    """What is asked of the panel as a whole, if there is one."""
    pair = found.ask(read_panel, tables, columns, config.data.missing)
    if pair is None:
        return
    panel, columns = pair
    found.ask(check_values, panel, columns)
    found.ask(check_labels, panel, columns, config.task.kind)
    found.ask(check_transform, panel, config.window.transform, len(columns.value_targets))
    if config.data.short_series == "error":
        found.ask(split, panel, columns, config.split, task_of(config, columns).horizon, config.seed)
