"""A table of text as it is drawn in a terminal: names are broken before a number or a date is."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

_LONG_NAME, _SHORT_NAME = 16, 4  # characters of a column's name in a line, where it needs several


def drawn(title: str, names: list[str], cells: list[list[str]], numeric: Sequence[bool], width: int) -> Table:
    """The table in so many columns of a terminal; `numeric` says which of its own stand to the right."""
    table = Table(title=Text(title) if title else None, title_justify="left", box=None, pad_edge=False)
    names, whole = _folded(names, cells, width)
    for name, number, kept in zip(names, numeric, whole, strict=True):
        table.add_column(Text(name), justify="right" if number else "left", overflow="fold", no_wrap=kept)
    for row in cells:
        table.add_row(*map(Text, row))
    return table


def _folded(names: list[str], cells: list[list[str]], width: int) -> tuple[list[str], list[bool]]:
    """Column names, in several lines where the table is too wide, and which columns are never broken.

    A number or a date in two lines cannot be read, a name can. Where even that does not do, all may break: no digit is
    ever left out.
    """
    widths = [max((cell_len(row[position]) for row in cells), default=0) for position in range(len(names))]
    for most in (200, *range(_LONG_NAME, _SHORT_NAME - 1, -1)):
        pieces = [max(wide, min(cell_len(name), most)) for name, wide in zip(names, widths, strict=True)]
        if sum(pieces) + 2 * (len(pieces) - 1) <= width:
            folded = zip(names, pieces, strict=True)
            return ["\n".join(_cut(name, piece)) for name, piece in folded], [True] * len(names)
    return names, [name == "scores" for name in names]  # whose cells are words of ours, which are short


def _cut(name: str, piece: int) -> list[str]:
    return [name[start : start + piece] for start in range(0, len(name), piece)] if piece else [name]
