"""Score a model on a part of its data, or on other data, beside the baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnncli.data.origins import closing_origins, training_origins
from rnncli.data.panel import compact
from rnncli.data.reading.frames import Tables
from rnncli.data.scale import adapt, check_transform
from rnncli.data.split import Part, Split, everything
from rnncli.data.windows import CHUNK, Windows
from rnncli.errors import DataError, Place
from rnncli.evaluation.answered import Answered, answered
from rnncli.evaluation.baselines import BASELINES, Answer, History, newest_known
from rnncli.evaluation.scores import Scores
from rnncli.tasks.intervals import interval_metrics
from rnncli.tasks.metrics import METRICS, Metric
from rnncli.tasks.task import shape_of
from rnncli.trained import TrainedModel
from rnncli.training.prepare import Prepared, on_device, prepare_known, read_data, scoring_windows


@dataclass(frozen=True)
class Scored:
    """Scores of the model and of every baseline on the same windows, and of the intervals that it gives."""

    model: Scores
    baselines: dict[str, Scores]
    intervals: Scores | None = None

    def by_step(self) -> list[dict[str, float]]:
        """The model's scores, and those of its intervals, for each step of the horizon."""
        rows = self.model.by_step()
        return rows if self.intervals is None else [a | b for a, b in zip(rows, self.intervals.by_step(), strict=True)]

    def by_series(self) -> dict[int, dict[str, float]]:
        """The model's scores, and those of its intervals, for each series."""
        rows = self.model.by_series()
        more = self.intervals.by_series() if self.intervals is not None else {}
        return {series: row | more.get(series, {}) for series, row in rows.items()}


def held_out(model: TrainedModel, tables: Tables) -> Prepared:
    """The data that the model was trained on, split as then."""
    data = prepare_known(model.config, model.columns, model.scaler, tables)
    return replace(data, scaler=adapt(model.scaler, data.panel, data.columns, data.split.train))


def other_data(model: TrainedModel, tables: Tables) -> Prepared:
    """Data that is all test. A series that was not in training is scaled by its first context.

    Raises:
        DataError: if there is no window to score.
    """
    config = model.config
    panel, columns = read_data(config, model.columns, tables)
    check_transform(panel, config.window.transform, model.scaler.targets)
    whole = everything(panel)
    room = np.maximum(whole.last - whole.first - model.task.horizon, 1)
    context = room if config.window.context == "full" else np.minimum(room, int(config.window.context or 1))
    known = Part(whole.first, whole.first + context)
    parts = Split(known, Part(whole.first, whole.first), whole)
    return Prepared(config, panel, columns, parts, adapt(model.scaler, panel, columns, known))


def score(model: TrainedModel, data: Prepared, part: Part) -> Scored:
    """Score every window whose targets lie in `part`.

    Raises:
        DataError: if there is none.
    """
    return score_windows(model, data, _to_score(model, data, part), fit_baselines(model, data))


def score_parts(model: TrainedModel, data: Prepared, *, own: bool = True) -> tuple[Scored | None, Scored | None]:
    """Scores of the validation and test parts of the run's own data, if it has them; all of other data is test.

    Raises:
        DataError: if a part has no window.
    """
    split = model.config.split
    parts = (
        data.split.validation if own and split.validation else None,
        data.split.test if split.test or not own else None,
    )
    windows = [None if part is None else _to_score(model, data, part) for part in parts]
    answers = fit_baselines(model, data) if any(some is not None for some in windows) else {}
    validation, test = (None if some is None else score_windows(model, data, some, answers) for some in windows)
    return validation, test


def _to_score(model: TrainedModel, data: Prepared, part: Part) -> Windows:
    """The windows whose targets lie in a part."""
    task = model.task
    windows = scoring_windows(data, part, on_device(data, next(model.network.parameters()).device))
    if not len(windows):
        raise DataError(f"no window to score: no series has {task.horizon + 1} rows", place=Place())
    if not _knows_a_target(data, windows, model.scaler.targets):
        raise DataError(f"no known {', '.join(data.columns.targets)} to score")
    return windows


