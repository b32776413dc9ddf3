"""One time step of each recurrent cell, on batches of torch tensors.

A step takes the input already multiplied by its weights (`projected`, for all steps in one product: see
``backbone.scan``), the state and the recurrent weights, and returns the new state. Names, shapes and gate order are
those of torch.nn, so that a state_dict moves both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear

from rnncli.model.reference import GATES

State = tuple[Tensor, ...]  # (h,) or (h, c), each (batch, hidden)
Activation = Callable[[Tensor], Tensor]

ACTIVATIONS: dict[str, Activation] = {"tanh": torch.tanh, "relu": torch.relu}


@dataclass(frozen=True)
class Recurrent:
    """What a step needs of a layer's weights.

    Attributes:
        weight: (gates * hidden, hidden).
        bias: (gates * hidden,) or None.
        carry: (hidden, hidden), carry_lstm's matrix on the carry.
        activation: rnn's, and that of carry_lstm's output.
        mask: (batch, hidden) factors of the state on its way into the product, the same at every step; or None.
    """

    weight: Tensor
    bias: Tensor | None
    carry: Tensor | None
    activation: Activation
    mask: Tensor | None = None

    def of(self, h: Tensor) -> Tensor:
        """(batch, gates * hidden) the recurrent product, U h + b."""
        return linear(h if self.mask is None else h * self.mask, self.weight, self.bias)


Step = Callable[[Tensor, State, Recurrent], State]


def rnn_step(projected: Tensor, state: State, w: Recurrent) -> State:
    """h' = activation(W x + b_ih + U h + b_hh)."""
    (h,) = state
    return (w.activation(projected + w.of(h)),)


def lstm_step(projected: Tensor, state: State, w: Recurrent) -> State:
    """c' = f * c + i * g;  h' = o * tanh(c')."""
    h, c = state
    i, f, g, o = (projected + w.of(h)).chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def gru_step(projected: Tensor, state: State, w: Recurrent) -> State:
    """h' = (1 - z) * n + z * h, with n = tanh(W x + b_ih + r * (U h + b_hh))."""
    (h,) = state
    r_x, z_x, n_x = projected.chunk(3, dim=-1)
    r_h, z_h, n_h = w.of(h).chunk(3, dim=-1)
    r = torch.sigmoid(r_x + r_h)
    z = torch.sigmoid(z_x + z_h)
    n = torch.tanh(n_x + r * n_h)
    return ((1 - z) * n + z * h,)


def carry_lstm_step(projected: Tensor, state: State, w: Recurrent) -> State:
    """output = activation(W x + U h + V c + b);  c' = i * k + c * f, the output read before the update."""
    h, c = state
    assert w.carry is not None
    i, f, k, o = (projected + w.of(h)).chunk(4, dim=-1)
    output = w.activation(o + linear(c, w.carry))
    carry = torch.sigmoid(i) * torch.tanh(k) + c * torch.sigmoid(f)
    return output, carry


@dataclass(frozen=True)
class Cell:
    """A kind of recurrence.

    Attributes:
        step: one time step.
        gates: names of the row blocks of the weights, in torch's order; of the forget gate always ``f``.
        states: ``h`` alone, or with the carry ``c``.
        biases: ``bias_ih`` and ``bias_hh``, or the textbook's one.
        carry_weight: whether there is a ``weight_ch`` on the carry.
        nonlinearity: whether `model.nonlinearity` acts.
    """

    step: Step
    gates: tuple[str, ...]
    states: tuple[str, ...]
    biases: tuple[str, ...] = ("bias_ih", "bias_hh")
    carry_weight: bool = False
    nonlinearity: bool = False


CELLS: dict[str, Cell] = {
    "rnn": Cell(rnn_step, GATES["rnn"], ("h",), nonlinearity=True),
    "lstm": Cell(lstm_step, GATES["lstm"], ("h", "c")),
    "gru": Cell(gru_step, GATES["gru"], ("h",)),
    "carry_lstm": Cell(
        carry_lstm_step,
        GATES["carry_lstm"],
        ("h", "c"),
        biases=("bias_ih",),
        carry_weight=True,
        nonlinearity=True,
    ),
}
