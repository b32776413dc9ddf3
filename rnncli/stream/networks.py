"""A model's outputs for rows that arrive: from a state that is carried on, or from the newest rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from rnncli.model.portable import Portable
from rnncli.model.reference import STEPS
from rnncli.model.reference import State as Parts
from rnncli.stream.engines import Array, Recurrence, recurrence_of
from rnncli.stream.model import StreamModel, carries
from rnncli.stream.series import Series, Slots

ROWS = 64  # rows that the head answers together, always: products of one shape treat every row alike


class Answering(Protocol):
    """What gives a model's outputs.

    Attributes:
        engine: ``native``, ``numpy`` or ``torch``.
        memory: what is kept of a series that begins.
    """

    engine: str
    memory: Mapping[str, np.ndarray]

    def outputs(
        self, series: Series, slots: Slots, inputs: Array, static: Array | None, ahead: Array | None
    ) -> tuple[Array, Array, Array]:
        """Outputs (rows, outputs) for rows in their order, and the level and spread (rows, targets) put back onto them.

        Args:
            series: whose memory is read, and written.
            slots: (rows,) series of each.
            inputs: (rows, columns) scaled.
            static: (rows, static columns) scaled, or None.
            ahead: (rows, horizon, columns known ahead), or None.
        """

    def read(self, series: Series, slots: Slots, inputs: Array, static: Array | None) -> None:
        """Take rows into memory that nobody wants an answer to."""


def answering(model: StreamModel, engine: str, context: int | None) -> Answering:
    """What gives a model's outputs: its state, or windows where it needs them or `context` asks for them."""
    if carries(model.config) and context is None:
        return Carried(model, engine)
    rows = context or model.config.window.context
    assert isinstance(rows, int)
    return Windowed(model, engine, rows)


class Carried:
    """One step of the recurrence a row."""

    def __init__(self, model: StreamModel, engine: str) -> None:
        self.networks = model.networks
        found = [recurrence_of(network, engine) for network in self.networks]
        self._recurrences = [recurrence for recurrence, _ in found]
        self.engine = found[0][1]
        settings = model.config.model
        shape = (len(found), STEPS[settings.cell][1], settings.num_layers, settings.hidden_size)
        self.memory: Mapping[str, np.ndarray] = {"state": np.zeros(shape, np.float32)}
        self._levelled = model.config.window.normalise == "last"

    def outputs(
        self, series: Series, slots: Slots, inputs: Array, static: Array | None, ahead: Array | None
    ) -> tuple[Array, Array, Array]:
        """See `Answering`."""
        sizes = self.networks[0].sizes
        states = self._states(series, slots, inputs, static)
        found = [_in_rows(network, own, ahead) for network, own in zip(self.networks, states, strict=True)]
        outputs = found[0] if len(found) == 1 else np.stack(found).mean(0)
        level = inputs[:, : sizes.targets] if self._levelled else np.zeros((len(inputs), sizes.targets), np.float32)
        return outputs, level, np.ones_like(level)

    def read(self, series: Series, slots: Slots, inputs: Array, static: Array | None) -> None:
        """See `Answering`."""
        self._states(series, slots, inputs, static)

    def _states(self, series: Series, slots: Slots, inputs: Array, static: Array | None) -> list[Array]:
        """(rows, hidden) the top states of each network after each row."""
        found = []
        for number, (network, recurrence) in enumerate(zip(self.networks, self._recurrences, strict=True)):
            x = network.inputs("past", inputs)
            if static is not None:
                x = np.concatenate([x, network.inputs("static", static)], axis=1)
            found.append(_run(recurrence, series.memory["state"], number, slots, x))
        return found


