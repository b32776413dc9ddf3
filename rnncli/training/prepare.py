"""From tables to the windows of every part: the same for a new model and for one that is evaluated later."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from rnncli.config import schema
from rnncli.data.checks import check_values
from rnncli.data.codes import with_last_label
from rnncli.data.columns import settle_columns
from rnncli.data.files import read_panel
from rnncli.data.findings.doubts import warn_of_constants
from rnncli.data.origins import closing_origins, scoring_origins, training_origins, turns
from rnncli.data.panel import Columns, Panel, show_ids
from rnncli.data.reading.frames import Tables
from rnncli.data.regular import regularise, with_season
from rnncli.data.resident import Resident, resident
from rnncli.data.scale import Scaler, check_transform, fit_scaler
from rnncli.data.split import Part, Split, split, too_short
from rnncli.data.windows import Windows, cut
from rnncli.errors import DataError
from rnncli.tasks.task import Task, shape_of, task_of, training_stride
from rnncli.training.targets import check_labels, settle_baselines, settle_seasons, settle_targets


@dataclass(frozen=True)
class Prepared:
    """Data that is ready to be cut into windows, and the config with what the data settled."""

    config: schema.Config
    panel: Panel
    columns: Columns
    split: Split
    scaler: Scaler

    @property
    def task(self) -> Task:
        """What is asked of the network."""
        return task_of(self.config, self.columns)


def prepare(config: schema.Config, tables: Tables) -> Prepared:
    """Read the data of a new model, hold parts out and fit the scaler to what is left.

    Raises:
        DataError: for anything in the data that cannot be used.
    """
    config, columns = settle_targets(config, settle_columns(config.data, config.task.kind, tables), tables)
    panel, columns = read_data(config, columns, tables)
    columns = with_season(columns, config.data.season)
    config = settle_seasons(config, columns.season)
    check_values(panel, columns)
    warn_of_constants(panel, columns, tables)
    check_labels(panel, columns, config.task.kind)
    return divide(settle_baselines(config, panel, columns), panel, columns)


def divide(config: schema.Config, panel: Panel, columns: Columns) -> Prepared:
    """Hold parts out of a panel and fit the scaler to what is left.

    Raises:
        DataError: if that is too little.
    """
    panel, parts = _held_out(config, panel, columns)
    scaler = fit_scaler(panel, columns, parts.train, config.scale, config.window.transform)
    return Prepared(config, panel, columns, parts, scaler)


def prepare_known(config: schema.Config, columns: Columns, scaler: Scaler, tables: Tables) -> Prepared:
    """Read the data that a model was trained on again, with what the model knows of it.

    Raises:
        DataError: for anything in the data that cannot be used.
    """
    panel, columns = read_data(config, columns, tables)
    check_transform(panel, config.window.transform, scaler.targets)
    panel, parts = _held_out(config, panel, columns)
    return Prepared(config, panel, columns, parts, scaler)


def read_data(config: schema.Config, columns: Columns, tables: Tables) -> tuple[Panel, Columns]:
    """The panel of a config's data, its steps even where they must be.

    Raises:
        DataError: for anything in the data that cannot be used.
    """
    panel, columns = read_panel(tables, columns, config.data.missing)
    if config.task.kind == "classification":
        panel = with_last_label(panel)
    return regularise(panel, columns, tables, config.data, forecasting=config.task.kind == "forecasting")


def _held_out(config: schema.Config, panel: Panel, columns: Columns) -> tuple[Panel, Split]:
    """The panel, without series that are too short if they may be left out, and its parts."""
    horizon = task_of(config, columns).horizon
    if config.data.short_series == "skip":
        short = too_short(panel, columns, config.split, horizon)
        if len(short) == len(panel):
            raise DataError("every series is too short", "lower task.horizon, split.validation or split.test")
        if len(short):
            who = show_ids([panel.ids[number] for number in short])
            note = f"{len(short):,} of {len(panel):,} series left out, too short: {who}"
            panel = replace(panel.keep(np.setdiff1d(np.arange(len(panel)), short)), notes=(*panel.notes, note))
    return panel, split(panel, columns, config.split, horizon, config.seed)


def on_device(data: Prepared, device: torch.device) -> Resident:
    """The scaled values of all rows, once; the windows of every part are cut from them."""
    return resident(data.panel, data.columns, data.scaler, data.config.data.missing, device)


def training_windows(data: Prepared, values: Resident) -> Windows:
    """The windows that the network is fitted to."""
    shape = shape_of(data.config, data.task, data.panel)
    newest, stride = data.config.window.newest, training_stride(data.config, shape)
    origins = training_origins(data.panel, data.split.train, shape, stride, newest)
    return cut(data.panel, values, origins, shape)


def scoring_windows(data: Prepared, part: Part, values: Resident) -> Windows:
    """Windows in which every target of a part has its turn; of sequences with one label, the last."""
    shape = shape_of(data.config, data.task, data.panel)
    if data.config.task.kind == "classification":
        return cut(data.panel, values, closing_origins(part), shape)
    origins = scoring_origins(data.panel, part, shape)
    return cut(data.panel, values, origins, shape, turns(data.panel, part, origins) if shape.every else None)
