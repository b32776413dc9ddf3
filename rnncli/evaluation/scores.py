"""Scores: sums of metrics' statistics, from which overall, per series and per step come free."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rnncli.data.panel import Floats, Rows
from rnncli.tasks.metrics import Metric, Units


class Scores:
    """Sums of every metric's statistic by series and by step, over any number of batches."""

    def __init__(self, metrics: Mapping[str, Metric], series: int, steps: int) -> None:
        self._metrics = metrics
        self._series = series
        self._steps = steps
        self._totals: dict[str, Floats] = {}
        self._counts: dict[str, Floats] = {}

    def add(self, truth: Floats, answer: Floats, units: Units, series: Rows) -> None:
        """Add windows: truth (windows, steps, targets), answer likewise or probabilities; series (windows,)."""
        into = _Sums(series)
        for name, metric in self._metrics.items():
            values = metric.pointwise(truth, answer, units)
            known = ~np.isnan(values)
            shape = (self._series, values.shape[1], values.shape[2])
            totals = self._totals.setdefault(name, np.zeros(shape))
            counts = self._counts.setdefault(name, np.zeros(shape))
            into.add(totals, np.where(known, values, 0))
            into.add(counts, known)

    def include(self, other: Scores, series: Rows) -> None:
        """Add all that `other` holds; `series` says which of these series each of its own is."""
        into = _Sums(series)
        for name, totals in other._totals.items():
            shape = (self._series, *totals.shape[1:])
            into.add(self._totals.setdefault(name, np.zeros(shape)), totals)
            into.add(self._counts.setdefault(name, np.zeros(shape)), other._counts[name])

    def overall(self) -> dict[str, float]:
        """Every metric over all windows."""
        return self._finish(slice(None), slice(None))

    def answers(self) -> int:
        """How many answers were scored, of all series."""
        first = next(iter(self._counts.values()), np.zeros((0, 1, 1)))
        return int(first.sum(0).max())

    def by_step(self) -> list[dict[str, float]]:
        """Every metric for each step of the horizon, the first first."""
        return [self._finish(slice(None), slice(step, step + 1)) for step in range(self._steps)]

    def by_series(self) -> dict[int, dict[str, float]]:
        """Every metric for each series that has windows."""
        first = next(iter(self._counts.values()), np.zeros((0, 0, 0)))
        there = np.flatnonzero(first.sum((1, 2)))
        return {int(series): self._finish(slice(series, series + 1), slice(None)) for series in there}

    def _finish(self, series: slice, steps: slice) -> dict[str, float]:
        return {
            name: metric.finish(
                self._totals[name][series, steps].sum((0, 1)), self._counts[name][series, steps].sum((0, 1))
            )
            for name, metric in self._metrics.items()
            if name in self._totals
        }


class _Sums:
    """Adds rows to totals by their places, of which one may come several times: much faster than np.add.at."""

    def __init__(self, places: Rows) -> None:
        sorted_already = (places[1:] >= places[:-1]).all()
        self._order = None if sorted_already else np.argsort(places, kind="stable")
        ordered = places if self._order is None else places[self._order]
        first = np.ones(len(ordered), dtype=bool)
        first[1:] = ordered[1:] != ordered[:-1]
        self._starts = np.flatnonzero(first)
        self._places = ordered[self._starts]

    def add(self, totals: Floats, rows: Floats | NDArray[np.bool_]) -> None:
        """totals[places] += rows."""
        if len(self._starts):
            rows = rows if self._order is None else rows[self._order]
            totals[self._places] += np.add.reduceat(rows, self._starts, axis=0, dtype=np.float64)
