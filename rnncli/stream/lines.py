"""Bytes that come in, as whole rows of cells: what is there is taken at once, and a row is never waited for in vain."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import os
import select
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rnncli.data.reading.dialect import Dialect
from rnncli.errors import DataError

PIECE = 1 << 16
MAX_ROW = 1 << 20
POLL_SECONDS, IDLE_SECONDS = 0.1, 1.0
_ENDLESS = "over a million characters"


class Stopped(Exception):  # noqa: N818 - not a mistake of anyone
    """Reading was ended from elsewhere; a row that was not whole by then was not read."""


@dataclass(frozen=True)
class Block:
    """Some whole rows.

    Attributes:
        rows: their cells; none for a blank line.
        lines: the line of each.
        bad: lines that are no row, and why.
    """

    rows: list[list[str]]
    lines: list[int]
    bad: list[tuple[int, str]] = field(default_factory=list)

    def before(self, line: int) -> Block:
        """The rows that start above a line."""
        count = sum(1 for own in self.lines if own < line)
        return Block(self.rows[:count], self.lines[:count], [one for one in self.bad if one[0] < line])

    def pieces(self, first: int, size: int) -> Iterator[Block]:
        """The rows in pieces of `size`, the first one of `first`."""
        start, end = 0, first
        while start < len(self.rows):
            yield Block(self.rows[start:end], self.lines[start:end], self.bad if start == 0 else [])
            start, end = end, end + size
        if not self.rows:
            yield self


def blocks(name: str, dialect: Dialect, chunks: Iterator[bytes], line: int = 1) -> Iterator[Block]:
    """The rows of a delimited text, as many at a time as a piece of it completes; a row is a line.

    Args:
        name: of the input.
        dialect: how it is written.
        chunks: its bytes.
        line: the number of its first line.
    """
    decoder = codecs.getincrementaldecoder(dialect.encoding)(errors="surrogateescape")
    between = dialect.between(name)
    csv.field_size_limit(MAX_ROW)
    rest, first, endless = "", True, False
    for raw in chunks:
        text = decoder.decode(raw)
        if first and text:
            text, first = text.removeprefix("\ufeff"), False
        rest += text
        cut = rest.rfind("\n") + 1
        if endless and cut:  # the end of a line that was given up
            start = rest.index("\n") + 1
            yield Block([], [], [(line, _ENDLESS)])
            rest, cut, line, endless = rest[start:], cut - start, line + 1, False
        if cut:
            block, rest = rest[:cut], rest[cut:]
            yield _block(block, between, line)
            line += block.count("\n")
        if len(rest) > MAX_ROW:
            rest, endless = "", True
    rest += decoder.decode(b"", True)
    if endless:
        yield Block([], [], [(line, _ENDLESS)])
    elif rest:
        yield _block(rest, between, line)


def _block(text: str, between: str, line: int) -> Block:
    """The rows of whole lines; of lines that no reader takes together, each is read by itself."""
    if '"' not in text:
        with contextlib.suppress(csv.Error):
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=between, strict=True))
            if len(rows) == text.count("\n") + (not text.endswith("\n")):
                return Block(rows, list(range(line, line + len(rows))))
    found = Block([], [])
    for number, own in enumerate(text.removesuffix("\n").split("\n"), line):
        try:
            (row,) = csv.reader([own.removesuffix("\r")], delimiter=between, strict=True) if own.strip("\r") else ([],)
        except (csv.Error, ValueError):
            found.bad.append((number, "quotes that do not close, or a line break within the line"))
            continue
        found.rows.append(row)
        found.lines.append(number)
    return found


def arriving(descriptor: int, wake: int, idle: Callable[[], None], *, grows: bool) -> Iterator[bytes]:
    """What a pipe or a file holds, as it comes.

    Args:
        descriptor: to read from.
        wake: another, on which something arrives when reading shall end.
        idle: called now and then while nothing comes.
        grows: whether to wait at the end of a regular file for what is appended to it.

    Raises:
        Stopped: if something has arrived on `wake`.
        DataError: if a file that grows has become shorter.
    """
    grows = grows and stat.S_ISREG(os.fstat(descriptor).st_mode)
    while True:
        ready, _, _ = select.select([descriptor, wake], [], [], IDLE_SECONDS)
        if wake in ready:
            raise Stopped
        raw = os.read(descriptor, PIECE) if ready else b""
        if raw:
            yield raw
            continue
        if ready and not grows:
            if select.select([wake], [], [], 0)[0]:  # what ended the input has ended reading too
                raise Stopped
            return
        idle()
        if grows and os.fstat(descriptor).st_size < os.lseek(descriptor, 0, os.SEEK_CUR):
            raise DataError("the file was made shorter", "follow what is rotated by: tail -n +1 -F FILE | …")
        if ready:
            select.select([wake], [], [], POLL_SECONDS)
