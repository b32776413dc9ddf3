"""Whether what was exported computes what torch computes: on windows of several shapes, drawn always alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnncli.errors import OutcomeError
from rnncli.given import Given, call
from rnncli.model.sizes import Sizes
from rnncli.trained import TrainedModel

Array = NDArray[Any]

SHAPES = ((1, 1), (1, 12), (3, 7), (5, 30))  # windows and steps; the last two are ragged
TOLERANCE = 1e-5  # of an output; of those beyond 1, a share of the largest


def trials(sizes: Sizes) -> Iterator[Given]:
    """Windows of every shape."""
    random = np.random.default_rng(0)
    counts = dict(sizes.categories)

    def drawn(columns: tuple[str, ...], *shape: int) -> Array:
        parts = [
            random.integers(0, counts[name] + 1, shape) if name in counts else random.normal(size=shape)
            for name in columns
        ]
        return np.stack([*parts, np.zeros(shape)], axis=-1)[..., :-1].astype(np.float32)

    for windows, steps in SHAPES:
        lengths = np.maximum(1, steps - 2 * np.arange(windows))
        past = drawn(sizes.past, windows, steps) * (np.arange(steps) < lengths[:, None])[:, :, None]
        level = random.normal(size=(windows, sizes.levels)).astype(np.float32)
        ahead = drawn(sizes.ahead, windows, sizes.steps)
        yield Given(past.astype(np.float32), lengths, level, drawn(sizes.static, windows), ahead)


def check(model: TrainedModel, compute: Callable[[Given], Array], what: str) -> float:
    """The largest difference from torch, in the network's outputs.

    Raises:
        OutcomeError: if it is too large.
    """
    largest = 0.0
    for given in trials(model.task.sizes()):
        expected = call(model.network, given, "torch")
        gap = np.abs(compute(given) - expected)
        error, size = float(np.where(np.isfinite(gap), gap, np.inf).max()), float(np.abs(expected).max(initial=1.0))
        if not error <= TOLERANCE * size:
            message = f"{what} differs from torch by {error:.1e} on {len(given.past)} windows"
            raise OutcomeError(message, "nothing is written; please report it")
        largest = max(largest, error)
    return largest
