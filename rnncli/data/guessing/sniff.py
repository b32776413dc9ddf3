"""The dialect of a delimited file, guessed from its text: encoding, delimiter, decimal mark, thousands separator.

Nothing here refuses a file: what is wrong with it is said, with its place, when the table is opened in this dialect.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rnncli.data.reading.dialect import Dialect
from rnncli.data.reading.numbers import MISSING
from rnncli.data.reading.text import likely_encoding

DELIMITERS = (",", ";", "\t", "|")
THOUSANDS = {",": ",", ".": ".", " ": " \u00a0\u202f", "'": "'\u2019", "_": "_"}

HEAD = 1 << 18  # bytes of the beginning that are looked at
SAMPLE = 1 << 12  # bytes of each sample of what follows: large numbers may come late
BETWEEN = 1 << 19  # bytes between the beginnings of two samples
FIRST_ROWS = 500

_MARKS = ((b"\xff\xfe\x00\x00", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True)
class Sniffed:
    """The dialect of a file, and what of it could be otherwise, in words."""

    dialect: Dialect
    doubts: tuple[str, ...] = ()


def sniff(pieces: Iterable[bytes], file: str) -> Sniffed:
    """The likeliest dialect of a file that comes in pieces; its name says which delimiter is the usual one."""
    encoding, head, samples = _sample(pieces)
    usual = Dialect().between(file)
    delimiter = sniff_delimiter(head, usual)
    decimal, thousands, doubts = sniff_numbers(_columns(head, samples, delimiter), delimiter)
    if not encoding.startswith("utf"):
        doubts = (f"not UTF-8: read as {encoding}", *doubts)
    found = Dialect(encoding, None if delimiter == usual else delimiter, decimal, thousands)
    return Sniffed(found, doubts)


def _sample(pieces: Iterable[bytes]) -> tuple[str, str, list[str]]:
    """The encoding of a file, the text of its beginning, and of samples of the rest, all of whole lines."""
    head, other = b"", ""
    samples: list[bytes] = []
    check = codecs.getincrementaldecoder("utf-8")()
    for piece in pieces:
        whole = head if len(head) < HEAD else b""
        head += piece[: max(HEAD - len(head), 0)]
        samples += [piece[start : start + SAMPLE] for start in range(0 if not whole else BETWEEN, len(piece), BETWEEN)]
        other = other or _other_than_utf8(piece, check)
    encoding = sniff_encoding(head) or other or "utf-8"
    start = head.decode(encoding, "ignore").removeprefix("\ufeff")
    later = {"utf-16": "utf-16-le" if head.startswith(b"\xff\xfe") else "utf-16-be"}.get(encoding, encoding)
    texts = [_whole_lines(sample.decode(later, "ignore"), first=False) for sample in samples]
    return encoding, start if len(head) < HEAD else _whole_lines(start, first=True), texts


def sniff_encoding(head: bytes) -> str | None:
    """UTF-16 or UTF-32 by its mark, or UTF-16 by its zero bytes; None for anything else."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    zeros = head.count(0)
    if zeros > len(head) / 4:
        return "utf-16-le" if head[1::2].count(0) > zeros / 2 else "utf-16-be"
    return None


def _other_than_utf8(piece: bytes, check: codecs.IncrementalDecoder) -> str:
    """The likeliest encoding of a piece that is not UTF-8; empty if it is."""
    if piece.isascii() and not check.getstate()[0]:
        return ""
    try:
        check.decode(piece)
    except UnicodeDecodeError as error:
        return likely_encoding(piece[max(error.start - 1000, 0) :])
    return ""


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


def _columns(head: str, samples: Sequence[str], delimiter: str) -> list[list[str]]:
    """The cells of every column below the header that are not empty."""
    first = _rows(head, delimiter)
    width = len(next(first, []))
    rows = itertools.chain(first, *(_rows(sample, delimiter) for sample in samples))
    columns: list[list[str]] = [[] for _ in range(width)]
    for row in rows:
        if len(row) == width:
            for cells, cell in zip(columns, row, strict=True):
                if cell.strip() not in MISSING:
                    cells.append(cell.strip())
    return columns


def sniff_numbers(columns: Sequence[Sequence[str]], delimiter: str) -> tuple[str, str | None, tuple[str, ...]]:
    """Decimal mark, thousands separator, and doubts: those at which the most columns, and in them cells, are numbers.

    Where 1,234 may be either, groups of three without any other place after the mark decide.
    """
    styles = [(".", None), (",", None), *((d, t) for t in THOUSANDS for d in ".," if d != t)]
    counts = {style: _count_numbers(columns, *style) for style in styles}
    best = max(styles, key=lambda style: counts[style])
    if best == (",", None) and counts[(".", ",")] == counts[best]:
        grouped = delimiter == "," or _has_whole_numbers(columns, ",")
        doubt = "1,234 could be a thousand or a fraction: taken for " + ("a thousand" if grouped else "a fraction")
        return (".", ",", (doubt,)) if grouped else (",", None, (doubt,))
    thousands = best == (".", None) and delimiter == ";" and counts[(",", ".")] == counts[best]
    if thousands and _has_whole_numbers(columns, "."):
        return ",", ".", ("1.234 could be a thousand or a fraction: taken for a thousand",)
    return best[0], best[1], ()


def _count_numbers(columns: Sequence[Sequence[str]], decimal: str, thousands: str | None) -> tuple[int, int]:
    """How many columns are numbers in this style, nearly all of their cells, and how many cells of them are."""
    whole = "[0-9]+"
    if thousands is not None:
        whole = rf"(?:[1-9][0-9]{{0,2}}(?:[{re.escape(THOUSANDS[thousands])}][0-9]{{3}})+|[0-9]+)"
    mark = re.escape(decimal)
    number = re.compile(rf"[-+]?(?:{whole}(?:{mark}[0-9]*)?|{mark}[0-9]+)(?:[eE][-+]?[0-9]+)?")
    counts = [(sum(bool(number.fullmatch(cell)) for cell in cells), len(cells)) for cells in columns]
    good = [count for count, most in counts if count and count >= 0.95 * most]
    return len(good), sum(good)


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
