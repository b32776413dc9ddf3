"""Predictions of a trained model for the rows of a table."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from rnncli.data.ahead import extend
from rnncli.data.origins import scoring_origins, turns
from rnncli.data.panel import Columns, Floats, Panel, Rows
from rnncli.data.reading.frames import Tables
from rnncli.data.resident import Resident, resident
from rnncli.data.scale import Scaler, adapt, check_transform
from rnncli.data.split import everything
from rnncli.data.windows import Shape, Windows, cut
from rnncli.errors import UsageError
from rnncli.stream.model import carries
from rnncli.tasks.answers import answer_batches, exact_batch_size
from rnncli.tasks.forecasting import Forecasting
from rnncli.tasks.intervals import fewest, half_width
from rnncli.tasks.task import shape_of
from rnncli.trained import TrainedModel
from rnncli.training.prepare import read_data


@dataclass(frozen=True)
class Wanted:
    """What is asked of a prediction beside its point.

    Attributes:
        quantiles: the quantiles that the model was trained for.
        levels: conformal intervals, in per cent.
        every: an answer for every row, not only for the last of each series.
        context: rows of past that an answer follows from, or ``full`` for all; None for ``window.context``.
    """

    quantiles: bool = False
    levels: tuple[float, ...] = ()
    every: bool = False
    context: int | str | None = None


@dataclass(frozen=True)
class Predicted:
    """The rows that `predict` prints, and what a person should know of them."""

    table: pd.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Given:
    """The rows of a table as a trained model reads them; its windows may end anywhere.

    Attributes:
        panel: in original units, with the rows that are known ahead.
        scaler: of the model; series that were not in training are scaled by their own rows.
        data: what windows are cut from.
        shape: how.
    """

    panel: Panel
    scaler: Scaler
    data: Resident
    shape: Shape

    def windows(self, origins: Rows, firsts: Rows | None = None) -> Windows:
        """The windows before the panel rows `origins`; targets count from `firsts` on."""
        return cut(self.panel, self.data, origins, self.shape, firsts)


def read_given(model: TrainedModel, tables: Tables) -> Given:
    """Read what a model is asked about.

    Raises:
        DataError: for anything in the tables that the model cannot read.
    """
    config, task = model.config, model.task
    panel, columns = read_data(config, model.columns, tables)
    check_transform(panel, config.window.transform, model.scaler.targets)
    if isinstance(task, Forecasting) and columns.known_ahead:
        panel = extend(panel, columns, task.horizon, tables)
    scaler = adapt(model.scaler, panel, columns, everything(panel))
    device = next(model.network.parameters()).device
    data = resident(panel, columns, scaler, config.data.missing, device)
    return Given(panel, scaler, data, shape_of(config, task, panel))


def predict(model: TrainedModel, tables: Tables, wanted: Wanted = Wanted()) -> Predicted:
    """What comes after the last row of every series (forecasting), or what belongs to it, or to every row.

    Series that were not in training are scaled by their own rows.

    Raises:
        UsageError: if the model cannot give what is wanted.
        DataError: for anything in the tables that the model cannot read.
    """
    model = _with_context(model, wanted.context)
    _check_wanted(model, wanted)
    given, task = read_given(model, tables), model.task
    panel, scaler, shape = given.panel, given.scaler, given.shape
    origins = _origins(panel, shape, wanted.every)
    firsts = turns(panel, everything(panel), origins) if shape.every else None
    windows = given.windows(origins, firsts)
    one_pass = wanted.every and not shape.every and model.config.window.context == "full" and carries(model.config)
    scaled = _every_step(model, given.windows(panel.ends)) if one_pass else _answers(model, windows)
    series = windows.series
    bands, notes = _bands(model, scaled, scaler, series, wanted)
    answer = task.original(scaled, scaler, series)
    if shape.every:
        answer, origins = _by_row(answer, windows)
    if shape.every or wanted.every:
        order = np.argsort(panel.source[origins - 1], kind="stable")
        answer, origins = answer[order], origins[order]
        bands = {ending: part[order] for ending, part in bands.items()}
    return Predicted(task.table(answer, panel, origins, bands), panel.notes + notes)


def _check_wanted(model: TrainedModel, wanted: Wanted) -> None:
    task, kind = model.task, model.config.task.kind
    if wanted.every and kind == "tagging":
        raise UsageError("--every has no effect on tagging", "leave it out")
    if wanted.every and model.columns.future:
        raise UsageError("--every: data.future is known ahead of the last row alone", "leave it out")
    if wanted.quantiles and not (isinstance(task, Forecasting) and task.levels):
        raise UsageError("--quantiles: the model has none", "train with training.loss=quantile, or use --level 80")
    if wanted.levels and not isinstance(task, Forecasting):
        raise UsageError(f"--level has no effect on {kind}", "leave it out")
    if wanted.levels and model.residuals is None:
        raise UsageError("--level: the model has no validation residuals", "train to the end, with a validation part")


def _with_context(model: TrainedModel, context: int | str | None) -> TrainedModel:
    """The model with another `window.context`.

    Raises:
        UsageError: if its weights are of one alone.
    """
    if context is None or context == model.config.window.context:
        return model
    if model.config.model.skip != "none":
        raise UsageError(f"--context: model.skip: {model.config.model.skip} has weights for one alone", "leave it out")
    window = model.config.window.model_copy(update={"context": context})
    return replace(model, config=model.config.model_copy(update={"window": window}))


def _origins(panel: Panel, shape: Shape, every: bool) -> Rows:
    if shape.every:
        return scoring_origins(panel, everything(panel), shape)
    if not every:
        return panel.ends
    return np.concatenate([np.arange(*ends) for ends in zip(panel.offsets[:-1], panel.ends, strict=True)]) + 1


def _answers(model: TrainedModel, windows: Windows) -> Floats:
    """The network's answers in the order of the windows, still scaled; short ones are padded with NaN."""
    parts = list(answer_batches(model.network, model.task, windows, exact_batch_size(model.network)))
    if not windows.shape.every:
        order = np.argsort(np.concatenate([index for index, _ in parts]))
        return np.concatenate([answer for _, answer in parts])[order]
    found = np.full((len(windows), int(windows.lengths().max()), *parts[0][1].shape[2:]), np.nan)
    for index, answer in parts:
        found[index, : answer.shape[1]] = answer
    return found


