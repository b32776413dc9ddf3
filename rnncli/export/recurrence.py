"""The recurrence in ONNX: its own RNN, LSTM and GRU, and carry_lstm as a loop of basic operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper

from rnncli.config import schema
from rnncli.export.graph import Array, Graph, Value
from rnncli.model.reference import GATES

States = list[list[str]]  # of each layer, its parts (directions, batch, hidden)

_OPERATORS = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
_ORDER = {"rnn": ("h",), "lstm": ("i", "o", "f", "g"), "gru": ("z", "r", "n")}  # of the gates in ONNX


class Recurrence:
    """A stack of layers.

    Args:
        weights: as ``reference.run`` names them.
    """

    def __init__(self, graph: Graph, settings: schema.Model, weights: Mapping[str, Array]) -> None:
        self.graph, self.settings, self.weights = graph, settings, weights
        self.directions = ("", "_reverse") if settings.bidirectional else ("",)
        self.activation = "Relu" if settings.nonlinearity == "relu" else "Tanh"

    def run(self, x: str, lengths: str, start: States | None = None) -> tuple[str, States]:
        """Outputs (batch, time, directions * hidden), zero in the padding, and the final states, of which each
        layer begins with `start`, or with zero.

        Args:
            x: (batch, time, inputs).
            lengths: (batch,) valid steps.
        """
        graph = self.graph
        x = graph.add("Transpose", x, perm=[1, 0, 2])
        final: States = []
        layer = self._carry_layer if self.settings.cell == "carry_lstm" else self._layer
        for number in range(self.settings.num_layers):
            y, last = layer(number, x, lengths, None if start is None else start[number])
            x = graph.add("Reshape", graph.add("Transpose", y, perm=[0, 2, 1, 3]), [0, 0, -1])
            final.append(last)
        return graph.add("Transpose", x, perm=[1, 0, 2]), final

    def _layer(self, layer: int, x: str, lengths: str, start: list[str] | None) -> tuple[str, list[str]]:
        """One of ONNX's own: (time, directions, batch, hidden) and the final state."""
        cell, hidden = self.settings.cell, self.settings.hidden_size
        attributes: dict[str, Any] = {
            "hidden_size": hidden,
            "direction": "bidirectional" if len(self.directions) == 2 else "forward",
        }
        if cell == "gru":
            attributes["linear_before_reset"] = 1  # as torch.nn.GRU multiplies
        if cell == "rnn":
            attributes["activations"] = [self.activation] * len(self.directions)
        parts = 2 if cell == "lstm" else 1
        short = self.graph.add("Cast", lengths, to=onnx.TensorProto.INT32)
        inputs: list[Value] = [
            x,
            self._stacked("weight_ih", layer),
            self._stacked("weight_hh", layer),
            self._biases(layer),
            short,
        ]
        y, *last = self.graph.several(_OPERATORS[cell], [*inputs, *(start or [])], 1 + parts, **attributes)
        return y, last

    def _stacked(self, kind: str, layer: int) -> Array:
        """(directions, gates * hidden, …) in ONNX's order of the gates; zero for biases that are not there."""
        found = []
        for direction in self.directions:
            array = self.weights.get(f"{kind}_l{layer}{direction}")
            if array is None:
                array = np.zeros(len(GATES[self.settings.cell]) * self.settings.hidden_size, dtype=np.float32)
            gates = dict(zip(GATES[self.settings.cell], np.split(array, len(GATES[self.settings.cell])), strict=True))
            found.append(np.concatenate([gates[gate] for gate in _ORDER[self.settings.cell]]))
        return np.stack(found)

    def _biases(self, layer: int) -> Array:
        return np.concatenate([self._stacked("bias_ih", layer), self._stacked("bias_hh", layer)], axis=1)

    def _carry_layer(self, layer: int, x: str, lengths: str, start: list[str] | None) -> tuple[str, list[str]]:
        """carry_lstm, in each direction a loop: (time, directions, batch, hidden) and the final state."""
        graph = self.graph
        valid = graph.add("Transpose", graph.valid(graph.add("Transpose", x, perm=[1, 0, 2]), lengths), perm=[1, 0, 2])
        outputs, final = [], []
        for number, direction in enumerate(self.directions):
            suffix = f"l{layer}{direction}"
            projected = graph.linear(x, self.weights[f"weight_ih_{suffix}"], self.weights.get(f"bias_ih_{suffix}"))
            own = [graph.add("Gather", part, number, axis=0) for part in start or []] or [self._zero(x)] * 2
            h, c, y = graph.several(
                "Scan",
                [*own, projected, valid],
                3,
                body=self._carry_step(suffix),
                num_scan_inputs=2,
                scan_input_directions=[number] * 2,
                scan_output_directions=[number],
            )
            outputs.append(graph.add("Unsqueeze", y, [1]))
            final.append([graph.add("Unsqueeze", part, [0]) for part in (h, c)])
        joined = [graph.add("Concat", *parts, axis=0) for parts in zip(*final, strict=True)]
        return graph.add("Concat", *outputs, axis=1), joined

    def _zero(self, x: str) -> str:
        """(batch, hidden) of zeros."""
        shape = self.graph.add("Concat", self.graph.size(x, 1), [self.settings.hidden_size], axis=0)
        return self.graph.add(
            "ConstantOfShape", shape, value=helper.make_tensor("value", onnx.TensorProto.FLOAT, [1], [0.0])
        )

    def _carry_step(self, suffix: str) -> Any:
        """One step as a graph of its own: output = activation(o + V c), c' = i * k + c * f; padding changes nothing."""
        hidden = self.settings.hidden_size
        names = {kind: self.graph.constant(self.weights[f"{kind}_{suffix}"].T) for kind in ("weight_hh", "weight_ch")}
        zero = self.graph.constant(np.zeros((), dtype=np.float32))
        rows = f"rows_{len(self.graph.nodes)}"  # an axis of one name has one size throughout a model
        steps = [
            ("MatMul", ["h", names["weight_hh"]], ["product"], {}),
            ("Add", ["projected", "product"], ["gates"], {}),
            ("Split", ["gates"], ["i", "f", "k", "o"], {"axis": 1}),
            ("MatMul", ["c", names["weight_ch"]], ["read"], {}),
            ("Add", ["o", "read"], ["sum"], {}),
            (self.activation, ["sum"], ["output"], {}),
            ("Sigmoid", ["i"], ["opened"], {}),
            ("Sigmoid", ["f"], ["kept"], {}),
            ("Tanh", ["k"], ["written"], {}),
            ("Mul", ["opened", "written"], ["new"], {}),
            ("Mul", ["c", "kept"], ["old"], {}),
            ("Add", ["new", "old"], ["carry"], {}),
            ("Where", ["valid", "output", "h"], ["next_h"], {}),
            ("Where", ["valid", "carry", "c"], ["next_c"], {}),
            ("Where", ["valid", "output", zero], ["shown"], {}),
        ]
        nodes = [helper.make_node(name, inputs, outputs, **attributes) for name, inputs, outputs, attributes in steps]

        def state(name: str, width: int = hidden, kind: int = onnx.TensorProto.FLOAT) -> Any:
            return helper.make_tensor_value_info(name, kind, [rows, width])

        inputs = [state("h"), state("c"), state("projected", 4 * hidden), state("valid", 1, onnx.TensorProto.BOOL)]
        return helper.make_graph(nodes, "carry_lstm", inputs, [state("next_h"), state("next_c"), state("shown")])
