"""Who computes a layer: the native kernels where they can, else torch.

The weights are the same, and so is what is computed, up to rounding. On the CPU in float32 the native kernels serve
every cell; other types and devices, autocast and traced graphs are torch's.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from rnncli.model.cells import ACTIVATIONS, CELLS
from rnncli.model.native.arguments import Layer
from rnncli.model.native.kernels import Library, UnavailableError, find
from rnncli.model.native.layer import run
from rnncli.model.scan import NAMES, Weights, scan_layer

_TOLERANCE = 1e-5


@functools.cache
def native() -> Library | UnavailableError:
    """The native kernels, tried out, or why there are none."""
    found = find()
    if isinstance(found, UnavailableError):
        return found
    with torch.inference_mode(False), torch.enable_grad():
        passed = all(_computes(found, cell) for cell in CELLS)
    return found if passed else UnavailableError("the compiled kernels fail their test")


def native_for(wanted: str, *tensors: Tensor) -> Library | None:
    """The native kernels, if they can take these tensors and torch is not asked for.

    Args:
        wanted: a value of training.engine.
    """
    if wanted == "torch" or not all(map(_plain, tensors)) or torch.is_autocast_enabled("cpu"):
        return None
    if torch._C._get_tracing_state() is not None or torch.compiler.is_compiling():
        return None
    found = native()
    return found if isinstance(found, Library) else None


def _plain(tensor: Tensor) -> bool:
    """Whether a tensor is some numbers in memory, and not a stand-in of torch's tracers and transforms."""
    kind = type(tensor) in (Tensor, torch.nn.Parameter) and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    return kind and tensor.dtype == torch.float32 and tensor.is_cpu and tensor.numel() > 0


def _computes(library: Library, cell: str) -> bool:
    """Whether a small layer's outputs and gradients are torch's."""
    generator = torch.Generator().manual_seed(1)

    def drawn(*shape: int) -> Tensor:
        return (torch.rand(shape, generator=generator) - 0.5).requires_grad_()

    kind, hidden, inputs = CELLS[cell], 9, 2
    rows = len(kind.gates) * hidden
    shapes = {"weight_ih": (rows, inputs), "weight_hh": (rows, hidden), "weight_ch": (hidden, hidden)}
    names = ("weight_ih", "weight_hh", *(("weight_ch",) if kind.carry_weight else ()), *kind.biases)
    weights: list[Weights] = [
        tuple(drawn(*shapes.get(name, (rows,))) if name in names else None for name in NAMES) for _ in range(2)
    ]
    x, lengths = drawn(4, 3, inputs), torch.tensor([3, 1, 2, 3])
    state = tuple(drawn(2, 4, hidden) for _ in kind.states)
    leaves = [x, *state, *(tensor for own in weights for tensor in own if tensor is not None)]
    answers = []
    for output, final in (
        run(Layer(library, cell, "tanh"), x, lengths, state, weights),
        scan_layer(kind, ACTIVATIONS["tanh"], x, lengths, state, weights),
    ):
        total = output.square().sum() + sum((part.square().sum() for part in final), output.new_zeros(()))
        answers.append([output, *final, *torch.autograd.grad(total, leaves)])
    return all(bool((ours - theirs).abs().max() <= _TOLERANCE) for ours, theirs in zip(*answers, strict=True))
