"""``rnncli report``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from rnncli.cli.options import DataFile, Device, Run, check_device, file_name
from rnncli.errors import Place, ResourceError, UsageError


def report(
    run: Run,
    out: Annotated[
        str | None,
        typer.Option(parser=file_name, metavar="FILE|-", help="Write the page here; - is stdout.  [default: stdout]"),
    ] = None,
    data: DataFile = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a page that is there.")] = False,
    device: Device = "auto",
) -> None:
    """Write one HTML page that shows a run.

    What was trained on what, scores beside naive baselines, training curves, answers beside the truth, weights, and
    the gates over one real sequence. The page needs no network and no script, and is the same for the same run.

    Example: rnncli report runs/sunspots --out report.html
    """
    if overwrite and out in (None, "-"):
        raise UsageError("--overwrite has no effect on stdout", "name a file: --out report.html")
    if out is None and sys.stdout.isatty():
        raise UsageError("the page is for a browser, not for a terminal", "--out report.html, or --out - all the same")
    file = None if out in (None, "-") else Path(str(out))
    if file is not None and not overwrite and (file.exists() or file.is_symlink()):
        raise ResourceError("is there already", "--overwrite replaces it", Place(str(file)))
    from rnncli.cli.report_run import write_report

    write_report(Path(run), data, check_device(device), file)
