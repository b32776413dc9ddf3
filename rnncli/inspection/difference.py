"""What two models of one shape have learned differently, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rnncli.checkpoint import Stored
from rnncli.errors import CheckpointError, Place
from rnncli.inspection.tensors import Block, blocks, is_weight, networks


def differences(model: Stored, other: Stored, file: str, other_file: str) -> list[dict[str, Any]]:
    """A row for every block: the norms of both, of other - model, that relative to the model's, and the cosine.

    Raises:
        CheckpointError: if the models are not alike in cell, parameters or shapes; it names the first difference.
    """
    _check_alike(model, other, file, other_file)
    return list(_rows(model, other))


def _check_alike(model: Stored, other: Stored, file: str, other_file: str) -> None:
    counts = [len(networks(stored)) for stored in (model, other)]
    cells = [stored.content["config"]["model"]["cell"] for stored in (model, other)]
    shapes = [_shapes(stored) for stored in (model, other)]
    if cells[0] != cells[1]:
        what = f"its cell is {cells[1]}, that of {file} is {cells[0]}"
    elif counts[0] != counts[1]:
        what = f"it holds {counts[1]} networks, {file} {counts[0]}"
    else:
        names = [name for name in sorted({*shapes[0], *shapes[1]}) if shapes[0].get(name) != shapes[1].get(name)]
        if not names:
            return
        first, second = ("absent" if name is None else name for name in (own.get(names[0]) for own in shapes))
        what = f"{names[0]} is {second}, in {file} {first}"
        what += f", and {len(names) - 1} more differ" if len(names) > 1 else ""
    raise CheckpointError(what, "--diff compares models of one shape", Place(other_file))


def _shapes(stored: Stored) -> dict[str, str]:
    """Shapes of the weights by their names, for people."""
    return {
        name.removeprefix("network.").removeprefix("backbone."): "x".join(map(str, array.shape))
        for name, array in stored.tensors.items()
        if is_weight(name)
    }


def _rows(model: Stored, other: Stored) -> Iterator[dict[str, Any]]:
    for one, two in zip(blocks(model), blocks(other), strict=True):
        yield {
            "member": one.member,
            "layer": one.layer,
            "direction": one.direction,
            "parameter": one.parameter,
            "gate": one.gate,
            "shape": list(one.values.shape),
            **_compared(one, two),
        }


def _compared(one: Block, two: Block) -> dict[str, float | None]:
    first, second = (block.values.astype(np.float64).ravel() for block in (one, two))
    norm, other_norm = float(np.linalg.norm(first)), float(np.linalg.norm(second))
    difference = float(np.linalg.norm(second - first))
    return {
        "norm": norm,
        "other_norm": other_norm,
        "difference": difference,
        "relative": difference / norm if norm else None,
        "cosine": float(first @ second) / (norm * other_norm) if norm and other_norm else None,
    }
