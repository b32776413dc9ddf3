"""Rows of cells to numbers of known series, each row checked: what cannot be read is reported with its line."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnncli.data.panel import Floats, SeriesId, show_id
from rnncli.data.reading.dialect import Dialect, dialect_of
from rnncli.errors import DataError, Place
from rnncli.stream.cells import number, numbers
from rnncli.stream.clock import Clock, Moment, elapsed
from rnncli.stream.lines import Block
from rnncli.stream.model import StreamModel
from rnncli.stream.series import Series

Report = Callable[[int, str, str | None], None]  # line, message, column


@dataclass(frozen=True)
class Arrivals:
    """Rows that were understood, in the order in which they came; with the wide layout a row is one of each series.

    Attributes:
        slots: (rows,) number of each row's series.
        times: of each row; None without a time column.
        values: (rows, columns) in original units, in the order of ``Columns.values``, NaN where a cell is empty.
        begins: (rows,) whether the series begins here.
        lines: of each row.
    """

    slots: NDArray[np.int64]
    times: list[Moment | None]
    values: Floats
    begins: NDArray[np.bool_]
    lines: list[int]


class Intake:
    """Reads rows for a model.

    Args:
        model: whose columns are read.
        series: where the series are kept.
        clock: reads the time column.
        name: of the input, for messages.
        report: told of every row that is left out.
    """

    def __init__(self, model: StreamModel, series: Series, clock: Clock, name: str, report: Report) -> None:
        self.model, self.series, self.clock, self.name, self.report = model, series, clock, name, report
        self.dialect: Dialect = dialect_of(model.config.data)
        self.header: tuple[str, ...] = ()
        columns = model.columns
        targets = columns.targets if columns.target_is_input else ()
        self._numeric = [name for name in (*targets, *columns.read) if name not in columns.categories]
        self._codes = {
            name: {"": math.nan} | {value: float(code) for code, value in enumerate(values, 1)}
            for name, values in columns.categories.items()
        }
        self._even = model.config.task.kind == "forecasting" and columns.time is not None
        self._even &= model.config.data.irregular == "error"
        self._known = {key: number for number, key in enumerate(model.scaler.ids)}
        self._of_series = model.config.scale.per == "series"

    def begin(self, header: Sequence[str], line: int) -> None:
        """Take the names of the columns.

        Raises:
            DataError: if one that the model reads is not there, or stands there twice.
        """
        columns = self.model.columns
        single = [name for name in (columns.time,) if name is not None]
        needed = [*columns.series, *single, *self._numeric, *columns.static, *self._codes]
        for name in needed:
            if name not in header:
                folded = {column.casefold(): column for column in header}
                close = difflib.get_close_matches(name.casefold(), folded, 1)
                hint = f"did you mean {folded[close[0]]}?" if close else f"it has {', '.join(header)}"
                raise DataError(f"no column {name}", hint, Place(self.name, line))
            if list(header).count(name) > 1:
                raise DataError(f"two columns are called {name}", "rename one", Place(self.name, line))
        self.header = tuple(header)

    def take(self, block: Block) -> Arrivals:
        """The rows of a block that can be understood; the others are reported."""
        bad: dict[int, tuple[str, str | None]] = {}
        width = len(self.header)
        kept = [at for at, row in enumerate(block.rows) if len(row) == width and (width > 1 or row)]
        if len(kept) < len(block.rows):
            self._ragged(block, kept)
        rows = block.rows if len(kept) == len(block.rows) else [block.rows[at] for at in kept]
        lines = block.lines if len(kept) == len(block.rows) else [block.lines[at] for at in kept]
        if not rows:
            return self._arrivals([], [], np.empty((0, len(self.model.columns.values))), [], [])
        cells = dict(zip(self.header, zip(*rows, strict=True), strict=True))
        values = self._values(cells, len(rows), bad)
        times = self._times(cells, len(rows), bad)
        return self._settle(cells, values, times, lines, bad)

    def _ragged(self, block: Block, kept: list[int]) -> None:
        fine = set(kept)
        for at, row in enumerate(block.rows):
            if at not in fine and row:
                self.report(block.lines[at], f"{len(row)} fields where the header has {len(self.header)}", None)

    def _values(self, cells: dict[str, Any], count: int, bad: dict[int, tuple[str, str | None]]) -> Floats:
        """(rows, targets + read) numbers of the file's columns, NaN where empty or not read."""
        columns = self.model.columns
        names = (*columns.targets, *columns.read)
        values = np.full((count, len(names)), np.nan)
        needed = self.model.config.data.missing == "error"
        for position, name in enumerate(names):
            if name in self._codes:
                codes = self._codes[name]
                values[:, position] = [codes.get(cell, 0.0) for cell in cells[name]]
            elif name in self._numeric:
                values[:, position] = self._column(cells[name], name, bad)
            else:
                continue
            if needed and np.isnan(values[:, position]).any():
                for row in np.flatnonzero(np.isnan(values[:, position])).tolist():
                    bad.setdefault(row, ("an empty cell, and data.missing is error", name))
            if position < len(columns.targets) and self.model.scaler.transform == "log":
                for row in np.flatnonzero(values[:, position] <= 0).tolist():
                    bad.setdefault(row, ("the logarithm of a target needs a number above zero", name))
        return values

    def _column(self, cells: Sequence[str], name: str, bad: dict[int, tuple[str, str | None]]) -> Floats:
        found = numbers(cells, self.dialect)
        if found is not None:
            return found
        found = np.full(len(cells), np.nan)
        for row, cell in enumerate(cells):
            try:
                found[row] = number(cell, self.dialect)
            except ValueError as error:
                bad.setdefault(row, (str(error), name))
        return found

    def _times(
        self, cells: dict[str, Any], count: int, bad: dict[int, tuple[str, str | None]]
    ) -> list[Moment | None]:
        name = self.model.columns.time
        if name is None:
            return [None] * count
        read = self.clock.read
        try:
            return list(map(read, cells[name]))
        except ValueError:
            pass
        times: list[Moment | None] = []
        for row, cell in enumerate(cells[name]):
            try:
                times.append(read(cell))
            except ValueError:
                times.append(None)
                bad.setdefault(row, (f"{cell[:60]!r} is not a time like those of training", name))
        return times

    def _settle(
        self,
        cells: dict[str, Any],
        values: Floats,
        times: list[Moment | None],
        lines: list[int],
        bad: dict[int, tuple[str, str | None]],
    ) -> Arrivals:
        """Give every row its series, in their order; rows that do not follow the one before are left out."""
        columns = self.model.columns
        keys: list[SeriesId]
        if columns.wide:
            keys = [(columns.targets[0],)] * len(values)  # all series of a row go together
        else:
            keys = list(zip(*(cells[name] for name in columns.series), strict=True)) or [()] * len(values)
        statics = self._statics(cells, bad)
        kept, slots, begins, gaps = [], [], [], []
        find, last = self.series.slots.get, self.series.times
        for row, key in enumerate(keys):
            slot = find(key, -1)
            time = times[row]
            problem = bad.get(row) if bad else None
            if problem is None and slot < 0:
                problem = self._stranger(key)
            starts = slot < 0
            if problem is None and not starts:
                before = last[slot]
                if time is not None and before is not None:
                    if time <= before:  # type: ignore[operator]
                        word = "repeats" if time == before else "is before"
                        problem = (f"the time {word} that of an earlier row of series {show_id(key)}", columns.time)
                    elif self._even and not self.clock.follows(time, before):
                        expected = self.clock.write(self.clock.ahead(before, 1)[0])
                        self.report(lines[row], f"series {show_id(key)} begins anew: {expected} is missing", columns.time)
                        starts = True
            if problem is None and statics is not None:
                problem = self._static_problem(slot, starts, statics[row], key)
            if problem is not None:
                self.report(lines[row], *problem)
                continue
            if slot < 0:
                slot = self.series.add(key, columns.targets if columns.wide else None)
            if starts:
                self.series.begin(slot, None if statics is None else statics[row])
            gaps.append(elapsed(time, last[slot]) if columns.elapsed and time is not None else 0.0)
            last[slot] = time
            kept.append(row)
            slots.append(slot)
            begins.append(starts)
        derived = self._with_derived(values[kept] if len(kept) < len(values) else values, [times[row] for row in kept], gaps)
        return self._arrivals(slots, [times[row] for row in kept], derived, begins, [lines[row] for row in kept])

    def _stranger(self, key: SeriesId) -> tuple[str, str | None] | None:
        """What speaks against a series that was not there before."""
        columns = self.model.columns
        if any(part == "" for part in key):
            return "an empty series id", columns.series[key.index("")]
        if any("\udc80" <= char <= "\udcff" for part in key for char in part):
            return f"the id is not {self.dialect.encoding} text", columns.series[0]
        if self._of_series and not columns.wide and key not in self._known:
            return f"series {show_id(key)} was not in training, and scale.per is series: its scale is not known", None
        return None

    def _statics(self, cells: dict[str, Any], bad: dict[int, tuple[str, str | None]]) -> Floats | None:
        """(rows, static columns) as they are scaled, NaN where empty."""
        columns = self.model.columns
        if not columns.static:
            return None
        found = []
        for name in columns.static:
            codes = self._codes.get(name)
            if codes is None:
                found.append(self._column(cells[name], name, bad))
            else:
                found.append(np.array([codes.get(cell, 0.0) for cell in cells[name]]))
        return np.stack(found, axis=1)

    def _static_problem(
        self, slot: int, starts: bool, own: Floats, key: SeriesId
    ) -> tuple[str, str | None] | None:
        if starts or slot < 0:
            return None
        known = self.series.static[slot]
        other = np.flatnonzero(~np.isnan(own) & (own != known))
        if not len(other):
            return None
        return f"another value than before within series {show_id(key)}", self.model.columns.static[int(other[0])]

    def _with_derived(self, values: Floats, times: list[Moment | None], gaps: list[float]) -> Floats:
        columns = self.model.columns
        if not columns.derived:
            return values
        before = len(columns.targets) + len(columns.past)
        parts = [values[:, :before], values[:, before:]]
        if columns.elapsed:
            parts.insert(1, np.array(gaps).reshape(-1, 1))
        if columns.calendar:
            parts.append(np.array([self.clock.waves(time) for time in times]).reshape(len(values), -1))
        return np.concatenate(parts, axis=1)

    def _arrivals(
        self, slots: list[int], times: list[Moment | None], values: Floats, begins: list[bool], lines: list[int]
    ) -> Arrivals:
        """With the wide layout every row becomes one of each series, which share what is no target."""
        columns = self.model.columns
        if not columns.wide:
            return Arrivals(np.array(slots, np.int64), times, values, np.array(begins, bool), lines)
        count = len(columns.targets)
        own = np.concatenate(
            [values[:, :count].reshape(-1, 1), np.repeat(values[:, count:], count, axis=0)], axis=1
        )
        every = (np.array(slots, np.int64)[:, None] + np.arange(count)).reshape(-1)
        return Arrivals(
            every,
            [time for time in times for _ in range(count)],
            own,
            np.repeat(np.array(begins, bool), count),
            [line for line in lines for _ in range(count)],
        )


