"""Metrics: a pointwise statistic, and a way to finish its mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnncli.data.panel import Floats, Rows


@dataclass(frozen=True)
class Units:
    """Sizes that errors are measured in, broadcast against (windows, steps, targets)."""

    deviation: Floats
    seasonal_error: Floats


@dataclass(frozen=True)
class Metric:
    """A score.

    Attributes:
        pointwise: (truth, answer, units) to (windows, steps, parts), NaN where the truth is not known.
        finish: sums and counts, each (parts,), to the score.
        smaller: whether smaller is better; None if neither is.
    """

    pointwise: Callable[[Floats, Floats, Units], Floats]
    finish: Callable[[Floats, Floats], float]
    smaller: bool | None = True


def mean(total: Floats, count: Floats) -> float:
    """Sum over count of all parts; NaN without any."""
    return float(total.sum() / count.sum()) if count.sum() else float("nan")


def root_mean(total: Floats, count: Floats) -> float:
    """Square root of the mean."""
    return float(np.sqrt(mean(total, count)))


def macro_f1(total: Floats, count: Floats) -> float:
    """Mean over the classes of 2 TP / (predicted + actual), of classes that were predicted or present."""
    hits, predicted, actual = np.split(total, 3)
    there = predicted + actual > 0
    return float(np.mean(2 * hits[there] / (predicted + actual)[there])) if there.any() else float("nan")


def _absolute(truth: Floats, answer: Floats, units: Units) -> Floats:
    return np.abs(truth - answer)


def _squared(truth: Floats, answer: Floats, units: Units) -> Floats:
    return (truth - answer) ** 2


def _symmetric(truth: Floats, answer: Floats, units: Units) -> Floats:
    """200 |y - f| / (|y| + |f|), as in the M4 competition; zero where both are zero."""
    size = np.abs(truth) + np.abs(answer)
    return 200 * np.abs(truth - answer) / np.where(size == 0, 1, size)


NUMBER_METRICS: dict[str, Metric] = {
    "mae": Metric(_absolute, mean),
    "mse": Metric(_squared, mean),
    "rmse": Metric(_squared, root_mean),
    "mase": Metric(lambda y, f, units: np.abs(y - f) / units.seasonal_error, mean),
    "smape": Metric(_symmetric, mean),
    "scaled_mse": Metric(lambda y, f, units: ((y - f) / units.deviation) ** 2, mean),
    "scaled_mae": Metric(lambda y, f, units: np.abs(y - f) / units.deviation, mean),
}


def _one_hot(codes: Rows, classes: int) -> NDArray[np.bool_]:
    return np.asarray(codes[:, None] == np.arange(classes))


def _hit(truth: Floats, answer: Floats, units: Units) -> Floats:
    hits = (answer.argmax(-1) == truth[:, 0, 0]).astype(np.float64)
    return np.where(np.isnan(truth[:, 0, 0]), np.nan, hits)[:, None, None]


def _confusion(truth: Floats, answer: Floats, units: Units) -> Floats:
    """Hits, predictions and truths of every class, side by side: what F1 is made of."""
    codes = truth[:, 0, 0]
    predicted = _one_hot(answer.argmax(-1), answer.shape[-1])
    actual = _one_hot(np.nan_to_num(codes).astype(np.int64), answer.shape[-1])
    counts = np.concatenate([predicted & actual, predicted, actual], axis=1).astype(np.float64)
    return np.where(np.isnan(codes)[:, None], np.nan, counts)[:, None, :]


def _surprise(truth: Floats, answer: Floats, units: Units) -> Floats:
    codes = truth[:, 0, 0]
    known = np.where(np.isnan(codes), 0, codes).astype(np.int64)
    given = np.take_along_axis(answer, known[:, None], axis=1)[:, 0]
    return np.where(np.isnan(codes), np.nan, -np.log(np.maximum(given, 1e-15)))[:, None, None]


LABEL_METRICS: dict[str, Metric] = {
    "accuracy": Metric(_hit, mean, smaller=False),
    "f1": Metric(_confusion, macro_f1, smaller=False),
    "cross_entropy": Metric(_surprise, mean),
}


def _agreement(truth: Floats, answer: Floats, units: Units) -> Floats:
    return np.where(np.isnan(truth), np.nan, (answer > 0.5) == (truth > 0.5))


def _overlap(truth: Floats, answer: Floats, units: Units) -> Floats:
    """Hits, predictions and truths of 1, over all columns."""
    predicted, actual = answer > 0.5, truth > 0.5
    counts = np.stack([(part & ~np.isnan(truth)).sum(2) for part in (predicted & actual, predicted, actual)], axis=2)
    return np.where(np.isnan(truth).all(2, keepdims=True), np.nan, counts)


def _surprises(truth: Floats, answer: Floats, units: Units) -> Floats:
    """-log of the probability given to what the columns hold, summed over them."""
    given = np.where(truth > 0.5, answer, 1 - answer)
    known = ~np.isnan(truth)
    total = np.where(known, -np.log(np.maximum(given, 1e-15)), 0).sum(2, keepdims=True)
    return np.where(known.any(2, keepdims=True), total, np.nan)


BINARY_METRICS: dict[str, Metric] = {
    "accuracy": Metric(_agreement, mean, smaller=False),
    "f1": Metric(_overlap, macro_f1, smaller=False),
    "nll": Metric(_surprises, mean),
}

INTERVALS = {"coverage_80": (0.1, 0.9), "coverage_95": (0.025, 0.975)}


def forecast_metrics(levels: tuple[float, ...]) -> dict[str, Metric]:
    """Scores of forecasts: of numbers, and with quantiles of those, in the last axis of an answer, too.

    A point among quantiles is the median; where the answer is a point, it stands for every quantile.
    """
    if not levels:
        return NUMBER_METRICS
    median, wanted = levels.index(0.5), np.array(levels)

    def of_point(metric: Metric) -> Metric:
        def pointwise(truth: Floats, answer: Floats, units: Units) -> Floats:
            return metric.pointwise(truth, answer[..., median] if answer.ndim > truth.ndim else answer, units)

        return Metric(pointwise, metric.finish, metric.smaller)

    def pinball(truth: Floats, answer: Floats, units: Units) -> Floats:
        """Mean over the levels (Koenker and Bassett 1978)."""
        gap = truth[..., None] - (answer if answer.ndim > truth.ndim else answer[..., None])
        return np.asarray(np.maximum(wanted * gap, (wanted - 1) * gap).mean(-1))

    found = {name: of_point(metric) for name, metric in NUMBER_METRICS.items()} | {"pinball": Metric(pinball, mean)}
    for name, (low, high) in INTERVALS.items():
        if low in levels and high in levels:
            found[name] = Metric(_coverage(levels.index(low), levels.index(high)), mean, smaller=None)
    return found


def _coverage(low: int, high: int) -> Callable[[Floats, Floats, Units], Floats]:
    """Whether the truth lies between two of the quantiles; of a point nothing is known."""

    def pointwise(truth: Floats, answer: Floats, units: Units) -> Floats:
        if answer.ndim == truth.ndim:
            return np.full(truth.shape, np.nan)
        inside = (answer[..., low] <= truth) & (truth <= answer[..., high])
        return np.where(np.isnan(truth), np.nan, inside)

    return pointwise


METRICS = forecast_metrics((0.025, 0.1, 0.5, 0.9, 0.975)) | LABEL_METRICS | BINARY_METRICS
