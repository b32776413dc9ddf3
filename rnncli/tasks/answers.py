"""Run a network over many windows, in batches whose make-up cannot change a bit of the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from rnncli.data.batches import by_length
from rnncli.data.panel import Floats, Numbers
from rnncli.data.windows import Batch, Windows
from rnncli.model.ensemble import AnyNetwork
from rnncli.tasks.task import Task

BATCH_SIZE = 64
WIDTH = 8  # float32 numbers in a vector of the processor, or a divisor of that


def run(
    network: AnyNetwork, batch: Batch, generator: torch.Generator | None = None, forks: Batch | None = None
) -> Tensor:
    """The network's outputs for a batch, or for its `forks`; without a generator there is no dropout."""
    ahead = batch.ahead if forks is None else forks.ahead
    outputs: Tensor = network(
        batch.past, batch.lengths, batch.level, generator, static=batch.static, ahead=ahead, forks=forks is not None
    )
    return outputs


def answer_batches(
    network: AnyNetwork, task: Task, windows: Windows, batch_size: int = BATCH_SIZE
) -> Iterator[tuple[Numbers, Floats]]:
    """Indices of windows and the task's answers to them, still scaled; every window once, by length.

    A batch holds one length and always `batch_size` windows, which `exact_batch_size` makes one at which a window's
    answer is the same bit for bit whatever other windows there are.
    """
    for index, count in by_length(windows, batch_size):
        with torch.inference_mode():
            batch = windows.batch(index)
            answer = task.answer(run(network, batch), batch)
        yield index[:count], answer[:count].double().cpu().numpy()


def exact_batch_size(network: AnyNetwork) -> int:
    """Windows in a batch whose rows do not depend on their place in it, to the last bit.

    Matrix products treat the ends of rows that are no multiple of the vector width by where they lie in memory.
    """
    return BATCH_SIZE if network.settings.hidden_size % WIDTH == 0 else 1


Outputs = Callable[[AnyNetwork, Batch], Tensor]


def run_alone(network: AnyNetwork, batch: Batch) -> Tensor:
    """(1, batch, outputs) of the network as it is."""
    return run(network, batch)[None]


def batch_losses(network: AnyNetwork, task: Task, windows: Windows, outputs: Outputs = run_alone) -> Iterator[Tensor]:
    """(n,) the training loss of n answers, summed over the windows of each batch, every window once, without dropout.

    Args:
        outputs: (n, batch, outputs) of a network for a batch.
    """
    for index, count in by_length(windows, BATCH_SIZE):
        with torch.inference_mode():
            batch = windows.batch(index)
            losses = [task.loss(task.answer(output, batch), batch) for output in outputs(network, batch)]
        yield torch.stack([loss[:count].double().sum() for loss in losses]).cpu()
