"""Windows: where in the panel each one starts; a batch is gathered when it is needed, on the device it is for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnncli.data.panel import Columns, Floats, Panel, Rows
from rnncli.data.scale import Scaler
from rnncli.data.split import Part


@dataclass(frozen=True)
class Resident:
    """Scaled values of a panel on the device, in its row order.

    Attributes:
        inputs: (rows, input columns) float32, empty cells filled; targets that are inputs come first.
        targets: (rows, targets) float32, empty cells zero.
        observed: (rows, targets) whether the target is known.
    """

    inputs: Tensor
    targets: Tensor
    observed: Tensor


@dataclass(frozen=True)
class Batch:
    """Some windows, right-padded to the longest.

    Attributes:
        past: (batch, time, inputs) values up to the origin, less the window's level.
        lengths: (batch,) valid steps, or None if all are valid; padding is zero and never reaches a state.
        level, spread: (batch, targets) taken off the window's targets, to be put back on a forecast.
        target: (batch, horizon, targets) scaled targets; (batch, 1, 1) the class code if horizon is 0.
        target_mask: like target, whether it is known.
        index: (batch,) which windows these are.
    """

    past: Tensor
    lengths: Tensor | None
    level: Tensor
    spread: Tensor
    target: Tensor
    target_mask: Tensor
    index: Rows


@dataclass(frozen=True)
class Windows:
    """Windows by their origins.

    Attributes:
        data: what they are cut from.
        origins: (windows,) the panel row after the newest input row.
        series: (windows,) series of each window.
        begins: (windows,) first input row: `context` rows before the origin, or the series' first row.
        horizon: rows of target from the origin on; 0 if the target stands in the newest input row.
        normalise: how the level is found.
    """

    data: Resident
    origins: Rows
    series: Rows
    begins: Rows
    horizon: int
    normalise: str

    def __len__(self) -> int:
        return len(self.origins)

    def pick(self, index: Rows) -> Windows:
        """The windows at `index` alone."""
        return replace(self, origins=self.origins[index], series=self.series[index], begins=self.begins[index])

    def lengths(self) -> Rows:
        """(windows,) input rows of each window."""
        return self.origins - self.begins

    def batch(self, index: Rows) -> Batch:
        """Gather the windows at `index`."""
        device = self.data.inputs.device
        lengths = self.origins[index] - self.begins[index]
        longest = int(lengths.max())
        begins = torch.from_numpy(self.begins[index]).to(device)
        valid = torch.from_numpy(lengths).to(device)
        steps = torch.arange(longest, device=device)
        rows = begins[:, None] + torch.minimum(steps, valid[:, None] - 1)  # (batch, time)
        past = self.data.inputs[rows]
        ragged = bool((lengths != longest).any())
        mask = (steps < valid[:, None])[:, :, None] if ragged else None
        target, observed = self._targets(begins + valid)
        level, spread = self._level(past, valid, mask, target.shape[2])
        if self.normalise != "none":
            count = level.shape[1]
            centred = (past[:, :, :count] - level[:, None]) / spread[:, None]
            past = torch.cat([centred, past[:, :, count:]], dim=2)
        if mask is not None:
            past = past * mask
        return Batch(past, valid if ragged else None, level, spread, target, observed, index)

    def _targets(self, origins: Tensor) -> tuple[Tensor, Tensor]:
        """Targets from each origin on; beyond the data they are unknown."""
        steps = torch.arange(self.horizon, device=origins.device) if self.horizon else origins.new_full((1,), -1)
        rows = origins[:, None] + steps
        inside = (rows < len(self.data.targets))[:, :, None]
        rows = rows.clamp(max=len(self.data.targets) - 1)
        return self.data.targets[rows], self.data.observed[rows] & inside

    def _level(self, past: Tensor, valid: Tensor, mask: Tensor | None, targets: int) -> tuple[Tensor, Tensor]:
        """(batch, targets) level and spread of the target columns of each window."""
        if self.normalise == "none":
            return past.new_zeros(len(past), targets), past.new_ones(len(past), targets)
        own = past[:, :, :targets]
        if self.normalise == "last":
            newest = own[torch.arange(len(own), device=own.device), valid - 1]
            return newest, torch.ones_like(newest)
        weight = torch.ones_like(own) if mask is None else mask.expand_as(own).to(own.dtype)
        mean = (own * weight).sum(1) / valid[:, None]
        variance = (((own - mean[:, None]) * weight) ** 2).sum(1) / valid[:, None]
        return mean, torch.sqrt(variance + 1e-5)


def resident(panel: Panel, columns: Columns, scaler: Scaler, missing: str, device: torch.device) -> Resident:
    """Scale a panel and put it on the device."""
    series = np.repeat(np.arange(len(panel)), panel.lengths())
    count = len(columns.value_targets)
    scaled = scaler.apply(panel.values, series)
    inputs = scaled if columns.target_is_input else scaled[:, count:]
    targets = scaled[:, :count] if columns.labels is None else panel.values[:, :count]
    observed = ~np.isnan(inputs)
    inputs = fill_forward(inputs, observed, panel)
    if missing == "mask":
        inputs = np.concatenate([inputs, observed], axis=1)
    return Resident(
        inputs=torch.from_numpy(inputs.astype(np.float32)).to(device),
        targets=torch.from_numpy(np.nan_to_num(targets).astype(np.float32)).to(device),
        observed=torch.from_numpy(panel.observed[:, :count].copy()).to(device),
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


def context_rows(context: int | str, panel: Panel) -> int:
    """`window.context` in rows: ``full`` is the longest series."""
    return int(panel.lengths().max()) if context == "full" else int(context)


def training_origins(panel: Panel, part: Part, context: int, horizon: int, stride: int) -> Rows:
    """Origins of the training windows.

    Windows with less than the whole context are used only in series where they would be most of the windows:
    there they are worth more than they cost.
    """
    found = []
    for series in part.series():
        begin, first, last = int(panel.offsets[series]), int(part.first[series]), int(part.last[series])
        if horizon == 0:
            least = first if first > begin else begin + min(context, last - begin) - 1
            found.append(np.arange(last, least, -stride)[::-1])
            continue
        whole = last - horizon - (begin + context) + 1
        start = begin + (context if whole >= context else 1)
        found.append(np.arange(last - horizon, max(start, first) - 1, -stride)[::-1])
    return np.concatenate(found).astype(np.int64) if found else np.empty(0, dtype=np.int64)


def scoring_origins(panel: Panel, part: Part, context: int, horizon: int) -> Rows:
    """Origins of every window whose targets lie in `part`.

    Where a part is a whole series, its first rows are context: as much as leaves at least one window.
    """
    if horizon == 0:
        return training_origins(panel, part, context, 0, 1)
    found = []
    for series in part.series():
        begin, first, last = int(panel.offsets[series]), int(part.first[series]), int(part.last[series])
        start = first if first > begin else begin + max(1, min(context, last - horizon - begin))
        found.append(np.arange(start, last - horizon + 1))
    return np.concatenate(found).astype(np.int64) if found else np.empty(0, dtype=np.int64)


def closing_origins(part: Part) -> Rows:
    """The end of every series in `part`: one window each."""
    return part.last[part.series()]


def cut(panel: Panel, data: Resident, origins: Rows, context: int, horizon: int, normalise: str) -> Windows:
    """Windows of at most `context` rows that end at `origins`."""
    series = panel.series_of(origins - 1)
    begins = np.maximum(panel.offsets[series], origins - context)
    return Windows(data, origins, series, begins, horizon, normalise)


def shuffled(windows: Windows, batch_size: int, seed: int, epoch: int) -> list[Rows]:
    """The batches of an epoch: a pure function of (seed, epoch).

    Windows with the whole context and shorter ones are batched apart, so that most batches need no packing.
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(windows))
    lengths = windows.lengths()[order]
    whole = lengths == lengths.max()
    groups = [order[whole], order[~whole]]
    batches = [group[start : start + batch_size] for group in groups for start in range(0, len(group), batch_size)]
    return [batches[position] for position in random.permutation(len(batches))]


def by_length(windows: Windows, batch_size: int) -> Iterator[tuple[Rows, int]]:
    """Batches for prediction: all of one length and one size, as (index, how many of it count).

    The last batch of a length is filled up with repeats. So a window's arithmetic, and every bit of its
    prediction, is the same in whatever company it comes.
    """
    lengths = windows.lengths()
    order = np.argsort(lengths, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
        for start in range(0, len(group), batch_size):
            index = group[start : start + batch_size]
            yield np.resize(index, batch_size), len(index)