def _every_step(model: TrainedModel, windows: Windows) -> Floats:
    """The network's answers after every row, in the order of the panel, from one pass over each series."""
    windows = replace(windows, shape=replace(windows.shape, forks=True))
    found: list[Floats] = []
    for index in range(len(windows)):
        with torch.inference_mode():
            batch = windows.batch(np.array([index]))
            steps = windows.forks(batch)
            output = model.network(batch.past, batch.lengths, None, static=batch.static, ahead=steps.ahead, forks=True)
            found.append(model.task.answer(output, steps).double().cpu().numpy())
    return np.concatenate(found)


def _by_row(answer: Floats, windows: Windows) -> tuple[Floats, Rows]:
    """Each window's answers to the rows whose turn it has, (rows, …), and the rows after them."""
    rows, counts = windows.target_rows(np.arange(len(windows)))
    return answer[counts], rows[counts] + 1


def _bands(
    model: TrainedModel, scaled: Floats, scaler: Scaler, series: Rows, wanted: Wanted
) -> tuple[dict[str, Floats], tuple[str, ...]]:
    """Quantiles and ends of intervals in original units, by the ending of their column's name."""
    task = model.task
    if not isinstance(task, Forecasting):
        return {}, ()
    bands: dict[str, Floats] = {}
    notes: tuple[str, ...] = ()
    if wanted.quantiles:
        original = task.original(scaled, scaler, series)
        bands |= {f"q{level * 100:g}": original[..., number] for number, level in enumerate(task.levels)}
    for level in wanted.levels:
        assert model.residuals is not None
        point, reach = task.point(scaled), half_width(model.residuals, level / 100)
        bands[f"lo{level:g}"] = scaler.invert(point - reach, series)
        bands[f"hi{level:g}"] = scaler.invert(point + reach, series)
        if len(model.residuals) < fewest(level / 100):
            few = f"--level {level:g} needs {fewest(level / 100)} validation windows, there were {len(model.residuals)}"
            notes += (f"{few}: the interval is the widest error that was seen",)
    return bands, notes


def unread(columns: Columns, tables: Tables) -> list[str]:
    """The columns of a table that a model has no use for."""
    single = [name for name in (columns.time, columns.weight) if name is not None]
    named = {*columns.targets, *columns.read, *columns.static, *columns.series, *single}
    return [name for name in tables.header if name and name not in named]
