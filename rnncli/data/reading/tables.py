"""A CSV file that pandas cannot misread: every row's width is checked before a cell is read.

pandas shifts or fills ragged rows without a word, opens URLs, and reads binary files as text; all that is refused
here, with file and line. A file is never held: it is checked in one pass, and read again for every set of columns.
"""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Protocol

import pandas as pd

from rnncli.data.reading.dialect import Dialect
from rnncli.data.reading.marks import MAX_FIELD, without_blank
from rnncli.data.reading.numbers import MISSING, is_number
from rnncli.data.reading.rows import MAX_ROW, Block, Lines, Rows
from rnncli.data.reading.sources import Source, pieces, source
from rnncli.data.reading.text import plain_text
from rnncli.errors import DataError, Place

# pandas 3 reads every digit of a number by itself; older ones have to be told
EXACT: dict[str, Any] = {} if int(pd.__version__.split(".")[0]) >= 3 else {"float_precision": "round_trip"}

_WORDS = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}
_DECIMAL_COMMA = re.compile(rb"[;\t|]\s*[-+]?[0-9.]+,[0-9]")
_TIME = re.compile(r"[0-9]{4}[-/][0-9]{1,2}([-/][0-9]{1,2})?([ T].*)?")


class Hash(Protocol):
    """What takes the bytes that are read."""

    def update(self, data: bytes, /) -> None:
        """Take some more."""


class Part(Protocol):
    """A file as part of a table, whatever its format."""

    @property
    def file(self) -> str:
        """Its name for messages."""

    @property
    def header(self) -> tuple[str, ...]:
        """Column names."""

    @property
    def lines(self) -> Lines:
        """(rows,) line in the file where each row starts."""

    def frames(self, columns: Sequence[str], kind: type[str] | None) -> Iterator[pd.DataFrame]:
        """The columns, some megabytes at a time: as text, or (None) as numbers wherever a column holds nothing else."""


@dataclass(frozen=True)
class Table:
    """A delimited file whose rows all have the header's width.

    Attributes:
        source: the file.
        header: column names.
        dialect: with the delimiter that the file has.
        above: bytes of text over the first row.
        blocks: the rows, a few megabytes each.
        lines: (rows,) line in the file where each row starts.
    """

    source: Source
    header: tuple[str, ...]
    dialect: Dialect
    above: int
    blocks: tuple[Block, ...]
    lines: Lines

    @property
    def file(self) -> str:
        """Its name for messages."""
        return self.source.name

    def frames(self, columns: Sequence[str], kind: type[str] | None) -> Iterator[pd.DataFrame]:
        """The columns, block by block: as text, or (None) as numbers wherever a block of a column holds nothing else.

        Raises:
            DataError: if the file is not what it was when it was checked.
        """
        order = [self.header.index(column) for column in columns]
        for block, text in zip(self.blocks, self._texts(), strict=True):
            if not block.rows:
                continue
            frame = pd.read_csv(
                io.BytesIO(text),
                sep=self.dialect.delimiter,
                header=None,
                usecols=order,
                dtype=kind,
                decimal=self.dialect.decimal,
                keep_default_na=False,
                na_values=list(MISSING),
                na_filter=kind is not str,
                index_col=False,
                skip_blank_lines=False,
                low_memory=False,
                **EXACT,
            )
            if len(frame) != block.rows:  # cannot be: the rows were counted
                raise AssertionError(f"{self.file}: {len(frame)} rows of {block.rows}")
            frame = frame[order]
            frame.columns = pd.Index(columns)
            yield frame

    def _texts(self) -> Iterator[bytes]:
        """The blocks, read anew."""
        texts = plain_text(pieces(self.source, again=True), self.file, self.dialect.encoding)
        rest = _take(texts, b"", self.above)[1]
        for block in self.blocks:
            text, rest = _take(texts, rest, block.size)
            if zlib.crc32(text) != block.sum:
                raise DataError("has changed while it was read", "copy it, and read the copy", Place(self.file))
            yield without_blank(text, str(self.dialect.delimiter)) if block.blank else text


def _take(texts: Iterator[bytes], rest: bytes, size: int) -> tuple[bytes, bytes]:
    """`size` bytes of `rest` and what follows it, and what is left."""
    while len(rest) < size and (text := next(texts, b"")):
        rest += text
    return rest[:size], rest[size:]


