"""Units one by one: how long each remembers, how much it reads and is read, and which do no work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rnncli.checkpoint import Stored, Tensors
from rnncli.inspection.statistics import finite, half_lives
from rnncli.inspection.tensors import Array, networks, parts, recurrent

NEGLIGIBLE = 1e-3  # a weight, or a change of an output, that is none
ALIKE = 0.999  # cosine from which the weights of two units say the same


def unit_rows(model: Stored) -> list[dict[str, Any]]:
    """A row a unit, from its weights alone.

    Norms are of the weights by which a unit reads the layer below (``incoming``) and the states (``recurrent``), and of
    those by which it is read: by the states, the layer above, the head (``outgoing``). A unit is dead if all
    of the former, or all of the latter, are below 1e-3: it is ``blind`` or ``unread``. It duplicates an earlier one if
    the cosine between what both read, and between how both are read, is above 0.999.
    """
    settings = model.content["config"]["model"]
    return [row for member, weights in networks(model) for row in _network_rows(member, weights, settings)]


def _network_rows(member: int | None, weights: Tensors, settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    memory = half_lives(weights, settings)
    for layer, direction in parts(settings):
        own = recurrent(weights, layer, direction)
        size = settings["hidden_size"]
        below, states = by_unit(own["weight_ih"], size), by_unit(own["weight_hh"], size)
        if "weight_ch" in own:
            states = np.concatenate([states, own["weight_ch"]], axis=1)
        biases = [by_unit(own[kind][:, None], size) for kind in ("bias_ih", "bias_hh") if kind in own]
        readers = outgoing(weights, settings, layer, direction)
        alike = _alike(np.concatenate([below, states, *biases], axis=1)) & _alike(readers.T)
        read = np.maximum(np.abs(below).max(1), np.abs(states).max(1))
        for unit in range(size):
            twins = np.flatnonzero(alike[unit, :unit])
            yield {
                "member": member,
                "layer": layer,
                "direction": direction,
                "unit": unit,
                "incoming": float(np.linalg.norm(below[unit])),
                "recurrent": float(np.linalg.norm(states[unit])),
                "outgoing": float(np.linalg.norm(readers[:, unit])),
                "half_life": finite(memory[layer, direction][unit]) if memory else None,
                "dead": _dead(float(read[unit]), float(np.abs(readers[:, unit]).max())),
                "duplicate_of": int(twins[0]) if len(twins) else None,
            }


def _dead(read: float, readers: float) -> str | None:
    return "unread" if readers < NEGLIGIBLE else "blind" if read < NEGLIGIBLE else None


def by_unit(array: Array, size: int) -> Array:
    """(units, gates * columns) of (gates * units, columns)."""
    return array.reshape(-1, size, array.shape[1]).transpose(1, 0, 2).reshape(size, -1)


def outgoing(weights: Tensors, settings: dict[str, Any], layer: int, direction: str) -> Array:
    """(readers, units) all weights that multiply the output of a layer in one direction, or its carry."""
    size, ways = settings["hidden_size"], 1 + settings["bidirectional"]
    first = size * (direction == "backward")
    own = recurrent(weights, layer, direction)
    found = [own[kind] for kind in ("weight_hh", "weight_ch") if kind in own]
    if layer + 1 < settings["num_layers"]:
        above = [recurrent(weights, layer + 1, way)["weight_ih"] for _, way in parts(settings)[:ways]]
        return np.concatenate([*found, *(matrix[:, first : first + size] for matrix in above)])
    states = size * ways
    for name in ("head.weight", "ahead.state.weight", "readout.mix.weight", "decoder.out.weight"):
        if name in weights:
            # the mean and the maximum of the states stand side by side
            features = weights[name].astype(np.float64)
            several = settings["readout"] == "mean_max" and not name.startswith("readout")
            for start in range(first, states * (1 + several), states):
                found.append(features[:, start : start + size])
    return np.concatenate(found)


def _alike(vectors: Array) -> Array:
    """(units, units) whether the cosine of two units' vectors is near 1; those that are nothing are like none."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > NEGLIGIBLE)
    return np.asarray(unit @ unit.T > ALIKE)
