"""Which series each row belongs to, and whether it is its turn: rows of a series come in the order of their times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnncli.data.panel import Floats, SeriesId, show_id
from rnncli.stream.clock import Clock, Moment, elapsed
from rnncli.stream.model import StreamModel
from rnncli.stream.series import Series

Flaw = tuple[str, str | None]  # what is wrong, and in which column


@dataclass(frozen=True)
class Read:
    """Rows whose cells were read.

    Attributes:
        keys: the series of each.
        times: of each; None without a time column.
        values: (rows, targets + columns that are read), NaN where a cell is empty.
        static: (rows, static columns), or None.
        lines: where each starts.
        flaws: of rows that could not be read, by row.
    """

    keys: list[SeriesId]
    times: list[Moment]
    values: Floats
    static: Floats | None
    lines: list[int]
    flaws: dict[int, Flaw]


@dataclass(frozen=True)
class Arrivals:
    """Rows that are to be answered, in their order; with the wide layout a row is one of each series.

    Attributes:
        slots: (rows,) number of each row's series.
        times: of each row.
        values: (rows, columns) in original units, in the order of ``Columns.values``.
        begins: (rows,) whether the series begins here.
    """

    slots: NDArray[np.int64]
    times: list[Moment]
    values: Floats
    begins: NDArray[np.bool_]

    def part(self, some: slice | NDArray[np.int64]) -> Arrivals:
        """Some of the rows."""
        times = self.times[some] if isinstance(some, slice) else [self.times[row] for row in some.tolist()]
        return Arrivals(self.slots[some], times, self.values[some], self.begins[some])

    def parts(self) -> Iterator[Arrivals]:
        """The rows, cut where a series begins anew that has rows before."""
        seen: set[int] = set()
        slots = self.slots.tolist()
        start = position = 0
        for at in np.flatnonzero(self.begins).tolist():
            seen.update(slots[position:at])
            position = at
            if slots[at] in seen and at > start:
                yield self.part(slice(start, at))
                start, seen = at, set()
        if start < len(slots):
            yield self.part(slice(start, len(slots)))


class Turns:
    """Gives rows their series.

    Args:
        model: of whose columns the rows are.
        series: that are known, to which new ones are added.
        clock: of the time column.
    """

    def __init__(self, model: StreamModel, series: Series, clock: Clock) -> None:
        self.model, self.series, self.clock = model, series, clock
        columns = model.columns
        self._width = len(columns.targets) if columns.wide else 1
        self._even = model.config.task.kind == "forecasting" and columns.time is not None
        self._even &= model.config.data.irregular == "error"
        self._timed = columns.elapsed
        self._known = frozenset(model.scaler.ids) if model.config.scale.per == "series" and not columns.wide else None

    def settle(self, read: Read, report: Callable[[int, str, str | None], None]) -> Arrivals:
        """The rows without a flaw, each with its series; `report` is told of the others."""
        last, find, due, follows = self.series.times, self.series.slots.get, self.clock.due, self.clock.follows
        dropped: set[int] = set()
        slots: list[int] = []
        begins: list[int] = []
        gaps: list[float] = []
        simple = self._even and not read.flaws and read.static is None  # most rows of most streams
        for row, (key, time) in enumerate(zip(read.keys, read.times, strict=True)):
            slot = find(key, -1)
            if not (simple and slot >= 0 and (time == due(last[slot]) or follows(time, last[slot]))):
                flaw = read.flaws.get(row) or self._flaw(
                    slot, key, time, None if read.static is None else read.static[row]
                )
                if flaw is not None:
                    report(read.lines[row], *flaw)
                    dropped.add(row)
                    continue
                if slot < 0 or self._is_behind_a_gap(slot, time):
                    if slot >= 0:
                        report(read.lines[row], self._gap(key, last[slot]), self.model.columns.time)
                    begins.append(len(slots))
                    slot = self._begin(slot, key, read, row)
            if self._timed:
                gaps.append(elapsed(time, last[slot]))
            last[slot] = time
            slots.append(slot)
        values, times = read.values, read.times
        if dropped:
            kept = [row for row in range(len(values)) if row not in dropped]
            values, times = values[kept], [times[row] for row in kept]
        return self._arrivals(slots, times, self._with_derived(values, times, gaps), begins)

    def _flaw(self, slot: int, key: SeriesId, time: Moment, static: Floats | None) -> Flaw | None:
        """What speaks against a row."""
        if slot < 0:
            return self._stranger(key)
        before, columns = self.series.times[slot], self.model.columns
        if time is not None and before is not None and time <= before:
            word = "repeats" if time == before else "is before"
            return f"the time {word} that of an earlier row of series {show_id(key)}", columns.time
        if self._even and before is not None and self._is_between_steps(time, before):
            return f"the time stands between two steps of series {show_id(key)}", columns.time
        if static is not None:
            other = np.flatnonzero(~np.isnan(static) & (static != self.series.static[slot]))
            if len(other):
                return f"another value than before within series {show_id(key)}", columns.static[int(other[0])]
        return None

    def _is_between_steps(self, time: Moment, before: Moment) -> bool:
        return bool(time < self.clock.ahead(before, 1)[0]) and not self.clock.follows(time, before)

    def _stranger(self, key: SeriesId) -> Flaw | None:
        """What speaks against a series that was not there before."""
        names = self.model.columns.series
        if any(part == "" for part in key):
            return "an empty series id", names[key.index("")]
        if any("\udc80" <= char <= "\udcff" for part in key for char in part):
            return f"the id is not {self.model.config.data.encoding} text", names[0]
        if self._known is not None and key not in self._known:
            return f"series {show_id(key)} was not in training, and scale.per is series: its scale is not known", None
        return None

    def _is_behind_a_gap(self, slot: int, time: Moment) -> bool:
        return self._even and not self.clock.follows(time, self.series.times[slot])

    def _gap(self, key: SeriesId, before: Moment) -> str:
        expected = self.clock.write(self.clock.ahead(before, 1)[0])
        return f"{expected} is missing: series {show_id(key)} begins anew"

    def _begin(self, slot: int, key: SeriesId, read: Read, row: int) -> int:
        """The number of a series that begins, or begins anew, with a row."""
        if slot < 0:
            slot = self.series.add(key, self.model.columns.targets if self.model.columns.wide else None)
        if read.static is not None:
            self.series.static[slot : slot + self._width] = read.static[row]
        return slot

    def _with_derived(self, values: Floats, times: list[Moment], gaps: list[float]) -> Floats:
        columns = self.model.columns
        if not columns.derived:
            return values
        before = len(columns.targets) + len(columns.past)
        parts = [values[:, :before], values[:, before:]]
        if columns.elapsed:
            parts.insert(1, np.array(gaps).reshape(-1, 1))
        if columns.calendar:
            parts.append(np.array([self.clock.waves(time) for time in times]).reshape(-1, 2 * len(columns.calendar)))
        return np.concatenate(parts, axis=1)

    def _arrivals(self, slots: list[int], times: list[Moment], values: Floats, begins: list[int]) -> Arrivals:
        """With the wide layout every row becomes one of each series, which share what is no target."""
        marked = np.zeros(len(slots), bool)
        marked[begins] = True
        found = Arrivals(np.array(slots, np.int64), times, values, marked)
        if not self.model.columns.wide:
            return found
        count = self._width
        own = np.concatenate([values[:, :count].reshape(-1, 1), np.repeat(values[:, count:], count, axis=0)], axis=1)
        every = (found.slots[:, None] + np.arange(count)).reshape(-1)
        return Arrivals(every, [time for time in times for _ in range(count)], own, np.repeat(marked, count))
