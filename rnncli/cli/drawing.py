"""Weights drawn in a terminal: two rows in a line by colours, or signs where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rnncli.console import visible
from rnncli.inspection.panels import Panel, Row, limit
from rnncli.inspection.tensors import Array

if TYPE_CHECKING:
    from rich.text import Text

_GATE_ROWS = 8  # of a gate, two in a line
_LEFT, _BETWEEN = 3, 2
_TITLES = {"weight_ih": "W inputs", "weight_hh": "U states", "weight_ch": "V carry", "bias": "b"}
_BELOW, _ABOVE = "-=#", "░▒▓"
_BLUE, _GREY, _RED = (33, 102, 172), (230, 230, 230), (178, 24, 43)


def drawing(rows: list[Row], title: str, *, width: int, colours: bool) -> list[Text]:
    """Lines of at most `width` columns."""
    from rich.text import Text

    most = limit(rows)
    lines = [Text(visible(title)[:width])]
    smaller = False
    for row in rows:
        lines += [Text(), Text(f"layer {row.layer}, {row.direction}")]
        widths = _widths(row.panels, width)
        drawn = [_shrunk(panel, wide) for panel, wide in zip(row.panels, widths, strict=True)]
        smaller |= any(small.shape != panel.values.shape for small, panel in zip(drawn, row.panels, strict=True))
        lines += _part(row, drawn, most, colours=colours)
    lines += [Text(), _legend(most, colours=colours)]
    if smaller:
        lines.append(Text("of weights that share a place the one farthest from zero is shown"))
    return lines


def _widths(panels: Sequence[Panel], width: int) -> list[int]:
    """Columns of every panel, which share the line: a narrow one takes what it needs, wide ones what is left."""
    free = width - _LEFT - _BETWEEN * (len(panels) - 1)
    widths: dict[int, int] = {}
    narrow_first = sorted(range(len(panels)), key=lambda number: panels[number].values.shape[1])
    for place, number in enumerate(narrow_first):
        wanted = max(panels[number].values.shape[1], len(_TITLES[panels[number].kind]))
        widths[number] = min(wanted, free // (len(panels) - place))
        free -= widths[number]
    return [widths[number] for number in range(len(panels))]


def _shrunk(panel: Panel, width: int) -> Array:
    """(gates * rows, columns) with at most so many rows a gate and columns in all."""
    gates = panel.values.reshape(len(panel.gates), -1, panel.values.shape[1])
    small = _farthest(_farthest(gates, 1, _GATE_ROWS), 2, width)
    return small.reshape(-1, small.shape[2])


def _farthest(values: Array, axis: int, most: int) -> Array:
    """At most so many places along an axis, each the one farthest from zero of those that share it."""
    parts = np.array_split(values, min(most, values.shape[axis]), axis=axis)
    picked = [np.take_along_axis(part, np.abs(part).argmax(axis, keepdims=True), axis) for part in parts]
    return np.concatenate(picked, axis=axis)


def _part(row: Row, drawn: Sequence[Array], most: float, *, colours: bool) -> list[Text]:
    """The panels of a layer and direction side by side, under their titles."""
    from rich.text import Text

    titles = [_TITLES[panel.kind] for panel in row.panels]
    widths = [max(small.shape[1], len(title)) for small, title in zip(drawn, titles, strict=True)]
    gap = " " * _BETWEEN
    lines = [Text(" " * _LEFT + gap.join(name.ljust(wide) for name, wide in zip(titles, widths, strict=True)).rstrip())]
    gates = row.panels[0].gates
    height = len(drawn[0]) // len(gates)
    for gate in gates:
        for first in range(0, height, 2):
            line = Text(f"{gate if first == 0 else '':<{_LEFT}}")
            for panel, small, wide in zip(row.panels, drawn, widths, strict=True):
                line.append(gap if panel is not row.panels[0] else "")
                place = panel.gates.index(gate) if gate in panel.gates else None
                if place is None:
                    line.append(" " * wide)
                else:
                    pair = small[place * height + first : place * height + min(first + 2, height)]
                    line.append(_cells(pair, most, colours=colours))
                    line.append(" " * (wide - small.shape[1]))
            line.rstrip()
            lines.append(line)
    return lines


def _cells(pair: Array, most: float, *, colours: bool) -> Text:
    """One or two rows in a line of the terminal."""
    from rich.color import Color
    from rich.style import Style
    from rich.text import Text

    if not colours:
        return Text("".join(_sign(value / most) for value in _farthest(pair, 0, 1)[0]))
    text = Text()
    for column in pair.T:
        over = Color.from_rgb(*_shade(column[0] / most))
        under = Color.from_rgb(*_shade(column[1] / most)) if len(column) > 1 else None
        text.append("▀", Style(color=over, bgcolor=under))
    return text


def _sign(value: float) -> str:
    """A sign for a weight in units of the largest: darker the larger, and others below zero than above."""
    level = min(int(abs(value) * 4), 3)
    return "·" if level == 0 else (_ABOVE if value > 0 else _BELOW)[level - 1]


def _shade(value: float) -> tuple[int, int, int]:
    """A colour between blue (-1), grey (0) and red (1)."""
    strength, end = min(abs(value), 1.0), _RED if value > 0 else _BLUE
    red, green, blue = (round(grey + strength * (full - grey)) for grey, full in zip(_GREY, end, strict=True))
    return red, green, blue


def _legend(most: float, *, colours: bool) -> Text:
    from rich.text import Text

    if colours:
        line = Text(f"-{most:.3g} ")
        line.append(_cells(np.linspace(-most, most, 17)[None, :], most, colours=True))
        return line.append(f" {most:.3g}")
    steps = "  ".join(f"{sign} {bound:.2g}" for sign, bound in zip(_BELOW[::-1], (-0.75, -0.5, -0.25), strict=True))
    above = "  ".join(f"{sign} {bound:.2g}" for sign, bound in zip(_ABOVE, (0.25, 0.5, 0.75), strict=True))
    return Text(f"{steps}  · near 0  {above}, of {most:.3g}")
