"""Dates one at a time, by Python alone: their parts, and those that follow."""

from __future__ import annotations

import calendar
import functools
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

_STEP = re.compile(r"([0-9]*)(us|ms|s|min|h|D|W)(-[A-Z]{3})?")
_MONTHS = re.compile(r"([0-9]*)(M|Q|Y)(S|E)(-[A-Z]{3})?")
UNITS = {
    "us": timedelta(microseconds=1), "ms": timedelta(milliseconds=1), "s": timedelta(seconds=1),
    "min": timedelta(minutes=1), "h": timedelta(hours=1), "D": timedelta(days=1), "W": timedelta(weeks=1),
}  # fmt: skip
_COUNT = {"M": 1, "Q": 3, "Y": 12}
PARTS: dict[str, Callable[[datetime], int]] = {  # counted from 0; CALENDAR has them of many dates
    "minute": lambda time: time.minute,
    "hour": lambda time: time.hour,
    "weekday": lambda time: time.weekday(),
    "monthday": lambda time: time.day - 1,
    "yearday": lambda time: time.timetuple().tm_yday - 1,
    "month": lambda time: time.month - 1,
    "quarter": lambda time: (time.month - 1) // 3,
}


def following(frequency: str) -> Callable[[Any, int], Any] | None:
    """The time some steps after another; None if pandas has to be asked."""
    try:
        size = float(frequency)
    except ValueError:
        pass
    else:
        return lambda time, count: time + count * (int(size) if isinstance(time, int) else size)
    if found := _STEP.fullmatch(frequency):
        step = int(found[1] or 1) * UNITS[found[2]]
        return lambda time, count: time + count * step
    if found := _MONTHS.fullmatch(frequency):
        return functools.partial(_months_later, int(found[1] or 1) * _COUNT[found[2]], found[3] == "E")
    return None


def _months_later(months: int, at_end: bool, time: datetime, count: int) -> datetime:
    year, month = divmod(time.year * 12 + time.month - 1 + count * months, 12)
    day = calendar.monthrange(year, month + 1)[1] if at_end else time.day
    return time.replace(year=year, month=month + 1, day=day)
