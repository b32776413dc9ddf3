"""What every task answers; TASKS holds them."""

from __future__ import annotations

from typing import Protocol

import pandas as pd
from torch import Tensor

from rnncli.config import schema
from rnncli.data.panel import Columns, Floats, Panel, Rows
from rnncli.data.scale import Scaler
from rnncli.data.windows import Batch
from rnncli.tasks.classification import Classification
from rnncli.tasks.forecasting import Forecasting
from rnncli.tasks.metrics import Metric
from rnncli.tasks.regression import Regression


class Task(Protocol):
    """A task over windows of a panel.

    The network gives every window a vector of outputs; `answer` turns it into what is scored, still scaled, and
    `original` into original units.
    """

    metrics: dict[str, Metric]

    def horizon(self, settings: schema.Task) -> int:
        """Rows of target in a window; 0 if the target stands in the newest input row."""

    def sizes(self, config: schema.Config, columns: Columns) -> tuple[int, int, int]:
        """Input columns, outputs, and levels that the head reads."""

    def answer(self, output: Tensor, batch: Batch) -> Tensor:
        """The network's outputs (batch, outputs) as scaled forecasts (batch, horizon, targets) or logits."""

    def original(self, answer: Floats, scaler: Scaler, series: Rows) -> Floats:
        """Answers in original units: forecasts, or probabilities (batch, classes)."""

    def table(self, answer: Floats, panel: Panel, columns: Columns, origins: Rows) -> pd.DataFrame:
        """The rows that `predict` prints, for windows that end at the panel rows `origins`."""


TASKS: dict[str, Task] = {
    "forecasting": Forecasting(),
    "classification": Classification(),
    "regression": Regression(),
}
