"""The gradient of a step: a batch, perhaps with noise, through a network and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from rnncli.data.windows import Batch
from rnncli.model.backbone import valid_steps
from rnncli.model.network import Network
from rnncli.tasks.answers import run
from rnncli.tasks.task import Task


class Gradients:
    """The gradients of a batch.

    Args:
        task: what is trained for.
        bf16: whether to compute in mixed precision.
    """

    def __init__(self, task: Task, *, bf16: bool) -> None:
        self.task, self.bf16 = task, bf16

    def __call__(
        self, members: Sequence[Network], batch: Batch, forks: Batch | None, generator: torch.Generator
    ) -> Tensor:
        """(members, batch) losses, whose gradients are left in the weights; see `backward`."""
        return torch.stack([backward(member, self.task, batch, forks, generator, bf16=self.bf16) for member in members])


def backward(
    network: Network, task: Task, batch: Batch, forks: Batch | None, generator: torch.Generator, *, bf16: bool
) -> Tensor:
    """(batch,) losses of a network, whose mean has left its gradient in the weights.

    Args:
        forks: every step of the batch as an origin of its own, if that is what is trained (Wen et al. 2017).
        generator: source of the dropout masks.
        bf16: whether to compute in mixed precision.
    """
    with torch.autocast(batch.past.device.type, torch.bfloat16, enabled=bf16):
        output = run(network, batch, generator, forks)
    if forks is None:
        losses = task.loss(task.answer(output.float(), batch), batch)
    else:
        losses = _mean_of_steps(task.loss(task.answer(output.float(), forks), forks).view(len(batch.past), -1), batch)
    losses.mean().backward()  # type: ignore[no-untyped-call]
    return losses.detach()


def _mean_of_steps(losses: Tensor, batch: Batch) -> Tensor:
    """(batch,) mean of (batch, time) losses over the valid steps of each window."""
    if batch.lengths is None:
        return losses.mean(1)
    return (losses * valid_steps(batch.past, batch.lengths)[:, :, 0]).sum(1) / batch.lengths


def with_noise(batch: Batch, task: Task, size: float, generator: torch.Generator) -> Batch:
    """The batch with noise on the numbers of its past: not on codes of categories, nor in the padding."""
    past, sizes = batch.past, task.sizes()
    categories = dict(sizes.categories)
    numbers = torch.tensor([name not in categories for name in sizes.past], device=past.device)
    noise = torch.randn(past.shape, generator=generator, device=past.device) * size * numbers
    return replace(batch, past=past + (noise if batch.lengths is None else noise * valid_steps(past, batch.lengths)))
