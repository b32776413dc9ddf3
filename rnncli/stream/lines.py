"""Bytes that come in, as whole rows of cells: what is there is taken at once, and a row is never waited for in vain."""

from __future__ import annotations

import codecs
import csv
import io
import os
import select
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from rnncli.data.reading.dialect import Dialect
from rnncli.errors import DataError, Place

PIECE = 1 << 16
MAX_ROW = 1 << 20
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Block:
    """Some whole rows.

    Attributes:
        rows: their cells; none for a blank line.
        lines: the line on which each starts.
    """

    rows: list[list[str]]
    lines: list[int]

    def before(self, line: int) -> Block:
        """The rows that start above a line."""
        count = sum(1 for own in self.lines if own < line)
        return Block(self.rows[:count], self.lines[:count])

    def pieces(self, first: int, size: int) -> Iterator[Block]:
        """The rows in pieces of `size`, the first one of `first`."""
        start, end = 0, first
        while start < len(self.rows):
            yield Block(self.rows[start:end], self.lines[start:end])
            start, end = end, end + size


def blocks(name: str, dialect: Dialect, chunks: Iterator[bytes], line: int = 1) -> Iterator[Block]:
    """The rows of a delimited text, as many at a time as a piece of it completes.

    Args:
        name: of the input, for messages.
        dialect: how it is written.
        chunks: its bytes.
        line: the number of its first line.

    Raises:
        DataError: for an unterminated quote, or a row of over a million characters.
    """
    decoder = codecs.getincrementaldecoder(dialect.encoding)(errors="surrogateescape")
    between = dialect.between(name)
    rest, first = "", True
    for raw in chunks:
        text = decoder.decode(raw)
        if first and (text or rest):
            text, first = text.removeprefix("\ufeff"), False
        rest += text
        cut = _whole(rest)
        if len(rest) - cut > MAX_ROW:
            raise DataError("a row of over a million characters, or an unterminated quote", place=Place(name, line))
        if cut:
            block, rest = rest[:cut], rest[cut:]
            yield _block(name, block, between, line)
            line += block.count("\n")
    rest += decoder.decode(b"", True)
    if rest:
        if rest.count('"') % 2:
            raise DataError("an unterminated quote", "look at the quotes from here on", Place(name, line))
        yield _block(name, rest, between, line)


def _whole(text: str) -> int:
    """Where the last whole row of a text ends: at a line end that no open quote holds."""
    end = text.rfind("\n") + 1
    if '"' not in text:
        return end
    while end and text.count('"', 0, end) % 2:
        end = text.rfind("\n", 0, end - 1) + 1
    return end


def _block(name: str, text: str, between: str, line: int) -> Block:
    plain = '"' not in text
    found = csv.reader(io.StringIO(text, newline=""), delimiter=between, strict=True)
    try:
        rows = list(found)
    except csv.Error as error:
        raise DataError(str(error), "look at the quotes", Place(name, line + found.line_num - 1)) from None
    if plain and text.count("\n") + (not text.endswith("\n")) == len(rows):
        return Block(rows, list(range(line, line + len(rows))))
    found = csv.reader(io.StringIO(text, newline=""), delimiter=between, strict=True)
    lines, before = [], 0
    for _ in found:
        lines.append(line + before)
        before = found.line_num
    return Block(rows, lines)


def arriving(descriptor: int, wake: int, *, grows: bool) -> Iterator[bytes]:
    """What a pipe or a file holds, as it comes.

    Args:
        descriptor: to read from.
        wake: another, on which something arrives when reading shall end.
        grows: whether to wait at the end of a regular file for what is appended to it.
    """
    grows = grows and stat.S_ISREG(os.fstat(descriptor).st_mode)
    while True:
        ready, _, _ = select.select([descriptor, wake], [], [])
        if wake in ready:
            return
        raw = os.read(descriptor, PIECE)
        if raw:
            yield raw
        elif not grows or select.select([wake], [], [], POLL_SECONDS)[0]:
            return
