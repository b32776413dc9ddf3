"""The steps of a time column: even ones, nearly even ones, and the nearest round one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnncli.data import clock

MOST_EMPTY = 2  # rows on an even grid for a row that there is: beyond, the grid would be mostly empty
_ROUND = [
    (name, pd.Timedelta(name).total_seconds())
    for name in ("1ms", "10ms", "100ms", "1s", "2s", "5s", "10s", "15s", "30s", "1min", "2min", "5min", "10min",
                 "15min", "30min", "1h", "2h", "3h", "6h", "12h", "1D", "7D")
]  # fmt: skip


@dataclass(frozen=True)
class Rhythm:
    """The steps of a time column.

    Attributes:
        frequency: as `clock.step` says it; of uneven steps, the nearest round one.
        uneven: steps that are not by the frequency.
        fits: whether the frequency can serve as a grid for all rows: most steps are by it, or nearly.
    """

    frequency: str | None
    uneven: int
    fits: bool


def rhythm(times: NDArray[np.generic], keys: NDArray[np.int64]) -> Rhythm:
    """The frequency of the series that `keys` tell apart: of the longest that has one, else the commonest step."""
    order = np.lexsort((times, keys))
    bounds = np.flatnonzero(np.diff(keys[order])) + 1
    runs = sorted(np.split(times[order], bounds), key=len, reverse=True)
    frequency = next((found for run in runs[:20] if (found := clock.step(run))), None) or _commonest(runs[0])
    fits = frequency is not None
    frequency = frequency or _nearest(runs[0])
    if frequency is None:
        return Rhythm(None, 0, False)
    uneven = sum(int((~clock.regular(run, frequency)).sum()) for run in runs)
    return Rhythm(frequency, uneven, (fits or _is_near(runs[0])) and _spans(runs) <= MOST_EMPTY * len(times))


def _commonest(times: NDArray[np.generic]) -> str | None:
    """The step of at least a quarter of all stretches of eight rows, or the gap of more than half of the rows."""
    if len(times) < 4:
        return None
    starts = np.unique(np.linspace(0, max(len(times) - 8, 0), 100).astype(int))
    steps = pd.Series([clock.step(times[start : start + 8]) for start in starts], dtype=object).value_counts()
    if len(steps) and steps.iloc[0] >= len(starts) / 4:
        return str(steps.index[0])
    gaps, counts = np.unique(np.diff(times), return_counts=True)
    if counts.max() <= len(times) / 2:
        return None
    start = int(np.flatnonzero(np.diff(times) == gaps[np.argmax(counts)])[0])
    return clock.step(times[start : start + 2])


def _nearest(times: NDArray[np.generic]) -> str | None:
    """A round step near the median gap; None for fewer than two rows."""
    if len(times) < 2:
        return None
    gap = np.median(np.diff(times.astype("datetime64[us]" if times.dtype.kind == "M" else times.dtype)).astype(float))
    if gap <= 0:
        return None
    if times.dtype.kind != "M":
        return f"{float(f'{gap:.2g}'):.12g}" if times.dtype.kind == "f" else f"{max(round(gap), 1)}"
    seconds = gap / 1e6
    nearest = min(_ROUND, key=lambda pair: abs(np.log(pair[1] / seconds)))
    return nearest[0]


def _is_near(times: NDArray[np.generic]) -> bool:
    """Whether most gaps are about the median gap: a clock that is not exact."""
    gaps = np.diff(times).astype(float)
    return len(gaps) > 2 and bool((np.abs(gaps / np.median(gaps) - 1) < 0.3).mean() > 0.8)


def _spans(runs: list[NDArray[np.generic]]) -> float:
    """About how many rows there would be if no step were missing."""
    usual = np.median(np.diff(runs[0]).astype(float)) if len(runs[0]) > 1 else 1.0
    return sum(float((run[-1] - run[0]).astype(float)) / max(usual, 1e-9) + 1 for run in runs)
