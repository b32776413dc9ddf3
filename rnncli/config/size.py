"""What a network takes, from the config alone: sizes that no machine has are slips of the keyboard."""

from __future__ import annotations

from rnncli.config.schema import Model

MOST_GIGABYTES = 1000
BYTES = 16  # of a parameter in training: itself, its gradient and two moments, 4 each
_GATES = {"rnn": 1, "lstm": 4, "gru": 3, "carry_lstm": 4}


def gigabytes(model: Model) -> float:
    """Memory for training the recurrent weights, at least; what the first layer reads is not counted."""
    directions = 2 if model.bidirectional else 1
    reads = (model.num_layers - 1) * directions + model.num_layers  # h x h matrices a gate and direction
    return directions * _GATES[model.cell] * reads * square(model.hidden_size)


def shown(size: float) -> str:
    """Gigabytes for people."""
    return f"{size:,.0f} GB" if size < 1e12 else f"{size:.0e} GB"


def square(units: int) -> float:
    """Gigabytes for training one matrix from state to state."""
    return BYTES * units * units / 1e9
