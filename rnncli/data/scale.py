"""Scaling: centre and spread of every column, from training rows alone; applied, inverted, kept in the model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rnncli.config import schema
from rnncli.data.panel import Columns, Floats, Panel, Rows, SeriesId, show_id
from rnncli.errors import DataError

if TYPE_CHECKING:
    from rnncli.data.split import Part

EVERY = slice(None)


@dataclass(frozen=True)
class Scaler:
    """Statistics of the training rows.

    Attributes:
        settings: what centre and spread are, and whether each series has its own.
        transform: ``log`` takes the logarithm of targets before anything else.
        targets: number of target columns, which come first.
        ids: the series that were seen in training.
        centre, spread: (series or 1, columns), after the transform. A constant column has spread 1; codes, waves and
            targets that are no quantities have centre 0 and spread 1.
        static: (2, static columns) centre and spread of the values that training series have.
        deviation: (series, targets) population standard deviation in original units, for scaled errors; of all
            training rows for series that have none.
        seasonal_error: (series, targets) mean absolute seasonal-naive error in original units, for MASE.
    """

    settings: schema.Scale
    transform: str
    targets: int
    ids: tuple[SeriesId, ...]
    centre: Floats
    spread: Floats
    deviation: Floats
    seasonal_error: Floats
    static: Floats = field(default_factory=lambda: np.empty((2, 0)))

    def apply(self, values: Floats, series: np.ndarray) -> Floats:
        """Scaled values, shape (rows, columns); `series` (rows,) is the index of each row's series."""
        scaled = np.empty(values.shape)
        for column in range(values.shape[1]):
            scaled[:, column] = self.apply_to(column, values, series)
        return scaled

    def apply_to(self, column: int, values: Floats, series: np.ndarray) -> Floats:
        """(rows,) one column of (rows, columns) values, scaled: column by column, large data fits into memory."""
        rows = series if len(self.centre) > 1 else 0
        own = np.log(values[:, column]) if self.transform == "log" and column < self.targets else values[:, column]
        return np.asarray((own - self.centre[rows, column]) / self.spread[rows, column])

    def invert(self, scaled: Floats, series: np.ndarray) -> Floats:
        """Targets in original units: (windows, steps, targets) from scaled ones, or a further axis of quantiles."""
        rows = series if len(self.centre) > 1 else np.zeros_like(series)
        shape = (len(rows), 1, self.targets) + (1,) * (scaled.ndim - 3)
        centre, spread = (part[rows, : self.targets].reshape(shape) for part in (self.centre, self.spread))
        values = scaled * spread + centre
        with np.errstate(over="ignore"):  # a network that ran off forecasts infinity, and is seen to
            return np.asarray(np.exp(values) if self.transform == "log" else values)


def fit_scaler(panel: Panel, columns: Columns, part: Part, settings: schema.Scale, transform: str) -> Scaler:
    """Statistics of the rows of `part`, the training part.

    Raises:
        DataError: if the logarithm of a target does not exist.
    """
    targets, season = len(columns.value_targets), columns.season
    check_transform(panel, transform, targets)
    rows = [slice(int(first), int(last)) for first, last in zip(part.first, part.last, strict=True)]
    values = _transformed(panel.values, transform, targets)
    if settings.per == "series":
        found = [_centre_and_spread(values, settings.kind, own, panel.weights) for own in rows]
    else:
        found = [_of_panel(values, rows, settings.kind, panel.weights)]
    plain = np.isin(panel.columns, list(columns.unscaled))
    original = panel.values[:, :targets]
    return Scaler(
        settings=settings,
        transform=transform,
        targets=targets,
        ids=panel.ids,
        centre=np.where(plain, 0.0, np.stack([centre for centre, _ in found])),
        spread=np.where(plain, 1.0, np.stack([spread for _, spread in found])),
        deviation=_deviations(original, rows),
        seasonal_error=_filled(np.stack([_seasonal_error(original[own], season) for own in rows]), part),
        static=_static(panel, columns, part, settings.kind),
    )


def _of_panel(values: Floats, rows: list[slice], kind: str, weights: Floats | None = None) -> tuple[Floats, Floats]:
    """(columns,) statistics of the rows of all slices together."""
    whole = rows[0] if len(rows) == 1 else np.concatenate([np.arange(own.start, own.stop) for own in rows])
    return _centre_and_spread(values, kind, whole, weights)


def _static(panel: Panel, columns: Columns, part: Part, kind: str) -> Floats:
    """(2, static columns) centre and spread over the training series."""
    found = np.stack(_centre_and_spread(panel.static[part.series()], kind))
    plain = np.isin(columns.static, list(columns.categories))
    return np.where(plain, [[0.0], [1.0]], found) if len(plain) else np.empty((2, 0))


