"""A time column that nobody has described: its format or unit, and what about it is in doubt."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnncli.config.zones import is_zone
from rnncli.data import clock
from rnncli.data.reading.forms import QUARTERS, WEEKS, Form, parse
from rnncli.data.reading.moments import read_column
from rnncli.data.reading.zones import offsets

_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %H.%M", " %H.%M.%S")
_DAY_FIRST = tuple(f"%d{s}%m{s}%{y}{c}" for s, y, c in itertools.product("/.-", "Yy", _CLOCKS))
_MONTH_FIRST = {form: form.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m") for form in _DAY_FIRST}
_YEAR_FIRST = tuple(f"%Y{s}%m{s}%d{c}" for s, c in itertools.product("/.-", _CLOCKS))
# what clock.recognise does not try, since a wrong guess there would go unseen
UNUSUAL = (
    *_DAY_FIRST, *_MONTH_FIRST.values(), *_YEAR_FIRST, "%Y-%m-%d %H", "%Y/%m",
    "%YM%m", "%m/%Y", "%m-%Y", "%m.%Y", "%b-%y", "%b-%Y", "%b %y", "%B-%Y", "%d-%b-%Y", "%d-%b-%y",
    "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%d%b%Y", "%a %b %d %H:%M:%S %Y", "%Y%m%d%H", "%Y%m%d%H%M",
    "%Y%m%d%H%M%S", "%Y%m%dT%H%M%S", *WEEKS, *QUARTERS,
)  # fmt: skip
TIME_OF_DAY = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p", "%H:%M:%S.%f", "%H.%M.%S")

_MONTH_NUMBER = re.compile(r"(1[5-9]|20)[0-9]{2}(0[1-9]|1[0-2])")
_MOMENT = re.compile(r"(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])([01][0-9]|2[0-3])([0-5][0-9]){0,2}")
_UNITS = ((10, "s"), (13, "ms"), (16, "us"), (19, "ns"))  # digits of a whole number of them since 1970
_EARLIEST, _LATEST = np.datetime64("1971-01-01"), np.datetime64("2200-01-01")
# where clocks are changed, a zone for each pair of offsets from UTC
_ZONES = ("UTC", "Europe/London", "Europe/Berlin", "Europe/Athens", "America/New_York", "America/Chicago",
          "America/Denver", "America/Los_Angeles", "Australia/Sydney")  # fmt: skip
_LOOK_AT = 200
_MOSTLY = 0.9  # of the cells of a column: then the others are mistakes


@dataclass(frozen=True)
class TimeGuess:
    """A time column that was understood.

    Attributes:
        form: strptime format, `clock.INTEGER` or `clock.NUMBER`; None beside a unit.
        unit: of numbers since 1970.
        zone: of times with different offsets from UTC.
        times: (rows,) datetime64, int64 or float64.
        told: whether the config has to say the format, since it is not recognised.
        remark: how the order of day and month was found, in words; empty where there is none to find.
        doubtful: whether `remark` is a doubt.
    """

    form: str | None
    unit: str | None
    times: NDArray[np.generic]
    told: bool = False
    zone: str | None = None
    remark: str = ""
    doubtful: bool = False

    @property
    def calendar(self) -> bool:
        """Whether the times are dates, not numbers of steps."""
        return self.times.dtype.kind == "M"


def read_time(texts: pd.Series[str]) -> TimeGuess | None:
    """What the cells of a column say as times; None if they are none, or some are empty."""
    texts = texts.str.strip()
    if not len(texts) or texts.eq("").any():
        return None
    first = str(texts.iloc[0])
    if re.fullmatch(r"[-+]?[0-9]+(\.[0-9]*)?(e[-+]?[0-9]+)?", first):
        return _number(texts, first)
    return _text(texts)


def _number(texts: pd.Series[str], first: str) -> TimeGuess | None:
    if _MOMENT.fullmatch(first) and len(first) in (10, 12, 14):
        form = {10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}[len(first)]
        times = _read(texts, form)
        if times is not None and texts.str.len().eq(len(first)).all():
            return TimeGuess(form, None, times, told=True)
    if since := re.fullmatch(r"([0-9]{9,19})(\.[0-9]*)?", first):
        return _epoch(texts, next(unit for digits, unit in _UNITS if len(since[1]) <= digits))
    if _MONTH_NUMBER.fullmatch(first) and texts.map(lambda text: bool(_MONTH_NUMBER.fullmatch(text))).all():
        times = _read(texts, "%Y%m")
        return None if times is None else TimeGuess("%Y%m", None, times, told=True)
    for form in clock.recognise(first):
        times = _read(texts, form)
        if times is not None:
            return TimeGuess(form, None, times)
    return None


def _epoch(texts: pd.Series[str], unit: str) -> TimeGuess | None:
    """Numbers since 1970, if they are times of our days."""
    times = _read(texts, f"{unit} since 1970")
    if times is None or times.min() < _EARLIEST or times.max() > _LATEST:
        return None
    return TimeGuess(None, unit, times, told=True)


def _text(texts: pd.Series[str]) -> TimeGuess | None:
    """The format that all cells fit; of two orders of day and month, the one whose steps are even."""
    few = texts.drop_duplicates().iloc[:_LOOK_AT]
    fits = [form for form in (*clock.FORMATS, *UNUSUAL) if _fit(few.iloc[:1], form) and _fit(few, form)]
    read = {form: times for form in fits if (times := _read(texts, form)) is not None}
    if not read:
        return _zoned(texts)
    form = next(iter(read))
    guess = TimeGuess(form, None, read[form], told=form not in clock.FORMATS)
    return _order_of_day_and_month(guess, texts, read)


def _zoned(texts: pd.Series[str]) -> TimeGuess | None:
    """Times with several offsets from UTC: in the first zone that has the same offsets then, else in UTC."""
    said = texts.str.extract(r"(Z|[-+]\d\d:?\d\d)$", expand=False)
    if said.isna().any():
        return None
    for form in (form for form in clock.FORMATS if "%z" in form):
        try:
            utc = read_column(lambda: iter([texts]), len(texts), [form], "UTC")[0]
        except clock.TimeError:
            continue
        few = np.unique(np.linspace(0, len(texts) - 1, _LOOK_AT * 5).astype(int))
        wanted = said.iloc[few].str.replace(":", "").replace("Z", "+0000").tolist()
        zone = next((name for name in _ZONES if is_zone(name) and offsets(utc[few], name) == wanted), "UTC")
        times = read_column(lambda: iter([texts]), len(texts), [form], zone)[0]
        remark = (
            f"times with several offsets from UTC, those of {zone}" if zone != "UTC" else "several offsets from UTC"
        )
        return TimeGuess(form, None, times, zone=zone, remark=remark)
    return None


def _order_of_day_and_month(guess: TimeGuess, texts: pd.Series[str], read: dict[str, NDArray[np.generic]]) -> TimeGuess:
    form = str(guess.form)
    if form not in _MONTH_FIRST and form not in _MONTH_FIRST.values():
        return guess
    other = _MONTH_FIRST.get(form)
    if other is None or other not in read:
        position = 0 if other else 1
        cells = texts.drop_duplicates().str.split("[-/.]", regex=True).str[position].astype(int).gt(12).sum()
        order = "day-first" if other else "month-first"
        return replace(guess, remark=f"{order} dates ({form}) seen from {cells:,} cells above 12")
    even, other_even = (clock.step(np.unique(read[name])) is not None for name in (form, other))
    if even != other_even:
        chosen, order = (form, "day-first") if even else (other, "month-first")
        remark = f"{order} dates ({chosen}) guessed: the other order has no regular step"
        return replace(guess, form=chosen, times=read[chosen], remark=remark)
    remark = f"day or month first? Every cell fits both; taken for {form}, else data.time_format: '{other}'"
    return replace(guess, remark=remark, doubtful=True)


def _read(texts: pd.Series[str], form: str) -> NDArray[np.generic] | None:
    try:
        return clock.read_any(texts, [form])[0]
    except clock.TimeError:
        return None


def _fit(texts: pd.Series[str], form: str) -> bool:
    """Whether a few cells fit a format, found without a word about why not, which takes its time."""
    return bool(_fitting(texts, form).all())


def _fitting(texts: pd.Series[str], form: str) -> NDArray[np.bool_]:
    return parse(texts, Form(form)).notna().to_numpy(dtype=bool)


def nearly_time(texts: pd.Series[str]) -> tuple[int, str] | None:
    """Of cells that are dates but for a few, such as a total below them: the first that is none, and their form."""
    texts = texts.str.strip()
    few = texts.iloc[np.unique(np.linspace(0, len(texts) - 1, _LOOK_AT).astype(int))]
    if few.str.contains("[0-9]").mean() < _MOSTLY:
        return None
    forms = (form for form in (*clock.FORMATS, *UNUSUAL) if _fit(few.iloc[:1], form) or _fit(few.iloc[1:2], form))
    for form in forms:
        fits = _fitting(texts, form) if _fitting(few, form).mean() >= _MOSTLY else None
        if fits is not None and fits.mean() >= _MOSTLY and not fits.all():
            return int(np.flatnonzero(~fits)[0]), form
    return None


def is_time_of_day(texts: pd.Series[str]) -> bool:
    """Whether the cells are hours and minutes without a date."""
    few = texts.str.strip().drop_duplicates().iloc[:_LOOK_AT]
    return any(_fit(few.iloc[:1], form) and _fit(few, form) for form in TIME_OF_DAY)
