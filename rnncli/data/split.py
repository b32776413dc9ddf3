"""Training, validation and test parts: by time within every series, or by whole series."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnncli.config import schema
from rnncli.data import clock
from rnncli.data.panel import Columns, Panel, Rows, show_ids
from rnncli.errors import DataError


@dataclass(frozen=True)
class Part:
    """Rows whose targets belong to a part: (series,) first row and the row after the last, in panel rows."""

    first: Rows
    last: Rows

    def series(self) -> Rows:
        """Indices of the series that have rows in this part."""
        return np.flatnonzero(self.last > self.first)


@dataclass(frozen=True)
class Split:
    """The three parts; targets of one are never in another, contexts may reach back."""

    train: Part
    validation: Part
    test: Part


def split(panel: Panel, columns: Columns, settings: schema.Split, horizon: int, seed: int) -> Split:
    """Hold out validation and test.

    Args:
        horizon: rows of target in a window; every part of a fraction holds at least one window. 0: a label.
        seed: decides which series are held out.

    Raises:
        DataError: if a series or the panel is too short to leave something to train on.
    """
    if settings.by == "series":
        return _by_series(panel, columns, settings, horizon, seed)
    return _by_time(panel, columns, settings, horizon)


def everything(panel: Panel) -> Part:
    """All rows of all series."""
    return Part(panel.offsets[:-1], panel.offsets[1:])


def _by_time(panel: Panel, columns: Columns, settings: schema.Split, horizon: int) -> Split:
    begin, end = panel.offsets[:-1], panel.offsets[1:]
    test = _start(panel, columns, settings.test, end, horizon)
    validation = np.minimum(_start(panel, columns, settings.validation, test, horizon), test)
    short = np.flatnonzero(validation - begin < horizon + 1)
    if len(short):
        least = int((validation - begin)[short[0]])
        raise DataError(
            f"{len(short):,} of {len(panel):,} series too short: {show_ids([panel.ids[i] for i in short])} "
            f"has {max(least, 0)} rows left to train on, a window needs {horizon + 1}",
            "lower task.horizon, split.validation or split.test",
        )
    parts = Split(Part(begin, validation), Part(validation, test), Part(test, end))
    for name, part in (("validation", parts.validation), ("test", parts.test)):
        sizes = part.last - part.first
        if getattr(settings, name) != 0 and sizes.max() < horizon:
            raise DataError(
                f"the {name} part has {sizes.max()} rows, fewer than task.horizon {horizon}", f"raise split.{name}"
            )
    return parts


def _start(panel: Panel, columns: Columns, size: int | float | str, end: Rows, horizon: int) -> Rows:
    """(series,) the row where a part that stops at `end` starts."""
    begin = panel.offsets[:-1]
    if isinstance(size, str):
        moment = _moment(size, columns, panel.times.dtype.kind)
        inside = [np.searchsorted(panel.times[panel.rows(series)], moment) for series in range(len(panel))]
        return begin + np.array(inside, dtype=np.int64)
    if isinstance(size, int):
        return end - size
    wanted = np.ceil(panel.lengths() * size - 1e-9).astype(np.int64)
    return np.asarray(end - (np.maximum(wanted, horizon) if size > 0 else wanted))


def _moment(text: str, columns: Columns, kind: str) -> np.generic:
    with contextlib.suppress(clock.TimeError):
        moment = clock.moment(text, columns.time_format)
        if moment.dtype.kind == kind:
            return moment
    raise DataError(f"split: {text} is not a time like {clock.example(str(columns.time_format))}")


def _by_series(panel: Panel, columns: Columns, settings: schema.Split, horizon: int, seed: int) -> Split:
    """Shuffled series; with classes, every part gets its share of each (stratified)."""
    order = np.random.default_rng([seed, len(panel)]).permutation(len(panel))
    if columns.labels is not None:
        order = _stratified(order, panel.values[panel.offsets[1:] - 1, 0])
    test = _count(settings.test, len(panel))
    validation = _count(settings.validation, len(panel))
    if len(panel) - test - validation < 1:
        raise DataError(f"{len(panel):,} series leave none to train on", "lower split.validation or split.test")
    short = np.flatnonzero(panel.lengths() < horizon + 1)
    if len(short):
        raise DataError(
            f"{len(short):,} of {len(panel):,} series too short: {show_ids([panel.ids[i] for i in short])}; "
            f"a window needs {horizon + 1} rows",
            "lower task.horizon, or leave them out",
        )
    chosen = (order[test + validation :], order[test : test + validation], order[:test])
    return Split(*(_whole(panel, index) for index in chosen))


def _count(size: int | float | str, total: int) -> int:
    return size if isinstance(size, int) else math.ceil(total * float(size) - 1e-9)


def _stratified(order: Rows, classes: NDArray[np.float64]) -> Rows:
    """`order` so that every stretch of it holds the classes in proportion."""
    position = np.empty(len(order))
    for label in np.unique(classes[order]):
        members = np.flatnonzero(classes[order] == label)
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
    return order[np.argsort(position, kind="stable")]


def _whole(panel: Panel, index: Rows) -> Part:
    inside = np.zeros(len(panel), dtype=bool)
    inside[index] = True
    begin, end = panel.offsets[:-1], panel.offsets[1:]
    return Part(begin, np.where(inside, end, begin))
