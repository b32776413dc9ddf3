"""Several files with the same columns as one table, read a few megabytes at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnncli.data.reading import forms, moments, parquet, recognition
from rnncli.data.reading.dialect import Dialect
from rnncli.data.reading.joined import joined
from rnncli.data.reading.numbers import MISSING, as_numbers, not_numbers, plain_numbers
from rnncli.data.reading.readings import Seen, numbers_of
from rnncli.data.reading.sources import Source, expand
from rnncli.data.reading.tables import Hash, Part, open_table
from rnncli.errors import DataError, Place

__all__ = ["Tables", "as_numbers", "not_numbers", "open_tables"]

_JUDGED = 1000  # rows by which it is known whether a column holds numbers


@dataclass(frozen=True)
class Tables:
    """One or several files with the same columns, read as one table.

    Attributes:
        parts: the files.
        dialect: how their cells are written.
        sha256: of headers and rows.
        remarks: warnings that are due when the numbers are read.
        tell: takes a warning; each comes once.
    """

    parts: tuple[Part, ...]
    dialect: Dialect
    sha256: str
    remarks: tuple[str, ...]
    tell: Callable[[str], None]
    _told: set[str] = field(default_factory=set, compare=False)

    def __len__(self) -> int:
        return sum(len(part.lines) for part in self.parts)

    @property
    def header(self) -> tuple[str, ...]:
        """Column names."""
        return self.parts[0].header

    def joining(self, time: str, clock: str) -> Tables:
        """The same with dates and their clocks in one column.

        Raises:
            DataError: if one of the columns is not there.
        """
        parts = tuple(joined(part, time, clock) for part in self.parts)
        return replace(self, parts=parts, dialect=replace(self.dialect, joined=(time, clock)))

    def digest(self) -> str:
        """SHA-256 of headers and rows."""
        return self.sha256

    def warn(self, text: str) -> None:
        """Say once what may be a mistake in the data."""
        if text not in self._told:
            self._told.add(text)
            self.tell(text)

    def place(self, row: int, column: str | None = None) -> Place:
        """Where in the files a row stands."""
        for part in self.parts:
            if row < len(part.lines):
                return Place(part.file, part.lines[row], key=column)
            row -= len(part.lines)
        raise IndexError(row)

    def frames(self, columns: Sequence[str], kind: type[str] | None) -> Iterator[pd.DataFrame]:
        """The columns, some rows at a time: as text, or (None) as numbers wherever such a chunk holds nothing else."""
        for part in self.parts:
            yield from part.frames(columns, kind)

    def frame(self, columns: Sequence[str], kind: type = str, rows: int | None = None) -> pd.DataFrame:
        """The columns at once as one kind of value: ``str``, or float64 with NaN for an empty cell.

        Raises:
            DataError: if a cell is not of that kind.
        """
        if kind is not str:
            return pd.DataFrame(self.numbers(columns), columns=pd.Index(columns))[:rows]
        found: list[pd.DataFrame] = []
        count = 0
        for frame in self.frames(columns, str):
            found.append(frame)
            count += len(frame)
            if rows is not None and count >= rows:
                break
        return (found[0] if len(found) == 1 else pd.concat(found, ignore_index=True))[:rows]

    def texts(self, column: str) -> Iterator[pd.Series[str]]:
        """A column as text, some rows at a time."""
        for frame in self.frames([column], str):
            yield frame[column]

    def numeric(self, names: Sequence[str]) -> list[str]:
        """Which of the columns hold numbers, judged by their first thousand rows."""
        if not names:
            return []
        frame = self.frame(names, str, rows=_JUDGED)
        return [name for name in names if _holds_numbers(frame[name], self.dialect)]

    def numbers(
        self, names: Sequence[str], into: NDArray[np.float64] | None = None, at: Sequence[int] | None = None
    ) -> NDArray[np.float64]:
        """(rows, names) numbers, NaN where a cell is empty; True and False are 1 and 0 in a column of nothing else.

        Args:
            names: columns.
            into: an array of as many rows to fill instead of a new one.
            at: which of its columns; None for its first ones.

        Raises:
            DataError: for a cell that is neither empty nor a finite float32 number, or a whole number beyond 64 bits.
        """
        values = np.empty((len(self), len(names))) if into is None else into
        seen = Seen()
        row = 0
        for frame in self.frames(names, None) if names else ():
            for position, name in zip(range(len(names)) if at is None else at, names, strict=True):
                values[row : row + len(frame), position] = numbers_of(self, frame[name], name, row, seen)
            row += len(frame)
        for text in self.remarks:
            self.warn(text)
        return values

    def chunk(self, above: int, column: str) -> pd.Series[str]:
        """The chunk of a column that begins after the given number of rows, as text."""
        row = 0
        for texts in self.texts(column):
            if row == above:
                return texts
            row += len(texts)
        raise IndexError(above)

    def cell(self, row: int, column: str) -> str:
        """The text of one cell."""
        for texts in self.texts(column):
            if row < len(texts):
                return str(texts.iloc[row])
            row -= len(texts)
        raise IndexError(row)

    def times(self, column: str, form: str | None, keys: moments.Keys | None = None) -> tuple[NDArray[np.generic], str]:
        """(rows,) the times of a column, and their form.

        Args:
            column: its name.
            form: as an earlier call settled it, or a strptime format; None to recognise it by the first cell.
            keys: gives the series of every row, within which a local time may come twice.

        Raises:
            DataError: for a cell that is no time.
        """
        try:
            first = str(next(self._times(column)).iloc[0])
            found = [form] if form else recognition.recognise(first, self.dialect.time_unit)
            return moments.read_column(lambda: self._times(column), len(self), found, self.dialect.time_zone, keys)
        except forms.TimeError as error:
            raise DataError(error.message, error.hint, self.place(error.row, column)) from None

    def _times(self, column: str) -> Iterator[pd.Series[str]]:
        """A column as text, numbers in it with a decimal point whatever the dialect."""
        plain = self.dialect.decimal == "." and self.dialect.thousands is None
        for texts in self.texts(column):
            yield texts if plain else plain_numbers(texts, self.dialect).fillna(texts)

    def codes(self, names: Sequence[str]) -> tuple[NDArray[np.signedinteger[Any]], list[tuple[str, ...]]]:
        """(rows,) the number of each row's values in `names`, as text, and these values as they first appear."""
        codes = np.empty(len(self), dtype=np.int32)
        known: dict[tuple[str, ...], int] = {}
        row = 0
        for frame in self.frames(names, str):
            found, unique = pd.factorize(pd.MultiIndex.from_frame(frame) if len(names) > 1 else frame.iloc[:, 0])
            keys = [tuple(map(str, key)) if isinstance(key, tuple) else (str(key),) for key in unique]
            numbers = np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.int32)
            codes[row : row + len(frame)] = numbers[found]
            row += len(frame)
        return codes, list(known)


