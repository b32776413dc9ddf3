"""The run folder: its lock, its files, and what an interrupted run left in it."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rnncli import checkpoint, durable
from rnncli.errors import CheckpointError, Place, ResourceError

CONFIG, HISTORY, METRICS, MANIFEST = "config.yaml", "history.csv", "metrics.json", "manifest.json"
MODEL, LAST, PREVIOUS = checkpoint.MODEL_FILE, "last.safetensors", "prev.safetensors"
LOCK = ".lock"
HISTORY_COLUMNS = ("epoch", "train_loss", "validation_loss", "learning_rate", "skipped_updates")
A_RUN, _PERMISSIONS = "is this a finished run of rnncli train?", "look at its permissions"
AGAIN = "rnncli train --resume writes it again"
FILES = (LAST, PREVIOUS, MODEL, HISTORY, METRICS, MANIFEST, CONFIG)  # removed in this order: states before their config


def refuse_existing(folder: Path) -> None:
    """Refuse to write over another run.

    Raises:
        ResourceError: if the path is a file or holds a run.
    """
    if folder.exists() and not folder.is_dir():
        raise ResourceError("is a file", "name another folder: --out DIR", Place(str(folder)))
    if any((folder / name).exists() for name in FILES):
        hint = "--overwrite replaces it, --resume goes on with it, --out DIR takes another folder"
        raise ResourceError("holds a run already", hint, Place(str(folder)))


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Create the folder if need be and keep other processes out of it.

    Raises:
        ResourceError: if it cannot be written, or another process trains in it.
    """
    lock = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _lock(lock)
    except OSError as error:
        raise ResourceError(f"cannot write: {error.strerror}", "name another folder", Place(str(folder))) from None
    try:
        durable.clean(folder)
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _lock(path: Path) -> int:
    """A descriptor that holds the lock file; the file of a process that is gone is taken over."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise ResourceError(
                f"locked by pid {owner}", "another rnncli trains in it", Place(str(path.parent))
            ) from None
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == os.stat(path).st_ino:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
                return descriptor
        os.close(descriptor)  # its last owner removed it in between


def empty(folder: Path, keep: Sequence[str] = ()) -> None:
    """Remove the files of an older run, except those to keep."""
    for name in (name for name in FILES if name not in keep):
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise ResourceError(f"cannot remove: {error.strerror}", place=Place(str(folder / name))) from None


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON document atomically."""
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)
    durable.write(path, f"{text}\n".encode(errors="surrogateescape"))


def write_history(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write ``history.csv``, a row an epoch."""
    if not rows:
        return
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, HISTORY_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    durable.write(folder / HISTORY, text.getvalue().encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON document of a run.

    Raises:
        CheckpointError: if it is not there or not JSON.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise CheckpointError("no such file", A_RUN, Place(str(path))) from None
    except PermissionError as error:
        raise ResourceError(f"cannot read: {error.strerror}", _PERMISSIONS, Place(str(path))) from None
    except OSError as error:
        raise CheckpointError(f"cannot be read: {error.strerror}", A_RUN, Place(str(path))) from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"damaged: not JSON: {error}", AGAIN, Place(str(path))) from None
    if not isinstance(value, dict):
        raise CheckpointError("damaged: not a JSON object", AGAIN, Place(str(path)))
    return value


def newest_state(folder: Path) -> tuple[checkpoint.Stored | None, str | None]:
    """The newest training state that is whole, and a warning if it is not the last one, which is then removed.

    Raises:
        CheckpointError: if there are states and none is whole, or the last one is older than the one before it.
    """
    problem: CheckpointError | None = None
    for name in (LAST, PREVIOUS):
        path = folder / name
        if not path.exists():
            continue
        try:
            stored = checkpoint.read(path, checkpoint.STATE)
        except CheckpointError as error:
            problem = problem or error
            continue
        if problem is None:
            _refuse_older(stored, folder)
            return stored, None
        (folder / LAST).unlink()  # or the next save would keep it as the previous generation
        return stored, f"{problem}; going on from {name}"
    if problem:
        raise problem
    return None, None


def _refuse_older(last: checkpoint.Stored, folder: Path) -> None:
    """A state that was copied over a later one is not gone on from, whatever the times of the files say."""
    try:
        before = _progress(checkpoint.read(folder / PREVIOUS, checkpoint.STATE))
    except (CheckpointError, ResourceError):
        return
    now = _progress(last)
    if now and before and now < before:
        message = f"is at epoch {now[0]}, step {now[1]}; {PREVIOUS} is later, at epoch {before[0]}, step {before[1]}"
        raise CheckpointError(message, f"remove it to go on from {PREVIOUS}", Place(str(folder / LAST)))


def _progress(stored: checkpoint.Stored) -> tuple[int, int] | None:
    """Epochs and steps of a state."""
    counters = stored.content.get("counters")
    if not isinstance(counters, dict):
        return None
    epoch, step = counters.get("epoch"), counters.get("step")
    return (epoch, step) if isinstance(epoch, int) and isinstance(step, int) else None
