"""Statistics of every block of weights, and how long each unit remembers."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnncli.checkpoint import Stored, Tensors
from rnncli.inspection.tensors import Array, Block, blocks, by_gate, is_weight, networks, parts, recurrent
from rnncli.model.reference import GATES

KEEPS = {"lstm": "f", "carry_lstm": "f", "gru": "z"}  # the gate by which the state of the step before is multiplied


def summary(model: Stored) -> dict[str, Any]:
    """Statistics of every block, and totals.

    The spectral radius is the largest |eigenvalue| of a gate's recurrent matrix: below 1 what it feeds back fades, in
    the long run. The spectral norm is its largest singular value: how much it can stretch a state in one step. For
    half-lives see `half_lives`; the median over the units is given.
    """
    config = model.content["config"]
    rows = [_statistics(block) for block in blocks(model)]
    memory = {member: half_lives(weights, config["model"]) for member, weights in networks(model)}
    for row in rows:
        if row["gate"] == KEEPS.get(config["model"]["cell"]) and row["kind"] == "weight_hh":
            row["half_life"] = finite(np.median(memory[row["member"]][(row["layer"], row["direction"])]))
    return {
        "cell": config["model"]["cell"],
        "hidden_size": config["model"]["hidden_size"],
        "num_layers": config["model"]["num_layers"],
        "bidirectional": config["model"]["bidirectional"],
        "parameters": int(sum(array.size for name, array in model.tensors.items() if is_weight(name))),
        "rows": [{key: value for key, value in row.items() if key != "kind"} for row in rows],
    }


def _statistics(block: Block) -> dict[str, Any]:
    values = block.values.astype(np.float64)
    row: dict[str, Any] = {
        "member": block.member,
        "layer": block.layer,
        "direction": block.direction,
        "parameter": block.parameter,
        "gate": block.gate,
        "shape": list(values.shape),
        "mean": float(values.mean()),
        "std": float(values.std()),
        "min": float(values.min()),
        "max": float(values.max()),
        "norm": float(np.linalg.norm(values)),
        "spectral_radius": None,
        "spectral_norm": None,
        "half_life": None,
        "saturation": None,
        "kind": block.kind,
    }
    if block.kind == "weight_hh":
        row["spectral_radius"] = float(np.abs(np.linalg.eigvals(values)).max())
        row["spectral_norm"] = float(np.linalg.norm(values, 2))
    return row


def half_lives(weights: Tensors, settings: dict[str, Any]) -> dict[tuple[int, str], Array]:
    """(units,) steps in which a unit at rest forgets half, by layer and direction; only of cells with a gate for it.

    ln(1/2) / ln f, with f the forget gate (a GRU's update gate) at zero input and zero state, sigmoid of its biases
    alone: how long the state remembers when nothing else speaks.
    """
    gate = KEEPS.get(settings["cell"])
    if gate is None:
        return {}
    found = {}
    for layer, direction in parts(settings):
        own = recurrent(weights, layer, direction)
        zero = np.zeros(len(GATES[settings["cell"]]) * settings["hidden_size"])
        bias = by_gate(own.get("bias_ih", zero) + own.get("bias_hh", zero), settings["cell"])[gate]
        found[(layer, direction)] = half_life(-np.logaddexp(0, -bias))  # the logarithm of the sigmoid
    return found


def half_life(log_keep: Array) -> Array:
    """Steps until half is left, from the logarithm of what is kept a step."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(0.5) / log_keep)


def finite(value: float) -> float | None:
    """A number as JSON can hold it."""
    return float(value) if np.isfinite(value) else None
