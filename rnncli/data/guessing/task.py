"""What a table is probably for: which columns are predicted, and what kind of task that is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rnncli.config.schema import TaskName
from rnncli.data.guessing.columns import CALENDAR_PARTS, LABEL_NAMES, Column, constant_within
from rnncli.data.reading.numbers import as_numbers

# the likeliest first
TARGET_NAMES = (
    "target", "y", "ot", "value", "values", "val", "sales", "umsatz", "demand", "units_sold", "quantity", "qty",
    "count", "cnt", "orders", "load", "consumption", "verbrauch", "kwh", "mwh", "passengers", "close", "adj_close",
    "price", "revenue", "traffic", "views", "power", "temperature", "temp",
)  # fmt: skip
NUMBER_NAMES = ("rul", "ttf", "target", "y", "label", "score", "age", "output", "response", "value")
TAG_STEMS = ("y", "label", "tag", "target", "out", "class", "note")
MOST_CLASSES = 50
FEW_VALUES = 10
SHORT_NAME = 4  # a name of so many letters tells nothing as a part of another


@dataclass(frozen=True)
class View:
    """What is left to choose from.

    Attributes:
        frame: all cells as text, numbers with a decimal point.
        columns: those that are neither time nor series.
        calendar: whether the time column holds dates.
    """

    frame: pd.DataFrame
    columns: tuple[Column, ...]
    series: tuple[str, ...]
    calendar: bool

    def constant(self, column: Column) -> bool:
        """Whether every series has one value of this column."""
        return constant_within(self.frame, column.name, self.series)

    def few(self, column: Column) -> bool:
        """Whether a column holds words or whole numbers that may be classes: several, and each in several rows."""
        whole = column.kind == "word" or (column.kind == "number" and column.whole and not column.odd)
        return whole and 2 <= column.distinct <= min(MOST_CLASSES, len(self.frame) / 3)

    def numbers(self) -> list[Column]:
        """Columns of numbers that change within series and are no part of the calendar; if there is none, all."""
        found = [column for column in self.columns if column.kind == "number"]
        good = [column for column in found if column.distinct > 1 and column.word not in CALENDAR_PARTS]
        return [column for column in good if not self.constant(column)] or good or found


@dataclass(frozen=True)
class Choice:
    """What to predict, and why in words."""

    task: TaskName
    targets: tuple[str, ...]
    wide: bool
    why: str


def choose(view: View, targets: Sequence[str], task: TaskName | None) -> Choice | None:
    """The task and its targets; both may be wished for. None if no column can be predicted."""
    if targets:
        return _for_targets(view, [column for column in view.columns if column.name in targets], task)
    if task is None:
        return _labelled(view) or _forecast(view)
    if task == "forecasting":
        return _forecast(view)
    if task == "regression":
        return _number(view)
    return _label(view, task)


def _for_targets(view: View, targets: list[Column], task: TaskName | None) -> Choice:
    names = tuple(column.name for column in targets)
    if task is not None:
        return Choice(task, names, False, "asked for")
    if len(targets) > 1:
        if all(map(_is_flag, targets)):
            return Choice("tagging", names, False, "columns of 0 and 1, asked for")
        alike = not view.series and len(targets) > 2 and are_alike(view.frame, targets)
        return Choice("forecasting", names, alike, "asked for")
    label = targets[0]
    words = label.kind == "word" or _is_label(view, label)
    classes = words or (view.few(label) and not view.calendar)
    if classes and view.constant(label):
        return Choice("classification", names, False, f"one of {label.distinct} labels a series")
    if words:
        return Choice("tagging", names, False, f"{label.distinct} labels that change within a series")
    return Choice("forecasting", names, False, "asked for")


def _labelled(view: View) -> Choice | None:
    """A choice by columns that are labels: several flags, a column named so, or the last of a file without dates."""
    flags = _flag_group(view)
    if flags:
        return Choice("tagging", flags, False, f"{len(flags)} columns of 0 and 1 beside inputs")
    for column in reversed(view.columns):
        named = column.word in LABEL_NAMES and (column.kind == "word" or _is_label(view, column))
        if named and 1 < column.distinct <= MOST_CLASSES and _has_inputs(view, column):
            return _for_targets(view, [column], None)
    last = next((column for column in reversed(view.columns) if column.kind != "empty"), None)
    if last is None or view.calendar or not _has_inputs(view, last):
        return None
    if view.few(last) and view.constant(last) and _several_series_a_class(view, last):
        return Choice("classification", (last.name,), False, f"the last column: one of {last.distinct} labels a series")
    if last.kind == "word" and 1 < last.distinct <= MOST_CLASSES:
        return _for_targets(view, [last], None)
    return None


def _is_label(view: View, column: Column) -> bool:
    """Whether a column of numbers holds classes, by its name; beside dates only the surest names count."""
    names = {"label", "labels", "class", "classes"} if view.calendar else LABEL_NAMES - {"target", "y"}
    return column.kind == "number" and column.word in names and view.few(column)


def holds_labels(view: View, choice: Choice) -> bool:
    """Whether the targets are classes, words or numbers, and no quantities and no 0 and 1."""
    targets = [column for column in view.columns if column.name in choice.targets]
    if choice.task == "classification":
        return True
    if choice.task != "tagging" or len(targets) != 1:
        return False
    flag = targets[0].kind == "number" and bool(as_numbers(view.frame[targets[0].name]).dropna().isin([0, 1]).all())
    return targets[0].kind == "word" or (_is_label(view, targets[0]) and not flag)


def _has_inputs(view: View, label: Column) -> bool:
    """Whether numbers are left to tell the label by."""
    return any(column.kind == "number" and not column.odd for column in view.columns if column is not label)


def _label(view: View, task: TaskName) -> Choice | None:
    """The column of labels: named so, or the last that could be one."""
    flags = _flag_group(view) if task == "tagging" else ()
    if flags:
        return Choice(task, flags, False, f"{len(flags)} columns of 0 and 1")
    fits = [column for column in view.columns if column.distinct > 1 and (column.kind == "word" or view.few(column))]
    fits = [column for column in fits if view.constant(column) == (task == "classification")] or fits
    fits.sort(key=lambda column: column.word in LABEL_NAMES)
    if fits:
        return Choice(task, (fits[-1].name,), False, f"{fits[-1].distinct} labels")
    return _number(view, "tagging") if task == "tagging" else None


def _number(view: View, task: TaskName = "regression") -> Choice | None:
    named = _by_name(view.numbers(), NUMBER_NAMES)
    return Choice(task, (named[0].name,), False, named[1]) if named else None


def _forecast(view: View) -> Choice | None:
    """All columns of numbers if they are of one kind, else one by name or place."""
    numbers = view.numbers()
    if not view.series and len(numbers) > 2 and are_alike(view.frame, numbers):
        why = f"{len(numbers)} columns of one kind, each a series"
        return Choice("forecasting", tuple(column.name for column in numbers), True, why)
    named = _by_name(numbers, TARGET_NAMES)
    return Choice("forecasting", (named[0].name,), False, named[1]) if named else None


def _by_name(columns: Sequence[Column], names: Sequence[str]) -> tuple[Column, str] | None:
    if not columns:
        return None
    if len(columns) == 1:
        return columns[0], "the only column of numbers"
    for name in names:
        for column in columns:
            if column.word == name:
                return column, "by its name"
    for name in (name for name in names if len(name) > SHORT_NAME):  # such as sales in "Total Sales (€)"
        for column in columns:
            if name in re.split(r"[^a-z]+", column.word):
                return column, "by its name"
    rich = [column for column in columns if column.distinct > FEW_VALUES] or columns  # a flag is seldom asked for
    return rich[-1], "the last column of numbers"


def _several_series_a_class(view: View, column: Column) -> bool:
    return column.distinct < len(view.frame[list(view.series)].drop_duplicates())


def _is_flag(column: Column) -> bool:
    """Whether a column of numbers may hold only 0 and 1; one that is never set counts, if others are."""
    return column.kind == "number" and column.whole and not column.odd and column.distinct <= 2


def _flag_group(view: View) -> tuple[str, ...]:
    """Columns such as y0, y1, … of 0 and 1, if other columns of numbers are left to read."""
    for stem in TAG_STEMS:
        group = [column for column in view.columns if re.fullmatch(rf"{stem}[_.-]?[0-9]+", column.word)]
        names = tuple(column.name for column in group)
        flags = len(group) > 1 and all(map(_is_flag, group)) and max(column.distinct for column in group) == 2
        if flags and all(as_numbers(view.frame[name]).dropna().isin([0, 1]).all() for name in names):
            others = [column for column in view.columns if column.kind == "number" and column.name not in names]
            return names if others else ()
    return ()


def are_alike(frame: pd.DataFrame, columns: Sequence[Column]) -> bool:
    """Whether columns are of one kind: numbered names, or the same sort of numbers of about the same size."""
    stems = pd.Series([re.sub(r"[0-9]+", "#", column.word) for column in columns])
    numbered = stems[stems.str.contains("#")].value_counts()
    if len(numbered) and numbered.iloc[0] >= max(3, 0.8 * len(columns)):
        return True
    if {column.word for column in columns} & set(TARGET_NAMES) or any(column.distinct <= 2 for column in columns):
        return False
    if len({column.whole for column in columns}) > 1:
        return False
    values = np.stack([as_numbers(frame[column.name]).to_numpy(dtype=np.float64) for column in columns])
    medians = np.abs(np.nanmedian(values, axis=1))
    if len(set((np.nanmin(values, axis=1) < 0).tolist())) > 1 or not (medians > 0).all():
        return False
    return bool(medians.max() / medians.min() <= (100 if len(columns) > 4 else 5))
