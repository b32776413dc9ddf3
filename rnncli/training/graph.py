"""Gradients on CUDA by replaying captured work: a small network's step waits for launches, not for arithmetic.

A graph (torch.cuda.CUDAGraph) holds all kernels of a forward and a backward pass over buffers of one shape; to replay
it is one launch. What it computes are the same bits as without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from rnncli.data.windows import Batch
from rnncli.model.network import Network
from rnncli.training.gradient import Gradients

MOST = 4  # shapes that are captured: whole batches, the last one of an epoch, and the like


@dataclass(frozen=True)
class _Captured:
    """A captured pass.

    Attributes:
        graph: to be replayed.
        batch: the buffers that it reads.
        generator: of its dropout masks.
        losses: the buffer that it writes, and
        gradients: those of every weight.
    """

    graph: torch.cuda.CUDAGraph
    batch: Batch
    generator: torch.Generator
    losses: Tensor
    gradients: list[Tensor | None]


class GraphGradients(Gradients):
    """`Gradients`, captured for batches whose windows are of one length; others are computed as they are.

    Neither are bfloat16 and recurrent dropout captured: replayed together, they gave other losses than single launches
    from the second epoch on (H200, torch 2.11).
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._captured: dict[tuple[Any, ...], _Captured] = {}

    def __call__(
        self, members: Sequence[Network], batch: Batch, forks: Batch | None, generator: torch.Generator
    ) -> Tensor:
        """As `Gradients`; the result is overwritten by the next call."""
        same_bits = not (self.bf16 or members[0].settings.recurrent_dropout)
        if forks is not None or batch.lengths is not None or not same_bits:
            return super().__call__(members, batch, forks, generator)
        key = (id(members[0]), *(tuple(tensor.shape) for tensor in _tensors(batch).values()))
        captured = self._captured.get(key)
        if captured is None:
            if len(self._captured) >= MOST:
                return super().__call__(members, batch, forks, generator)
            captured = self._captured[key] = self._capture(members, batch)
        for name, tensor in _tensors(batch).items():
            getattr(captured.batch, name).copy_(tensor)
        captured.generator.set_state(generator.get_state())
        captured.graph.replay()
        for parameter, gradient in zip(_parameters(members), captured.gradients, strict=True):
            parameter.grad = gradient
        return captured.losses

    def _capture(self, members: Sequence[Network], batch: Batch) -> _Captured:
        own = replace(batch, **{name: tensor.clone() for name, tensor in _tensors(batch).items()})  # type: ignore[arg-type]
        generator = torch.Generator(batch.past.device).manual_seed(0)
        graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.Stream(batch.past.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(batch.past.device))
        with torch.cuda.stream(stream):  # what libraries set up at their first call cannot be captured
            for _ in range(2):
                super().__call__(members, own, None, generator)
                _forget(members)
        torch.cuda.current_stream(batch.past.device).wait_stream(stream)
        graph.register_generator_state(generator)
        with torch.cuda.graph(graph, stream=stream):
            losses = super().__call__(members, own, None, generator)
        gradients = [parameter.grad for parameter in _parameters(members)]
        _forget(members)
        return _Captured(graph, own, generator, losses, gradients)


def _tensors(batch: Batch) -> dict[str, Tensor]:
    found = {each.name: getattr(batch, each.name) for each in fields(batch)}
    return {name: value for name, value in found.items() if isinstance(value, Tensor)}


def _parameters(members: Sequence[Network]) -> list[torch.nn.Parameter]:
    return [parameter for member in members for parameter in member.parameters()]


def _forget(members: Sequence[Network]) -> None:
    for parameter in _parameters(members):
        parameter.grad = None
