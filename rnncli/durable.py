"""Files that are whole on the disk at every moment, whatever happens to the process or the machine."""

from __future__ import annotations

import os
from pathlib import Path

from rnncli.errors import Place, ResourceError

TEMPORARY = ".rnncli-tmp-"


def write(path: Path, raw: bytes, previous: Path | None = None) -> None:
    """Replace the file at `path`, so that at every moment the old or the new one is whole on the disk.

    Args:
        previous: where the file that is replaced stays as an older generation.

    Raises:
        ResourceError: if the disk does not take it; the old file is then untouched.
    """
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    try:
        _write_through(temporary, raw)
        if previous is not None and path.exists():
            _link(path, previous)
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ResourceError(f"cannot write: {_reason(error, path, len(raw))}", place=Place(str(path))) from None


def clean(folder: Path) -> None:
    """Remove temporary files that a killed process left; the folder must be locked."""
    for left in folder.glob(f"{TEMPORARY}*"):
        left.unlink(missing_ok=True)


def _write_through(path: Path, raw: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with open(descriptor, "wb", closefd=True) as stream:
        stream.write(raw)
        stream.flush()
        os.fsync(descriptor)


def _link(path: Path, previous: Path) -> None:
    """Let `previous` name the file at `path`, in one step."""
    temporary = previous.with_name(f"{TEMPORARY}{os.getpid()}-{previous.name}")
    temporary.unlink(missing_ok=True)
    os.link(path, temporary)
    try:
        os.replace(temporary, previous)
    finally:  # renaming a link over another to the same file leaves both
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError, path: Path, needed: int) -> str:
    reason = error.strerror or str(error)
    try:
        status = os.statvfs(path.parent)
    except OSError:
        return reason
    return f"{reason}: {needed:,} bytes needed, {status.f_bavail * status.f_frsize:,} free"
