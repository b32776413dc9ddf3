"""``rnncli evaluate``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rnncli.cli.options import DataFile, Device, Run, check_device


class By(StrEnum):
    """What scores can be broken down by."""

    series = "series"
    step = "step"


def evaluate(
    run: Run,
    data: DataFile = None,
    by: Annotated[By | None, typer.Option(help="Add the scores of every series or horizon step.")] = None,
    fail_if: Annotated[
        str | None, typer.Option(metavar="CONDITION", help="Exit 6 if it holds: 'mase>=1', 'skill.mae<0'.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Score a run beside naive baselines.

    On the parts that it held out from its data, or on all of --data.

    Example: rnncli evaluate runs/sunspots --by step --format json | jq .by_step
    """
    from rnncli import console
    from rnncli.cli.condition import judge, parse_condition
    from rnncli.cli.evaluation_run import evaluate_run, sheets
    from rnncli.cli.results import verdict

    condition = None if fail_if is None else parse_condition(fail_if)
    result = evaluate_run(Path(run), data, by, check_device(device))
    scores = result["test"] or result["validation"]
    refused = None if condition is None else judge(condition, scores, result["skill"])
    console.emit_document(result, sheets(result), verdict(result))
    if refused is not None:
        raise refused
