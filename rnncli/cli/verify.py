"""``rnncli verify``."""

import math
import re
from pathlib import Path
from typing import Annotated

import typer

from rnncli.cli.loading import loading
from rnncli.cli.options import DataFile, Run, whole_number


def tolerance(text: str) -> float:
    """A number from 0 on."""
    if not re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?", text) or not math.isfinite(float(text)):
        raise typer.BadParameter(f"'{text}' is not a number from 0 on, such as 1e-5")
    return float(text)


def verify(
    run: Run,
    data: DataFile = None,
    windows: Annotated[
        int | None,
        typer.Option(parser=whole_number, metavar="N", help="Windows at most, evenly chosen.  [default: 64]"),
    ] = None,
    tol: Annotated[
        float | None,
        typer.Option(
            parser=tolerance,
            metavar="NUMBER",
            help="Largest error of a scaled output; grows with outputs beyond 1.  [default: 1e-5]",
        ),
    ] = None,
) -> None:
    """Compute a trained model again with the textbook's loops in NumPy, and show the largest error of all else.

    All else: torch, the native kernels, CUDA, ONNX, and what the model answered when its training ended. What is not
    here is not compared. Exit 6 if an error is too large.

    Example: rnncli verify runs/sunspots --json | jq .ok
    """
    with loading():
        from rnncli import console
        from rnncli.cli.verification_run import mismatch, sheets, verify_run

    result = verify_run(Path(run), data, windows or 64, 1e-5 if tol is None else tol)
    console.emit_document(result, sheets(result))
    refused = mismatch(result)
    if refused is not None:
        raise refused
