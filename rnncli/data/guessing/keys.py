"""The keys of a table that nobody has described: its time column and the id columns that tell its series apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rnncli.config.schema import TaskName
from rnncli.data import clock
from rnncli.data.guessing.columns import (
    TIME_NAMES,
    Column,
    could_be_id,
    find_series,
    find_time,
    holds_clocks,
    reads_as_id,
    split_moments,
)
from rnncli.data.guessing.excerpt import plain_cells
from rnncli.data.guessing.rhythm import Rhythm, rhythm
from rnncli.data.guessing.time import TimeGuess, nearly_time, read_time
from rnncli.data.panel import Rows
from rnncli.data.reading.frames import Tables
from rnncli.data.reading.numbers import as_numbers
from rnncli.errors import DataError

ADDED_COLUMNS = ("step", "prediction")  # by predict: they can be neither time nor id


@dataclass(frozen=True)
class Wishes:
    """What the person has said already; empty where nothing was said. Targets may be globs."""

    target: tuple[str, ...] = ()
    time: str | None = None
    series: tuple[str, ...] = ()
    task: TaskName | None = None


@dataclass(frozen=True)
class Note:
    """A finding in words, and whether it could be otherwise."""

    text: str
    doubtful: bool = False


@dataclass(frozen=True)
class Keys:
    """What tells the rows of a table apart.

    Attributes:
        time, moment, rhythm: the time column, what its cells say, and its steps; None without one.
        lengths: (series,) rows.
        apart: columns of a date and of its clock, which tell rows apart if they are read as one time.
        notes: what is to be said about them.
    """

    time: str | None
    moment: TimeGuess | None
    rhythm: Rhythm | None
    series: tuple[str, ...]
    lengths: Rows
    apart: tuple[str, str] | None
    notes: tuple[Note, ...]

    @property
    def calendar(self) -> bool:
        """Whether the times are dates, not numbers of steps."""
        return self.moment is not None and self.moment.calendar


def find_keys(tables: Tables, frame: pd.DataFrame, columns: Sequence[Column], wishes: Wishes) -> Keys:
    """Time and series, judged by all rows.

    Args:
        frame: the cells of `columns`, of some rows at least.

    Raises:
        DataError: if the time column that is wished for cannot be read, or the only one but for a few cells.
    """
    free = [column for column in columns if column.name not in wishes.series]
    times = _candidates(frame, free, wishes)
    if len(frame) < len(tables):
        ids = [column.name for column in free if could_be_id(column, frame[column.name])]
        names = [*dict.fromkeys([*wishes.series, *ids, *(name for name, _ in times)])]
        frame = plain_cells(tables.frame(names, str), tables.dialect)
        free = [column for column in free if column.name in frame]
        times = [(name, found) for name, _ in times if (found := read_time(frame[name])) is not None]
    if not times:
        _refuse_odd_times(tables, columns)
    chosen, series, apart, notes = _choose(frame, free, times, wishes)
    numbers = np.zeros(len(frame), dtype=np.int64)
    if series:
        numbers = np.asarray(frame.groupby(list(series), sort=False).ngroup(), dtype=np.int64)
    return Keys(
        time=chosen[0] if chosen else None,
        moment=chosen[1] if chosen else None,
        rhythm=rhythm(chosen[1].times, numbers) if chosen else None,
        series=series,
        lengths=np.bincount(numbers).astype(np.int64),
        apart=apart,
        notes=tuple(notes),
    )


_Time = tuple[str, TimeGuess]


def _candidates(frame: pd.DataFrame, columns: Sequence[Column], wishes: Wishes) -> list[_Time]:
    if wishes.time is not None:
        return [(wishes.time, _read_or_refuse(frame[wishes.time], wishes.time))]
    return [found for found in find_time(frame, columns) if found[0] not in ADDED_COLUMNS]


def _read_or_refuse(texts: pd.Series[str], name: str) -> TimeGuess:
    found = read_time(texts)
    if found is not None:
        return found
    try:
        clock.read_any(texts, clock.recognise(str(texts.iloc[0])))
    except clock.TimeError as error:
        raise DataError(f"--time {name}: {error.message}", error.hint) from None
    raise DataError(f"--time {name}: its cells are no times", "name another column")


def _refuse_odd_times(tables: Tables, columns: Sequence[Column]) -> None:
    """Refuse a column of dates in which a few cells are none: its rows taken in file order would hide what is wrong.

    Raises:
        DataError: at the first such cell.
    """
    for name in (column.name for column in columns if column.kind == "word" and column.name not in ADDED_COLUMNS):
        texts = tables.frame([name], str)[name]
        if (found := nearly_time(texts)) is not None:
            row, form = found
            cell = str(texts.iloc[row]).strip()
            what = f"{cell!r} is not a time like {clock.example(form)}" if cell else "no time"
            hint = f"{'correct it' if cell else 'every row needs one: fill it in'}, or remove the line"
            raise DataError(what, hint, tables.place(row, name))
    for name in (column.name for column in columns if column.odd and column.word in TIME_NAMES):
        texts = tables.frame([name], str)[name]
        row = int(np.argmax(as_numbers(texts).isna()))
        what = f"{str(texts.iloc[row]).strip()!r} is not a time like the others"
        raise DataError(what, "correct it, or remove the line", tables.place(row, name))


def _choose(
    frame: pd.DataFrame, columns: Sequence[Column], times: Sequence[_Time], wishes: Wishes
) -> tuple[_Time | None, tuple[str, ...], tuple[str, str] | None, list[Note]]:
    """The first time column at which, with id columns or without, no time stands twice; or a date and its clock."""
    notes: list[Note] = []
    apart: tuple[str, str] | None = None
    ids = {column.name for column in columns if reads_as_id(column)}
    for time in times:
        series = wishes.series or find_series(frame, columns, time)
        parts = split_moments(frame, columns, time[0])
        has_clock = len(parts) == 1 and holds_clocks(frame, parts[0])
        if has_clock and not (wishes.series or ids.issuperset(series or ())):
            series = None  # it is the clock that tells rows of a day apart, and not some number
        if series is not None and not (has_clock and frame.duplicated([*series, time[0]]).any()):
            return time, series, None, _on_time(time)
        if has_clock:
            apart = apart or (time[0], parts[0])
        if parts and (wishes.time is None or has_clock):
            text = f"{time[0]} and {', '.join(parts)} are parts of one time: join them to use it"
            notes = [Note(f"{text}; until then rows are taken in file order", True)]
        elif time[1].calendar or wishes.time is not None:  # training says where a time stands twice
            return time, (), None, _on_time(time)
    if not times:
        taken = next((column.name for column in columns if column.name in ADDED_COLUMNS), None)
        why = f"{taken} is what a column of predict is called; rename it to use it as time" if taken else ""
        notes = [Note(why or "no time column found: rows are taken in file order")]
    return None, wishes.series or find_series(frame, columns, None) or (), apart, notes


def _on_time(time: _Time) -> list[Note]:
    return [Note(f"{time[0]}: {time[1].remark}", time[1].doubtful)] if time[1].remark else []
