"""``manifest.json``: what a run was made with."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

import rnncli
from rnncli.config import schema
from rnncli.config.load import dump
from rnncli.trained import TrainedModel
from rnncli.training.device import pick_engine


def manifest(
    config: schema.Config, digest: str, device: torch.device, seconds: float, network: nn.Module
) -> dict[str, Any]:
    """Hashes of config and data, versions, device, threads, engine, seconds, parameters."""
    return {
        "config_sha256": hashlib.sha256(dump(config).encode()).hexdigest(),
        "data_sha256": digest,
        "versions": {
            "rnncli": rnncli.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "pandas": pd.__version__,
        },
        "platform": platform.platform(),
        "device": describe(device),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "engine": pick_engine(config.training.engine, device, config.training.precision),
        "precision": config.training.precision,
        "seconds": round(seconds, 3),
        "parameters": parameters(network),
    }


def facts_of(run: Path, model: TrainedModel, made_with: Mapping[str, Any]) -> dict[str, Any]:
    """What ``metrics.json`` says beside scores, of a run that is over; `made_with` is its manifest."""
    share = made_with.get("network_share")
    return {
        "run": str(run),
        "task": model.config.task.kind,
        "device": describe(next(model.network.parameters()).device),
        "parameters": parameters(model.network),
        "epochs": made_with.get("epochs"),
        **({"network_share": share} if isinstance(share, float) else {}),
        "seconds": made_with.get("seconds"),
    }


def parameters(network: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(parameter.numel() for parameter in network.parameters())


def describe(device: torch.device) -> str:
    """A device for people: ``cpu``, or the name of the GPU."""
    return str(device) if device.type == "cpu" else f"{device} ({torch.cuda.get_device_name(device)})"
