"""One chunk of a column as numbers, and what is said of a cell that is none, too large, or too long to be exact."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnncli.data.reading.numbers import (
    EXACT_UP_TO,
    LARGEST,
    as_numbers,
    as_truth,
    not_numbers,
    number_hint,
    whole_digits,
)
from rnncli.errors import DataError

if TYPE_CHECKING:
    from rnncli.data.reading.frames import Tables

_SHOWN = 3  # bad cells in a message
_MOST_DIGITS = len(str(2**64))


@dataclass
class Seen:
    """What was met in earlier chunks: whether a column holds True and False, and where it began to lose digits."""

    truth: dict[str, bool] = field(default_factory=dict)
    long: set[str] = field(default_factory=set)


def numbers_of(tables: Tables, cells: pd.Series[Any], name: str, above: int, seen: Seen) -> NDArray[np.float64]:
    """Some cells of a column as numbers.

    Args:
        tables: where they stand.
        cells: as pandas read them: numbers, truth values, or text if any cell is something else.
        name: of the column.
        above: rows before them.
        seen: what was met there.

    Raises:
        DataError: for a cell that is neither empty nor a finite float32 number, or a whole number beyond 64 bits.
    """
    if cells.dtype.kind in "iufb":
        values, truth = cells.to_numpy(dtype=np.float64), cells.dtype.kind == "b"
    else:
        values, truth = _from_text(tables, cells, name)
    if not np.isnan(values).all() and seen.truth.setdefault(name, truth) != truth:
        raise _not_numbers(tables, name)
    with np.errstate(invalid="ignore"):
        large, long = np.abs(values) > LARGEST, np.abs(values) >= EXACT_UP_TO
    if large.any():
        raise _too_large(tables, name, above + int(np.flatnonzero(large)[0]))
    if long.any():
        _check_long(tables, name, above, np.flatnonzero(long), seen)
    return values


def _from_text(tables: Tables, cells: pd.Series[Any], name: str) -> tuple[NDArray[np.float64], bool]:
    """Numbers that pandas did not see, and whether they are True and False."""
    texts = cells.astype(object).where(cells.notna(), "").astype(str)
    if not not_numbers(texts, tables.dialect).any():
        return np.asarray(as_numbers(texts, tables.dialect), dtype=np.float64), False
    truth = as_truth(texts)
    if truth is None:
        raise _not_numbers(tables, name)
    return np.asarray(truth, dtype=np.float64), True


def _not_numbers(tables: Tables, name: str) -> DataError:
    """The first cells of a column that are no numbers, and how many more there are."""
    rows: list[int] = []
    shown: list[str] = []
    count = above = 0
    for texts in tables.texts(name):
        bad = np.flatnonzero(not_numbers(texts, tables.dialect).to_numpy(dtype=bool))
        for row in bad[: _SHOWN - len(rows)]:
            rows.append(above + int(row))
            shown.append(str(texts.iloc[row]))
        count, above = count + len(bad), above + len(texts)
    pairs = zip(shown, rows, strict=True)
    cells = ", ".join(f"{_clip(text)} in line {tables.place(row).line}" for text, row in pairs)
    more = f" and {count - _SHOWN:,} more" if count > _SHOWN else ""
    hint = number_hint(shown, name, tables.dialect, first=rows == [0])
    return DataError(f"not a number: {cells}{more}", hint, tables.place(rows[0], name))


def _too_large(tables: Tables, name: str, row: int) -> DataError:
    text = tables.cell(row, name)
    hint = "leave the cell empty and set data.missing" if "inf" in text.lower() else "it overflows: rescale the column"
    return DataError(f"{_clip(text)} is not a finite float32 number", hint, tables.place(row, name))


def _check_long(tables: Tables, name: str, above: int, rows: NDArray[np.int64], seen: Seen) -> None:
    """Warn of whole numbers that lose digits; refuse those that no machine number of 64 bits holds."""
    texts = tables.chunk(above, name).iloc[rows]
    for row, text, digits in zip(rows.tolist(), texts, whole_digits(texts, tables.dialect), strict=True):
        if not digits or int(digits) <= EXACT_UP_TO:
            continue
        place = tables.place(above + row, name)
        if len(digits) > _MOST_DIGITS or int(digits) >= 2**64:
            message = f"{_clip(text)} has {len(digits)} digits, more than a number keeps"
            raise DataError(message, "an id belongs into data.series; else rescale the column", place)
        if name not in seen.long:
            seen.long.add(name)
            tables.warn(f"{place}: whole numbers beyond 2^53 lose their last digits in precision")


def _clip(text: str, most: int = 60) -> str:
    return repr(text if len(text) <= most else text[:most] + "…")
