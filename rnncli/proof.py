"""A saved prediction: some windows of the data and what the network made of them when training ended.

It stands in the model's file beside the weights, so that whoever has the file can tell that both still belong together.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rnncli.data.windows import Batch, Windows
from rnncli.errors import CheckpointError, Place
from rnncli.model.ensemble import AnyNetwork, members_of
from rnncli.model.sizes import Sizes
from rnncli.stored import PROOF

Array = NDArray[Any]

MOST_WINDOWS, MOST_BYTES = 8, 1 << 16


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


@dataclass(frozen=True)
class Proof:
    """A saved prediction: what was given, and the network's outputs (windows, [time,] outputs)."""

    given: Given
    outputs: Array


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


def take(network: AnyNetwork, windows: Windows, sizes: Sizes) -> Proof | None:
    """The network's outputs for some of the windows, as many as fit, at least the newest rows of one.

    None if the outputs alone are too large, or not finite.
    """
    given = given_of(windows.batch(spread(len(windows), MOST_WINDOWS)), sizes)
    row = 4 * (given.past.shape[2] + sizes.outputs * sizes.every)
    fixed = 8 + sum(4 * part[0].size for part in (given.level, given.static, given.ahead)) + 4 * sizes.outputs
    fit = (MOST_BYTES - fixed) // row
    if fit < 1:
        return None
    count = max(1, MOST_BYTES // (fixed + row * given.past.shape[1]))
    few = given.pick(spread(len(given.past), count))
    proof = _called(network, few if len(few.past) > 1 else _newest(few, fit))
    return proof if all(np.isfinite(part).all() for part in tensors_of(proof).values()) else None


def _called(network: AnyNetwork, given: Given) -> Proof:
    return Proof(given, call(network, given))


def _newest(given: Given, rows: int) -> Given:
    """A single window's newest rows."""
    past = given.past[:, -rows:]
    return replace(given, past=past, lengths=np.array([past.shape[1]]))


def spread(total: int, count: int) -> NDArray[np.int64]:
    """At most `count` of `total` places, evenly from the first to the last."""
    return np.unique(np.linspace(0, total - 1, min(total, count)).round().astype(np.int64))


def tensors_of(proof: Proof | None) -> dict[str, Array]:
    """A proof as the tensors of a file; none if there is none."""
    if proof is None:
        return {}
    return {f"{PROOF}{name}": part for name, part in (*proof.given.arrays().items(), ("outputs", proof.outputs))}


def saved(tensors: Mapping[str, Array], sizes: Sizes, file: str) -> Proof | None:
    """The proof in a file's tensors; None if it has none.

    Raises:
        CheckpointError: if it is none of a network of these sizes.
    """
    found = {name.removeprefix(PROOF): part for name, part in tensors.items() if name.startswith(PROOF)}
    if not found:
        return None
    try:
        outputs = found.pop("outputs")
        given = Given(**found)
        windows, steps = given.past.shape[:2]
        shapes = [
            (given.past, np.float32, (windows, steps, len(sizes.past))),
            (given.lengths, np.int64, (windows,)),
            (given.level, np.float32, (windows, sizes.levels)),
            (given.static, np.float32, (windows, len(sizes.static))),
            (given.ahead, np.float32, (windows, given.ahead.shape[1], len(sizes.ahead))),
            (outputs, np.float32, (windows, *([steps] if sizes.every else []), sizes.outputs)),
        ]
        right = all(part.dtype == kind and part.shape == shape for part, kind, shape in shapes)
        if not right or not windows or not ((given.lengths > 0) & (given.lengths <= steps)).all():
            raise ValueError
        if sizes.ahead and given.ahead.shape[1] != sizes.steps:
            raise ValueError
    except (KeyError, TypeError, ValueError, IndexError):
        message = "damaged: its saved prediction is not one of its network"
        raise CheckpointError(message, "restore the file from a copy, or train again", Place(file)) from None
    return Proof(given, outputs)
