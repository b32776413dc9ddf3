"""What needs no network: the forecasts, numbers and labels that a model has to beat.

A baseline is fitted to the training part and gives a function from windows (by their origins) to answers in original
units: (windows, horizon, targets), or (windows, classes) for labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rnncli.data.panel import Columns, Floats, Numbers, Panel, Rows
from rnncli.data.resident import fill_forward
from rnncli.data.scale import Scaler
from rnncli.data.split import Part
from rnncli.data.windows import CHUNK

RIDGE_PENALTY = 0.05  # on each weight, a window, in scaled units
RIDGE_CHUNK = 4096

Answer = Callable[[Rows], Floats]


@dataclass(frozen=True)
class History:
    """What a baseline may look at.

    Attributes:
        panel: in original units.
        columns: with season and labels.
        scaler: in the order of the panel's series.
        train: the training part.
        origins: of the training windows.
        context: rows of past in a window, at most.
        horizon: rows of target; 0 if the target stands in the newest input row.
        filled: (rows, targets) with the newest known value where one is missing.
    """

    panel: Panel
    columns: Columns
    scaler: Scaler
    train: Part
    origins: Numbers
    context: int
    horizon: int
    filled: Floats

    def begins(self, rows: Rows) -> Rows:
        """First row of the series of each of `rows`."""
        return self.panel.offsets[self.panel.series_of(rows)]

    def scaled_targets(self) -> Floats:
        """(rows, targets) scaled, found some rows at a time."""
        found: Floats = np.empty(self.filled.shape)
        for start in range(0, len(found), CHUNK):
            some = slice(start, start + CHUNK)
            series = self.panel.series_of(np.arange(start, start + len(found[some])))
            for column in range(self.scaler.targets):
                found[some, column] = self.scaler.apply_to(column, self.panel.values[some], series)
        return found


def newest_known(panel: Panel, targets: int) -> Floats:
    """(rows, targets) with the newest known value where one is missing."""
    values = panel.values[:, :targets]
    return fill_forward(values, ~np.isnan(values), panel)


def naive(past: History) -> Answer:
    """The newest value, for every step."""
    return lambda origins: np.repeat(past.filled[origins - 1][:, None], past.horizon, axis=1)


def seasonal_naive(past: History) -> Answer:
    """The value one season before, the newest season repeated; the newest value where there is no season yet."""
    season = past.columns.season

    def answer(origins: Rows) -> Floats:
        rows = origins[:, None] - season + np.arange(past.horizon) % season
        reaches = (origins - season >= past.begins(origins - 1))[:, None]
        return past.filled[np.where(reaches, rows, origins[:, None] - 1)]

    return answer


def drift(past: History) -> Answer:
    """The line through the first and the newest value of the window (Hyndman and Athanasopoulos, 5.2)."""

    def answer(origins: Rows) -> Floats:
        first = np.maximum(past.begins(origins - 1), origins - past.context)
        newest = past.filled[origins - 1]
        slope = (newest - past.filled[first]) / np.maximum(origins - 1 - first, 1)[:, None]
        return newest[:, None] + slope[:, None] * np.arange(1, past.horizon + 1)[:, None]

    return answer


def mean(past: History) -> Answer:
    """The mean of the series' training rows, or of all training rows where the series has none."""
    targets = past.panel.values[:, : past.filled.shape[1]]
    inside = [slice(first, last) for first, last in zip(past.train.first, past.train.last, strict=True)]
    sums, counts = found = np.stack([_totals(targets[rows]) for rows in inside], axis=1)
    total, count = found.sum(axis=1)
    own = np.where((counts > 0).all(axis=1, keepdims=True), sums / np.maximum(counts, 1), total / count)
    steps = max(1, past.horizon)
    if past.columns.binary:  # add-one smoothing: a column that was never 1 may be so one day
        own = np.broadcast_to((total + 1) / (count + 2), own.shape)
    return lambda origins: np.repeat(own[past.panel.series_of(origins - 1)][:, None], steps, axis=1)


def _totals(values: Floats) -> Floats:
    """(2, columns) the sum of what is known, and how many that are; without a copy of all."""
    found = np.zeros((2, values.shape[1]))
    for start in range(0, len(values), CHUNK):
        some = values[start : start + CHUNK]
        found += [np.nansum(some, axis=0), (~np.isnan(some)).sum(axis=0)]
    return found


def ridge(past: History) -> Answer:
    """A linear map with a small penalty, in closed form: W = (A'A + p N I)^-1 A'Y (Hoerl and Kennard 1970).

    For forecasts A holds the window's values less its last and Y the targets likewise, in scaled units, one map for
    all series and targets; for a number at the newest row, A holds the scaled inputs of that row.
    """
    if not len(past.origins):  # nothing to fit it to
        return naive(past) if past.horizon else mean(past)
    return _ridge_forecast(past) if past.horizon else _ridge_last_row(past)


