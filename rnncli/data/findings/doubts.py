"""What training can do with data, and hardly anybody wants."""

from __future__ import annotations

import numpy as np

from rnncli.data.panel import Columns, Panel
from rnncli.data.reading.frames import Tables


def warn_of_constants(panel: Panel, columns: Columns, tables: Tables) -> None:
    """Warn, once, of targets that are the same number in every row; they are scaled by 1."""
    if columns.labels is not None:
        return
    for position, name in enumerate(columns.value_targets):
        values = panel.values[:, position]
        low, high = np.nanmin(values), np.nanmax(values)
        if low == high:
            shown = ", ".join(columns.targets) if columns.wide else name
            tables.warn(f"{shown} is {low:.6g} in every row: there is nothing to learn, and its scale is 1")
            return
