"""``rnncli evaluate``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rnncli.cli.loading import loading
from rnncli.cli.options import DataFile, Device, Run, check_device, whole_number
from rnncli.errors import UsageError


class By(StrEnum):
    """What scores can be broken down by."""

    series = "series"
    step = "step"


def evaluate(
    run: Run,
    data: DataFile = None,
    by: Annotated[By | None, typer.Option(help="Add the scores of every series or horizon step.")] = None,
    backtest: Annotated[
        bool, typer.Option("--backtest", help="Score forecasts from several origins, the last at the end of the data.")
    ] = False,
    folds: Annotated[
        int | None, typer.Option(parser=whole_number, metavar="N", help="Origins of --backtest.  [default: 5]")
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(parser=whole_number, metavar="ROWS", help="Rows between origins.  [default: the horizon]"),
    ] = None,
    refit: Annotated[
        bool, typer.Option("--refit", help="Train anew for every origin, on the rows before it; nothing is saved.")
    ] = False,
    fail_if: Annotated[
        str | None, typer.Option(metavar="CONDITION", help="Exit 6 if it holds: 'mase>=1', 'skill.mae<0'.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Score a run beside naive baselines.

    On the parts that it held out from its data, or on all of --data.

    With --backtest (rolling origin), the horizon after each of several origins is forecast and scored, and the scores
    of all of them are pooled; without --refit all by the saved model, and only in rows that it was not trained on.

    Example: rnncli evaluate runs/sunspots --by step --format json | jq .by_step
    """
    for name, given in (("--folds", folds), ("--stride", stride), ("--refit", refit or None)):
        if given is not None and not backtest:
            raise UsageError(f"{name} has no effect without --backtest", "add --backtest")
    with loading():
        from rnncli import console
        from rnncli.cli.condition import judge, parse_condition
        from rnncli.cli.evaluation_run import evaluate_run, sheets
        from rnncli.evaluation.folds import FOLDS, Plan
        from rnncli.evaluation.verdict import verdict

    condition = None if fail_if is None else parse_condition(fail_if)
    plan = Plan(folds or FOLDS, stride, refit) if backtest else None
    result = evaluate_run(Path(run), data, by, check_device(device), plan)
    scores = result["test"] or result["validation"]
    refused = None if condition is None else judge(condition, scores, result["skill"])
    console.emit_document(result, sheets(result), verdict(result))
    if refused is not None:
        raise refused
