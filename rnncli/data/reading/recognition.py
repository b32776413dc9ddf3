"""The form of a time column from its first cell, and what to say of a cell that has none or another one."""

from __future__ import annotations

import re

import pandas as pd

from rnncli.data.reading.forms import (
    INTEGER,
    LEAP_SECOND,
    NUMBER,
    OFFSET,
    QUARTERS,
    SINCE,
    WEEKS,
    Form,
    TimeError,
    example,
    parse,
)
from rnncli.data.reading.numbers import is_number

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
_INTEGER = re.compile(r"\s*[-+]?[0-9]{1,18}\s*")
_COMPACT_DATE = re.compile(r"(1[5-9]|2[0-2])[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])")
_EPOCH = re.compile(r"([0-9]{9,})(\.[0-9]*)?")

# what people write, by the words that name it
_DATES = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y",
    "%y-%m-%d", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%B %d, %Y", "%d %B %Y", "%m/%Y", "%b-%y", "%b-%Y", "%Y/%m",
    "%Y-%m-%d", "%Y/%m/%d", "%Y%m%d")  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %I:%M%p", " %H:%M:%S.%f", "T%H:%M:%S", "%H%M%S",
    " %H.%M", " %H.%M.%S", " %H:%M:%S,%f", ", %H:%M", ", %I:%M:%S %p")  # fmt: skip


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
    if is_number(text):
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


def misfit(text: str, form: Form) -> tuple[str, str]:
    """What is wrong with a cell, and what to do."""
    said, here = re.search(OFFSET, form.base), re.search(OFFSET, text.strip())
    if said and here and said[1] != here[1]:
        hint = "summer time? set data.time_zone: UTC, or the zone, such as Europe/Berlin"
        return f"{text!r} has another offset from UTC than the first row", hint
    if form.unit is not None and is_number(text):
        return f"{text} {form.base} is before the year 1 or after 9999", "is it data.time_unit?"
    hint = _hint(text.strip())
    kind = "is it data.time_unit?" if form.unit else "is it data.time_format?" if "name its form" in hint else hint
    return f"{text!r} is not a time like {example(form.base)}", kind
