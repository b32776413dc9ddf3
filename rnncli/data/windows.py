"""Windows: where in the panel each one starts; a batch is gathered when it is needed, on the device it is for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnncli.data.panel import Numbers, Panel, Rows, compact
from rnncli.data.resident import Resident, stretches, take_off

CHUNK = 1 << 17  # windows that are looked at together


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
    index: Numbers

    def parts(self, sizes: list[int]) -> list[Batch]:
        """So many windows each, in the same memory."""
        if len(sizes) == 1:
            return [self]
        tensors = [value for name, value in vars(self).items() if name != "index"]
        each: list[Any] = [[None] * len(sizes) if value is None else value.split(sizes) for value in tensors]
        index = np.split(self.index, np.cumsum(sizes)[:-1])
        return [Batch(*own) for own in zip(*each, index, strict=True)]


@dataclass(frozen=True)
class Shape:
    """What a task makes of a window.

    Attributes:
        context: rows of past, at most.
        horizon: rows of target from the origin on; 0 if they are among the input rows.
        every: whether every input row has a target, and not the newest alone.
        turn: rows that a window answers when every row is scored once; those before them give it its past.
        normalise: how the level is found: ``none``, ``last`` or ``mean_std``.
        forks: whether every input row is trained as an origin of its own; they share the inputs, which so have no level
            taken off.
    """

    context: int
    horizon: int = 0
    every: bool = False
    turn: int = 1
    normalise: str = "none"
    forks: bool = False


@dataclass(frozen=True)
class Windows:
    """Windows by their origins.

    Attributes:
        data: what they are cut from.
        shape: how.
        origins: (windows,) the panel row after the newest input row, int32 where that is enough.
        starts: (series,) first row of every series.
        firsts: (windows,) first row whose target counts, where every row has one; None if all do.
    """

    data: Resident
    shape: Shape
    origins: Numbers
    starts: Rows
    firsts: Rows | None = None

    def __len__(self) -> int:
        return len(self.origins)

    @property
    def series(self) -> Rows:
        """(windows,) series of each window; of large data better asked of a few that were picked."""
        return self._series_of(self.origins)

    def _series_of(self, origins: Numbers) -> Rows:
        if len(self.starts) == 1:
            return np.zeros(len(origins), dtype=np.int64)
        return np.searchsorted(self.starts, origins - 1, side="right") - 1

    @property
    def begins(self) -> Rows:
        """(windows,) first input row: `context` rows before the origin, or the series' first row."""
        return np.maximum(self.starts[self.series], self.origins - self.shape.context)

    def pick(self, index: Numbers | slice) -> Windows:
        """The windows at `index` alone."""
        firsts = None if self.firsts is None else self.firsts[index]
        return replace(self, origins=self.origins[index], firsts=firsts)

    def lengths(self) -> Numbers:
        """(windows,) input rows of each window, found some windows at a time."""
        found = np.empty_like(self.origins)
        for start in range(0, len(found), CHUNK):
            some = self.pick(slice(start, start + CHUNK))
            found[start : start + CHUNK] = some.origins - some.begins
        return found

    def target_rows(self, index: Numbers) -> tuple[Rows, NDArray[np.bool_]]:
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

    @functools.cached_property
    def whole(self) -> bool:
        """Whether all windows have the whole context."""
        return len(self) > 0 and int(self.lengths().min()) == self.shape.context

    @functools.cached_property
    def _ahead(self) -> bool:
        """Whether all rows of the horizon are there, of all windows."""
        return 0 < self.shape.horizon <= len(self.data.targets) - int(self.origins.max(initial=0))

    def batch(self, index: Numbers) -> Batch:
        """Gather the windows at `index`."""
        data = self.data
        origins = self.origins[index]
        past, valid, mask = self._past(origins)
        pick, counts = self._targets(index, origins)
        level, spread = self._level(past, valid, mask, data.targets.shape[1])
        if self.shape.normalise != "none" and not self.shape.forks:
            own = past[:, :, : level.shape[1]]
            take_off(own, level)
            if self.shape.normalise == "mean_std":
                own.div_(spread[:, None])
        if mask is not None:
            past *= mask
        first, last = data.ahead
        ahead = pick(data.inputs[:, first:last]) if last > first else past.new_empty(len(past), self.shape.horizon, 0)
        target, target_mask = self._truth(pick, counts)
        return Batch(
            past=past,
            lengths=valid,
            static=self._static(origins),
            ahead=ahead,
            level=level,
            spread=spread,
            target=target,
            target_mask=target_mask,
            weight=None if data.weights is None else pick(data.weights[:, None]),
            index=index,
        )

    def truth(self, index: Numbers) -> tuple[Tensor, Tensor]:
        """(windows, steps, targets) what a batch holds of the windows at `index` as target and target_mask."""
        return self._truth(*self._targets(index, self.origins[index]))

    def _truth(self, pick: Callable[[Tensor], Tensor], counts: Tensor | None) -> tuple[Tensor, Tensor]:
        observed = pick(self.data.observed)
        return pick(self.data.targets), observed if counts is None else observed & counts[:, :, None]

    def _static(self, origins: Numbers) -> Tensor:
        static = self.data.static
        if not static.shape[1]:
            return static.new_empty(len(origins), 0)
        return static[torch.from_numpy(self._series_of(origins)).to(static.device)]

    def _past(self, origins: Numbers) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """(batch, time, inputs) rows up to the origins; where lengths differ, the lengths and which steps are valid."""
        inputs, context = self.data.inputs, self.shape.context
        if self.whole:
            return stretches(inputs, torch.from_numpy(origins - context).to(inputs.device), context), None, None
        begins = np.maximum(self.starts[self._series_of(origins)], origins - context)  # as `begins`, in one search
        lengths = origins - begins
        first, longest = torch.from_numpy(begins).to(inputs.device), int(lengths.max())
        if longest == lengths.min():
            return stretches(inputs, first, longest), None, None
        valid = torch.from_numpy(lengths).to(inputs.device)
        steps = torch.arange(longest, device=inputs.device)
        rows = first[:, None] + torch.minimum(steps, valid[:, None] - 1)
        return inputs[rows], valid, (steps < valid[:, None])[:, :, None]

    def _targets(self, index: Numbers, origins: Numbers) -> tuple[Callable[[Tensor], Tensor], Tensor | None]:
        """What picks the target rows of the windows at `index` from all rows, and which of them count, if not all."""
        device, horizon = self.data.inputs.device, self.shape.horizon
        if self._ahead:
            first = torch.from_numpy(origins).to(device)
            return lambda values: stretches(values, first, horizon), None
        rows, counts = (torch.from_numpy(part).to(device) for part in self.target_rows(index))
        return lambda values: values[rows], counts

    def forks(self, batch: Batch) -> Batch:
        """Every step of a batch's windows as an origin of its own, (batch * time) of them, that sees its own row alone.

        Steps of the padding repeat their window's last.
        """
        chosen, steps = self.pick(batch.index), np.arange(batch.past.shape[1])
        newest = np.minimum(chosen.begins[:, None] + steps, chosen.origins[:, None] - 1)
        each = replace(self, shape=replace(self.shape, context=1), origins=compact(newest.reshape(-1) + 1))
        return each.batch(np.arange(newest.size))

    def _level(self, past: Tensor, valid: Tensor | None, mask: Tensor | None, targets: int) -> tuple[Tensor, Tensor]:
        """(batch, targets) level and spread of the target columns of each window."""
        if self.shape.normalise == "none":
            return past.new_zeros(len(past), targets), past.new_ones(len(past), targets)
        own = past[:, :, :targets]
        if self.shape.normalise == "last":
            newest = own[:, -1].clone() if valid is None else own[torch.arange(len(own), device=own.device), valid - 1]
            return newest, torch.ones_like(newest)
        weight = torch.ones_like(own) if mask is None else mask.expand_as(own).to(own.dtype)
        steps = own.shape[1] if valid is None else valid[:, None]
        mean = (own * weight).sum(1) / steps
        variance = (((own - mean[:, None]) * weight) ** 2).sum(1) / steps
        return mean, torch.sqrt(variance + 1e-5)


def cut(panel: Panel, data: Resident, origins: Numbers, shape: Shape, firsts: Rows | None = None) -> Windows:
    """Windows of at most `shape.context` rows that end at `origins`; targets count from `firsts` on, else all do."""
    return Windows(data, shape, compact(origins), panel.offsets[:-1], firsts)
