"""A saved prediction: some windows of the data and what the network made of them when training ended.

It stands in the model's file beside the weights, so that whoever has the file can tell that both still belong together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rnncli.data.windows import Windows
from rnncli.errors import CheckpointError, Place
from rnncli.given import Array, Given, call, given_of
from rnncli.model.ensemble import AnyNetwork
from rnncli.model.sizes import Sizes
from rnncli.stored import PROOF

MOST_WINDOWS, MOST_BYTES = 8, 1 << 16


@dataclass(frozen=True)
class Proof:
    """A saved prediction: what was given, and the network's outputs (windows, [time,] outputs)."""

    given: Given
    outputs: Array


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
