"""Regression: one number for a window, the target column at its newest row."""

from __future__ import annotations

import pandas as pd
from torch import Tensor

from rnncli.config import schema
from rnncli.data import clock
from rnncli.data.panel import Columns, Floats, Panel, Rows
from rnncli.data.scale import Scaler
from rnncli.data.windows import Batch
from rnncli.tasks.metrics import FORECAST_METRICS


class Regression:
    """A number for every window; the target's own past is not an input."""

    metrics = FORECAST_METRICS

    def horizon(self, settings: schema.Task) -> int:
        """The number stands in the newest input row."""
        return 0

    def sizes(self, config: schema.Config, columns: Columns) -> tuple[int, int, int]:
        """Past columns in (and their flags), the number out."""
        return len(columns.past) * (2 if config.data.missing == "mask" else 1), len(columns.targets), 0

    def answer(self, output: Tensor, batch: Batch) -> Tensor:
        """(batch, 1, targets) scaled numbers."""
        return output[:, None]

    def original(self, answer: Floats, scaler: Scaler, series: Rows) -> Floats:
        """Numbers in original units."""
        return scaler.invert(answer, series)

    def table(self, answer: Floats, panel: Panel, columns: Columns, origins: Rows) -> pd.DataFrame:
        """A row a series: the number at its newest row."""
        parts = row_names(panel, columns, origins)
        for position, name in enumerate(columns.targets):
            parts[f"{name}_pred"] = answer[:, 0, position]
        return pd.DataFrame(parts)


def row_names(panel: Panel, columns: Columns, origins: Rows) -> dict[str, object]:
    """The id and time columns of the rows before `origins`, as they are in the input."""
    series = panel.series_of(origins - 1)
    parts: dict[str, object] = {
        name: [panel.ids[index][position] for index in series] for position, name in enumerate(columns.series)
    }
    if columns.time is not None:
        parts[columns.time] = clock.write(panel.times[origins - 1], columns.time_format)
    return parts
