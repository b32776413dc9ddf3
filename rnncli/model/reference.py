"""The recurrent networks of the textbook, in NumPy: loops over time, one equation a line.

The truth that ``cells.py`` is tested against. Weights carry torch's names and shapes: ``weight_ih`` (gates *
hidden, inputs) is the textbook's W of all gates, one below the other, ``weight_hh`` (gates * hidden, hidden) its U,
``bias_ih + bias_hh`` its b. One sequence is one sample, shape (time, features), and starts from a zero state
unless one is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
State = tuple[Array, ...]
Activation = Callable[[Array], Array]
Step = Callable[[Array, State, "Weights", Activation], State]


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def relu(x: Array) -> Array:
    """The positive part."""
    return np.maximum(x, 0)


ACTIVATIONS: dict[str, Activation] = {"tanh": np.tanh, "relu": relu}


class Weights:
    """One layer in one direction: `W` (input), `U` (recurrent), `V` (carry, carry_lstm alone) and the biases.

    With `columns` the biases are columns, for steps of several sequences at once: (features, sequences).
    """

    def __init__(self, tensors: Mapping[str, Array], suffix: str, *, columns: bool = False) -> None:
        self.W = tensors[f"weight_ih_{suffix}"]
        self.U = tensors[f"weight_hh_{suffix}"]
        self.V = tensors.get(f"weight_ch_{suffix}", np.zeros((0, 0), self.W.dtype))
        zero = np.zeros(len(self.W), self.W.dtype)
        self.b_input = tensors.get(f"bias_ih_{suffix}", zero)
        self.b_recurrent = tensors.get(f"bias_hh_{suffix}", zero)
        if columns:
            self.b_input, self.b_recurrent = self.b_input[:, None], self.b_recurrent[:, None]


def rnn_step(x: Array, state: State, w: Weights, activation: Activation) -> State:
    """Elman 1990; the textbook's recurrent network."""
    (h,) = state
    return (activation(w.W @ x + w.U @ h + w.b_input + w.b_recurrent),)


def lstm_step(x: Array, state: State, w: Weights, activation: Activation) -> State:
    """Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000, as in torch.nn.LSTM."""
    h, c = state
    i, f, g, o = np.split(w.W @ x + w.U @ h + w.b_input + w.b_recurrent, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_step(x: Array, state: State, w: Weights, activation: Activation) -> State:
    """Cho et al. 2014, with the reset gate on the recurrent product as in torch.nn.GRU."""
    (h,) = state
    r_x, z_x, n_x = np.split(w.W @ x + w.b_input, 3)
    r_h, z_h, n_h = np.split(w.U @ h + w.b_recurrent, 3)
    r = sigmoid(r_x + r_h)
    z = sigmoid(z_x + z_h)
    n = np.tanh(n_x + r * n_h)
    return ((1 - z) * n + z * h,)


def carry_lstm_step(x: Array, state: State, w: Weights, activation: Activation) -> State:
    """The textbook LSTM: a carry `c` beside the recurrence; the output reads it before it is updated.

    ``c * f`` filters what the carry holds, ``i * k`` writes the present into it. V is the matrix on the carry.
    """
    h, c = state
    i, f, k, o = np.split(w.W @ x + w.U @ h + w.b_input + w.b_recurrent, 4)
    output = activation(o + w.V @ c)
    carry = sigmoid(i) * np.tanh(k) + c * sigmoid(f)
    return output, carry


STEPS: dict[str, tuple[Step, int]] = {  # the step, and how many states it keeps
    "rnn": (rnn_step, 1),
    "lstm": (lstm_step, 2),
    "gru": (gru_step, 1),
    "carry_lstm": (carry_lstm_step, 2),
}


GATES: dict[str, tuple[str, ...]] = {  # names of the row blocks of W and U; the forget gate is always f
    "rnn": ("h",),
    "lstm": ("i", "f", "g", "o"),
    "gru": ("r", "z", "n"),
    "carry_lstm": ("i", "f", "k", "o"),
}


def loop(x: Array, state: State, w: Weights, step: Step, activation: Activation) -> tuple[Array, State]:
    """The recurrent loop: (time, inputs) in, every output (time, hidden) and the last state out."""
    outputs = []
    for x_t in x:
        state = step(x_t, state, w, activation)
        outputs.append(state[0])
    return np.stack(outputs) if outputs else np.zeros((0, len(state[0])), x.dtype), state


def run(
    cell: str,
    tensors: Mapping[str, Array],
    x: Array,
    state: State | None = None,
    nonlinearity: Activation | str = "tanh",
) -> tuple[Array, State]:
    """A stack of recurrent layers, in one or both directions, over one sequence.

    Args:
        cell: a key of STEPS.
        tensors: ``weight_ih_l0``, ``weight_hh_l0_reverse`` and so on; layers and directions are read off the names.
        x: (time, inputs).
        state: the initial state, each part (layers * directions, hidden); zero if None.
        nonlinearity: of rnn and of carry_lstm's output: ``tanh``, ``relu`` or any function.

    Returns:
        the top layer's outputs (time, directions * hidden), forward joined to backward, and the final state, each
        part (layers * directions, hidden). The backward direction's is its state at the first step.
    """
    step, parts = STEPS[cell]
    activation = ACTIVATIONS[nonlinearity] if isinstance(nonlinearity, str) else nonlinearity
    layers = sum(name.startswith("weight_ih_l") and not name.endswith("_reverse") for name in tensors)
    directions = ["", "_reverse"] if "weight_ih_l0_reverse" in tensors else [""]
    hidden = tensors["weight_hh_l0"].shape[1]
    if state is None:
        state = tuple(np.zeros((layers * len(directions), hidden), x.dtype) for _ in range(parts))
    final: list[State] = []
    for layer in range(layers):
        outputs = []
        for direction in directions:
            own = tuple(part[len(final)] for part in state)
            w = Weights(tensors, f"l{layer}{direction}")
            y, last = loop(x[::-1] if direction else x, own, w, step, activation)
            outputs.append(y[::-1] if direction else y)
            final.append(last)
        x = np.concatenate(outputs, axis=1)
    return x, tuple(np.stack(part) for part in zip(*final, strict=True))
