"""The rows of a delimited text, marked and measured in blocks, with the line on which each starts.

A block is a few megabytes of whole rows. Everything is found with NumPy in one pass over a block; a text whose quotes
stand in odd places is left to the stdlib's reader, a block at a time.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnncli.data.reading.marks import LF, MAX_FIELD, Marks, Positions, QuoteError, mark, mark_odd, reader, without_blank
from rnncli.errors import DataError, Place

MAX_ROW = 1 << 26
SHOWN = 3  # lines of ragged rows in a message


class Block(NamedTuple):
    """Some whole rows of a text.

    Attributes:
        size: bytes.
        rows: how many there are, without blank ones.
        blank: whether blank lines stand among them.
        sum: their CRC-32, by which a file that changes between two readings is noticed.
    """

    size: int
    rows: int
    blank: bool
    sum: int


@dataclass(frozen=True)
class Lines:
    """(rows,) the line on which each row starts: row + `ahead`, where `ahead` changes at the rows `at`."""

    count: int
    at: Positions
    ahead: Positions

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> int:
        return row + int(self.ahead[np.searchsorted(self.at, row, side="right") - 1])


@dataclass
class Rows:
    """The rows below a header, checked block by block as they pass through `check`.

    Attributes:
        name: of the file, for messages.
        delimiter: one character.
        header: column names.
        line: the line on which the next row starts.
    """

    name: str
    delimiter: str
    header: tuple[str, ...]
    line: int

    def __post_init__(self) -> None:
        self.count = 0
        self.blocks: list[Block] = []
        self._at: list[Positions] = []
        self._ahead: list[Positions] = []
        self._last = -1
        self._ragged: tuple[str, str] | None = None
        self._ragged_lines: list[int] = []
        self._ragged_count = 0

    def check(self, texts: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the rows in blocks, without blank ones.

        Raises:
            DataError: with the line of a row that has not the header's width, of an unterminated quote and the like.
        """
        try:
            yield from self._checked(texts)
        except DataError:
            self._refuse_ragged()
            raise
        self._refuse_ragged()

    def _checked(self, texts: Iterable[bytes]) -> Iterator[bytes]:
        rest = b""
        for text, last in _with_last(texts):
            rest += text
            marks = self._marks(rest, last)
            if len(marks.ends):
                cut = int(marks.ends[-1]) + 1
                block, rest = rest[:cut], rest[cut:]
                yield self._block(block, marks)
            self._refuse_endless(rest, last)

    def lines(self) -> Lines:
        """The line of every row that was checked."""
        empty: Positions = np.empty(0, dtype=np.int64)
        return Lines(self.count, np.concatenate([empty, *self._at]), np.concatenate([empty, *self._ahead]))

    def _block(self, text: bytes, marks: Marks) -> bytes:
        filled = marks.ends > marks.starts if len(self.header) > 1 else np.ones(len(marks.ends), dtype=bool)
        self._note_ragged(text, marks, filled)
        self._refuse_huge(text, marks)
        self._count_lines(text, marks, filled)
        blank = not bool(filled.all())
        rows = int(filled.sum())
        self.blocks.append(Block(len(text), rows, blank, zlib.crc32(text)))
        self.count += rows
        self.line += text.count(b"\n")
        return without_blank(text, self.delimiter) if blank else text

    def _marks(self, text: bytes, last: bool) -> Marks:
        marks = mark(text, self.delimiter)
        if marks is not None and not (last and b'"' in text[int(marks.ends[-1]) + 1 if len(marks.ends) else 0 :]):
            return marks
        try:
            return mark_odd(text, self.delimiter, last)
        except QuoteError as error:
            raise self._bad_quotes(text, error) from None

    def _bad_quotes(self, text: bytes, error: QuoteError) -> DataError:
        what = "an unterminated quote" if "end of data" in str(error) else str(error)
        if "field limit" in what:
            what = "an unterminated quote, or a cell of over a million characters"
        return DataError(what, "look at the quotes from here on", Place(self.name, self.line + error.lines))

    def _line_of(self, text: bytes, start: int) -> int:
        return self.line + text.count(b"\n", 0, start)

    def _note_ragged(self, text: bytes, marks: Marks, filled: NDArray[np.bool_]) -> None:
        """Keep the problem of the first row that has not the header's width, and the lines of the next."""
        wrong = np.flatnonzero(filled & (marks.widths != len(self.header)))
        if len(wrong) and self._ragged is None:
            row = int(wrong[0])
            cells = text[int(marks.starts[row]) : int(marks.ends[row])].decode()
            found = int(marks.widths[row])
            first = self.count == 0 and not (marks.ends > marks.starts)[:row].any()
            hint = ragged_hint(cells, found, self.header, self.delimiter, first=first)
            self._ragged = f"{found} fields where the header has {len(self.header)}", hint
        for row in wrong[: SHOWN - len(self._ragged_lines)]:
            self._ragged_lines.append(self._line_of(text, int(marks.starts[row])))
        self._ragged_count += len(wrong)

    def _refuse_ragged(self) -> None:
        """Refuse rows that have not the header's width, if there are any: what follows may be wrong because of them."""
        if self._ragged is None:
            return
        message, hint = self._ragged
        line, *others = self._ragged_lines
        if others:
            more = f" and {self._ragged_count - SHOWN:,} more" if self._ragged_count > SHOWN else ""
            word = "line" if self._ragged_count == 2 else "lines"
            message += f", and other widths in {word} {', '.join(map(str, others))}{more}"
        raise DataError(message, hint, Place(self.name, line))

    def _refuse_huge(self, text: bytes, marks: Marks) -> None:
        for row in np.flatnonzero(marks.ends - marks.starts > MAX_FIELD):
            start, end = int(marks.starts[row]), int(marks.ends[row])
            cells = text[start:end]
            try:
                longest = max(len(cell) for cell in next(reader(cells, self.delimiter)))
            except csv.Error:
                longest = MAX_FIELD + 1
            if longest > MAX_FIELD:
                raise self._huge(self._line_of(text, start))

    def _refuse_endless(self, rest: bytes, last: bool) -> None:
        """A row that does not end may be wide, but no cell of it may be huge."""
        if len(rest) <= MAX_FIELD or last:
            return
        quoted = rest.count(b'"') % 2 == 1
        since = rest.rfind(b'"') if quoted else rest.rfind(self.delimiter.encode())
        if len(rest) - since > MAX_FIELD or len(rest) > MAX_ROW:
            raise self._huge(self.line, quoted)

    def _huge(self, line: int, quoted: bool = False) -> DataError:
        what = "a cell of over a million characters"
        if quoted:
            return DataError(
                f"{what}, or an unterminated quote", "look at the quotes from here on", Place(self.name, line)
            )
        return DataError(what, "is this a table?", Place(self.name, line))

    def _count_lines(self, text: bytes, marks: Marks, filled: NDArray[np.bool_]) -> None:
        """Note the rows at which the lines run further ahead of the rows than before."""
        newlines = text.count(b"\n")
        rows = int(filled.sum())
        if newlines == rows:
            ahead = np.array([self.line - self.count], dtype=np.int64)
        else:
            above = np.searchsorted(np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == LF), marks.starts[filled])
            ahead = self.line + above - (self.count + np.arange(rows))
        changes = np.flatnonzero(np.diff(ahead, prepend=self._last))
        if len(changes):
            self._at.append(self.count + changes)
            self._ahead.append(ahead[changes])
            self._last = int(ahead[-1])


def _with_last(texts: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each text, and whether it is the last."""
    before: bytes | None = None
    for text in texts:
        if before is not None:
            yield before, False
        before = text
    if before is not None:
        yield before, True


def ragged_hint(cells: str, found: int, header: tuple[str, ...], delimiter: str, *, first: bool) -> str:
    """What may be wrong with a row that has `found` cells, the first one below the header or a later one."""
    if cells.startswith("#"):
        return "is it a comment? remove it"
    if not cells.strip() or cells.strip() == "\x1a":
        return "only spaces stand in the line: remove it"
    if first and len(header) == 1:
        return "remove the lines above the names of the columns"
    if first and found == len(header) + 1 and cells.endswith(delimiter):
        return "every row ends in one more delimiter: end the header in one too, or remove them"
    if first and found == len(header) - 1 and not header[-1]:
        return "the header ends in one more delimiter: remove it"
    if first and delimiter == "," and found > len(header):
        return "is the decimal sign a comma? put such cells in quotes and set data.decimal: ','"
    return "is a quote or a delimiter missing?"