def _holds_numbers(texts: pd.Series[str], dialect: Dialect) -> bool:
    filled = texts[~texts.isin(MISSING)]
    return bool(len(filled)) and bool(plain_numbers(filled, dialect).notna().all())


def _open_part(file: str, dialect: Dialect, digest: Hash, warnings: list[str], known: Source | None) -> Part:
    if file.endswith(parquet.ENDING):
        return parquet.open_parquet(file, dialect, digest)
    return open_table(file, dialect, digest, warnings, known)


def open_tables(
    path: str | Sequence[str],
    dialect: Dialect = Dialect(),
    tell: Callable[[str], None] = lambda text: None,
    known: Source | None = None,
) -> Tables:
    """Open the files at `path`, check every row of them, and that their columns agree.

    Args:
        path: a file, a glob, a list of them, or ``-``.
        dialect: how they are written.
        tell: takes a warning.
        known: one of the files, if it was read before: stdin can be read only once.

    Raises:
        DataError, UsageError, ResourceError: as `expand` and `open_table` do.
    """
    digest = hashlib.sha256()
    warnings: list[str] = []
    read = {known.path: known} if known else {}
    parts = tuple(_open_part(file, dialect, digest, warnings, read.get(file)) for file in expand(path))
    for part in parts[1:]:
        if set(part.header) != set(parts[0].header):
            odd = ", ".join(sorted(set(part.header) ^ set(parts[0].header)))
            raise DataError(f"other columns than {parts[0].file}: {odd}", "rename them", place=Place(part.file, 1))
    tables = Tables(parts, dialect, digest.hexdigest(), tuple(warnings), tell)
    return tables if dialect.joined is None else tables.joining(*dialect.joined)
