"""Panel: many series end to end, the one data type that everything shares."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

SeriesId = tuple[str, ...]


@dataclass(frozen=True)
class Columns:
    """Which columns a model reads, settled once against the training data and kept in the model.

    A panel's value columns are `targets` followed by `past`. With the wide layout the targets are the series,
    and the panel has one target column called ``value``. A target's own past is an input of forecasts alone.
    """

    targets: tuple[str, ...]
    past: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    time: str | None = None
    time_format: str | None = None
    frequency: str | None = None
    season: int = 1
    wide: bool = False
    target_is_input: bool = True
    labels: tuple[str, ...] | None = None

    @property
    def value_targets(self) -> tuple[str, ...]:
        """Names of the target columns of a panel."""
        return ("value",) if self.wide else self.targets

    @property
    def values(self) -> tuple[str, ...]:
        """Names of all value columns of a panel."""
        return self.value_targets + self.past


@dataclass(frozen=True)
class Panel:
    """Series end to end, sorted by time within each series.

    Attributes:
        columns: names of the value columns, targets first.
        ids: one id a series, in order of first appearance; an id has a part for every id column.
        offsets: (series + 1,) first row of every series, and the number of rows.
        times: (rows,) datetime64[ns], int64 or float64; row numbers where the data has no time.
        values: (rows, columns) in original units, NaN where not observed; classes as codes.
        observed: (rows, columns) whether a value was given.
        source: (rows,) position of the row in the input.
    """

    columns: tuple[str, ...]
    ids: tuple[SeriesId, ...]
    offsets: Rows
    times: NDArray[np.generic]
    values: Floats
    observed: NDArray[np.bool_]
    source: Rows

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
            observed=self.observed[rows],
            source=self.source[rows],
        )

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
            observed=self.observed[rows],
            source=self.source[rows],
        )

    def rows(self, series: int) -> slice:
        """The rows of a series."""
        return slice(int(self.offsets[series]), int(self.offsets[series + 1]))

    def lengths(self) -> Rows:
        """(series,) rows of every series."""
        return np.diff(self.offsets)

    def series_of(self, rows: Rows) -> Rows:
        """Index of the series that each of `rows` belongs to."""
        return np.searchsorted(self.offsets, rows, side="right") - 1


def show_id(series: SeriesId) -> str:
    """An id for people: its parts with slashes between."""
    return "/".join(part.replace("\n", "\\n").replace("\t", "\\t") for part in series) or "(the only series)"


def show_ids(ids: list[SeriesId], most: int = 5) -> str:
    """The first few ids for people, and how many more there are."""
    shown = ", ".join(show_id(series) for series in ids[:most])
    return shown if len(ids) <= most else f"{shown} and {len(ids) - most:,} more"
