"""The weights as pictures, and what they come to: spectral radii and half-lives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rnncli.checkpoint import Stored
from rnncli.inspection import Block, blocks, networks, summary
from rnncli.report.charts import WIDTH, drawing
from rnncli.report.heat import DIVERGING, coarse, image, picture
from rnncli.report.markup import details, figure, grid, number, paragraph, table, text

MOST = 64  # rows or columns of a picture
LAYERS = 6  # layers and directions that are drawn
KINDS = {"weight_ih": "from the input", "weight_hh": "from the state", "weight_ch": "from the carry"}


def weights(stored: Stored) -> str:
    """Pictures of the recurrent weights, gate by gate, and a table of all."""
    first = networks(stored)[0][0]
    groups: dict[tuple[int, str, str], list[Block]] = {}
    for block in blocks(stored):
        if block.member == first and block.layer is not None and block.values.ndim == 2:
            groups.setdefault((block.layer, str(block.direction), block.kind), []).append(block)
    found = summary(stored)
    rows = [row for row in found["rows"] if row["member"] == first]
    places = list(dict.fromkeys((layer, direction) for layer, direction, _ in groups))[:LAYERS]
    figures = [_figure(key, group, rows) for key, group in groups.items() if key[:2] in places]
    return (
        paragraph(_lead(found, len(networks(stored)), len(places), groups.keys()))
        + grid(figures)
        + _memory(rows)
        + details("Statistics of every block", _statistics(rows))
    )


def _lead(found: dict[str, Any], members: int, places: int, keys: Any) -> str:
    several = f"The first of {members} networks. " if members > 1 else ""
    there = len({key[:2] for key in keys})
    less = f" The first {places} of {there} layers and directions are drawn." if there > places else ""
    return (
        f"{several}A square a gate: a row a unit, a column what it reads; blue is below zero, orange above, and each "
        f"picture has its own scale. What is larger than {MOST} × {MOST} is drawn as means of blocks.{less}"
    )


def _figure(key: tuple[int, str, str], group: list[Block], rows: list[dict[str, Any]]) -> str:
    layer, direction, kind = key
    drawn = [coarse(block.values.astype(np.float64), MOST, MOST) for block in group]
    reach = max(float(np.abs(values).max()) for values in drawn) or 1.0
    gap, count = 10, max(len(group), 2)
    size = (WIDTH - gap * (count - 1)) / count if count > 2 else 150
    parts = [f'<text x="0" y="{size + 62:.0f}">scale: −{number(reach, 2)} (blue) to {number(reach, 2)} (orange)</text>']
    for place, block in enumerate(group):
        x = place * (size + gap)
        uri = image(drawn[place], -reach, reach, DIVERGING)
        parts.append(f'<text x="{x + size / 2:.1f}" y="13" class="mid">gate {text(block.gate)}</text>')
        parts.append(picture(uri, round(x, 1), 19, round(size, 1), round(size, 1)))
        parts.append(_below(block, rows, x + size / 2, size + 34))
    shape = f"{len(group)} × {group[0].values.shape[0]} × {group[0].values.shape[1]}"
    title = f"Layer {layer}, {direction}: weights {KINDS[kind]}"
    blocked = max(group[0].values.shape) > MOST
    more = ", means of blocks" if blocked else ""
    said = "; ".join(f"gate {block.gate}: {_radius(block, rows)}" for block in group if _radius(block, rows))
    return figure(drawing(title, "".join(parts), size + 68, said), f"{text(title)} ({shape}{more}).")


def _below(block: Block, rows: list[dict[str, Any]], x: float, y: float) -> str:
    """The spectral radius below a picture of recurrent weights."""
    said = _radius(block, rows)
    return f'<text x="{x:.1f}" y="{y:.1f}" class="mid">{text(said)}</text>' if said else ""


def _radius(block: Block, rows: list[dict[str, Any]]) -> str:
    for row in rows:
        if row["parameter"] == block.parameter and row["gate"] == block.gate and row["spectral_radius"] is not None:
            return f"radius {number(row['spectral_radius'], 3)}"
    return ""


def _memory(rows: list[dict[str, Any]]) -> str:
    """Spectral radius of every recurrent matrix, and how long the forget gate keeps the carry."""
    found = [row for row in rows if row["spectral_radius"] is not None]
    lives = any(row["half_life"] is not None for row in found)
    head = ["layer", "direction", "gate", "spectral radius", "norm", *(["half-life, steps"] if lives else [])]
    lines = [
        [
            text(row["layer"]),
            text(row["direction"]),
            text(row["gate"]),
            number(row["spectral_radius"]),
            number(row["norm"]),
            *([number(row["half_life"], 3)] if lives else []),
        ]
        for row in found
    ]
    words = (
        "The half-life is that of the carry by the biases of the forget gate alone, in the middle unit: after so many "
        "steps half is left, if nothing else speaks."
    )
    return table(f"Recurrent weights.{' ' + words if lives else ''}", head, lines)


def _statistics(rows: list[dict[str, Any]]) -> str:
    return table("Every block of weights", list(_HEAD), list(_lines(rows)))


_HEAD = ("weights", "gate", "shape", "mean", "deviation", "min", "max", "norm")


def _lines(rows: list[dict[str, Any]]) -> Iterator[list[str]]:
    for row in rows:
        numbers = [number(row[key]) for key in ("mean", "std", "min", "max", "norm")]
        yield [text(row["parameter"]), text(row["gate"] or "–"), " × ".join(map(str, row["shape"])), *numbers]
