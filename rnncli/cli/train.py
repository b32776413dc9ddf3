"""``rnncli train``."""

from pathlib import Path
from typing import Annotated

import typer

from rnncli.cli.loading import loading
from rnncli.cli.options import (
    ConfigOrResume,
    DataFile,
    Overrides,
    check_device,
    config_and_keys,
    duration,
    folder_name,
    one_of,
)

ENGINES = ("auto", "native", "torch")
FREE_ON_RESUME = ("training.epochs", "training.learning_rate", "training.patience", "training.device",
                  "training.threads", "data.path", "evaluation.baselines")  # fmt: skip


def train(
    config: ConfigOrResume = None,
    overrides: Overrides = None,
    data: DataFile = None,
    out: Annotated[
        Path | None,
        typer.Option(parser=folder_name, metavar="DIR", help="Run folder.  [default: runs/<name of CONFIG>]"),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(parser=folder_name, metavar="DIR", help="Go on with an interrupted run, to the same bits."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in the folder.")] = False,
    device: Annotated[
        str | None,
        typer.Option(metavar="auto|cpu|cuda|cuda:N", help="Where to compute; auto takes CUDA if there is one."),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            parser=lambda text: one_of(text, ENGINES),
            metavar="auto|native|torch",
            help="Who computes the recurrence: training.engine.",
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            parser=duration,
            metavar="TIME",
            help="End training after 90s, 10m, 1h with the best weights so far.",
        ),
    ] = None,
    save_every: Annotated[
        float,
        typer.Option(parser=duration, metavar="TIME", help="Time between saved training states."),
    ] = "10s",  # type: ignore[assignment]
    allow_data_change: Annotated[
        bool, typer.Option("--allow-data-change", help="Resume although the data is not what it was.")
    ] = False,
) -> None:
    """Train a model into a run folder.

    Metrics go to stdout, progress to stderr.

    Example: rnncli train configs/sunspots.yaml model.hidden_size=128 --out runs/wide
    """
    from rnncli.cli.settle import quoted, settle

    config, keys = config_and_keys(config, overrides, resume)
    if data is not None:
        keys.append(f"data.path={quoted(data)}")
    if device is not None:
        keys.append(f"training.device={check_device(device)}")
    if engine is not None:
        keys.append(f"training.engine={engine}")
    settings, folder = settle(config, keys, out, resume, overwrite, FREE_ON_RESUME)

    with loading():
        from rnncli.cli import training_run

    training_run.run(
        settings,
        training_run.Request(
            folder=folder,
            resume=resume is not None,
            overwrite=overwrite,
            budget=budget,
            save_every=save_every,
            allow_data_change=allow_data_change,
        ),
    )
