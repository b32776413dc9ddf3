"""Rows of cells to numbers of known series, each row checked: what cannot be read is reported with its line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnncli.data.panel import Floats, SeriesId
from rnncli.data.reading.dialect import Dialect, dialect_of, join
from rnncli.errors import DataError, Place, Problem, no_column
from rnncli.stream.cells import number, numbers
from rnncli.stream.clock import Clock, Moment
from rnncli.stream.lines import Block
from rnncli.stream.model import StreamModel
from rnncli.stream.series import Series
from rnncli.stream.turns import Arrivals, Flaw, Read, Turns


class Intake:
    """Reads rows for a model.

    Args:
        model: whose columns are read.
        series: where the series are kept.
        clock: reads the time column.
        name: of the input, for messages.

    Attributes:
        header: names of the columns; none before `begin`.
        problems: what was wrong with rows since this list was emptied, with their lines.
    """

    def __init__(self, model: StreamModel, series: Series, clock: Clock, name: str) -> None:
        self.model, self.clock, self.name = model, clock, name
        self._turns = Turns(model, series, clock)
        self.problems: list[Problem] = []
        self.dialect: Dialect = dialect_of(model.config.data)
        self.header: tuple[str, ...] = ()
        columns = model.columns
        targets = columns.targets if columns.target_is_input else ()
        self._numeric = [name for name in (*targets, *columns.read) if name not in columns.categories]
        self._codes = {
            name: {"": math.nan} | {value: float(code) for code, value in enumerate(values, 1)}
            for name, values in columns.categories.items()
        }

    def begin(self, header: Sequence[str], line: int) -> None:
        """Take the names of the columns.

        Raises:
            DataError: if one that the model reads is not there, or stands there twice.
        """
        for name in self._needed():
            if name not in header:
                raise no_column(name, header, Place(self.name, line))
            if list(header).count(name) > 1:
                raise DataError(f"two columns are called {name}", "rename one", Place(self.name, line))
        self.header = tuple(header)

    def is_header(self, row: Sequence[str]) -> bool:
        """Whether a row names all columns that are read."""
        return set(self._needed()) <= set(row)

    def _needed(self) -> list[str]:
        columns = self.model.columns
        single = [name for name in (columns.time,) if name is not None]
        return [*columns.series, *(self.dialect.joined or single), *self._numeric, *columns.static, *self._codes]

    def report(self, line: int, message: str, column: str | None) -> None:
        """Keep what is wrong with a row."""
        self.problems.append(Problem(message, place=Place(self.name, line, key=column)))

    def take(self, block: Block) -> Arrivals:
        """The rows of a block that can be understood; the others are reported."""
        flaws: dict[int, Flaw] = {}
        for line, message in block.bad:
            self.report(line, message, None)
        width = len(self.header)
        kept = [at for at, row in enumerate(block.rows) if len(row) == width and (width > 1 or row)]
        if len(kept) < len(block.rows):
            self._ragged(block, kept)
        rows = block.rows if len(kept) == len(block.rows) else [block.rows[at] for at in kept]
        lines = block.lines if len(kept) == len(block.rows) else [block.lines[at] for at in kept]
        cells = dict(zip(self.header, zip(*rows, strict=True) if rows else [()] * width, strict=True))
        values = self._values(cells, len(rows), flaws)
        static = self._statics(cells, flaws)
        read = Read(self._keys(cells, len(rows)), self._times(cells, len(rows), flaws), values, static, lines, flaws)
        return self._turns.settle(read, self.report)

    def _ragged(self, block: Block, kept: list[int]) -> None:
        fine = set(kept)
        for at, row in enumerate(block.rows):
            if at not in fine and row:
                self.report(block.lines[at], f"{len(row)} fields where the header has {len(self.header)}", None)

    def _values(self, cells: dict[str, Any], count: int, flaws: dict[int, Flaw]) -> Floats:
        """(rows, targets + read) numbers of the file's columns, NaN where empty or not read."""
        columns = self.model.columns
        names = (*columns.targets, *columns.read)
        values = np.full((count, len(names)), np.nan)
        needed = self.model.config.data.missing == "error"
        for position, name in enumerate(names):
            if name in self._codes:
                codes = self._codes[name]
                values[:, position] = [codes.get(cell, 0.0) for cell in cells[name]]
            elif name in self._numeric:
                values[:, position] = self._column(cells[name], name, flaws)
            else:
                continue
            if needed and np.isnan(values[:, position]).any():
                for row in np.flatnonzero(np.isnan(values[:, position])).tolist():
                    flaws.setdefault(row, ("an empty cell, and data.missing is error", name))
            if position < len(columns.targets) and self.model.scaler.transform == "log":
                for row in np.flatnonzero(values[:, position] <= 0).tolist():
                    flaws.setdefault(row, ("the logarithm of a target needs a number above zero", name))
        return values

    def _column(self, cells: Sequence[str], name: str, flaws: dict[int, Flaw]) -> Floats:
        found = numbers(cells, self.dialect)
        if found is not None:
            return found
        found = np.full(len(cells), np.nan)
        for row, cell in enumerate(cells):
            try:
                found[row] = number(cell, self.dialect)
            except ValueError as error:
                flaws.setdefault(row, (str(error), name))
        return found

    def _times(self, cells: dict[str, Any], count: int, flaws: dict[int, Flaw]) -> list[Moment]:
        name = self.model.columns.time
        if name is None:
            return [None] * count
        read = self.clock.read
        texts = cells[name] if self.dialect.joined is None else join(*(cells[part] for part in self.dialect.joined))
        try:
            return list(map(read, texts))
        except ValueError:
            pass
        times: list[Moment] = []
        for row, cell in enumerate(texts):
            try:
                times.append(read(cell))
            except ValueError:
                times.append(None)
                flaws.setdefault(row, (f"{cell[:60]!r} is not a time like those of training", name))
        return times

    def _keys(self, cells: dict[str, Any], count: int) -> list[SeriesId]:
        """The series of each row; with the wide layout all go together, and the first stands for them."""
        columns = self.model.columns
        if columns.wide:
            return [(columns.targets[0],)] * count
        return list(zip(*(cells[name] for name in columns.series), strict=True)) or [()] * count

    def _statics(self, cells: dict[str, Any], flaws: dict[int, Flaw]) -> Floats | None:
        """(rows, static columns) as they are scaled, NaN where empty."""
        columns = self.model.columns
        if not columns.static:
            return None
        found = []
        for name in columns.static:
            codes = self._codes.get(name)
            if codes is None:
                found.append(self._column(cells[name], name, flaws))
            else:
                found.append(np.array([codes.get(cell, 0.0) for cell in cells[name]]))
        return np.stack(found, axis=1)
