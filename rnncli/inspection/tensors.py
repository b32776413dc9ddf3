"""The tensors of a stored model as blocks: by network, layer, direction and gate. NumPy alone, without torch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnncli.checkpoint import Stored, Tensors
from rnncli.config import schema
from rnncli.config.document import Document
from rnncli.config.load import check as check_config
from rnncli.errors import CheckpointError, ConfigError, Place
from rnncli.model.reference import GATES

Array = np.ndarray
DIRECTIONS = {"forward": "", "backward": "_reverse"}  # and how the names of their weights end
KINDS = ("weight_ih", "weight_hh", "weight_ch", "bias_ih", "bias_hh")


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
    weights = {name.removeprefix("network."): array for name, array in model.tensors.items() if is_weight(name)}
    members = sorted({int(found[1]) for found in map(_MEMBER.match, weights) if found})
    return [(number, _starting(weights, f"members.{number}.")) for number in members] or [(None, weights)]


def _starting(weights: Tensors, start: str) -> Tensors:
    return {name.removeprefix(start): array for name, array in weights.items() if name.startswith(start)}


def parts(settings: dict[str, Any]) -> list[tuple[int, str]]:
    """Layer and direction of every recurrent layer."""
    ways = list(DIRECTIONS)[: 1 + settings["bidirectional"]]
    return [(layer, way) for layer in range(settings["num_layers"]) for way in ways]


def recurrent(weights: Tensors, layer: int, direction: str) -> Tensors:
    """The tensors of a layer in one direction, in double precision, by their kind: ``weight_hh`` and so on."""
    end = f"_l{layer}{DIRECTIONS[direction]}"
    found = {kind: weights.get(f"backbone.{kind}{end}") for kind in KINDS}
    return {kind: array.astype(np.float64) for kind, array in found.items() if array is not None}


def by_gate(array: Array, cell: str) -> dict[str, Array]:
    """The rows of a tensor that belong to each gate."""
    return dict(zip(GATES[cell], np.split(array, len(GATES[cell])), strict=True))


def _blocks(member: int | None, weights: Tensors, settings: dict[str, Any]) -> Iterator[Block]:
    for layer, direction in parts(settings):
        for kind in KINDS:
            name = f"{kind}_l{layer}{DIRECTIONS[direction]}"
            array = weights.get(f"backbone.{name}")
            if array is not None:
                gates = ("o",) if kind == "weight_ch" else GATES[settings["cell"]]
                yield from _by_gate(Block(member, layer, direction, name, kind, None, 0, array), gates)
    for name in sorted(weights):
        if not name.startswith("backbone."):
            yield Block(member, None, None, name, name.rpartition(".")[2], None, 0, weights[name])


def is_weight(name: str) -> bool:
    return name.startswith("network.")


def _by_gate(whole: Block, gates: tuple[str, ...]) -> Iterator[Block]:
    size = len(whole.values) // len(gates)
    for position, gate in enumerate(gates):
        first = position * size
        yield replace(whole, gate=gate, first_row=first, values=whole.values[first : first + size])
