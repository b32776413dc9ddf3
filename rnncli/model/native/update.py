"""The steps of an optimizer over float32 tensors of the CPU, a call of step.c each."""

from __future__ import annotations

import ctypes
import operator
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


class Update:
    """The steps of an optimizer, in place.

    Args:
        library: the kernels.
        name: one of OPTIMIZERS.
        networks: how many have the weights, as many tensors each.
        weights: contiguous, those of a network together; where they are they stay.
    """

    def __init__(self, library: Library, name: str, networks: int, weights: Sequence[Tensor]) -> None:
        self._library, self._weights = library, weights
        self._head = (OPTIMIZERS.index(name), networks, len(weights) // networks)
        self._sizes = _numbers([weight.numel() for weight in weights])
        self._places = _numbers([address(weight) for weight in weights])
        self._gradients: list[Tensor | None] = []
        self._slopes = _numbers([])

    def __call__(self, gradients: Sequence[Tensor | None], moments: tuple[Tensor, Tensor], rates: Rates) -> float:
        """Take a step.

        Args:
            gradients: of each of the weights; zero where there is none.
            moments: two flat vectors over all weights.
            rates: the numbers.

        Returns:
            the largest norm of a network's gradient before clipping; if it is not finite, nothing was changed.
        """
        if len(self._gradients) != len(gradients) or any(map(operator.is_not, self._gradients, gradients)):
            self._gradients = [None if gradient is None else gradient.contiguous() for gradient in gradients]
            self._slopes = _numbers([address(gradient) for gradient in self._gradients])
        lists = map(ctypes.addressof, (self._sizes, self._places, self._slopes))
        return self._library.update(_UPDATE.pack(*self._head, *lists, *map(address, moments), *rates))


def _numbers(values: Sequence[int]) -> ctypes.Array[ctypes.c_int64]:
    return (ctypes.c_int64 * len(values))(*values)
