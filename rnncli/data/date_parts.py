"""Parts of a date, one date at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

PARTS: dict[str, Callable[[datetime], int]] = {  # counted from 0; CALENDAR has them of many dates
    "minute": lambda time: time.minute,
    "hour": lambda time: time.hour,
    "weekday": lambda time: time.weekday(),
    "monthday": lambda time: time.day - 1,
    "yearday": lambda time: time.timetuple().tm_yday - 1,
    "month": lambda time: time.month - 1,
    "quarter": lambda time: (time.month - 1) // 3,
}