def _run(recurrence: Recurrence, states: Array, member: int, slots: Slots, x: Array) -> Array:
    """(rows, hidden) top outputs of rows in their order; a series' rows are steps of one sequence.

    Sequences of very different lengths are not padded to the longest: no pass holds much more than the rows themselves.
    """
    order = np.argsort(slots, kind="stable")
    own, firsts, counts = np.unique(slots[order], return_index=True, return_counts=True)
    found = np.empty((len(x), states.shape[-1]), np.float32)
    done = np.zeros(len(own), np.int64)
    while (left := counts - done).any():
        active = np.flatnonzero(left)
        steps = int(min(left.max(), max(1, 2 * left.sum() // len(active))))
        lengths = np.minimum(left[active], steps)
        places = firsts[active][:, None] + done[active][:, None] + np.minimum(np.arange(steps), lengths[:, None] - 1)
        rows = order[places]  # (sequences, steps)
        outputs, after = recurrence(x[rows], lengths, states[own[active], member])
        states[own[active], member] = after
        valid = np.arange(steps) < lengths[:, None]
        found[rows[valid]] = outputs[valid]
        done[active] += lengths
    return found


def _in_rows(network: Portable, features: Array, ahead: Array | None) -> Array:
    """What the head makes of features, `ROWS` at a time and never fewer."""
    found = np.empty((len(features), network.sizes.outputs), np.float32)
    for start in range(0, len(features), ROWS):
        some = np.resize(np.arange(start, min(start + ROWS, len(features))), ROWS)
        count = min(ROWS, len(features) - start)
        found[start : start + count] = network.read_head(features[some], None if ahead is None else ahead[some])[:count]
    return found


class Windowed:
    """The newest rows of a series through the whole network, for every row again."""

    def __init__(self, model: StreamModel, engine: str, context: int) -> None:
        found = [recurrence_of(network, engine) for network in model.networks]
        self.engine = found[0][1]
        self.networks = [
            Quick(network, recurrence) for network, (recurrence, _) in zip(model.networks, found, strict=True)
        ]
        self.context = context
        width = len(model.columns.step_inputs(flags=model.config.data.missing == "mask"))
        self.memory: Mapping[str, np.ndarray] = {
            "rows": np.zeros((context, width), np.float32),
            "count": np.zeros((), np.int64),
        }
        self._normalise = model.config.window.normalise
        self._forks = model.config.window.origins == "every"

    def outputs(
        self, series: Series, slots: Slots, inputs: Array, static: Array | None, ahead: Array | None
    ) -> tuple[Array, Array, Array]:
        """See `Answering`."""
        sizes = self.networks[0].sizes
        outputs = np.empty((len(inputs), sizes.outputs), np.float32)
        level = np.zeros((len(inputs), sizes.targets), np.float32)
        spread = np.ones_like(level)
        rows, counts = series.memory["rows"], series.memory["count"]
        for at, slot in enumerate(slots.tolist()):
            self.read(series, slots[at : at + 1], inputs[at : at + 1], None)
            window = _newest(rows[slot], int(counts[slot]))
            window, level[at], spread[at] = self._levelled(window, sizes.targets)
            arguments = (
                window[None],
                None,
                level[at, None, : sizes.levels] if sizes.levels else None,
                None if static is None else static[at, None],
                None if ahead is None else ahead[at, None],
            )
            found = [network.forward(*arguments).reshape(-1)[-sizes.outputs :] for network in self.networks]
            outputs[at] = found[0] if len(found) == 1 else np.stack(found).mean(0)
        return outputs, level, spread

    def read(self, series: Series, slots: Slots, inputs: Array, static: Array | None) -> None:
        """See `Answering`."""
        rows, counts = series.memory["rows"], series.memory["count"]
        for slot, row in zip(slots.tolist(), inputs, strict=True):
            rows[slot, counts[slot] % self.context] = row
            counts[slot] += 1

    def _levelled(self, window: Array, targets: int) -> tuple[Array, Array, Array]:
        """A window less its level, as ``data.windows`` takes it off; with forking sequences it stays in."""
        own = window[:, :targets]
        level, spread = np.zeros(targets, np.float32), np.ones(targets, np.float32)
        if self._normalise == "last":
            level = own[-1]
        elif self._normalise == "mean_std":
            level = own.mean(0)
            spread = np.sqrt(((own - level) ** 2).mean(0) + np.float32(1e-5))
        if self._forks or self._normalise == "none":
            return window, level, spread
        return np.concatenate([(own - level) / spread, window[:, targets:]], axis=1), level, spread


def _newest(ring: Array, count: int) -> Array:
    """(rows, columns) what a ring holds, the oldest first."""
    if count <= len(ring):
        return ring[:count]
    return np.roll(ring, -(count % len(ring)), axis=0)


class Quick(Portable):
    """A network whose recurrence another engine steps."""

    def __init__(self, network: Portable, recurrence: Recurrence) -> None:
        super().__init__(network.settings, network.sizes, network.weights)
        self._recurrence = recurrence

    def _recur(self, x: Array, state: Parts | None = None) -> tuple[Array, Parts]:
        """See `reference.run`: (time, inputs), parts (layers, hidden)."""
        parts, layers = STEPS[self.settings.cell][1], self.settings.num_layers
        start = np.zeros((1, parts, layers, self.settings.hidden_size), np.float32)
        if state is not None:
            start[0] = np.stack(state)
        output, final = self._recurrence(x[None], np.array([len(x)]), start)
        return output[0], tuple(final[0])
