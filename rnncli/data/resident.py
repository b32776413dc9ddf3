"""The scaled values of a panel on the device, once: what all windows are cut from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnncli.data.panel import Columns, Floats, Panel
from rnncli.data.scale import Scaler


@dataclass(frozen=True)
class Resident:
    """Scaled values of a panel on the device, in its row order.

    Attributes:
        inputs: (rows, input columns) float32, empty cells filled; targets that are inputs come first.
        targets: (rows, targets) float32; where it is not known, any number.
        observed: (rows, targets) whether the target is known.
        ahead: which of the input columns are known ahead, first and after the last.
        static: (series, static columns) float32.
        weights: (rows,) weight of a row's targets, or None.
    """

    inputs: Tensor
    targets: Tensor
    observed: Tensor
    ahead: tuple[int, int]
    static: Tensor
    weights: Tensor | None = None


def resident(panel: Panel, columns: Columns, scaler: Scaler, missing: str, device: torch.device) -> Resident:
    """Scale a panel and put it on the device."""
    series = np.repeat(np.arange(len(panel), dtype=np.int32), panel.lengths())
    count = len(columns.value_targets)
    first = 0 if columns.target_is_input else count
    flagged = [number for number, name in enumerate(columns.inputs) if name not in columns.derived]
    width = len(columns.inputs)
    inputs = np.empty((len(series), width + (len(flagged) if missing == "mask" else 0)), dtype=np.float32)
    targets = inputs[:, :count] if first == 0 else np.empty((len(series), count), dtype=np.float32)
    known_targets = np.empty((len(series), count), dtype=bool)
    for column in range(panel.values.shape[1]):
        scaled = scaler.apply_to(column, panel.values, series)
        observed = ~np.isnan(scaled)
        if column < count:
            targets[:, column] = np.nan_to_num(scaled)
            known_targets[:, column] = observed
        if column >= first:
            inputs[:, column - first] = fill_forward(scaled[:, None], observed[:, None], panel)[:, 0]
            if missing == "mask" and column - first in flagged:
                inputs[:, width + flagged.index(column - first)] = observed
    known = len(columns.known_ahead) if columns.target_is_input else 0

    def on_device(values: NDArray[np.floating[Any]]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32, copy=False)).to(device)

    there = on_device(inputs)
    return Resident(
        inputs=there,
        targets=there[:, :count] if first == 0 else on_device(targets),
        observed=torch.from_numpy(known_targets).to(device),
        ahead=(width - known, width),
        static=on_device(np.nan_to_num((panel.static - scaler.static[0]) / scaler.static[1])),
        weights=None if panel.weights is None else on_device(panel.weights),
    )


def fill_forward(values: Floats, observed: NDArray[np.bool_], panel: Panel) -> Floats:
    """(rows, columns) values with the newest observed value of the series in place of NaN; zero, the centre, before the first."""
    if observed.all():
        return values
    rows = np.arange(len(values))[:, None]
    newest = np.maximum.accumulate(np.where(observed, rows, -1), axis=0)
    starts = np.repeat(panel.offsets[:-1], panel.lengths())[:, None]
    filled = np.take_along_axis(values, np.maximum(newest, 0), axis=0)
    return np.where(newest >= starts, filled, 0.0)
