"""The cells of a time column: recognised, read in their form, and written in it again.

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

# tried in order on the first cell; formats in which day and month could be swapped are for data.time_format
FORMATS = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%dT%H:%M:%S.%fZ",
    "%Y-%m-%d %H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%d %H:%M:%S.%f%z",
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%Y-%m-%d %H:%M%z",
    "%Y-%m-%dT%H:%M%z",
    "%Y-%m-%d %H:%M:%S %z",
    "%Y%m%d",
    "%b %Y",
    "%B %Y",
    "%d %b %Y",
)
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
_INTEGER = re.compile(r"\s*[-+]?[0-9]{1,18}\s*")
_COMPACT_DATE = re.compile(r"(1[5-9]|2[0-2])[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])")
LEAP_SECOND = r":[0-5]?[0-9]:60"  # strptime takes it for the next minute
_EPOCH = re.compile(r"([0-9]{9,})(\.[0-9]*)?")
OFFSET = r"(Z|[-+]\d\d:?\d\d)$"

# what people write, by the words that name it
_DATES = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y",
    "%y-%m-%d", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%B %d, %Y", "%d %B %Y", "%m/%Y", "%b-%y", "%b-%Y", "%Y/%m",
    "%Y-%m-%d", "%Y/%m/%d", "%Y%m%d")  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %I:%M%p", " %H:%M:%S.%f", "T%H:%M:%S", "%H%M%S",
    " %H.%M", " %H:%M:%S,%f", ", %H:%M", ", %I:%M:%S %p")  # fmt: skip


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


def recognise(first: str, unit: str | None = None) -> list[str]:
    """The forms that the first cell of a time column fits, the likeliest first.

    Args:
        first: the cell.
        unit: what numbers count since 1970, if the config says it.

    Raises:
        TimeError: if it fits none of FORMATS, `INTEGER` or `NUMBER`.
    """
    text = first.strip()
    if unit is not None:
        return [f"{unit}{SINCE}"]
    if _COMPACT_DATE.fullmatch(text):
        return ["%Y%m%d"]
    if found := _EPOCH.fullmatch(text):
        likely = ("s", "s", "s", "ms", "ms", "ms", "us", "us", "us", "ns")[min(9, max(0, len(found[1]) - 9))]
        message = f"{text} could be {_WORDS[likely]} since 1970"
        raise TimeError(message, f"set data.time_unit: {likely}, or write dates such as 2020-01-31", 0)
    if _INTEGER.fullmatch(text):
        return [INTEGER, NUMBER]
    if _is_number(text):
        return [NUMBER]
    fits = [form for form in FORMATS if _fits(text, form)]
    if not fits or re.search(LEAP_SECOND, text):
        raise TimeError(f"{text!r} is not a time that is recognised", _hint(text), 0)
    return fits


_WORDS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


def _hint(text: str) -> str:
    """How a cell that is not recognised may be read."""
    if not text:
        return "every row needs a time"
    if re.search(r"[T ]24:00", text):
        return "write 00:00 of the next day"
    if re.search(LEAP_SECOND, text):
        return "a leap second: write :59, or leave the row out"
    if re.fullmatch(r"\d{4}-?W\d\d?(-\d)?", text):
        named = next((form for form in WEEKS if _fits(text, form)), "")
        return f"set data.time_format: '{named}'" if named else "write the first days of weeks, such as 2020-01-06"
    if re.fullmatch(r"\d{4}[-/ ]?Q\d|Q\d[-/ ]?\d{4}", text, re.IGNORECASE):
        named = next((form for form in QUARTERS if _fits(text, form)), "")
        return f"set data.time_format: '{named}'" if named else "write the first days of quarters, such as 2020-01-01"
    found = [form for form in (f"{date}{time}" for date in _DATES for time in _CLOCKS) if _fits(text, form)]
    if found:
        return "name its form: data.time_format: " + " or ".join(f"'{form}'" for form in found[:2])
    return "name its form: data.time_format: '%d/%m/%Y'"


def _fits(text: str, form: str) -> bool:
    return bool(parse(pd.Series([text], dtype=str), Form(form)).notna().all())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def misfit(text: str, form: Form) -> tuple[str, str]:
    """What is wrong with a cell, and what to do."""
    said, here = re.search(OFFSET, form.base), re.search(OFFSET, text.strip())
    if said and here and said[1] != here[1]:
        hint = "summer time? set data.time_zone: UTC, or the zone, such as Europe/Berlin"
        return f"{text!r} has another offset from UTC than the first row", hint
    if form.unit is not None and _is_number(text):
        return f"{text} {form.base} is before the year 1 or after 9999", "is it data.time_unit?"
    hint = _hint(text.strip())
    kind = "is it data.time_unit?" if form.unit else "is it data.time_format?" if "name its form" in hint else hint
    return f"{text!r} is not a time like {example(form.base)}", kind


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
