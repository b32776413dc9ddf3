"""Files and stdin as bytes: local ones alone, in pieces, never more than a cap, and as often as they are needed.

pandas would open URLs by itself; here a name with ``://`` is refused. What can be read only once (stdin, a FIFO, a
process substitution) is kept in an unnamed temporary file while it is read.
"""

from __future__ import annotations

import contextlib
import glob
import gzip
import os
import stat
import sys
import tempfile
import weakref
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from rnncli.errors import DataError, Place, ResourceError, UsageError

MAX_BYTES = 8 << 30
MAX_GZIP_RATIO = 200
SMALL_BYTES = 16 << 20  # what any file may unpack to
PIECE = 1 << 22

_KEPT_IN_MEMORY = 1 << 24


@dataclass(frozen=True)
class Source:
    """A file that can be read more than once.

    Attributes:
        path: its name, ``-`` for stdin.
        kept: its bytes, unpacked, if it can be read only once; empty until it was read.
    """

    path: str
    kept: IO[bytes] | None = None

    @property
    def name(self) -> str:
        """Its name for messages."""
        return "stdin" if self.path == "-" else self.path


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


def source(path: str) -> Source:
    """The file at `path`, or stdin.

    Raises:
        ResourceError: if it cannot be looked at.
    """
    with _failures(path):
        if path == "-" or not stat.S_ISREG(os.stat(path).st_mode):
            kept = tempfile.SpooledTemporaryFile(_KEPT_IN_MEMORY)  # noqa: SIM115 - until the source is gone
            made = Source(path, kept)
            weakref.finalize(made, kept.close)
            return made
        return Source(path)


def pieces(source: Source, again: bool = False) -> Iterator[bytes]:
    """The bytes in pieces of PIECE, decompressed if the name ends in .gz; `again` for every time after the first.

    Raises:
        DataError: if there are too many, or the file is not what its name says.
        ResourceError: if it cannot be read.
    """
    with _failures(source.name):
        if again and source.kept is not None:
            source.kept.seek(0)
            yield from iter(lambda: source.kept.read(PIECE), b"")  # type: ignore[union-attr]
            return
        with _opened(source) as (stream, most):
            size = 0
            while part := stream.read(PIECE):
                size += len(part)
                if size > most:
                    raise DataError(f"more than {most:,} bytes of data", "split the file", Place(source.name))
                if source.kept is not None:
                    source.kept.write(part)
                yield part


@contextlib.contextmanager
def _opened(source: Source) -> Iterator[tuple[IO[bytes] | gzip.GzipFile, int]]:
    """The stream, and the most bytes that it may hold."""
    if source.path == "-":
        if sys.stdin is None or sys.stdin.closed:
            raise DataError("stdin is closed", "pipe a CSV into the command")
        yield sys.stdin.buffer, MAX_BYTES
        return
    with open(source.path, "rb") as stream:
        if not source.path.endswith(".gz"):
            yield stream, MAX_BYTES
            return
        most = max(os.fstat(stream.fileno()).st_size * MAX_GZIP_RATIO, SMALL_BYTES)
        with gzip.open(stream) as unpacked:
            yield unpacked, min(MAX_BYTES, most)


@contextlib.contextmanager
def _failures(name: str) -> Iterator[None]:
    """What goes wrong while a file is read, in words."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        hint = "name it without .gz" if isinstance(error, gzip.BadGzipFile) else "was it copied whole?"
        raise DataError(f"not gzip: {error}", hint, Place(name)) from None
    except OSError as error:
        raise ResourceError(f"cannot read: {error.strerror or error}", "look at its permissions", Place(name)) from None
