"""What ``rnncli export`` does."""

from pathlib import Path
from typing import Any

import torch

from rnncli import checkpoint
from rnncli.console import Sheet
from rnncli.export.formats import FORMATS, check_installed, export, names, refuse
from rnncli.tasks.answers import BATCH_SIZE
from rnncli.trained import load_model
from rnncli.training.device import set_threads
from rnncli.training.manifest import parameters


def export_run(run: Path, kind: str, out: Path | None, *, overwrite: bool) -> dict[str, Any]:
    """Write the model of a run, and say what was written, as a document."""
    if kind == "onnx":
        check_installed()
    stands = checkpoint.model_path(run)
    out = stands.with_suffix(FORMATS[kind].endings[0]) if out is None else out
    names(kind, out)
    model = load_model(run, torch.device("cpu"))
    refuse(names(kind, out), overwrite=overwrite)
    set_threads("auto", model.config.model, BATCH_SIZE)
    written = export(model, kind, out, overwrite=overwrite)
    return {
        "run": str(run),
        "format": kind,
        "files": list(written.files),
        "bytes": written.bytes,
        "parameters": parameters(model.network),
        "error": written.error,
    }


def sheet(result: dict[str, Any]) -> Sheet:
    """A row a file."""
    columns = ["format", "parameters", "largest error", "file"]
    rows = [[result["format"], result["parameters"], f"{result['error']:.1e}", file] for file in result["files"]]
    return Sheet("", columns, rows)
