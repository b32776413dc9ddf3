"""``rnncli check``."""

from typing import Annotated

import typer

from rnncli.cli.options import Config, DataFile


def check(
    config: Config,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE | ~KEY]...", help="Set a key, or restore its default."),
    ] = None,
    data: DataFile = None,
    fail_on_warning: Annotated[
        bool, typer.Option("--fail-on-warning", help="Exit 6 if anything deserves a second look.")
    ] = False,
) -> None:
    """Look at config and data before training.

    Names every problem of the data, not the first alone; warns of leaks, constant columns, outliers and the like; says
    how many windows there are, how large the network is and how much memory training takes. Trains nothing, writes
    nothing.

    Example: rnncli check configs/sunspots.yaml window.context=240
    """
    from rnncli.cli.check_run import run

    run(config, list(overrides or []), data, fail_on_warning=fail_on_warning)
