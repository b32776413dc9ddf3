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

from rnncli.data.panel import Rows
from rnncli.errors import DivergedError, Interrupted
from rnncli.evaluation.evaluate import Scored, fit_baselines, no_scores, score, score_windows
from rnncli.evaluation.folds import Fold, Plan, config_of_then, origin, rows_of, windows_of_test
from rnncli.trained import TrainedModel
from rnncli.training.interrupt import EXIT_CODES, Caught, caught_signals
from rnncli.training.prepare import Prepared, divide
from rnncli.training.request import Watch
from rnncli.training.state import Event
from rnncli.training.train import train_unsaved


@dataclass(frozen=True)
class Backtest:
    """The scores of every fold, the earliest first, and of all their windows together."""

    folds: Sequence[Fold]
    scored: Sequence[Scored]
    pooled: Scored


Watching = Callable[[int, Fold], AbstractContextManager[Watch]]


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


def _as_saved(model: TrainedModel, data: Prepared, folds: Sequence[Fold]) -> list[Scored]:
    windows, answers = windows_of_test(model, data), fit_baselines(model, data)
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
    config = config_of_then(model)
    own = divide(config, rows_of(data, fold, model.task.horizon), data.columns)
    try:
        return train_unsaved(own, next(model.network.parameters()).device, watch), own
    except DivergedError as error:
        message = f"{where}: {error.problems[0].message}"
        raise DivergedError(message, "lower training.learning_rate or training.clip_norm in a new run") from None


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