def _knows_a_target(data: Prepared, windows: Windows, targets: int) -> bool:
    """Whether there is anything to score: looked for some windows at a time, since each can have many targets."""
    some = max(1, CHUNK // max(1, windows.shape.horizon, windows.shape.context * windows.shape.every))
    for start in range(0, len(windows), some):
        rows, counts = windows.target_rows(np.arange(start, min(start + some, len(windows))))
        if not np.isnan(data.panel.values[rows[counts], :targets]).all():
            return True
    return False


def fit_baselines(model: TrainedModel, data: Prepared) -> dict[str, Answer]:
    """The baselines that the config names, fitted to the training part."""
    past = history(model, data)
    return {name: BASELINES[name](past) for name in model.config.evaluation.baselines or ()}


def no_scores(model: TrainedModel, series: int) -> Scored:
    """Scores of no window yet, of a panel of so many series."""

    def empty(metrics: Mapping[str, Metric]) -> Scores:
        return Scores(metrics, series, max(1, model.task.horizon))

    return Scored(
        model=empty(model.task.metrics),
        baselines={name: empty(model.task.metrics) for name in model.config.evaluation.baselines or ()},
        intervals=None if model.residuals is None else empty(interval_metrics()),
    )


def score_windows(model: TrainedModel, data: Prepared, windows: Windows, answers: dict[str, Answer]) -> Scored:
    """Score windows that were cut from `data`, beside the answers of fitted baselines."""
    scored = no_scores(model, len(data.panel))
    for some in answered(model, data, windows):
        add(scored, some, answers)
    return scored


def add(scored: Scored, some: Answered, answers: dict[str, Answer]) -> None:
    """Add some answers to the scores, and those of the baselines to the same windows to theirs."""
    scored.model.add(some.truth, some.original, some.units, some.series)
    for name, scores in scored.baselines.items():
        scores.add(some.truth, answers[name](some.origins), some.units, some.series)
    if scored.intervals is not None and some.ends is not None:
        scored.intervals.add(some.truth, some.ends, some.units, some.series)


def history(model: TrainedModel, data: Prepared) -> History:
    """What the baselines may look at."""
    shape = shape_of(model.config, model.task, data.panel)
    stride = 1 if shape.every or shape.forks else model.config.window.stride or 1
    every_row = replace(shape, every=False, forks=False)
    if model.config.task.kind == "classification":  # a sequence counts once, however many windows it has
        origins = closing_origins(data.split.train)
    else:
        origins = training_origins(data.panel, data.split.train, every_row, stride)
    return History(
        panel=data.panel,
        columns=data.columns,
        scaler=data.scaler,
        train=data.split.train,
        origins=compact(origins),
        context=min(shape.context, int(data.panel.lengths().max())),
        horizon=shape.horizon,
        filled=newest_known(data.panel, model.scaler.targets),
    )


def skill(model: dict[str, float], baselines: dict[str, dict[str, float]]) -> dict[str, float]:
    """1 - error of the model / error of the best baseline, a metric; of accuracy and F1 what is missing to one."""
    result = {}
    for name, value in model.items():
        smaller = METRICS[name].smaller
        if smaller is None:
            continue
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

    Without a test part, baselines and skill are those of validation. `answers` counts what the scores are means of.
    """
    judged, parts = test or validation, {"validation": validation, "test": test}
    baselines = {name: scores.overall() for name, scores in judged.baselines.items()} if judged else {}
    result: dict[str, Any] = plain(
        {
            **run,
            "validation": validation.model.overall() if validation else {},
            "test": test.model.overall() if test else {},
            "baselines": baselines,
            "skill": skill(judged.model.overall(), baselines) if judged else {},
            **({"intervals": judged.intervals.overall()} if judged and judged.intervals else {}),
            "answers": {name: part.model.answers() for name, part in parts.items() if part},
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
