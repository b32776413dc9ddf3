"""Forecasting: all steps of the horizon at once, read from the newest state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rnncli.config import schema
from rnncli.data.panel import Columns, Floats, Panel, Rows
from rnncli.data.scale import Scaler
from rnncli.model.sizes import Sizes
from rnncli.tasks.metrics import Metric, forecast_metrics
from rnncli.tasks.rows import sizes

if TYPE_CHECKING:  # an answer in original units needs neither
    import pandas as pd
    from torch import Tensor

    from rnncli.data.windows import Batch


@dataclass(frozen=True)
class Forecasting:
    """Direct multi-horizon forecasts of one or several targets."""

    config: schema.Config
    columns: Columns
    every: bool = False

    @property
    def horizon(self) -> int:
        """Rows to forecast."""
        assert self.config.task.horizon is not None
        return self.config.task.horizon

    @property
    def levels(self) -> tuple[float, ...]:
        """Quantiles that are forecast; none if the forecast is a point."""
        return tuple(self.config.task.quantiles or ())

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Of numbers, and of quantiles if there are any."""
        return forecast_metrics(self.levels)

    def sizes(self) -> Sizes:
        """Every target, and every quantile of it, at every step."""
        config, targets = self.config, len(self.columns.value_targets)
        return replace(
            sizes(self.config, self.columns, self.horizon * targets * max(1, len(self.levels))),
            ahead=self.columns.known_ahead,
            steps=self.horizon,
            targets=targets,
            context=config.window.context if isinstance(config.window.context, int) else 0,
            season=self.columns.season,
            levels=targets if self.config.window.level else 0,
            forks=config.window.origins == "every",
        )

    def answer(self, output: Tensor, batch: Batch) -> Tensor:
        """(batch, horizon, targets) scaled forecasts, the window's level put back; or with a last axis of quantiles.

        Quantiles are sorted, so that they never cross (Chernozhukov et al. 2010).
        """
        targets = batch.level.shape[1]
        shape = (len(output), self.horizon, targets)
        if not self.levels:
            return output.view(shape) * batch.spread[:, None] + batch.level[:, None]
        steps = output.view(*shape, len(self.levels)).sort(dim=-1).values
        return steps * batch.spread[:, None, :, None] + batch.level[:, None, :, None]

    def loss(self, answer: Tensor, batch: Batch) -> Tensor:
        """The error over all steps and targets."""
        from rnncli.tasks.losses import find_loss, window_loss

        loss = find_loss(str(self.config.training.loss), self.levels)
        return window_loss(loss, answer, batch.target, batch.target_mask, batch.weight)

    def original(self, answer: Floats, scaler: Scaler, series: Rows) -> Floats:
        """Forecasts in original units."""
        return scaler.invert(answer, series)

    def point(self, answer: Floats) -> Floats:
        """(batch, horizon, targets) the forecast itself: of quantiles, the median."""
        return answer[..., self.levels.index(0.5)] if self.levels else answer

    def table(
        self, answer: Floats, panel: Panel, origins: Rows, bands: Mapping[str, Floats] | None = None
    ) -> pd.DataFrame:
        """A row a series and step; in the wide layout, where the series are columns, a row a step."""
        import pandas as pd

        from rnncli.data import clock

        columns, horizon = self.columns, answer.shape[1]
        numbers = {"pred": self.point(answer), **(bands or {})}
        series = panel.series_of(origins - 1)
        if columns.wide:
            width = len(columns.targets)  # the series of a row stand together
            numbers = {name: part.reshape(-1, width, horizon).swapaxes(1, 2) for name, part in numbers.items()}
            origins, series = origins[::width], series[::width]
        parts: dict[str, object] = {
            name: np.repeat([panel.ids[index][position] for index in series], horizon)
            for position, name in enumerate(columns.series)
        }
        if columns.time is not None:
            assert columns.frequency is not None
            times = [clock.follow(panel.times[origin - 1], horizon, columns.frequency) for origin in origins]
            parts[columns.time] = [text for few in times for text in clock.write(few, columns.time_format)]
        parts["step"] = np.tile(np.arange(1, horizon + 1), len(origins))
        for position, name in enumerate(columns.targets):
            for ending, part in numbers.items():
                parts[f"{name}_{ending}"] = part[:, :, position].reshape(-1)
        return pd.DataFrame(parts)
