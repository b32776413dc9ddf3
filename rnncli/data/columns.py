"""Which columns a config names: found in the header, globs expanded, each name that is missing with its neighbour."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence

from rnncli.config import schema
from rnncli.data.panel import Columns
from rnncli.data.reading.frames import Tables
from rnncli.errors import DataError, Place, no_column


def settle_columns(data: schema.Data, task: schema.TaskName, tables: Tables) -> Columns:
    """Find the columns that a config names and expand globs.

    Raises:
        DataError: for a name that is not in the header, with the nearest that is; for a categorical column that is no
            input.
    """
    fixed = [*_listed(data.series), *_listed(data.time), *_listed(data.weight)]
    require(tables, fixed)
    taken = set(fixed)
    targets = _take(tables, data.target, taken)
    future, static = _take(tables, data.future, taken), _take(tables, data.static, taken)
    categorical = _match(tables, _listed(data.categorical))
    past = _take(tables, data.past, taken)
    if data.past is None and task != "forecasting":
        others = [name for name in tables.header if name and name not in taken]
        numeric = tables.numeric(others)
        past = tuple(name for name in others if name in numeric or name in categorical)
    for name in categorical:
        if name not in (*past, *future, *static):
            raise DataError(f"{name} is no input", "data.categorical says which inputs are categories", _header(tables))
    if not (past or static) and task != "forecasting":
        raise DataError("no numeric input column is left", "name them in data.past", _header(tables))
    columns = Columns(
        targets=targets,
        past=past,
        future=future,
        static=static,
        series=tuple(_listed(data.series)),
        time=data.time,
        time_format=data.time_format,
        frequency=data.frequency,
        weight=data.weight,
        calendar=tuple(_listed(data.calendar)),
        elapsed=data.irregular == "delta",
        categories=dict.fromkeys(categorical, ()),
        wide=data.layout == "wide",
        target_is_input=task == "forecasting",
    )
    _check_names(columns, tables)
    return columns


def _check_names(columns: Columns, tables: Tables) -> None:
    """Refuse an input whose name is that of one that is made: their values would be taken for each other's."""
    made = {*columns.derived, *(f"observed({name})" for name in columns.values)}
    for name in (*columns.value_targets, *columns.read, *columns.static):
        if name in made:
            raise DataError(f"{name} is the name of an input that is made", "rename the column", _header(tables))


def _take(tables: Tables, names: str | Sequence[str] | None, taken: set[str]) -> tuple[str, ...]:
    """The columns that `names` match and that have no part yet; from now on they have one."""
    found = tuple(name for name in _match(tables, _listed(names)) if name not in taken)
    taken |= set(found)
    return found


def _header(tables: Tables) -> Place:
    return Place(tables.parts[0].file, 1)


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
                raise DataError(f"no column matches {pattern}", place=_header(tables))
            found |= dict.fromkeys(matches)
    return list(found)


def require(tables: Tables, names: Iterable[str]) -> None:
    """Refuse a table without these columns.

    Raises:
        DataError: naming the first that is missing, and the nearest that is there.
    """
    for name in names:
        if name not in tables.header:
            raise no_column(name, tables.header, _header(tables))
