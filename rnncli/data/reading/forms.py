"""The cells of a time column: read in their form, and written in it again.

A form is a strptime format, `INTEGER`, `NUMBER` or ``ms since 1970``. Where the config names a zone, a bar follows
and how times are kept: ``… | hours of Europe/Berlin`` in UTC, so that hours are equal steps, or ``… | days of
Europe/Berlin`` in local time, so that days are. ``%:z``, ``%_z``, ``%3f`` and ``%q`` are ours: +01:00, the same or Z
for UTC, milliseconds, and the quarter after a Q. A week without its day is its Monday, a quarter its first day.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnncli.data.reading import zones

WEEKS = ("%G-W%V", "%GW%V")
QUARTERS = ("%YQ%q", "%Y-Q%q", "%Y Q%q", "Q%q %Y", "Q%q-%Y", "Q%q/%Y")
_FIRST_MONTH = {"1": "01", "2": "04", "3": "07", "4": "10"}
INTEGER = "integer"
NUMBER = "number"
NANOSECONDS = {
    "ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9, "D": 86400 * 10**9,
}  # fmt: skip

SINCE = " since 1970"
_ZONED = re.compile(r"(.*) \| (hours|days) of (\S+)")
LEAP_SECOND = r":[0-5]?[0-9]:60"  # strptime takes it for the next minute
OFFSET = r"(Z|[-+]\d\d:?\d\d)$"


class TimeError(ValueError):
    """A time that cannot be read; `row` is its position."""

    def __init__(self, message: str, hint: str | None, row: int) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.row = row


class Form(NamedTuple):
    """A form's own part, its zone, and whether times are kept in UTC (hours) or local (days)."""

    base: str
    zone: str | None = None
    keeps: str | None = None

    @property
    def unit(self) -> int | None:
        """Nanoseconds in one of what it counts since 1970."""
        unit, since, rest = self.base.partition(SINCE)
        return NANOSECONDS.get(unit) if since and not rest else None

    @property
    def in_utc(self) -> bool:
        """Whether its cells say how far from UTC they are."""
        return self.unit is not None or bool(re.search("%[:_]?z", self.base))

    @property
    def strptime(self) -> str:
        """Its base without what is ours."""
        return re.sub("%[:_]z", "%z", self.base).replace("%3f", "%f")


def split_form(form: str) -> Form:
    """A form in its parts."""
    found = _ZONED.fullmatch(form)
    return Form(found[1], found[3], found[2]) if found else Form(form)


def parse(texts: pd.Series[str], form: Form) -> pd.Series[pd.Timestamp]:
    """The times of cells in a strptime format, those in UTC that say how far from it they are; NaT where one is none.

    Raises:
        ValueError: if it is no strptime format.
    """
    base = form.strptime
    if "Q%q" in base:
        texts = texts.str.replace("Q([0-9]+)", lambda found: f"Q{_FIRST_MONTH.get(found[1], '')}", regex=True)
        base = base.replace("Q%q", "Q%m")
    elif base in WEEKS:
        texts, base = texts + "-1", f"{base}-%u"
    return pd.to_datetime(texts, format=base, errors="coerce", utc=form.in_utc)


def example(form: str) -> str:
    """A time in the given form."""
    base = split_form(form).base
    if base in (INTEGER, NUMBER):
        return "17" if base == INTEGER else "17.5"
    return write(np.array(["2020-01-31T14:30"], dtype="datetime64[us]"), base)[0]


def write(times: NDArray[np.generic], text: str | None) -> list[str]:
    """Times as text in the form that they were read in."""
    if text in (None, INTEGER):
        return [str(int(time)) for time in times]
    if text == NUMBER:
        return [f"{float(time):.12g}" for time in times]
    form = split_form(str(text))
    index = pd.DatetimeIndex(times)
    if form.zone is None or form.keeps == "days":
        local, utc = index, index
        if form.in_utc and form.zone is not None:
            utc = index.tz_localize(form.zone, ambiguous=np.ones(len(index), bool), nonexistent="shift_forward")
            utc = utc.tz_convert(None)
    else:
        local, utc = index.tz_localize("UTC").tz_convert(form.zone).tz_localize(None), index
    if form.unit is not None:
        return _counted(utc, form.unit)
    base = re.sub("%[:_]?z", "\x00", form.base).replace("%3f", "%f\x01")
    written = list(local.strftime(base.replace("%q", "\x02")))
    if "%q" in base:
        written = [text.replace("\x02", str(quarter)) for text, quarter in zip(written, local.quarter, strict=True)]
    if "%3f" in form.base:
        written = [re.sub("\\d{3}\x01", "", text) for text in written]
    if form.in_utc:
        ahead = zones.offsets(utc, form.zone or "UTC")
        written = [text.replace("\x00", _ahead(of, form.base)) for text, of in zip(written, ahead, strict=True)]
    return written


def _ahead(ahead: str, base: str) -> str:
    """``+0100`` as the base writes it."""
    if "%_z" in base and ahead == "+0000":
        return "Z"
    return ahead if "%z" in base else f"{ahead[:-2]}:{ahead[-2:]}"


def _counted(utc: pd.DatetimeIndex, size: int) -> list[str]:
    """Times as numbers since 1970, to the nanosecond."""
    resolution = np.datetime_data(utc.to_numpy().dtype)[0]
    ticks = NANOSECONDS[resolution]
    texts = []
    for count in utc.asi8.tolist():
        whole, rest = divmod(count * ticks, size)
        exact = rest == 0 or size <= 10**9
        texts.append(_decimal(whole, rest, size) if exact else f"{count * ticks / size:.15g}")
    return texts


def _decimal(whole: int, rest: int, size: int) -> str:
    return str(whole) if rest == 0 else f"{whole}.{str(rest).zfill(len(str(size)) - 1).rstrip('0')}"
