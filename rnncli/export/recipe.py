"""The exported model at work: a table of one series in, the answer to its newest window out. NumPy alone.

The last part of the script that is written beside an exported ``.npz``; what it uses stands above it there.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from rnncli.model.portable import build
from rnncli.model.portable_pieces import Array
from rnncli.model.sizes import Sizes

Table = Mapping[str, Sequence[Any]]  # columns of one series, its rows in order


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

    def answer(self, table: Table) -> Array:
        """What the model makes of the newest window of a table.

        Columns that are known ahead need as many rows after the last known target as the horizon has.

        Returns:
            forecasts (horizon, targets[, quantiles]) in original units; the probability of each label (labels,);
            numbers (targets,); or, for tagging, one of the last two for every row of the window.
        """
        about, ahead = self.about, self.about["inputs"]["ahead"]
        index = self._series(table)
        inputs = self._inputs(table, index)
        rows = len(inputs) - (about["horizon"] if ahead else 0)
        context = rows if about["context"] == "full" else about["context"]
        window = inputs[max(0, rows - context) : rows]
        level, spread = self._level(window, about["put_back"])
        if about["normalise"] != "none":
            count = len(level)
            window = np.concatenate([(window[:, :count] - level) / spread, window[:, count:]], axis=1)
        places = [about["inputs"]["past"].index(name) for name in ahead]
        found: Array = self.network.forward(
            window[None], None, level[None], self._static(table)[None], inputs[rows:, places][None]
        )[0]
        return self._original(found.astype(np.float64), level, spread, index)

    def _series(self, table: Table) -> int:
        """The place of the table's series among those that have statistics of their own."""
        known = [tuple(name) for name in self.about["scaler"]["ids"]]
        own = tuple(str(table[name][0]) for name in (("",) if self.about["wide"] else self.about["series"]))
        if known and own not in known:
            raise SystemExit(f"series {'/'.join(own)} was not in training: its statistics are not known")
        return known.index(own) if known else 0

    def _column(self, table: Table, name: str) -> Array:
        """(rows,) numbers or codes, NaN for empty cells."""
        if name not in table:
            raise SystemExit(f"no column {name}")
        cells = [str(cell) for cell in table[name]]
        if name in self.about["categories"]:
            values = self.about["categories"][name]
            return np.array([values.index(cell) + 1 if cell in values else 0 for cell in cells], dtype=np.float64)
        return np.array([float(cell) if cell else np.nan for cell in cells])

    def _inputs(self, table: Table, index: int) -> Array:
        """(rows, past columns) scaled, empty cells filled with the value before."""
        scaler, targets = self.about["scaler"], self.about["targets"]
        found: dict[str, Array] = {}
        for place, name in enumerate(scaler["columns"]):
            if name not in self.about["inputs"]["past"]:
                continue
            values = self._column(table, name)
            values = np.log(values) if self.about["transform"] == "log" and name in targets else values
            values = (values - scaler["centre"][index][place]) / scaler["spread"][index][place]
            there = ~np.isnan(values)
            newest = np.maximum.accumulate(np.where(there, np.arange(len(values)), -1))
            found[f"observed({name})"] = there.astype(np.float64)
            found[name] = np.where(newest >= 0, values[np.maximum(newest, 0)], 0.0)
        return np.stack([found[name] for name in self.about["inputs"]["past"]], axis=1).astype(np.float32)

    def _static(self, table: Table) -> Array:
        """(static columns,) the series' own values, scaled."""
        scaler = self.about["scaler"]
        values = np.array([self._column(table, name)[0] for name in scaler["static_columns"]])
        centre, spread = (np.array(part) for part in scaler["static"])
        return np.asarray(np.nan_to_num((values - centre) / spread), dtype=np.float32)

    def _level(self, window: Array, kind: str) -> tuple[Array, Array]:
        """(targets,) the level and the spread of a window's targets."""
        own = window[:, : len(self.about["targets"])]
        if kind == "none":
            return np.zeros(own.shape[1], np.float32), np.ones(own.shape[1], np.float32)
        if kind == "last":
            return own[-1], np.ones_like(own[-1])
        return np.asarray(own.mean(axis=0)), np.asarray(np.sqrt(own.var(axis=0) + np.float32(1e-5)))

    def _original(self, found: Array, level: Array, spread: Array, index: int) -> Array:
        """Outputs as probabilities or in original units."""
        about, scaler, targets = self.about, self.about["scaler"], len(self.about["targets"])
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


def rows_of(model: Exported, table: Table) -> Iterable[list[str]]:
    """A header and the rows of an answer."""
    about, answer = model.about, model.answer(table)
    names = [f"p_{label}" for label in about["labels"]] if about["labels"] else [f"{t}_pred" for t in about["targets"]]
    if about["quantiles"]:
        names = [f"{target}_q{level * 100:g}" for target in about["targets"] for level in about["quantiles"]]
    answer = answer[None] if about["task"] in ("classification", "regression") else answer
    yield ["step" if about["horizon"] else "row", *names]
    for number, row in enumerate(answer.reshape(len(answer), -1), 1):
        yield [str(number), *(f"{value:.9g}" for value in row)]


def read_table(model: Exported, file: str, column: str | None) -> Table:
    """The columns of a CSV file of one series; of the wide layout, the series that stands in a column."""
    with open(file, newline="", encoding="utf-8-sig") as stream:
        header, *rows = csv.reader(stream)
    table: dict[str, Sequence[Any]] = dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))
    wide = model.about["wide"]
    if wide:
        name = column or wide[0]
        if name not in table:
            raise SystemExit(f"no column {name}")
        table |= {"value": table[name], "": [name]}
    return table


def main(arguments: Sequence[str], file: Path) -> None:
    """Answer a CSV file on stdout."""
    model = Exported(file)
    if not 1 <= len(arguments) <= 1 + bool(model.about["wide"]):
        more = " and the column of a series" if model.about["wide"] else ""
        raise SystemExit(f"give a CSV file with the rows of one series, the oldest first{more}")
    table = read_table(model, arguments[0], arguments[1] if len(arguments) > 1 else None)
    csv.writer(sys.stdout, lineterminator="\n").writerows(rows_of(model, table))
