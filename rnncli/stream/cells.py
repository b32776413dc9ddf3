"""Cells as numbers, strictly: what `predict` reads as a number without --follow is one here, and nothing else is."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rnncli.data.reading.dialect import Dialect
from rnncli.data.reading.numbers import LARGEST, MISSING, NUMBER, TRUTH, grouped

_NUMBER = re.compile(NUMBER)


def number(cell: str, dialect: Dialect) -> float:
    """A cell's number; NaN where it is empty.

    Raises:
        ValueError: if it is none, or none that float32 holds; its text says which.
    """
    if cell in MISSING:
        return math.nan
    text = cell.strip(" \t")
    if dialect.thousands is not None:
        groups, signs = grouped(dialect)
        text = re.sub(signs, "", text) if re.fullmatch(groups, text) else text
    if dialect.decimal != ".":
        text = text.replace(".", "x").replace(dialect.decimal, ".")
    if not _NUMBER.fullmatch(text):
        truth = TRUTH.get(cell.strip(" \t").lower())
        if truth is not None:
            return truth
        raise ValueError(f"not a number: {cell[:60]!r}")
    found = float(text)
    if abs(found) > LARGEST:
        raise ValueError(f"{cell[:60]!r} is not a finite float32 number")
    return found


def numbers(cells: Sequence[str], dialect: Dialect) -> NDArray[np.float64] | None:
    """A column of cells as numbers, all at once; None if one of them has to be looked at by itself."""
    if dialect.decimal != "." or dialect.thousands is not None:
        return None
    try:
        found = np.array(list(map(float, cells)))
    except ValueError:
        return None
    joined = "".join(cells)
    fine = joined.isascii() and "_" not in joined and bool((np.abs(found) <= LARGEST).all())  # nor is NaN below it
    return found if fine else None
