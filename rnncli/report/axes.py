"""Axes: from values to places in a drawing, with ticks that a person would choose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnncli.data import clock
from rnncli.data.panel import Floats

_YEARS, _DAYS = np.timedelta64(900, "D"), np.timedelta64(4, "D")


@dataclass(frozen=True)
class Axis:
    """A stretch of values and the stretch of the drawing that it lies on."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, values: Floats | float) -> Floats:
        """Places of values."""
        low, high, given = self.low, self.high, np.asarray(values, dtype=np.float64)
        if self.log:
            low, high, given = math.log(low), math.log(high), np.log(np.maximum(given, 1e-300))
        return np.asarray(self.start + (given - low) / (high - low) * (self.end - self.start))


def limits(parts: Sequence[Floats], *, zero: bool = False, room: float = 0.04) -> tuple[float, float]:
    """The stretch that holds all known values, with some room; of one value, something around it."""
    known = [part[np.isfinite(part)] for part in map(np.asarray, parts)]
    values = np.concatenate([*known, [0.0]] if zero or not any(map(len, known)) else known)
    low, high = float(values.min()), float(values.max())
    if low == high:
        more = abs(low) * 0.1 or 1.0
        return (low if zero and low == 0 else low - more), high + more
    more = (high - low) * room
    return (low if zero and low == 0 else low - more), (high if zero and high == 0 else high + more)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round values in a stretch: multiples of 1, 2, 2.5 or 5 times a power of ten (Heckbert 1990)."""
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(nice * power for nice in (1, 2, 2.5, 5, 10) if nice * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [count * step for count in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten in a stretch, with twos and fives where there are few; plain ticks where there are none."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1,), (1, 3), (1, 2, 5)):
        found = [digit * 10.0**power for power in powers for digit in digits if low <= digit * 10.0**power <= high]
        if len(found) >= 3:
            return found[:: 1 + len(found) // 7]
    return ticks(low, high)


def tick_label(value: float) -> str:
    """A tick as short text."""
    if value == 0:
        return "0"
    size = abs(value)
    for least, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if 1e13 > size >= least:
            divisor = 1e3 if letter == "k" else least
            return f"{value / divisor:.4g}{letter}".replace("-", "−")
    return f"{value:.4g}".replace("-", "−")


def time_labels(times: NDArray[np.generic], form: str | None) -> list[str]:
    """Labels of some times, as short as the stretch between them allows."""
    if times.dtype.kind != "M":
        return clock.write(times, form)
    moments = times.astype("datetime64[ns]")
    span = moments.max() - moments.min() if len(times) else np.timedelta64(0)
    if span > _YEARS:
        return [str(moment) for moment in moments.astype("datetime64[M]")]
    if span > _DAYS:
        return [str(moment) for moment in moments.astype("datetime64[D]")]
    return [str(moment)[5:].replace("T", " ") for moment in moments.astype("datetime64[m]")]


def spread_over(count: int, most: int = 4) -> list[int]:
    """A few positions among `count`, the first and the last among them."""
    if count <= 1:
        return [0] * count
    return sorted({round(part * (count - 1) / (most - 1)) for part in range(most)})
