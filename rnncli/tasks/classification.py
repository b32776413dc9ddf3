"""Classification: one label for a whole sequence, whatever its length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rnncli.config import schema
from rnncli.data.panel import Columns, Floats, Panel, Rows
from rnncli.data.scale import Scaler
from rnncli.model.sizes import Sizes
from rnncli.tasks.metrics import LABEL_METRICS, Metric
from rnncli.tasks.rows import label_table, sizes, softmax

if TYPE_CHECKING:  # an answer in original units needs neither
    import pandas as pd
    from torch import Tensor

    from rnncli.data.windows import Batch


@dataclass(frozen=True)
class Classification:
    """A class for every window."""

    config: schema.Config
    columns: Columns
    horizon: int = 0
    every: bool = False

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Of labels."""
        return LABEL_METRICS

    def sizes(self) -> Sizes:
        """A logit a class."""
        assert self.columns.labels is not None
        return sizes(self.config, self.columns, len(self.columns.labels))

    def answer(self, output: Tensor, batch: Batch) -> Tensor:
        """(batch, classes) logits."""
        return output

    def loss(self, answer: Tensor, batch: Batch) -> Tensor:
        """-log of the probability of the class."""
        from rnncli.tasks.losses import find_loss, window_loss

        loss = find_loss(str(self.config.training.loss), smoothing=self.config.training.label_smoothing or 0.0)
        return window_loss(loss, answer, batch.target, batch.target_mask, batch.weight)

    def original(self, answer: Floats, scaler: Scaler, series: Rows) -> Floats:
        """(batch, classes) probabilities."""
        return softmax(answer)

    def table(
        self, answer: Floats, panel: Panel, origins: Rows, bands: Mapping[str, Floats] | None = None
    ) -> pd.DataFrame:
        """The likeliest class and the probability of each."""
        return label_table(answer, panel, self.columns, origins)
