"""Predictions of a trained model for the rows of a table."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd

from rnncli.data.files import read_panel
from rnncli.data.frames import Tables
from rnncli.data.panel import Columns, Floats
from rnncli.data.regular import check_regular
from rnncli.data.scale import adapt, check_transform
from rnncli.data.split import everything
from rnncli.data.windows import Windows, context_rows, cut, resident
from rnncli.tasks.answers import answer_batches, exact_batch_size
from rnncli.trained import TrainedModel


def predict(model: TrainedModel, tables: Tables) -> pd.DataFrame:
    """One window a series, the last: what comes after it (forecasting) or its label (classification).

    Series that were not in training are scaled by their own rows.

    Raises:
        DataError: for anything in the tables that the model cannot read.
    """
    config = model.config
    panel, columns = read_panel(tables, model.columns, config.data.missing)
    if columns.time is not None and columns.frequency is not None:
        check_regular(panel, columns, tables, columns.frequency)
    check_transform(panel, config.window.transform, model.scaler.targets)
    scaler = adapt(model.scaler, panel, everything(panel), columns.season)
    device = next(model.network.parameters()).device
    data = resident(panel, columns, scaler, config.data.missing, device)
    context = context_rows(config.window.context or "full", panel)
    horizon = model.task.horizon(config.task)
    windows = cut(panel, data, panel.offsets[1:], context, horizon, str(config.window.normalise))
    answer = model.task.original(_answers(model, windows), scaler, windows.series)
    return model.task.table(answer, panel, columns, windows.origins)


def _answers(model: TrainedModel, windows: Windows) -> Floats:
    """The network's answers in the order of the windows, still scaled."""
    parts = list(answer_batches(model.network, model.task, windows, exact_batch_size(model.network)))
    order = np.argsort(np.concatenate([index for index, _ in parts]))
    return np.concatenate([answer for _, answer in parts])[order]


def unread(columns: Columns, tables: Tables) -> list[str]:
    """The columns of a table that a model has no use for."""
    parts = [part if isinstance(part, tuple) else (part,) for part in asdict(columns).values()]
    named = {name for part in parts for name in part}
    return [name for name in tables.header if name and name not in named]
