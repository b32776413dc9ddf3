"""From tables to the windows of every part: the same for a new model and for one that is evaluated later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from rnncli.config import schema
from rnncli.data.columns import settle_columns, with_labels
from rnncli.data.doubts import warn_of_constants
from rnncli.data.files import check_values, read_panel
from rnncli.data.frames import Tables
from rnncli.data.panel import Columns, Panel, show_id
from rnncli.data.regular import with_frequency
from rnncli.data.scale import Scaler, check_transform, fit_scaler
from rnncli.data.split import Part, Split, split
from rnncli.data.windows import (
    Resident,
    Windows,
    closing_origins,
    context_rows,
    cut,
    resident,
    scoring_origins,
    training_origins,
)
from rnncli.errors import DataError
from rnncli.tasks.task import TASKS


@dataclass(frozen=True)
class Prepared:
    """Data that is ready to be cut into windows."""

    panel: Panel
    columns: Columns
    split: Split
    scaler: Scaler


def prepare(config: schema.Config, tables: Tables) -> Prepared:
    """Read the data of a new model, hold parts out and fit the scaler to what is left.

    Raises:
        DataError: for anything in the data that cannot be used.
    """
    kind = config.task.kind
    columns = settle_columns(config.data, kind, tables)
    if kind == "classification":
        columns = with_labels(columns)
    panel, columns = read_panel(tables, columns, config.data.missing)
    check_values(panel, columns)
    warn_of_constants(panel, columns, tables)
    if kind == "forecasting":
        columns = with_frequency(panel, columns, tables, config.data.season)
    elif kind == "classification":
        _check_labels(panel, columns)
    horizon = TASKS[kind].horizon(config.task)
    parts = split(panel, columns, config.split, horizon, config.seed)
    targets = len(columns.value_targets)
    scaler = fit_scaler(panel, parts.train, config.scale, config.window.transform, columns.season, targets)
    return Prepared(panel, columns, parts, scaler)


def prepare_known(config: schema.Config, columns: Columns, scaler: Scaler, tables: Tables) -> Prepared:
    """Read the data that a model was trained on again, with what the model knows of it.

    Raises:
        DataError: for anything in the data that cannot be used.
    """
    panel, columns = read_panel(tables, columns, config.data.missing)
    if config.task.kind == "forecasting":
        columns = with_frequency(panel, columns, tables, columns.season)
    check_transform(panel, config.window.transform, scaler.targets)
    parts = split(panel, columns, config.split, TASKS[config.task.kind].horizon(config.task), config.seed)
    return Prepared(panel, columns, parts, scaler)


def on_device(config: schema.Config, data: Prepared, device: torch.device) -> Resident:
    """The scaled values of all rows, once; the windows of every part are cut from them."""
    return resident(data.panel, data.columns, data.scaler, config.data.missing, device)


def training_windows(config: schema.Config, data: Prepared, values: Resident) -> Windows:
    """The windows that the network is fitted to."""
    horizon = TASKS[config.task.kind].horizon(config.task)
    context = context_rows(config.window.context or "full", data.panel)
    origins = training_origins(data.panel, data.split.train, context, horizon, config.window.stride)
    return cut(data.panel, values, origins, context, horizon, str(config.window.normalise))


def scoring_windows(config: schema.Config, data: Prepared, part: Part, values: Resident) -> Windows:
    """Every window whose targets lie in a part; of sequences with a label, the last."""
    horizon = TASKS[config.task.kind].horizon(config.task)
    context = context_rows(config.window.context or "full", data.panel)
    label = data.columns.labels is not None
    origins = closing_origins(part) if label else scoring_origins(data.panel, part, context, horizon)
    return cut(data.panel, values, origins, context, horizon, str(config.window.normalise))


def _check_labels(panel: Panel, columns: Columns) -> None:
    """Refuse a target that is not one class a series, or is the same everywhere.

    Raises:
        DataError: naming the series.
    """
    assert columns.labels is not None
    if len(columns.labels) < 2:
        what = f"the one class {columns.labels[0]}" if columns.labels else "no class"
        raise DataError(f"{columns.targets[0]} has {what}: nothing to learn")
    codes = panel.values[:, 0]
    changes = np.flatnonzero((codes[1:] != codes[:-1]) & ~np.isnan(codes[1:]) & ~np.isnan(codes[:-1])) + 1
    changes = changes[~np.isin(changes, panel.offsets)]
    if len(changes):
        who = show_id(panel.ids[int(panel.series_of(changes[:1])[0])])
        raise DataError(f"{columns.targets[0]} changes within series {who}", "a sequence has one label")
    if len(panel) < 2:
        raise DataError("one series holds all rows: name the id column of the sequences in data.series")
