"""Seasons in the numbers: one that no date tells of, and whether one that is known shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnncli.data.reading.numbers import as_numbers

LONGEST_SEASON = 400
_MOST_SERIES = 50  # that are looked at
_MOST_ROWS = 20_000  # of each
_TRAINING = 0.8  # of the rows: what is held out by default has no say
_PLACES = 12  # of the season, at which both forecasts are compared


def season_of(frame: pd.DataFrame, series: Sequence[str], target: str) -> int:
    """The lag at which the changes of the longest series repeat best, if they do; else 1.

    The autocorrelation of the differences must have a peak above 0.4 there, beyond its first descent below zero: noise
    on a long swing makes the second lag a peak, too.
    """
    if series:
        keys = frame.groupby(list(series), sort=False).ngroup()
        frame = frame[keys == keys.value_counts().idxmax()]
    values = as_numbers(frame[target]).to_numpy(dtype=np.float64)
    changes = np.diff(values[np.isfinite(values)])
    most = min(len(changes) // 4, LONGEST_SEASON)
    if most < 3 or not changes.std() > 0:
        return 1
    changes = changes - changes.mean()
    power = np.abs(np.fft.rfft(changes, 2 * len(changes))) ** 2
    similar = np.fft.irfft(power)[: most + 2] / (changes @ changes)
    first = int(np.argmax(similar < 0)) or most + 1
    lags = range(max(first, 2), most + 1)
    peaks = [lag for lag in lags if similar[lag] > max(0.4, similar[lag - 1], similar[lag + 1])]
    best = max((similar[lag] for lag in peaks), default=0.0)
    return next((lag for lag in peaks if similar[lag] > 0.9 * best), 1)


def season_shows(frame: pd.DataFrame, series: Sequence[str], targets: Sequence[str], season: int) -> bool:
    """Whether "as a season ago" errs less than "as now" over the season to come, in most series.

    Rows are taken in the order of the table.
    """
    if season < 2:
        return False
    worth = [found for values in _some_series(frame, series, targets) if (found := _worth(values, season)) is not None]
    return bool(worth) and float(np.median(worth)) > 0


def _some_series(frame: pd.DataFrame, series: Sequence[str], targets: Sequence[str]) -> Iterator[NDArray[np.float64]]:
    """The training rows of some series, each its targets one after the other."""
    parts = [frame]
    if series:
        keys = frame.groupby(list(series), sort=False).ngroup()
        chosen = keys.value_counts().index[:_MOST_SERIES]
        parts = [part for _, part in frame[keys.isin(chosen)].groupby(keys, sort=False)]
    for part in parts:
        for target in targets[:_MOST_SERIES]:
            values = np.asarray(as_numbers(part[target]).ffill().dropna(), dtype=np.float64)
            yield values[: int(_TRAINING * len(values))][-_MOST_ROWS:]


def _worth(values: NDArray[np.float64], season: int) -> float | None:
    """How much less "as a season ago" errs than "as now", summed over places in the season; None for too few rows."""
    if len(values) <= 2 * season:
        return None
    places = np.unique(np.linspace(1, season, min(season, _PLACES)).round().astype(int))
    now = np.mean([np.abs(values[place:] - values[:-place]).mean() for place in places])
    return float(now - np.abs(values[season:] - values[:-season]).mean())
