"""Windows: where in the panel each one starts; a batch is gathered when it is needed, on the device it is for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

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


@dataclass(frozen=True)
class Batch:
    """Some windows, right-padded to the longest.

    Attributes:
        past: (batch, time, inputs) values up to the origin, less the window's level.
        lengths: (batch,) valid steps, or None if all are valid; padding is zero and never reaches a state.
        static: (batch, static columns) the values of the window's series.
        ahead: (batch, horizon, columns) inputs over the horizon that are known ahead.
        level, spread: (batch, targets) taken off the window's targets, to be put back on a forecast.
        target: (batch, steps, targets) scaled targets: steps of the horizon, the newest row, or every row.
        target_mask: like target, whether it is known and counts.
        weight: (batch, steps, 1) weight of the targets, or None for one each.
        index: (batch,) which windows these are.
    """

    past: Tensor
    lengths: Tensor | None
    static: Tensor
    ahead: Tensor
    level: Tensor
    spread: Tensor
    target: Tensor
    target_mask: Tensor
    weight: Tensor | None
    index: Rows


@dataclass(frozen=True)
class Shape:
    """What a task makes of a window.

    Attributes:
        context: rows of past, at most.
        horizon: rows of target from the origin on; 0 if they are among the input rows.
        every: whether every input row has a target, and not the newest alone.
        turn: rows that a window answers when every row is scored once; those before them give it its past.
        normalise: how the level is found: ``none``, ``last`` or ``mean_std``.
    """

    context: int
    horizon: int = 0
    every: bool = False
    turn: int = 1
    normalise: str = "none"


@dataclass(frozen=True)
class Windows:
    """Windows by their origins.

    Attributes:
        data: what they are cut from.
        shape: how.
        origins: (windows,) the panel row after the newest input row.
        series: (windows,) int32 series of each window.
        starts: (series,) first row of every series.
        firsts: (windows,) first row whose target counts, where every row has one; None if all do.
    """

    data: Resident
    shape: Shape
    origins: Rows
    series: NDArray[np.int32]
    starts: Rows
    firsts: Rows | None = None

    def __len__(self) -> int:
        return len(self.origins)

    @property
    def begins(self) -> Rows:
        """(windows,) first input row: `context` rows before the origin, or the series' first row."""
        found = self.starts[self.series]
        return np.maximum(found, self.origins - self.shape.context, out=found)

    def pick(self, index: Rows) -> Windows:
        """The windows at `index` alone."""
        firsts = None if self.firsts is None else self.firsts[index]
        return replace(self, origins=self.origins[index], series=self.series[index], firsts=firsts)

    def lengths(self) -> Rows:
        """(windows,) input rows of each window."""
        found = self.begins
        return np.subtract(self.origins, found, out=found)

    def target_rows(self, index: Rows) -> tuple[Rows, NDArray[np.bool_]]:
        """(windows, steps) panel row of every target of the windows at `index`, and whether it counts."""
        chosen = self.pick(index)
        origins = chosen.origins[:, None]
        if self.shape.horizon:
            rows = origins + np.arange(self.shape.horizon)
        elif self.shape.every:
            begins = chosen.begins[:, None]
            rows = begins + np.arange((origins - begins).max())
            firsts = begins if chosen.firsts is None else chosen.firsts[:, None]
            return np.minimum(rows, origins - 1), (rows >= firsts) & (rows < origins)
        else:
            rows = origins - 1
        return np.minimum(rows, len(self.data.targets) - 1), rows < len(self.data.targets)

    def batch(self, index: Rows) -> Batch:
        """Gather the windows at `index`."""
        device = self.data.inputs.device
        chosen = self.pick(index)
        lengths = chosen.lengths()
        longest = int(lengths.max())
        begins = torch.from_numpy(chosen.begins).to(device)
        valid = torch.from_numpy(lengths).to(device)
        steps = torch.arange(longest, device=device)
        rows = begins[:, None] + torch.minimum(steps, valid[:, None] - 1)  # (batch, time)
        past = self.data.inputs[rows]
        ragged = bool((lengths != longest).any())
        mask = (steps < valid[:, None])[:, :, None] if ragged else None
        wanted, counts = (torch.from_numpy(part).to(device) for part in self.target_rows(index))
        target = self.data.targets[wanted]
        level, spread = self._level(past, valid, mask, target.shape[2])
        if self.shape.normalise != "none":
            count = level.shape[1]
            centred = (past[:, :, :count] - level[:, None]) / spread[:, None]
            past = torch.cat([centred, past[:, :, count:]], dim=2)
        if mask is not None:
            past = past * mask
        first, last = self.data.ahead
        return Batch(
            past=past,
            lengths=valid if ragged else None,
            static=self.data.static[torch.from_numpy(chosen.series).to(device)],
            ahead=self.data.inputs[wanted, first:last],
            level=level,
            spread=spread,
            target=target,
            target_mask=self.data.observed[wanted] & counts[:, :, None],
            weight=None if self.data.weights is None else self.data.weights[wanted][:, :, None],
            index=index,
        )

    def _level(self, past: Tensor, valid: Tensor, mask: Tensor | None, targets: int) -> tuple[Tensor, Tensor]:
        """(batch, targets) level and spread of the target columns of each window."""
        if self.shape.normalise == "none":
            return past.new_zeros(len(past), targets), past.new_ones(len(past), targets)
        own = past[:, :, :targets]
        if self.shape.normalise == "last":
            newest = own[torch.arange(len(own), device=own.device), valid - 1]
            return newest, torch.ones_like(newest)
        weight = torch.ones_like(own) if mask is None else mask.expand_as(own).to(own.dtype)
        mean = (own * weight).sum(1) / valid[:, None]
        variance = (((own - mean[:, None]) * weight) ** 2).sum(1) / valid[:, None]
        return mean, torch.sqrt(variance + 1e-5)


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


