"""The cells of a table as text for those who must guess what they are: all of a small one, stretches of a large one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from rnncli.data.frames import MISSING, Tables
from rnncli.data.sniff import Dialect, number_pattern
from rnncli.data.tables import Table

MOST_CELLS = 3_000_000
STRETCHES = 4


def read_cells(tables: Tables, dialect: Dialect) -> pd.DataFrame:
    """Every named column as text, numbers with a decimal point and no thousands separators."""
    names = [name for name in tables.header if name]
    share = MOST_CELLS / max(len(tables) * len(names), 1)
    frame = (tables if share >= 1 else _stretches(tables, share)).frame(names, str)
    if (dialect.decimal, dialect.thousands) != (".", None):
        for name in names:
            frame[name] = _with_point(frame[name], dialect)
    return frame


def _with_point(texts: pd.Series[str], dialect: Dialect) -> pd.Series[str]:
    """Cells with a decimal point, if nearly all that are not empty are numbers; dates and words as they are."""
    stripped = texts.str.strip()
    number = stripped.str.fullmatch(number_pattern(dialect.decimal, dialect.thousands)).astype(bool)
    if number.sum() < 0.95 * (~stripped.isin(MISSING)).sum():
        return texts
    plain = stripped.str.replace(dialect.thousands, "") if dialect.thousands else stripped
    return texts.where(~number, plain.str.replace(dialect.decimal, "."))


def _stretches(tables: Tables, share: float) -> Tables:
    """Rows that stand together, from the beginning, the end and between, `share` of all."""
    return Tables(tuple(_stretches_of(part, share) for part in tables.parts))


def _stretches_of(table: Table, share: float) -> Table:
    ends = np.flatnonzero(np.frombuffer(table.body, dtype=np.uint8) == 10) + 1
    size = int(len(table.lines) * share / STRETCHES)
    if len(ends) != len(table.lines) or size < 1:  # line breaks in cells
        return table
    bounds = np.concatenate([[0], ends])
    starts = np.linspace(0, len(ends) - size, STRETCHES).astype(int)
    body = b"".join(table.body[bounds[start] : bounds[start + size]] for start in starts)
    return replace(table, body=body, lines=np.concatenate([table.lines[start : start + size] for start in starts]))
