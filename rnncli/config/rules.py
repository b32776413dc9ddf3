"""Keys that contradict others or could have no effect: an error, never ignored."""

from __future__ import annotations

from collections.abc import Iterator

from rnncli.config import size
from rnncli.config.conflict import Conflict
from rnncli.config.data_rules import data_conflicts
from rnncli.config.defaults import BASELINES_OF, LOSSES_OF, resolve
from rnncli.config.schema import Config
from rnncli.config.tune_rules import tune_conflicts

DECIDING = {  # keys on whose values the rules turn: where one is invalid, the rules cannot speak
    "data.decimal", "data.irregular", "data.layout", "data.series", "data.time", "model.cell", "model.num_layers",
    "model.decoder", "model.segment", "scale.kind", "split.by", "split.validation", "task.kind", "training.device",
    "training.engine", "training.loss", "training.optimizer", "training.patience", "training.precision",
    "training.schedule", "window.context", "window.normalise", "window.origins",
}  # fmt: skip


def conflicts(config: Config) -> Iterator[Conflict]:
    """Every key of `config` that contradicts another or could have no effect."""
    yield from _model(config)
    yield from _pieces(config)
    yield from _task(config)
    yield from _window(config)
    yield from data_conflicts(config)
    yield from _split(config)
    yield from _training(config)
    yield from tune_conflicts(config)


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
    model, kind, context = config.model, config.task.kind, config.window.context
    if kind == "tagging" and model.segment is not None:
        yield Conflict("model.segment", "has no place in tagging: every step is answered")
    if isinstance(model.segment, int) and isinstance(context, int) and model.segment > context:
        yield Conflict("model.segment", f"is longer than the {context} rows of window.context", "lower it")
    if kind == "forecasting":
        yield from _forecast_pieces(config)
        return
    if model.segment == "season" and kind != "tagging":
        yield Conflict("model.segment", f"no season is known for {kind}", "give a count of rows")
    if isinstance(context, str) and context != "full":
        yield Conflict("window.context", f"no season is known for {kind}", "give a count of rows")
    for key, usual in (("decoder", "direct"), ("skip", "none")):
        if getattr(model, key) != usual:
            yield Conflict(f"model.{key}", f"acts on forecasts, not on {kind}")


def _forecast_pieces(config: Config) -> Iterator[Conflict]:
    model = config.model
    if model.skip != "none" and config.window.context == "full":
        yield Conflict("model.skip", "needs windows of one length", "set window.context")
    if model.decoder != "parallel":
        return
    if model.segment is None:
        yield Conflict("model.decoder", "parallel forecasts a segment a step", "set model.segment")
    if model.bidirectional:
        yield Conflict("model.bidirectional", "has no newest state to go on from with decoder: parallel")
    if model.readout != "last":
        yield Conflict("model.readout", "has no effect with decoder: parallel: it goes on from the newest state")


def _task(config: Config) -> Iterator[Conflict]:
    task = config.task
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
    if task.kind == "tagging" and config.model.readout != "last":
        yield Conflict("model.readout", "has no effect on tagging: every step is read")


def _window(config: Config) -> Iterator[Conflict]:
    window, kind, resolved = config.window, config.task.kind, resolve(config).window
    if window.level is not None and resolved.normalise == "none":
        yield Conflict("window.level", "has no effect: no level is taken off the windows", "set window.normalise: last")
    one_a_series = resolved.context == "full" and (kind != "forecasting" or window.origins == "every")
    if (window.stride or 1) > 1 and one_a_series:
        yield Conflict("window.stride", "has no effect with window.context: full", "set window.context")
    if kind == "forecasting":
        yield from _origins(config)
        return
    if window.origins == "every":
        yield Conflict("window.origins", f"acts on forecasts, not on {kind}")
    for key in ("normalise", "transform"):
        if getattr(window, key) not in (None, "none"):
            yield Conflict(f"window.{key}", f"acts on forecasts, not on {kind}")
    if window.newest is not None and kind in ("classification", "tagging"):
        yield Conflict("window.newest", f"has no effect on {kind}")


def _origins(config: Config) -> Iterator[Conflict]:
    """What cannot be where every row is an origin: all that sees a window as a whole."""
    window, model = config.window, config.model
    if window.origins == "last":
        return
    whole = "sees a window as a whole, and window.origins: every forecasts from each of its rows"
    if window.normalise == "mean_std":
        yield Conflict("window.normalise", f"mean_std {whole}", "set window.normalise: last")
    if window.level is not None and window.normalise != "none":
        yield Conflict("window.level", "has no effect with window.origins: every: the values themselves are read")
    for key, usual in (("segment", None), ("readout", "last"), ("skip", "none"), ("bidirectional", False)):
        if getattr(model, key) != usual:
            yield Conflict(f"model.{key}", whole, "leave it out, or set window.origins: last")


def _quantiles(config: Config) -> Iterator[Conflict]:
    levels = config.task.quantiles
    if levels is None:
        return
    if config.training.loss != "quantile":
        yield Conflict("task.quantiles", "has no effect without training.loss: quantile", "set training.loss: quantile")
    if 0.5 not in levels or levels != sorted(set(levels)):
        yield Conflict("task.quantiles", "must rise and hold 0.5, the point forecast", "such as [0.1, 0.5, 0.9]")


def _split(config: Config) -> Iterator[Conflict]:
    split, by = config.split, resolve(config).split.by
    if config.task.kind == "classification" and by == "time":
        yield Conflict("split.by", "classification holds out whole series", "set split.by: series")
    if by == "series" and config.data.layout == "long" and not config.data.series:
        yield Conflict("data.series", "is required: whole series are held out", "the id column of the sequences")
    if by == "series" and config.scale.per == "series":
        yield Conflict("scale.per", "series held out whole have no training rows", "set scale.per: panel")
    if config.scale.kind == "none" and config.scale.per:
        yield Conflict("scale.per", "has no effect with scale.kind: none")
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
    cuda = training.device.startswith("cuda")
    elsewhere = {"native": cuda or training.precision == "bf16", "torch": not cuda and training.precision == "bf16"}
    if elsewhere.get(training.engine):
        message = "the native kernels act on the CPU in fp32 alone: all else is torch's"
        yield Conflict("training.engine", message, "set it to auto")
    if training.label_smoothing is not None and resolve(config).training.loss not in ("cross_entropy", None):
        yield Conflict("training.label_smoothing", "acts on labels alone", "leave it out")
    for name in config.evaluation.baselines or ():
        if name not in BASELINES_OF[kind]:
            hint = f"one of {', '.join(BASELINES_OF[kind])}"
            yield Conflict("evaluation.baselines", f"{name} is not for {kind}", hint)
    yield from _stopping(config)


def _stopping(config: Config) -> Iterator[Conflict]:
    """What needs a validation part."""
    training = config.training
    if config.split.validation == 0:
        if training.patience is not None and "patience" in training.model_fields_set:
            yield Conflict("training.patience", "has no effect without a validation part")
        if training.schedule == "plateau":
            yield Conflict("training.schedule", "plateau needs a validation part")
    elif training.schedule == "plateau" and training.patience is None:
        yield Conflict("training.schedule", "plateau needs training.patience")
