"""``rnncli init``."""

from typing import Annotated

import typer

from rnncli.cli.options import file_name, task_name, whole_number


def init(
    source: Annotated[
        str, typer.Argument(parser=file_name, metavar="DATA", help="CSV or TSV file, a glob, or -.", show_default=False)
    ],
    target: Annotated[
        str | None, typer.Option(metavar="COLUMNS", help="What to predict: names with commas between, or a glob.")
    ] = None,
    time: Annotated[str | None, typer.Option(metavar="COLUMN", help="The time column.")] = None,
    series: Annotated[
        str | None, typer.Option(metavar="COLUMNS", help="The id columns of the series, with commas between.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(parser=task_name, metavar="forecasting|classification|regression|tagging", help="What to do."),
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(parser=whole_number, metavar="ROWS", help="How many rows to forecast.")
    ] = None,
) -> None:
    """Write a first config for a CSV file.

    It takes the recipe for the kind of problem, as far as the rows allow. The YAML goes to stdout, every key with the
    reason why; what was found and what is in doubt is said on stderr.

    Example: rnncli init sales.csv > sales.yaml && rnncli train sales.yaml
    """
    from rnncli.cli.starter import Asked, start

    start(source, Asked(target, time, series, task, horizon))
