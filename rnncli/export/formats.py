"""What a model can be exported as; FORMATS holds how."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rnncli import durable
from rnncli.errors import MissingExtraError, Place, ResourceError, UsageError
from rnncli.trained import TrainedModel

Files = Sequence[Path]
Write = Callable[[TrainedModel, Files, Files], float]  # writes drafts of files and checks them; the largest error


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        endings: of the names of its files, the first of the one that is named.
        write: writes and checks them.
    """

    endings: tuple[str, ...]
    write: Write


@dataclass(frozen=True)
class Export:
    """What was written, and how far it is from torch: the largest error of a scaled output."""

    files: tuple[str, ...]
    bytes: int
    error: float


def check_installed() -> None:
    """See that the extra for ONNX is there.

    Raises:
        MissingExtraError: if it is not.
    """
    if any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxruntime")):
        raise MissingExtraError("ONNX needs onnx and onnxruntime", "pip install 'rnncli[export]'")


def export(model: TrainedModel, kind: str, out: Path, *, overwrite: bool = False) -> Export:
    """Write a model in another format, checked against torch before it gets its name.

    Args:
        model: on the CPU.
        kind: a key of FORMATS.

    Raises:
        UsageError: for a name with another ending.
        ResourceError: if there is such a file already, or it cannot be written.
        OutcomeError: if what was written does not compute what torch computes; then no file is left.
    """
    files = names(kind, out)
    refuse(files, overwrite=overwrite)
    with _drafts(files) as drafts:
        error = FORMATS[kind].write(model, drafts, files)
        size = sum(draft.stat().st_size for draft in drafts)
        for draft, file in zip(drafts, files, strict=True):
            try:
                os.replace(draft, file)
            except OSError as problem:
                raise ResourceError(f"cannot write: {problem.strerror}", place=Place(str(file))) from None
    return Export(tuple(map(str, files)), size, error)


def names(kind: str, out: Path) -> tuple[Path, ...]:
    """The files of an export that is to be called `out`."""
    ending, *beside = FORMATS[kind].endings
    if out.suffix != ending:
        raise UsageError(f"--out {out}: a file of --format {kind} ends in {ending}", f"--out {out}{ending}")
    return (out, *(out.with_suffix(other) for other in beside))


def refuse(files: tuple[Path, ...], *, overwrite: bool) -> None:
    """Refuse to write where there is something already, or no folder."""
    taken = "--overwrite replaces it, --out FILE takes another name"
    for file in files:
        if not file.parent.is_dir():
            raise ResourceError("no such folder", "make it first", Place(str(file.parent)))
        if file.is_dir():
            raise ResourceError("is a folder", "name a file: --out FILE", Place(str(file)))
        if file.exists() and not overwrite:
            raise ResourceError("is there already", taken, Place(str(file)))


@contextlib.contextmanager
def _drafts(files: tuple[Path, ...]) -> Iterator[list[Path]]:
    """Where files are written until they are checked; whatever is left of them is removed."""
    drafts = [file.with_name(f"{durable.TEMPORARY}{os.getpid()}-draft{file.suffix}") for file in files]
    try:
        yield drafts
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)


def _write_onnx(model: TrainedModel, drafts: Files, files: Files) -> float:
    check_installed()
    from rnncli.export.onnx_file import onnx_bytes, runner
    from rnncli.export.trials import check

    durable.write(drafts[0], onnx_bytes(model))
    return check(model, runner(drafts[0].read_bytes()), "onnxruntime")


def _write_numpy(model: TrainedModel, drafts: Files, files: Files) -> float:
    from rnncli.export.script import script
    from rnncli.export.tables import npz_bytes, script_runner
    from rnncli.export.trials import check

    durable.write(drafts[0], npz_bytes(model))
    durable.write(drafts[1], script(files[0].name).encode())
    return check(model, script_runner(drafts[1], drafts[0]), "the script")


def _write_csv(model: TrainedModel, drafts: Files, files: Files) -> float:
    from rnncli.export.tables import check_csv, csv_text

    durable.write(drafts[0], csv_text(model).encode(errors="surrogateescape"))
    text = drafts[0].read_bytes().decode(errors="surrogateescape")
    return check_csv(model, text.splitlines())


FORMATS: dict[str, Format] = {
    "onnx": Format((".onnx",), _write_onnx),
    "numpy": Format((".npz", ".py"), _write_numpy),
    "csv": Format((".csv",), _write_csv),
}
