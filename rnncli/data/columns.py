"""Which columns a config names: found in the header, globs expanded, each name that is missing with its neighbour."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rnncli.config import schema
from rnncli.data.frames import Tables
from rnncli.data.panel import Columns
from rnncli.errors import DataError, Place


def settle_columns(data: schema.Data, task: schema.TaskName, tables: Tables) -> Columns:
    """Find the columns that a config names, expand globs and recognise the time format.

    Raises:
        DataError: for a name that is not in the header, with the nearest that is.
    """
    series = tuple(_listed(data.series))
    require(tables, [*series, *_listed(data.time)])
    taken = {*series, *_listed(data.time)}
    targets = tuple(name for name in _match(tables, _listed(data.target)) if name not in taken)
    if data.past is not None:
        past = tuple(name for name in _match(tables, _listed(data.past)) if name not in taken | set(targets))
    else:
        others = [name for name in tables.header if name and name not in taken | set(targets)]
        past = () if task == "forecasting" else tuple(tables.numeric(others))
    if not past and task != "forecasting":
        raise DataError("no numeric input column is left", "name them in data.past", Place(tables.parts[0].file, 1))
    return Columns(
        targets=targets,
        past=past,
        series=series,
        time=data.time,
        time_format=data.time_format,
        wide=data.layout == "wide",
        target_is_input=task == "forecasting",
    )


def with_labels(columns: Columns) -> Columns:
    """`columns` for a target that holds classes, which `read_panel` will find."""
    return replace(columns, labels=())


def _listed(value: str | Sequence[str] | None) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def _match(tables: Tables, patterns: Iterable[str]) -> list[str]:
    """Column names that the patterns name, each once, in the patterns' order."""
    found: dict[str, None] = {}
    for pattern in patterns:
        if pattern in tables.header or not any(sign in pattern for sign in "*?["):
            require(tables, [pattern])
            found[pattern] = None
        else:
            matches = [name for name in tables.header if name and fnmatch.fnmatchcase(name, pattern)]
            if not matches:
                raise DataError(f"no column matches {pattern}", place=Place(tables.parts[0].file, 1))
            found |= dict.fromkeys(matches)
    return list(found)


def require(tables: Tables, names: Iterable[str]) -> None:
    """Refuse a table without these columns.

    Raises:
        DataError: naming the first that is missing, and the nearest that is there.
    """
    for name in names:
        if name not in tables.header:
            folded = {column.casefold(): column for column in tables.header}
            close = difflib.get_close_matches(name.casefold(), folded, 1)
            hint = f"did you mean {folded[close[0]]}?" if close else f"it has {', '.join(tables.header)}"
            raise DataError(f"no column {name}", hint, Place(tables.parts[0].file, 1))
