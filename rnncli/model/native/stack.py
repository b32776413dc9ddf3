"""Layers, a linear head on their newest state, and a loss: forward and back in one native call.

All memory that a call needs is laid out once, for batches of a shape: a ``struct pass`` of step.c over a ``struct
call`` a layer and direction (plan.h).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rnncli.model.cells import CELLS
from rnncli.model.native import kernels
from rnncli.model.native.arguments import Layer, address
from rnncli.model.scan import Weights

LOSSES = ("mae", "mse", "huber")  # of step.c, in its order
LINE = 16  # of plan.h
_WEIGHTS = ("w_ih", "w_hh", "w_ch", "b_ih", "b_hh")  # of a ``struct call``, in the order of `Weights`


def _structure(name: str, fields: str) -> type[Any]:
    """A C struct of 64-bit numbers and addresses."""
    return type(name, (ctypes.Structure,), {"_fields_": [(field, ctypes.c_int64) for field in fields.split()]})


_Call = _structure(
    "Call",
    "cell relu threads reversed training batch steps inputs hidden mask x x_row x_step lengths y y_row y_step "
    "h0 c0 hn cn w_ih w_hh w_ch b_ih b_hh saved scratch dy dy_row dy_step dhn dcn dx dx_row dx_step dx_add dh0 dc0 "
    "dw_ih dw_hh dw_ch db_ih db_hh",
)
_Pass = _structure(
    "Pass",
    "set layers directions calls masks head_mask "
    "batch features outputs levels weight bias level_weight window_level d_weight d_bias d_level_weight "
    "pack pack_back gradient read d_read out slope "
    "kind steps targets level spread target known target_weight losses",
)


class Head(NamedTuple):
    """Weights of the linear head: (outputs, features), (outputs,), and (outputs, levels) for the windows' levels."""

    weight: Tensor
    bias: Tensor
    level: Tensor | None


class Answers(NamedTuple):
    """What the outputs are compared with.

    Attributes:
        level, spread: (batch, targets), which make answers of outputs; None if outputs are the answers.
        target: (batch, steps, targets).
        known: like target, whether it counts.
        weight: (batch, steps, 1), or None for one each.
    """

    level: Tensor | None
    spread: Tensor | None
    target: Tensor
    known: Tensor
    weight: Tensor | None


class Masks(NamedTuple):
    """Factors of what dropout thins out, or None.

    Attributes:
        inputs: (batch, steps, inputs) of each layer; of the first none.
        states: (directions, batch, hidden) of each layer, in the recurrent products.
        features: (batch, features) that the head reads.
    """

    inputs: Sequence[Tensor | None]
    states: Sequence[Tensor | None]
    features: Tensor | None


