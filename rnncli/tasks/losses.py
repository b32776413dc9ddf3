"""Losses, pointwise: answer and target in, one number an element out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

Loss = Callable[[Tensor, Tensor], Tensor]


def absolute(answer: Tensor, target: Tensor) -> Tensor:
    """|answer - target|."""
    return (answer - target).abs()


def squared(answer: Tensor, target: Tensor) -> Tensor:
    """(answer - target)^2."""
    return (answer - target) ** 2


def huber(answer: Tensor, target: Tensor) -> Tensor:
    """Squared below one scaled unit, absolute above (Huber 1964)."""
    return F.huber_loss(answer, target, reduction="none")


def quantile(answer: Tensor, target: Tensor, levels: Sequence[float] = (0.5,)) -> Tensor:
    """Pinball loss, twice the mean over the levels (Koenker and Bassett 1978): of the median alone it is |error|.

    Args:
        answer: (…, targets, levels).
        target: (…, targets).
    """
    wanted = _constant(tuple(levels), answer.dtype, answer.device)
    gap = target[..., None] - answer
    return 2 * torch.maximum(wanted * gap, (wanted - 1) * gap).mean(-1)


@functools.cache
def _constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """A tensor of numbers, moved to a device once: a copy from the host cannot be captured in a CUDA graph."""
    with torch.inference_mode(False):  # or training could not use one that validation made
        return torch.tensor(values, dtype=dtype, device=device)


def cross_entropy(answer: Tensor, target: Tensor, smoothing: float = 0.0) -> Tensor:
    """-log of the probability given to the class: logits (…, classes) and codes (…, 1), to (…, 1)."""
    codes = target[..., 0].flatten().long()
    flat = F.cross_entropy(answer.flatten(0, -2), codes, reduction="none", label_smoothing=smoothing)
    return flat.view(target.shape)


def binary_cross_entropy(answer: Tensor, target: Tensor) -> Tensor:
    """-log of the probability given to 0 or 1, from logits."""
    return F.binary_cross_entropy_with_logits(answer, target, reduction="none")


LOSSES: dict[str, Loss] = {
    "mae": absolute,
    "mse": squared,
    "huber": huber,
    "quantile": quantile,
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
}


def find_loss(name: str, levels: Sequence[float] | None = None, smoothing: float = 0.0) -> Loss:
    """The loss of that name; the pinball loss for its levels, cross_entropy with label smoothing."""
    if smoothing:
        return partial(cross_entropy, smoothing=smoothing)
    return partial(quantile, levels=tuple(levels)) if levels else LOSSES[name]


def window_loss(loss: Loss, answer: Tensor, target: Tensor, known: Tensor, weight: Tensor | None = None) -> Tensor:
    """(batch,) mean loss of each window over its known targets; zero where none is known.

    Args:
        loss: one of LOSSES.
        answer: (batch, steps, targets), (batch, steps, targets, levels), or logits (batch, steps, classes).
        target, known: (batch, steps, targets).
        weight: (batch, steps, 1) by which losses are multiplied, or None for one each.
    """
    pointwise = loss(answer, target).where(known, 0)
    if weight is not None:
        pointwise = pointwise * weight
    return pointwise.sum((1, 2)) / known.sum((1, 2)).clamp(min=1)


def summed_loss(loss: Loss, answer: Tensor, target: Tensor, known: Tensor, weight: Tensor | None = None) -> Tensor:
    """(batch,) like `window_loss`, summed over the targets of a step and averaged over the steps."""
    steps = known.any(2).sum(1).clamp(min=1)
    return window_loss(loss, answer, target, known, weight) * known.sum((1, 2)) / steps
