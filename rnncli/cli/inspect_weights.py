"""``rnncli inspect-weights``."""

from typing import Annotated

import typer

from rnncli.cli.options import DataFile, Run, file_name
from rnncli.errors import UsageError

_Diff = Annotated[
    str | None,
    typer.Option("--diff", parser=file_name, metavar="RUN2", help="What RUN2 has learned differently, block by block."),
]
_Heatmap = Annotated[
    str | None,
    typer.Option("--heatmap", parser=file_name, metavar="FILE|-", help="Draw into .png, .svg, .pdf; - is here."),
]


def inspect_weights(
    run: Run,
    values: Annotated[bool, typer.Option("--values", help="Every single weight instead of statistics.")] = False,
    units: Annotated[bool, typer.Option("--units", help="A row a unit: memory, dead ones, duplicates.")] = False,
    inputs: Annotated[bool, typer.Option("--inputs", help="A row an input: how much the network makes of it.")] = False,
    diff: _Diff = None,
    heatmap: _Heatmap = None,
    data: DataFile = None,
) -> None:
    """Show what the network has learned.

    Weights by layer, direction and gate, with spectral radius and norm of every recurrent matrix and the memory
    half-life of the gates that keep the state. With --data also what its gates do there: how far they are saturated,
    how long units really remember, which never move, and how much the answers owe to each input.

    Example: rnncli inspect-weights runs/sunspots --format json | jq .parameters
    """
    from rnncli.cli.weights_run import View, show

    views = {"--values": values, "--units": units, "--inputs": inputs, "--diff": diff is not None}
    chosen = [name for name, wanted in views.items() if wanted]
    if len(chosen) > 1:
        raise UsageError(f"{' beside '.join(chosen)}", "give one of them")
    if data is not None and (values or diff is not None):
        raise UsageError(f"--data has no effect on {chosen[0]}", "leave it out")
    if heatmap == "-" and (data is not None or set(chosen) - {"--diff"}):
        raise UsageError(f"--heatmap - beside {(*chosen, '--data')[0]}", "it draws instead; or name a file")
    show(run, View(chosen[0] if chosen else "summary", diff, heatmap, data))
