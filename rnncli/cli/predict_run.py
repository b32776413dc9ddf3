"""``rnncli predict`` for whole files."""

from __future__ import annotations

from pathlib import Path

from rnncli import console
from rnncli.data.reading.dialect import dialect_of
from rnncli.data.reading.frames import open_tables
from rnncli.errors import UsageError, clipped
from rnncli.model.engine import native
from rnncli.model.ensemble import members_of
from rnncli.model.native.kernels import UnavailableError
from rnncli.predict import Wanted, predict, unread
from rnncli.tasks.answers import BATCH_SIZE
from rnncli.trained import TrainedModel, load_model
from rnncli.training.device import pick_device, set_threads


def predict_tables(
    run: Path,
    data: str | None,
    wanted: tuple[bool, tuple[float, ...], bool, int | str | None],
    engine: str,
    device: str,
) -> None:
    """Read a file and print the answers."""
    model = load_model(run, pick_device(device))
    _set_engine(model, engine)
    set_threads("auto", model.config.model, BATCH_SIZE)
    tables = open_tables(data or model.config.data.path, dialect_of(model.config.data), console.warn)
    predicted = predict(model, tables, Wanted(*wanted))
    ignored = unread(model.columns, tables) if data else []
    if ignored:
        console.warn(f"{tables.parts[0].file}: the model does not read {clipped(', '.join(ignored))}")
    for note in predicted.notes:
        console.warn(note)
    table = predicted.table
    console.emit_rows(list(table.columns), table.itertuples(index=False, name=None))


def _set_engine(model: TrainedModel, engine: str) -> None:
    """Let an engine compute the recurrence.

    Raises:
        UsageError: if it cannot.
    """
    if engine == "native" and isinstance(found := native(), UnavailableError):
        raise UsageError(f"--engine native: {found}", "take --engine auto")
    for member in members_of(model.network):
        member.backbone.engine = engine
