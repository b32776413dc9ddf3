"""A cell over time: layers, directions, dropout between layers, ragged batches, states in and out.

There is one set of parameters, with torch.nn's names, and one meaning, computed layer by layer by one of three: the
native kernels on the CPU, torch.nn's kernels for the cells that it has (not with ``recurrent_dropout``), and
``scan_layer``, which steps any cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnncli.model.cells import ACTIVATIONS, CELLS, Cell, State
from rnncli.model.engine import native_for
from rnncli.model.native.arguments import Layer
from rnncli.model.native.kernels import Library
from rnncli.model.native.layer import run
from rnncli.model.scan import NAMES, Weights, scan_layer

_FUSED: dict[str, type[nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class Backbone(nn.Module):
    """A stack of recurrent layers; its state_dict is that of torch.nn.RNN, LSTM or GRU.

    Args:
        cell: a key of CELLS.
        input_size, hidden_size, num_layers, bias, bidirectional, dropout, nonlinearity: as in torch.nn.RNN.
        recurrent_dropout: share of the state that every sequence is without in the recurrent products, at all of its
            steps (Gal and Ghahramani 2016).
        fused: whether kernels for whole sequences may serve the cells that they have.

    Attributes:
        engine: a value of training.engine; ``torch`` keeps the native kernels out.
    """

    engine = "auto"

    def __init__(  # noqa: PLR0913 - the arguments of torch.nn.RNN
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        nonlinearity: str | None = None,
        bias: bool = True,
        bidirectional: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        fused: bool = True,
    ) -> None:
        super().__init__()
        self.kind = cell
        self.cell: Cell = CELLS[cell]
        self._native_may = fused
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.directions = ("", "_reverse") if bidirectional else ("",)
        self.nonlinearity = nonlinearity or "tanh"
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        for layer in range(num_layers):
            width = input_size if layer == 0 else hidden_size * len(self.directions)
            for direction in self.directions:
                self._add_parameters(f"l{layer}{direction}", width, bias)
        self.reset_parameters()
        self._names = [
            [tuple(f"{name}_l{layer}{direction}" for name in NAMES) for direction in self.directions]
            for layer in range(num_layers)
        ]
        engine = _FUSED.get(cell) if fused else None
        # a tuple, so that the engines' parameters are not registered a second time
        self._engines = () if engine is None else tuple(self._engine(engine, layer) for layer in range(num_layers))

    def _add_parameters(self, suffix: str, width: int, bias: bool) -> None:
        rows = len(self.cell.gates) * self.hidden_size
        shapes = {"weight_ih": (rows, width), "weight_hh": (rows, self.hidden_size)}
        if self.cell.carry_weight:
            shapes["weight_ch"] = (self.hidden_size, self.hidden_size)
        for name, shape in shapes.items():
            self.register_parameter(f"{name}_{suffix}", nn.Parameter(torch.empty(shape)))
        for name in self.cell.biases:
            self.register_parameter(f"{name}_{suffix}", nn.Parameter(torch.empty(rows)) if bias else None)

    def reset_parameters(self) -> None:
        """Every parameter from U(-sqrt(1/hidden_size), +sqrt(1/hidden_size)), as torch.nn.RNN does."""
        bound = math.sqrt(1 / self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def _engine(self, kind: type[nn.RNNBase], layer: int) -> nn.RNNBase:
        """A one-layer torch.nn module that holds this layer's very parameters."""
        options: dict[str, Any] = {"nonlinearity": self.nonlinearity} if kind is nn.RNN else {}
        width = self._parameter("weight_ih", f"l{layer}").shape[1]
        engine: nn.RNNBase = cast(Any, kind)(
            width,
            self.hidden_size,
            bias=self._parameter("bias_ih", f"l{layer}", optional=True) is not None,
            batch_first=True,
            bidirectional=len(self.directions) == 2,
            **options,
        )
        self._share(engine, layer)
        return engine

    def _share(self, engine: nn.RNNBase, layer: int) -> None:
        """Put this layer's parameters into its engine; they are new objects after load_state_dict(assign=True)."""
        for direction in self.directions:
            for name in ("weight_ih", "weight_hh", *self.cell.biases):
                parameter = self._parameter(name, f"l{layer}{direction}", optional=True)
                if parameter is not None:
                    setattr(engine, f"{name}_l0{direction}", parameter)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        for layer, engine in enumerate(self._engines):
            self._share(engine, layer)

    def _parameter(self, name: str, suffix: str, *, optional: bool = False) -> Tensor:
        found = self._parameters.get(f"{name}_{suffix}") if optional else self._parameters[f"{name}_{suffix}"]
        return cast(Tensor, found)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Backbone:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for layer, engine in enumerate(self._engines):
            self._share(engine, layer)
            engine.flatten_parameters()
        return self

    def zero_state(self, batch: int, like: Tensor) -> State:
        """A zero state, each part (layers * directions, batch, hidden)."""
        shape = (self.num_layers * len(self.directions), batch, self.hidden_size)
        return tuple(like.new_zeros(shape) for _ in self.cell.states)

    def forward(
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        state: State | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, State]:
        """Run the stack.

        Args:
            x: (batch, time, inputs), padded on the right.
            lengths: (batch,) valid steps, at least 1; None if all are.
            state: initial state, each part (layers * directions, batch, hidden); zero if None.
            generator: source of the dropout masks; without one there is no dropout.

        Returns:
            outputs (batch, time, directions * hidden), zero in the padding, and the final state: forward directions
            at the last valid step, backward ones at the first.
        """
        weight = self._parameter("weight_hh", "l0")
        may = self._native_may and x.dim() == 3  # else torch says what is wrong
        library = native_for(self.engine, x, weight) if may else None
        if state is None and library is None:
            state = self.zero_state(len(x), x)
        count = len(self.directions)
        final: list[State] = []
        for layer in range(self.num_layers):
            if layer:
                x = dropout(x, self.dropout, generator)
            own = None if state is None else tuple(part[layer * count : (layer + 1) * count] for part in state)
            masks = None
            if self.recurrent_dropout and generator is not None:
                masks = dropout(weight.new_ones(count, len(x), self.hidden_size), self.recurrent_dropout, generator)
            x, last = self._run(library, layer, x, lengths, own, masks)
            final.append(last)
        return x, final[0] if self.num_layers == 1 else tuple(torch.cat(parts) for parts in zip(*final, strict=True))

    def _run(
        self,
        library: Library | None,
        layer: int,
        x: Tensor,
        lengths: Tensor | None,
        state: State | None,
        masks: Tensor | None,
    ) -> tuple[Tensor, State]:
        if library is not None:
            return run(self.on(library), x, lengths, state, self.weights(layer), masks)
        assert state is not None
        if self._engines and masks is None:
            return self._fused(layer, x, lengths, state)
        activation = ACTIVATIONS[self.nonlinearity]
        return scan_layer(self.cell, activation, x, lengths, state, self.weights(layer), masks)

    def _fused(self, layer: int, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        engine = self._engines[layer]
        start = state if len(state) > 1 else state[0]
        if lengths is None:
            output, last = engine(x, start)
        else:
            packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
            packed_output, last = engine(packed, start)
            output, _ = pad_packed_sequence(packed_output, batch_first=True, total_length=x.shape[1])
        return output, last if isinstance(last, tuple) else (last,)

    def on(self, library: Library) -> Layer:
        """What the native kernels are told of every layer."""
        return Layer(library, self.kind, self.nonlinearity)

    def weights(self, layer: int) -> list[Weights]:
        """The parameters of a layer, in the order of NAMES, of each direction."""
        return [tuple(map(self._parameters.get, names)) for names in self._names[layer]]


def valid_steps(x: Tensor, lengths: Tensor) -> Tensor:
    """(batch, time, 1) whether a step of (batch, time, …) is none of the padding."""
    return (torch.arange(x.shape[1], device=x.device) < lengths[:, None])[:, :, None]


def dropout(x: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """Zero a share of the elements and scale the others up, with masks from `generator` alone; without one, nothing."""
    if not share or generator is None:
        return x
    keep = torch.rand(x.shape, generator=generator, device=x.device) >= share  # float32: bfloat16 draws are coarse
    return x * keep / (1 - share)
