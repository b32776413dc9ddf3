"""What pydantic cannot say of one key alone: defaults that follow from other keys, and keys without effect.

A key that could have no effect is an error, never ignored.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Any, NamedTuple

from rnncli.config import size
from rnncli.config.schema import BaselineName, Config, Data
from rnncli.config.zones import is_zone, near_zone

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
DEFAULT_QUANTILES = [0.025, 0.1, 0.5, 0.9, 0.975]
DECIDING = {  # keys on whose values the rules turn: where one is invalid, the rules cannot speak
    "data.decimal", "data.irregular", "data.layout", "data.series", "data.time", "model.cell", "model.num_layers",
    "scale.kind", "split.by", "split.validation", "task.kind", "training.device", "training.engine", "training.loss",
    "training.optimizer", "training.patience", "training.precision", "training.schedule", "window.context",
}  # fmt: skip


class Conflict(NamedTuple):
    """A key that is refused, and why."""

    key: str
    message: str
    hint: str | None = None


def conflicts(config: Config) -> Iterator[Conflict]:
    """Every key of `config` that contradicts another or could have no effect."""
    yield from _model(config)
    yield from _pieces(config)
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
    if size.gigabytes(model) > size.MOST_GIGABYTES:
        message = f"{model.num_layers} layers of {model.hidden_size:,} units need {size.shown(size.gigabytes(model))}"
        yield Conflict("model.hidden_size", message, "lower it")
    if model.dropout and model.num_layers == 1:
        yield Conflict(
            "model.dropout", "has no effect with one layer: it acts between layers", "raise model.num_layers"
        )


def _pieces(config: Config) -> Iterator[Conflict]:
    """What stands before, after and around the recurrence."""
    model, kind = config.model, config.task.kind
    if kind == "tagging" and model.segment is not None:
        yield Conflict("model.segment", "has no place in tagging: every step is answered")
    seasonal = {"model.segment": model.segment == "season", "window.context": str(config.window.context).endswith("s")}
    for key, named in seasonal.items():
        if named and kind != "forecasting":
            yield Conflict(key, f"no season is known for {kind}", "give a count of rows")
    if kind != "forecasting":
        for key in ("decoder", "skip"):
            if getattr(model, key) not in ("direct", "none"):
                yield Conflict(f"model.{key}", f"acts on forecasts, not on {kind}")
        return
    if model.skip != "none" and config.window.context == "full":
        yield Conflict("model.skip", "needs windows of one length", "set window.context")
    if model.decoder == "parallel":
        if model.segment is None:
            yield Conflict("model.decoder", "parallel forecasts a segment a step", "set model.segment")
        if model.bidirectional:
            yield Conflict("model.bidirectional", "has no newest state to go on from with decoder: parallel")
        if model.readout != "last":
            yield Conflict("model.readout", "has no effect with decoder: parallel: it goes on from the newest state")


def _task(config: Config) -> Iterator[Conflict]:
    task, window = config.task, config.window
    if task.kind == "forecasting":
        if task.horizon is None:
            yield Conflict("task.horizon", "is required for forecasting", "the number of rows to forecast")
        yield from _quantiles(config)
        return
    for section, name in ((task, "task.horizon"), (task, "task.quantiles"), (config.data, "data.season")):
        if getattr(section, name.split(".")[1]) is not None:
            yield Conflict(name, f"has no effect on {task.kind}")
    several = isinstance(config.data.target, list) and len(config.data.target) > 1
    if several and (task.kind != "tagging" or config.training.loss == "cross_entropy"):
        what = task.kind if task.kind != "tagging" else "tagging with labels (training.loss: cross_entropy)"
        yield Conflict("data.target", f"{what} predicts one column")
    for key in ("normalise", "transform"):
        if getattr(window, key) not in (None, "none"):
            yield Conflict(f"window.{key}", f"acts on forecasts, not on {task.kind}")
    if (window.stride or 1) > 1 and resolve(config).window.context == "full":
        yield Conflict("window.stride", "has no effect with window.context: full", "set window.context")
    if task.kind == "tagging" and config.model.readout != "last":
        yield Conflict("model.readout", "has no effect on tagging: every step is read")


def _quantiles(config: Config) -> Iterator[Conflict]:
    levels = config.task.quantiles
    if levels is None:
        return
    if config.training.loss != "quantile":
        yield Conflict("task.quantiles", "has no effect without training.loss: quantile", "set training.loss: quantile")
    if 0.5 not in levels or levels != sorted(set(levels)):
        yield Conflict("task.quantiles", "must rise and hold 0.5, the point forecast", "such as [0.1, 0.5, 0.9]")


def _data(config: Config) -> Iterator[Conflict]:
    data = config.data
    yield from _time(data)
    yield from _steps(config)
    yield from _dialect(data)
    yield from _columns(data)
    if data.layout == "wide":
        if config.task.kind != "forecasting":
            yield Conflict("data.layout", f"wide is for forecasting, not for {config.task.kind}")
        for key in ("series", "static"):
            if getattr(data, key):
                message = "has no effect with the wide layout: the target columns are the series"
                yield Conflict(f"data.{key}", message)
    if data.future and config.task.kind != "forecasting":
        yield Conflict("data.future", f"acts on forecasts, not on {config.task.kind}", "name it in data.past")
    if data.categorical and config.task.kind == "forecasting" and not (data.past or data.future or data.static):
        yield Conflict("data.categorical", "has no effect: it says which of the inputs are categories", "set data.past")
    if config.scale.kind == "none" and config.scale.per:
        yield Conflict("scale.per", "has no effect with scale.kind: none")


def _steps(config: Config) -> Iterator[Conflict]:
    """The keys of uneven and too few steps."""
    data, kind = config.data, config.task.kind
    if data.irregular == "resample" and kind == "tagging":
        yield Conflict("data.irregular", "resample makes rows that are not in the input; tagging answers every row")
    if data.frequency and kind != "forecasting" and data.irregular not in ("error", "resample"):
        yield Conflict("data.frequency", f"has no effect on {kind}", "set data.irregular: resample")
    if data.short_series == "skip" and kind == "classification":
        yield Conflict("data.short_series", "has no effect on classification: a single row is enough")


def _time(data: Data) -> Iterator[Conflict]:
    for key in ("time_format", "time_unit", "time_zone", "calendar", "frequency", "irregular"):
        if getattr(data, key) and not data.time:
            yield Conflict(f"data.{key}", "has no effect without data.time")
    if data.time_unit and data.time_format:
        yield Conflict("data.time_unit", "has no effect beside data.time_format: that is for texts, this for numbers")
    if data.time_zone and not is_zone(data.time_zone):
        yield Conflict("data.time_zone", f"{data.time_zone!r} is no time zone", near_zone(data.time_zone))


def _dialect(data: Data) -> Iterator[Conflict]:
    """How cells are written: signs that differ from each other, and a codec that Python knows."""
    if not _is_text_codec(data.encoding):
        yield Conflict("data.encoding", f"{data.encoding!r} is no text encoding", "such as utf-8, latin-1 or cp1252")
    paths = [data.path] if isinstance(data.path, str) else data.path
    for key, default in (("encoding", "utf-8"), ("delimiter", None)):
        if getattr(data, key) != default and all(path.endswith(".parquet") for path in paths):
            yield Conflict(f"data.{key}", "has no effect on Parquet files", "leave it out")
    if data.delimiter == data.decimal:
        yield Conflict("data.delimiter", "is data.decimal too", "set data.delimiter: ';', or leave it out")
    if data.thousands == data.decimal:
        hint = "set data.decimal: ','" if data.thousands == "." else "set data.decimal: '.'"
        yield Conflict("data.thousands", "is data.decimal too", hint)


def _is_text_codec(name: str) -> bool:
    try:
        codecs.getincrementaldecoder(name)
        b"    ".decode(name)
    except UnicodeError:  # a codec that these are no bytes of
        return True
    except (LookupError, ValueError):  # none, or one of no text; a name with NUL
        return False
    return True


def _columns(data: Data) -> Iterator[Conflict]:
    """Every column has one part, and none has a name that `predict` gives to a column of its own."""
    parts = {name: getattr(data, name) for name in ("time", "series", "target", "past", "future", "static", "weight")}
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
        if isinstance(value, str) and not any(letter.isdigit() for letter in value):
            yield Conflict(f"split.{key}", f"must be a fraction, a count or a time, not {value}")
            continue
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
    if training.label_smoothing is not None and resolve(config).training.loss not in ("cross_entropy", None):
        yield Conflict("training.label_smoothing", "acts on labels alone", "leave it out")
    if config.window.newest is not None and kind in ("classification", "tagging"):
        yield Conflict("window.newest", f"has no effect on {kind}")
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
    kind = config.task.kind
    by = config.split.by or ("time" if kind in ("forecasting", "tagging") else "series")
    per = None
    if config.scale.kind != "none":
        per = config.scale.per or ("series" if forecasting and by == "time" else "panel")
    context = config.window.context or ("full" if kind == "classification" else DEFAULT_CONTEXT)
    window: dict[str, Any] = {
        "context": context,
        "stride": config.window.stride
        or (max(1, context // 2) if kind == "tagging" and isinstance(context, int) else 1),
        "normalise": config.window.normalise or ("last" if forecasting else "none"),
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


def _baselines(config: Config) -> list[BaselineName] | None:
    """Every one that fits the task, unless they are named; of tagging, the data decides."""
    if config.evaluation.baselines is not None or config.task.kind == "tagging":
        return config.evaluation.baselines
    return list(BASELINES_OF[config.task.kind])
