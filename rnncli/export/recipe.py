"""The exported model at work: the rows of one series in, the answer to its newest window out. NumPy alone.

A part of the script that is written beside an exported ``.npz``; what it uses stands above it there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from rnncli.data.dates import PARTS
from rnncli.export.recipe_cells import Unanswered, later, moment, number, seconds
from rnncli.model.portable import build
from rnncli.model.portable_pieces import Array
from rnncli.model.sizes import Sizes

Table = Mapping[str, Sequence[str]]  # columns of one series, its rows in order
Id = tuple[str, ...]  # of a series, a part for every column that names it


class Exported:
    """An exported model.

    Args:
        file: the ``.npz``.

    Attributes:
        about: what it says of itself; see its key ``reading``.
        network: takes scaled windows.
    """

    def __init__(self, file: Path) -> None:
        with np.load(file, allow_pickle=False) as stored:
            weights = {name.removeprefix("network."): stored[name] for name in stored if name.startswith("network.")}
            self.about: dict[str, Any] = json.loads(str(stored["description"]))
        settings: Any = SimpleNamespace(**self.about["model"])
        self.network = build(settings, Sizes(**self.about["sizes"]), weights)

    def answer(self, table: Table, key: Id = ()) -> Array:
        """What the model makes of the newest window of a series.

        Args:
            table: its columns, the oldest row first. Of columns that are known ahead there must be as many rows after
                the last known target as the horizon has; what follows from the time alone is worked out.
            key: which series it is, where each was scaled by itself.

        Returns:
            forecasts (horizon, targets[, quantiles]) in original units; the probability of each label (labels,);
            numbers (targets,); or, for tagging, one of the last two for every row of the window.

        Raises:
            Unanswered: if a column, a cell or the series is not what the model needs.
        """
        about, names = self.about, self.about["inputs"]["ahead"]
        index = self._place(key)
        columns = {name: self._column(table, name) for name in self._wanted()}
        rows = self._end(columns)
        self._refuse_gaps(columns, rows)
        past = self._inputs({name: values[:rows] for name, values in columns.items()}, table, rows, index)
        window = past if about["context"] == "full" else past[-about["context"] :]
        level, spread = self._level(window, about["put_back"])
        if about["normalise"] != "none":
            count = len(level)
            window = np.concatenate([(window[:, :count] - level) / spread, window[:, count:]], axis=1)
        ahead = self._ahead(columns, table, rows, index) if names else np.empty((0, 0), np.float32)
        static = self._static(table)
        found: Array = self.network.forward(window[None], None, level[None], static[None], ahead[None])[0]
        return self._original(found.astype(np.float64), level, spread, index)

    def _place(self, key: Id) -> int:
        """The place of a series among those that have statistics of their own."""
        known = [tuple(name) for name in self.about["scaler"]["ids"]]
        if known and key not in known:
            raise Unanswered("the series was not in training: its statistics are not known")
        return known.index(key) if known else 0

    def _wanted(self) -> list[str]:
        """Columns of the file that the network reads."""
        names = [*self.about["scaler"]["columns"], *self.about["inputs"]["ahead"]]
        past, ahead = self.about["inputs"]["past"], self.about["inputs"]["ahead"]
        return [name for name in dict.fromkeys(names) if name in (*past, *ahead) and name not in self.about["derived"]]

    def _column(self, table: Table, name: str) -> Array:
        """(rows,) numbers or codes, NaN for empty cells."""
        if name not in table:
            raise Unanswered(f"no column {name}")
        if name in self.about["categories"]:
            values = self.about["categories"][name]
            return np.array([values.index(cell) + 1 if cell in values else 0 for cell in table[name]], dtype=np.float64)
        return np.array([number(cell, self.about["written"], name, row) for row, cell in enumerate(table[name])])

    def _end(self, columns: Mapping[str, Array]) -> int:
        """The row after the newest that is past: if columns are known ahead, after the newest known target."""
        rows = len(next(iter(columns.values()), ()))
        targets = [columns[name] for name in self.about["values"] if name in columns]
        if self.about["inputs"]["ahead"] and targets:
            known = np.flatnonzero(~np.isnan(np.stack(targets)).all(axis=0))
            rows = int(known[-1]) + 1 if len(known) else 0
        if not rows:
            raise Unanswered("no row with a known value")
        return rows

    def _refuse_gaps(self, columns: Mapping[str, Array], rows: int) -> None:
        for name, values in columns.items():
            empty = np.flatnonzero(np.isnan(values[: None if name in self.about["inputs"]["ahead"] else rows]))
            if len(empty) and self.about["missing"] == "error":
                raise Unanswered(f"{name}: an empty cell, and data.missing is error", int(empty[0]))

    def _inputs(self, columns: Mapping[str, Array], table: Table, rows: int, index: int) -> Array:
        """(rows, past columns) scaled, empty cells filled with the value before."""
        columns = {**columns, **self._derived(self._times(table, rows))}
        found: dict[str, Array] = {}
        for name, values in columns.items():
            there = ~np.isnan(values)
            newest = np.maximum.accumulate(np.where(there, np.arange(len(values)), -1))
            scaled = self._scaled(name, values, index)
            found[f"observed({name})"] = there.astype(np.float64)
            found[name] = np.where(newest >= 0, scaled[np.maximum(newest, 0)], 0.0)
        return np.stack([found[name] for name in self.about["inputs"]["past"]], axis=1).astype(np.float32)

    def _ahead(self, columns: Mapping[str, Array], table: Table, rows: int, index: int) -> Array:
        """(horizon, columns known ahead) scaled."""
        names, horizon = self.about["inputs"]["ahead"], self.about["horizon"]
        given = [name for name in names if name in columns]
        there = len(columns[given[0]]) - rows if given else horizon
        if there < horizon:
            raise Unanswered(f"{there} rows after the last known target, and the horizon is {horizon}")
        every = {**columns, **self._derived(self._times(table, rows + horizon))}
        chosen = [self._scaled(name, every[name], index)[rows : rows + horizon] for name in names]
        found: Array = np.nan_to_num(np.stack(chosen, axis=1)).astype(np.float32)
        return found

    def _scaled(self, name: str, values: Array, index: int) -> Array:
        scaler = self.about["scaler"]
        place = scaler["columns"].index(name)
        if self.about["transform"] == "log" and name in self.about["values"]:
            low = np.flatnonzero(values <= 0)
            if len(low):
                raise Unanswered(f"{name}: {values[low[0]]:g} has no logarithm", int(low[0]))
            values = np.log(values)
        return np.asarray((values - scaler["centre"][index][place]) / scaler["spread"][index][place])

    def _times(self, table: Table, rows: int) -> list[Any]:
        """The times of the first rows, or of the steps that follow; none if no input is made of them."""
        about = self.about
        if not about["derived"]:
            return []
        if about["time"] not in table:
            raise Unanswered(f"no column {about['time']}")
        cells = list(table[about["time"]])[:rows]
        found = [moment(cell, about["time_format"], row) for row, cell in enumerate(cells)]
        while len(found) < rows:
            found.append(later(found[-1], about["frequency"]))
        return found

    def _derived(self, times: Sequence[Any]) -> dict[str, Array]:
        """The columns that are made of the time: the time since the row before, and parts of the date as waves."""
        gaps = [0.0, *(seconds(time - before) for before, time in pairwise(times))]
        found = {"elapsed": np.array(gaps)} if "elapsed" in self.about["derived"] else {}
        for name, size in self.about["calendar"].items():
            angle = 2 * np.pi * np.array([PARTS[name](time) for time in times], dtype=np.float64) / size
            found |= {f"sin({name})": np.sin(angle), f"cos({name})": np.cos(angle)}
        return found

    def _static(self, table: Table) -> Array:
        """(static columns,) the series' own values, scaled."""
        scaler = self.about["scaler"]
        values = np.array([self._column(table, name)[0] for name in scaler["static_columns"]])
        centre, spread = (np.array(part) for part in scaler["static"])
        return np.asarray(np.nan_to_num((values - centre) / spread), dtype=np.float32)

    def _level(self, window: Array, kind: str) -> tuple[Array, Array]:
        """(targets,) the level and the spread of a window's targets."""
        own = window[:, : len(self.about["values"])]
        if kind == "none":
            return np.zeros(own.shape[1], np.float32), np.ones(own.shape[1], np.float32)
        if kind == "last":
            return own[-1], np.ones_like(own[-1])
        return np.asarray(own.mean(axis=0)), np.asarray(np.sqrt(own.var(axis=0) + np.float32(1e-5)))

    def _original(self, found: Array, level: Array, spread: Array, index: int) -> Array:
        """Outputs as probabilities or in original units."""
        about, scaler, targets = self.about, self.about["scaler"], len(self.about["values"])
        if about["labels"]:
            odds = np.exp(found - found.max(axis=-1, keepdims=True))
            return np.asarray(odds / odds.sum(axis=-1, keepdims=True))
        if about["binary"]:
            return np.asarray(1 / (1 + np.exp(-found)))
        centre, size = (np.array(scaler[name][index][:targets]) for name in ("centre", "spread"))
        if about["quantiles"]:
            found = np.sort(found.reshape(about["horizon"], targets, -1), axis=2)
            level, spread, centre, size = (part[:, None] for part in (level, spread, centre, size))
        elif about["horizon"]:
            found = found.reshape(about["horizon"], targets)
        values = (found * spread + level) * size + centre
        return np.asarray(np.exp(values) if about["transform"] == "log" else values)
