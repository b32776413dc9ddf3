"""Which device, how many threads, and how the C library handles memory meanwhile."""

from __future__ import annotations

import contextlib
import ctypes
import os
from typing import Literal

import torch

from rnncli.config import schema
from rnncli.errors import ResourceError, UsageError
from rnncli.model.engine import native
from rnncli.model.native.kernels import Library
from rnncli.tasks.task import Task
from rnncli.training.direct import DirectGradients
from rnncli.training.gradient import Gradients
from rnncli.training.graph import GraphGradients

# glibc's M_MMAP_THRESHOLD and M_TRIM_THRESHOLD: bytes from which on memory is the system's again as soon as it is free
_THRESHOLDS = {"MALLOC_MMAP_THRESHOLD_": -3, "MALLOC_TRIM_THRESHOLD_": -1}
_FAR, _MOST_OF_OLD = 1 << 30, 1 << 25  # older ones refuse the first
_MANY = 128 * 128 * 64  # hidden^2 * batch size from which a second thread pays


def pick_device(name: str) -> torch.device:
    """The device of ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ResourceError: if there is no CUDA device.
        UsageError: if there is, but not that one.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and not count):
        return torch.device("cpu")
    number = int(name.partition(":")[2] or 0)
    if number >= max(count, 1):
        there = f"there {'is 1 device' if count == 1 else f'are {count} devices'}"
        raise UsageError(f"--device {name}: {there}", "--device auto takes one if it can")
    if not count:
        raise ResourceError(f"--device {name}: no CUDA device here", "use --device cpu, or a torch built for CUDA")
    torch.backends.cudnn.allow_tf32 = False  # fp32 is what the config says
    return torch.device("cuda", number)


def check_precision(precision: str, device: torch.device) -> None:
    """Refuse bf16 where the processor has no arithmetic for it.

    Raises:
        ResourceError: if it has none.
    """
    if precision == "bf16" and device.type == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        raise ResourceError("training.precision: bf16: this processor cannot compute in it", "set it to fp32")


def pick_engine(wanted: str, device: torch.device, precision: str) -> str:
    """Who will compute the recurrence: ``native`` or ``torch``.

    Raises:
        ResourceError: if the native kernels are asked for and cannot be had.
    """
    found = native() if device.type == "cpu" and precision == "fp32" and wanted != "torch" else None
    if isinstance(found, Library):
        return "native"
    if wanted == "native":
        reason = found or f"they are for the CPU in fp32, not for {device} in {precision}"
        raise ResourceError(f"training.engine: native: {reason}", "set it to auto")
    return "torch"


def pick_gradients(task: Task, settings: schema.Training, device: torch.device) -> Gradients:
    """Who computes the gradients: captured graphs on CUDA and native kernels on the CPU, if they may, else autograd."""
    kind: type[Gradients] = Gradients
    if device.type == "cuda" and settings.engine == "auto":
        kind = GraphGradients
    elif pick_engine(settings.engine, device, settings.precision) == "native":
        kind = DirectGradients
    return kind(task, bf16=settings.precision == "bf16")


def set_threads(threads: int | Literal["auto"], model: schema.Model, batch_size: int) -> int:
    """Use as many CPU threads as asked for; small networks are fastest on one.

    The native kernels' results do not depend on it; torch's do, by rounding. ``auto`` leaves OMP_NUM_THREADS to
    decide if it is set.

    Returns:
        how many are in use.
    """
    if threads == "auto":
        if not os.environ.get("OMP_NUM_THREADS"):
            large = model.hidden_size**2 * batch_size >= _MANY
            torch.set_num_threads(min(os.cpu_count() or 1, 4) if large else 1)
    else:
        torch.set_num_threads(threads)
    return torch.get_num_threads()


def keep_memory() -> None:
    """Have glibc keep what a step frees for the next one.

    Else large blocks go back to the system and come again page by page, cleared: for torch's LSTM of 128 units and 256
    windows a step that takes as long as its arithmetic. Other C libraries have no such choice.
    """
    with contextlib.suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for variable, option in _THRESHOLDS.items():
            if variable not in os.environ and not mallopt(option, _FAR):
                mallopt(option, _MOST_OF_OLD)
