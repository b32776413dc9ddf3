"""``rnncli predict``."""

import math
from pathlib import Path
from typing import Annotated

import typer

from rnncli.cli.loading import loading
from rnncli.cli.options import DataFile, Device, Run, check_device, file_name, one_of, whole_number
from rnncli.errors import UsageError

ENGINES = ("auto", "native", "numpy", "torch")


def levels(text: str) -> tuple[float, ...]:
    """Per cents of ``80,95``."""
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(math.isfinite(level) and 0 < level < 100 for level in found):
        raise UsageError(f"--level {text} is not a list of per cents between 0 and 100", "such as 80,95")
    return tuple(dict.fromkeys(found))


def context_rows(text: str) -> int | str:
    """A number of rows, or ``full``."""
    return text if text == "full" else whole_number(text)


def predict(
    run: Run,
    data: DataFile = None,
    quantiles: Annotated[
        bool, typer.Option("--quantiles", help="Add the quantiles that the model was trained for.")
    ] = False,
    level: Annotated[
        str | None, typer.Option(metavar="PERCENT,…", help="Add intervals that cover so much: 80,95.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--every", help="Answers after every row, not only the last of a series.")
    ] = False,
    context: Annotated[
        str | None,
        typer.Option(
            parser=context_rows,
            metavar="ROWS|full",
            help="Rows of past that an answer follows from.  [default: window.context; with --follow: full, if it can]",
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Answer rows as they come, from stdin or from a file that grows.")
    ] = False,
    on_bad_row: Annotated[
        str | None,
        typer.Option(
            parser=lambda text: one_of(text, ("skip", "fatal")),
            metavar="skip|fatal",
            help="With --follow: leave a bad row out and say so, or stop.  [default: skip]",
        ),
    ] = None,
    state_in: Annotated[
        str | None,
        typer.Option(parser=file_name, metavar="FILE", help="With --follow: go on from the state in a file."),
    ] = None,
    state_out: Annotated[
        str | None,
        typer.Option(parser=file_name, metavar="FILE", help="With --follow: save the state when it ends."),
    ] = None,
    state_every: Annotated[
        int | None,
        typer.Option(parser=whole_number, metavar="ROWS", help="With --state-out: save it after every so many rows."),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            parser=lambda text: one_of(text, ENGINES),
            metavar="auto|native|numpy|torch",
            help="Who computes the recurrence on a CPU.",
        ),
    ] = "auto",
    device: Device = "auto",
) -> None:
    """Print forecasts, labels or numbers for every series; for tagging, for every row.

    Forecasts start after the last row of each series and continue its time column. Intervals are split conformal: as
    wide as the errors on the validation part were.

    With --follow the state of each series is kept, each row is answered as it comes, intervals adapt to the errors that
    are seen, and a forecaster adds the anomaly_score of the row's value: above 1, 95 % of the errors were smaller.

    Example: cat new.csv | rnncli predict runs/sunspots --data - --level 80 | head -3

    Example: tail -n +1 -F live.csv | rnncli predict runs/live --follow --state-out live.state
    """
    intervals = () if level is None else levels(level)
    check_device(device)
    if follow:
        from rnncli.cli.follow_run import follow_rows, stream_of

        _no_effect("with", {"--every": every, "--device": device not in ("auto", "cpu")})
        stream = stream_of(data or "-", on_bad_row, state_in, state_out, state_every)
        follow_rows(Path(run), stream, (quantiles, intervals, context, engine))
        return
    given = {"--on-bad-row": on_bad_row, "--state-in": state_in, "--state-out": state_out, "--state-every": state_every}
    _no_effect("without", {name: value is not None for name, value in given.items()})
    from rnncli.cli.predict_small import Asked, print_small

    asked, known = Asked(quantiles, intervals, every, context, engine), None
    if device in ("auto", "cpu") and engine in ("auto", "numpy"):
        printed, known = print_small(Path(run), data, asked)
        if printed:
            return
    if engine == "numpy":
        raise UsageError("--engine numpy reads plain files in the order of time", "take --engine auto")
    with loading():
        from rnncli.cli.predict_run import predict_tables

    predict_tables(Path(run), data, asked, device, known)


def _no_effect(where: str, given: dict[str, bool]) -> None:
    for name, is_given in given.items():
        if is_given:
            raise UsageError(f"{name} has no effect {where} --follow", "leave it out")
