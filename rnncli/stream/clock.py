"""The time column of a stream: cells read and written one at a time, and the times that follow.

Dates are ``datetime``, numbers are int or float. What Python's own datetime does not know (zones, quarters, business
days) is left to pandas, which is then loaded.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rnncli.data.calendar import CALENDAR
from rnncli.data.dates import PARTS, UNITS, following
from rnncli.data.panel import Columns

Moment = Any  # a datetime, an int or a float: as the time column is, one kind in a stream

INTEGER, NUMBER = "integer", "number"
_EPOCH = datetime(1970, 1, 1)
_SINCE = re.compile(r"(us|ms|s|min|h|D) since 1970")
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_ISO = re.compile(r"%Y-%m-%d(?:([ T])%H:%M(:%S)?)?")
_PLAIN = re.compile(r"(?:%[YmdHMSbBIpjy]|[^%])*")
_KEPT = 256  # cells and times whose reading is remembered: the series of a panel share them


class Clock:
    """Reads and writes the cells of a time column.

    Args:
        columns: of the model.
        horizon: steps that must follow each time; 0 for none.

    Attributes:
        read: the time of a cell; raises ValueError where it is none, or nothing can follow it.
        write: the cell of a time.
        due: the time a step after one, if it is remembered.
    """

    def __init__(self, columns: Columns, horizon: int = 0) -> None:
        form = columns.time_format or INTEGER
        read, write = _numbers(form) if form in (INTEGER, NUMBER) else _dates(form)
        self._cell, self._horizon = read, horizon if columns.time is not None else 0
        self.read = functools.lru_cache(_KEPT)(self._read)
        self.write = functools.lru_cache(_KEPT)(write)
        self.frequency = columns.frequency
        self.ahead = functools.lru_cache(_KEPT)(self._ahead)
        self.waves = functools.lru_cache(_KEPT)(functools.partial(_waves, names=columns.calendar))
        self._next = None if columns.frequency is None else following(columns.frequency)
        self._expected: dict[Any, Any] = {}
        self.due = self._expected.get

    def _read(self, text: str) -> Moment:
        try:
            time = self._cell(text)
            if self._horizon:
                self.ahead(time, self._horizon)
        except (ValueError, OverflowError):
            raise ValueError(text) from None
        return time

    def _ahead(self, time: Moment, count: int) -> list[Any]:
        """The `count` times after one."""
        assert self.frequency is not None
        if self._next is None:
            return _by_pandas(time, count, self.frequency)
        return [self._next(time, number) for number in range(1, count + 1)]

    def follows(self, time: Any, before: Any) -> bool:
        """Whether a time is a step of the frequency after the one before."""
        expected = self._expected.get(before)
        if expected is None:
            if len(self._expected) >= _KEPT:
                self._expected.clear()
            expected = self._expected[before] = self.ahead(before, 1)[0]
        if time == expected:
            return True
        if isinstance(time, datetime):
            return False
        return math.isclose(time, expected, rel_tol=1e-9, abs_tol=1e-6 * float(self.frequency or 1))


def fits(columns: Columns) -> bool:
    """Whether the frequency of a model is one of its time column."""
    if columns.frequency is None:
        return True
    if columns.time_format in (None, INTEGER, NUMBER):
        try:
            return float(columns.frequency) > 0
        except ValueError:
            return False
    if following(columns.frequency) is not None:
        return True
    from rnncli.data.clock import is_frequency

    return is_frequency(columns.frequency, columns.time_format)


def elapsed(time: Any, before: Any) -> float:
    """Seconds, or units of a time column of numbers, since the row before; 0 at the first."""
    if before is None:
        return 0.0
    gap = time - before
    return float(gap.total_seconds() if isinstance(gap, timedelta) else gap)


def _numbers(form: str) -> tuple[Callable[[str], Moment], Callable[[Moment], str]]:
    def whole(text: str) -> Moment:
        if not _WHOLE.fullmatch(text.strip()):
            raise ValueError(text)
        return int(text)

    def number(text: str) -> Moment:
        found = float(text)
        if not math.isfinite(found) or "_" in text:
            raise ValueError(text)
        return found

    if form == INTEGER:
        return whole, lambda time: str(int(time))
    return number, lambda time: f"{float(time):.12g}"


def _dates(form: str) -> tuple[Callable[[str], Moment], Callable[[Moment], str]]:
    if since := _SINCE.fullmatch(form):
        size = UNITS[since[1]]
        return functools.partial(_counted, size), lambda time: str((time - _EPOCH) // size)
    local, zulu = form.removesuffix("Z"), form.endswith("Z")
    if " | " in form or not _PLAIN.fullmatch(local):
        return functools.partial(_read_by_pandas, form), functools.partial(_write_by_pandas, form)
    iso = _ISO.fullmatch(local)
    spec = "auto" if iso is None or iso[1] is None else "seconds" if iso[2] else "minutes"
    length = len(local.replace("%Y", "2020").replace("%", "")) + sum(local.count(part) for part in "mdHMS")

    def read(text: str) -> Moment:
        text = text.strip()
        if zulu:
            if not text.endswith("Z"):
                raise ValueError(text)
            text = text[:-1]
        if iso and len(text) == length and text[4] == text[7] == "-" and text[10:11] in ("", iso[1]):
            return datetime.fromisoformat(text)
        return datetime.strptime(text, local)

    def write(time: Moment) -> str:
        assert isinstance(time, datetime)
        if not iso:
            text = time.strftime(local) if time.year > 999 else _write_by_pandas(local, time)
        else:
            text = time.isoformat(iso[1], spec) if iso[1] else time.date().isoformat()
        return f"{text}Z" if zulu else text

    return read, write


def _counted(size: timedelta, text: str) -> Moment:
    """A whole number of `size` since 1970."""
    if not _WHOLE.fullmatch(text.strip()):
        raise ValueError(text)
    try:
        return _EPOCH + int(text) * size
    except OverflowError:
        raise ValueError(text) from None


def _waves(time: datetime, names: Sequence[str]) -> list[float]:
    """Sine and cosine of each part of the date."""
    angles = [2 * math.pi * PARTS[name](time) / CALENDAR[name][1] for name in names]
    return [wave(angle) for angle in angles for wave in (math.sin, math.cos)]


def _read_by_pandas(form: str, text: str) -> Moment:
    import numpy as np
    import pandas as pd

    from rnncli.data.clock import TimeError, read_any

    try:
        found = read_any(pd.Series([text], dtype=str), [form])[0][0]
    except TimeError as error:
        raise ValueError(error.message) from None
    return _as_moment(np.datetime64(found, "us"))


def _write_by_pandas(form: str, time: Moment) -> str:
    import numpy as np

    from rnncli.data.clock import write

    return write(np.array([time], dtype="datetime64[us]"), form)[0]


def _by_pandas(time: Moment, count: int, frequency: str) -> list[Any]:
    import numpy as np

    from rnncli.data.clock import follow

    kept: Any = np.datetime64(time, "us") if isinstance(time, datetime) else np.asarray(time)[()]
    return [_as_moment(later) for later in follow(kept, count, frequency)]


def _as_moment(value: Any) -> Any:
    """A NumPy time as Python's; nanoseconds are cut off."""
    found = value.astype("datetime64[us]").item() if value.dtype.kind == "M" else value.item()
    if value.dtype.kind == "M" and not isinstance(found, datetime):
        raise ValueError("no date of Python's")
    return found


def as_text(time: Moment | None) -> str | None:
    """A time for a state file."""
    if time is None:
        return None
    return time.isoformat() if isinstance(time, datetime) else repr(time)


def from_text(text: str | None) -> Moment | None:
    """A time of a state file.

    Raises:
        ValueError: if it is none.
    """
    if text is None:
        return None
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        return float(text)
    except ValueError:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
