"""A layer stepped through time with torch's own operations: every cell, type and device, and any derivative."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import linear

from rnncli.model.cells import Activation, Cell, Recurrent, State
from rnncli.model.native.kernels import WEIGHTS

NAMES = WEIGHTS
Weights = tuple[Tensor | None, ...]  # of one layer in one direction, by NAMES; None where a cell has none


def scan_layer(
    cell: Cell,
    activation: Activation,
    x: Tensor,
    lengths: Tensor | None,
    state: State,
    weights: Sequence[Weights],
    masks: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Run one layer.

    Args:
        activation: rnn's, and that of carry_lstm's output.
        x: (batch, time, inputs).
        lengths: (batch,) valid steps, or None.
        state: initial state, each part (directions, batch, hidden).
        weights: of each direction; the second runs backwards.
        masks: (directions, batch, hidden) factors of the states in the recurrent products, or None.

    Returns:
        outputs (batch, time, directions * hidden), zero in the padding, and the final state.
    """
    outputs, final = [], []
    for direction, (weight_ih, weight_hh, weight_ch, bias_ih, bias_hh) in enumerate(weights):
        assert weight_ih is not None
        assert weight_hh is not None
        mask = None if masks is None else masks[direction]
        recurrent = Recurrent(weight_hh, bias_hh, weight_ch, activation, mask)
        own = tuple(part[direction] for part in state)
        output, last = scan(cell, linear(x, weight_ih, bias_ih), recurrent, own, lengths, backward=direction == 1)
        outputs.append(output)
        final.append(last)
    return torch.cat(outputs, dim=2), tuple(torch.stack(parts) for parts in zip(*final, strict=True))


def scan(
    cell: Cell,
    projected: Tensor,
    recurrent: Recurrent,
    state: State,
    lengths: Tensor | None = None,
    *,
    backward: bool = False,
) -> tuple[Tensor, State]:
    """Step `cell` through time, in one direction.

    Args:
        projected: (batch, time, gates * hidden), the input times its weights.
        state: initial state, each part (batch, hidden).
        lengths: (batch,) valid steps; padding leaves the state as it is and its output is zero.
        backward: from the last step to the first.

    Returns:
        outputs (batch, time, hidden) in the order of the input, and the final state.
    """
    steps = range(projected.shape[1] - 1, -1, -1) if backward else range(projected.shape[1])
    outputs: dict[int, Tensor] = {}
    for t in steps:
        new = cell.step(projected[:, t], state, recurrent)
        if lengths is None:
            state = new
            outputs[t] = new[0]
            continue
        valid = (lengths > t)[:, None]
        state = tuple(torch.where(valid, after, before) for after, before in zip(new, state, strict=True))
        outputs[t] = torch.where(valid, new[0], torch.zeros_like(new[0]))
    return torch.stack([outputs[t] for t in range(projected.shape[1])], dim=1), state
