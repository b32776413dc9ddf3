"""Classification: one label for a whole sequence, whatever its length."""

from __future__ import annotations

import numpy as np
import pandas as pd
from torch import Tensor

from rnncli.config import schema
from rnncli.data.panel import Columns, Floats, Panel, Rows
from rnncli.data.scale import Scaler
from rnncli.data.windows import Batch
from rnncli.tasks.metrics import LABEL_METRICS
from rnncli.tasks.regression import row_names


class Classification:
    """A class for every window."""

    metrics = LABEL_METRICS

    def horizon(self, settings: schema.Task) -> int:
        """The label stands in the newest input row."""
        return 0

    def sizes(self, config: schema.Config, columns: Columns) -> tuple[int, int, int]:
        """Past columns in (and their flags), a logit a class out."""
        assert columns.labels is not None
        inputs = len(columns.past)
        return inputs * (2 if config.data.missing == "mask" else 1), len(columns.labels), 0

    def answer(self, output: Tensor, batch: Batch) -> Tensor:
        """(batch, classes) logits."""
        return output

    def original(self, answer: Floats, scaler: Scaler, series: Rows) -> Floats:
        """(batch, classes) probabilities: the softmax of the logits."""
        odds = np.exp(answer - answer.max(-1, keepdims=True))
        return np.asarray(odds / odds.sum(-1, keepdims=True))

    def table(self, answer: Floats, panel: Panel, columns: Columns, origins: Rows) -> pd.DataFrame:
        """A row a series: the likeliest class and the probability of each."""
        assert columns.labels is not None
        parts = row_names(panel, columns, origins)
        parts["prediction"] = [columns.labels[code] for code in answer.argmax(1)]
        for code, label in enumerate(columns.labels):
            parts[f"p_{label}"] = answer[:, code]
        return pd.DataFrame(parts)
