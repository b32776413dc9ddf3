"""``rnncli export``."""

from pathlib import Path
from typing import Annotated

import typer

from rnncli.cli.loading import loading
from rnncli.cli.options import Run, folder_name

_KINDS = ("onnx", "numpy", "csv")


def kind(text: str) -> str:
    """A format that a model can be written in."""
    if text not in _KINDS:
        raise typer.BadParameter(f"'{text}' is not one of {', '.join(_KINDS)}")
    return text


def out_file(text: str) -> Path:
    """A file, which is no stream."""
    if text == "-":
        raise typer.BadParameter("an export is a file, and - is a stream")
    return folder_name(text)


def export(
    run: Run,
    format: Annotated[
        str,
        typer.Option(parser=kind, metavar="onnx|numpy|csv", help="What to write; --json is for what is printed."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(parser=out_file, metavar="FILE", help="Where to.  [default: in the run folder]"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Write a trained model for other programs, and check it against torch.

    onnx: for any number of windows and steps; its metadata says how a window is scaled. numpy: an archive .npz of
    every weight, and beside it a script .py that answers a CSV file with NumPy alone. csv: a row a weight.

    Example: rnncli export runs/sunspots --format onnx --out sunspots.onnx
    """
    with loading():
        from rnncli import console
        from rnncli.cli.export_run import export_run, sheet

    result = export_run(Path(run), format, out, overwrite=overwrite)
    console.emit_document(result, [sheet(result)])
