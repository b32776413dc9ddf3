"""Regression: one number for a window, the target column at its newest row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rnncli.config import schema
from rnncli.data.panel import Columns, Floats, Panel, Rows
from rnncli.data.scale import Scaler
from rnncli.model.sizes import Sizes
from rnncli.tasks.metrics import NUMBER_METRICS, Metric
from rnncli.tasks.rows import number_table, sizes

if TYPE_CHECKING:  # an answer in original units needs neither
    import pandas as pd
    from torch import Tensor

    from rnncli.data.windows import Batch


@dataclass(frozen=True)
class Regression:
    """A number for every window; the target's own past is not an input."""

    config: schema.Config
    columns: Columns
    horizon: int = 0
    every: bool = False

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Of numbers."""
        return NUMBER_METRICS

    def sizes(self) -> Sizes:
        """One number."""
        return sizes(self.config, self.columns, len(self.columns.targets))

    def answer(self, output: Tensor, batch: Batch) -> Tensor:
        """(batch, 1, targets) scaled numbers."""
        return output[:, None]

    def loss(self, answer: Tensor, batch: Batch) -> Tensor:
        """The error of the number."""
        from rnncli.tasks.losses import find_loss, window_loss

        loss = find_loss(str(self.config.training.loss))
        return window_loss(loss, answer, batch.target, batch.target_mask, batch.weight)

    def original(self, answer: Floats, scaler: Scaler, series: Rows) -> Floats:
        """Numbers in original units."""
        return scaler.invert(answer, series)

    def table(
        self, answer: Floats, panel: Panel, origins: Rows, bands: Mapping[str, Floats] | None = None
    ) -> pd.DataFrame:
        """The number at the newest row."""
        return number_table(answer[:, 0], panel, self.columns, origins)
