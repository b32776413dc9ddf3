"""Several delimited files with the same columns, read by pandas as one table."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rnncli.data.tables import Table, expand, open_table
from rnncli.errors import DataError, Place

# pandas 3 reads every digit of a number by itself; older ones have to be told
EXACT: dict[str, Any] = {} if int(pd.__version__.split(".")[0]) >= 3 else {"float_precision": "round_trip"}
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")


@dataclass(frozen=True)
class Tables:
    """One or several files with the same columns, read as one table."""

    parts: tuple[Table, ...]

    @property
    def header(self) -> tuple[str, ...]:
        return self.parts[0].header

    def __len__(self) -> int:
        """How many rows stand below the headers."""
        return sum(len(part.lines) for part in self.parts)

    def place(self, row: int, column: str | None = None) -> Place:
        """Where in the files a row stands."""
        for part in self.parts:
            if row < len(part.lines):
                return Place(part.file, int(part.lines[row]), key=column)
            row -= len(part.lines)
        raise IndexError(row)

    def frame(self, columns: Sequence[str], kind: str | type, rows: int | None = None) -> pd.DataFrame:
        """The columns as one kind of value: ``str``, or float64 with NaN for an empty cell.

        Raises:
            ValueError: if a cell is not of that kind.
        """
        frames: list[pd.DataFrame] = []
        for part in self.parts:
            order = [part.header.index(column) for column in columns]
            frame = pd.read_csv(
                io.BytesIO(part.body),
                sep=part.delimiter,
                header=None,
                usecols=order,
                dtype=kind,
                nrows=rows,
                keep_default_na=False,
                na_values=[] if kind is str else list(MISSING),
                index_col=False,
                skip_blank_lines=False,
                **EXACT,
            )
            frame = frame[order]
            frame.columns = pd.Index(columns)
            frames.append(frame)
        return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)

    def digest(self) -> str:
        """SHA-256 of headers and rows."""
        digest = hashlib.sha256()
        for part in self.parts:
            digest.update("\x1f".join(part.header).encode() + b"\n")
            digest.update(part.body)
        return digest.hexdigest()


def open_tables(path: str | Sequence[str], first: bytes | None = None) -> Tables:
    """Open the files at `path` and check that their columns agree. `first` is what the first holds, if it was read.

    Raises:
        DataError, UsageError, ResourceError: as `expand` and `open_table` do.
    """
    files = expand(path)
    parts = tuple(open_table(file, None if position else first) for position, file in enumerate(files))
    for part in parts[1:]:
        if set(part.header) != set(parts[0].header):
            odd = ", ".join(sorted(set(part.header) ^ set(parts[0].header)))
            raise DataError(f"other columns than {parts[0].file}: {odd}", place=Place(part.file, 1))
    return Tables(parts)


def as_numbers(texts: pd.Series[str]) -> pd.Series[float]:
    """Cells as numbers, NaN where they are empty or no number."""
    return pd.to_numeric(texts.where(~texts.isin(MISSING)), errors="coerce")


def not_numbers(texts: pd.Series[str]) -> pd.Series[bool]:
    """Which cells are neither empty nor a number."""
    return as_numbers(texts).isna() & ~texts.isin(MISSING)
