"""What ``rnncli inspect-weights`` does, for the view that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnncli import checkpoint, console, durable
from rnncli.checkpoint import Stored
from rnncli.cli.loading import loading
from rnncli.cli.weights import difference_sheets, explanation, summary_sheets, unit_sheets
from rnncli.errors import UsageError
from rnncli.inspection import check, summary, weight_values
from rnncli.inspection.difference import differences
from rnncli.inspection.inputs import input_rows
from rnncli.inspection.panels import less, rows_of
from rnncli.inspection.units import unit_rows

if TYPE_CHECKING:
    from rnncli.inspection.on_data import OnData


@dataclass(frozen=True)
class View:
    """What is asked for.

    Attributes:
        kind: ``summary``, or the option that names another.
        other: the run that RUN is compared with.
        heatmap: file of a picture, or - for the terminal.
        data: table on which the gates are looked at.
    """

    kind: str
    other: str | None
    heatmap: str | None
    data: str | None


def show(run: str, view: View) -> None:
    """Print a view of a run."""
    form = None
    if view.heatmap == "-" and console.settings.format not in ("auto", "table"):
        raise UsageError(f"--heatmap - beside --format {console.settings.format}", "name a file for the picture")
    if view.heatmap is not None and view.heatmap != "-":
        from rnncli.inspection.picture import check_picture

        form = check_picture(view.heatmap)
    model, path = _read(run)
    other, other_path = (None, "") if view.other is None else _read(view.other)
    found = None if other is None else differences(model, other, path, other_path)
    if view.heatmap is not None:
        drawn = model if other is None else less(model, other)
        title = run if other is None else f"{view.other} less {run}"
        _draw(drawn, f"{title}: {model.content['config']['model']['cell']}", view.heatmap, form)
    if found is not None and view.heatmap != "-":
        result = {"run": run, "other": view.other, "rows": found}
        console.emit_document(result, difference_sheets(result))
    elif view.heatmap != "-":
        _show_one(run, model, view)


def _read(run: str) -> tuple[Stored, str]:
    path = checkpoint.model_path(Path(run))
    stored = checkpoint.read(path, checkpoint.MODEL)
    check(stored, str(path))
    return stored, str(path)


def _draw(model: Stored, title: str, file: str, form: str | None) -> None:
    rows = rows_of(model)
    if form is None:
        from rnncli.cli.drawing import drawing

        console.emit_drawing(lambda width, colours: drawing(rows, title, width=width, colours=colours))
    else:
        from rnncli.inspection.picture import draw

        durable.write(Path(file), draw(rows, title, form))
        console.say(f"wrote {file}")


def _show_one(run: str, model: Stored, view: View) -> None:
    if view.kind == "--values":
        _emit(list(weight_values(model)))
        return
    on_data = None if view.data is None else _on_data(run, view.data)
    if view.kind == "--inputs":
        _emit(_inputs(model, on_data))
        return
    units = unit_rows(model)
    if on_data is not None:
        on_data.add_to_units(units)
    if view.kind == "--units":
        if console.wants_table():
            console.emit_document({}, unit_sheets(units))
        else:
            _emit(units)
        return
    result: dict[str, Any] = {"run": run, **summary(model), "inputs": _inputs(model, on_data)}
    if on_data is not None:
        result |= {"steps": on_data.activity.steps, "gates": on_data.gates()}
        on_data.add_to_blocks(result["rows"])
    result["dead"] = [_name(row) for row in units if row["dead"]]
    result["duplicates"] = [_name(row) for row in units if row["duplicate_of"] is not None]
    console.emit_document(result, summary_sheets(result), explanation(result))


def _inputs(model: Stored, on_data: OnData | None) -> list[dict[str, Any]]:
    if on_data is None:
        return [{**row, "reliance": None} for row in input_rows(model)]
    return [{**row, "reliance": on_data.reliance[row["input"]]} for row in input_rows(model, on_data.spreads)]


def _name(row: dict[str, Any]) -> str:
    """A unit as `rnncli trace --wide` names it, in an ensemble with its network."""
    member = "" if row["member"] is None else f"{row['member']}:"
    return f"{member}l{row['layer']}{'_reverse' * (row['direction'] == 'backward')}.{row['unit']}"


def _emit(rows: list[dict[str, Any]]) -> None:
    console.emit_rows(list(rows[0]), (tuple(row.values()) for row in rows))


def _on_data(run: str, data: str) -> OnData:
    """The run's model on a table; from here on torch is needed."""
    with loading():
        from rnncli.data.reading.dialect import dialect_of
        from rnncli.data.reading.frames import open_tables
        from rnncli.inspection.on_data import look
        from rnncli.trained import load_model
        from rnncli.training.device import pick_device

    model = load_model(Path(run), pick_device("cpu"))
    found = look(model, open_tables(data, dialect_of(model.config.data), console.warn))
    for note in found.notes:
        console.warn(note)
    return found
