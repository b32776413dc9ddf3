"""One recurrent layer, in one or both directions, on the native kernels: float32 tensors on the CPU.

A call is a ``struct call`` of plan.h, packed into bytes. Memory that a call needs beside its results is kept for the
next one of about its size: fresh memory costs a page fault every 4 kB.
"""

from __future__ import annotations

import ctypes
import functools
import operator
import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rnncli.model.cells import ACTIVATIONS, CELLS, State
from rnncli.model.native.arguments import Arguments, Layer, address
from rnncli.model.native.kernels import CALL, Library
from rnncli.model.scan import NAMES, Weights, scan_layer

_NONE = (0, 0, 0)  # no array: its address and two strides
_MOST_KEPT = 32
_empty = functools.partial(torch.empty, dtype=torch.float32, device="cpu")  # whatever the defaults are


class _Spare:
    """Buffers that are not in use, the newest last."""

    def __init__(self) -> None:
        self._kept: list[Tensor] = []
        self._guard = threading.Lock()

    def take(self, size: int) -> Tensor:
        with self._guard:
            for index in range(len(self._kept) - 1, -1, -1):
                if size <= self._kept[index].numel() <= 2 * size:
                    return self._kept.pop(index)
        return _empty(size)

    def give(self, *buffers: Tensor) -> None:
        with self._guard:
            self._kept.extend(buffers)
            del self._kept[:-_MOST_KEPT]


_spare = _Spare()


