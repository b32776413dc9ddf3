"""The step of a time column, the rows that come next, and how many rows make a season."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.frequencies import to_offset

from rnncli.data.reading.forms import INTEGER as INTEGER
from rnncli.data.reading.forms import NUMBER as NUMBER
from rnncli.data.reading.forms import TimeError as TimeError
from rnncli.data.reading.forms import example as example
from rnncli.data.reading.forms import write as write
from rnncli.data.reading.moments import moment as moment
from rnncli.data.reading.moments import read as read
from rnncli.data.reading.moments import read_any as read_any
from rnncli.data.reading.recognition import FORMATS as FORMATS
from rnncli.data.reading.recognition import recognise as recognise
from rnncli.data.reading.zones import repeated_hint as repeated_hint
from rnncli.data.reading.zones import skipped_hint as skipped_hint

_SEASONS = {"Y": 1, "Q": 4, "M": 12, "B": 5}  # calendar steps, by the first letter of a pandas frequency
_CHUNK = 1 << 17  # times that are looked at together
_DAY = pd.Timedelta("1D")
_CYCLES = (("59s", "1h"), ("6h", "1D"), ("1D", "7D"), ("28D", "364D"))  # the season of a gap below or at the first


def step(times: NDArray[np.generic]) -> str | None:
    """The frequency of a sorted time column: a pandas alias, or a number as text; None if it has none."""
    if len(times) < 2:
        return None
    gaps = np.diff(times)
    regular = bool((gaps == gaps[0]).all())
    if times.dtype.kind != "M":
        even = regular or bool(np.allclose(gaps, gaps[0], rtol=1e-6))
        return f"{gaps[0]:.12g}" if even and gaps[0] > 0 else None
    if regular and np.timedelta64(0) < gaps[0] < np.timedelta64(28, "D"):
        return _alias(gaps[0])
    if len(times) < 3:
        return None
    found = _inferred(times)
    if found is None and regular and gaps[0] > np.timedelta64(0):
        return _alias(gaps[0])
    return found


def _inferred(times: NDArray[np.generic]) -> str | None:
    """The calendar frequency that pandas finds; newer ones say it with an offset, if they are asked to."""
    try:
        with pd.option_context("future.infer_freq_returns_offset", True):
            found = pd.infer_freq(pd.DatetimeIndex(times))
    except pd.errors.OptionError:
        found = pd.infer_freq(pd.DatetimeIndex(times))
    return None if found is None else str(getattr(found, "freqstr", found))


def _alias(gap: np.timedelta64) -> str:
    """The pandas frequency of a gap that is the same every time."""
    whole = pd.Timedelta(gap)
    return f"{whole // _DAY}D" if whole % _DAY == pd.Timedelta(0) else str(to_offset(whole).freqstr)


def follow(last: np.generic, count: int, frequency: str) -> NDArray[np.generic]:
    """The `count` times after `last`."""
    array = np.asarray(last)
    if array.dtype.kind == "M":
        return pd.date_range(pd.Timestamp(array.item()), periods=count + 1, freq=frequency)[1:].to_numpy()
    size = float(frequency)
    future = array + np.arange(1, count + 1) * (int(size) if array.dtype.kind == "i" else size)
    return np.asarray(future, dtype=array.dtype)


def season(frequency: str | None) -> int:
    """Rows in a season of a series with the given frequency: a year of months, a week of days, a day of hours.

    A season of one means that none is known.
    """
    if frequency is None or re.fullmatch(r"[-+0-9.e]+", frequency):
        return 1
    offset = to_offset(frequency)
    if not isinstance(offset, pd.offsets.Tick | pd.offsets.Day):
        whole = _SEASONS.get((offset.rule_code.lstrip("B") or "B")[0], 1)  # BME: a month's end on a business day
        return whole // offset.n if whole % offset.n == 0 else 1
    gap = pd.Timedelta(f"{offset.n}D") if isinstance(offset, pd.offsets.Day) else pd.Timedelta(offset)
    cycle = next((pd.Timedelta(cycle) for most, cycle in _CYCLES if gap <= pd.Timedelta(most)), gap)
    return int(cycle / gap) if cycle % gap == pd.Timedelta(0) else 1


def is_frequency(text: str, form: str | None) -> bool:
    """Whether `text` can be the frequency of a time column in the given format."""
    try:
        return float(text) > 0 if form in (None, INTEGER, NUMBER) else to_offset(text) is not None
    except ValueError:
        return False


def regular(times: NDArray[np.generic], frequency: str) -> NDArray[np.bool_]:
    """(rows - 1,) whether each time follows the one before by the frequency."""
    found = np.ones(max(0, len(times) - 1), dtype=bool)
    for start in range(0, len(found), _CHUNK):
        some = times[start : start + _CHUNK + 1]
        if times.dtype.kind == "M":
            index = pd.DatetimeIndex(some)
            found[start : start + _CHUNK] = index[:-1] + to_offset(frequency) == index[1:]
        else:
            found[start : start + _CHUNK] = np.isclose(np.diff(some), float(frequency), rtol=1e-6)
    return found
