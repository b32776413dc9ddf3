"""``rnncli trace``."""

import csv
import re
from pathlib import Path
from typing import Annotated

import typer

from rnncli.cli.loading import loading
from rnncli.cli.options import DataFile, Run, whole_number
from rnncli.errors import UsageError

_MOST = 100_000  # a unit or layer with a higher number is a mistake


def names(option: str, text: str) -> tuple[str, ...]:
    """The names of ``a,b``; one that holds a comma stands in double quotes."""
    found = tuple(dict.fromkeys(next(csv.reader([text], skipinitialspace=True), [])))
    if not found or "" in found:
        raise UsageError(f"{option} '{text}' is not a list of names", "such as a,b")
    return found


def numbers(option: str, text: str) -> tuple[int, ...]:
    """The numbers of ``0,3-5``, in order."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last:
            raise UsageError(f"{option} '{text}' is not a list of numbers", "such as 0,3-5")
        found.update(range(first, last + 1))
    return tuple(sorted(found))


def trace(
    run: Run,
    data: DataFile = None,
    what: Annotated[
        str | None, typer.Option(metavar="NAME,…", help="States and gates: h,c,i,f,g,o, or all; else the states.")
    ] = None,
    layer: Annotated[str | None, typer.Option(metavar="N,…", help="Layers, counted from 0: 0,2-3.")] = None,
    direction: Annotated[str | None, typer.Option(metavar="forward|backward", help="One direction alone.")] = None,
    unit: Annotated[str | None, typer.Option(metavar="N,…", help="Units, counted from 0: 0,3-5.")] = None,
    member: Annotated[str | None, typer.Option(metavar="N,…", help="Networks of an ensemble, from 0.")] = None,
    series: Annotated[str | None, typer.Option(metavar="ID,…", help="Series, parts of an id joined by /.")] = None,
    last: Annotated[
        int | None, typer.Option(parser=whole_number, metavar="N", help="The newest N steps of each series alone.")
    ] = None,
    wide: Annotated[
        bool, typer.Option("--wide", help="A row a step, a column a number: l0.h.3, l0_reverse.i.0.")
    ] = False,
) -> None:
    """Print every state and gate of every step of real data.

    For the newest window of every series, from which predict answers, as the network reads it; a row for every
    step, layer, direction, quantity and unit. Gates are printed after their activations. Steps are counted from 1;
    with model.segment a step is a segment, which has the time of its newest row.

    Example: rnncli trace runs/sunspots --what h,f --unit 0-3 --last 12 --wide
    """
    with loading():
        from rnncli import console
        from rnncli.data.reading.dialect import dialect_of
        from rnncli.data.reading.frames import open_tables
        from rnncli.trace import Choice
        from rnncli.trace import trace as trace_tables
        from rnncli.trained import load_model
        from rnncli.training.device import pick_device

    if direction not in (None, "forward", "backward"):
        raise UsageError(f"--direction '{direction}' must be forward or backward")
    asked = None if what is None else names("--what", what)
    choice = Choice(
        what=asked,
        layers=None if layer is None else numbers("--layer", layer),
        directions=None if direction is None else (direction,),
        units=None if unit is None else numbers("--unit", unit),
        members=None if member is None else numbers("--member", member),
        series=None if series is None else names("--series", series),
        last=last,
        wide=wide,
    )
    model = load_model(Path(run), pick_device("cpu"))
    tables = open_tables(data or model.config.data.path, dialect_of(model.config.data), console.warn)
    traced = trace_tables(model, tables, choice)
    for note in traced.notes:
        console.warn(note)
    console.emit_rows(traced.columns, traced.rows)
