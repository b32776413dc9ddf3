"""A time column read: chunk by chunk, in one form, in UTC or in the local time of a zone."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnncli.data.reading import zones
from rnncli.data.reading.forms import (
    INTEGER,
    LEAP_SECOND,
    NANOSECONDS,
    NUMBER,
    OFFSET,
    SINCE,
    Form,
    TimeError,
    parse,
    split_form,
)
from rnncli.data.reading.recognition import misfit, recognise

_WHOLE = r"[-+]?[0-9]{1,18}"
_FIRST_YEAR, _LAST_YEAR = -62_135_596_800, 253_402_300_799  # seconds from 1970 to the years 1 and 9999
_STRPTIME = "data.time_format: '%d/%m/%Y %H:%M'"

Chunks = Callable[[], Iterator["pd.Series[str]"]]
Keys = Callable[[], NDArray[np.signedinteger[Any]]]


def read_any(texts: pd.Series[str], forms: Sequence[str]) -> tuple[NDArray[np.generic], str]:
    """The cells of a time column, in the first of the forms that all of them fit, and that form.

    Raises:
        TimeError: naming the first cell that does not fit the likeliest form.
    """
    return read_column(lambda: iter([texts]), len(texts), forms)


def read_column(
    chunks: Chunks, count: int, forms: Sequence[str], zone: str | None = None, keys: Keys | None = None
) -> tuple[NDArray[np.generic], str]:
    """The cells of a long time column, in the first of the forms that all of them fit, and that form.

    Args:
        chunks: yields the cells from the first to the last, some at a time.
        count: how many there are.
        forms: as `recognise` gives them, or one that was settled before.
        zone: whose local times cells without an offset are, unless the form was settled.
        keys: gives the series of every row, in which an hour may come twice.

    Raises:
        TimeError: naming the first cell that does not fit the likeliest form.
    """
    problem: TimeError | None = None
    for form in forms:
        try:
            return _read_as(chunks, count, form, zone, keys)
        except TimeError as error:
            problem = problem or error
    assert problem is not None
    raise problem


def _read_as(
    chunks: Chunks, count: int, text: str, zone: str | None, keys: Keys | None
) -> tuple[NDArray[np.generic], str]:
    form = split_form(text)
    zone = form.zone or zone
    times: NDArray[np.generic] | None = None
    row = 0
    for texts in chunks():
        if times is None:
            form = form._replace(base=_settled(str(texts.iloc[0]).strip(), form.base, zone))
        try:
            part = _read(texts, form)
        except TimeError as error:
            error.row += row
            raise
        if times is None:
            times = np.empty(count, dtype=part.dtype)
        times[row : row + len(part)] = part
        row += len(part)
    assert times is not None
    if zone is None:
        return times, form.base
    keeps = _in_zone(times, form, zone, keys)
    return times, f"{form.base} | {keeps} of {zone}"


def _settled(first: str, base: str, zone: str | None) -> str:
    """`base` as a column's first cell writes it; without a zone the column has one offset from UTC and keeps it."""
    if zone is not None and base.endswith("Z") and not base.endswith("%Z"):
        base = f"{base[:-1]}%z"
    if "%z" in base:
        offset = re.search(OFFSET, first)
        said = offset[1] if offset else "%z"
        base = base.replace("%z", said if zone is None else "%_z" if said == "Z" else "%:z" if ":" in said else "%z")
    return base.replace("%f", "%3f") if re.search(r"\.\d{3}(?!\d)", first) else base


def _in_zone(times: NDArray[np.generic], form: Form, zone: str, keys: Keys | None) -> str:
    """Convert times, in place, to what is kept, and say what that is."""
    has_effect = times.dtype.kind == "M" and (form.in_utc or "%H" in form.base or "%I" in form.base)
    if form.keeps is None and not has_effect:
        what = "days" if times.dtype.kind == "M" else "numbers without data.time_unit"
        raise TimeError(f"data.time_zone has no effect on {what}", "leave it out", 0)
    if form.keeps == "days" and not form.in_utc:
        return "days"
    if not form.in_utc:
        if form.keeps is None and zones.has_one_time_of_day(times):
            return "days"
        _from_local(times, zone, keys)
    if form.keeps == "hours" or (form.keeps is None and not zones.follows_the_calendar(times, zone)):
        return "hours"
    zones.convert(times, lambda part: zones.to_local(part, zone))
    return "days"


