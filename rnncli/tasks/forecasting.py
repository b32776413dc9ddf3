"""Forecasting: all steps of the horizon at once, read from the newest state."""

from __future__ import annotations

import numpy as np
import pandas as pd
from torch import Tensor

from rnncli.config import schema
from rnncli.data import clock
from rnncli.data.panel import Columns, Floats, Panel, Rows
from rnncli.data.scale import Scaler
from rnncli.data.windows import Batch
from rnncli.tasks.metrics import FORECAST_METRICS


class Forecasting:
    """Direct multi-horizon forecasts of one or several targets."""

    metrics = FORECAST_METRICS

    def horizon(self, settings: schema.Task) -> int:
        """Rows of target in a window."""
        assert settings.horizon is not None
        return settings.horizon

    def sizes(self, config: schema.Config, columns: Columns) -> tuple[int, int, int]:
        """Targets and past columns in (and their flags); every target at every step out."""
        targets, inputs = len(columns.value_targets), len(columns.values)
        flags = inputs if config.data.missing == "mask" else 0
        levels = 0 if config.window.normalise == "none" else targets
        return inputs + flags, self.horizon(config.task) * targets, levels

    def answer(self, output: Tensor, batch: Batch) -> Tensor:
        """(batch, horizon, targets) scaled forecasts, the window's level put back."""
        steps = output.view(len(output), -1, batch.level.shape[1])
        return steps * batch.spread[:, None] + batch.level[:, None]

    def original(self, answer: Floats, scaler: Scaler, series: Rows) -> Floats:
        """Forecasts in original units."""
        return scaler.invert(answer, series)

    def table(self, answer: Floats, panel: Panel, columns: Columns, origins: Rows) -> pd.DataFrame:
        """A row a series and step; in the wide layout, where the series are columns, a row a step."""
        horizon = answer.shape[1]
        series = panel.series_of(origins - 1)
        if columns.wide:
            answer, origins, series = answer[:, :, 0].T[None], origins[:1], series[:1]
        parts: dict[str, object] = {
            name: np.repeat([panel.ids[index][position] for index in series], horizon)
            for position, name in enumerate(columns.series)
        }
        if columns.time is not None:
            parts[columns.time] = [
                text
                for origin in origins
                for text in clock.write(self._future(panel, columns, origin, horizon), columns.time_format)
            ]
        parts["step"] = np.tile(np.arange(1, horizon + 1), len(origins))
        for position, name in enumerate(columns.targets):
            parts[f"{name}_pred"] = answer[:, :, position].reshape(-1)
        return pd.DataFrame(parts)

    def _future(self, panel: Panel, columns: Columns, origin: int, horizon: int) -> np.ndarray:
        assert columns.frequency is not None
        return clock.follow(panel.times[origin - 1], horizon, columns.frequency)
