"""Where the rows of a delimited text end and how many cells they have, found with NumPy.

A text whose quotes stand in odd places is left to the stdlib's reader.
"""

from __future__ import annotations

import csv
import io
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_FIELD = 1 << 20
LF = 10

Positions = NDArray[np.int64]

_QUOTE = 34


class Marks(NamedTuple):
    """Where the complete rows of a text end, and how many cells each has; a blank row ends where it starts."""

    starts: Positions
    ends: Positions
    widths: Positions


class QuoteError(Exception):
    """Quotes that cannot be understood; `lines` above the row where they stand."""

    def __init__(self, message: str, lines: int) -> None:
        super().__init__(message)
        self.lines = lines


def mark(text: bytes, delimiter: str) -> Marks | None:
    """The rows of a text; None if its quotes stand where only a reader by character understands them."""
    data = np.frombuffer(text, dtype=np.uint8)
    ends, commas = np.flatnonzero(data == LF), np.flatnonzero(data == ord(delimiter))
    if b'"' in text:
        quotes = np.flatnonzero(data == _QUOTE)
        if not _paired(data, quotes, delimiter):
            return None
        ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
        commas = commas[np.searchsorted(quotes, commas) % 2 == 0]
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    separators = np.searchsorted(commas, ends)
    return Marks(starts, ends, np.diff(separators, prepend=0) + 1)


def _paired(data: NDArray[np.uint8], quotes: Positions, delimiter: str) -> bool:
    """Whether every odd quote opens a cell (or follows a quote: it is doubled) and every even one closes it."""
    edge = np.zeros(256, dtype=bool)
    edge[[LF, _QUOTE, ord(delimiter)]] = True
    opening, closing = quotes[::2], quotes[1::2]
    before = data[np.maximum(opening - 1, 0)]
    opens = (opening == 0) | edge[before]
    after = data[np.minimum(closing + 1, len(data) - 1)]
    closes = (closing == len(data) - 1) | edge[after]
    return bool(opens.all() and closes.all())


def reader(text: bytes, delimiter: str) -> Any:
    csv.field_size_limit(MAX_FIELD)
    return csv.reader(io.StringIO(text.decode(), newline=""), delimiter=delimiter, strict=True)


def mark_odd(text: bytes, delimiter: str, last: bool) -> Marks:
    """The rows as the stdlib's reader finds them.

    Raises:
        QuoteError: if it cannot.
    """
    found = reader(text, delimiter)
    lines, widths, before = [], [], 0
    try:
        for row in found:
            lines.append(found.line_num)
            widths.append(max(1, len(row)))
            before = found.line_num
    except csv.Error as error:
        if last or "end of data" not in str(error):
            raise QuoteError(str(error), before) from None
    newlines = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == LF)
    whole = [line for line in lines if line <= len(newlines)]
    ends = newlines[np.array(whole, dtype=np.int64) - 1]
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    return Marks(starts, ends, np.array(widths[: len(whole)], dtype=np.int64))


def without_blank(text: bytes, delimiter: str) -> bytes:
    """Whole rows less the blank ones among them."""
    marks = mark(text, delimiter) or mark_odd(text, delimiter, last=True)
    blank = marks.ends[marks.ends == marks.starts]
    return np.delete(np.frombuffer(text, dtype=np.uint8), blank).tobytes()
