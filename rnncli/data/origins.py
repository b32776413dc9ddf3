"""Where windows end: the origins of those to train on, of those that are scored, and of those to predict from."""

from __future__ import annotations

import numpy as np

from rnncli.data.panel import Panel, Rows
from rnncli.data.split import Part
from rnncli.data.windows import Shape


def context_rows(context: int | str, panel: Panel) -> int:
    """`window.context` in rows: ``full`` is the longest series."""
    return int(panel.lengths().max()) if context == "full" else int(context)


def training_origins(panel: Panel, part: Part, shape: Shape, stride: int, newest: int | None = None) -> Rows:
    """Origins of the training windows; of each series the `newest` ones, or all.

    Windows with less than the whole context are used only in series where they would be most of the windows:
    there they are worth more than they cost. Where every row has a target or is an origin, windows reach the last row
    that can be one and back to the first, each `stride` rows before the next.
    """
    found = []
    for series in part.series():
        begin, first, last = int(panel.offsets[series]), int(part.first[series]), int(part.last[series])
        if shape.every:
            found.append(np.arange(last, first, -stride)[::-1])
        elif shape.horizon == 0:
            least = first if first > begin else begin + min(shape.context, last - begin) - 1
            found.append(np.arange(last, least, -stride)[::-1])
        elif shape.forks:
            found.append(np.arange(last - shape.horizon, first, -stride)[::-1])
        else:
            whole = last - shape.horizon - (begin + shape.context) + 1
            start = begin + (shape.context if whole >= shape.context else 1)
            found.append(np.arange(last - shape.horizon, max(start, first) - 1, -stride)[::-1])
        found[-1] = found[-1][-newest:] if newest else found[-1]
    return _joined(found)


def scoring_origins(panel: Panel, part: Part, shape: Shape) -> Rows:
    """Origins of windows in which every target of `part` has its turn.

    Where a part is a whole series, its first rows are context: as much as leaves at least one window.
    """
    if shape.horizon == 0:
        return training_origins(panel, part, shape, shape.turn)
    found = []
    for series in part.series():
        begin, first, last = int(panel.offsets[series]), int(part.first[series]), int(part.last[series])
        start = first if first > begin else begin + max(1, min(shape.context, last - shape.horizon - begin))
        found.append(np.arange(start, last - shape.horizon + 1))
    return _joined(found)


def _joined(parts: list[Rows]) -> Rows:
    """All parts as one; a single one is not copied."""
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, dtype=np.int64), *parts])


def closing_origins(part: Part) -> Rows:
    """The end of every series in `part`: one window each."""
    return part.last[part.series()]


def turns(panel: Panel, part: Part, origins: Rows) -> Rows:
    """(windows,) first row of each window whose target is its own to answer: those before are the earlier window's.

    So every row of the part is answered once, with as much past as its window holds before it.
    """
    series = panel.series_of(origins - 1)
    earlier = np.concatenate([[-1], origins[:-1]]) if len(origins) else origins
    return np.asarray(np.maximum(part.first[series], earlier))
