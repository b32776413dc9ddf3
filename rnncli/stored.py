"""What a model's file says beside its weights: config, columns, scaler, residuals. Without torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import TypeAdapter

from rnncli import checkpoint
from rnncli.config import schema
from rnncli.config.document import Document
from rnncli.config.load import check
from rnncli.data.panel import Columns, Floats
from rnncli.data.scale import Scaler
from rnncli.errors import CheckpointError, ConfigError, Place

PROOF = "proof."  # begins the names of a prediction that was saved with the model
RESIDUALS = "intervals.residuals"
SCALER_TENSORS = tuple(f"scaler.{name}" for name in ("centre", "spread", "deviation", "seasonal_error", "static"))
RESTORE = "restore the file from a copy, or train again"


def saved_parts(stored: checkpoint.Stored, file: str) -> tuple[schema.Config, Columns, Scaler]:
    """Config, columns and scaler of a model or of a training state.

    Raises:
        CheckpointError: unless they are of their types and fit each other.
    """
    content = stored.content
    try:
        values = content["config"]
        config = check(Document(values if isinstance(values, dict) else {}, {}))
        columns = TypeAdapter(Columns).validate_json(json.dumps(content["columns"]), strict=True)
        said = TypeAdapter(_Said).validate_json(json.dumps(content["scaler"]), strict=True)
        _check_columns(config, columns)
        scaler = _scaler(stored.tensors, said, config, columns)
    except ConfigError as error:
        raise CheckpointError(f"damaged: {error.problems[0]}", RESTORE, Place(file)) from None
    except (KeyError, ValueError) as error:
        first = str(error).split("\n")[0]
        raise CheckpointError(f"damaged: {type(error).__name__}: {first}", RESTORE, Place(file)) from None
    return config, columns, scaler


def _check_columns(config: schema.Config, columns: Columns) -> None:
    """Raise ValueError for columns that no training has settled."""
    if "" in (columns.time, *columns.targets, *columns.series, *columns.values):
        raise ValueError("a column without a name")
    if config.task.kind == "forecasting":
        if columns.labels is not None:
            raise ValueError("labels of a forecast")
        if columns.time is not None and columns.frequency is None:
            raise ValueError("a time column without a frequency")


@dataclass(frozen=True)
class _Said:
    """What a file says of a scaler beside its numbers."""

    transform: Literal["none", "log"]
    targets: int
    ids: tuple[tuple[str, ...], ...]


def _scaler(tensors: checkpoint.Tensors, said: _Said, config: schema.Config, columns: Columns) -> Scaler:
    own = len(said.ids) if config.scale.per == "series" else 1
    shapes = {
        "scaler.centre": (own, len(columns.values)),
        "scaler.spread": (own, len(columns.values)),
        "scaler.deviation": (len(said.ids), said.targets),
        "scaler.seasonal_error": (len(said.ids), said.targets),
        "scaler.static": (2, len(columns.static)),
    }
    for name, shape in shapes.items():
        if tensors[name].shape != shape or tensors[name].dtype != np.float64:
            raise ValueError(f"{name} is {tensors[name].dtype} {tensors[name].shape}, not float64 {shape}")
    if said.targets != len(columns.value_targets) or said.transform != config.window.transform:
        raise ValueError("the scaler is not that of the config")
    seasonal = tensors["scaler.seasonal_error"]
    return Scaler(
        settings=config.scale,
        transform=said.transform,
        targets=said.targets,
        ids=said.ids,
        centre=tensors["scaler.centre"],
        spread=tensors["scaler.spread"],
        deviation=tensors["scaler.deviation"],
        seasonal_error=np.where(seasonal > 0, seasonal, np.nan),
        static=tensors["scaler.static"],
    )


def saved_residuals(stored: checkpoint.Stored, config: schema.Config, scaler: Scaler, file: str) -> Floats | None:
    """(windows, horizon, targets) sorted validation errors of a forecast, NaN where unknown; None if there are none.

    Raises:
        CheckpointError: if they are not of their config.
    """
    saved = stored.tensors.get(RESIDUALS)
    if saved is None:
        return None
    if config.task.horizon is None or saved.shape[1:] != (config.task.horizon, scaler.targets):
        raise CheckpointError(f"{RESIDUALS} is {saved.shape}: not of its config", RESTORE, Place(file))
    return np.where(saved < 0, np.nan, saved)
