"""``rnncli inspect-weights``."""

from pathlib import Path
from typing import Annotated

import typer

from rnncli.cli.options import Run


def inspect_weights(
    run: Run,
    values: Annotated[bool, typer.Option("--values", help="Every single weight instead of statistics.")] = False,
) -> None:
    """Show what the network has learned.

    Weights by layer, direction and gate, with the spectral radius of every recurrent matrix and the memory half-life
    of forget gates.

    Example: rnncli inspect-weights runs/sunspots --format json | jq .parameters
    """
    from rnncli import checkpoint, console
    from rnncli.cli.weights import explanation, summary_sheets
    from rnncli.inspection import check, summary, weight_values

    path = checkpoint.model_path(Path(run))
    stored = checkpoint.read(path, checkpoint.MODEL)
    check(stored, str(path))
    if values:
        rows = list(weight_values(stored))
        console.emit_rows(list(rows[0]), (tuple(row.values()) for row in rows))
        return
    result = {"run": run, **summary(stored)}
    console.emit_document(result, summary_sheets(result), explanation(result))
