"""A model as numbers that anything reads: a NumPy archive with its script, or rows of CSV."""

from __future__ import annotations

import csv
import io
import json
import runpy
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnncli.checkpoint import MODEL, Stored
from rnncli.errors import OutcomeError
from rnncli.export.description import describe
from rnncli.given import Given
from rnncli.inspection import weight_values
from rnncli.trained import TrainedModel, network_tensors

Array = NDArray[Any]


def npz_bytes(model: TrainedModel) -> bytes:
    """Every weight by its name, and ``description``: a text of JSON."""
    stream = io.BytesIO()
    arrays: dict[str, Any] = {**network_tensors(model.network), "description": np.array(json.dumps(describe(model)))}
    np.savez(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def script_runner(script: Path, archive: Path) -> Callable[[Given], Array]:
    """The network of an archive, as the script beside it computes it."""
    network = runpy.run_path(str(script), run_name="exported")["Exported"](archive).network

    def compute(given: Given) -> Array:
        return network.forward(given.past, given.lengths, given.level, given.static, given.ahead)  # type: ignore[no-any-return]

    return compute


def csv_text(model: TrainedModel) -> str:
    """A row a weight, nine digits each, which are all that float32 has."""
    content = {"config": model.config.model_dump(), "columns": asdict(model.columns)}
    rows = weight_values(Stored(MODEL, content, network_tensors(model.network)))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for number, row in enumerate(rows):
        if not number:
            writer.writerow(row)
        writer.writerow(f"{value:.9g}" if isinstance(value, float) else value for value in row.values())
    return text.getvalue()


def check_csv(model: TrainedModel, lines: Iterable[str]) -> float:
    """0, if the rows hold exactly the network's weights.

    Raises:
        OutcomeError: if they do not.
    """
    found: dict[str, list[str]] = {}
    for row in csv.DictReader(lines):
        member = f"members.{row['member']}." if row["member"] else ""
        part = "backbone." if row["layer"] else ""
        found.setdefault(f"{member}{part}{row['parameter']}", []).append(row["value"])
    wanted = {name: tensor.detach().cpu().numpy() for name, tensor in model.network.state_dict().items()}
    same = found.keys() == wanted.keys() and all(
        np.array_equal(np.array(values, dtype=np.float32), wanted[name].reshape(-1)) for name, values in found.items()
    )
    if not same:
        raise OutcomeError("the rows of CSV are not the network's weights", "nothing is written; please report it")
    return 0.0
