"""The time column: its format, its step, the rows that come next, and how many rows make a season."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.frequencies import to_offset

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
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%Y%m%d",
    "%b %Y",
    "%B %Y",
    "%d %b %Y",
)
INTEGER = "integer"
NUMBER = "number"

_INTEGER = re.compile(r"\s*[-+]?[0-9]{1,18}\s*")
_COMPACT_DATE = re.compile(r"(1[5-9]|2[0-2])[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])")
_LEAP_SECOND = r":[0-5]?[0-9]:60"  # strptime takes it for the next minute
_EPOCH = re.compile(r"[0-9]{9,}")

_SEASONS = {"Y": 1, "Q": 4, "M": 12, "B": 5}  # calendar steps, by the first letter of a pandas frequency
_DAY = pd.Timedelta("1D")
_CYCLES = (("59s", "1h"), ("6h", "1D"), ("1D", "7D"), ("28D", "364D"))  # the season of a gap below or at the first


class TimeError(ValueError):
    """A time that cannot be read; `row` is its position."""

    def __init__(self, message: str, hint: str | None, row: int) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.row = row


def recognise(first: str) -> list[str]:
    """The formats that the first cell of a time column fits, the likeliest first.

    Raises:
        TimeError: if it fits none of FORMATS, `INTEGER` or `NUMBER`.
    """
    text = first.strip()
    if _COMPACT_DATE.fullmatch(text):
        return ["%Y%m%d"]
    if _EPOCH.fullmatch(text):
        raise TimeError(f"{text} could be seconds since 1970", "convert the column to dates such as 2020-01-31", 0)
    if _INTEGER.fullmatch(text):
        return [INTEGER, NUMBER]
    if _is_number(text):
        return [NUMBER]
    fits = [form for form in FORMATS if not pd.isna(pd.to_datetime(text, format=form, errors="coerce"))]
    if not fits or re.search(_LEAP_SECOND, text):
        hint = "name its form: data.time_format: '%d/%m/%Y'"
        raise TimeError(f"{text!r} is not a time that is recognised", hint, 0)
    return fits


def read_any(texts: pd.Series[str], forms: list[str]) -> tuple[NDArray[np.generic], str]:
    """The cells of a time column, in the first of the formats that all of them fit, and that format.

    Raises:
        TimeError: naming the first cell that does not fit the likeliest format.
    """
    problem: TimeError | None = None
    for form in forms:
        try:
            settled = _with_offset(texts, form)
            return read(texts, settled), settled
        except TimeError as error:
            problem = problem or error
    assert problem is not None
    raise problem


def _with_offset(texts: pd.Series[str], form: str) -> str:
    """`form` with the column's own offset from UTC in place of %z, so that times go on in it.

    Raises:
        TimeError: if the column has several.
    """
    if "%z" not in form:
        return form
    offsets = texts.str.strip().str.extract(r"(Z|[-+]\d\d:?\d\d)$", expand=False)
    other = np.flatnonzero((offsets != offsets.iloc[0]).to_numpy())
    if len(other):
        message = f"{texts.iloc[other[0]]!r} has another offset from UTC than the first row"
        raise TimeError(message, "summer time? write the column in UTC", int(other[0]))
    return form.replace("%z", str(offsets.iloc[0]))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read(texts: pd.Series[str], form: str) -> NDArray[np.generic]:
    """The cells of a time column in the given format.

    Raises:
        TimeError: naming the first cell that does not fit.
    """
    if form in (INTEGER, NUMBER):
        numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64)
        fits = np.isfinite(numbers)
        if form == INTEGER:
            fits &= numbers == np.round(numbers)
        result: NDArray[np.generic] = numbers
        if fits.all() and form == INTEGER:
            result = texts.str.strip().astype("int64").to_numpy()
    else:
        if "%" not in form:  # pandas has words of its own, which guess
            raise TimeError(f"{form!r} is not a strptime format", "data.time_format: '%d/%m/%Y %H:%M'", 0)
        try:
            parsed = pd.to_datetime(texts.str.strip(), format=form, errors="coerce")
        except (ValueError, KeyError, IndexError) as error:
            raise TimeError(f"{form!r} is not a strptime format: {error}", "data.time_format: '%d/%m/%Y %H:%M'", 0) from None
        fits = parsed.notna().to_numpy() & ~texts.str.contains(_LEAP_SECOND).to_numpy(dtype=bool)
        result = parsed.to_numpy(dtype="datetime64[us]")
    if not fits.all():
        row = int(np.flatnonzero(~fits)[0])
        raise TimeError(f"{texts.iloc[row]!r} is not a time like {example(form)}", "is it data.time_format?", row)
    return result


def example(form: str) -> str:
    """A time in the given format."""
    if form in (INTEGER, NUMBER):
        return "17" if form == INTEGER else "17.5"
    return pd.Timestamp(2020, 1, 31, 14, 30).strftime(form)


def write(times: NDArray[np.generic], form: str | None) -> list[str]:
    """Times as text in the format that they were read in."""
    if form in (None, INTEGER):
        return [str(int(time)) for time in times]
    if form == NUMBER:
        return [f"{float(time):.12g}" for time in times]
    return list(pd.DatetimeIndex(times).strftime(str(form)))


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
    if len(times) < 2:
        return np.ones(0, dtype=bool)
    if times.dtype.kind != "M":
        return np.asarray(np.isclose(np.diff(times), float(frequency), rtol=1e-6))
    index = pd.DatetimeIndex(times)
    return np.asarray(index[:-1] + to_offset(frequency) == index[1:])
