"""The arguments of a layer's call, checked, as the kernels take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rnncli.model.cells import CELLS
from rnncli.model.native import kernels
from rnncli.model.native.kernels import Library
from rnncli.model.scan import NAMES


class Layer(NamedTuple):
    """What is the same in every call of a layer.

    Attributes:
        kernels: the library of them.
        cell: a key of CELLS.
        nonlinearity: a key of ACTIVATIONS.
    """

    kernels: Library
    cell: str
    nonlinearity: str


class Arguments(NamedTuple):
    """The arguments of a call, as the kernels take them."""

    layer: Layer
    x: Tensor
    lengths: Tensor | None
    masks: Tensor | None
    state: list[Tensor | None]
    weights: list[list[Tensor | None]]

    @classmethod
    def of(
        cls, layer: Layer, lengths: Tensor | None, masks: Tensor | None, tensors: Sequence[Tensor | None]
    ) -> Arguments:
        x, *rest = tensors
        assert x is not None
        _check(layer, x, lengths, masks, rest)
        if x.stride(2) != 1:
            x = x.contiguous()
        flat = [None if tensor is None else tensor.contiguous() for tensor in rest]
        parts = len(CELLS[layer.cell].states)
        weights = [flat[start : start + len(NAMES)] for start in range(parts, len(flat), len(NAMES))]
        if lengths is not None:
            lengths = lengths.to(torch.int64).contiguous()
        if masks is not None:
            masks = masks.contiguous()
        return cls(layer, x, lengths, masks, flat[:parts], weights)

    def call(self, direction: int, training: bool) -> list[int]:
        """The first fields of a ``struct call``, up to `lengths`."""
        x, w_hh = self.x, self.weights[direction][1]
        assert w_hh is not None
        return [
            kernels.CELLS.index(self.layer.cell),
            self.layer.nonlinearity == "relu",
            torch.get_num_threads(),
            direction,
            training,
            *x.shape,
            w_hh.shape[1],
            address(self.masks, direction),
            x.data_ptr(),
            x.stride(0),
            x.stride(1),
            address(self.lengths),
        ]


def _check(
    layer: Layer, x: Tensor, lengths: Tensor | None, masks: Tensor | None, rest: Sequence[Tensor | None]
) -> None:
    """The kernels believe what they are told: nothing may reach them that would have them read elsewhere."""
    kind = CELLS[layer.cell]
    parts, count = len(kind.states), (len(rest) - len(kind.states)) // len(NAMES)
    weight = rest[parts + 1]
    assert weight is not None
    hidden = weight.shape[1]
    rows = len(kind.gates) * hidden
    state, own = (count, len(x), hidden), ((rows, x.shape[-1]), (rows, hidden), (hidden, hidden), (rows,), (rows,))
    for tensor, shape in zip((masks, *rest), (state,) * (1 + parts) + own * count, strict=True):
        if tensor is not None and (tensor.shape != shape or tensor.dtype != torch.float32):
            raise ValueError(f"a tensor is {tensor.dtype} {tuple(tensor.shape)}, not float32 {shape}")
    if x.dim() != 3 or not x.numel() or x.dtype != torch.float32:
        raise ValueError(
            f"the input is {x.dtype} {tuple(x.shape)}, not float32 (batch, time, inputs), none of them zero"
        )
    if lengths is not None and lengths.shape != x.shape[:1]:
        raise ValueError(f"there are {tuple(lengths.shape)} lengths for {len(x)} sequences")


def address(tensor: Tensor | None, index: int = 0) -> int:
    """Where a contiguous tensor's element `index` of the first dimension begins; 0 for no tensor."""
    return 0 if tensor is None else tensor.data_ptr() + (4 * index * tensor.stride(0) if index else 0)
