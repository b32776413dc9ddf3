"""``rnncli inspect-weights``."""

from pathlib import Path
from typing import Annotated

import typer

from rnncli.cli.options import Run


def inspect_weights(
    run: Run,
    values: Annotated[bool, typer.Option("--values", help="Every single weight instead of statistics.")] = False,
) -> None:
    """Show what was learned: weights by layer, direction and gate, spectral radius, memory half-life.

    Example: rnncli inspect-weights runs/sunspots --format json | jq .parameters
    """
    from rnncli import checkpoint, console
    from rnncli.cli.weights import summary_sheets
    from rnncli.inspection import summary, weight_values

    stored = checkpoint.read(checkpoint.model_path(Path(run)), checkpoint.MODEL)
    if values:
        rows = list(weight_values(stored))
        console.emit_rows(list(rows[0]), (tuple(row.values()) for row in rows))
        return
    result = {"run": run, **summary(stored)}
    console.emit_document(result, summary_sheets(result))
