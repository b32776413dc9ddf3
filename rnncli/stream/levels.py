"""Intervals that adapt, and how unusual a new value is.

An interval at level p begins split conformal (``tasks.intervals``), missing at most alpha = 1 - p. After each row
alpha moves by RATE (1 - p - missed) (Gibbs and Candes 2021, adaptive conformal inference): intervals that miss too
often become wider, and over a long stream the share of misses tends to 1 - p whatever the data does, as long as the
widest error that was seen is wide enough. The next row's value decides, so what is learned of the first step holds for
all steps of the horizon.

The anomaly score of a value is its distance from the forecast that was made a row before, over the distance that 95 %
of the validation errors stay below: above 1 it lies where one value in twenty should.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnncli.data.panel import Floats
from rnncli.stream.series import Series, Slots

RATE = 0.005
SCORED = 0.95


class Levels:
    """Half widths of intervals from the errors of a model's validation part.

    Args:
        residuals: (errors, horizon, targets) sorted, NaN last, scaled.
        levels: shares between 0 and 1.
    """

    def __init__(self, residuals: Floats, levels: Sequence[float]) -> None:
        self.levels = np.array(levels, dtype=np.float64)
        self._residuals = residuals
        self._counts = (~np.isnan(residuals)).sum(axis=0)  # (horizon, targets)
        self._usual = self.half_widths(np.full((1, residuals.shape[2], 1), 1 - SCORED))[0, 0, :, 0]  # (targets,)

    def half_widths(self, alpha: Floats) -> Floats:
        """(rows, horizon, targets, levels) reach of intervals that may miss by (rows, targets, levels) alpha.

        An alpha of 0 or below asks for the widest error that was seen.
        """
        counts = self._counts[None, :, :, None]
        wanted = np.ceil((counts + 1) * (1 - alpha[:, None]) - 1e-9).astype(np.int64)
        places = np.clip(np.minimum(wanted, counts) - 1, 0, None)
        horizon, targets = np.ogrid[: self._counts.shape[0], : self._counts.shape[1]]
        return np.asarray(self._residuals[places, horizon[None, :, :, None], targets[None, :, :, None]])

    def arrive(self, series: Series, slots: Slots, values: Floats, points: Floats) -> tuple[Floats, Floats]:
        """Compare new values with what was forecast for them, row after row, and adapt.

        Args:
            values: (rows, targets) scaled, NaN where not known.
            points: (rows, targets) the forecast of each row's next value, which is kept.

        Returns:
            scores (rows, targets), NaN where there is none, and alpha (rows, targets, levels) after each row.
        """
        before = self._forecast_of_each(series, slots, points)
        errors = np.abs(values - before)
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = np.where(errors == 0, 0.0, errors / self._usual)
        if not len(self.levels):
            return scores, np.empty((*errors.shape, 0))
        found = np.empty((*errors.shape, len(self.levels)))
        for row, slot in enumerate(slots.tolist()):
            alpha = series.alpha[slot]  # (targets, levels)
            error = errors[row, :, None]
            reach = self.half_widths(alpha[None])[0, 0]
            moved = alpha + RATE * ((1 - self.levels) - (error > reach))
            series.alpha[slot] = np.where(np.isnan(error), alpha, moved)
            found[row] = series.alpha[slot]
        return scores, found

    def _forecast_of_each(self, series: Series, slots: Slots, points: Floats) -> Floats:
        """(rows, targets) what was forecast for each row by the row of its series before; the newest are kept."""
        order = np.argsort(slots, kind="stable")
        own = slots[order]
        first = np.concatenate([[True], own[1:] != own[:-1]])
        before = np.empty_like(points)
        before[order[~first]] = points[order[:-1][~first[1:]]]
        before[order[first]] = series.point[own[first]]
        last = np.concatenate([~(own[1:] == own[:-1]), [True]])
        series.point[own[last]] = points[order[last]]
        return before
