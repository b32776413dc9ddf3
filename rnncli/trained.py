"""TrainedModel: everything that predicting, inspecting and exporting need, and its file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rnncli import checkpoint, proof
from rnncli.config import schema
from rnncli.data import clock
from rnncli.data.panel import Columns, Floats
from rnncli.data.scale import Scaler
from rnncli.errors import CheckpointError, Place
from rnncli.model.ensemble import AnyNetwork, Ensemble
from rnncli.model.network import Network
from rnncli.stored import PROOF, RESIDUALS, RESTORE, saved_parts, saved_residuals
from rnncli.tasks.task import Task, task_of


@dataclass(frozen=True)
class TrainedModel:
    """A network with all that belongs to it.

    Attributes:
        config: the resolved config.
        columns: what it reads from a table, with season, frequency and class labels.
        scaler: statistics of the training rows.
        network: on the device that it will run on.
        residuals: (windows, horizon, targets) sorted validation errors of a forecast, see `tasks.intervals`.
        proof: what the network made of some windows when training ended.
    """

    config: schema.Config
    columns: Columns
    scaler: Scaler
    network: AnyNetwork
    residuals: Floats | None = None
    proof: proof.Proof | None = None

    @property
    def task(self) -> Task:
        """The task of this model."""
        return task_of(self.config, self.columns)


def build_network(config: schema.Config, columns: Columns, seed: int) -> AnyNetwork:
    """A network with initial weights, which depend on the seed alone; or as many as ``training.seeds`` says."""
    sizes = task_of(config, columns).sizes()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        members = [Network(config.model, sizes) for _ in range(config.training.seeds)]
    for member in members:
        member.backbone.engine = config.training.engine
    return members[0] if len(members) == 1 else Ensemble(members)


def network_tensors(network: AnyNetwork) -> checkpoint.Tensors:
    """Copies of the weights as NumPy arrays, named ``network.backbone.weight_ih_l0`` and so on."""
    return {f"network.{name}": tensor.detach().cpu().numpy().copy() for name, tensor in network.state_dict().items()}


def load_network(network: AnyNetwork, tensors: checkpoint.Tensors, file: str, *, assign: bool = False) -> None:
    """Put saved weights into a network; with `assign` they become its parameters, wherever it was.

    Raises:
        CheckpointError: unless names, shapes and types are exactly the network's.
    """
    saved = check_weights(network, tensors, file)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in saved.items()}, assign=assign)


def check_weights(
    network: AnyNetwork, tensors: checkpoint.Tensors, file: str, group: str = "network."
) -> checkpoint.Tensors:
    """The saved weights of a group, without its name.

    Raises:
        CheckpointError: unless names, shapes and types are exactly the network's.
    """
    wanted = {f"{group}{name}": tensor for name, tensor in network.state_dict().items()}
    saved = {name: array for name, array in tensors.items() if name.startswith(group)}
    for name in sorted(wanted.keys() | saved.keys()):
        shape = tuple(wanted[name].shape) if name in wanted else None
        found = saved[name].shape if name in saved and saved[name].dtype == np.float32 else None
        if shape != found or shape is None:
            message = f"{name} is {found}, the config's network has {shape}"
            raise CheckpointError(message, RESTORE, Place(file))
    return {name.removeprefix(group): array for name, array in saved.items()}


def model_bytes(
    config: schema.Config,
    columns: Columns,
    scaler: Scaler,
    weights: checkpoint.Tensors,
    residuals: Floats | None = None,
    taken: proof.Proof | None = None,
) -> bytes:
    """The bytes of ``model.safetensors``; unknown residuals are kept as -1, since files hold finite numbers."""
    content = {
        "config": config.model_dump(),
        "columns": asdict(columns),
        "scaler": scaler_content(scaler),
    }
    tensors = weights | scaler_tensors(scaler) | proof.tensors_of(taken)
    if residuals is not None:
        tensors[RESIDUALS] = np.nan_to_num(residuals, nan=-1.0)
    return checkpoint.encode(checkpoint.MODEL, content, tensors)


def scaler_content(scaler: Scaler) -> dict[str, Any]:
    """What is said of a scaler beside its numbers."""
    return {
        "transform": scaler.transform,
        "targets": scaler.targets,
        "ids": [list(key) for key in scaler.ids],
    }


def scaler_tensors(scaler: Scaler) -> checkpoint.Tensors:
    """The scaler's statistics; an undefined seasonal error is kept as zero, since files hold finite numbers."""
    return {
        "scaler.centre": scaler.centre,
        "scaler.spread": scaler.spread,
        "scaler.deviation": scaler.deviation,
        "scaler.seasonal_error": np.nan_to_num(scaler.seasonal_error),
        "scaler.static": scaler.static,
    }


def load_model(run: Path, device: torch.device) -> TrainedModel:
    """Read a run folder's model, or a model file by itself, whatever device it was trained on.

    Raises:
        CheckpointError: unless the file is whole and fits its config.
    """
    path = checkpoint.model_path(run)
    stored = checkpoint.read(path, checkpoint.MODEL)
    config, columns, scaler = saved_parts(stored, str(path))
    if columns.frequency is not None and not clock.is_frequency(columns.frequency, columns.time_format):
        raise CheckpointError(f"damaged: {columns.frequency!r} is not a frequency", RESTORE, Place(str(path)))
    with torch.device("meta"):  # shapes alone, until they are known to be the file's
        network = build_network(config, columns, 0)
    names = {f"network.{name}" for name in network.state_dict()} | set(scaler_tensors(scaler))
    there = {name for name in stored.tensors if name != RESIDUALS and not name.startswith(PROOF)}
    if there != names:
        odd = ", ".join(sorted(there ^ names)[:3])
        raise CheckpointError(f"not the tensors of its config: {odd}", RESTORE, Place(str(path)))
    load_network(network, stored.tensors, str(path), assign=True)
    taken = proof.saved(stored.tensors, task_of(config, columns).sizes(), str(path))
    errors = saved_residuals(stored, config, scaler, str(path))
    return TrainedModel(config, columns, scaler, network.to(device), errors, taken)
