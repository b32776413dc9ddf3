"""A whole trained network in NumPy alone: what ``network.py`` computes, one sequence at a time and without torch.

The recurrence is the textbook's own (``reference.py``), and so needs no padding; the rest is ``portable_pieces.py``.
Numbers are of the weights' type: float32 as they were trained, or float64 for a truth to compare with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnncli.config import schema
from rnncli.model.portable_pieces import (
    READOUTS,
    Array,
    Tensors,
    convolve,
    decoder_inputs,
    in_segments,
    linear,
    read_ahead,
    skip,
    under,
)
from rnncli.model.reference import run
from rnncli.model.sizes import Sizes


class Portable:
    """One network.

    Args:
        settings: the config's model section.
        sizes: what goes in and comes out.
        weights: by the names of ``Network.state_dict()``.

    Attributes:
        recurrent: the weights of the recurrence, named as ``reference.run`` names them.
        dtype: of the weights, and so of all results.
    """

    def __init__(self, settings: schema.Model, sizes: Sizes, weights: Tensors) -> None:
        self.settings, self.sizes, self.weights = settings, sizes, dict(weights)
        self.recurrent = under(self.weights, "backbone.")
        self.dtype = self.recurrent["weight_hh_l0"].dtype
        self.directions = 2 if settings.bidirectional else 1
        self._columns = {"past": sizes.past, "static": sizes.static, "ahead": sizes.ahead}
        self._vectors = {
            name: self.weights[f"inputs.vectors.column{number}.weight"]
            for number, (name, _) in enumerate(sizes.categories)
        }

    def inputs(self, part: str, values: Array) -> Array:
        """(…, columns) of ``past``, ``static`` or ``ahead`` with codes, to (…, width) numbers."""
        columns = self._columns[part]
        if not any(name in self._vectors for name in columns):
            return values.astype(self.dtype, copy=False)
        found = [
            self._vectors[name][values[..., position].astype(np.int64)]
            if name in self._vectors
            else values[..., position, None]
            for position, name in enumerate(columns)
        ]
        return np.concatenate(found, axis=-1).astype(self.dtype, copy=False)

    def forward(
        self,
        past: Array,
        lengths: Array | None = None,
        level: Array | None = None,
        static: Array | None = None,
        ahead: Array | None = None,
        *,
        forks: bool = False,
    ) -> Array:
        """Run the network: the arguments and the result of ``Network.forward``, as arrays.

        Args:
            past: (batch, time, past columns), padded on the right; the padding is never read.
            lengths: (batch,) valid steps; None if all are.
            level: (batch, levels) what normalisation took off.
            static: (batch, static columns), needed if there are any.
            ahead: (batch, horizon, columns known ahead), needed if there are any; (batch * time, …) with `forks`.
            forks: whether every step is an origin of its own.

        Returns:
            (batch, outputs), (batch, time, outputs) if every step is answered, or (batch * time, outputs) of origins.
        """
        steps = np.full(len(past), past.shape[1]) if lengths is None else np.asarray(lengths)
        windows = [past[row, :count] for row, count in enumerate(steps)]
        beside = [None if static is None else static[row] for row in range(len(past))]
        if self.settings.decoder == "parallel":
            known = [None if ahead is None else ahead[row] for row in range(len(past))]
            found = np.stack([self._decoded(*window) for window in zip(windows, beside, known, strict=True)])
        elif self.sizes.every or forks:
            features = [self._every(*window) for window in zip(windows, beside, strict=True)]
            padded = np.stack([np.pad(some, ((0, past.shape[1] - len(some)), (0, 0))) for some in features])
            found = self.read_head(padded.reshape(-1, padded.shape[2]) if forks else padded, ahead)
        else:
            features = [self._newest(*window) for window in zip(windows, beside, strict=True)]
            found = self.read_head(np.stack(features), ahead)
        if level is not None and self.sizes.levels:
            found = found + level.astype(self.dtype, copy=False) @ self.weights["level.weight"].T
        return found if self.settings.skip == "none" else found + np.stack([self._around(own) for own in windows])

    def read_head(self, features: Array, ahead: Array | None = None) -> Array:
        """What the direct head makes of features (n, features), with what is known ahead: (n, outputs).

        With the readout ``last`` and without a front end these are the top layer's states, directions joined.
        """
        found = linear(features, self.weights, "head")
        if ahead is None or not self.sizes.ahead:
            return found
        known = read_ahead(features, self.inputs("ahead", ahead), under(self.weights, "ahead."))
        return found + known.reshape(len(found), -1)

    def _read(self, window: Array, static: Array | None) -> tuple[Array, Array | None]:
        """(time, width) what the recurrence or its segments read of a window, and the filters if there are any."""
        x = self.inputs("past", window)
        if static is not None and self.sizes.static:
            beside = np.broadcast_to(self.inputs("static", static), (len(x), self.sizes.width(self.sizes.static)))
            x = np.concatenate([x, beside], axis=1)
        if self.settings.front_end == "none":
            return x, None
        causal = (self.sizes.every or self.sizes.forks) and not self.settings.bidirectional
        filters = convolve(x, under(self.weights, "front_end."), causal=causal)
        return filters, filters

    def _run(self, window: Array, static: Array | None) -> tuple[Array, tuple[Array, ...], Array | None]:
        """The recurrence over a window: outputs (time or segments, width), final state, filters."""
        x, filters = self._read(window, static)
        if self.settings.segment is not None:
            x = in_segments(x, self.sizes.segment, under(self.weights, "segments."))
        return *self._recur(x), filters

    def _recur(self, x: Array, state: tuple[Array, ...] | None = None) -> tuple[Array, tuple[Array, ...]]:
        return run(self.settings.cell, self.recurrent, x, state, self.settings.nonlinearity or "tanh")

    def _every(self, window: Array, static: Array | None) -> Array:
        """(time, features) what the head reads at every step."""
        output, _, filters = self._run(window, static)
        return output if filters is None else np.concatenate([output, filters], axis=1)

    def _newest(self, window: Array, static: Array | None) -> Array:
        """(features,) what the head reads of a window as a whole."""
        output, final, filters = self._run(window, static)
        read = READOUTS[self.settings.readout]
        features = read(output, final[0][-self.directions :].reshape(-1), under(self.weights, "readout."))
        if filters is None:
            return features
        return np.concatenate([features, read(filters, filters[-1], under(self.weights, "filter_readout."))])

    def _decoded(self, window: Array, static: Array | None, ahead: Array | None) -> Array:
        """(outputs,) a further step of the recurrence for every segment of the horizon, from the final state."""
        _, final, _ = self._run(window, static)
        known = self.inputs("ahead", ahead) if ahead is not None and self.sizes.ahead else None
        decoder = under(self.weights, "decoder.")
        starts = decoder_inputs(known, self.sizes.segment, decoder)
        states = np.concatenate([self._recur(start[None], final)[0] for start in starts])
        return linear(states, decoder, "out").reshape(-1)[: self.sizes.outputs]

    def _around(self, window: Array) -> Array:
        """(outputs,) the path around the recurrence, the same for all quantiles of a target."""
        targets, steps = self.sizes.targets, self.sizes.steps
        own = window[:, :targets].astype(self.dtype, copy=False)
        season = self.sizes.season if self.settings.skip == "seasonal" else 0
        found = skip(own, self.weights["skip.weight"], season)
        return np.repeat(found.reshape(-1), self.sizes.outputs // (steps * targets))


class PortableMean:
    """Several networks that answer with their mean, as ``Ensemble`` does; it has a network's methods."""

    def __init__(self, members: Sequence[Portable]) -> None:
        self.members = tuple(members)
        self.settings, self.sizes, self.dtype = members[0].settings, members[0].sizes, members[0].dtype

    def forward(self, *arguments: Any, **named: Any) -> Array:
        """The arguments of ``Portable.forward``, to its mean result."""
        return np.asarray(np.stack([member.forward(*arguments, **named) for member in self.members]).mean(axis=0))


def build(settings: schema.Model, sizes: Sizes, weights: Tensors) -> Portable | PortableMean:
    """The network of a model's weights, which of an ensemble begin with ``members.0.`` and so on."""
    numbers = sorted({int(name.split(".")[1]) for name in weights if name.startswith("members.")})
    members = [Portable(settings, sizes, under(weights, f"members.{number}.")) for number in numbers]
    return PortableMean(members) if members else Portable(settings, sizes, weights)


def exact(weights: Tensors) -> dict[str, Array]:
    """The weights in float64."""
    return {name: array.astype(np.float64) for name, array in weights.items()}