class Pass:
    """The losses of batches of one shape, and the gradients of their mean.

    Args:
        layer: what the kernels are told of every layer.
        weights: of each layer, of each direction; contiguous, like the head's, and where they are they stay.
        head: the weights of the head.
        loss: one of LOSSES.
        shape: (batch, steps, inputs) of the input.
        masked: whether there will be masks of the states.

    Attributes:
        gradients: of the layers' weights, None where there is none, and of the head's. A call overwrites them.
    """

    def __init__(
        self,
        layer: Layer,
        weights: Sequence[Sequence[Weights]],
        head: Head,
        loss: str,
        shape: Sequence[int],
        *,
        masked: bool,
    ) -> None:
        self._library = layer.kernels
        self._held: list[Tensor] = []  # that what has an address stays where it is
        self.gradients: list[Tensor | None] = []
        self._calls = (_Call * sum(map(len, weights)))()
        for call in self._calls:
            call.mask = masked  # no address yet, but room for what it leaves of the state
        self._masks = (ctypes.c_int64 * len(weights))()
        self._lay_out_layers(layer, weights, shape)
        self._connect(len(weights[0]))
        self._lay_out_memory()
        self._pass = _Pass(set=layer.kernels.index, layers=len(weights), directions=len(weights[0]), batch=shape[0])
        self._pass.calls, self._pass.masks = ctypes.addressof(self._calls), ctypes.addressof(self._masks)
        self._pass.kind = LOSSES.index(loss)
        self._lay_out_head(head)

    def __call__(self, x: Tensor, level: Tensor, answers: Answers, masks: Masks) -> Tensor:
        """(batch,) losses; the gradients of their mean are left in `gradients`.

        Args:
            x: (batch, steps, inputs), all of the same length.
            level: (batch, levels) of the windows, which the head's second map reads, if there is one.
            answers: what the outputs are compared with.
            masks: of dropout.
        """
        losses = x.new_empty(len(x))
        parts = [part if part is None else part.contiguous() for part in (x, level, masks.features, *answers)]
        call = self._pass
        input_at, call.window_level, call.head_mask, call.level, call.spread, *rest = map(address, parts)
        call.target, call.known, call.target_weight = rest
        call.losses, call.steps, call.targets = losses.data_ptr(), *answers.target.shape[1:]
        threads = torch.get_num_threads()
        for number, own in enumerate(self._calls):
            layer, direction = divmod(number, call.directions)
            own.threads, own.mask = threads, address(masks.states[layer], direction)
            if layer == 0:
                own.x = input_at
        self._masks[:] = list(map(address, masks.inputs))
        if self._library.step(ctypes.addressof(call)):
            raise MemoryError
        return losses

    def _lay_out_layers(self, layer: Layer, weights: Sequence[Sequence[Weights]], shape: Sequence[int]) -> None:
        """Sizes, weights and states of every layer and direction."""
        directions, (batch, steps, inputs) = len(weights[0]), shape
        for number, call in enumerate(self._calls):
            own = weights[number // directions][number % directions]
            w_hh = own[1]
            assert w_hh is not None
            call.cell, call.relu = kernels.CELLS.index(layer.cell), layer.nonlinearity == "relu"
            call.threads, call.reversed, call.training = 1, number % directions, True
            call.batch, call.steps, call.hidden = batch, steps, w_hh.shape[1]
            call.inputs = inputs if number < directions else directions * call.hidden
            call.x_row, call.x_step = steps * call.inputs, call.inputs
            for part in ("hn", "cn")[: len(CELLS[layer.cell].states)]:
                setattr(call, part, self._room(batch * call.hidden))
            for name, weight in zip(_WEIGHTS, own, strict=True):
                setattr(call, name, address(weight))
                setattr(call, f"d{name}", self._gradient(weight))
        for call in self._calls[-directions:]:
            call.dhn = self._room(batch * call.hidden)

    def _connect(self, directions: int) -> None:
        """What a layer reads is what the directions of the one before have written side by side; and so back."""
        for first in range(directions, len(self._calls), directions):
            size = self._calls[first].batch * self._calls[first].x_row
            outputs, gradients = self._room(size), self._room(size)
            for number in range(directions):
                before, call = self._calls[first - directions + number], self._calls[first + number]
                row, step, at = call.x_row, call.x_step, 4 * number * call.hidden
                before.y, before.y_row, before.y_step = outputs + at, row, step
                before.dy, before.dy_row, before.dy_step = gradients + at, row, step
                call.x, call.dx, call.dx_row, call.dx_step, call.dx_add = outputs, gradients, row, step, number

    def _lay_out_memory(self) -> None:
        """What a layer saves for its way back, and scratch for both ways."""
        forward, backward = (ctypes.c_int64 * 2)(), (ctypes.c_int64 * 2)()
        for call in self._calls:
            self._library.sizes(bytes(call), self._library.index, False, forward)
            self._library.sizes(bytes(call), self._library.index, True, backward)
            call.saved, call.scratch = self._room(forward[0]), self._room(forward[1] + backward[1])

    def _lay_out_head(self, head: Head) -> None:
        call = self._pass
        call.outputs, call.features = head.weight.shape
        call.levels = 0 if head.level is None else head.level.shape[1]
        for name, weight in zip(("weight", "bias", "level_weight"), head, strict=True):
            setattr(call, name, address(weight))
            setattr(call, f"d_{name}", self._gradient(weight))
        # the head reads features, levels and the 1 of its biases
        outputs, width = (-(-size // LINE) * LINE for size in (call.outputs, call.features + call.levels + 1))
        call.pack, call.pack_back, call.gradient = (self._room(outputs * width) for _ in range(3))
        call.read, call.d_read = self._room(call.batch * width), self._room(call.batch * width)
        call.out, call.slope = self._room(call.batch * outputs), self._room(call.batch * outputs)

    def _gradient(self, weight: Tensor | None) -> int:
        self.gradients.append(None if weight is None else torch.empty_like(weight))
        return address(self.gradients[-1])

    def _room(self, size: int) -> int:
        """The address of so many new zeros."""
        self._held.append(torch.zeros(size, dtype=torch.float32, device="cpu"))  # whatever the defaults are
        return self._held[-1].data_ptr()
