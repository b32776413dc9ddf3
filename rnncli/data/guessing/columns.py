"""What each column of a table holds, and which of them are time and series."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnncli.data import clock
from rnncli.data.guessing.time import TimeGuess, is_time_of_day, read_time
from rnncli.data.reading.numbers import MISSING, as_numbers

Kind = Literal["empty", "number", "word"]

TIME_NAMES = {
    "ds", "date", "datetime", "date_time", "time", "timestamp", "ts", "t", "step", "time_step", "timestep", "time_idx",
    "index", "idx", "cycle", "cycles", "period", "frame", "tick", "year", "month", "quarter", "week", "day", "hour",
    "minute", "datum", "zeit", "jahr", "monat", "fecha", "position", "seq", "sequence", "order",
}  # fmt: skip
CALENDAR_PARTS = {"year", "month", "quarter", "week", "weekday", "day", "dow", "hour", "minute", "second"}
ID_NAMES = {
    "id", "unique_id", "item_id", "series_id", "series", "group", "unit", "unit_number", "sensor", "station", "store",
    "shop", "item", "product", "sku", "symbol", "ticker", "device", "machine", "customer", "user", "patient", "subject",
    "region", "country", "city", "state", "site", "location", "meter", "building", "name", "asset", "engine", "sample",
    "sequence", "seq", "utterance", "session", "trial", "case", "run", "uid", "key", "code", "participant", "vehicle",
}  # fmt: skip
LABEL_NAMES = {
    "label", "labels", "class", "classes", "category", "activity", "tag", "tags", "outcome", "diagnosis", "species",
    "genre", "emotion", "event", "gesture", "phoneme", "target", "y",
}  # fmt: skip

_MOST_CANDIDATES = 8


@dataclass(frozen=True)
class Column:
    """What a column holds.

    Attributes:
        kind: ``number`` if nearly all cells are.
        odd: cells that are no numbers, where nearly all others are.
        whole: whether all numbers are whole.
        distinct: different cells that are not empty.
        blank: empty cells.
    """

    name: str
    kind: Kind
    odd: int
    whole: bool
    distinct: int
    blank: int

    @property
    def word(self) -> str:
        """The name as it is compared with lists of names."""
        return self.name.strip().casefold().replace(" ", "_").replace("-", "_")


def look_at(texts: pd.Series[str], name: str) -> Column:
    """What the cells of a column are."""
    filled = texts[~texts.str.strip().isin(MISSING)]
    blank = len(texts) - len(filled)
    if not len(filled):
        return Column(name, "empty", 0, False, 0, blank)
    numbers = as_numbers(filled)
    odd = int(numbers.isna().sum())
    distinct = int(filled.nunique())
    if odd > 0.05 * len(filled):
        return Column(name, "word", 0, False, distinct, blank)
    known = numbers.dropna().to_numpy()
    return Column(name, "number", odd, bool((known == np.round(known)).all()), distinct, blank)


def find_time(frame: pd.DataFrame, columns: Sequence[Column]) -> list[tuple[str, TimeGuess]]:
    """The columns that could be the time, the likeliest first: dates by name and place, then numbers named so."""
    dates, numbers = [], []
    for column in columns:
        if column.kind == "empty" or (column.kind == "number" and not column.whole and column.word not in TIME_NAMES):
            continue
        guess = read_time(frame[column.name])
        if guess is None or (guess.times.dtype.kind == "f" and column.word not in TIME_NAMES):
            continue
        if guess.calendar:
            dates.append((column, guess))
        elif column.word in TIME_NAMES or _counts(guess.times):
            numbers.append((column, guess))
    ranked = [sorted(found, key=lambda pair: pair[0].word not in TIME_NAMES) for found in (dates, numbers)]
    return [(column.name, guess) for column, guess in itertools.chain(*ranked)]


def _counts(times: NDArray[np.generic]) -> bool:
    """Whether whole numbers count rows, in the whole file or from the start of each sequence anew."""
    if times.dtype.kind != "i" or len(times) < 3:
        return False
    gaps = np.diff(times)
    up = gaps == 1
    starts_anew = times[1:] == times[0]
    return bool(up.any() and (up | starts_anew).all())


def find_series(
    frame: pd.DataFrame, columns: Sequence[Column], time: tuple[str, TimeGuess] | None
) -> tuple[str, ...] | None:
    """The id columns that tell series apart; () if there is one series; None if times repeat and no column helps."""
    taken = time[0] if time else None
    candidates = [column for column in columns if column.name != taken and could_be_id(column, frame[column.name])]
    candidates.sort(key=lambda column: (not _named_id(column), column.kind != "word"))
    if time is None:
        found = next((column for column in candidates if _stands_in_blocks(frame[column.name])), None)
        return (found.name,) if found else ()
    keys = pd.Series(time[1].times, index=frame.index)
    if not keys.duplicated().any():
        named = (column for column in candidates if _named_id(column) and column.distinct <= len(frame) / 3)
        if clock.step(np.sort(time[1].times)) is not None:  # one even grid, which an id must not tear
            named = (column for column in named if _stands_in_blocks(frame[column.name]))
        return tuple(column.name for column in itertools.islice(named, 1))
    likely = [column for column in candidates if _like_an_id(frame[column.name], column, keys)][:_MOST_CANDIDATES]
    for count in (1, 2, 3):
        for chosen in itertools.combinations(likely, count):
            names = [column.name for column in chosen]
            if not frame[names].assign(**{_TIME_KEY: keys}).duplicated().any():
                return tuple(names)
    return None


_TIME_KEY = "\x00time"


def could_be_id(column: Column, texts: pd.Series[str]) -> bool:
    """Whether a column of whole numbers or words that come again may tell series apart."""
    whole = column.kind == "word" or (column.kind == "number" and column.whole and not column.odd)
    if not whole or column.blank or not 2 <= column.distinct <= len(texts) / 2:
        return False
    if column.word in (CALENDAR_PARTS | TIME_NAMES) - ID_NAMES:
        return False
    return column.kind == "number" or (read_time(texts) is None and not is_time_of_day(texts))


def _named_id(column: Column) -> bool:
    return column.word in ID_NAMES or column.word.endswith(("_id", "_no", "_number", "_code", "_name"))


def reads_as_id(column: Column) -> bool:
    """Whether a column is an id by its name, or holds words."""
    return _named_id(column) or column.kind == "word"


def _like_an_id(texts: pd.Series[str], column: Column, times: pd.Series) -> bool:
    """Whether a column reads like an id: by its name, as words, or as numbers that stand in blocks or in every time."""
    if reads_as_id(column):
        return True
    return _stands_in_blocks(texts, least=2) or len(texts) >= 0.8 * column.distinct * times.nunique()


def _stands_in_blocks(texts: pd.Series[str], least: float = 2.0) -> bool:
    """Whether the rows of every value follow each other, `least` rows a value in the mean."""
    runs = int(texts.ne(texts.shift()).sum())
    return runs == texts.nunique() and len(texts) >= least * runs


def constant_within(frame: pd.DataFrame, name: str, series: Sequence[str]) -> bool:
    """Whether the cells of a column that are not empty are the same throughout every series."""
    filled = frame[~frame[name].isin(MISSING)]
    return bool(series) and bool((filled.groupby(list(series), sort=False)[name].nunique() <= 1).all())


def holds_clocks(frame: pd.DataFrame, name: str) -> bool:
    """Whether a column holds times of day, or hours of the day under that name."""
    return name.casefold() == "hour" or is_time_of_day(frame[name])


def split_moments(frame: pd.DataFrame, columns: Iterable[Column], time: str) -> tuple[str, ...]:
    """Further columns that hold parts of the time: a time of day, or parts of the calendar by name."""
    others = [column for column in columns if column.name != time and column.kind != "empty"]
    return tuple(
        column.name
        for column in others
        if (column.word in CALENDAR_PARTS and column.whole)
        or (column.kind == "word" and is_time_of_day(frame[column.name]))
    )
