"""Dots as inline SVG."""

from __future__ import annotations

import numpy as np

from rnncli.data.panel import Floats
from rnncli.report.axes import Axis, limits
from rnncli.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Look, drawing, grid

DOTS = 1500  # more are drawn as a density


def scatter(look: Look, x_values: Floats, y_values: Floats, *, diagonal: bool = False) -> str:
    """Dots; of very many, squares that are the darker the more dots lie in them."""
    known = np.isfinite(x_values) & np.isfinite(y_values)
    xs, ys = x_values[known], y_values[known]
    x_low, x_high = limits([xs, ys] if diagonal else [xs])
    y_low, y_high = (x_low, x_high) if diagonal else limits([ys], zero=look.zero)
    x, y = Axis(x_low, x_high, LEFT, WIDTH - RIGHT), Axis(y_low, y_high, HEIGHT - BOTTOM, TOP)
    line = ""
    if diagonal:
        line = f'<path class="mark" d="M{LEFT} {HEIGHT - BOTTOM}L{WIDTH - RIGHT} {TOP}"/>'
    elif y_low < 0 < y_high:
        line = f'<path class="mark" d="M{LEFT} {float(y.at(0)):.1f}H{WIDTH - RIGHT}"/>'
    drawn = _dots(x.at(xs), y.at(ys)) if len(xs) <= DOTS else _density(x.at(xs), y.at(ys))
    return drawing(look.title, grid(look, x, y) + line + drawn, description=f"{len(xs)} points")


def _dots(xs: Floats, ys: Floats) -> str:
    found = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(xs, ys, strict=True))
    return f'<path class="dots" d="{found}"/>'


def _density(xs: Floats, ys: Floats, size: int = 6) -> str:
    cells = np.stack([xs // size, ys // size], axis=1).astype(np.int64)
    places, counts = np.unique(cells, axis=0, return_counts=True)
    share = np.ceil(5 * np.log1p(counts) / np.log1p(counts.max())).astype(int)
    levels = []
    for level in range(1, 6):
        some = places[share == level]
        found = "".join(f"M{a * size} {b * size}h{size}v{size}h-{size}z" for a, b in some.tolist())
        levels.append(f'<path class="density" opacity="{level / 5:g}" d="{found}"/>')
    return "".join(levels)
