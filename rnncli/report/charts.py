"""Charts as inline SVG: lines with bands, bars, dots. Colours come from the page's style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnncli.data.panel import Floats
from rnncli.report.axes import Axis, limits, log_ticks, tick_label, ticks
from rnncli.report.markup import plain_name, text

WIDTH, HEIGHT = 400, 250
LEFT, RIGHT, TOP, BOTTOM = 66, 12, 14, 42
GAP = 8  # before a legend


@dataclass(frozen=True)
class Line:
    """A line of a chart: x and y (points,), a gap where y is not known.

    Attributes:
        kind: ``truth``, ``model``, ``baseline`` or ``third``: its colour and dash.
        dots: whether every point is marked.
    """

    name: str
    kind: str
    x: Floats
    y: Floats
    dots: bool = False


@dataclass(frozen=True)
class Band:
    """A stretch between two lines; `kind` is ``wide`` or ``narrow``."""

    name: str
    kind: str
    x: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Look:
    """What stands around a chart.

    Attributes:
        title: what it shows, for those who cannot see it.
        x_name, y_name: of the axes.
        x_labels: places and labels of ticks, or None for numbers.
        marks: places where something begins, and its name.
        zero: whether the y axis begins at zero.
        whole: whether ticks of x are whole numbers.
    """

    title: str
    x_name: str = ""
    y_name: str = ""
    x_labels: Sequence[tuple[float, str]] | None = None
    marks: Sequence[tuple[float, str]] = ()
    zero: bool = False
    log: bool = False
    whole: bool = False


def drawing(title: str, content: str, height: float = HEIGHT, description: str = "") -> str:
    """An SVG element that is as wide as its place; title and description are for those who cannot see it."""
    more = f"<desc>{text(description)}</desc>" if description else ""
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{text(title)}">'
        f"<title>{text(title)}</title>{more}{content}</svg>"
    )


def line_chart(look: Look, lines: Sequence[Line], bands: Sequence[Band] = ()) -> str:
    """Lines over each other, bands below them, a legend on top."""
    legend, top = _legend(
        [(band.name, f"band {band.kind}") for band in bands], [(each.name, each.kind) for each in lines]
    )
    x, y = _axes(look, lines, bands, top)
    parts = [grid(look, x, y)]
    parts += [_band(band, x, y) for band in bands]
    parts += [_mark(place, label, x, y) for place, label in look.marks]
    parts += [_line(line, x, y) for line in lines]
    return drawing(look.title, legend + "".join(parts), HEIGHT + top - TOP, _said(lines))


def _said(lines: Sequence[Line]) -> str:
    """What a chart shows, in words."""
    found = []
    for line in lines:
        known = line.y[np.isfinite(line.y)]
        if len(known):
            span = f"from {tick_label(float(known[0]))} to {tick_label(float(known[-1]))}"
            found.append(f"{line.name}: {len(known)} points {span}, least {tick_label(float(known.min()))}, "
                         f"most {tick_label(float(known.max()))}")  # fmt: skip
    return "; ".join(found)


def _axes(look: Look, lines: Sequence[Line], bands: Sequence[Band], top: float) -> tuple[Axis, Axis]:
    x_low, x_high = limits([line.x for line in lines] + [band.x for band in bands], room=0)
    ys = [line.y for line in lines] + [part for band in bands for part in (band.low, band.high)]
    low, high = limits(ys, zero=look.zero)
    if look.log:
        known = np.concatenate([part[np.isfinite(part) & (part > 0)] for part in ys])
        low, high = (float(known.min()) / 1.15, float(known.max()) * 1.15) if len(known) else (0.1, 10.0)
    if look.marks:  # their names stand above the lines
        high = high * (high / low) ** 0.1 if look.log else high + 0.1 * (high - low)
    bottom = HEIGHT + top - TOP - BOTTOM
    return Axis(x_low, x_high, LEFT, WIDTH - RIGHT), Axis(low, high, bottom, top, look.log)


def grid(look: Look, x: Axis, y: Axis) -> str:
    parts = []
    for value in log_ticks(y.low, y.high) if y.log else ticks(y.low, y.high):
        place = float(y.at(value))
        parts.append(f'<path class="rule" d="M{LEFT} {place:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{place + 4:.1f}" class="end">{text(tick_label(value))}</text>')
    found = ticks(x.low, x.high)
    if look.whole:
        found = [value for value in found if value == round(value)]
    labels = look.x_labels or [(value, tick_label(value)) for value in found]
    for place, label in labels:
        at = float(x.at(place))
        anchor = "start" if at < LEFT + 20 else "end" if at > WIDTH - RIGHT - 20 else "mid"
        parts.append(f'<path class="rule" d="M{at:.1f} {y.start:.1f}v4"/>')
        parts.append(f'<text x="{at:.1f}" y="{y.start + 17:.1f}" class="{anchor}">{plain_name(label, 20)}</text>')
    parts.append(f'<path class="axis" d="M{LEFT} {y.start:.1f}H{WIDTH - RIGHT}"/>')
    parts.append(axis_names(look.x_name, look.y_name, y.start, y.end))
    return "".join(parts)


def axis_names(x_name: str, y_name: str, bottom: float, top: float) -> str:
    """Names of both axes."""
    middle, height = (LEFT + WIDTH - RIGHT) / 2, (top + bottom) / 2
    parts = f'<text x="{middle:g}" y="{bottom + 35:.1f}" class="mid">{plain_name(x_name, 50)}</text>' if x_name else ""
    if y_name:
        turned = f'transform="translate(10 {height:.1f}) rotate(-90)"'
        parts += f'<text {turned} class="mid">{plain_name(y_name, 26)}</text>'
    return parts


def _legend(areas: Sequence[tuple[str, str]], lines: Sequence[tuple[str, str]]) -> tuple[str, float]:
    """The legend and where the chart below it begins."""
    parts, x, y = [], float(GAP), 12.0
    for label, kind in (*lines, *areas):
        shown = plain_name(label, 28)
        width = 26 + 7.4 * min(len(label), 28) + 14
        if x + width > WIDTH + GAP and x > GAP:
            x, y = float(GAP), y + 18
        drawn = f"M{x:g} {y - 4:g}h20" if "band" not in kind else f"M{x:g} {y - 9:g}h20v10h-20z"
        parts.append(f'<path class="{kind}" d="{drawn}"/><text x="{x + 26:g}" y="{y:g}">{shown}</text>')
        x += width
    return "".join(parts), y + 12


def _mark(place: float, label: str, x: Axis, y: Axis) -> str:
    at = float(x.at(place))
    anchor, shift = ("end", -4) if at > WIDTH * 0.6 else ("start", 4)
    return (
        f'<path class="mark" d="M{at:.1f} {y.end:.1f}V{y.start:.1f}"/>'
        f'<text x="{at + shift:.1f}" y="{y.end + 10:.1f}" class="{anchor}">{plain_name(label)}</text>'
    )


def _line(line: Line, x: Axis, y: Axis) -> str:
    known = np.isfinite(line.y) & (line.y > 0 if y.log else True)
    xs, ys = x.at(line.x), np.where(known, y.at(np.where(known, line.y, 1)), np.nan)
    dots = line.dots or known.sum() == 1
    marks = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.6"/>' for a, b in zip(xs, ys, strict=True) if b == b)
    return (
        f'<g class="{line.kind}"><title>{text(line.name)}</title><path class="{line.kind}" d="{path(xs, ys)}"/>'
        f"{marks if dots else ''}</g>"
    )


def _band(band: Band, x: Axis, y: Axis) -> str:
    known = np.isfinite(band.low) & np.isfinite(band.high)
    if not known.any():
        return ""
    xs = x.at(band.x[known])
    forth, back = path(xs, y.at(band.high[known])), path(xs[::-1], y.at(band.low[known])[::-1])
    return f'<path class="band {band.kind}" d="{forth}L{back[1:]}z"><title>{text(band.name)}</title></path>'


def path(xs: Floats, ys: Floats) -> str:
    """The d of a path through points, with gaps where y is not known; of very many, the ends in every pixel."""
    if len(xs) > 3 * WIDTH:
        xs, ys = _thinned(xs, ys)
    parts, drawing_on = [], False
    for a, b in zip(xs, ys, strict=True):
        if b != b:
            drawing_on = False
            continue
        parts.append(f"{'L' if drawing_on else 'M'}{a:.1f} {b:.1f}")
        drawing_on = True
    return "".join(parts)


def _thinned(xs: Floats, ys: Floats) -> tuple[Floats, Floats]:
    """The least and the largest y of every pixel, in the order of x."""
    kept = []
    for some in np.array_split(np.arange(len(xs)), WIDTH):
        known = some[np.isfinite(ys[some])]
        ends = {int(known[ys[known].argmin()]), int(known[ys[known].argmax()])} if len(known) else {int(some[0])}
        kept += sorted(ends)
    return xs[kept], ys[kept]


def bar_chart(look: Look, rows: Sequence[tuple[str, float, str]]) -> str:
    """A bar to the right for each (name, value, kind), with its value."""
    height, left = 26, 130
    known = [value for _, value, _ in rows if np.isfinite(value)]
    x = Axis(0, max([*known, 1e-12]), left, WIDTH - 64)
    parts = []
    for position, (label, value, kind) in enumerate(rows):
        y = position * height
        long = max(1.0, float(x.at(value)) - left) if np.isfinite(value) else 0.0
        parts.append(f'<text x="{left - 8}" y="{y + 18}" class="end">{plain_name(label, 18)}</text>')
        parts.append(f'<rect class="{kind}" x="{left}" y="{y + 5}" width="{long:.1f}" height="{height - 8}" rx="2"/>')
        parts.append(f'<text x="{left + long + 6:.1f}" y="{y + 18}">{tick_label(value) if long else "–"}</text>')
    said = ", ".join(f"{label} {tick_label(value)}" for label, value, _ in rows if np.isfinite(value))
    return drawing(look.title, "".join(parts), len(rows) * height + 4, said)
