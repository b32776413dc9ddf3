"""Folds: the origins that a backtest forecasts from, and the rows that there are at each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnncli.config import schema
from rnncli.data import clock
from rnncli.data.panel import Panel, Rows
from rnncli.data.split import split, too_short
from rnncli.data.windows import Windows
from rnncli.errors import DataError, UsageError
from rnncli.trained import TrainedModel
from rnncli.training.prepare import Prepared, on_device, scoring_windows

FOLDS = 5


@dataclass(frozen=True)
class Plan:
    """What is asked for.

    Attributes:
        folds: origins at most.
        stride: rows between one origin and the next; None for the horizon, so that no row is forecast twice.
        refit: whether every fold has a model of its own, or all have the saved one.
    """

    folds: int = FOLDS
    stride: int | None = None
    refit: bool = False


@dataclass(frozen=True)
class Fold:
    """A forecast origin: of every series that takes part, the row of its first target.

    Attributes:
        series: (windows,) which series of the panel take part.
        origins: (windows,) panel rows; the targets are the `horizon` rows from there on.
    """

    series: Rows
    origins: Rows


Fits = Callable[[Fold], NDArray[np.bool_]]


def check_plan(model: TrainedModel, plan: Plan, *, other: bool) -> None:
    """Refuse what cannot be done with a run, whatever the data; `other` if it is not the run's own.

    Raises:
        UsageError: if it cannot.
    """
    config = model.config
    if config.task.kind != "forecasting":
        raise UsageError(f"--backtest is for forecasting, the run is a {config.task.kind}", "leave it out")
    if plan.refit and config.split.by == "series":
        raise UsageError("--refit: the run holds out whole series (split.by: series)", "leave out --refit")
    if not plan.refit and not other and config.split.test == 0:
        hint = "--refit trains anew for every fold; --data FILE brings rows that the run has not seen"
        raise UsageError("--backtest: the run held out no test part (split.test: 0)", hint)


def place_folds(model: TrainedModel, data: Prepared, plan: Plan) -> list[Fold]:
    """The folds that fit, the earliest first; the last one ends with the last row of each series.

    A series takes part where its targets are rows of the test part or, with `plan.refit`, where enough rows before
    them are left to train on. A fold needs one series, and one known target.

    Raises:
        DataError: if none fits.
    """
    panel, horizon = data.panel, _horizon(model)
    fits = _trainable(model, data) if plan.refit else _held_out(model, data)
    stride = plan.stride or horizon
    found = []
    for back in range(min(plan.folds, int(panel.lengths().max()) // stride + 1)):
        origins = panel.ends - horizon - back * stride
        inside = np.flatnonzero(origins > panel.offsets[:-1])
        fold = Fold(inside, origins[inside])
        fitting = fits(fold)
        fold = Fold(fold.series[fitting], fold.origins[fitting])
        if _knows_a_target(panel, fold, horizon, model.scaler.targets):
            found.append(fold)
    if not found:
        raise _nothing_fits(plan, horizon)
    return found[::-1]


def candidates(data: Prepared, plan: Plan) -> int:
    """How many series could take part in a fold."""
    return len(data.panel) if plan.refit else len(data.split.test.series())


def _horizon(model: TrainedModel) -> int:
    return model.task.horizon


def _held_out(model: TrainedModel, data: Prepared) -> Fits:
    """A series fits where `score` would score it, too: it was neither trained on nor chose the epoch."""
    allowed = windows_of_test(model, data).origins
    return lambda fold: np.isin(fold.origins, allowed)


def _trainable(model: TrainedModel, data: Prepared) -> Fits:
    """A series fits where its rows before the origin are enough to train on, and to validate."""
    horizon, config = _horizon(model), config_of_then(model)

    def fits(fold: Fold) -> NDArray[np.bool_]:
        enough = np.ones(len(fold.series), dtype=bool)
        enough[too_short(rows_of(data, fold, horizon), data.columns, config.split, horizon)] = False
        if enough.any():
            rows = rows_of(data, Fold(fold.series[enough], fold.origins[enough]), horizon)
            try:
                split(rows, data.columns, config.split, horizon, config.seed)
            except DataError:  # validation starts at a time that comes after the origin
                enough[:] = False
        return enough

    return fits


def _knows_a_target(panel: Panel, fold: Fold, horizon: int, targets: int) -> bool:
    rows = fold.origins[:, None] + np.arange(horizon)
    return bool(panel.observed[rows, :targets].any())


def _nothing_fits(plan: Plan, horizon: int) -> DataError:
    if plan.refit:
        what = f"no fold: no series has enough rows to train on before its last {horizon}"
        return DataError(what, "train a run with a lower task.horizon or split.validation (a count or a fraction)")
    what = f"no fold: no series ends with {horizon} rows to score, a target among them known, and a row before them"
    return DataError(what, "give more rows with --data, or train a run with a lower task.horizon")


def origin(data: Prepared, fold: Fold) -> str | int:
    """The time of the first target of the first series, as the data writes it; without times, its row, from 0."""
    moment = data.panel.times[fold.origins[:1]]
    return int(moment[0]) if data.columns.time is None else clock.write(moment, data.columns.time_format)[0]


def windows_of_test(model: TrainedModel, data: Prepared) -> Windows:
    """Every window of the test part."""
    device = next(model.network.parameters()).device
    return scoring_windows(data, data.split.test, on_device(data, device))


def config_of_then(model: TrainedModel) -> schema.Config:
    """The config with the fold as the test part."""
    config = model.config
    return config.model_copy(update={"split": config.split.model_copy(update={"test": _horizon(model)})})


def rows_of(data: Prepared, fold: Fold, horizon: int) -> Panel:
    """The rows that were there when the fold's last target had come: nothing later."""
    return data.panel.until(fold.series, fold.origins + horizon)