def check_transform(panel: Panel, transform: str, targets: int) -> None:
    """Refuse targets whose transform does not exist.

    Raises:
        DataError: naming the first such series and value.
    """
    if transform != "log":
        return
    bad = np.argwhere(panel.values[:, :targets] <= 0)
    if len(bad):
        row, column = bad[0]
        who = show_id(panel.ids[int(panel.series_of(np.array([row]))[0])])
        message = f"{panel.columns[column]} is {panel.values[row, column]:g} in series {who}"
        raise DataError(f"window.transform: log needs targets above zero; {message}", "set window.transform: none")


def adapt(scaler: Scaler, panel: Panel, columns: Columns, known: Part) -> Scaler:
    """The scaler in the order of `panel`'s series; series not seen in training get statistics of `known` rows."""
    if scaler.ids == panel.ids:
        return scaler
    index = {series: position for position, series in enumerate(scaler.ids)}
    fresh = fit_scaler(panel, columns, known, scaler.settings, scaler.transform)
    old = np.array([index.get(series, -1) for series in panel.ids])
    seen = old >= 0

    def mixed(trained: Floats, new: Floats) -> Floats:
        return np.where(seen[:, None], trained[np.maximum(old, 0)], new)

    shared = scaler.settings.per != "series"
    return replace(
        scaler,
        ids=panel.ids,
        centre=scaler.centre if shared else mixed(scaler.centre, fresh.centre),
        spread=scaler.spread if shared else mixed(scaler.spread, fresh.spread),
        deviation=mixed(scaler.deviation, scaler.deviation.mean(0, keepdims=True) if shared else fresh.deviation),
        seasonal_error=mixed(scaler.seasonal_error, fresh.seasonal_error),
    )


def _transformed(values: Floats, transform: str, targets: int) -> Floats:
    if transform == "none":
        return values
    return np.concatenate([np.log(values[:, :targets]), values[:, targets:]], axis=1)


def _centre_and_spread(
    values: Floats, kind: str, rows: slice | Rows = EVERY, weights: Floats | None = None
) -> tuple[Floats, Floats]:
    """(columns,) statistics of some `rows` of (rows, columns), passing over NaN; without values it stays as it is."""
    own = None if weights is None else weights[rows]
    found = np.array([_of_column(column[rows], kind, own) for column in values.T]).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _of_column(column: Floats, kind: str, weights: Floats | None) -> tuple[float, float]:
    """Centre and spread of (rows,) values; a constant column has spread 1.

    Rows of weight 0 are left out, unless there are no others; mean and deviation are weighted.
    """
    there = ~np.isnan(column)
    if weights is not None and (there & (weights > 0)).any():
        there &= weights > 0
        weights = weights[there]
    else:
        weights = None
    known = column[there]  # a copy, which the statistics may use up
    if not len(known):
        return 0.0, 1.0
    size = max(known.max(), -known.min())
    centre, spread = _standard(known, weights) if kind == "standard" else _STATISTICS[kind](known)
    return float(centre), float(spread) if spread > 1e-12 * size else 1.0


def _standard(x: Floats, weights: Floats | None = None) -> tuple[float, float]:
    """Mean and population deviation, found in the place of `x`; weighted as scikit-learn's StandardScaler does."""
    centre = np.average(x, weights=weights)
    x -= centre
    return float(centre), math.sqrt(np.average(np.square(x, out=x), weights=weights))


def _robust(x: Floats) -> tuple[float, float]:
    """Median and distance of the quartiles; `x` is put into another order."""
    centre = float(np.median(x, overwrite_input=True))
    low, high = np.percentile(x, [25, 75], overwrite_input=True)
    return centre, high - low


_STATISTICS: dict[str, Callable[[Floats], tuple[Any, Any]]] = {
    "standard": _standard,
    "robust": _robust,
    "minmax": lambda x: (x.min(), np.ptp(x)),
    "none": lambda x: (0.0, 1.0),
}


def _deviations(values: Floats, rows: list[slice]) -> Floats:
    """(series, targets) deviation of each series' training rows; where it has none, that of all training rows."""
    found = [_centre_and_spread(values[own], "standard")[1] for own in rows]
    if any(own.stop == own.start for own in rows):
        whole = _of_panel(values, rows, "standard")[1]
        found = [its if own.stop > own.start else whole for its, own in zip(found, rows, strict=True)]
    return np.stack(found)


def _filled(errors: Floats, part: Part) -> Floats:
    """(series, targets) errors; for series without training rows, the mean of those that have some."""
    empty = part.last == part.first
    if not empty.any():
        return errors
    known = ~np.isnan(errors)
    mean = np.nansum(errors, axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(empty[:, None], np.where(known.any(axis=0), mean, np.nan), errors)


def _seasonal_error(values: Floats, season: int) -> Floats:
    """Mean |y_t - y_(t-m)| (Hyndman and Koehler 2006); NaN where a constant series makes it zero."""
    lag = season if len(values) > season else 1
    gaps = values[lag:] - values[:-lag]
    unknown = np.isnan(gaps)
    gaps[unknown] = 0
    error = np.abs(gaps, out=gaps).sum(axis=0) / np.maximum(len(gaps) - unknown.sum(axis=0), 1)
    return np.where(error > 0, error, np.nan)
