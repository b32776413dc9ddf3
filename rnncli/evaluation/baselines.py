"""What needs no training: the forecasts and labels that a model has to beat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rnncli.data.panel import Columns, Floats, Panel, Rows
from rnncli.data.split import Part
from rnncli.data.windows import fill_forward


@dataclass(frozen=True)
class History:
    """What a baseline may look at.

    Attributes:
        panel: in original units.
        filled: (rows, targets) with the newest known value where one is missing.
        columns: with season and labels.
        train: the training part.
    """

    panel: Panel
    filled: Floats
    columns: Columns
    train: Part


def history(panel: Panel, columns: Columns, train: Part) -> History:
    """The past that baselines use."""
    targets = len(columns.value_targets)
    filled = fill_forward(panel.values[:, :targets], panel.observed[:, :targets], panel)
    return History(panel, filled, columns, train)


def naive(past: History, origins: Rows, horizon: int) -> Floats:
    """The newest value, for every step: (windows, horizon, targets)."""
    return np.repeat(past.filled[origins - 1][:, None], horizon, axis=1)


def seasonal_naive(past: History, origins: Rows, horizon: int) -> Floats:
    """The value one season before, the newest season repeated; the newest value where there is no season yet."""
    season = past.columns.season
    rows = origins[:, None] - season + np.arange(horizon) % season
    begins = past.panel.offsets[past.panel.series_of(origins - 1)]
    reaches = (origins - season >= begins)[:, None]
    return past.filled[np.where(reaches, rows, origins[:, None] - 1)]


def majority(past: History, origins: Rows, horizon: int) -> Floats:
    """The share of every class among the training series, for every window: (windows, classes)."""
    assert past.columns.labels is not None
    series = past.train.series()
    codes = past.panel.values[past.train.last[series] - 1, 0]
    counts = np.bincount(codes[~np.isnan(codes)].astype(np.int64), minlength=len(past.columns.labels))
    return np.tile(counts / counts.sum(), (len(origins), 1))


BASELINES: dict[str, Callable[[History, Rows, int], Floats]] = {
    "naive": naive,
    "seasonal_naive": seasonal_naive,
    "majority": majority,
}
