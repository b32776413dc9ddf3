"""What ``rnncli evaluate --backtest`` does beside scoring: progress of refits, and what to tell of folds left out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rnncli import console
from rnncli.cli.training_run import Progress
from rnncli.evaluation.backtest import Backtest, backtest, by_fold
from rnncli.evaluation.evaluate import plain
from rnncli.evaluation.folds import Fold, Plan, candidates, origin, place_folds
from rnncli.trained import TrainedModel
from rnncli.training.prepare import Prepared
from rnncli.training.request import Watch


def run_backtest(model: TrainedModel, data: Prepared, plan: Plan) -> Backtest:
    """Score the folds that fit, with a warning if they are fewer than asked for, or lack series."""
    folds = place_folds(model, data, plan)
    _warn_of_missing(folds, data, plan)

    @contextmanager
    def watching(number: int, fold: Fold) -> Iterator[Watch]:
        console.say(f"fold {number} of {len(folds)}: forecasts from {origin(data, fold)} on")
        with Progress(model.config) as progress:
            yield progress.watch()

    return backtest(model, data, plan, folds, watching)


def described(model: TrainedModel, data: Prepared, plan: Plan, found: Backtest) -> dict[str, Any]:
    """``backtest`` and ``by_fold`` of the document."""
    stride = plan.stride or model.task.horizon
    return {
        "backtest": {"folds": len(found.folds), "stride": stride, "refit": plan.refit},
        "by_fold": plain(by_fold(data, found)),
    }


def _warn_of_missing(folds: Sequence[Fold], data: Prepared, plan: Plan) -> None:
    if len(folds) < plan.folds:
        hint = "a smaller --stride gives more" if plan.refit else "--refit, or a smaller --stride, gives more"
        where = "before which enough rows are left to train on" if plan.refit else "in rows that the model has not seen"
        console.warn(f"{len(folds)} of {plan.folds} folds fit {where}: {hint}")
    most, least = candidates(data, plan), len(folds[0].series)
    if least < most:
        console.warn(f"fold 1 holds {least:,} of {most:,} series: the others are too short for it")