def open_table(file: str, dialect: Dialect, digest: Hash, warnings: list[str], known: Source | None = None) -> Table:
    """Check a delimited file in one pass.

    Args:
        file: its name, or ``-``.
        dialect: how it is written; tabs stand between the cells if its name ends in .tsv, else commas.
        digest: takes header and rows.
        warnings: takes what may be a mistake.
        known: the file, if it was read before.

    Raises:
        DataError: with the line of whatever is not a rectangular table with a header.
    """
    opened = known or source(file)
    dialect = replace(dialect, delimiter=dialect.between(file))
    delimiter = str(dialect.delimiter)
    texts = plain_text(pieces(opened, again=known is not None), opened.name, dialect.encoding)
    header, start, above = _header(texts, opened.name, delimiter)
    digest.update("\x1f".join(header).encode() + b"\n")
    rows = Rows(opened.name, delimiter, header, start.count(b"\n", 0, above) + 1)
    for text in rows.check(chain([start[above:]], texts)):
        digest.update(text)
    if not rows.count:
        raise DataError("0 rows below the header", "rows are needed", place=Place(opened.name))
    nameless = [str(number) for number, name in enumerate(header, 1) if not name]
    if nameless:
        warnings.append(f"{opened.name}:1: column {', '.join(nameless)} has no name and is left out")
    return Table(opened, header, dialect, above, tuple(rows.blocks), rows.lines())


def _header(texts: Iterator[bytes], name: str, delimiter: str) -> tuple[tuple[str, ...], bytes, int]:
    """The column names, the text read so far, and where the rows begin in it."""
    start, fields, lines = b"", None, 0
    problem = "it does not end"
    csv.field_size_limit(MAX_FIELD)
    while fields is None and len(start) <= MAX_ROW and (text := next(texts, b"")):
        start += text
        reader = csv.reader(io.StringIO(start.decode(), newline=""), delimiter=delimiter, strict=True)
        try:
            fields = next((row for row in reader if row), None)
            lines = reader.line_num
        except csv.Error as error:
            problem = str(error)
        if fields is not None and lines > start.count(b"\n"):
            fields = None
    if not start.strip():
        raise DataError("is empty", "a header and rows are needed", Place(name))
    line = 1 + len(start) - len(start.lstrip(b"\n"))
    if fields is None:
        raise DataError(f"the header cannot be read: {problem}", "look at the quotes", Place(name, line))
    names = tuple(field.strip() for field in fields)
    _check_header(names, start, delimiter, Place(name, line))
    return names, start, _end_of_line(start, lines)


def _check_header(names: tuple[str, ...], start: bytes, delimiter: str, place: Place) -> None:
    """Refuse what is no header, and one with a name twice."""
    if names[0].lower().startswith("sep=") and len("".join(names)) <= 5:
        sign = start.strip()[4:5].decode(errors="replace") or delimiter
        raise DataError("is Excel's sep= line", f"remove the line, and set data.delimiter: {sign!r}", place)
    if len(names) == 1:
        _refuse_other_delimiter(names[0], start, delimiter, place)
    if all(is_number(name) or _TIME.fullmatch(name) for name in names):
        raise DataError("no header: the first row holds only numbers", "name the columns in row 1", place)
    check_names(names, place)


def check_names(names: Sequence[str], place: Place) -> None:
    """Refuse a name that stands twice.

    Raises:
        DataError: naming it.
    """
    for position, name in enumerate(names):
        if name and name in names[:position]:
            raise DataError(f"two columns are named {name}", "rename one", place)


def _refuse_other_delimiter(name: str, start: bytes, delimiter: str, place: Place) -> None:
    for other, word in _WORDS.items():
        if other in name and other != delimiter:
            sign = "tab" if other == "\t" else repr(other)
            decimal = " and data.decimal: ','" if other != "," and _DECIMAL_COMMA.search(start, 0, 1 << 16) else ""
            raise DataError(f"looks like {word} between the columns", f"set data.delimiter: {sign}{decimal}", place)


def _end_of_line(text: bytes, lines: int) -> int:
    end = 0
    for _ in range(lines):
        end = text.index(b"\n", end) + 1
    return end
