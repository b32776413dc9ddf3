"""The recurrence a step further for many series: in NumPy, by the textbook's own code, or by the native kernels.

However rows are grouped on their way through, a row's numbers are the same to the last bit: matrix products are always
of one shape here, and the kernels treat every sequence by itself.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnncli.errors import UsageError
from rnncli.model.native.kernels import CALL, CELLS, WEIGHTS, Library, UnavailableError, find
from rnncli.model.portable import Portable
from rnncli.model.reference import ACTIVATIONS, STEPS, Weights

COLUMNS = 16  # series that NumPy steps together

Array = NDArray[np.float32]
# (series, time, inputs), lengths, state (series, parts, layers, hidden) -> outputs (series, time, hidden), state
Recurrence = Callable[[Array, NDArray[np.int64], Array], tuple[Array, Array]]


def numpy_recurrence(network: Portable) -> Recurrence:
    """The recurrence of a network, stepped by ``reference.py``: `COLUMNS` sequences at a time, one below the other."""
    settings = network.settings
    step, parts = STEPS[settings.cell]
    activation = ACTIVATIONS[settings.nonlinearity or "tanh"]
    layers = [Weights(network.recurrent, f"l{layer}", columns=True) for layer in range(settings.num_layers)]

    def together(x: Array, state: Array) -> tuple[Array, Array]:
        """One step of `COLUMNS` sequences: (COLUMNS, inputs) and their states, to the top output and new states."""
        found = np.empty_like(state)
        now = np.ascontiguousarray(x.T)
        for number, weights in enumerate(layers):
            before = tuple(np.ascontiguousarray(state[:, part, number].T) for part in range(parts))
            after = step(now, before, weights, activation)
            for part in range(parts):
                found[:, part, number] = after[part].T
            now = np.ascontiguousarray(after[0])
        return now.T, found

    def run(x: Array, lengths: NDArray[np.int64], state: Array) -> tuple[Array, Array]:
        outputs = np.zeros((*x.shape[:2], settings.hidden_size), np.float32)
        state = state.copy()
        for time in range(x.shape[1]):
            active = np.flatnonzero(lengths > time)
            for start in range(0, len(active), COLUMNS):
                some = active[start : start + COLUMNS]
                padded = np.resize(some, COLUMNS)  # repeats fill it up
                output, after = together(x[padded, time], state[padded])
                outputs[some, time], state[some] = output[: len(some)], after[: len(some)]
        return outputs, state

    return run


def native_recurrence(network: Portable, library: Library) -> Recurrence:
    """The recurrence of a network on the native kernels, whose calls are those of ``native/layer.py`` without torch."""
    settings = network.settings
    hidden, carry = settings.hidden_size, STEPS[settings.cell][1] == 2
    weights = [
        [
            None if part is None else np.ascontiguousarray(part, np.float32)
            for part in (network.recurrent.get(f"{name}_l{layer}") for name in WEIGHTS)
        ]
        for layer in range(settings.num_layers)
    ]

    def layer_of(number: int, x: Array, lengths: NDArray[np.int64], state: Array, final: Array) -> Array:
        batch, steps, inputs = x.shape
        output = np.empty((batch, steps, hidden), np.float32)
        before = [np.ascontiguousarray(state[:, part, number]) for part in range(1 + carry)]
        after = [np.empty((batch, hidden), np.float32) for _ in before]
        sizes = (CELLS.index(settings.cell), settings.nonlinearity == "relu", 1, 0, 0, batch, steps, inputs, hidden, 0)
        needed = (ctypes.c_int64 * 2)()
        library.sizes(CALL.pack(*sizes, *[0] * 34), library.index, False, needed)
        scratch = np.empty(needed[1], np.float32)
        call = CALL.pack(
            *sizes,
            x.ctypes.data, steps * inputs, inputs, lengths.ctypes.data,
            output.ctypes.data, steps * hidden, hidden,
            *_pair(before), *_pair(after),
            *[0 if part is None else part.ctypes.data for part in weights[number]],
            0, scratch.ctypes.data,
            *[0] * 16,
        )  # fmt: skip
        if library.forward(call, library.index):
            raise ValueError("a length is negative or beyond the last step")
        for part, found in enumerate(after):
            final[:, part, number] = found
        return output

    def run(x: Array, lengths: NDArray[np.int64], state: Array) -> tuple[Array, Array]:
        final = np.empty_like(state)
        now = np.ascontiguousarray(x, np.float32)
        for number in range(settings.num_layers):
            now = layer_of(number, now, lengths, state, final)
        return now, final

    return run


def _pair(parts: Sequence[Any]) -> list[int]:
    return [*(part.ctypes.data for part in parts), 0][:2]


def recurrence_of(network: Portable, engine: str) -> tuple[Recurrence, str]:
    """The recurrence of a network and the name of its engine; ``auto`` takes ``native``, or else ``numpy``.

    Kernels that do not give what NumPy gives are not used.

    Raises:
        UsageError: if the native kernels are asked for, and cannot be had.
    """
    if engine == "torch":
        from rnncli.stream.torch_engine import torch_recurrence

        return torch_recurrence(network), "torch"
    by_numpy = numpy_recurrence(network)
    if engine == "numpy":
        return by_numpy, "numpy"
    library = find()
    if not isinstance(library, UnavailableError):
        by_kernels = native_recurrence(network, library)
        if _agree(network, by_kernels, by_numpy):
            return by_kernels, "native"
        library = UnavailableError("the compiled kernels fail their test")
    if engine == "native":
        raise UsageError(f"--engine native: {library}", "take --engine auto")
    return by_numpy, "numpy"


def _agree(network: Portable, one: Recurrence, other: Recurrence) -> bool:
    random = np.random.default_rng(1)
    settings, width = network.settings, network.recurrent["weight_ih_l0"].shape[1]
    x = random.normal(size=(3, 2, width)).astype(np.float32)
    parts = STEPS[settings.cell][1]
    state = random.uniform(-0.5, 0.5, size=(3, parts, settings.num_layers, settings.hidden_size)).astype(np.float32)
    lengths = np.array([2, 1, 2])
    ours, theirs = one(x, lengths, state), other(x, lengths, state)
    return bool(
        np.allclose(ours[0][[0, 2]], theirs[0][[0, 2]], atol=1e-5) and np.allclose(ours[1], theirs[1], atol=1e-5)
    )
