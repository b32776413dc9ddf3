"""What happens between two steps of training: states are saved when due, signals and the budget are heeded."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from rnncli import checkpoint, durable
from rnncli.config import schema
from rnncli.data.panel import Columns
from rnncli.data.scale import Scaler
from rnncli.errors import CheckpointError, Interrupted, Place, ResourceError
from rnncli.model.engine import native
from rnncli.model.native.kernels import Library
from rnncli.trained import check_weights, load_network, model_bytes, network_tensors, scaler_content, scaler_tensors
from rnncli.training import folder as run_folder
from rnncli.training.average import Weights
from rnncli.training.interrupt import EXIT_CODES, Caught
from rnncli.training.request import Request
from rnncli.training.state import FitState

COUNTERS = (
    "epoch", "step", "loss_sum", "loss_count", "best_loss", "best_epoch", "share", "lowest", "stale",
    "cuts", "skipped", "skipped_total", "history",
)  # fmt: skip
MAX_FAILED_SAVES = 3


@dataclass
class Session:
    """One process's share of a training run."""

    config: schema.Config
    columns: Columns
    scaler: Scaler
    digest: str
    request: Request
    warn: Callable[[str], None]
    seconds_before: float = 0.0
    started: float = field(default_factory=time.monotonic)
    saved: float = field(default_factory=time.monotonic)
    failures: int = 0

    def seconds(self) -> float:
        """Time spent on the run, in all processes."""
        return self.seconds_before + time.monotonic() - self.started

    def between_steps(self, state: FitState, caught: Caught) -> bool:
        """Save if it is time to, and say whether training may go on.

        Raises:
            Interrupted: if a signal has come; the state is saved.
            ResourceError: if saving failed three times in a row.
        """
        if caught.signal is not None:
            self.save(state)
            self.heed(state, caught)
        if time.monotonic() - self.saved >= self.request.save_every:
            self._try_save(state)
        if self.request.budget is None or time.monotonic() - self.started < self.request.budget:
            return True
        self.warn(
            f"the budget of {round(self.request.budget, 1):g} s is spent: training ends in epoch {state.epoch + 1}"
        )
        return False

    def heed(self, state: FitState, caught: Caught) -> None:
        """Stop if a signal has come; the state is saved.

        Raises:
            Interrupted: if one has.
        """
        if caught.signal is None:
            return
        command = f"rnncli train --resume {shlex.quote(str(self.request.folder))}"
        message = f"{caught.signal.name}: saved at epoch {state.epoch + 1}; {command} goes on"
        raise Interrupted(message, EXIT_CODES[caught.signal])

    def _try_save(self, state: FitState) -> None:
        try:
            self.save(state)
            self.failures = 0
        except ResourceError as error:
            self.failures += 1
            if self.failures >= MAX_FAILED_SAVES or not self.request.folder.is_dir():
                raise
            self.saved = time.monotonic()
            self.warn(f"{error}; training goes on")

    def save_what_is_good(self, state: FitState) -> None:
        """Save after training has diverged, unless the state is not finite itself or the disk does not take it."""
        vectors = [*state.network.state_dict().values(), state.optimizer.first, state.optimizer.second]
        if all(bool(torch.isfinite(vector).all()) for vector in vectors):
            with contextlib.suppress(ResourceError):  # divergence is what there is to tell
                self.save(state)

    def save(self, state: FitState) -> None:
        """Save the best model so far, the history and the training state.

        Raises:
            ResourceError: if the disk does not take it.
        """
        folder = self.request.folder
        if state.best:
            weights = {f"network.{name}": tensor.cpu().numpy() for name, tensor in state.best.items()}
            raw = model_bytes(self.config, self.columns, self.scaler, weights)
            durable.write(folder / run_folder.MODEL, raw)
        run_folder.write_history(folder, state.history)
        durable.write(folder / run_folder.LAST, self._encode(state), folder / run_folder.PREVIOUS)
        self.saved = time.monotonic()

    def _encode(self, state: FitState) -> bytes:
        tensors = network_tensors(state.network) | scaler_tensors(self.scaler)
        for group, weights in _kept(state):
            tensors |= {f"{group}{name}": tensor.cpu().numpy() for name, tensor in weights.items()}
        tensors |= {
            "optimizer.first": state.optimizer.first.cpu().numpy(),
            "optimizer.second": state.optimizer.second.cpu().numpy(),
        }
        content = {
            "config": self.config.model_dump(),
            "columns": asdict(self.columns),
            "scaler": scaler_content(self.scaler),
            "data": self.digest,
            "machine": machine(),
            "seconds": self.seconds(),
            "updates": state.optimizer.updates,
            "counters": {name: getattr(state, name) for name in COUNTERS},
        }
        return checkpoint.encode(checkpoint.STATE, content, tensors)

    def restore(self, stored: checkpoint.Stored, state: FitState) -> None:
        """Put a saved state back.

        Raises:
            CheckpointError: if it does not fit the network.
        """
        file = str(self.request.folder / run_folder.LAST)
        content, tensors = stored.content, stored.tensors
        load_network(state.network, tensors, file)
        device = state.optimizer.first.device
        try:
            for name in COUNTERS:
                setattr(state, name, _like(getattr(state, name), content["counters"][name], name))
            state.optimizer.updates = _like(0, content["updates"], "updates")
            for name in ("first", "second"):
                vector, array = getattr(state.optimizer, name), tensors[f"optimizer.{name}"]
                if array.shape != tuple(vector.shape) or array.dtype != np.float32:
                    raise ValueError(f"optimizer.{name} is not of this network")
                vector.copy_(torch.from_numpy(array))
            self.seconds_before = float(content["seconds"])
            other = content["machine"] != machine()
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"damaged: {error}", place=Place(file)) from None

        def kept(group: str) -> Weights:
            found = check_weights(state.network, tensors, file, group)
            return {name: torch.from_numpy(np.array(array)).to(device) for name, array in found.items()}

        state.best = kept("best.") if any(name.startswith("best.") for name in tensors) else {}
        state.mean = kept("mean.") if any(name.startswith("mean.") for name in tensors) else {}
        if other:
            self.warn("the run began with another torch or processor: it goes on, but not to the same bits")


def _kept(state: FitState) -> Iterator[tuple[str, Weights]]:
    """The weights that a state keeps beside the network's, by what their names begin with."""
    yield "best.", state.best
    yield "mean.", state.mean


def _like(initial: Any, value: Any, name: str) -> Any:
    """A saved counter, if it is of the type that it began with."""
    kinds = (type(None), float) if initial is None else (type(initial),)
    rows = value if name == "history" and isinstance(value, list) else []
    if type(value) not in kinds or any(set(row) != set(run_folder.HISTORY_COLUMNS) for row in rows):
        raise ValueError(f"{name} is {value!r}"[:60])
    return value


def machine() -> dict[str, Any]:
    """What bit-equal results depend on beside config and data."""
    kernels = native()
    return {
        "torch": torch.__version__,
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "kernels": kernels.name if isinstance(kernels, Library) else None,
    }
