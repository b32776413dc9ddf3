"""The gradient of a plain network without autograd: a small network's step is mostly its bookkeeping."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rnncli.data.windows import Batch
from rnncli.model.backbone import dropout
from rnncli.model.engine import native_for
from rnncli.model.native.kernels import Library
from rnncli.model.native.stack import LOSSES, Answers, Head, Masks, Pass
from rnncli.model.network import Network, read_last
from rnncli.tasks.forecasting import Forecasting
from rnncli.tasks.regression import Regression
from rnncli.tasks.task import Task
from rnncli.training.gradient import Gradients

_MOST = 4  # shapes of a network that memory is laid out for: whole batches, the last one of an epoch, and the like


class DirectGradients(Gradients):
    """`Gradients`, where a network is layers and a linear head on their newest state, in one call of the kernels.

    Other networks, losses that the kernels have not, and batches of windows of several lengths go through autograd.
    """

    def __init__(self, task: Task, **named: Any) -> None:
        super().__init__(task, **named)
        loss = str(task.config.training.loss) if isinstance(task, Forecasting | Regression) else ""
        self._loss = loss if loss in LOSSES else None
        self._found: dict[int, _Plain | None] = {}

    def __call__(
        self, members: Sequence[Network], batch: Batch, forks: Batch | None, generator: torch.Generator
    ) -> Tensor:
        """As `Gradients`."""
        whole = forks is None and batch.lengths is None
        plain = [self._plain(member, batch.past) for member in members] if whole else [None]
        if None in plain:
            return super().__call__(members, batch, forks, generator)
        losses = [own.losses(batch, generator) for own in plain if own is not None]
        return losses[0][None] if len(losses) == 1 else torch.stack(losses)

    def _plain(self, network: Network, past: Tensor) -> _Plain | None:
        if id(network) not in self._found:
            served = self._loss is not None and is_plain(network)
            library = native_for(network.backbone.engine, past) if served else None
            shifted = isinstance(self.task, Forecasting)
            self._found[id(network)] = None if library is None else _Plain(library, network, str(self._loss), shifted)
        return self._found[id(network)]


class _Plain:
    """A plain network, and the memory for its steps."""

    def __init__(self, library: Library, network: Network, loss: str, shifted: bool) -> None:
        self._library, self._network, self._loss, self._shifted = library, network, loss, shifted
        self._weights, self._unmasked = _weights(network), _unmasked(network)
        self._passes: dict[tuple[object, ...], Pass] = {}

    def losses(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """(batch,) losses, whose mean has left its gradient in the weights."""
        network = self._network
        x = network.read(batch.past, None, batch.static)[0] if network.sizes.static else batch.past
        x = dropout(x, network.settings.input_dropout, generator)
        level, spread = (batch.level, batch.spread) if self._shifted else (None, None)
        answers = Answers(level, spread, batch.target, batch.target_mask, batch.weight)
        losses_of = self._pass(x)
        losses = losses_of(x, batch.level, answers, self._unmasked or _masks(network, x, generator))
        for weight, gradient in zip(self._weights, losses_of.gradients, strict=True):
            if weight is not None:
                weight.grad = gradient
        return losses

    def _pass(self, x: Tensor) -> Pass:
        """Memory for inputs of this shape, and for the weights where they are now."""
        key = (x.shape, *(0 if weight is None else weight.data_ptr() for weight in self._weights))
        if key not in self._passes:
            if len(self._passes) >= _MOST:
                self._passes.clear()
            backbone, head = self._network.backbone, Head(*self._weights[-3:])  # type: ignore[arg-type]
            layers = [backbone.weights(number) for number in range(backbone.num_layers)]
            masked = backbone.recurrent_dropout > 0
            self._passes[key] = Pass(backbone.on(self._library), layers, head, self._loss, x.shape, masked=masked)
        return self._passes[key]


def is_plain(network: Network) -> bool:
    """Whether a network is layers and a linear head on their newest state, which reads numbers."""
    pieces = (network.front_end, network.segments, network.decoder, network.ahead, network.skip)
    plain = all(piece is None for piece in pieces) and network.readout is read_last
    return plain and not (network.sizes.categories or network.sizes.every)


def _weights(network: Network) -> list[Tensor | None]:
    """The weights in the order of `Pass`: the layers' and the head's."""
    assert network.head is not None
    backbone = network.backbone
    own = [weight for number in range(backbone.num_layers) for one in backbone.weights(number) for weight in one]
    return [*own, network.head.weight, network.head.bias, None if network.level is None else network.level.weight]


def _masks(network: Network, x: Tensor, generator: torch.Generator) -> Masks:
    """The masks of dropout, drawn in the order of `Network.forward`."""
    backbone, settings = network.backbone, network.settings
    size, steps, directions, hidden = *x.shape[:2], len(backbone.directions), backbone.hidden_size
    inputs: list[Tensor | None] = []
    states: list[Tensor | None] = []
    for layer in range(backbone.num_layers):
        share = backbone.dropout if layer else 0.0
        inputs.append(_mask(x, (size, steps, directions * hidden), share, generator))
        states.append(_mask(x, (directions, size, hidden), backbone.recurrent_dropout, generator))
    return Masks(inputs, states, _mask(x, (size, directions * hidden), settings.output_dropout, generator))


def _unmasked(network: Network) -> Masks | None:
    """No masks, if there is no dropout."""
    backbone = network.backbone
    if backbone.dropout or backbone.recurrent_dropout or network.settings.output_dropout:
        return None
    nothing = (None,) * backbone.num_layers
    return Masks(nothing, nothing, None)


def _mask(x: Tensor, shape: tuple[int, ...], share: float, generator: torch.Generator) -> Tensor | None:
    return dropout(x.new_ones(shape), share, generator) if share else None
