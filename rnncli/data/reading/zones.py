"""Local times: to UTC and back, with the hour that comes twice in autumn and the one that never comes in spring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Times = NDArray[Any]  # datetime64 of any unit

SLICE = 1 << 20
_DAY = np.timedelta64(1, "D")
_CHANGES = {3, 4, 9, 10, 11}  # months in which clocks are changed somewhere


class NoSuchTimeError(ValueError):
    """A local time that clocks skip; `row` is its position."""

    def __init__(self, row: int) -> None:
        super().__init__(row)
        self.row = row


def to_utc(times: Times, zone: str) -> tuple[Times, NDArray[np.bool_]]:
    """UTC of local times, and which of them come twice: for these it is the first of the two.

    Raises:
        NoSuchTimeError: naming the first that clocks skip.
    """
    local = pd.DatetimeIndex(times)
    first = local.tz_localize(zone, ambiguous=np.ones(len(times), dtype=bool), nonexistent="NaT")
    skipped = np.flatnonzero(np.asarray(first.isna()) & ~np.asarray(local.isna()))
    if len(skipped):
        raise NoSuchTimeError(int(skipped[0]))
    twice = np.asarray(local.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").isna())
    return first.tz_convert(None).to_numpy(dtype=times.dtype), twice


def to_local(times: Times, zone: str) -> Times:
    """Local times of UTC ones."""
    local = pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(zone)
    return local.tz_localize(None).to_numpy(dtype=times.dtype)


def offsets(times: Times | pd.DatetimeIndex, zone: str) -> list[str]:
    """``+HHMM``, what local time is ahead of UTC at each of these UTC times."""
    return list(pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(zone).strftime("%z"))


def follows_the_calendar(times: Times, zone: str) -> bool:
    """Whether UTC times keep to fewer times of the day on a zone's clocks than in UTC: days, not hours, are equal."""
    local = _times_of_day(times, lambda part: to_local(part, zone))
    if local > 1 and times.max() - times.min() < 2 * _DAY:  # an hour may come twice, and no day does
        return False
    return local == 1 or local < _times_of_day(times, lambda part: part)


def convert(times: Times, how: Callable[[Times], Times]) -> None:
    """Convert an array in place, a slice at a time."""
    for start in range(0, len(times), SLICE):
        times[start : start + SLICE] = how(times[start : start + SLICE])


def has_one_time_of_day(times: Times) -> bool:
    """Whether all times are, say, midnight."""
    return _times_of_day(times, lambda part: part) <= 1


def _times_of_day(times: Times, how: Callable[[Times], Times]) -> int:
    found = [
        np.unique((part := how(times[start : start + SLICE])) - part.astype("datetime64[D]").astype(part.dtype))
        for start in range(0, len(times), SLICE)
    ]
    return len(np.unique(np.concatenate(found))) if found else 0


def settle_repeated(
    times: Times, twice: NDArray[np.int64], local: Times, zone: str, keys: NDArray[np.signedinteger[Any]]
) -> None:
    """Where a series holds a local time twice that comes twice, make the second of the two the later one, in place.

    Args:
        times: (rows,) UTC.
        twice: the rows whose local times come twice, ascending.
        local: their local times.
        zone: whose they are.
        keys: (rows,) the series of every row.
    """
    frame = pd.DataFrame({"key": keys[twice], "local": local})
    seen = frame.groupby(["key", "local"]).cumcount().to_numpy()
    count = frame.groupby(["key", "local"])["key"].transform("size").to_numpy()
    down = _descending(times, keys)[keys[twice]]
    second = (count == 2) & (seen == np.where(down, 0, 1))
    standard = pd.DatetimeIndex(local).tz_localize(zone, ambiguous=np.zeros(len(local), dtype=bool))
    times[twice[second]] = standard.tz_convert(None).to_numpy(dtype=times.dtype)[second]


def _descending(times: Times, keys: NDArray[np.signedinteger[Any]]) -> NDArray[np.bool_]:
    """(series,) whether the newest row of a series stands first."""
    first = np.unique(keys, return_index=True)[1]
    last = len(keys) - 1 - np.unique(keys[::-1], return_index=True)[1]
    return np.asarray(times[first] > times[last])


def repeated_hint(time: Any) -> str | None:
    """What to do about a time that stands twice, if it may be the hour that clocks are put back."""
    moment = pd.Timestamp(time)
    if moment.month in _CHANGES and moment.hour < 4 and moment.weekday() >= 5:
        return "clocks are put back then: set data.time_zone, such as Europe/Berlin, or write the times in UTC"
    return None


def skipped_hint(before: Any, after: Any) -> str | None:
    """What to do about a gap between two times, if it may be the hour that clocks are put forward."""
    start, end = pd.Timestamp(before), pd.Timestamp(after)
    gap = end - start
    if end.month in _CHANGES and end.weekday() >= 5 and end.hour < 5 and pd.Timedelta("1h") < gap <= pd.Timedelta("3h"):
        return "clocks are put forward then: set data.time_zone, such as Europe/Berlin, or write the times in UTC"
    return None