def context_rows(context: int | str, panel: Panel) -> int:
    """`window.context` in rows: ``full`` is the longest series."""
    return int(panel.lengths().max()) if context == "full" else int(context)


def training_origins(panel: Panel, part: Part, shape: Shape, stride: int, newest: int | None = None) -> Rows:
    """Origins of the training windows; of each series the `newest` ones, or all.

    Windows with less than the whole context are used only in series where they would be most of the windows:
    there they are worth more than they cost. Where every row has a target, windows reach the last row and back to
    the first, each `stride` rows before the next.
    """
    found = []
    for series in part.series():
        begin, first, last = int(panel.offsets[series]), int(part.first[series]), int(part.last[series])
        if shape.every:
            found.append(np.arange(last, first, -stride)[::-1])
        elif shape.horizon == 0:
            least = first if first > begin else begin + min(shape.context, last - begin) - 1
            found.append(np.arange(last, least, -stride)[::-1])
        else:
            whole = last - shape.horizon - (begin + shape.context) + 1
            start = begin + (shape.context if whole >= shape.context else 1)
            found.append(np.arange(last - shape.horizon, max(start, first) - 1, -stride)[::-1])
        found[-1] = found[-1][-newest:] if newest else found[-1]
    return _joined(found)


def scoring_origins(panel: Panel, part: Part, shape: Shape) -> Rows:
    """Origins of windows in which every target of `part` has its turn.

    Where a part is a whole series, its first rows are context: as much as leaves at least one window.
    """
    if shape.horizon == 0:
        return training_origins(panel, part, shape, shape.turn)
    found = []
    for series in part.series():
        begin, first, last = int(panel.offsets[series]), int(part.first[series]), int(part.last[series])
        start = first if first > begin else begin + max(1, min(shape.context, last - shape.horizon - begin))
        found.append(np.arange(start, last - shape.horizon + 1))
    return _joined(found)


def _joined(parts: list[Rows]) -> Rows:
    """All parts as one; a single one is not copied."""
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, dtype=np.int64), *parts])


def closing_origins(part: Part) -> Rows:
    """The end of every series in `part`: one window each."""
    return part.last[part.series()]


def cut(panel: Panel, data: Resident, origins: Rows, shape: Shape, firsts: Rows | None = None) -> Windows:
    """Windows of at most `shape.context` rows that end at `origins`; targets count from `firsts` on, else all do."""
    series = panel.series_of(origins - 1).astype(np.int32)
    return Windows(data, shape, origins, series, panel.offsets[:-1], firsts)


def turns(panel: Panel, part: Part, origins: Rows) -> Rows:
    """(windows,) first row of each window whose target is its own to answer: those before are the earlier window's.

    So every row of the part is answered once, with as much past as its window holds before it.
    """
    series = panel.series_of(origins - 1)
    earlier = np.concatenate([[-1], origins[:-1]]) if len(origins) else origins
    return np.asarray(np.maximum(part.first[series], earlier))


def shuffled(windows: Windows, batch_size: int, seed: int, epoch: int) -> list[Rows]:
    """The batches of an epoch: a pure function of (seed, epoch).

    Windows with the whole context and shorter ones are batched apart, so that most batches need no packing.
    """
    lengths = windows.lengths()
    whole = lengths == lengths.max()
    del lengths  # the order below takes as much
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(np.arange(len(windows), dtype=np.int32))
    groups = [order] if whole.all() else [order[whole[order]], order[~whole[order]]]
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
