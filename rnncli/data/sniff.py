"""The dialect of a delimited file, guessed from its text: encoding, delimiter, decimal mark, thousands separator.

Nothing here refuses a file: what is wrong with it is said, with its place, when the table is opened in this dialect.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rnncli.data.frames import MISSING

DELIMITERS = (",", ";", "\t", "|")
THOUSANDS = (",", ".", " ", "\u00a0", "\u202f", "'", "\u2019")

HEAD = 1 << 18  # bytes of the beginning that are looked at
PIECE = 1 << 12  # bytes of each further piece, spread over the whole file: large numbers may come late
PIECES = 32
FIRST_ROWS = 500

_MARKS = ((b"\xff\xfe\x00\x00", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True)
class Dialect:
    """How a file writes its cells.

    Attributes:
        thousands: None if numbers are not grouped.
        doubts: what could be otherwise, in words.
    """

    encoding: str = "utf-8"
    delimiter: str = ","
    decimal: str = "."
    thousands: str | None = None
    doubts: tuple[str, ...] = ()


def sniff(raw: bytes, file: str) -> Dialect:
    """The likeliest dialect of a file's bytes; its name decides between delimiters that fit alike."""
    encoding = sniff_encoding(raw)
    head, pieces = _sample(raw, encoding)
    delimiter = sniff_delimiter(head, "\t" if file.removesuffix(".gz").endswith(".tsv") else ",")
    decimal, thousands, doubts = sniff_numbers(_columns(head, pieces, delimiter), delimiter)
    if encoding == "cp1252":
        doubts = ("not UTF-8: read as cp1252 (Windows, Western Europe)", *doubts)
    return Dialect(encoding, delimiter, decimal, thousands, doubts)


def sniff_encoding(raw: bytes) -> str:
    """UTF-8 if it is that, UTF-16 by its mark or its zero bytes, else the Windows code page of Western Europe."""
    for mark, name in _MARKS:
        if raw.startswith(mark):
            return name
    zeros = raw[:HEAD].count(0)
    if zeros > len(raw[:HEAD]) / 4:
        return "utf-16-le" if raw[1:HEAD:2].count(0) > zeros / 2 else "utf-16-be"
    try:
        raw.decode()
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _sample(raw: bytes, encoding: str) -> tuple[str, list[str]]:
    """Text of the beginning, whole lines, and of pieces further on, likewise."""
    head = raw[:HEAD].decode(encoding, "ignore").removeprefix("\ufeff")
    if len(raw) <= HEAD:
        return head, []
    code = "utf-16-le" if raw.startswith(b"\xff\xfe") else "utf-16-be" if encoding == "utf-16" else encoding
    starts = range(HEAD, len(raw), max((len(raw) - HEAD) // PIECES // 4 * 4, PIECE))
    pieces = [raw[start : start + PIECE].decode(code, "ignore") for start in starts]
    return _whole_lines(head, first=True), [_whole_lines(piece, first=False) for piece in pieces]


def _whole_lines(text: str, first: bool) -> str:
    begin = 0 if first else text.find("\n") + 1
    return text[begin : text.rfind("\n") + 1]


def sniff_delimiter(text: str, usual: str) -> str:
    """The delimiter at which the most rows are as wide as the first; the widest of those; else the usual one."""
    return max(dict.fromkeys((usual, *DELIMITERS)), key=lambda delimiter: _evenness(text, delimiter))


def _evenness(text: str, delimiter: str) -> tuple[float, int]:
    """Share of rows as wide as the first, to a tenth, and that width; zero for a single column."""
    rows = list(itertools.islice(_rows(text, delimiter), FIRST_ROWS))
    width = len(rows[0]) if rows else 0
    return (round(sum(len(row) == width for row in rows) / len(rows), 1), width) if width > 1 else (0.0, 0)


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """Rows that are not blank, up to the first that is no CSV."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        yield from (row for row in csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter) if row)
    except csv.Error:
        return


def _columns(head: str, pieces: Sequence[str], delimiter: str) -> list[list[str]]:
    """The cells of every column below the header that are not empty."""
    first = _rows(head, delimiter)
    width = len(next(first, []))
    rows = itertools.chain(first, *(_rows(piece, delimiter) for piece in pieces))
    columns: list[list[str]] = [[] for _ in range(width)]
    for row in rows:
        if len(row) == width:
            for cells, cell in zip(columns, row, strict=True):
                if cell.strip() not in MISSING:
                    cells.append(cell.strip())
    return columns


def sniff_numbers(columns: Sequence[Sequence[str]], delimiter: str) -> tuple[str, str | None, tuple[str, ...]]:
    """Decimal mark, thousands separator, and doubts: those at which the most columns are numbers.

    Where 1,234 may be either, groups of three without any other place after the mark decide.
    """
    styles = [(".", None), (",", None), *((d, t) for t in THOUSANDS for d in ".," if d != t)]
    counts = {style: sum(_are_numbers(cells, *style) for cells in columns) for style in styles}
    best = max(styles, key=lambda style: counts[style])
    if best == (",", None) and counts[(".", ",")] == counts[best]:
        grouped = delimiter == "," or _has_whole_numbers(columns, ",")
        doubt = "1,234 could be a thousand or a fraction: taken for " + ("a thousand" if grouped else "a fraction")
        return (".", ",", (doubt,)) if grouped else (",", None, (doubt,))
    if best == (".", None) and delimiter == ";" and counts[(",", ".")] == counts[best]:
        if _has_whole_numbers(columns, "."):
            return ",", ".", ("1.234 could be a thousand or a fraction: taken for a thousand",)
    return best[0], best[1], ()


def _are_numbers(cells: Sequence[str], decimal: str, thousands: str | None) -> bool:
    """Whether nearly all cells are numbers in this style."""
    number = re.compile(number_pattern(decimal, thousands))
    return bool(cells) and sum(bool(number.fullmatch(cell)) for cell in cells) >= 0.95 * len(cells)


def number_pattern(decimal: str, thousands: str | None) -> str:
    """A regular expression for numbers in this style."""
    whole = "[0-9]+"
    if thousands is not None:
        whole = rf"(?:[1-9][0-9]{{0,2}}(?:{re.escape(thousands)}[0-9]{{3}})+|[0-9]+)"
    mark = re.escape(decimal)
    return rf"[-+]?(?:{whole}(?:{mark}[0-9]*)?|{mark}[0-9]+)(?:[eE][-+]?[0-9]+)?"


def _has_whole_numbers(columns: Sequence[Sequence[str]], mark: str) -> bool:
    """Whether some column has both cells with the mark, all in groups of three, and whole numbers without it.

    Fractions written to three places would always have the mark.
    """
    group = re.compile(rf"[-+]?[1-9][0-9]{{0,2}}(?:{re.escape(mark)}[0-9]{{3}})+")
    for cells in columns:
        marked = [cell for cell in cells if mark in cell]
        plain = sum(cell.lstrip("+-").isdecimal() for cell in cells)
        if len(marked) > 1 and all(map(group.fullmatch, marked)) and len(marked) + plain >= 0.95 * len(cells) and plain:
            return True
    return False
