"""``rnncli predict``."""

import math
from pathlib import Path
from typing import Annotated

import typer

from rnncli.cli.options import DataFile, Device, Run, check_device
from rnncli.errors import UsageError, clipped


def levels(text: str) -> tuple[float, ...]:
    """Per cents of ``80,95``."""
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(math.isfinite(level) and 0 < level < 100 for level in found):
        raise UsageError(f"--level {text} is not a list of per cents between 0 and 100", "such as 80,95")
    return tuple(dict.fromkeys(found))


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
        bool, typer.Option("--every", help="A label or number for every row, not only the last of a series.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Print forecasts, labels or numbers for every series; for tagging, for every row.

    Forecasts start after the last row of each series and continue its time column. Intervals are split conformal: as
    wide as the errors on the validation part were.

    Example: cat new.csv | rnncli predict runs/sunspots --data - --level 80 | head -3
    """
    from rnncli import console
    from rnncli.data.reading.dialect import dialect_of
    from rnncli.data.reading.frames import open_tables
    from rnncli.predict import Wanted, unread
    from rnncli.predict import predict as predict_tables
    from rnncli.tasks.answers import BATCH_SIZE
    from rnncli.trained import load_model
    from rnncli.training.device import pick_device, set_threads

    wanted = Wanted(quantiles, () if level is None else levels(level), every)
    model = load_model(Path(run), pick_device(check_device(device)))
    set_threads("auto", model.config.model, BATCH_SIZE)
    tables = open_tables(data or model.config.data.path, dialect_of(model.config.data), console.warn)
    predicted = predict_tables(model, tables, wanted)
    ignored = unread(model.columns, tables) if data else []
    if ignored:
        console.warn(f"{tables.parts[0].file}: the model does not read {clipped(', '.join(ignored))}")
    for note in predicted.notes:
        console.warn(note)
    table = predicted.table
    console.emit_rows(list(table.columns), table.itertuples(index=False, name=None))
