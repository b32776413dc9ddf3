"""Windows as arrays, and what a network, or whatever else computes it, makes of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rnncli.data.windows import Batch
from rnncli.model.ensemble import AnyNetwork, members_of
from rnncli.model.sizes import Sizes

Array = NDArray[Any]


@dataclass(frozen=True)
class Given:
    """What a network is called with, as arrays; the names are those of ``Network.forward``.

    Attributes:
        past: (windows, time, columns), zero after the valid steps.
        lengths: (windows,) valid steps.
        level: (windows, levels) that the network reads, and so without columns where it reads none.
        static: (windows, columns).
        ahead: (windows, horizon, columns).
    """

    past: Array
    lengths: Array
    level: Array
    static: Array
    ahead: Array

    def arrays(self) -> dict[str, Array]:
        """Every part by its name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def pick(self, index: Array) -> Given:
        """The windows at `index` alone, no longer than the longest of them."""
        some = Given(**{name: part[index] for name, part in self.arrays().items()})
        return replace(some, past=some.past[:, : some.lengths.max()])


Compute = Callable[[Given], Array]  # of windows of one length


def given_of(batch: Batch, sizes: Sizes) -> Given:
    """A batch as arrays."""
    past = batch.past.cpu().numpy()
    lengths = np.full(len(past), past.shape[1]) if batch.lengths is None else batch.lengths.cpu().numpy()
    level = batch.level[:, : sizes.levels].cpu().numpy()
    return Given(past, lengths.astype(np.int64), level, batch.static.cpu().numpy(), batch.ahead.cpu().numpy())


def call(network: AnyNetwork, given: Given, engine: str | None = None) -> Array:
    """The network's outputs, on its device and without the coarse products (TF32) of some devices.

    Args:
        engine: a value of training.engine, for this call; None for the network's own.
    """
    device = next(network.parameters()).device
    whole = bool((given.lengths == given.past.shape[1]).all())
    tensors = {name: torch.from_numpy(np.array(part)).to(device) for name, part in given.arrays().items()}
    lengths = tensors.pop("lengths")
    exactly = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    with torch.inference_mode(), exactly, _computed_by(network, engine):
        outputs: torch.Tensor = network(**tensors, lengths=None if whole else lengths)
    return outputs.cpu().numpy()


@contextlib.contextmanager
def _computed_by(network: AnyNetwork, engine: str | None) -> Iterator[None]:
    backbones = [member.backbone for member in members_of(network)]
    before = [backbone.engine for backbone in backbones]
    try:
        for backbone in backbones:
            backbone.engine = engine or backbone.engine
        yield
    finally:
        for backbone, own in zip(backbones, before, strict=True):
            backbone.engine = own


def by_length(compute: Compute, given: Given) -> Array:
    """What `compute` makes of the windows of each length, joined in their order; zero after the valid steps."""
    parts = [(index, compute(given.pick(index))) for index in _lengths(given)]
    first = parts[0][1]
    steps = given.past.shape[1:2] if first.ndim == 3 else ()
    found = np.zeros((len(given.past), *steps, first.shape[-1]))
    for index, part in parts:
        if steps:
            found[index, : part.shape[1]] = part
        else:
            found[index] = part
    return found


def _lengths(given: Given) -> list[Array]:
    """The windows of each length."""
    return [np.flatnonzero(given.lengths == length) for length in np.unique(given.lengths)]


def masked(outputs: Array, given: Given) -> Array:
    """Outputs with zero after the valid steps, where every step has some."""
    if outputs.ndim == 2:
        return outputs
    valid = np.arange(outputs.shape[1]) < given.lengths[:, None]
    return np.where(valid[:, :, None], outputs, 0.0)
