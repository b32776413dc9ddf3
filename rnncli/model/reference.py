"""The recurrent networks of the textbook, in NumPy: loops over time, one equation a line.

The truth that ``cells.py`` is tested against. Weights carry torch's names and shapes: ``weight_ih`` (gates *
hidden, inputs) is the textbook's W of all gates, one below the other, ``weight_hh`` (gates * hidden, hidden) its U,
``bias_ih + bias_hh`` its b. One sequence is one sample, shape (time, features), and starts from a zero state
unless one is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
State = tuple[Array, ...]
Gates = tuple[Array, ...]
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


def rnn_gates(x: Array, state: State, w: Weights, activation: Activation) -> Gates:
    """The one block of the textbook's network, which is its next state."""
    (h,) = state
    return (activation(w.W @ x + w.U @ h + w.b_input + w.b_recurrent),)


def rnn_step(x: Array, state: State, w: Weights, activation: Activation) -> State:
    """Elman 1990; the textbook's recurrent network."""
    return rnn_gates(x, state, w, activation)


def lstm_gates(x: Array, state: State, w: Weights, activation: Activation) -> Gates:
    """How far an LSTM's gates are open, and what it would write."""
    h, _ = state
    i, f, g, o = np.split(w.W @ x + w.U @ h + w.b_input + w.b_recurrent, 4)
    return sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)


def lstm_step(x: Array, state: State, w: Weights, activation: Activation) -> State:
    """Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000, as in torch.nn.LSTM."""
    _, c = state
    i, f, g, o = lstm_gates(x, state, w, activation)
    c = f * c + i * g
    return o * np.tanh(c), c


def gru_gates(x: Array, state: State, w: Weights, activation: Activation) -> Gates:
    """How far a GRU's gates are open, and what it would write."""
    (h,) = state
    r_x, z_x, n_x = np.split(w.W @ x + w.b_input, 3)
    r_h, z_h, n_h = np.split(w.U @ h + w.b_recurrent, 3)
    r = sigmoid(r_x + r_h)
    z = sigmoid(z_x + z_h)
    n = np.tanh(n_x + r * n_h)
    return r, z, n


def gru_step(x: Array, state: State, w: Weights, activation: Activation) -> State:
    """Cho et al. 2014, with the reset gate on the recurrent product as in torch.nn.GRU."""
    (h,) = state
    _, z, n = gru_gates(x, state, w, activation)
    return ((1 - z) * n + z * h,)


def carry_lstm_gates(x: Array, state: State, w: Weights, activation: Activation) -> Gates:
    """The textbook LSTM's gates; its output is among them, and reads the carry before it is updated."""
    h, c = state
    i, f, k, o = np.split(w.W @ x + w.U @ h + w.b_input + w.b_recurrent, 4)
    output = activation(o + w.V @ c)
    return sigmoid(i), sigmoid(f), np.tanh(k), output


def carry_lstm_step(x: Array, state: State, w: Weights, activation: Activation) -> State:
    """The textbook LSTM: a carry `c` beside the recurrence; the output reads it before it is updated.

    ``c * f`` filters what the carry holds, ``i * k`` writes the present into it. V is the matrix on the carry.
    """
    _, c = state
    i, f, k, output = carry_lstm_gates(x, state, w, activation)
    carry = i * k + c * f
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


GATE_VALUES: dict[str, Step] = {  # of a step, in the order of GATES, after their activations
    "rnn": rnn_gates,
    "lstm": lstm_gates,
    "gru": gru_gates,
    "carry_lstm": carry_lstm_gates,
}


def loop(x: Array, state: State, w: Weights, step: Step, activation: Activation) -> list[State]:
    """The recurrent loop: (time, inputs) in; the state before the first step and the one after each out."""
    states = [state]
    for x_t in x:
        state = step(x_t, state, w, activation)
        states.append(state)
    return states


class Pass(NamedTuple):
    """What one layer did in one direction, its steps in the order in which it took them: last to first backwards."""

    layer: int
    direction: str  # "" or "_reverse", as in the names of weights
    weights: Weights
    x: Array  # (time, inputs)
    states: list[State]  # time + 1 of them

    def in_time(self, part: int) -> Array:
        """(time, hidden) a part of the state after each step, in the order of time."""
        found = np.stack([state[part] for state in self.states])[1:]
        return found[::-1] if self.direction else found


def passes(
    cell: str,
    tensors: Mapping[str, Array],
    x: Array,
    state: State | None = None,
    nonlinearity: Activation | str = "tanh",
) -> Iterator[Pass]:
    """A stack of recurrent layers, in one or both directions, layer by layer; for the arguments see `run`."""
    step, parts = STEPS[cell]
    activation = ACTIVATIONS[nonlinearity] if isinstance(nonlinearity, str) else nonlinearity
    layers = sum(name.startswith("weight_ih_l") and not name.endswith("_reverse") for name in tensors)
    directions = ["", "_reverse"] if "weight_ih_l0_reverse" in tensors else [""]
    if state is None:
        shape = (layers * len(directions), tensors["weight_hh_l0"].shape[1], *x.shape[2:])
        state = tuple(np.zeros(shape, x.dtype) for _ in range(parts))
    for layer in range(layers):
        outputs = []
        for number, direction in enumerate(directions):
            own = tuple(part[layer * len(directions) + number] for part in state)
            w = Weights(tensors, f"l{layer}{direction}", columns=x.ndim == 3)
            read = x[::-1] if direction else x
            done = Pass(layer, direction, w, read, loop(read, own, w, step, activation))
            outputs.append(done.in_time(0))
            yield done
        x = np.concatenate(outputs, axis=1)


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
        x: (time, inputs), or (time, inputs, sequences) for many of one length.
        state: the initial state, each part (layers * directions, hidden); zero if None.
        nonlinearity: of rnn and of carry_lstm's output: ``tanh``, ``relu`` or any function.

    Returns:
        the top layer's outputs (time, directions * hidden), forward joined to backward, and the final state, each
        part (layers * directions, hidden). The backward direction's is its state at the first step.
    """
    done = list(passes(cell, tensors, x, state, nonlinearity))
    top = [one.in_time(0) for one in done if one.layer == done[-1].layer]
    final = [one.states[-1] for one in done]
    return np.concatenate(top, axis=1), tuple(np.stack(part) for part in zip(*final, strict=True))


def quantities(cell: str, done: Pass, nonlinearity: str = "tanh", *, gates: bool = True) -> dict[str, Array]:
    """Everything that a pass computed, by name, each (time, hidden) in the order of time.

    States are those after a step, gates those within it, after their activations: of an LSTM h, c, i, f, g, o.
    """
    _, parts = STEPS[cell]
    found = {name: done.in_time(part) for part, name in enumerate(("h", "c")[:parts])}
    if gates:
        activation = ACTIVATIONS[nonlinearity]
        steps = [
            GATE_VALUES[cell](x_t, state, done.weights, activation)
            for x_t, state in zip(done.x, done.states, strict=False)  # the last state comes after the last step
        ]
        for name, values in zip(GATES[cell], zip(*steps, strict=True), strict=True):
            found[name] = np.stack(values[::-1] if done.direction else values)
    return found