def run(
    layer: Layer,
    x: Tensor,
    lengths: Tensor | None,
    state: State | None,
    weights: Sequence[Weights],
    masks: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Run a layer; gradients flow to everything that asks for them, but for the masks.

    Args:
        x: (batch, time, inputs).
        lengths: (batch,) valid steps, or None.
        state: initial state, each part (directions, batch, hidden); zero if None.
        weights: of each direction.
        masks: (directions, batch, hidden) factors of the states in the recurrent products, or None.

    Returns:
        outputs (batch, time, directions * hidden), zero in the padding, and the final state.

    Raises:
        ValueError: if sizes or types do not fit each other, or a length is negative or beyond the last step.
    """
    tensors = [x, *(state or (None,) * len(CELLS[layer.cell].states)), *(tensor for own in weights for tensor in own)]
    if torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors):
        output, *final = _Run.apply(layer, lengths, masks, *tensors)  # type: ignore[no-untyped-call]
    else:
        arguments = Arguments.of(layer, lengths, masks, tensors)
        output, final = _forward(arguments, buffers=None)
    return output, tuple(final)


@functools.lru_cache(maxsize=1024)
def _sizes(library: Library, backward: bool, masked: bool, *sizes: int) -> tuple[int, int]:
    found = (ctypes.c_int64 * 2)()
    library.sizes(CALL.pack(*sizes, masked, *[0] * 34), library.index, backward, found)
    return found[0], found[1]


def _forward(arguments: Arguments, buffers: list[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
    """Outputs and final state; what the backward pass needs goes into `buffers`, one a direction."""
    layer, x, count = arguments.layer, arguments.x, len(arguments.weights)
    hidden = arguments.weights[0][1].shape[1]  # type: ignore[union-attr]
    output = _empty((*x.shape[:2], count * hidden))
    final = [_empty((count, len(x), hidden)) for _ in arguments.state]
    for direction, weights in enumerate(arguments.weights):
        head = arguments.call(direction, buffers is not None)
        saved_size, scratch_size = _sizes(layer.kernels, False, arguments.masks is not None, *head[:9])
        saved, scratch = _spare.take(saved_size) if saved_size else None, _spare.take(scratch_size)
        call = CALL.pack(
            *head,
            output.data_ptr() + 4 * direction * hidden,
            output.stride(0),
            output.stride(1),
            *_pair([address(part, direction) for part in arguments.state]),
            *_pair([address(part, direction) for part in final]),
            *[address(weight) for weight in weights],
            address(saved),
            scratch.data_ptr(),
            *[0] * 16,
        )
        status = layer.kernels.forward(call, layer.kernels.index)
        _spare.give(scratch)
        if status:
            raise ValueError("a length is negative or beyond the last step")
        if buffers is not None and saved is not None:
            buffers.append(saved)
    return output, final


def _pair(addresses: list[int]) -> list[int]:
    """The addresses of h and c, 0 for the carry that a cell has not."""
    return [*addresses, 0][:2]


class _Run(torch.autograd.Function):
    """A layer as one node of the graph; a gradient of a gradient goes through torch's own operations."""

    @staticmethod
    def forward(
        ctx: Any, layer: Layer, lengths: Tensor | None, masks: Tensor | None, *tensors: Tensor | None
    ) -> tuple[Tensor, ...]:
        arguments = Arguments.of(layer, lengths, masks, tensors)
        ctx.layer, ctx.lengths, ctx.given, ctx.arguments, ctx.buffers = layer, lengths, tensors, arguments, []
        ctx.save_for_backward(masks, *tensors)
        ctx.set_materialize_grads(False)
        output, final = _forward(arguments, ctx.buffers)
        return output, *final

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        masks, *tensors = ctx.saved_tensors
        if torch.is_grad_enabled():
            return None, None, None, *_through_torch(ctx, masks, tensors, gradients)
        arguments, buffers = ctx.arguments, ctx.buffers
        if buffers is None or any(map(operator.is_not, ctx.given, tensors)):
            # used up by an earlier pass through a retained graph, or hooks have put other tensors in place
            arguments, buffers = Arguments.of(ctx.layer, ctx.lengths, masks, tensors), buffers or []
            if not buffers:
                _forward(arguments, buffers)
        ctx.given = ctx.arguments = ctx.buffers = None
        found = _backward(arguments, buffers, gradients, ctx.needs_input_grad[3:])
        _spare.give(*buffers)
        return None, None, None, *found


def _backward(
    arguments: Arguments, buffers: list[Tensor], gradients: Sequence[Tensor | None], needed: Sequence[bool]
) -> list[Tensor | None]:
    """The gradients of input, state and weights, in the order of `run`."""
    library, x = arguments.layer.kernels, arguments.x
    dy, *final = [None if gradient is None else gradient.contiguous() for gradient in gradients]
    dx = _empty(x.shape) if needed[0] else None
    state = [_empty(_state_shape(arguments)) if need else None for need in needed[1 : 1 + len(arguments.state)]]
    found = [dx, *state]
    for direction, weights in enumerate(arguments.weights):
        own = [None if weight is None else torch.empty_like(weight) for weight in weights]
        hidden = own[1].shape[1]  # type: ignore[union-attr]
        head = arguments.call(direction, True)
        scratch = _spare.take(_sizes(library, True, arguments.masks is not None, *head[:9])[1])
        call = CALL.pack(
            *head,
            *[0] * 7,
            *[address(weight) for weight in weights],
            buffers[direction].data_ptr(),
            scratch.data_ptr(),
            *(_NONE if dy is None else (dy.data_ptr() + 4 * direction * hidden, dy.stride(0), dy.stride(1))),
            *_pair([address(part, direction) for part in final]),
            *(_NONE if dx is None else (dx.data_ptr(), dx.stride(0), dx.stride(1))),
            direction,
            *_pair([address(part, direction) for part in state]),
            *[address(gradient) for gradient in own],
        )
        library.backward(call, library.index)
        _spare.give(scratch)
        found.extend(own)
    return found


def _state_shape(arguments: Arguments) -> tuple[int, int, int]:
    """(directions, batch, hidden)."""
    return len(arguments.weights), len(arguments.x), arguments.weights[0][1].shape[1]  # type: ignore[union-attr]


def _through_torch(
    ctx: Any, masks: Tensor | None, tensors: Sequence[Tensor | None], gradients: Sequence[Tensor | None]
) -> list[Any]:
    """The same gradients with a graph of their own, for whoever differentiates them again."""
    layer: Layer = ctx.layer
    x, *rest = tensors
    assert x is not None
    parts = len(CELLS[layer.cell].states)
    weights = [tuple(rest[start : start + len(NAMES)]) for start in range(parts, len(rest), len(NAMES))]
    zero = x.new_zeros(len(weights), len(x), weights[0][1].shape[1])  # type: ignore[union-attr]
    state = tuple(zero if part is None else part for part in rest[:parts])
    activation = ACTIVATIONS[layer.nonlinearity]
    output, final = scan_layer(CELLS[layer.cell], activation, x, ctx.lengths, state, weights, masks)
    given = [(answer, g) for answer, g in zip((output, *final), gradients, strict=True) if g is not None]
    asked = [t for t, needed in zip(tensors, ctx.needs_input_grad[3:], strict=True) if needed and t is not None]
    answers, weights_of_answers = [list(column) for column in zip(*given, strict=True)]
    found = iter(torch.autograd.grad(answers, asked, weights_of_answers, create_graph=True, allow_unused=True))
    return [next(found) if needed and t is not None else None
            for t, needed in zip(tensors, ctx.needs_input_grad[3:], strict=True)]  # fmt: skip