def _from_local(times: NDArray[np.generic], zone: str, keys: Keys | None) -> None:
    """Local times to UTC, in place."""
    rows, local = [], []
    for start in range(0, len(times), zones.SLICE):
        part = times[start : start + zones.SLICE]
        try:
            utc, twice = zones.to_utc(part, zone)
        except zones.NoSuchTimeError as error:
            message = f"{pd.Timestamp(part[error.row])} is not a time in {zone}: clocks are put forward then"
            raise TimeError(message, "write the column in UTC, or leave the row out", start + error.row) from None
        rows.append(start + np.flatnonzero(twice))
        local.append(part[twice])
        times[start : start + zones.SLICE] = utc
    found = np.concatenate(rows)
    if len(found):
        series = np.zeros(len(times), dtype=np.int32) if keys is None else keys()
        zones.settle_repeated(times, found, np.concatenate(local), zone, series)


def read(texts: pd.Series[str], form: str) -> NDArray[np.generic]:
    """The cells of a time column in the given form, without a zone.

    Raises:
        TimeError: naming the first cell that does not fit.
    """
    return _read(texts, split_form(form))


def _read(texts: pd.Series[str], form: Form) -> NDArray[np.generic]:
    """The cells as they are written: local, or in UTC if the form is."""
    if form.unit is not None:
        result, fits = _since_1970(texts, form.base)
    elif form.base in (INTEGER, NUMBER):
        result, fits = _numbers(texts, form.base)
    else:
        result, fits = _parsed(texts, form)
    if not fits.all():
        row = int(np.flatnonzero(~fits)[0])
        raise TimeError(*misfit(str(texts.iloc[row]), form), row)
    return result


def _numbers(texts: pd.Series[str], base: str) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    if base == NUMBER:
        numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64)
        return numbers, np.isfinite(numbers)
    plain = texts.str.strip()
    fits = plain.str.fullmatch(_WHOLE).to_numpy(dtype=bool)
    return plain.where(fits, "0").astype("int64").to_numpy(), fits


def _since_1970(texts: pd.Series[str], base: str) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    size = NANOSECONDS[base.removesuffix(SINCE)]
    numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64)
    seconds = numbers * (size / 1e9)
    with np.errstate(invalid="ignore"):
        fits = np.isfinite(numbers) & (seconds >= _FIRST_YEAR) & (seconds <= _LAST_YEAR)
        fits &= (np.abs(numbers) < 9.2e18) if size == 1 else True
    if not fits.all():
        return numbers, fits
    dtype, resolution = ("datetime64[ns]", 1) if size == 1 else ("datetime64[us]", 1000)
    plain = texts.str.strip()
    if plain.str.fullmatch(r"[-+]?[0-9]+").all():
        return (plain.astype("int64").to_numpy() * (size // resolution)).astype(dtype), fits
    return np.round(numbers * (size / resolution)).astype(np.int64).astype(dtype), fits


def _parsed(texts: pd.Series[str], form: Form) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    if "%" not in form.base:  # pandas has words of its own, which guess
        raise TimeError(f"{form.base!r} is not a strptime format", _STRPTIME, 0)
    plain = texts.str.strip()
    try:
        parsed = parse(plain, form)
    except (ValueError, KeyError, IndexError) as error:
        raise TimeError(f"{form.base!r} is not a strptime format: {error}", _STRPTIME, 0) from None
    fits = parsed.notna().to_numpy()
    if plain.str.contains(":60", regex=False).any():
        fits = fits & ~plain.str.contains(LEAP_SECOND).to_numpy(dtype=bool)
    plain_times = parsed.dt.tz_localize(None) if form.in_utc else parsed
    return plain_times.to_numpy(dtype="datetime64[us]"), fits


def moment(text: str, form: str | None) -> np.generic:
    """One time, in the form of a column or in any that is recognised, as the column keeps its times.

    Raises:
        TimeError: if it is no time.
    """
    cell = pd.Series([text], dtype=str)
    kept = split_form(form) if form else Form("")
    if form:
        with contextlib.suppress(TimeError):
            single: np.generic = read_any(cell, [form])[0][0]
            return single
    forms = recognise(text)
    if kept.zone and forms[0] not in (INTEGER, NUMBER):
        forms = [f"{base} | {kept.keeps} of {kept.zone}" for base in forms]
    found: np.generic = read_any(cell, forms)[0][0]
    return found
