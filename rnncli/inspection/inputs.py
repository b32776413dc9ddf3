"""How much the network has to do with each of its inputs: by weights alone, and by what its answers owe to them."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import TypeAdapter

from rnncli.checkpoint import Stored, Tensors
from rnncli.data.panel import Columns
from rnncli.inspection.tensors import Array, networks, parts, recurrent
from rnncli.inspection.values import input_names


def input_rows(model: Stored, spreads: dict[str, float] | None = None) -> list[dict[str, Any]]:
    """A row an input: the norm of all weights that read it first, over gates, directions, filters and steps.

    Inputs are scaled to about the same spread, so norms can be compared; `spreads` gives what each has on data, and
    ``weight`` is norm times spread. Of an ensemble the mean of its networks. The numbers of a category's vector count
    together.
    """
    names = _columns(model)
    every = np.array([_norms(weights, model.content["config"]["model"], len(names)) for _, weights in networks(model)])
    found: dict[str, float] = {}
    for name, power in zip(names, (every**2).mean(0), strict=True):
        found[name] = found.get(name, 0.0) + float(power)
    rows = []
    for name, power in found.items():
        spread = None if spreads is None else spreads[name]
        norm = power**0.5
        rows.append(
            {"input": name, "norm": norm, "spread": spread, "weight": None if spread is None else norm * spread}
        )
    return rows


def _columns(model: Stored) -> list[str]:
    """The column that each number of a step belongs to."""
    columns = TypeAdapter(Columns).validate_python(model.content["columns"])
    return [name.rpartition("[")[0] if name.rpartition("[")[0] in columns.categories else name
            for name in input_names(model.content)]  # fmt: skip


def _norms(weights: Tensors, settings: dict[str, Any], inputs: int) -> Array:
    """(inputs,) norm of the weights that read each number of a step first."""
    if settings["front_end"] == "conv":
        first = weights["front_end.mix.0.weight"].reshape(len(weights["front_end.mix.0.weight"]), inputs, -1)
    elif settings["segment"] is not None:
        embed = weights["segments.embed.weight"]
        first = embed.reshape(len(embed), -1, inputs).transpose(0, 2, 1)
    else:
        both = [recurrent(weights, layer, way)["weight_ih"] for layer, way in parts(settings) if layer == 0]
        first = np.concatenate(both)[:, :, None]
    return np.asarray(np.sqrt((first.astype(np.float64) ** 2).sum((0, 2))))