def _ridge_forecast(past: History) -> Answer:
    scaled = past.scaled_targets()
    scaled = fill_forward(scaled, ~np.isnan(scaled), past.panel)
    back, ahead = np.arange(-past.context, 0), np.arange(past.horizon)

    def features(origins: Rows) -> tuple[Floats, Floats]:
        """(windows * targets, context) values less the last, and (windows, 1, targets) the last."""
        rows = np.maximum(origins[:, None] + back, past.begins(origins - 1)[:, None])
        last = scaled[origins - 1][:, None]
        return np.moveaxis(scaled[rows] - last, 2, 1).reshape(-1, past.context), last

    squares = np.zeros((past.context, past.context))
    products = np.zeros((past.context, past.horizon))
    for start in range(0, len(past.origins), RIDGE_CHUNK):
        origins = past.origins[start : start + RIDGE_CHUNK]
        inputs, last = features(origins)
        targets = np.moveaxis(scaled[origins[:, None] + ahead] - last, 2, 1).reshape(-1, past.horizon)
        squares += inputs.T @ inputs
        products += inputs.T @ targets
    count = len(past.origins) * scaled.shape[1]
    weights = _solution(squares + RIDGE_PENALTY * count * np.eye(past.context), products)

    def answer(origins: Rows) -> Floats:
        inputs, last = features(origins)
        ahead_of_last = (inputs @ weights).reshape(len(origins), -1, past.horizon)
        return past.scaler.invert(np.moveaxis(ahead_of_last, 1, 2) + last, past.panel.series_of(origins - 1))

    return answer


def _ridge_last_row(past: History) -> Answer:
    panel, count = past.panel, past.filled.shape[1]
    used = [
        place for place in range(count, panel.values.shape[1]) if panel.columns[place] not in past.columns.categories
    ]

    def features(rows: Numbers) -> Floats:
        """(rows, inputs + 1) scaled inputs, 0 where one is missing, and a one."""
        values, series = panel.values[rows], panel.series_of(rows)
        scaled = [np.nan_to_num(past.scaler.apply_to(column, values, series)) for column in used]
        return np.stack([*scaled, np.ones(len(rows))], axis=1)

    squares, products, total = np.zeros((len(used) + 1,) * 2), np.zeros((len(used) + 1, count)), 0
    for start in range(0, len(past.origins), CHUNK):
        rows = past.origins[start : start + CHUNK] - 1
        rows = rows[~np.isnan(panel.values[rows, :count]).any(axis=1)]
        inputs = features(rows)
        squares, products = squares + inputs.T @ inputs, products + inputs.T @ panel.values[rows, :count]
        total += len(rows)
    if not total:
        return mean(past)
    penalty = RIDGE_PENALTY * total * np.diag([1.0] * len(used) + [1e-9])
    weights = _solution(squares + penalty, products)
    return lambda origins: (features(origins - 1) @ weights)[:, None]


def _solution(squares: Floats, products: Floats) -> Floats:
    """Of linear equations; the smallest of all that there are, where the penalty is nothing beside enormous numbers."""
    try:
        return np.asarray(np.linalg.solve(squares, products), np.float64)
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.lstsq(squares, products, rcond=None)[0], np.float64)


def majority(past: History) -> Answer:
    """The share of every class among the training series, or rows if each has a label, for every window."""
    counts = _label_counts(past)
    return lambda origins: np.tile(counts / counts.sum(), (len(origins), 1))


def _label_counts(past: History) -> Floats:
    assert past.columns.labels is not None
    codes = past.panel.values[past.origins - 1, 0]
    return np.bincount(codes[~np.isnan(codes)].astype(np.int64), minlength=len(past.columns.labels)).astype(float)


def previous(past: History) -> Answer:
    """What the target held in the row before, which the model is not told: a number as it was; of labels and of 0/1
    columns the odds of what came next in training (a first-order Markov chain with add-one smoothing).

    In a series' first row, the mean.
    """
    before = np.maximum(np.arange(len(past.panel.times)) - 1, 0)
    known = past.filled[before]
    start = (majority if past.columns.labels is not None else mean)(past)
    if past.columns.labels is not None:
        odds = _chain(past, known[:, 0].astype(np.int64), len(past.columns.labels))
    elif past.columns.binary:
        pairs = [_chain(past, column.astype(np.int64), 2, number) for number, column in enumerate(known.T)]
        odds = np.stack([pair[:, 1] for pair in pairs], axis=1)[:, None]
    else:
        odds = known[:, None]

    def answer(origins: Rows) -> Floats:
        rows = origins - 1
        begins = (rows == past.begins(rows)).reshape(-1, *(1,) * (odds.ndim - 1))
        return np.where(begins, start(origins), odds[rows])

    return answer


def _chain(past: History, before: Rows, classes: int, column: int = 0) -> Floats:
    """(rows, classes) odds of what follows the code `before` each row, from the training rows."""
    rows = past.origins - 1
    rows = rows[rows != past.begins(rows)]
    values = past.panel.values[:, column]
    rows = rows[~np.isnan(values[rows]) & ~np.isnan(values[rows - 1])]
    counts = np.ones((classes, classes))
    np.add.at(counts, (before[rows], past.panel.values[rows, column].astype(np.int64)), 1)
    return np.asarray((counts / counts.sum(1, keepdims=True))[before])


BASELINES: dict[str, Callable[[History], Answer]] = {
    "naive": naive,
    "seasonal_naive": seasonal_naive,
    "drift": drift,
    "mean": mean,
    "ridge": ridge,
    "majority": majority,
    "previous": previous,
}
