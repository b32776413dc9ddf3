"""A CSV file answered by an exported model: series by series, in the columns of the trained model's answers."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from rnncli.export.recipe import Exported, Id, Table
from rnncli.export.recipe_cells import Unanswered


class Rows:
    """The rows of one series of a file.

    Attributes:
        cells: by column.
        lines: of the file, a number a row.
    """

    def __init__(self, header: Sequence[str]) -> None:
        self.cells: dict[str, list[str]] = {name: [] for name in header}
        self.lines: list[int] = []

    def add(self, row: Sequence[str], line: int) -> None:
        """Take in one more row."""
        for name, cell in zip(self.cells, row, strict=True):
            self.cells[name].append(cell)
        self.lines.append(line)

    def join(self, time: str, clock: str) -> None:
        """Dates and their clocks in one column."""
        dates, clocks = self.cells[time], self.cells.pop(clock)
        self.cells[time] = [f"{date.strip()} {own.strip()}".strip() for date, own in zip(dates, clocks, strict=True)]

    def check_order(self, time: str | None) -> None:
        """See that the rows come in the order of their times, as far as times of any form can be compared.

        Raises:
            Unanswered: for the first row that does not.
        """
        cells: list[Any] = list(self.cells.get(time or "", ()))
        try:
            cells = [float(cell) for cell in cells]
        except ValueError:
            if not all(cell[:4].isdigit() and len(cell) == len(cells[0]) for cell in cells):
                return
        for row, (before, cell) in enumerate(pairwise(cells), 1):
            if cell <= before:
                raise Unanswered(f"{time}: rows of a series stand in the order of time", row)


def read_rows(model: Exported, file: str) -> dict[Id, Rows]:
    """The rows of every series of a file, in the order in which series begin; of the wide layout, all as one."""
    written, names = model.about["written"], model.about["series"]
    between = {None: "\t" if file.endswith(".tsv") else ",", "tab": "\t", "\\t": "\t"}
    between_cells = between.get(written["delimiter"], written["delimiter"])
    found: dict[Id, Rows] = {}
    with open(file, newline="", encoding=written["encoding"]) as stream:
        reader = csv.reader(stream, delimiter=between_cells)
        header = [name.removeprefix("\ufeff") for name in next(reader, [])]
        for name in [*names, *(written["joined"] or ())]:
            if name not in header:
                raise Unanswered(f"no column {name}")
        for row in reader:
            if row and len(row) != len(header):
                raise Unanswered(f"line {reader.line_num}: {len(row)} cells, the header has {len(header)}")
            if row:
                key = tuple(row[header.index(name)] for name in names)
                found.setdefault(key, Rows(header)).add(row, reader.line_num)
    if not found:
        raise Unanswered("no rows")
    for rows in found.values() if written["joined"] else ():
        rows.join(*written["joined"])
    return found


def header_of(about: dict[str, Any]) -> list[str]:
    """The columns of answers: those of the trained model's, except for the times of forecasts."""
    names = [*about["series"], *([about["time"]] if about["time"] and not about["horizon"] else [])]
    if about["horizon"]:
        endings = ["pred", *(f"q{level * 100:g}" for level in about["quantiles"])]
        return [*names, "step", *(f"{name}_{ending}" for name in about["targets"] for ending in endings)]
    if about["labels"]:
        return [*names, "prediction", *(f"p_{label}" for label in about["labels"])]
    chances = [f"p_{name}" for name in about["targets"]] if about["binary"] else []
    return [*names, *(f"{name}_pred" for name in about["targets"]), *chances]


def answers(model: Exported, found: dict[Id, Rows]) -> Iterator[list[str]]:
    """The rows of all answers."""
    about = model.about
    for key, rows in found.items():
        try:
            rows.check_order(about["time"])
            numbers = _steps(model, key, rows.cells)
        except Unanswered as problem:
            who = f"series {'/'.join(key)}: " if key else ""
            where = "" if problem.row is None else f"line {rows.lines[problem.row]}: "
            raise Unanswered(f"{where}{who}{problem}") from None
        times = rows.cells.get(about["time"] or "", [])[-len(numbers) :]
        for step, row in enumerate(numbers):
            begin = [str(step + 1)] if about["horizon"] else [times[step]] if about["time"] else []
            yield [*key, *begin, *_words(about, row), *(f"{value:.9g}" for value in row)]


def _steps(model: Exported, key: Id, cells: Table) -> list[list[float]]:
    """The numbers of each row of an answer."""
    about = model.about
    if about["wide"]:
        own = [model.answer({**cells, "value": cells.get(name, [])}, (name,)) for name in about["wide"]]
        return [[float(value) for part in step for value in part.reshape(-1)] for step in zip(*own, strict=True)]
    found = model.answer(cells, key)
    if about["quantiles"]:  # the forecast itself is the median
        found = np.concatenate([found[..., [about["quantiles"].index(0.5)]], found], axis=-1)
    found = found[None] if about["task"] in ("classification", "regression") else found
    return [[float(value) for value in row] for row in found.reshape(len(found), -1)]


def _words(about: dict[str, Any], row: Sequence[float]) -> list[str]:
    """What is said before the numbers: the likeliest label, or of 0/1 columns the likelier value."""
    if about["labels"]:
        return [about["labels"][row.index(max(row))]]
    return [str(int(value > 0.5)) for value in row] if about["binary"] else []


def main(arguments: Sequence[str], file: Path) -> None:
    """Answer a CSV file on stdout."""
    if len(arguments) != 1:
        raise SystemExit("give a CSV file, the oldest row of every series first")
    model = Exported(file)
    try:
        rows = list(answers(model, read_rows(model, arguments[0])))
    except (Unanswered, OSError, UnicodeDecodeError, csv.Error) as problem:
        text = problem.strerror if isinstance(problem, OSError) else problem
        raise SystemExit(f"{arguments[0]}: {text}") from None
    csv.writer(sys.stdout, lineterminator="\n").writerows([header_of(model.about), *rows])
