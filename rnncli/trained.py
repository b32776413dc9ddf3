"""TrainedModel: everything that predicting, inspecting and exporting need, and its file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rnncli import checkpoint
from rnncli.config import schema
from rnncli.config.document import Document
from rnncli.config.load import check
from rnncli.data.panel import Columns
from rnncli.data.scale import Scaler
from rnncli.errors import CheckpointError, ConfigError, Place
from rnncli.model.network import Network
from rnncli.tasks.task import TASKS, Task


@dataclass(frozen=True)
class TrainedModel:
    """A network with all that belongs to it.

    Attributes:
        config: the resolved config.
        columns: what it reads from a table, with season, frequency and class labels.
        scaler: statistics of the training rows.
        network: on the device that it will run on.
    """

    config: schema.Config
    columns: Columns
    scaler: Scaler
    network: Network

    @property
    def task(self) -> Task:
        """The task of this model."""
        return TASKS[self.config.task.kind]


def build_network(config: schema.Config, columns: Columns, seed: int) -> Network:
    """A network with initial weights, which depend on the seed alone."""
    inputs, outputs, levels = TASKS[config.task.kind].sizes(config, columns)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(config.model, inputs, outputs, levels)


def network_tensors(network: Network) -> checkpoint.Tensors:
    """Copies of the weights as NumPy arrays, named ``network.backbone.weight_ih_l0`` and so on."""
    return {f"network.{name}": tensor.detach().cpu().numpy().copy() for name, tensor in network.state_dict().items()}


def load_network(network: Network, tensors: checkpoint.Tensors, file: str) -> None:
    """Put saved weights into a network.

    Raises:
        CheckpointError: unless names, shapes and types are exactly the network's.
    """
    wanted = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    saved = {name: array for name, array in tensors.items() if name.startswith("network.")}
    for name in sorted(wanted.keys() | saved.keys()):
        shape = tuple(wanted[name].shape) if name in wanted else None
        found = saved[name].shape if name in saved and saved[name].dtype == np.float32 else None
        if shape != found or shape is None:
            message = f"{name} is {found}, the config's network has {shape}"
            raise CheckpointError(message, "train again, or restore the file", Place(file))
    network.load_state_dict({name.removeprefix("network."): torch.from_numpy(array) for name, array in saved.items()})


def model_bytes(config: schema.Config, columns: Columns, scaler: Scaler, weights: checkpoint.Tensors) -> bytes:
    """The bytes of ``model.safetensors``."""
    content = {
        "config": config.model_dump(),
        "columns": asdict(columns),
        "scaler": scaler_content(scaler),
    }
    return checkpoint.encode(checkpoint.MODEL, content, weights | scaler_tensors(scaler))


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
    }


def load_model(run: Path, device: torch.device) -> TrainedModel:
    """Read a run folder's model, or a model file by itself, whatever device it was trained on.

    Raises:
        CheckpointError: unless the file is whole and fits its config.
    """
    path = checkpoint.model_path(run)
    stored = checkpoint.read(path, checkpoint.MODEL)
    try:
        config = check(Document(stored.content["config"], {}))
        columns = _columns(stored.content["columns"])
        scaler = saved_scaler(stored, config.scale)
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise CheckpointError(f"damaged: {error}", "train again, or restore the file", Place(str(path))) from None
    network = build_network(config, columns, 0)
    load_network(network, stored.tensors, str(path))
    return TrainedModel(config, columns, scaler, network.to(device))


def _columns(saved: dict[str, Any]) -> Columns:
    lists: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in saved.items()}
    return Columns(**lists)


def saved_scaler(stored: checkpoint.Stored, settings: schema.Scale) -> Scaler:
    """The scaler of a file that holds one."""
    saved = stored.content["scaler"]
    seasonal = stored.tensors["scaler.seasonal_error"]
    return Scaler(
        settings=settings,
        transform=saved["transform"],
        targets=saved["targets"],
        ids=tuple(tuple(key) for key in saved["ids"]),
        centre=stored.tensors["scaler.centre"],
        spread=stored.tensors["scaler.spread"],
        deviation=stored.tensors["scaler.deviation"],
        seasonal_error=np.where(seasonal > 0, seasonal, np.nan),
    )
