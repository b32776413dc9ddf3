"""A Parquet file as part of a table, by the extra ``rnncli[parquet]``: the same cells as a CSV file would have."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rnncli.data.reading.dialect import Dialect
from rnncli.data.reading.rows import Lines
from rnncli.data.reading.sources import MAX_BYTES, Source, pieces
from rnncli.data.reading.tables import Hash, check_names
from rnncli.errors import DataError, MissingExtraError, Place, ResourceError

ENDING = ".parquet"

_ROWS = 1 << 16  # at a time
_DAY = "%Y-%m-%d"
_SECOND = "%Y-%m-%d %H:%M:%S"
_FRACTION = "%Y-%m-%d %H:%M:%S.%f"


@dataclass(frozen=True)
class ParquetTable:
    """A Parquet file.

    Attributes:
        file: its name.
        header: column names.
        lines: (rows,) the number of each row, from 1.
        forms: how the times of a column are written as text, by its name.
        decimal: the sign before the fraction of a number as text.
        state: size, time of change and inode, by which a file that changes between two readings is noticed.
    """

    file: str
    header: tuple[str, ...]
    lines: Lines
    forms: dict[str, str]
    decimal: str
    state: tuple[int, int, int]

    def frames(self, columns: Sequence[str], kind: type[str] | None) -> Iterator[pd.DataFrame]:
        """The columns, some rows at a time: as text, or (None) numbers as numbers.

        Raises:
            DataError: if a column holds neither numbers nor text nor times.
        """
        with _failures(self.file):
            if _state(self.file) != self.state:
                raise DataError("has changed while it was read", "copy it, and read the copy", Place(self.file))
            places = [self.header.index(column) for column in columns]
            for batch in _batches(self.file, places):
                cells = {name: self._cells(batch.column(position), name, kind) for position, name in enumerate(columns)}
                yield pd.DataFrame(cells, columns=pd.Index(columns))

    def _cells(self, array: Any, name: str, kind: type[str] | None) -> pd.Series[Any]:
        import pyarrow as pa

        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        if pa.types.is_decimal(array.type):
            array = array.cast(pa.float64())
        if kind is None and (pa.types.is_floating(array.type) or pa.types.is_integer(array.type)):
            return pd.Series(array.to_numpy(zero_copy_only=False))
        if kind is None and pa.types.is_boolean(array.type) and not array.null_count:
            return pd.Series(array.to_numpy(zero_copy_only=False))
        return pd.Series(self._texts(array, name), dtype=str)

    def _texts(self, array: Any, name: str) -> list[str]:
        """The cells as text, empty where there is none."""
        import pyarrow as pa

        kind = array.type
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            times = pd.DatetimeIndex(array.to_pandas())
            return ["" if isinstance(text, float) else text for text in times.strftime(self.forms[name])]
        values = array.to_pylist()
        if pa.types.is_floating(kind):
            return ["" if value is None or np.isnan(value) else self._number(value) for value in values]
        if not (pa.types.is_integer(kind) or pa.types.is_boolean(kind) or _is_text(kind)):
            message = f"holds {kind}, neither numbers nor text nor times"
            raise DataError(message, "leave the column out", Place(self.file, key=name))
        return ["" if value is None else str(value) for value in values]

    def _number(self, value: float) -> str:
        return repr(value).replace(".", self.decimal)


def open_parquet(file: str, dialect: Dialect, digest: Hash) -> ParquetTable:
    """Check a Parquet file.

    Args:
        file: its name.
        dialect: for the decimal sign in columns of text.
        digest: takes header and bytes.

    Raises:
        MissingExtraError: without pyarrow.
        DataError: if it is no Parquet file, or holds no rows.
    """
    try:
        import pyarrow.parquet  # noqa: F401 - to see whether it is there
    except ImportError:
        raise MissingExtraError(f"{file}: Parquet needs pyarrow", "pip install 'rnncli[parquet]'") from None
    with _failures(file):
        if not stat.S_ISREG(os.stat(file).st_mode):
            raise DataError("Parquet is not read from a pipe", "save it to a file first", Place(file))
        state = _state(file)
        with _opened(file) as opened:
            schema, rows = opened.schema_arrow, opened.metadata.num_rows
            names = tuple(name.strip() for name in schema.names)
            if names:
                check_names(names, Place(file))
            if not rows or not names:
                raise DataError("0 rows", "rows are needed", Place(file))
            if rows * 8 > MAX_BYTES:
                raise DataError(f"{rows:,} rows are too many", "split the file", Place(file))
        digest.update("\x1f".join(names).encode() + b"\n")
        for piece in pieces(Source(file)):
            digest.update(piece)
        times = [place for place, field in enumerate(schema) if _is_time(field.type)]
        forms = {names[place]: _form(file, place, schema.field(place).type) for place in times}
    return ParquetTable(file, names, Lines(rows, np.array([0]), np.array([1])), forms, dialect.decimal, state)


@contextmanager
def _opened(file: str) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with open(file, "rb") as stream, pq.ParquetFile(stream) as opened:
        yield opened


def _batches(file: str, places: Sequence[int]) -> Iterator[Any]:
    """Some rows of some columns at a time, the columns in the order of `places`."""
    with _opened(file) as opened:
        names = opened.schema_arrow.names
        for batch in opened.iter_batches(_ROWS, columns=[names[place] for place in places]):
            yield batch.select([names[place] for place in places])


def _form(file: str, place: int, kind: Any) -> str:
    """How times are written: days, seconds or fractions, whichever they need, with their offset if they have one."""
    import pyarrow as pa

    if pa.types.is_date(kind):
        return _DAY
    form = _DAY
    for batch in _batches(file, [place]):
        times = pd.DatetimeIndex(batch.column(0).to_pandas()).dropna().tz_localize(None)
        if (times != times.floor("s")).any():
            form = _FRACTION
            break
        if (times != times.normalize()).any():
            form = _SECOND
    if kind.tz is None:
        return form
    return f"{_SECOND if form == _DAY else form}%z"


def _is_time(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    )


def _state(file: str) -> tuple[int, int, int]:
    found = os.stat(file)
    return found.st_size, found.st_mtime_ns, found.st_ino


@contextmanager
def _failures(file: str) -> Iterator[None]:
    """What goes wrong in pyarrow, in words."""
    import pyarrow as pa

    try:
        yield
    except PermissionError as error:
        raise ResourceError(f"cannot read: {error.strerror}", place=Place(file)) from None
    except (pa.ArrowException, OSError) as error:
        message = str(error).split("\n")[0]
        raise DataError(f"not Parquet, or damaged: {message[:200]}", "write it anew", Place(file)) from None
