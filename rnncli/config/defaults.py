"""Defaults that follow from other keys, or from the task."""

from __future__ import annotations

from typing import Any

from rnncli.config.schema import BaselineName, Config
from rnncli.config.tune_schema import MetricName

DEFAULT_CONTEXT = 96
LOSSES_OF = {
    "forecasting": ("mae", "mse", "huber", "quantile"),
    "classification": ("cross_entropy",),
    "regression": ("mse", "mae", "huber"),
    "tagging": ("mse", "mae", "huber", "binary_cross_entropy", "cross_entropy"),
}
BASELINES_OF: dict[str, tuple[BaselineName, ...]] = {
    "forecasting": ("naive", "seasonal_naive", "drift", "mean", "ridge"),
    "classification": ("majority",),
    "regression": ("mean", "ridge"),
    "tagging": ("mean", "ridge", "previous", "majority"),
}
_OF_NUMBERS: tuple[MetricName, ...] = ("mae", "mse", "rmse", "mase", "smape", "scaled_mse", "scaled_mae")
METRICS_OF: dict[str, tuple[MetricName, ...]] = {
    "forecasting": (*_OF_NUMBERS, "pinball"),
    "classification": ("accuracy", "f1", "cross_entropy"),
    "regression": _OF_NUMBERS,
    "tagging": (*_OF_NUMBERS, "accuracy", "f1", "cross_entropy", "nll"),
}
DEFAULT_QUANTILES = [0.025, 0.1, 0.5, 0.9, 0.975]


def resolve(config: Config) -> Config:
    """`config` with every default that follows from other keys filled in."""
    forecasting = config.task.kind == "forecasting"
    kind = config.task.kind
    by = config.split.by or ("time" if kind in ("forecasting", "tagging") else "series")
    per = None
    if config.scale.kind != "none":
        per = config.scale.per or ("series" if forecasting and by == "time" else "panel")
    context = config.window.context or ("full" if kind == "classification" else DEFAULT_CONTEXT)
    normalise = config.window.normalise or ("last" if forecasting else "none")
    forks = forecasting and config.window.origins == "every"
    window: dict[str, Any] = {
        "context": context,
        "stride": config.window.stride or _stride(context, every=forks or kind == "tagging"),
        "normalise": normalise,
        "level": None if normalise == "none" or forks else config.window.level is not False,
    }
    cell = config.model.cell
    training: dict[str, Any] = {}
    if kind != "tagging":  # there it depends on what the target column holds
        training["loss"] = config.training.loss or LOSSES_OF[kind][0]
    if config.training.optimizer == "sgd" and config.training.momentum is None:
        training["momentum"] = 0.9
    if config.split.validation == 0:
        training["patience"] = None
    update = {
        "data": {"irregular": config.data.irregular or ("error" if forecasting and config.data.time else None)},
        "split": {"by": by},
        "scale": {"per": per},
        "window": window,
        "task": {"quantiles": config.task.quantiles or DEFAULT_QUANTILES} if config.training.loss == "quantile" else {},
        "model": {} if cell in ("lstm", "gru") else {"nonlinearity": config.model.nonlinearity or "tanh"},
        "training": training,
        "evaluation": {"baselines": _baselines(config)},
    }
    sections = {name: getattr(config, name).model_copy(update=values) for name, values in update.items()}
    return config.model_copy(update=sections)


def _stride(context: int | str, *, every: bool) -> int | None:
    """Half the context where every row of a window is trained; of seasons the rows are not known yet."""
    if not every or context == "full":
        return 1
    return max(1, context // 2) if isinstance(context, int) else None


def _baselines(config: Config) -> list[BaselineName] | None:
    """Every one that fits the task, unless they are named; of tagging, the data decides."""
    if config.evaluation.baselines is not None or config.task.kind == "tagging":
        return config.evaluation.baselines
    return list(BASELINES_OF[config.task.kind])
