"""A cell of a stream is a number where it is one in a file, and nothing else is."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnncli.data.reading.dialect import Dialect
from rnncli.data.reading.numbers import LARGEST, as_numbers, as_truth, not_numbers
from rnncli.stream.cells import number, numbers

DIALECTS = [Dialect(), Dialect(decimal=","), Dialect(thousands=","), Dialect(decimal=",", thousands="."),
            Dialect(thousands="'"), Dialect(thousands=" "), Dialect(thousands="_")]  # fmt: skip
CELLS = st.text("0123456789.,+-eE_' \u2019\t", max_size=10) | st.sampled_from(
    ["", "NA", "nan", "inf", "1e39", "True", "false", "0x10", "1.234.567,5", "1,234.5", "12,34", "\u0663", "1_0", "5%"]
)


def expected(cell: str, dialect: Dialect) -> float | None:
    """What the reader of files makes of a column of that cell alone; None for an error."""
    texts = pd.Series([cell], dtype=str)
    if not_numbers(texts, dialect).any():
        truth = as_truth(texts)
        return None if truth is None else float(truth[0])
    found = float(as_numbers(texts, dialect)[0])
    return None if abs(found) > LARGEST else found


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: f"{dialect.decimal}{dialect.thousands}")
@given(cell=CELLS)
def test_a_cell_alone(dialect: Dialect, cell: str) -> None:
    wanted = expected(cell, dialect)
    if wanted is None:
        with pytest.raises(ValueError):  # noqa: PT011 - its text is for people
            number(cell, dialect)
    else:
        found = number(cell, dialect)
        assert found == wanted or (math.isnan(found) and math.isnan(wanted))


@given(cells=st.lists(CELLS, min_size=1, max_size=4))
def test_a_column_at_once(cells: list[str]) -> None:
    found = numbers(cells, Dialect())
    if found is not None:
        np.testing.assert_array_equal(found, [number(cell, Dialect()) for cell in cells])
