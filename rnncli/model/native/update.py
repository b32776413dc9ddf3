"""A step of an optimizer over float32 tensors of the CPU, in one call of step.c."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from rnncli.model.native.arguments import address
from rnncli.model.native.kernels import Library

OPTIMIZERS = ("adam", "adamw", "sgd")  # of step.c, in its order
_UPDATE = struct.Struct("@8q8d")  # a ``struct update``


class Rates(NamedTuple):
    """The numbers of an update.

    Attributes:
        rate, decay: learning rate and weight decay.
        clip: most that the norm of a network's gradient may be.
        slow: share of the old first moment, or of the velocity (SGD), that is kept; and
        slower: of the second.
        epsilon: added to its root.
        begun, begun_slower: the moments' corrections for their start.
    """

    rate: float
    decay: float
    clip: float
    slow: float
    slower: float
    epsilon: float
    begun: float
    begun_slower: float


def update(
    library: Library,
    name: str,
    networks: int,
    weights: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    moments: tuple[Tensor, Tensor],
    rates: Rates,
) -> float:
    """One step of an optimizer, in place.

    Args:
        library: the kernels.
        name: one of OPTIMIZERS.
        networks: how many have the weights, as many tensors each.
        weights: contiguous, those of a network together.
        gradients: of each of them; zero where there is none.
        moments: two flat vectors over all weights.
        rates: the numbers.

    Returns:
        the largest norm of a network's gradient before clipping; if it is not finite, nothing was changed.
    """
    whole = [None if gradient is None else gradient.contiguous() for gradient in gradients]
    lists = [_numbers([weight.numel() for weight in weights])]
    lists += [_numbers([address(tensor) for tensor in tensors]) for tensors in (weights, whole)]
    addresses = [*map(ctypes.addressof, lists), *map(address, moments)]
    head = (OPTIMIZERS.index(name), networks, len(weights) // networks)
    return library.update(_UPDATE.pack(*head, *addresses, *rates))


def _numbers(values: Sequence[int]) -> ctypes.Array[ctypes.c_int64]:
    return (ctypes.c_int64 * len(values))(*values)
