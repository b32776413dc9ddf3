"""What pydantic cannot say of one key alone: defaults that follow from other keys, and keys without effect.

A key that could have no effect is an error, never ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from rnncli.config.schema import Config, Data

DEFAULT_CONTEXT = 96
LOSSES_OF = {
    "forecasting": ("mae", "mse", "huber"),
    "classification": ("cross_entropy",),
    "regression": ("mse", "mae", "huber"),
}
BASELINES_OF = {
    "forecasting": ("naive", "seasonal_naive", "drift", "mean", "ridge"),
    "classification": ("majority",),
    "regression": ("mean", "ridge"),
}
DECIDING = {  # keys on whose values the rules turn: where one is invalid, the rules cannot speak
    "data.layout", "data.series", "data.time", "model.cell", "model.num_layers", "scale.kind", "split.by",
    "split.validation", "task.kind", "training.device", "training.engine", "training.optimizer", "training.patience",
    "training.precision", "training.schedule", "window.context",
}  # fmt: skip


class Conflict(NamedTuple):
    """A key that is refused, and why."""

    key: str
    message: str
    hint: str | None = None


def conflicts(config: Config) -> Iterator[Conflict]:
    """Every key of `config` that contradicts another or could have no effect."""
    yield from _model(config)
    yield from _task(config)
    yield from _data(config)
    yield from _split(config)
    yield from _training(config)


def _model(config: Config) -> Iterator[Conflict]:
    model = config.model
    if model.nonlinearity and model.cell in ("lstm", "gru"):
        yield Conflict(
            "model.nonlinearity",
            f"has no effect on {model.cell}",
            "it belongs to the cells rnn and carry_lstm",
        )
    if model.dropout and model.num_layers == 1:
        yield Conflict(
            "model.dropout", "has no effect with one layer: it acts between layers", "raise model.num_layers"
        )


def _task(config: Config) -> Iterator[Conflict]:
    task, window = config.task, config.window
    if task.kind == "forecasting":
        if task.horizon is None:
            yield Conflict("task.horizon", "is required for forecasting", "the number of rows to forecast")
        return
    if task.horizon is not None:
        yield Conflict("task.horizon", f"has no effect on {task.kind}")
    if isinstance(config.data.target, list) and len(config.data.target) > 1:
        yield Conflict("data.target", f"{task.kind} predicts one column")
    for key in ("normalise", "transform"):
        if getattr(window, key) not in (None, "none"):
            yield Conflict(f"window.{key}", f"acts on forecasts, not on {task.kind}")
    if window.stride > 1 and resolve(config).window.context == "full":
        yield Conflict("window.stride", "has no effect with window.context: full", "set window.context")
    if config.data.season is not None:
        yield Conflict("data.season", f"has no effect on {task.kind}")


def _data(config: Config) -> Iterator[Conflict]:
    data = config.data
    if data.time_format and not data.time:
        yield Conflict("data.time_format", "has no effect without data.time")
    yield from _columns(data)
    if data.layout == "wide":
        if config.task.kind != "forecasting":
            yield Conflict("data.layout", f"wide is for forecasting, not for {config.task.kind}")
        if data.series:
            yield Conflict("data.series", "has no effect with the wide layout: the target columns are the series")
    if config.scale.kind == "none" and config.scale.per:
        yield Conflict("scale.per", "has no effect with scale.kind: none")


def _columns(data: Data) -> Iterator[Conflict]:
    """Every column has one part, and none has a name that `predict` gives to a column of its own."""
    parts = {"time": data.time, "series": data.series, "target": data.target, "past": data.past}
    seen: dict[str, str] = {}
    for part, names in parts.items():
        for name in [names] if isinstance(names, str) else names or []:
            if seen.setdefault(name, part) != part:
                yield Conflict(f"data.{part}", f"{name} is data.{seen[name]} already", "a column has one part")
    targets = [data.target] if isinstance(data.target, str) else data.target
    answers = {"step", "prediction", *(f"{name}_pred" for name in targets)}
    for part in ("time", "series"):
        names = parts[part]
        for name in answers & set([names] if isinstance(names, str) else names or []):
            yield Conflict(f"data.{part}", f"{name} is the name of a column that predict adds", "rename it")


def _split(config: Config) -> Iterator[Conflict]:
    split, by = config.split, resolve(config).split.by
    if config.task.kind == "classification" and by == "time":
        yield Conflict("split.by", "classification holds out whole series", "set split.by: series")
    if by == "series" and config.data.layout == "long" and not config.data.series:
        yield Conflict("data.series", "is required: whole series are held out", "the id column of the sequences")
    if by == "series" and config.scale.per == "series":
        yield Conflict("scale.per", "series held out whole have no training rows", "set scale.per: panel")
    for key in ("validation", "test"):
        value = getattr(split, key)
        if isinstance(value, str) and by == "series":
            yield Conflict(f"split.{key}", "a time needs split.by: time", "give a fraction or a count")
        if isinstance(value, str) and not config.data.time:
            yield Conflict(f"split.{key}", "a time needs data.time", "give a fraction or a count")


def _training(config: Config) -> Iterator[Conflict]:
    training, kind = config.training, config.task.kind
    if training.momentum is not None and training.optimizer != "sgd":
        yield Conflict("training.momentum", f"has no effect on {training.optimizer}")
    if training.loss and training.loss not in LOSSES_OF[kind]:
        yield Conflict("training.loss", f"{training.loss} is not for {kind}", f"one of {', '.join(LOSSES_OF[kind])}")
    if training.engine != "auto" and (training.precision == "bf16" or training.device.startswith("cuda")):
        yield Conflict("training.engine", "acts on the CPU in fp32 alone: all else is torch's", "set it to auto")
    for name in config.evaluation.baselines or ():
        if name not in BASELINES_OF[kind]:
            hint = f"one of {', '.join(BASELINES_OF[kind])}"
            yield Conflict("evaluation.baselines", f"{name} is not for {kind}", hint)
    if config.split.validation == 0:
        if training.patience is not None and "patience" in training.model_fields_set:
            yield Conflict("training.patience", "has no effect without a validation part")
        if training.schedule == "plateau":
            yield Conflict("training.schedule", "plateau needs a validation part")
    elif training.schedule == "plateau" and training.patience is None:
        yield Conflict("training.schedule", "plateau needs training.patience")


def resolve(config: Config) -> Config:
    """`config` with every default that follows from other keys filled in."""
    forecasting = config.task.kind == "forecasting"
    by = config.split.by or ("time" if forecasting else "series")
    per = None
    if config.scale.kind != "none":
        per = config.scale.per or ("series" if forecasting and by == "time" else "panel")
    window: dict[str, Any] = {
        "context": config.window.context or ("full" if config.task.kind == "classification" else DEFAULT_CONTEXT),
        "normalise": config.window.normalise or ("last" if forecasting else "none"),
    }
    cell = config.model.cell
    training: dict[str, Any] = {"loss": config.training.loss or LOSSES_OF[config.task.kind][0]}
    if config.training.optimizer == "sgd" and config.training.momentum is None:
        training["momentum"] = 0.9
    if config.split.validation == 0:
        training["patience"] = None
    baselines = config.evaluation.baselines
    update = {
        "split": {"by": by},
        "scale": {"per": per},
        "window": window,
        "model": {} if cell in ("lstm", "gru") else {"nonlinearity": config.model.nonlinearity or "tanh"},
        "training": training,
        "evaluation": {"baselines": list(BASELINES_OF[config.task.kind]) if baselines is None else baselines},
    }
    sections = {name: getattr(config, name).model_copy(update=values) for name, values in update.items()}
    return config.model_copy(update=sections)
