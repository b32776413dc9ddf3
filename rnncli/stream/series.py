"""What is kept of every series: arrays with a row each, which grow as new series arrive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rnncli.data.panel import SeriesId
from rnncli.stream.clock import Moment
from rnncli.stream.model import StreamModel

Slots = NDArray[np.int64]
Mark = tuple[int, dict[SeriesId, int], list[Moment | None]]

_FIRST = 16  # series for which there is room at the start


class Series:
    """The series of a stream.

    Attributes:
        slots: the number of each series; with the wide layout of the first one alone, which the others follow.
        ids: of the series, by number.
        times: of the newest row of each.
        own: (series,) row of the scaler's statistics.
        newest: (series, columns) newest known values, scaled; 0 before the first.
        static: (series, static columns) as they are in the file, NaN where empty.
        point: (series, targets) scaled forecast of the next row, NaN where there is none.
        alpha: (series, targets, levels) how often each interval may miss, as it has adapted.
        memory: what the network keeps of each series, by name: states, or the newest rows.
    """

    def __init__(self, model: StreamModel, memory: Mapping[str, np.ndarray], alpha: Sequence[float]) -> None:
        """`memory` holds what is kept of a series that begins, and `alpha` where its intervals begin."""
        self._known = {key: number for number, key in enumerate(model.scaler.ids)}
        self._per_series = len(model.scaler.centre) > 1
        self._start, self._alpha = dict(memory), np.array(alpha, dtype=np.float64)
        columns = len(model.columns.values)
        targets = len(model.columns.value_targets)
        self.slots: dict[SeriesId, int] = {}
        self.ids: list[SeriesId] = []
        self.times: list[Moment | None] = []
        self.own = np.zeros(_FIRST, dtype=np.int64)
        self.newest = np.zeros((_FIRST, columns))
        self.static = np.full((_FIRST, len(model.columns.static)), np.nan)
        self.point = np.full((_FIRST, targets), np.nan)
        self.alpha = np.tile(self._alpha, (_FIRST, targets, 1))
        self.memory = {name: np.repeat(part[None], _FIRST, axis=0) for name, part in memory.items()}

    def add(self, key: SeriesId, names: Sequence[str] | None = None) -> int:
        """Make room for a series, or for the series that the wide layout has in a row; the number of the first."""
        slot = len(self.ids)
        self.slots[key] = slot
        for own in [key] if names is None else [(name,) for name in names]:
            if len(self.ids) == len(self.own):
                self._grow()
            self.own[len(self.ids)] = self._known.get(own, 0) if self._per_series else 0
            self.ids.append(own)
            self.times.append(None)
        return slot

    def begin(self, some: Slots) -> None:
        """Let series begin: nothing is known of what was before."""
        self.newest[some] = 0
        self.point[some] = np.nan
        self.alpha[some] = self._alpha
        for name, start in self._start.items():
            self.memory[name][some] = start

    def mark(self) -> Mark:
        """Which series there are, and their newest times."""
        return len(self.ids), dict(self.slots), list(self.times)

    def rewind(self, mark: Mark) -> None:
        """Forget the series that were added since a mark, and newer times."""
        count, self.slots, self.times = mark
        del self.ids[count:]

    def _grow(self) -> None:
        def twice(part: np.ndarray) -> np.ndarray:
            return np.concatenate([part, part])  # rows that are not in use may hold anything

        self.own, self.newest, self.static = twice(self.own), twice(self.newest), twice(self.static)
        self.point, self.alpha = twice(self.point), twice(self.alpha)
        self.memory = {name: twice(part) for name, part in self.memory.items()}
