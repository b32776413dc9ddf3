"""``rnncli tune``."""

from pathlib import Path
from typing import Annotated

import typer

from rnncli.cli.loading import loading
from rnncli.cli.options import ConfigOrResume, Overrides, config_and_keys, duration, folder_name, whole_number


def tune(
    config: ConfigOrResume = None,
    overrides: Overrides = None,
    trials: Annotated[
        int | None,
        typer.Option(parser=whole_number, metavar="N", help="Trials in all.  [default: tune.trials, or 20]"),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(parser=duration, metavar="TIME", help="End the search after 90s, 10m, 1h."),
    ] = None,
    jobs: Annotated[
        int, typer.Option(parser=whole_number, metavar="N", help="Trials at a time, each in a process of its own.")
    ] = "1",  # type: ignore[assignment]
    storage: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Database that keeps the trials.  [default: a file in the folder]"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(parser=folder_name, metavar="DIR", help="Folder.  [default: runs/<name of CONFIG>-tune]"),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(parser=folder_name, metavar="DIR", help="Go on with an interrupted search.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the search in the folder.")] = False,
) -> None:
    """Search for better settings: the keys of tune.parameters, by Optuna.

    Every trial is an ordinary run folder, DIR/trial-0000 and so on; those that fall behind are ended early.
    DIR/best.yaml is the config of the best, DIR/trials.csv has a row a trial.

    Example: rnncli tune configs/sunspots.yaml --trials 30 --budget 10m
    """
    from rnncli.cli.settle_tune import require_optuna, settle_search

    require_optuna()
    config, keys = config_and_keys(config, overrides, resume)
    if trials is not None:
        keys.append(f"tune.trials={trials}")
    document, folder = settle_search(config, keys, out, resume, overwrite)

    with loading():
        from rnncli.cli import tune_run

    tune_run.run(document, tune_run.Asked(folder, resume is not None, overwrite, budget, jobs, storage))
