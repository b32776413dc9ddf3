"""Tables in a terminal: columns' names are cut into lines before a number or a date is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnncli import console
from rnncli.console import Sheet
from rnncli.sheets import _folded

WORDS = st.text("abcdefgh_", min_size=1, max_size=24)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=9), st.integers(20, 120))
def test_names_are_cut_only_if_they_must_be_and_nothing_is_lost(columns, width):
    names, cells = [name for name, _ in columns], [[cell for _, cell in columns]]
    folded, kept = _folded(names, cells, width)
    assert [name.replace("\n", "") for name in folded] == names
    gaps = 2 * (len(names) - 1)
    if sum(max(map(len, pair)) for pair in columns) + gaps <= width:
        assert folded == names
    if all(kept):
        widest = [max(map(len, [*name.split("\n"), cell])) for name, cell in zip(folded, cells[0], strict=True)]
        assert sum(widest) + gaps <= width
    elif "scores" not in names:  # not even names of four characters a line would do
        assert sum(max(len(cell), min(len(name), 4)) for name, cell in columns) + gaps > width


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_every_character_is_shown(width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    row = ["North", "15.05.2024", "1", 269.7, 221.25, 318.2, 178.8]
    sheet = Sheet("", ["branch", "date", "step", "sales_pred", "sales_lo80", "sales_hi80", "sales_lo95"], [row])
    console._print_sheet(sheet)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width
    assert sorted("".join(out.split())) == sorted("".join([*sheet.columns, *map(console.show, row)]))
    if width >= 60:
        assert all(console.show(value) in out for value in row)
