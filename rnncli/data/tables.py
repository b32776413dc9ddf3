"""A CSV file as bytes that pandas cannot misread: opened by ourselves, decoded, every row's width checked.

pandas shifts or fills ragged rows without a word, opens URLs, and reads binary files as text; all that is refused
here, with file and line.
"""

from __future__ import annotations

import csv
import glob
import gzip
import io
import os
import re
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

from rnncli.errors import DataError, Place, ResourceError, UsageError

MAX_BYTES = 8 << 30
MAX_FIELD = 1 << 20
MAX_GZIP_RATIO = 200
SMALL_BYTES = 16 << 20  # what any file may unpack to

_MAGIC = {
    b"\x1f\x8b": ("is gzip", "name it .csv.gz"),
    b"PK\x03\x04": ("is a zip or a spreadsheet", "save it as CSV"),
    b"PAR1": ("is Parquet", "save it as CSV"),
    b"\xff\xfe": ("is UTF-16", "save it as UTF-8"),
    b"\xfe\xff": ("is UTF-16", "save it as UTF-8"),
    b"\x00\x00\xfe\xff": ("is UTF-32", "save it as UTF-8"),
}
_MARKUP = re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE)
_JSON = re.compile(rb"\s*(\{\s*[\"}]|\[\s*[\[{\"0-9\-\]])")


@dataclass(frozen=True)
class Table:
    """The text of a delimited file whose rows all have the header's width.

    Attributes:
        file: name for messages.
        header: column names.
        delimiter: one character.
        body: the rows below the header, UTF-8, LF line ends, no blank rows.
        lines: (rows,) line in the file where each row starts.
    """

    file: str
    header: tuple[str, ...]
    delimiter: str
    body: bytes
    lines: NDArray[np.int64]


def expand(path: str | Sequence[str]) -> list[str]:
    """The files that a path, a glob or a list of them names.

    Raises:
        UsageError: if one of them is a URL, a folder, or not there.
    """
    found: list[str] = []
    for name in [path] if isinstance(path, str) else path:
        if "://" in name:
            raise UsageError(f"{name}: only local files are read", "download it first, or pipe it: --data -")
        matches = [name] if name == "-" or os.path.exists(name) else sorted(glob.glob(name))
        if not matches:
            raise UsageError(f"{name}: no such file", "data.path is relative to the working directory")
        found += matches
    for name in found:
        if os.path.isdir(name):
            raise UsageError(f"{name}: is a folder", f"take the files in it: {os.path.join(name, '*.csv')}")
    return found


def content(file: str) -> bytes:
    """The bytes of a file or of stdin, decompressed if its name ends in .gz.

    Raises:
        DataError: if it is too large or not what its name says.
        ResourceError: if it cannot be read.
    """
    try:
        if file == "-":
            if sys.stdin is None:
                raise DataError("stdin is closed", "pipe a CSV into the command")
            return _capped(sys.stdin.buffer, "stdin", MAX_BYTES)
        with open(file, "rb") as stream:
            if not file.endswith(".gz"):
                return _capped(stream, file, MAX_BYTES)
            most = max(os.fstat(stream.fileno()).st_size * MAX_GZIP_RATIO, SMALL_BYTES)
            with gzip.open(stream) as unpacked:
                return _capped(unpacked, file, min(MAX_BYTES, most))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"not gzip: {error}", "name it without .gz", Place(file)) from None
    except OSError as error:
        raise ResourceError(f"cannot read: {error.strerror or error}", "look at its permissions", Place(file)) from None


def _capped(stream: IO[bytes] | gzip.GzipFile, file: str, most: int) -> bytes:
    parts, size = [], 0
    while part := stream.read(1 << 24):
        parts.append(part)
        size += len(part)
        if size > most:
            raise DataError(f"more than {most:,} bytes of data", "split the file", Place(file))
    return b"".join(parts)


def open_table(file: str) -> Table:
    """Read and check a delimited file; tabs if its name ends in .tsv, else commas.

    Raises:
        DataError: with the line of whatever is not a rectangular UTF-8 table with a header.
    """
    name = "stdin" if file == "-" else file
    text = _plain(content(file), name)
    delimiter = "\t" if file.removesuffix(".gz").endswith(".tsv") else ","
    first, end = _header(text, name, delimiter)
    body, lines = _rows(text[end:], name, delimiter, len(first), text.count(b"\n", 0, end))
    if not len(lines):
        raise DataError("0 rows below the header", place=Place(name))
    return Table(name, first, delimiter, body, lines)


