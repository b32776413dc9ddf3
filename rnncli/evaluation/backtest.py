"""Backtest: forecasts scored from several origins, one after the other, as if each had been made then.

Rolling-origin evaluation (Tashman 2000; Hyndman and Athanasopoulos, 5.10): one hold-out part says how good a model was
once, several origins say how steadily.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnncli.config import schema
from rnncli.data import clock
from rnncli.data.panel import Panel, Rows
from rnncli.data.split import split, too_short
from rnncli.data.windows import Windows
from rnncli.errors import DataError, DivergedError, Interrupted, UsageError
from rnncli.evaluation.evaluate import Scored, fit_baselines, no_scores, score, score_windows
from rnncli.trained import TrainedModel
from rnncli.training.fit import Event
from rnncli.training.interrupt import EXIT_CODES, Caught, caught_signals
from rnncli.training.prepare import Prepared, divide, on_device, scoring_windows
from rnncli.training.request import Watch
from rnncli.training.train import train_unsaved

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


@dataclass(frozen=True)
class Backtest:
    """The scores of every fold, the earliest first, and of all their windows together."""

    folds: Sequence[Fold]
    scored: Sequence[Scored]
    pooled: Scored


Watching = Callable[[int, Fold], AbstractContextManager[Watch]]
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
    allowed = _test_windows(model, data).origins
    return lambda fold: np.isin(fold.origins, allowed)


def _trainable(model: TrainedModel, data: Prepared) -> Fits:
    """A series fits where its rows before the origin are enough to train on, and to validate."""
    horizon, config = _horizon(model), _as_of_then(model)

    def fits(fold: Fold) -> NDArray[np.bool_]:
        enough = np.ones(len(fold.series), dtype=bool)
        enough[too_short(_rows_of(data, fold, horizon), data.columns, config.split, horizon)] = False
        if enough.any():
            rows = _rows_of(data, Fold(fold.series[enough], fold.origins[enough]), horizon)
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


def backtest(model: TrainedModel, data: Prepared, plan: Plan, folds: Sequence[Fold], watching: Watching) -> Backtest:
    """Score the folds.

    Args:
        watching: for a fold's number, from 1, and the fold: who is told how its training goes.

    Raises:
        Interrupted: if a signal came while models were trained.
        DivergedError: if a fold's training left the finite numbers.
    """
    scored = list(_refitted(model, data, folds, watching)) if plan.refit else _as_saved(model, data, folds)
    everyone = np.arange(len(data.panel))
    return Backtest(folds, scored, _gathered(model, [(each, everyone) for each in scored], len(data.panel)))


def by_fold(data: Prepared, found: Backtest) -> list[dict[str, Any]]:
    """A row a fold: its number, the time of the first target of its first series, its windows, the model's metrics."""
    return [
        {"fold": number, "origin": origin(data, fold), "windows": len(fold.origins), **scored.model.overall()}
        for number, (fold, scored) in enumerate(zip(found.folds, found.scored, strict=True), 1)
    ]


def origin(data: Prepared, fold: Fold) -> str | int:
    """The time of the first target of the first series, as the data writes it; without times, its row, from 0."""
    moment = data.panel.times[fold.origins[:1]]
    return int(moment[0]) if data.columns.time is None else clock.write(moment, data.columns.time_format)[0]


def _test_windows(model: TrainedModel, data: Prepared) -> Windows:
    device = next(model.network.parameters()).device
    return scoring_windows(data, data.split.test, on_device(data, device))


def _as_saved(model: TrainedModel, data: Prepared, folds: Sequence[Fold]) -> list[Scored]:
    windows, answers = _test_windows(model, data), fit_baselines(model, data)
    chosen = [np.flatnonzero(np.isin(windows.origins, fold.origins)) for fold in folds]
    return [score_windows(model, data, windows.pick(index), answers) for index in chosen]


def _refitted(model: TrainedModel, data: Prepared, folds: Sequence[Fold], watching: Watching) -> Iterator[Scored]:
    with caught_signals() as caught:
        for number, fold in enumerate(folds, 1):
            where = f"fold {number} of {len(folds)}"
            with watching(number, fold) as watch:
                fresh, own = refit(model, data, fold, _heeding(watch, caught, where), where)
            scored = score(fresh, own, own.split.test)
            _heed(caught, where)
            yield _gathered(model, [(scored, fold.series)], len(data.panel))


def refit(
    model: TrainedModel, data: Prepared, fold: Fold, watch: Watch, where: str = "a fold"
) -> tuple[TrainedModel, Prepared]:
    """A new model with the config of `model`, trained on the rows before the fold, and its data: those and the fold's.

    It is what ``rnncli train`` would come to if the data ended with the fold and the fold were the test part.

    Raises:
        DivergedError: if the numbers left the finite ones.
    """
    config = _as_of_then(model)
    own = divide(config, _rows_of(data, fold, _horizon(model)), data.columns)
    try:
        return train_unsaved(own, next(model.network.parameters()).device, watch), own
    except DivergedError as error:
        message = f"{where}: {error.problems[0].message}"
        raise DivergedError(message, "lower training.learning_rate or training.clip_norm in a new run") from None


def _as_of_then(model: TrainedModel) -> schema.Config:
    """The config with the fold as the test part."""
    config = model.config
    return config.model_copy(update={"split": config.split.model_copy(update={"test": _horizon(model)})})


def _rows_of(data: Prepared, fold: Fold, horizon: int) -> Panel:
    """The rows that were there when the fold's last target had come: nothing later."""
    return data.panel.until(fold.series, fold.origins + horizon)


def _gathered(model: TrainedModel, parts: Sequence[tuple[Scored, Rows]], series: int) -> Scored:
    """Several scores in one; with each, which of the `series` series its own are."""
    total = no_scores(model, series)
    for scored, own in parts:
        total.model.include(scored.model, own)
        for name, scores in total.baselines.items():
            scores.include(scored.baselines[name], own)
        if total.intervals is not None and scored.intervals is not None:
            total.intervals.include(scored.intervals, own)
    return total


def _heeding(watch: Watch, caught: Caught, where: str) -> Watch:
    """The watch of a training that stops for a signal."""

    def event(happened: Event) -> None:
        watch.event(happened)
        _heed(caught, where)

    return replace(watch, event=event)


def _heed(caught: Caught, where: str) -> None:
    if caught.signal is not None:
        message = (
            f"{caught.signal.name}: stopped in {where}; a backtest keeps nothing, it starts again from the beginning"
        )
        raise Interrupted(message, EXIT_CODES[caught.signal])
