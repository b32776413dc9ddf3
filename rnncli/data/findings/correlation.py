"""Pearson's correlation of many columns with many, with cells left out where they are empty."""

from __future__ import annotations

import numpy as np

from rnncli.data.panel import Floats

ALIKE = 0.9999  # from which two columns say the same
LEAST_PAIRS = 10
SOME = 10_000  # rows whose values are counted
CUT = 0.05  # of the rows at one end of the values, from which the rest was cut off


def correlation(x: Floats, y: Floats) -> Floats:
    """(a, b) Pearson's r of the columns of (rows, a) and (rows, b), pairs with NaN left out.

    NaN for few pairs or none that differ.
    """
    x, y = _standard(x), _standard(y)
    in_x, in_y = (~np.isnan(part) for part in (x, y))
    count = in_x.T.astype(np.float64) @ in_y
    x, y = np.nan_to_num(x), np.nan_to_num(y)
    sum_x, sum_y = x.T @ in_y, in_x.T @ y
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = x.T @ y - sum_x * sum_y / count
        spread_x = (x**2).T @ in_y - sum_x**2 / count
        spread_y = in_x.T @ y**2 - sum_y**2 / count
        r = covariance / np.sqrt(spread_x * spread_y)
    moving = (np.minimum(spread_x, spread_y) > 1e-9 * count) & (count >= LEAST_PAIRS)
    return np.where(moving, r, np.nan)


def _standard(values: Floats) -> Floats:
    """Columns with mean 0 and deviation 1, where they have a deviation; those that hardly ever move are NaN."""
    known = ~np.isnan(values)
    count = np.maximum(known.sum(0), 1)
    off = values - np.nansum(values, 0) / count
    spread = np.sqrt(np.nansum(off**2, 0) / count)
    moves = spread > 1e-12 * np.abs(np.where(known, values, 0)).max(0, initial=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(moves, off / spread, np.nan)


def uncut(values: Floats) -> Floats:
    """Values without those at the highest and lowest number, if they are many: a column may be another, cut off.

    Of columns with few other values nothing is taken.
    """
    found = values
    for edge in (np.fmin, np.fmax):
        at = values == edge.reduce(values)
        if at.sum() > CUT * len(values):
            found = np.where(at, np.nan, found)
    others = found[:: max(1, len(found) // SOME)]
    return found if len(np.unique(others[~np.isnan(others)])) >= 2 * LEAST_PAIRS else values