def _plain(raw: bytes, name: str) -> bytes:
    """UTF-8 text with LF line ends."""
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if not raw.strip():
        raise DataError("is empty", "a header and rows are needed", Place(name))
    for magic, (what, hint) in _MAGIC.items():
        if raw.startswith(magic):
            raise DataError(what, hint, Place(name, 1))
    if _MARKUP.match(raw) or _JSON.match(raw):
        what = "HTML or XML" if _MARKUP.match(raw) else "JSON"
        raise DataError(f"is {what}", "save it as CSV", Place(name, 1))
    if b"\x00" in raw:
        line = raw.count(b"\n", 0, raw.index(b"\x00")) + 1
        raise DataError("a NUL byte: not a text file, or UTF-16", "save it as UTF-8", Place(name, line))
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(f"not UTF-8 at byte {error.start}", "save it as UTF-8", Place(name, line)) from None
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return raw.rstrip(b"\n") + b"\n"


def _header(text: bytes, name: str, delimiter: str) -> tuple[tuple[str, ...], int]:
    """The column names and where the rows begin."""
    stream = io.StringIO(text[: MAX_FIELD + 1].decode(errors="ignore"), newline="")
    reader = csv.reader(stream, delimiter=delimiter, strict=True)
    try:
        fields = next(row for row in reader if row)
    except (csv.Error, StopIteration) as error:
        raise DataError(f"the header cannot be read: {error}", place=Place(name, 1)) from None
    end = _end_of_line(text, reader.line_num)
    names = [field.strip() for field in fields]
    if len(names) == 1:
        for other, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars"), (",", "commas")):
            if other in names[0]:
                raise DataError(f"looks like {word} between the columns", "write it with commas", Place(name, 1))
    if all(_is_number(field) for field in names):
        raise DataError("no header: the first row holds only numbers", "name the columns in row 1", Place(name, 1))
    for position, field in enumerate(names):
        if field and field in names[:position]:
            raise DataError(f"two columns are named {field}", "rename one", Place(name, 1))
    return tuple(names), end


def _end_of_line(text: bytes, lines: int) -> int:
    end = 0
    for _ in range(lines):
        end = text.index(b"\n", end) + 1
    return end


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _rows(body: bytes, name: str, delimiter: str, width: int, above: int) -> tuple[bytes, NDArray[np.int64]]:
    """The rows without blank ones, and the line of each; `above` lines stand over the first."""
    if b'"' in body:
        return _quoted_rows(body, name, delimiter, width, above)
    data = np.frombuffer(body, dtype=np.uint8)
    ends = np.flatnonzero(data == 10)
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    separators = np.searchsorted(np.flatnonzero(data == ord(delimiter)), np.append(starts, len(data)))
    widths = np.diff(separators) + 1
    filled = ends > starts
    lines = np.arange(1, len(ends) + 1) + above
    wrong = np.flatnonzero(filled & (widths != width)) if width > 1 else np.flatnonzero(widths > 1)
    if len(wrong):
        raise _ragged(name, int(lines[wrong[0]]), int(widths[wrong[0]]), width)
    for row in np.flatnonzero(ends - starts > MAX_FIELD):
        if max(map(len, body[starts[row] : ends[row]].split(delimiter.encode()))) > MAX_FIELD:
            raise DataError("a cell of over a million characters", place=Place(name, int(lines[row])))
    if not filled.all() and width > 1:
        body = b"".join(line + b"\n" for line in body.split(b"\n") if line)
        lines = lines[filled]
    return body, lines


def _quoted_rows(body: bytes, name: str, delimiter: str, width: int, above: int) -> tuple[bytes, NDArray[np.int64]]:
    stream = io.StringIO(body.decode(), newline="")
    reader = csv.reader(stream, delimiter=delimiter, strict=True)
    lines, before, blank = [], 0, False
    csv.field_size_limit(MAX_FIELD)
    try:
        for row in reader:
            if row and len(row) != width:
                raise _ragged(name, above + before + 1, len(row), width)
            if row or width == 1:  # a blank line of a single column is an empty cell
                lines.append(above + before + 1)
            blank = blank or (not row and width > 1)
            before = reader.line_num
    except csv.Error as error:
        what = "an unterminated quote" if "end of data" in str(error) else str(error)
        raise DataError(what, "look at the quotes from here on", Place(name, above + before + 1)) from None
    if blank:
        kept = io.StringIO(newline="")
        writer = csv.writer(kept, delimiter=delimiter, lineterminator="\n")
        writer.writerows(row for row in csv.reader(io.StringIO(body.decode(), newline=""), delimiter=delimiter) if row)
        body = kept.getvalue().encode()
    return body, np.array(lines, dtype=np.int64)


def _ragged(name: str, line: int, found: int, width: int) -> DataError:
    return DataError(f"{found} fields where the header has {width}", "is a quote or a comma missing?", Place(name, line))
