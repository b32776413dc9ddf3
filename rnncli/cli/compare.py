"""``rnncli compare``."""

from typing import Annotated

import typer

from rnncli.cli.options import file_name


def compare(
    runs: Annotated[
        list[str], typer.Argument(parser=file_name, metavar="RUN...", help="Run folders.", show_default=False)
    ],
) -> None:
    """Show the scores of runs side by side, the best of each metric marked.

    Example: rnncli compare runs/* --format csv | sort -t, -k3 -g
    """
    from pathlib import Path

    from rnncli import console
    from rnncli.cli.comparison import comparison, sheets

    result = comparison([Path(run) for run in runs])
    console.emit_document(result, sheets(result))
