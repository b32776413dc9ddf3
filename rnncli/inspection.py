"""What a network has learned: its weights by layer, direction and gate. NumPy alone, without torch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from rnncli.checkpoint import Stored, Tensors
from rnncli.config import schema
from rnncli.config.document import Document
from rnncli.config.load import check as check_config
from rnncli.data.panel import Columns
from rnncli.errors import CheckpointError, ConfigError, Place
from rnncli.model.reference import GATES, sigmoid
from rnncli.model.sizes import Sizes

Array = np.ndarray


@dataclass(frozen=True)
class Block:
    """The rows of one tensor that belong to one gate.

    Attributes:
        member: number of the network in an ensemble, or None.
        layer: number, or None outside the recurrent layers.
        direction: ``forward`` or ``backward``, or None likewise.
        parameter: torch's name.
        kind: the name without layer and direction, such as ``weight_hh``.
        gate: or None where the tensor has no gates.
        first_row: of the block in the tensor.
        values: (rows, columns) or (rows,).
    """

    member: int | None
    layer: int | None
    direction: str | None
    parameter: str
    kind: str
    gate: str | None
    first_row: int
    values: Array


_MEMBER = re.compile(r"members\.([0-9]{1,3})\.")
_RECURRENT = re.compile(r"(weight_[ihc]h|bias_[ih]h)_l([0-9]{1,3})(_reverse)?")


def check(model: Stored, file: str) -> None:
    """See that the recurrent weights are those of the config beside them.

    Raises:
        CheckpointError: if they are not, or there is no such config.
    """
    try:
        values = model.content.get("config")
        config = check_config(Document(values if isinstance(values, dict) else {}, {}))
    except ConfigError as error:
        raise CheckpointError(f"damaged: {error.problems[0]}", "train again", Place(file)) from None
    several = networks(model)
    if len(several) != config.training.seeds:
        message = f"damaged: {len(several)} networks, the config has {config.training.seeds}"
        raise CheckpointError(message, "train again", Place(file))
    for _, weights in several:
        _check_recurrent(_starting(weights, "backbone."), config.model, file)


def _check_recurrent(weights: Tensors, settings: schema.Model, file: str) -> None:
    ends = ["", "_reverse"] if settings.bidirectional else [""]
    kinds = ("weight_ih", "weight_hh")
    needed = {f"{kind}_l{layer}{end}" for layer in range(settings.num_layers) for end in ends for kind in kinds}
    odd = needed - weights.keys() or {name for name in weights if not _fits(name, weights, settings)}
    if odd:
        raise CheckpointError(f"damaged: {min(odd)} is not that of its config", "train again", Place(file))


def _fits(name: str, tensors: Tensors, settings: schema.Model) -> bool:
    """Whether a recurrent tensor has its shape; what the first layer reads is not known here."""
    parts = _RECURRENT.fullmatch(name)
    if parts is None or int(parts[2]) >= settings.num_layers or bool(parts[3]) > settings.bidirectional:
        return False
    size, tensor = settings.hidden_size, tensors[name]
    shape = tensor.shape
    rows = size if parts[1] == "weight_ch" else len(GATES[settings.cell]) * size
    columns = () if parts[1].startswith("bias") else shape[1:] if parts[1] == "weight_ih" else (size,)
    ranks = 1 if parts[1].startswith("bias") else 2
    return tensor.dtype == np.float32 and shape == (rows, *columns) and len(shape) == ranks


def blocks(model: Stored) -> Iterator[Block]:
    """Every block of a stored model, network by network, layer by layer, then the head."""
    for member, weights in networks(model):
        yield from _blocks(member, weights, model.content["config"]["model"])


def networks(model: Stored) -> list[tuple[int | None, Tensors]]:
    """The weights of each network: of one, or of the numbered members of an ensemble."""
    weights = {name.removeprefix("network."): array for name, array in model.tensors.items() if _is_weight(name)}
    members = sorted({int(found[1]) for found in map(_MEMBER.match, weights) if found})
    return [(number, _starting(weights, f"members.{number}.")) for number in members] or [(None, weights)]


def _starting(weights: Tensors, start: str) -> Tensors:
    return {name.removeprefix(start): array for name, array in weights.items() if name.startswith(start)}


def _blocks(member: int | None, weights: Tensors, settings: dict[str, Any]) -> Iterator[Block]:
    for layer in range(settings["num_layers"]):
        for direction in ["", "_reverse"] if settings["bidirectional"] else [""]:
            for kind in ("weight_ih", "weight_hh", "weight_ch", "bias_ih", "bias_hh"):
                name = f"{kind}_l{layer}{direction}"
                array = weights.get(f"backbone.{name}")
                if array is not None:
                    gates = ("o",) if kind == "weight_ch" else GATES[settings["cell"]]
                    whole = Block(member, layer, "backward" if direction else "forward", name, kind, None, 0, array)
                    yield from _by_gate(whole, gates)
    for name in sorted(weights):
        if not name.startswith("backbone."):
            yield Block(member, None, None, name, name.rpartition(".")[2], None, 0, weights[name])


def _is_weight(name: str) -> bool:
    return name.startswith("network.")


def _by_gate(whole: Block, gates: tuple[str, ...]) -> Iterator[Block]:
    size = len(whole.values) // len(gates)
    for position, gate in enumerate(gates):
        first = position * size
        yield replace(whole, gate=gate, first_row=first, values=whole.values[first : first + size])


def summary(model: Stored) -> dict[str, Any]:
    """Statistics of every block, and totals.

    The spectral radius is the largest |eigenvalue| of a gate's recurrent matrix. The half-life of a forget gate is
    ln(1/2) / ln f steps for each unit, with f the gate at zero input and zero state (its biases alone), and the
    median over the units is given: how long the carry remembers when nothing else speaks.
    """
    config = model.content["config"]
    rows = [_statistics(block) for block in blocks(model)]
    memory = {member: _half_lives(weights, config["model"]) for member, weights in networks(model)}
    for row in rows:
        if row["gate"] == "f" and row["kind"] == "weight_hh":
            row["half_life"] = float(np.median(memory[row["member"]][(row["layer"], row["direction"])]))
    return {
        "cell": config["model"]["cell"],
        "hidden_size": config["model"]["hidden_size"],
        "num_layers": config["model"]["num_layers"],
        "bidirectional": config["model"]["bidirectional"],
        "parameters": int(sum(array.size for name, array in model.tensors.items() if _is_weight(name))),
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
        "half_life": None,
        "kind": block.kind,
    }
    if block.kind == "weight_hh":
        row["spectral_radius"] = float(np.abs(np.linalg.eigvals(values)).max())
    return row


def _half_lives(tensors: Tensors, settings: dict[str, Any]) -> dict[tuple[int, str], Array]:
    """(units,) half-life of the carry in steps, by layer and direction; only for cells with a forget gate."""
    gates = GATES[settings["cell"]]
    if "f" not in gates:
        return {}
    hidden, position = settings["hidden_size"], gates.index("f")
    rows = slice(position * hidden, (position + 1) * hidden)
    found = {}
    for layer in range(settings["num_layers"]):
        for direction in ["", "_reverse"] if settings["bidirectional"] else [""]:
            names = [f"backbone.{bias}_l{layer}{direction}" for bias in ("bias_ih", "bias_hh")]
            bias = sum(
                (tensors[name][rows].astype(np.float64) for name in names if name in tensors),
                np.zeros(hidden),
            )
            found[(layer, "backward" if direction else "forward")] = np.log(0.5) / np.log(sigmoid(bias))
    return found


def weight_values(model: Stored) -> Iterator[dict[str, Any]]:
    """Every single weight: parameter, gate, unit, what it multiplies, value."""
    settings = check_config(Document(model.content["config"], {})).model
    inputs = _inputs(model.content)
    for block in blocks(model):
        table = block.values if block.values.ndim == 2 else block.values[:, None]
        for unit, row in enumerate(table):
            for column, value in enumerate(row):
                yield {
                    "member": block.member,
                    "parameter": block.parameter,
                    "layer": block.layer,
                    "direction": block.direction,
                    "gate": block.gate,
                    "unit": unit,
                    "input": _input_name(block, column, inputs, settings),
                    "value": float(value),
                }


def _inputs(content: dict[str, Any]) -> list[str]:
    """Names of what the first layer reads."""
    columns = TypeAdapter(Columns).validate_python(content["columns"])
    past = columns.step_inputs(flags=content["config"]["data"]["missing"] == "mask")
    counts = tuple((name, len(values)) for name, values in columns.categories.items())
    return Sizes(past, 0, categories=counts).expanded(past + columns.static)


def _input_name(block: Block, column: int, inputs: list[str], settings: schema.Model) -> str | None:
    """What a weight multiplies: an input column, a number in between, or nothing for a bias.

    Numbers in between are units of a state (h3, c3), filters of the front end (f3), and features of a segment (s3).
    """
    if block.values.ndim == 1:
        return None
    filters = settings.front_end == "conv"
    steps = [f"f{unit}" for unit in range(settings.hidden_size)] if filters else inputs
    if block.kind == "weight_ih" and block.layer == 0:
        return f"s{column}" if settings.segment is not None else steps[column]
    if block.parameter == "level.weight":
        return f"level {inputs[column]}"
    if block.parameter == "skip.weight":
        return f"row {column - block.values.shape[1]}"
    if block.parameter == "segments.embed.weight":
        return f"{steps[column % len(steps)]} step {column // len(steps)}"
    if block.parameter.startswith("front_end.mix."):
        read = inputs if block.parameter == "front_end.mix.0.weight" else steps
        taps = block.values.shape[1] // len(read)
        return f"{read[column // taps]} tap {column % taps}"
    if block.parameter == "decoder.known.weight":
        return f"ahead {column}"
    return f"{'c' if block.kind == 'weight_ch' else 'h'}{column}"
