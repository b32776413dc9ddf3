"""The state of a stream as a file: saved as checkpoints are, so that a pipeline stops and goes on to the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from rnncli import checkpoint, durable
from rnncli.errors import CheckpointError, Place
from rnncli.stream.clock import as_text, from_text
from rnncli.stream.follow import Follower

KIND = "stream state"
_HINT = "begin without --state-in, or take the state of this model and these options"


def save(path: Path, follower: Follower) -> None:
    """Write the state as it is after the rows that were answered.

    Raises:
        ResourceError: if the disk does not take it.
    """
    series = follower.series
    count = len(series.ids)
    tensors = {f"memory.{name}": part[:count] for name, part in series.memory.items()}
    tensors |= {"newest": series.newest[:count], "alpha": series.alpha[:count]}
    for name, part in (("point", series.point[:count]), ("static", series.static[:count])):
        known = ~np.isnan(part)
        tensors |= {name: np.where(known, part, 0.0), f"{name}.known": known.astype(np.uint8)}
    content = {
        "model": follower.model.sha256,
        "asked": _asked(follower),
        "engine": follower.network.engine,
        "header": list(follower.intake.header),
        "rows": follower.rows,
        "written": follower.written,
        "ids": [list(key) for key in series.ids],
        "times": [as_text(time) for time in series.times],
        "slots": [[list(key), slot] for key, slot in series.slots.items()],
    }
    durable.write(path, checkpoint.encode(KIND, content, tensors))


def _asked(follower: Follower) -> dict[str, Any]:
    """The options on which the state depends."""
    return {"levels": list(follower.wanted.levels), "context": follower.wanted.context}


def restore(path: Path, follower: Follower) -> str | None:
    """Put a saved state back.

    Returns:
        what the user should know, if anything.

    Raises:
        CheckpointError: if the file is damaged, or its state is not of this model and these options.
    """
    stored = checkpoint.read(path, KIND)
    content, place = stored.content, Place(str(path))
    if content.get("model") != follower.model.sha256:
        raise CheckpointError("the state of another model", _HINT, place)
    if content.get("asked") != _asked(follower):
        raise CheckpointError(
            f"it was saved with other options: {json.dumps(content.get('asked'))}"[:200], _HINT, place
        )
    try:
        _restore(stored, follower)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"damaged: {error}"[:200], _HINT, place) from None
    if content["engine"] != follower.network.engine:
        return f"the state was made by the {content['engine']} engine: answers go on, but not to the same bits"
    return None


def _restore(stored: checkpoint.Stored, follower: Follower) -> None:
    content, series = stored.content, follower.series
    ids = [tuple(map(str, key)) for key in content["ids"]]
    slots = {tuple(map(str, key)): int(slot) for key, slot in content["slots"]}
    times = [from_text(text) for text in content["times"]]
    if len(times) != len(ids) or not all(0 <= slot < len(ids) for slot in slots.values()):
        raise ValueError("its series do not fit each other")
    wide = [tuple(follower.model.columns.targets)] if follower.model.columns.wide else []
    for key in slots:
        series.add(key, *wide)
    if series.ids != ids or series.slots != slots:
        raise ValueError("its series do not fit the model")
    count = len(ids)
    series.times[:] = times
    for name, part in series.memory.items():
        part[:count] = _like(stored.tensors[f"memory.{name}"], part[:count], name)
    series.newest[:count] = _like(stored.tensors["newest"], series.newest[:count], "newest")
    series.alpha[:count] = _like(stored.tensors["alpha"], series.alpha[:count], "alpha")
    for name, whole in (("point", series.point), ("static", series.static)):
        known = stored.tensors[f"{name}.known"].astype(bool)
        whole[:count] = np.where(known, _like(stored.tensors[name], whole[:count], name), np.nan)
    follower.rows, follower.written = int(content["rows"]), int(content["written"])
    follower.intake.begin([str(name) for name in content["header"]], 1)


def _like(found: np.ndarray, wanted: np.ndarray, name: str) -> np.ndarray:
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        raise ValueError(f"{name} is {found.dtype} {found.shape}, not {wanted.dtype} {wanted.shape}")
    return found
