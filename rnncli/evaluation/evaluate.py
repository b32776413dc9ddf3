"""Score a model on a part of its data, or on other data, beside the baselines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnncli.data.files import read_panel
from rnncli.data.frames import Tables
from rnncli.data.panel import Floats, Rows
from rnncli.data.regular import with_frequency
from rnncli.data.scale import Scaler, adapt, check_transform
from rnncli.data.split import Part, Split, everything
from rnncli.data.windows import context_rows, training_origins
from rnncli.errors import DataError, Place
from rnncli.evaluation.baselines import BASELINES, History, newest_known
from rnncli.tasks.answers import answer_batches
from rnncli.tasks.metrics import METRICS, Scores, Units
from rnncli.trained import TrainedModel
from rnncli.training.prepare import Prepared, on_device, prepare_known, scoring_windows


@dataclass(frozen=True)
class Scored:
    """Scores of the model and of every baseline on the same windows."""

    model: Scores
    baselines: dict[str, Scores]


def held_out(model: TrainedModel, tables: Tables) -> Prepared:
    """The data that the model was trained on, split as then."""
    data = prepare_known(model.config, model.columns, model.scaler, tables)
    return Prepared(data.panel, data.columns, data.split, _scaler_for(model, data, data.split.train))


def other_data(model: TrainedModel, tables: Tables) -> Prepared:
    """Data that is all test. A series that was not in training is scaled by its first context.

    Raises:
        DataError: if there is no window to score.
    """
    config = model.config
    panel, columns = read_panel(tables, model.columns, config.data.missing)
    if config.task.kind == "forecasting":
        columns = with_frequency(panel, columns, tables, columns.season)
    check_transform(panel, config.window.transform, model.scaler.targets)
    whole = everything(panel)
    horizon = model.task.horizon(config.task)
    room = np.maximum(whole.last - whole.first - horizon, 1)
    context = room if config.window.context == "full" else np.minimum(room, int(config.window.context or 1))
    known = Part(whole.first, whole.first + context)
    nothing = Part(whole.first, whole.first)
    data = Prepared(panel, columns, Split(known, nothing, whole), model.scaler)
    return Prepared(panel, columns, data.split, _scaler_for(model, data, known))


def _scaler_for(model: TrainedModel, data: Prepared, known: Part) -> Scaler:
    return adapt(model.scaler, data.panel, known, data.columns.season)


def score(model: TrainedModel, data: Prepared, part: Part) -> Scored:
    """Score every window whose targets lie in `part`.

    Raises:
        DataError: if there is none.
    """
    device = next(model.network.parameters()).device
    windows = scoring_windows(model.config, data, part, on_device(model.config, data, device))
    if not len(windows):
        horizon = model.task.horizon(model.config.task)
        raise DataError(f"no window to score: no series has {horizon + 1} rows", place=Place())
    if np.isnan(_truth(data, windows.origins, windows.horizon, model.scaler.targets)).all():
        raise DataError(f"no known {', '.join(data.columns.targets)} to score")
    metrics = model.task.metrics
    steps = max(1, windows.horizon)
    scored = Scored(
        model=Scores(metrics, len(data.panel), steps),
        baselines={name: Scores(metrics, len(data.panel), steps) for name in model.config.evaluation.baselines or ()},
    )
    past = _history(model, data)
    answers = {name: BASELINES[name](past) for name in scored.baselines}
    for index, answer in answer_batches(model.network, model.task, windows):
        series, origins = windows.series[index], windows.origins[index]
        truth = _truth(data, origins, windows.horizon, model.scaler.targets)
        units = Units(data.scaler.deviation[series][:, None], data.scaler.seasonal_error[series][:, None])
        scored.model.add(truth, model.task.original(answer, data.scaler, series), units, series)
        for name, scores in scored.baselines.items():
            scores.add(truth, answers[name](origins), units, series)
    return scored


def _history(model: TrainedModel, data: Prepared) -> History:
    """What the baselines may look at."""
    window, horizon = model.config.window, model.task.horizon(model.config.task)
    context = context_rows(window.context or "full", data.panel)
    return History(
        panel=data.panel,
        columns=data.columns,
        scaler=data.scaler,
        train=data.split.train,
        origins=training_origins(data.panel, data.split.train, context, horizon, window.stride),
        context=min(context, int(data.panel.lengths().max())),
        horizon=horizon,
        filled=newest_known(data.panel, model.scaler.targets),
    )


def _truth(data: Prepared, origins: Rows, horizon: int, targets: int) -> Floats:
    """(windows, steps, targets) in original units; NaN where it is not known."""
    rows = origins[:, None] + (np.arange(horizon) if horizon else np.array([-1]))
    return data.panel.values[rows, :targets]


def skill(model: dict[str, float], baselines: dict[str, dict[str, float]]) -> dict[str, float]:
    """1 - error of the model / error of the best baseline, a metric; of accuracy and F1 what is missing to one."""
    result = {}
    for name, value in model.items():
        smaller = METRICS[name].smaller
        others = [scores[name] for scores in baselines.values() if not math.isnan(scores[name])]
        if others:
            best = min(others) if smaller else 1 - max(others)
            error = value if smaller else 1 - value
            result[name] = 1 - error / best if best > 0 else float("nan")
    return result


def document(
    model: TrainedModel, run: dict[str, Any], validation: Scored | None, test: Scored | None
) -> dict[str, Any]:
    """The JSON of ``metrics.json``: scores in original units, baselines and skill on the test part.

    Without a test part, baselines and skill are those of validation.
    """
    judged = test or validation
    baselines = {name: scores.overall() for name, scores in judged.baselines.items()} if judged else {}
    result: dict[str, Any] = plain(
        {
            **run,
            "validation": validation.model.overall() if validation else {},
            "test": test.model.overall() if test else {},
            "baselines": baselines,
            "skill": skill(judged.model.overall(), baselines) if judged else {},
        }
    )
    return result


def plain(value: Any) -> Any:
    """`value` with every number that is not finite as None, which JSON has."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
