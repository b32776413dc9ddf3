"""An ONNX graph under construction: nodes and constants get their names here, so that others write arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Array = NDArray[Any]
Value = str | Array | Sequence[int] | int  # the name of a value, or a constant; whole numbers are int64

OPSET, IR_VERSION = 17, 8


@dataclass
class Graph:
    """Nodes in the order of computing, and the constants that they read."""

    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def constant(self, value: Array | Sequence[int] | int) -> str:
        """The name of a new constant."""
        array = value if isinstance(value, np.ndarray) else np.array(value, dtype=np.int64)
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name))
        return name

    def add(self, operator: str, *inputs: Value, **attributes: Any) -> str:
        """A node with one output; its name."""
        return self.several(operator, inputs, 1, **attributes)[0]

    def several(self, operator: str, inputs: Iterable[Value], outputs: int, **attributes: Any) -> list[str]:
        """A node; the names of its outputs."""
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        found = [f"{operator.lower()}_{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(operator, names, found, **attributes))
        return found

    def named(self, value: str, name: str) -> None:
        """Call a value by a name that others use."""
        self.nodes.append(helper.make_node("Identity", [value], [name]))

    def linear(self, x: str, weight: Array, bias: Array | None = None) -> str:
        """W x + b along the last axis."""
        found = self.add("MatMul", x, weight.T)
        return found if bias is None else self.add("Add", found, bias)

    def size(self, x: str, axis: int) -> str:
        """(1,) the size of an axis."""
        return self.add("Gather", self.add("Shape", x), [axis])

    def number(self, count: str) -> str:
        """A count (1,) as a scalar."""
        return self.add("Squeeze", count, [0])

    def steps(self, count: str) -> str:
        """0, 1, … up to a count (1,)."""
        return self.add("Range", 0, self.number(count), 1)

    def valid(self, x: str, lengths: str) -> str:
        """(batch, time, 1) whether a step of (batch, time, …) is none of the padding."""
        return self.add(
            "Unsqueeze", self.add("Less", self.steps(self.size(x, 1)), self.add("Unsqueeze", lengths, [1])), [2]
        )

    def where_valid(self, x: str, lengths: str, other: float = 0.0) -> str:
        """(batch, time, …) with another number in the padding."""
        return self.add("Where", self.valid(x, lengths), x, np.array(other, dtype=np.float32))

    def take_steps(self, x: str, places: str) -> str:
        """(batch, places, columns) the steps (batch, places) of (batch, time, columns)."""
        wide = self.add("Concat", self.add("Shape", places), self.size(x, 2), axis=0)
        return self.add("GatherElements", x, self.add("Expand", self.add("Unsqueeze", places, [2]), wide), axis=1)

    def model(self, inputs: Sequence[Any], outputs: Sequence[Any], name: str, metadata: dict[str, str]) -> Any:
        """The whole as an ONNX model."""
        graph = helper.make_graph(self.nodes, name, list(inputs), list(outputs), self.constants)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="rnncli")
        made.ir_version = IR_VERSION
        helper.set_model_props(made, metadata)
        onnx.checker.check_model(made, full_check=True)
        return made


def tensor(name: str, shape: Sequence[str | int], *, whole: bool = False) -> Any:
    """An input or output of a graph, float32 or int64; names in the shape are axes of any size."""
    kind = onnx.TensorProto.INT64 if whole else onnx.TensorProto.FLOAT
    return helper.make_tensor_value_info(name, kind, list(shape))
