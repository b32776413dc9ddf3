"""Panel: many series end to end, the one data type that everything shares."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Numbers = NDArray[np.signedinteger[Any]]  # rows or windows, int32 where there are many

SeriesId = tuple[str, ...]


@dataclass(frozen=True)
class Columns:
    """Which columns a model reads, settled once against the training data and kept in the model.

    A panel's value columns are targets, past inputs and inputs known ahead, in this order. With the wide layout the
    targets are the series, and the panel has one target column called ``value``. A target's own past is an input of
    forecasts alone.

    Attributes:
        targets, past, future, static, series, time, weight: names in the file.
        calendar: parts of the date that are inputs, keys of CALENDAR.
        elapsed: whether the time since the row before is an input.
        categories: of each categorical input the values seen in training; the code of a value is its place in them,
            from 1, and 0 is any other value.
        labels: classes of a target that holds labels, their codes from 0.
        binary: whether the targets are 0 or 1 and the answers probabilities.
    """

    targets: tuple[str, ...]
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    time: str | None = None
    time_format: str | None = None
    frequency: str | None = None
    season: int = 1
    weight: str | None = None
    calendar: tuple[str, ...] = ()
    elapsed: bool = False
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    wide: bool = False
    target_is_input: bool = True
    labels: tuple[str, ...] | None = None
    binary: bool = False

    @property
    def value_targets(self) -> tuple[str, ...]:
        """Names of the target columns of a panel."""
        return ("value",) if self.wide else self.targets

    @property
    def read(self) -> tuple[str, ...]:
        """Inputs that stand in the file, a value a row."""
        return self.past + self.future

    @property
    def derived(self) -> tuple[str, ...]:
        """Inputs that are made from the time column, the elapsed time first."""
        waves = tuple(f"{wave}({part})" for part in self.calendar for wave in ("sin", "cos"))
        return ("elapsed",) * self.elapsed + waves

    @property
    def known_ahead(self) -> tuple[str, ...]:
        """Inputs whose values over the horizon are known: the last value columns of a panel."""
        return self.future + self.derived[self.elapsed :]

    @property
    def values(self) -> tuple[str, ...]:
        """Names of all value columns of a panel."""
        return self.value_targets + self.past + ("elapsed",) * self.elapsed + self.known_ahead

    @property
    def inputs(self) -> tuple[str, ...]:
        """The value columns that are inputs."""
        return self.values if self.target_is_input else self.values[len(self.value_targets) :]

    def step_inputs(self, *, flags: bool) -> tuple[str, ...]:
        """What the network reads at each step; with `flags` also whether each cell of the file was observed."""
        given = tuple(f"observed({name})" for name in self.inputs if name not in self.derived)
        return self.inputs + (given if flags else ())

    @property
    def unscaled(self) -> frozenset[str]:
        """Value columns that stay as they are: codes, waves, and targets that are no quantities."""
        targets = self.value_targets if self.binary or self.labels is not None else ()
        return frozenset((*self.categories, *self.derived[self.elapsed :], *targets))


@dataclass(frozen=True)
class Panel:
    """Series end to end, sorted by time within each series.

    Attributes:
        columns: names of the value columns, targets first.
        ids: one id a series, in order of first appearance; an id has a part for every id column.
        offsets: (series + 1,) first row of every series, and the number of rows.
        times: (rows,) datetime64, int64 or float64; row numbers where the data has no time.
        values: (rows, columns) in original units, NaN where not observed; labels and categories as codes.
        source: (rows,) position of the row in the input.
        ends: (series,) the row after the newest with a known target, or the series' end: rows from here on tell
            only what is known ahead. The series' end, unless there are columns known ahead.
        static: (series, static columns) one value a series; categories as codes.
        weights: (rows,) weight of each row's targets, or None for one each.
        notes: what a person should know of the data, a sentence each.
    """

    columns: tuple[str, ...]
    ids: tuple[SeriesId, ...]
    offsets: Rows
    times: NDArray[np.generic]
    values: Floats
    source: Rows
    ends: Rows = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    static: Floats = field(default_factory=lambda: np.empty((0, 0)))
    weights: Floats | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Without columns known ahead every series ends with its rows; without static columns there are no values."""
        if len(self.ids) and not len(self.ends):
            object.__setattr__(self, "ends", self.offsets[1:])
        if len(self.ids) and not len(self.static):
            object.__setattr__(self, "static", np.empty((len(self.ids), 0)))

    @property
    def observed(self) -> NDArray[np.bool_]:
        """(rows, columns) whether a value was given."""
        return ~np.isnan(self.values)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, series: int) -> Panel:
        """A panel of one series; its arrays are views."""
        rows = self.rows(series)
        return replace(
            self,
            ids=(self.ids[series],),
            offsets=np.array([0, rows.stop - rows.start]),
            times=self.times[rows],
            values=self.values[rows],
            source=self.source[rows],
            ends=self.ends[series : series + 1] - rows.start,
            static=self.static[series : series + 1],
            weights=None if self.weights is None else self.weights[rows],
        )

    def keep(self, series: Rows) -> Panel:
        """A panel of some of the series, in the order given."""
        return self.until(series, self.offsets[series + 1])

    def until(self, series: Rows, lasts: Rows) -> Panel:
        """A panel of some series, each with its rows before the panel row `lasts` (series,) and no others."""
        begins = self.offsets[series]
        offsets = np.concatenate([[0], np.cumsum(lasts - begins)]).astype(np.int64)
        rows = np.repeat(begins - offsets[:-1], lasts - begins) + np.arange(offsets[-1])
        return replace(
            self,
            ids=tuple(self.ids[number] for number in series),
            offsets=offsets,
            times=self.times[rows],
            values=self.values[rows],
            source=self.source[rows],
            ends=np.minimum(self.ends[series], lasts) - begins + offsets[:-1],
            static=self.static[series],
            weights=None if self.weights is None else self.weights[rows],
        )

    def rows(self, series: int) -> slice:
        """The rows of a series."""
        return slice(int(self.offsets[series]), int(self.offsets[series + 1]))

    def lengths(self) -> Rows:
        """(series,) rows of every series."""
        return np.diff(self.offsets)

    def series_of(self, rows: Numbers) -> Rows:
        """Index of the series that each of `rows` belongs to."""
        found = np.searchsorted(self.offsets, rows, side="right")
        found -= 1
        return found


def show_id(series: SeriesId) -> str:
    """An id for people: its parts with slashes between."""
    return "/".join(part.replace("\n", "\\n").replace("\t", "\\t") for part in series) or "(the only series)"


def show_ids(ids: list[SeriesId], most: int = 5) -> str:
    """The first few ids for people, and how many more there are."""
    shown = ", ".join(show_id(series) for series in ids[:most])
    return shown if len(ids) <= most else f"{shown} and {len(ids) - most:,} more"


def compact(rows: Numbers) -> Numbers:
    """Row numbers in four bytes each where that is enough."""
    return rows.astype(np.int32) if rows.max(initial=0) <= np.iinfo(np.int32).max else rows
