"""``rnncli predict``."""

from pathlib import Path

from rnncli.cli.options import DataFile, Device, Run, check_device


def predict(run: Run, data: DataFile = None, device: Device = "auto") -> None:
    """Print forecasts or labels for every series.

    Forecasts start after the last row of each series and continue its time column.

    Example: cat new.csv | rnncli predict runs/sunspots --data - | head -3
    """
    from rnncli import console
    from rnncli.data.dialect import dialect_of
    from rnncli.data.frames import open_tables
    from rnncli.predict import predict as predict_tables
    from rnncli.trained import load_model
    from rnncli.training.device import pick_device, set_threads

    model = load_model(Path(run), pick_device(check_device(device)))
    set_threads("auto", model.config.model, model.config.training.batch_size)
    tables = open_tables(data or model.config.data.path, dialect_of(model.config.data), console.warn)
    table = predict_tables(model, tables)
    console.emit_rows(list(table.columns), table.itertuples(index=False, name=None))
