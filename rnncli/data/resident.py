"""The scaled values of a panel on the device, once: what all windows are cut from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnncli.data.panel import Columns, Floats, Panel
from rnncli.data.scale import Scaler

CHUNK = 1 << 17  # rows that are scaled together


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
    count, rows = len(columns.value_targets), len(panel.values)
    first = 0 if columns.target_is_input else count
    flagged = [number for number, name in enumerate(columns.inputs) if name not in columns.derived]
    width = len(columns.inputs)
    inputs = np.empty((rows, width + (len(flagged) if missing == "mask" else 0)), dtype=np.float32)
    targets = inputs[:, :count] if first == 0 else np.empty((rows, count), dtype=np.float32)
    known_targets = np.empty((rows, count), dtype=bool)
    for column in range(panel.values.shape[1]):
        for some, filled, observed in _filled(panel, scaler, column):
            if column < count:
                targets[some, column] = filled
                known_targets[some, column] = observed
            if column >= first:
                inputs[some, column - first] = filled
                if missing == "mask" and column - first in flagged:
                    inputs[some, width + flagged.index(column - first)] = observed
    known = len(columns.known_ahead)

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


def _filled(panel: Panel, scaler: Scaler, column: int) -> Iterator[tuple[slice, Floats, NDArray[np.bool_]]]:
    """A column scaled and its gaps filled forward, some rows at a time: which rows, values, and which were observed."""
    newest, last = -1, 0.0  # row and value of the newest that was observed
    for start in range(0, len(panel.values), CHUNK):
        some = slice(start, min(start + CHUNK, len(panel.values)))
        series = panel.series_of(np.arange(some.start, some.stop))
        values = scaler.apply_to(column, panel.values[some], series)
        observed = ~np.isnan(values)
        if not observed.all():
            rows = np.maximum.accumulate(np.where(observed, np.arange(some.start, some.stop), newest))
            filled = np.where(rows >= start, values[np.maximum(rows - start, 0)], last)
            values = np.where(rows >= panel.offsets[series], filled, 0.0)
            newest = int(rows[-1])
            last = float(filled[-1])
        else:
            newest, last = some.stop - 1, float(values[-1])
        yield some, values, observed


def fill_forward(values: Floats, observed: NDArray[np.bool_], panel: Panel) -> Floats:
    """(rows, columns) values with the newest observed value of the series in place of NaN; zero before the first."""
    if observed.all():
        return values
    rows = np.arange(len(values))[:, None]
    newest = np.maximum.accumulate(np.where(observed, rows, -1), axis=0)
    starts = np.repeat(panel.offsets[:-1], panel.lengths())[:, None]
    filled = np.take_along_axis(values, np.maximum(newest, 0), axis=0)
    return np.where(newest >= starts, filled, 0.0)


def stretches(values: Tensor, begins: Tensor, steps: int) -> Tensor:
    """(windows, steps, columns) the rows of (rows, columns) `values` from each of `begins` on."""
    shape = (len(values) - steps + 1, steps, values.shape[1])
    return values.as_strided(shape, (values.stride(0), *values.stride())).index_select(0, begins)


def take_off(values: Tensor, level: Tensor) -> None:
    """Subtract (windows, columns) `level` from each step of (windows, steps, columns) `values`, in place.

    A row of a few columns takes as long as one of many: where nothing lies between them, several steps make a row.
    """
    windows, steps, columns = values.shape
    together = next(count for count in (8, 6, 4, 3, 2, 1) if steps % count == 0)
    if values.is_contiguous():
        rows = values.view(windows, steps // together, together * columns)
        rows.sub_(level.repeat(1, together)[:, None])
    else:
        values.sub_(level[:, None])
