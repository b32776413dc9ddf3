"""Inputs that follow from the time column: parts of the date as waves, and the time since the row before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rnncli.data.panel import Floats, Panel

if TYPE_CHECKING:
    import pandas as pd

Part = Callable[["pd.DatetimeIndex"], "pd.Index[int]"]

# the part of a date, counted from 0, and how many make a round
CALENDAR: dict[str, tuple[Part, float]] = {
    "minute": (lambda times: times.minute, 60),
    "hour": (lambda times: times.hour, 24),
    "weekday": (lambda times: times.day_of_week, 7),
    "monthday": (lambda times: times.day - 1, 31),
    "yearday": (lambda times: times.day_of_year - 1, 365.25),
    "month": (lambda times: times.month - 1, 12),
    "quarter": (lambda times: times.quarter - 1, 4),
}


def waves(times: NDArray[np.generic], names: Sequence[str]) -> Floats:
    """(rows, 2 * names) sine and cosine of each part of the date, so that a round ends where it began."""
    import pandas as pd

    index = pd.DatetimeIndex(times) if names else None
    found = [np.empty((len(times), 0))]
    for name in names:
        part, size = CALENDAR[name]
        assert index is not None
        angle = 2 * np.pi * np.asarray(part(index), dtype=np.float64) / size
        found.append(np.stack([np.sin(angle), np.cos(angle)], axis=1))
    return np.concatenate(found, axis=1)


def elapsed(panel: Panel) -> Floats:
    """(rows,) time since the series' row before, in seconds or in the units of the time column; 0 at the first."""
    gaps = np.diff(panel.times, prepend=panel.times[:1])
    found = gaps / np.timedelta64(1, "s") if gaps.dtype.kind == "m" else gaps.astype(np.float64)
    found[panel.offsets[:-1]] = 0
    return np.asarray(found, dtype=np.float64)
