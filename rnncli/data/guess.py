"""What a table that nobody has described is for: the roles of its columns, from their names and their cells."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rnncli.config.schema import TaskName
from rnncli.data import clock
from rnncli.data.columns import require
from rnncli.data.excerpt import read_cells
from rnncli.data.frames import MISSING, Tables, as_numbers
from rnncli.data.guess_columns import Column, constant_within, find_series, find_time, look_at, split_moments
from rnncli.data.guess_task import MOST_CLASSES, Choice, View, choose
from rnncli.data.guess_time import Rhythm, TimeGuess, read_time, rhythm
from rnncli.data.panel import Rows
from rnncli.data.sniff import Dialect
from rnncli.errors import DataError, Place

LONGEST_SEASON = 400
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
class Inputs:
    """Columns beside the targets.

    Attributes:
        past: numbers and classes that change from row to row.
        static: likewise, the same throughout a series.
        categorical: those of both that are classes.
        unused: what cannot be an input, each with the reason.
        explicit: whether one of these would be taken for an input if `past` were left out.
    """

    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    unused: tuple[tuple[str, str], ...] = ()
    explicit: bool = False


@dataclass(frozen=True)
class Findings:
    """All that was found out about a table.

    Attributes:
        time, moment, rhythm: the time column, what its cells say, and its steps; None without one.
        inputs: of forecasts, columns that could be, which is for a person to say.
        blank: columns in use that have empty cells.
        lengths: (series,) rows.
        season: rows in a season, 1 if none is known; `in_values` if it was seen in the numbers alone.
    """

    dialect: Dialect
    time: str | None
    moment: TimeGuess | None
    rhythm: Rhythm | None
    series: tuple[str, ...]
    choice: Choice
    inputs: Inputs
    blank: tuple[str, ...]
    lengths: Rows
    season: int
    in_values: bool
    notes: tuple[Note, ...]


def guess(tables: Tables, dialect: Dialect, wishes: Wishes) -> Findings:
    """Find out what a table is for.

    Raises:
        DataError: for a wish that names no column, a time column that cannot be read, or nothing to predict.
    """
    require(tables, [*wishes.series, *([wishes.time] if wishes.time else [])])
    targets = _targets(tables, wishes)
    frame = read_cells(tables, dialect)
    columns = [look_at(frame[name], name) for name in frame.columns]
    time, series, notes = _time_and_series(frame, [c for c in columns if c.name not in targets], wishes)
    rest = tuple(column for column in columns if column.name not in {*series, *([time[0]] if time else [])})
    view = View(frame, rest, series, time is not None and time[1].calendar)
    choice = choose(view, targets, wishes.task)
    if choice is None:
        raise DataError("no column can be predicted", "name one with --target", Place(tables.parts[0].file, 1))
    inputs = _inputs(view, choice)
    time, keys, lengths = _measured(tables, frame, time, series)
    steps = rhythm(time[1].times, keys) if time else None
    season = clock.season(steps.frequency) if time and steps and steps.fits and time[1].calendar else 1
    found = season if not _may_have_season(time, choice) else _season_of(frame, series, choice.targets[0])
    used = {*choice.targets, *(() if choice.task == "forecasting" else (*inputs.past, *inputs.static))}
    return Findings(
        dialect=dialect,
        time=time[0] if time else None,
        moment=time[1] if time else None,
        rhythm=steps,
        series=series,
        choice=choice,
        inputs=inputs,
        blank=tuple(name for name in frame.columns if name in used and _has_blanks(tables, frame, name)),
        lengths=np.full(len(choice.targets), len(frame)) if choice.wide else lengths,
        season=found,
        in_values=found != season,
        notes=(*(Note(doubt, True) for doubt in dialect.doubts), *notes),
    )


def _targets(tables: Tables, wishes: Wishes) -> tuple[str, ...]:
    """The wished for targets, globs expanded."""
    found: dict[str, None] = {}
    for pattern in wishes.target:
        taken = {*wishes.series, wishes.time}
        matches = [name for name in tables.header if name and fnmatch.fnmatchcase(name, pattern) and name not in taken]
        if pattern in tables.header or not matches:
            require(tables, [pattern])
            matches = [pattern]
        found |= dict.fromkeys(matches)
    return tuple(found)


_Time = tuple[str, TimeGuess]


def _time_and_series(
    frame: pd.DataFrame, columns: Sequence[Column], wishes: Wishes
) -> tuple[_Time | None, tuple[str, ...], list[Note]]:
    """The time column, the id columns, and what is to be said about them."""
    free = [column for column in columns if column.name not in wishes.series]
    candidates: list[_Time]
    if wishes.time is not None:
        candidates = [(wishes.time, _read_or_refuse(frame[wishes.time], wishes.time))]
    else:
        candidates = [found for found in find_time(frame, free) if found[0] not in ADDED_COLUMNS]
    notes: list[Note] = []
    for candidate in candidates:
        series = wishes.series or find_series(frame, free, candidate)
        if series is not None:
            return candidate, series, _on_time(candidate)
        parts = split_moments(frame, free, candidate[0])
        if wishes.time is None and parts:
            text = f"{candidate[0]} and {', '.join(parts)} are parts of one time: join them to use it"
            notes = [Note(f"{text}; until then rows are taken in file order", True)]
        elif candidate[1].calendar or wishes.time is not None:  # training says where a time stands twice
            return candidate, (), _on_time(candidate)
    if not candidates:
        taken = next((column.name for column in free if column.name in ADDED_COLUMNS), None)
        why = f"{taken} is what a column of predict is called; rename it to use it as time" if taken else ""
        notes = [Note(why or "no time column found: rows are taken in file order")]
    return None, wishes.series or find_series(frame, free, None) or (), notes


def _read_or_refuse(texts: pd.Series[str], name: str) -> TimeGuess:
    found = read_time(texts)
    if found is not None:
        return found
    try:
        clock.read_any(texts, clock.recognise(str(texts.iloc[0])))
    except clock.TimeError as error:
        raise DataError(f"--time {name}: {error.message}", error.hint) from None
    raise DataError(f"--time {name}: its cells are no times", "name another column")


def _on_time(time: _Time) -> list[Note]:
    return [Note(f"{time[0]}: {time[1].remark}", time[1].doubtful)] if time[1].remark else []


def _inputs(view: View, choice: Choice) -> Inputs:
    """What could be read beside the targets."""
    past: list[str] = []
    static: list[str] = []
    categorical: list[str] = []
    unused: list[tuple[str, str]] = []
    explicit = False
    for column in view.columns:
        if column.name in choice.targets:
            continue
        reason = _why_not(view, column)
        if reason:
            unused.append((column.name, reason))
            explicit |= column.kind == "number"
            continue
        (static if column.distinct > 1 and view.constant(column) else past).append(column.name)
        if column.kind == "word":
            categorical.append(column.name)
    return Inputs(tuple(past), tuple(static), tuple(categorical), tuple(unused), explicit)


def _why_not(view: View, column: Column) -> str:
    """Why a column cannot be an input; empty if it can."""
    if column.kind == "empty":
        return "it is empty"
    if column.odd:
        return f"{column.odd:,} of its cells are no numbers"
    if column.kind == "word" and column.distinct > min(MOST_CLASSES, len(view.frame) / 4):
        return f"{column.distinct:,} different words are too many for classes"
    if column.kind == "word" and column.distinct < 2:
        return "it has one word"
    if column.blank and view.series and _never_known(view.frame, column.name, view.series):
        return "some series have no value of it"
    return ""


def _never_known(frame: pd.DataFrame, name: str, series: Iterable[str]) -> bool:
    known = ~frame[name].str.strip().isin(MISSING)
    return not bool(known.groupby([frame[key] for key in series], sort=False).any().all())


def _measured(
    tables: Tables, frame: pd.DataFrame, time: _Time | None, series: Sequence[str]
) -> tuple[_Time | None, Rows, Rows]:
    """The times of all rows, (rows,) the number of the series of each, and (series,) rows of each series."""
    total = sum(len(part.lines) for part in tables.parts)
    if len(frame) < total:
        frame = tables.frame([*series, *([time[0]] if time else [])], str)
        time = (time[0], _read_or_refuse(frame[time[0]], time[0])) if time else None
    if not series:
        return time, np.zeros(total, dtype=np.int64), np.array([total])
    keys = np.asarray(frame.groupby(list(series), sort=False).ngroup(), dtype=np.int64)
    return time, keys, np.bincount(keys).astype(np.int64)


def _has_blanks(tables: Tables, frame: pd.DataFrame, name: str) -> bool:
    total = sum(len(part.lines) for part in tables.parts)
    texts = frame[name] if len(frame) == total else tables.frame([name], str)[name]
    return bool(texts.str.strip().isin(MISSING).any())


def _may_have_season(time: _Time | None, choice: Choice) -> bool:
    return choice.task == "forecasting" and (time is None or not time[1].calendar)


def _season_of(frame: pd.DataFrame, series: Sequence[str], target: str) -> int:
    """The lag at which the changes of the longest series repeat best, if they do; else 1.

    The autocorrelation of the differences must have a peak above 0.4 there.
    """
    if series:
        keys = frame.groupby(list(series), sort=False).ngroup()
        frame = frame[keys == keys.value_counts().idxmax()]
    values = as_numbers(frame[target]).to_numpy(dtype=np.float64)
    changes = np.diff(values[np.isfinite(values)])
    most = min(len(changes) // 4, LONGEST_SEASON)
    if most < 3 or not changes.std() > 0:
        return 1
    changes = changes - changes.mean()
    power = np.abs(np.fft.rfft(changes, 2 * len(changes))) ** 2
    similar = np.fft.irfft(power)[: most + 2] / (changes @ changes)
    peaks = [lag for lag in range(2, most + 1) if similar[lag] > max(0.4, similar[lag - 1], similar[lag + 1])]
    best = max((similar[lag] for lag in peaks), default=0.0)
    return next((lag for lag in peaks if similar[lag] > 0.9 * best), 1)
