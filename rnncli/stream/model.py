"""A trained model as a stream needs it: read without torch, with the way in which it can answer row by row.

A model whose recurrence reads the rows themselves, forward alone, and whose head reads the newest state **carries** its
state from the first row of a series on: one step a row. A model that reads something else of a window (a level that is
taken off, segments, filters, a path around the recurrence, means over steps) answers from the **window** of the newest
`window.context` rows, which is computed again for every row, as ``predict`` does.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rnncli import checkpoint
from rnncli.config import schema
from rnncli.data.panel import Columns, Floats
from rnncli.data.scale import Scaler
from rnncli.errors import CheckpointError, Place, UsageError
from rnncli.model.portable import Portable, PortableMean, build
from rnncli.model.shapes import Shapes, weight_shapes
from rnncli.stored import PROOF, RESIDUALS, RESTORE, SCALER_TENSORS, saved_parts, saved_residuals
from rnncli.stream.clock import fits
from rnncli.tasks.task import Task, task_of

_GROUP = "network."


@dataclass(frozen=True)
class StreamModel:
    """A model that answers row by row.

    Attributes:
        config, columns, scaler, residuals: as in ``TrainedModel``.
        task: what is asked of it.
        networks: one, or the members of an ensemble.
        sha256: of the model's file.
    """

    config: schema.Config
    columns: Columns
    scaler: Scaler
    residuals: Floats | None
    task: Task
    networks: list[Portable]
    sha256: str


def load_stream_model(run: Path) -> StreamModel:
    """Read a run folder's model, or a model file, without torch.

    Raises:
        CheckpointError: unless the file is whole and fits its config.
    """
    path = checkpoint.model_path(run)
    stored = checkpoint.read(path, checkpoint.MODEL)
    config, columns, scaler = saved_parts(stored, str(path))
    task = task_of(config, columns)
    file, sizes = str(path), task.sizes()
    _check_tensors(stored.tensors, weight_shapes(config.model, sizes), config.training.seeds, file)
    if not fits(columns):
        raise CheckpointError(f"damaged: {columns.frequency!r} is not a frequency", RESTORE, Place(file))
    weights = {name.removeprefix(_GROUP): part for name, part in stored.tensors.items() if name.startswith(_GROUP)}
    network = build(config.model, sizes, weights)
    found = list(network.members) if isinstance(network, PortableMean) else [network]
    digest = hashlib.sha256()
    for name in sorted(stored.tensors):
        digest.update(name.encode() + stored.tensors[name].tobytes())
    residuals = saved_residuals(stored, config, scaler, file)
    return StreamModel(config, columns, scaler, residuals, task, found, digest.hexdigest())


def _check_tensors(tensors: checkpoint.Tensors, shapes: Shapes, members: int, file: str) -> None:
    """Refuse a file that does not hold exactly the weights of its config.

    Raises:
        CheckpointError: naming one that is not as it should be.
    """
    starts = [_GROUP] if members == 1 else [f"{_GROUP}members.{number}." for number in range(members)]
    wanted = {f"{start}{name}": shape for start in starts for name, shape in shapes.items()}
    others = {name for name in tensors if name in (*SCALER_TENSORS, RESIDUALS) or name.startswith(PROOF)}
    for name in sorted(wanted.keys() | tensors.keys() - others):
        part = tensors.get(name)
        if part is None or part.dtype != np.float32 or part.shape != wanted.get(name):
            message = f"not the tensors of its config: {name}"
            raise CheckpointError(message, RESTORE, Place(file))


def carries(config: schema.Config) -> bool:
    """Whether a model's answer follows from a state that is carried from row to row."""
    settings = config.model
    return (
        not settings.bidirectional
        and settings.front_end == "none"
        and settings.segment is None
        and settings.decoder == "direct"
        and settings.skip == "none"
        and (settings.readout == "last" or config.task.kind == "tagging")
        and (config.window.normalise == "none" or config.window.origins == "every")
    )


def check_streams(config: schema.Config, columns: Columns) -> None:
    """Refuse a model that cannot answer rows as they come.

    Raises:
        UsageError: with the reason.
    """
    reason = hindrance(config, columns)
    if reason is not None:
        raise UsageError(f"--follow: {reason}", "predict without --follow reads whole files")


def hindrance(config: schema.Config, columns: Columns) -> str | None:
    """Why a model cannot answer rows as they come; None if it can."""
    if config.model.bidirectional:
        return "model.bidirectional reads every series from its end, which a stream has not"
    if columns.future:
        return f"data.future: {columns.future[0]} of the rows to come is not known when a row is answered"
    if config.data.irregular == "resample":
        return "data.irregular: resample gathers rows that are still to come"
    if carries(config):
        return None
    if config.window.context == "full":
        return "the whole of a series would be read again for every row; window.context must be a number of rows"
    if config.task.kind == "tagging":
        return "model.front_end and model.segment of a tagger read rows around each row"
    return None
