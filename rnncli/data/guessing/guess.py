"""What a table that nobody has described is for: the roles of its columns, from their names and their cells."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rnncli.data import clock
from rnncli.data.columns import require
from rnncli.data.findings.correlation import ALIKE, LEAST_PAIRS, correlation, uncut
from rnncli.data.guessing.columns import Column, look_at
from rnncli.data.guessing.excerpt import read_cells
from rnncli.data.guessing.keys import Keys, Note, Wishes, find_keys
from rnncli.data.guessing.season import season_of, season_shows
from rnncli.data.guessing.task import MOST_CLASSES, Choice, View, choose, holds_labels
from rnncli.data.guessing.time import read_time
from rnncli.data.panel import Floats, Rows
from rnncli.data.reading.frames import Tables
from rnncli.data.reading.numbers import MISSING, as_numbers, number_hint
from rnncli.errors import DataError, Place

MOSTLY = 0.9  # of the cells of a column that is meant to be numbers


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
        keys: time and series.
        classes_as_numbers: whether the target is a class although it is written as a number.
        inputs: of forecasts, columns that could be, which is for a person to say.
        blank: columns in use that have empty cells.
        lengths: (series,) rows; in the wide layout the targets are the series.
        season: rows in a season, 1 if none is known; `in_values` if it was seen in the numbers alone.
        season_shows: whether the numbers to be forecast follow the season.
        one_answer: whether every series has one value of the target.
    """

    keys: Keys
    choice: Choice
    classes_as_numbers: bool
    inputs: Inputs
    blank: tuple[str, ...]
    lengths: Rows
    season: int
    in_values: bool
    season_shows: bool
    one_answer: bool
    notes: tuple[Note, ...]


def guess(tables: Tables, wishes: Wishes) -> Findings:
    """Find out what a table is for.

    Raises:
        DataError: for a wish that names no column, a time column that cannot be read, or nothing to predict.
    """
    require(tables, [*wishes.series, *([wishes.time] if wishes.time else [])])
    targets = _targets(tables, wishes)
    frame = read_cells(tables)
    columns = [look_at(frame[name], name) for name in frame.columns]
    keys = find_keys(tables, frame, [column for column in columns if column.name not in targets], wishes)
    rest = tuple(column for column in columns if column.name not in {*keys.series, keys.time})
    view = View(frame, rest, keys.series, keys.calendar)
    choice = choose(view, targets, wishes.task)
    if choice is None:
        raise _nothing_to_predict(tables, view)
    inputs = _inputs(view, choice)
    season = clock.season(keys.rhythm.frequency) if keys.rhythm and keys.rhythm.fits and keys.calendar else 1
    numbers = choice.task == "forecasting" and not keys.calendar
    found = season_of(frame, keys.series, choice.targets[0]) if numbers else season
    labels = holds_labels(view, choice)
    used = {*(() if labels else choice.targets)}  # labels may be missing
    used |= {*(() if choice.task == "forecasting" else (*inputs.past, *inputs.static))}
    return Findings(
        keys=keys,
        choice=choice,
        classes_as_numbers=labels and any(column.kind == "number" for column in rest if column.name in choice.targets),
        inputs=inputs,
        blank=tuple(name for name in frame.columns if name in used and _has_blanks(tables, frame, name)),
        lengths=np.repeat(keys.lengths, len(choice.targets)) if choice.wide else keys.lengths,
        season=found,
        in_values=found != season,
        season_shows=choice.task == "forecasting" and season_shows(frame, keys.series, choice.targets, found),
        one_answer=all(view.constant(column) for column in rest if column.name in choice.targets),
        notes=keys.notes,
    )


def _nothing_to_predict(tables: Tables, view: View) -> DataError:
    """What stands in the way: the first column of words that begin with numbers, as 5%, or what a person must name."""
    for column in view.columns:
        texts = view.frame[column.name].str.strip()
        begin = column.kind == "word" and texts.str.contains("^[^A-Za-z]{0,3}[0-9]").mean() > MOSTLY
        if begin and read_time(texts) is None:
            row = int(np.argmax(texts.str.contains("[0-9]")))
            hint = number_hint([str(texts.iloc[row])], column.name, tables.dialect, first=False)
            return DataError(f"not a number: {str(texts.iloc[row])[:60]!r}", hint, tables.place(row, column.name))
    return DataError("no column can be predicted", "name one with --target", Place(tables.parts[0].file, 1))


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
        reason = _why_not(view, column) or _giveaway(view, column, choice)
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


def _giveaway(view: View, column: Column, choice: Choice) -> str:
    """Of which target that stands in the same row a column is a linear function, or such a function cut off."""
    if choice.task == "forecasting" or column.kind != "number" or column.distinct < 2 * LEAST_PAIRS:
        return ""
    for target in choice.targets:
        own = _numbers(view, column.name)
        other = uncut(_numbers(view, target))
        known = ~(np.isnan(own) | np.isnan(other))
        pairs = ((own, other), (np.diff(own), np.diff(other)))
        alike = [abs(correlation(one[:, None], two[:, None])[0, 0]) > ALIKE for one, two in pairs]
        if alike[0] and (alike[1] or np.array_equal(own[known], other[known])):
            return f"it gives {target} away"
    return ""


def _numbers(view: View, name: str) -> Floats:
    return np.asarray(as_numbers(view.frame[name]).to_numpy(), dtype=np.float64)


def _never_known(frame: pd.DataFrame, name: str, series: Iterable[str]) -> bool:
    known = ~frame[name].str.strip().isin(MISSING)
    return not bool(known.groupby([frame[key] for key in series], sort=False).any().all())


def _has_blanks(tables: Tables, frame: pd.DataFrame, name: str) -> bool:
    texts = frame[name] if len(frame) == len(tables) else tables.frame([name], str)[name]
    return bool(texts.str.strip().isin(MISSING).any())
