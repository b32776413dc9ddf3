"""The cells of a table as text for those who must guess what they are: all of a small one, stretches of a large one."""

from __future__ import annotations

import pandas as pd

from rnncli.data.reading.dialect import Dialect
from rnncli.data.reading.frames import Tables
from rnncli.data.reading.numbers import MISSING, as_truth, plain_numbers

MOST_CELLS = 3_000_000


def read_cells(tables: Tables) -> pd.DataFrame:
    """Every named column as text: numbers with a decimal point and no thousands separators, True as 1, False as 0."""
    names = [name for name in tables.header if name]
    share = min(MOST_CELLS / max(len(tables) * len(names), 1), 1)
    chunks = [frame[: max(round(len(frame) * share), 1)] for frame in tables.frames(names, str)]
    return plain_cells(pd.concat(chunks, ignore_index=True), tables.dialect)


def plain_cells(frame: pd.DataFrame, dialect: Dialect) -> pd.DataFrame:
    """Cells as text, numbers and truth values among them as Python writes numbers."""
    return pd.DataFrame({name: _plain(frame[name], dialect) for name in frame.columns})


def _plain(texts: pd.Series[str], dialect: Dialect) -> pd.Series[str]:
    if texts.iloc[:100].str.lower().str.strip().isin(["true", "false"]).any():
        truth = as_truth(texts)
        return texts if truth is None else truth.map({1.0: "1", 0.0: "0"}).fillna("").astype(str)
    if (dialect.decimal, dialect.thousands) == (".", None):
        return texts
    numbers = plain_numbers(texts, dialect)
    few = numbers.notna().sum() < 0.95 * (~texts.str.strip().isin(MISSING)).sum()
    return texts if few else numbers.fillna(texts).astype(str)
