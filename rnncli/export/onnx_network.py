"""The whole network in ONNX: ``model.network`` said again, piece by piece, in its operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx

from rnncli.config import schema
from rnncli.export.graph import Array, Graph, tensor
from rnncli.export.recurrence import Recurrence, States
from rnncli.model.portable_pieces import TAPS, under
from rnncli.model.sizes import Sizes

Read = Callable[["OnnxNetwork", str, str, str, Mapping[str, Array]], str]


class OnnxNetwork:
    """Nodes for one network; the names of its inputs are those of ``Network.forward``.

    Args:
        weights: by the names of ``Network.state_dict()``.
    """

    def __init__(self, graph: Graph, settings: schema.Model, sizes: Sizes, weights: Mapping[str, Array]) -> None:
        self.graph, self.settings, self.sizes, self.weights = graph, settings, sizes, weights
        self.recurrence = Recurrence(graph, settings, under(weights, "backbone."))
        self._columns = {"past": sizes.past, "static": sizes.static, "ahead": sizes.ahead}

    def outputs(self) -> str:
        """(batch, outputs), or (batch, time, outputs) if every step is answered."""
        graph, lengths = self.graph, "lengths"
        x = self._inputs("past")
        if self.sizes.static:
            beside = graph.add("Unsqueeze", self._inputs("static"), [1])
            shape = graph.add("Concat", [1], graph.size(x, 1), [1], axis=0)
            x = graph.add("Concat", x, graph.add("Expand", beside, shape), axis=2)
        filters = self._convolved(x) if self.settings.front_end == "conv" else None
        x = x if filters is None else filters
        if self.settings.segment is not None:
            x, lengths = self._segments(x)
        output, final = self.recurrence.run(x, lengths)
        if self.settings.decoder == "parallel":
            found = self._decoded(final)
        else:
            found = self._head(self._features(output, final, lengths, filters))
        if self.sizes.levels:
            found = graph.add("Add", found, graph.linear("level", self.weights["level.weight"]))
        return found if self.settings.skip == "none" else graph.add("Add", found, self._around())

    def _inputs(self, part: str) -> str:
        """(…, width) numbers, learned vectors in the place of codes."""
        graph, numbers = self.graph, {name: number for number, (name, _) in enumerate(self.sizes.categories)}
        columns = self._columns[part]
        if not any(name in numbers for name in columns):
            return part
        found = []
        for position, name in enumerate(columns):
            column = graph.add("Gather", part, [position] if name not in numbers else position, axis=-1)
            if name in numbers:
                vectors = self.weights[f"inputs.vectors.column{numbers[name]}.weight"]
                column = graph.add("Gather", vectors, graph.add("Cast", column, to=onnx.TensorProto.INT64), axis=0)
            found.append(column)
        return graph.add("Concat", *found, axis=-1)

    def _linear(self, x: str, name: str) -> str:
        return self.graph.linear(x, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"))

    def _convolved(self, x: str) -> str:
        """Two convolutions over time, each with a norm over its filters and ReLU."""
        graph = self.graph
        causal = (self.sizes.every or self.sizes.forks) and not self.settings.bidirectional
        x = graph.where_valid(x, "lengths")
        for number, taps in enumerate(TAPS):
            own = under(self.weights, f"front_end.mix.{number}.")
            norm = under(self.weights, f"front_end.norm.{number}.")
            ahead = 0 if causal else taps // 2
            weight = own["weight"].reshape(len(own["weight"]), -1, taps)
            x = graph.add("Transpose", x, perm=[0, 2, 1])
            x = graph.add("Conv", x, weight, own["bias"], pads=[taps - 1 - ahead, ahead], kernel_shape=[taps])
            x = graph.add("Transpose", x, perm=[0, 2, 1])
            x = graph.add("LayerNormalization", x, norm["weight"], norm["bias"], axis=-1, epsilon=1e-5)
            x = graph.where_valid(graph.add("Relu", x), "lengths")
        return x

    def _segments(self, x: str) -> tuple[str, str]:
        """(batch, segments, width) and the segments of each window; the newest step ends the last one."""
        graph, size = self.graph, self.sizes.segment
        counts = graph.add("Div", graph.add("Add", "lengths", size - 1), size)
        most = graph.add("Div", graph.add("Add", graph.size(x, 1), size - 1), size)
        first = graph.add("Sub", "lengths", graph.add("Mul", counts, size))
        every = graph.steps(graph.add("Mul", most, size))
        places = graph.add("Max", graph.add("Add", every, graph.add("Unsqueeze", first, [1])), 0)
        last = graph.add("Unsqueeze", graph.add("Sub", "lengths", 1), [1])
        taken = graph.take_steps(x, graph.add("Min", places, last))
        width = graph.add("Mul", graph.size(x, 2), size)
        joined = graph.add("Reshape", taken, graph.add("Concat", [0, -1], width, axis=0))
        return graph.where_valid(graph.add("Relu", self._linear(joined, "segments.embed")), counts), counts

    def _features(self, output: str, final: States, lengths: str, filters: str | None) -> str:
        """What the head reads."""
        graph = self.graph
        if self.sizes.every:
            return output if filters is None else graph.add("Concat", output, filters, axis=2)
        newest = graph.add("Reshape", graph.add("Transpose", final[-1][0], perm=[1, 0, 2]), [0, -1])
        read = READOUTS[self.settings.readout]
        features = read(self, output, newest, lengths, under(self.weights, "readout."))
        if filters is None:
            return features
        place = graph.add("Unsqueeze", graph.add("Sub", "lengths", 1), [1])
        last = graph.add("Squeeze", graph.take_steps(filters, place), [1])
        own = read(self, filters, last, "lengths", under(self.weights, "filter_readout."))
        return graph.add("Concat", features, own, axis=1)

    def _head(self, features: str) -> str:
        graph, found = self.graph, self._linear(features, "head")
        if not self.sizes.ahead:
            return found
        state = graph.add("Unsqueeze", self._linear(features, "ahead.state"), [1])
        hidden = graph.add("Relu", graph.add("Add", state, self._linear(self._inputs("ahead"), "ahead.known")))
        return graph.add("Add", found, graph.add("Flatten", self._linear(hidden, "ahead.out")))

    def _decoded(self, final: States) -> str:
        """A further step of the recurrence for every segment of the horizon, all from the final state."""
        graph, size, places = self.graph, self.sizes.segment, self.weights["decoder.places"]
        count, width = places.shape
        batch = graph.size("past", 0)
        x = graph.add("Expand", places[None], graph.add("Concat", batch, [1, 1], axis=0))
        if self.sizes.ahead:
            whole = [0, 0, 0, 0, count * size - self.sizes.steps, 0]
            known = graph.add("Pad", self._inputs("ahead"), whole)
            known = graph.add("Reshape", known, [0, count, size * self.sizes.width(self.sizes.ahead)])
            x = graph.add("Add", x, self._linear(known, "decoder.known"))
        x = graph.add("Reshape", x, [-1, 1, width])
        one = graph.add("Expand", [1], graph.size(x, 0))
        start = [[self._repeated(part, count) for part in layer] for layer in final]
        output, _ = self.recurrence.run(x, one, start)
        steps = self.sizes.outputs // self.sizes.steps
        found = graph.add("Reshape", self._linear(output, "decoder.out"), [-1, count * size * steps])
        return graph.add("Slice", found, [0], [self.sizes.outputs], [1])

    def _repeated(self, state: str, count: int) -> str:
        """(1, batch * count, hidden) each row of (1, batch, hidden) so often."""
        graph, hidden = self.graph, self.settings.hidden_size
        apart = graph.add("Reshape", state, [-1, 1, hidden])
        return graph.add("Reshape", graph.add("Expand", apart, [1, count, 1]), [1, -1, hidden])

    def _around(self) -> str:
        """(batch, outputs) the path around the recurrence, the same for all quantiles of a target."""
        graph, sizes, weight = self.graph, self.sizes, self.weights["skip.weight"]
        steps, context = weight.shape
        own = graph.add("Slice", "past", [0], [sizes.targets], [2])
        places = graph.add("Add", np.arange(-context, 0), graph.add("Unsqueeze", "lengths", [1]))
        taken = graph.take_steps(own, graph.add("Max", places, 0))
        there = graph.add("Unsqueeze", graph.add("Less", graph.constant(-1), places), [2])
        own = graph.add("Where", there, taken, np.zeros((), dtype=np.float32))
        found = graph.add("MatMul", weight, own)
        if self.settings.skip == "seasonal" and sizes.season <= context:
            rows = context - sizes.season + np.arange(steps) % sizes.season
            found = graph.add("Add", found, graph.add("Gather", own, rows, axis=1))
        quantiles = sizes.outputs // (steps * sizes.targets)
        return graph.add("Flatten", graph.add("Expand", graph.add("Unsqueeze", found, [3]), [1, 1, 1, quantiles]))


def _last(network: OnnxNetwork, output: str, newest: str, lengths: str, weights: Mapping[str, Array]) -> str:
    return newest


def _mean(network: OnnxNetwork, output: str, newest: str, lengths: str, weights: Mapping[str, Array]) -> str:
    graph = network.graph
    count = graph.add("Cast", graph.add("Unsqueeze", lengths, [1]), to=onnx.TensorProto.FLOAT)
    return graph.add("Div", graph.add("ReduceSum", output, [1], keepdims=0), count)


def _max(network: OnnxNetwork, output: str, newest: str, lengths: str, weights: Mapping[str, Array]) -> str:
    graph = network.graph
    return graph.add("ReduceMax", graph.where_valid(output, lengths, -np.inf), axes=[1], keepdims=0)


def _mean_max(network: OnnxNetwork, output: str, newest: str, lengths: str, weights: Mapping[str, Array]) -> str:
    parts = (read(network, output, newest, lengths, weights) for read in (_mean, _max))
    return network.graph.add("Concat", *parts, axis=1)


def _attention(network: OnnxNetwork, output: str, newest: str, lengths: str, weights: Mapping[str, Array]) -> str:
    graph = network.graph
    mixed = graph.add("Tanh", graph.linear(output, weights["mix.weight"], weights["mix.bias"]))
    scores = graph.where_valid(graph.linear(mixed, weights["score.weight"]), lengths, -np.inf)
    weighted = graph.add("Mul", graph.add("Softmax", scores, axis=1), output)
    return graph.add("ReduceSum", weighted, [1], keepdims=0)


# (batch, time, width) outputs and (batch, width) newest state to what the head reads
READOUTS: dict[str, Read] = {
    "last": _last,
    "mean": _mean,
    "max": _max,
    "mean_max": _mean_max,
    "attention": _attention,
}


def onnx_model(settings: schema.Model, sizes: Sizes, weights: Mapping[str, Array], metadata: dict[str, str]) -> Any:
    """A model of one network, or of the mean of several, for any number of windows and steps."""
    graph = Graph()
    numbers = sorted({int(name.split(".")[1]) for name in weights if name.startswith("members.")})
    members = [under(weights, f"members.{number}.") for number in numbers] or [dict(weights)]
    found = [OnnxNetwork(graph, settings, sizes, member).outputs() for member in members]
    graph.named(graph.add("Mean", *found) if len(found) > 1 else found[0], "outputs")
    shapes: dict[str, list[str | int]] = {"past": ["batch", "time", len(sizes.past)], "lengths": ["batch"]}
    if sizes.static:
        shapes["static"] = ["batch", len(sizes.static)]
    if sizes.ahead:
        shapes["ahead"] = ["batch", sizes.steps, len(sizes.ahead)]
    if sizes.levels:
        shapes["level"] = ["batch", sizes.levels]
    inputs = [tensor(name, shape, whole=name == "lengths") for name, shape in shapes.items()]
    answer: list[str | int] = ["batch", "time", sizes.outputs] if sizes.every else ["batch", sizes.outputs]
    return graph.model(inputs, [tensor("outputs", answer)], "network", metadata)
