"""Losses, pointwise: answer and target in, one number an element out."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F


def absolute(answer: Tensor, target: Tensor) -> Tensor:
    """|answer - target|."""
    return (answer - target).abs()


def squared(answer: Tensor, target: Tensor) -> Tensor:
    """(answer - target)^2."""
    return (answer - target) ** 2


def huber(answer: Tensor, target: Tensor) -> Tensor:
    """Squared below one scaled unit, absolute above (Huber 1964)."""
    return F.huber_loss(answer, target, reduction="none")


def cross_entropy(answer: Tensor, target: Tensor) -> Tensor:
    """-log of the probability given to the class: logits (batch, classes), codes (batch, 1, 1)."""
    return F.cross_entropy(answer, target[:, 0, 0].long(), reduction="none")[:, None, None]


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mae": absolute,
    "mse": squared,
    "huber": huber,
    "cross_entropy": cross_entropy,
}


def window_loss(kind: str, answer: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """(batch,) mean loss of each window over its known targets; zero where none is known.

    Args:
        kind: a key of LOSSES.
        answer: (batch, horizon, targets), or logits (batch, classes).
        target, known: (batch, horizon, targets).
    """
    pointwise = LOSSES[kind](answer, target)
    weight = known.to(pointwise.dtype)
    return (pointwise.where(known, 0) * weight).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1)
