"""The weights of a model as it is drawn: a matrix for each kind, layer and direction, with names for its sides."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rnncli.checkpoint import Stored
from rnncli.config.document import Document
from rnncli.config.load import check as check_config
from rnncli.inspection.tensors import Array, Block, blocks, is_weight
from rnncli.inspection.values import input_name, input_names


@dataclass(frozen=True)
class Panel:
    """One matrix: gates one below the other.

    Attributes:
        kind: ``weight_ih``, ``weight_hh``, ``weight_ch`` or ``bias``, which has both biases side by side.
        values: (gates * units, columns).
        gates: names of the row blocks, all of one height.
        columns: what each column multiplies.
    """

    kind: str
    values: Array
    gates: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """The matrices of a layer in one direction."""

    layer: int
    direction: str
    panels: tuple[Panel, ...]


def rows_of(model: Stored) -> list[Row]:
    """What is drawn of a model; of an ensemble its first network."""
    settings = check_config(Document(model.content["config"], {})).model
    inputs = input_names(model.content)
    found: dict[tuple[int, str], dict[str, list[Block]]] = {}
    for block in blocks(model):
        if not block.member and block.layer is not None and block.direction is not None:
            found.setdefault((block.layer, block.direction), {}).setdefault(block.kind, []).append(block)
    rows = []
    for (layer, direction), kinds in found.items():
        panels = []
        for kind, own in kinds.items():
            if not kind.startswith("bias"):
                names = [input_name(own[0], column, inputs, settings) for column in range(own[0].values.shape[1])]
                values = np.concatenate([block.values for block in own])
                gates = tuple(str(block.gate) for block in own)
                panels.append(Panel(kind, values, gates, tuple(str(name) for name in names)))
        biases = [kind for kind in kinds if kind.startswith("bias")]
        if biases:
            both = np.stack([np.concatenate([block.values for block in kinds[kind]]) for kind in biases], axis=1)
            panels.append(Panel("bias", both, panels[0].gates, tuple(kind.removeprefix("bias_") for kind in biases)))
        rows.append(Row(layer, direction, tuple(panels)))
    return rows


def less(model: Stored, other: Stored) -> Stored:
    """A model of the same shape that holds other - model."""
    return replace(
        model,
        tensors={
            name: other.tensors[name] - array if is_weight(name) else array for name, array in model.tensors.items()
        },
    )


def limit(rows: list[Row]) -> float:
    """The weight with the strongest colour: 99.5 per cent are below it, so that a few large ones hide no other."""
    every = np.concatenate([np.abs(panel.values).ravel() for row in rows for panel in row.panels])
    return float(np.quantile(every, 0.995)) or float(every.max()) or 1.0
