"""What stands around the recurrence, for one sequence and in NumPy alone: ``pieces.py`` and the readouts.

Every function takes the weights of its own piece, named without that piece's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnncli.model.reference import relu

Array = NDArray[Any]
Tensors = Mapping[str, Array]
Read = Callable[[Array, Array, Tensors], Array]

TAPS = (9, 5)  # steps that each convolution reads
_EPSILON = 1e-5  # of torch.nn.LayerNorm


def under(weights: Tensors, start: str) -> dict[str, Array]:
    """The weights whose names begin with `start`, named without it."""
    return {name.removeprefix(start): array for name, array in weights.items() if name.startswith(start)}


def linear(x: Array, weights: Tensors, name: str) -> Array:
    """W x + b along the last axis, or W x where there is no bias."""
    found = x @ weights[f"{name}.weight"].T
    return found + weights[f"{name}.bias"] if f"{name}.bias" in weights else found


def read_last(output: Array, final: Array, weights: Tensors) -> Array:
    """The newest state: forward at the last step, joined to backward at the first."""
    return final


def read_mean(output: Array, final: Array, weights: Tensors) -> Array:
    """Mean of the outputs over the steps."""
    return np.asarray(output.mean(axis=0))


def read_max(output: Array, final: Array, weights: Tensors) -> Array:
    """Maximum of the outputs over the steps."""
    return np.asarray(output.max(axis=0))


def read_mean_max(output: Array, final: Array, weights: Tensors) -> Array:
    """Mean and maximum, joined."""
    return np.concatenate([output.mean(axis=0), output.max(axis=0)])


def read_attention(output: Array, final: Array, weights: Tensors) -> Array:
    """A weighted mean over the steps; a step's weight is learned from its output."""
    scores = linear(np.tanh(linear(output, weights, "mix")), weights, "score")  # (time, 1)
    odds = np.exp(scores - scores.max())
    return np.asarray((odds / odds.sum() * output).sum(axis=0))


# (time, width) outputs and (width,) final state to what the head reads
READOUTS: dict[str, Read] = {
    "last": read_last,
    "mean": read_mean,
    "max": read_max,
    "mean_max": read_mean_max,
    "attention": read_attention,
}


def convolve(x: Array, weights: Tensors, *, causal: bool) -> Array:
    """(time, inputs) to (time, filters): two convolutions, each with a norm over its filters and ReLU."""
    for number, taps in enumerate(TAPS):
        ahead = 0 if causal else taps // 2
        padded = np.pad(x, ((taps - 1 - ahead, ahead), (0, 0)))
        around = np.lib.stride_tricks.sliding_window_view(padded, taps, axis=0)  # (time, inputs, taps)
        mixed = linear(around.reshape(len(x), -1), weights, f"mix.{number}")
        centred = mixed - mixed.mean(axis=1, keepdims=True)
        normed = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + _EPSILON)
        x = relu(normed * weights[f"norm.{number}.weight"] + weights[f"norm.{number}.bias"])
    return x


def in_segments(x: Array, size: int, weights: Tensors) -> Array:
    """(time, inputs) to (segments, width); the first segment is filled up with repeats of the first step."""
    count = -(-len(x) // size)
    places = np.maximum(np.arange(count * size) + len(x) - count * size, 0)
    return relu(linear(x[places].reshape(count, -1), weights, "embed"))


def read_ahead(features: Array, known: Array, weights: Tensors) -> Array:
    """(n, features) and what is known ahead (n, horizon, width), to (n, horizon, outputs of a step)."""
    hidden = linear(features, weights, "state")[:, None] + linear(known, weights, "known")
    return linear(relu(hidden), weights, "out")


def decoder_inputs(known: Array | None, size: int, weights: Tensors) -> Array:
    """(segments, width) what the parallel decoder reads: the segment's place, and what is known ahead of it."""
    places = weights["places"]
    if known is None:
        return places
    whole = np.pad(known, ((0, len(places) * size - len(known)), (0, 0)))
    return np.asarray(places + linear(whole.reshape(len(places), -1), weights, "known"))


def skip(own: Array, weight: Array, season: int) -> Array:
    """(time, targets) of the past to (steps, targets): a linear map, and of a season the one before, repeated.

    Args:
        weight: (steps, context).
        season: rows of a season; 0 for the map alone.
    """
    steps, context = weight.shape
    own = np.pad(own, ((max(0, context - len(own)), 0), (0, 0)))[-context:]
    found = weight @ own
    if not 0 < season <= context:
        return np.asarray(found)
    return np.asarray(found + own[context - season + np.arange(steps) % season])
