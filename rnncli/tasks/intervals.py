"""Split-conformal intervals around a forecast, from the residuals of windows that were not trained on.

For n residuals |y - f| of a step, the interval at level p reaches as far as the ceil((n + 1) p)-th smallest (Lei et
al. 2018): on exchangeable data it covers the truth with a probability of at least p.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rnncli.data.panel import Floats
from rnncli.tasks.forecasting import Forecasting
from rnncli.tasks.metrics import Metric, Units, mean

if TYPE_CHECKING:  # half_width is for streams too, which need no torch
    from rnncli.data.windows import Windows
    from rnncli.model.ensemble import AnyNetwork

MOST = 1000  # residuals that are kept a step
MOST_ERRORS = 1 << 20  # errors that are looked at
LEVELS = (80, 95)  # per cent, of the intervals that are scored


def residuals(network: AnyNetwork, task: Forecasting, windows: Windows) -> Floats:
    """(residuals, horizon, targets) sorted errors in scaled units; NaN where the truth is not known.

    Of many windows, as many as `MOST` are kept, evenly chosen among the sorted ones and rounded up; of very many, a
    sample is looked at, the same every time.
    """
    from rnncli.tasks.answers import answer_batches

    windows = _sample(windows)
    errors = np.empty((len(windows), windows.shape.horizon, windows.data.targets.shape[1]))  # one block for all
    for index, answer in answer_batches(network, task, windows):
        target, known = (part.cpu().numpy() for part in windows.truth(index))
        errors[index] = np.where(known, np.abs(target - task.point(answer)), np.nan)
    errors.sort(axis=0)  # NaN last
    if len(errors) <= MOST:
        return errors
    counts = (~np.isnan(errors)).sum(axis=0)
    wanted = np.ceil(np.arange(1, MOST + 1)[:, None, None] / MOST * counts).astype(np.int64) - 1
    return np.take_along_axis(errors, np.maximum(wanted, 0), axis=0)


def _sample(windows: Windows) -> Windows:
    """Windows whose errors fit into memory: a part of very many, chosen at random, for seasons to be there alike."""
    most = max(4 * MOST, MOST_ERRORS // (windows.shape.horizon * windows.data.targets.shape[1]))
    if len(windows) <= most:
        return windows
    return windows.pick(np.unique(np.random.default_rng(0).integers(len(windows), size=most)))


def half_width(errors: Floats, level: float) -> Floats:
    """(horizon, targets) how far an interval of `level` reaches from the forecast, in scaled units.

    With too few residuals for the level it is the widest of them.
    """
    counts = (~np.isnan(errors)).sum(axis=0)
    wanted = np.minimum(np.ceil((counts + 1) * level - 1e-9).astype(np.int64), counts) - 1
    return np.asarray(np.take_along_axis(errors, np.maximum(wanted, 0)[None], axis=0)[0], dtype=np.float64)


def fewest(level: float) -> int:
    """Residuals that an interval of `level` needs."""
    return math.ceil(level / (1 - level) - 1e-9)


def interval_metrics() -> dict[str, Metric]:
    """Share of truths inside, and mean width, of intervals (…, levels * 2) at each of `LEVELS`, low before high."""
    found: dict[str, Metric] = {}
    for position, level in enumerate(LEVELS):
        low, high = 2 * position, 2 * position + 1

        def inside(truth: Floats, answer: Floats, units: Units, low: int = low, high: int = high) -> Floats:
            hit = (answer[..., low] <= truth) & (truth <= answer[..., high])
            return np.where(np.isnan(truth), np.nan, hit)

        def width(truth: Floats, answer: Floats, units: Units, low: int = low, high: int = high) -> Floats:
            return np.asarray(answer[..., high] - answer[..., low])

        found[f"interval_{level}_coverage"] = Metric(inside, mean, smaller=None)
        found[f"interval_{level}_width"] = Metric(width, mean)
    return found
