"""The weights as a picture, by matplotlib."""

from __future__ import annotations

import io
import logging
import warnings
from typing import TYPE_CHECKING

import numpy as np

from rnncli.errors import MissingExtraError, UsageError
from rnncli.inspection.panels import Panel, Row, limit
from rnncli.inspection.tensors import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

FORMATS = ("png", "svg", "pdf")
_MOST_NAMES = 24  # of columns that are written out
_TITLES = {"weight_ih": "W  inputs", "weight_hh": "U  states", "weight_ch": "V  carry", "bias": "b"}
_HEIGHT, _PER_ROW, _BAR = 2.4, 0.011, 0.6  # inches


def check_picture(file: str) -> str:
    """The format of a picture, by the end of its name.

    Raises:
        UsageError: if it is none that can be drawn.
        MissingExtraError: without matplotlib.
    """
    end = file.rpartition(".")[2].lower()
    if end not in FORMATS:
        raise UsageError(f"--heatmap {file} must end in .png, .svg or .pdf", "or be - for the terminal")
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it says where it keeps its fonts
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise MissingExtraError("a picture needs matplotlib", "pip install 'rnncli[report]'") from None
    return end


def draw(rows: list[Row], title: str, form: str) -> bytes:
    """The bytes of a picture: a line of panels for every layer and direction, red above zero and blue below."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_size(rows), dpi=130, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    most = limit(rows)
    parts = figure.subfigures(len(rows) + 1, 1, height_ratios=[*_heights(rows), _BAR], squeeze=False)[:, 0]
    for part, row in zip(parts, rows, strict=False):  # the last is the colour bar's
        _draw_row(part, row, most)
    _colour_bar(parts[-1], rows, most)
    stream = io.BytesIO()
    metadata = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[form]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter that the font has not is drawn as a box
        figure.savefig(stream, format=form, metadata=metadata)
    return stream.getvalue()


def _widths(row: Row) -> list[float]:
    """Inches of every panel: as its columns, but none too narrow to be seen or too wide for a page."""
    counts = [panel.values.shape[1] for panel in row.panels]
    return [
        0.3 * count if panel.kind == "bias" else min(max(0.25 * min(count, 6), 0.06 * count), 6.0)
        for panel, count in zip(row.panels, counts, strict=True)
    ]


def _heights(rows: list[Row]) -> list[float]:
    """Inches of every line of panels."""
    return [max(_HEIGHT, _PER_ROW * len(row.panels[0].values)) + 0.9 for row in rows]


def _size(rows: list[Row]) -> tuple[float, float]:
    width = max(sum(_widths(row)) + 0.8 * len(row.panels) for row in rows)
    return max(7.0, width + 1.2), sum(_heights(rows)) + _BAR + 0.4


def _draw_row(part: SubFigure, row: Row, most: float) -> None:
    part.suptitle(f"layer {row.layer}, {row.direction}", x=0.01, ha="left", fontsize=9, fontweight="bold")
    axes = part.subplots(1, len(row.panels), squeeze=False, width_ratios=_widths(row))[0]
    for number, (place, panel) in enumerate(zip(axes, row.panels, strict=True)):
        place.imshow(_apart(panel), cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", interpolation="nearest")
        place.set_title(_title(panel, row), fontsize=8)
        _name_sides(place, panel, left=number == 0 or panel.gates != row.panels[0].gates)


def _title(panel: Panel, row: Row) -> str:
    if panel.kind != "weight_ih" or not row.layer:
        return _TITLES[panel.kind]
    both = len(panel.columns) > len(panel.values) // len(panel.gates)
    return f"W  states of layer {row.layer - 1}{': forward | backward' if both else ''}"


def _name_sides(place: Axes, panel: Panel, *, left: bool) -> None:
    """Gates at the side with lines between them, and the names of the columns, or every few, below."""
    height = len(panel.values) // len(panel.gates)
    whole = height + _gap(height)
    for number in range(1, len(panel.gates)):
        for end in (number * whole - 0.5, number * whole - _gap(height) - 0.5):
            place.axhline(end, color="black", linewidth=0.6)
    if panel.kind == "weight_ih" and len(panel.columns) == 2 * height and panel.columns[-1] == f"h{2 * height - 1}":
        place.axvline(height - 0.5, color="black", linewidth=1.2)  # the two directions of the layer below
    middles = [number * whole + height / 2 - 0.5 for number in range(len(panel.gates))]
    place.set_yticks(middles, panel.gates if left else [""] * len(middles), fontsize=8)
    step = -(-len(panel.columns) // _MOST_NAMES)
    shown = np.arange(0, len(panel.columns), step)
    names = [_short(panel.columns[number]) for number in shown]
    upright = any(len(name) > 2 for name in names) and len(names) > 1
    place.set_xticks(shown, names, rotation=90 if upright else 0, fontsize=6)
    place.tick_params(length=2, pad=1)


def _gap(height: int) -> int:
    """Empty rows between gates of so many units."""
    return max(1, height // 10)


def _apart(panel: Panel) -> Array:
    """The matrix with empty rows between its gates."""
    gates = np.split(panel.values, len(panel.gates))
    empty = np.full((_gap(len(gates[0])), panel.values.shape[1]), np.nan)
    return np.concatenate([part for gate in gates for part in (gate, empty)][:-1])


def _short(name: str) -> str:
    from rnncli.console import visible

    text = visible(name).replace("$", r"\$")  # which would begin a formula
    return text if len(text) <= 20 else f"{text[:12]}…{text[-7:]}"


def _colour_bar(part: SubFigure, rows: list[Row], most: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    largest = max(float(np.abs(panel.values).max()) for row in rows for panel in row.panels)
    bar = ScalarMappable(Normalize(-most, most), "RdBu_r")
    extend = "both" if largest > most else "neither"
    _, place, _ = part.subplots(1, 3, width_ratios=[1, 3, 1])
    for empty in part.axes:
        empty.set_axis_off()
    place.set_axis_on()
    part.colorbar(bar, cax=place, orientation="horizontal", extend=extend)
    place.set_xlabel("weight", fontsize=8)
    place.tick_params(labelsize=7)
