"""Tagging: an answer for every row, either a label, or numbers, or the odds of several 0/1 columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnncli.config import schema
from rnncli.data.panel import Columns, Floats, Panel, Rows
from rnncli.data.scale import Scaler
from rnncli.model.sizes import Sizes
from rnncli.tasks.metrics import BINARY_METRICS, LABEL_METRICS, NUMBER_METRICS, Metric
from rnncli.tasks.rows import label_table, number_table, sizes, softmax

if TYPE_CHECKING:  # an answer in original units needs neither
    import pandas as pd
    from torch import Tensor

    from rnncli.data.windows import Batch


@dataclass(frozen=True)
class Tagging:
    """An answer for every row of a window; the target's own past is not an input."""

    config: schema.Config
    columns: Columns
    horizon: int = 0
    every: bool = True

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Of what the target columns hold."""
        return LABEL_METRICS if self.columns.labels else BINARY_METRICS if self.columns.binary else NUMBER_METRICS

    def sizes(self) -> Sizes:
        """A number a target, or a logit a class."""
        outputs = len(self.columns.labels or self.columns.targets)
        return sizes(self.config, self.columns, outputs, every=True)

    def answer(self, output: Tensor, batch: Batch) -> Tensor:
        """(batch, time, targets or classes), scaled numbers or logits."""
        return output

    def loss(self, answer: Tensor, batch: Batch) -> Tensor:
        """A mean over the rows; of 0/1 columns, of the sum over the columns."""
        from rnncli.tasks.losses import find_loss, summed_loss, window_loss

        loss = find_loss(str(self.config.training.loss), smoothing=self.config.training.label_smoothing or 0.0)
        mean = summed_loss if self.columns.binary else window_loss
        return mean(loss, answer, batch.target, batch.target_mask, batch.weight)

    def original(self, answer: Floats, scaler: Scaler, series: Rows) -> Floats:
        """(batch, time, …) probabilities, or numbers in original units."""
        if self.columns.labels is not None:
            return softmax(answer)
        if self.columns.binary:
            return np.asarray(0.5 * (1 + np.tanh(0.5 * answer)))
        return scaler.invert(answer, series)

    def table(
        self, answer: Floats, panel: Panel, origins: Rows, bands: Mapping[str, Floats] | None = None
    ) -> pd.DataFrame:
        """The answer (rows, …) to every row; of 0/1 columns the likelier value and the odds of 1."""
        import pandas as pd

        if self.columns.labels is not None:
            return label_table(answer, panel, self.columns, origins)
        if not self.columns.binary:
            return number_table(answer, panel, self.columns, origins)
        found = number_table((answer > 0.5).astype(np.int64), panel, self.columns, origins)
        odds = pd.DataFrame(answer, columns=[f"p_{name}" for name in self.columns.targets])
        return pd.concat([found, odds], axis=1)
