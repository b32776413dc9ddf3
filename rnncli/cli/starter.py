"""What ``rnncli init`` does: find out what a table is for, write a config, and see that training would take it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from rnncli import console
from rnncli.cli.starter_text import describe_recipe, describe_time, write_config
from rnncli.config.document import parse
from rnncli.config.load import check
from rnncli.config.schema import TaskName
from rnncli.data.guessing.guess import Findings, guess
from rnncli.data.guessing.keys import Wishes
from rnncli.data.guessing.recipe import Plan, choose_recipe
from rnncli.data.guessing.sizes import fit_sizes
from rnncli.data.guessing.sniff import sniff
from rnncli.data.reading.dialect import dialect_of
from rnncli.data.reading.frames import Tables, open_tables
from rnncli.data.reading.sources import expand, pieces, source
from rnncli.data.split import Part
from rnncli.errors import ConfigError, DataError, RnncliError, UsageError
from rnncli.training.prepare import prepare


@dataclass(frozen=True)
class Asked:
    """The options of the command line as they were typed."""

    target: str | None
    time: str | None
    series: str | None
    task: str | None
    horizon: int | None


def start(path: str, asked: Asked) -> None:
    """Print a config for the table at `path`.

    Raises:
        DataError: if the table cannot be trained on, with the place.
    """
    if asked.horizon is not None and asked.task not in (None, "forecasting"):
        raise UsageError(f"--horizon has no effect on {asked.task}", "leave it out")
    if path.encode(errors="replace").decode() != path:
        raise UsageError("a file name that is not UTF-8 cannot stand in a config", "rename it, or pipe it: init -")
    first = source(expand(path)[0])
    sniffed = sniff(pieces(first), first.path)
    tables = open_tables(path, sniffed.dialect, console.warn, first)
    findings = guess(tables, _wishes(asked, tables))
    if findings.keys.apart is not None:
        tables, findings = _together(tables, findings, asked)
    if asked.horizon is not None and findings.choice.task != "forecasting":
        what = f"--horizon is for forecasts, and {findings.choice.targets[0]} looks like {findings.choice.task}"
        raise UsageError(what, "name the --target, or --task forecasting")
    sizes = fit_sizes(findings, asked.horizon)
    plan = choose_recipe(findings, sizes)
    text = write_config(path, tables, findings, sizes, plan)
    _try(text, tables)
    sys.stdout.write(text)
    for doubt in sniffed.doubts:
        console.warn(doubt)
    _say(findings, plan)


def _together(tables: Tables, findings: Findings, asked: Asked) -> tuple[Tables, Findings]:
    """Dates and their clocks as one time, if that is what they are; else as they were."""
    assert findings.keys.apart is not None
    joining = tables.joining(*findings.keys.apart)
    found = guess(joining, _wishes(asked, joining))
    return (tables, findings) if found.keys.time is None else (joining, found)


def _wishes(asked: Asked, tables: Tables) -> Wishes:
    target, series = _names(asked.target, tables.header), _names(asked.series, tables.header)
    parts = [*dict.fromkeys(target), *dict.fromkeys(series), *([asked.time] if asked.time else [])]
    for name in parts:
        if parts.count(name) > 1:
            raise UsageError(f"{name} is asked for twice: a column has one part", "name another column")
    return Wishes(target, asked.time, series, cast(TaskName | None, asked.task))


def _names(text: str | None, header: Sequence[str]) -> tuple[str, ...]:
    """The columns that an option names: one whose name is the whole text, or several with commas between."""
    if text is None:
        return ()
    return (text,) if text in header else tuple(part.strip() for part in text.split(","))


def _try(text: str, tables: Tables) -> None:
    """See that training takes the config and the data.

    Raises:
        DataError: if it does not.
    """
    try:
        config = check(parse(text, None))
    except ConfigError as error:
        raise RnncliError(f"bug: init wrote a config that is refused: {error.problems[0]}") from error
    prepared = prepare(config, replace(tables, dialect=dialect_of(config.data)))
    for name in ("validation", "test"):
        part: Part = getattr(prepared.split, name)
        rows = np.concatenate([np.arange(*bounds) for bounds in zip(part.first, part.last, strict=True)])
        known = prepared.panel.observed[rows, : len(prepared.columns.value_targets)]
        if len(rows) and not known.any():
            raise DataError(f"the {name} part has no row with a known target", "leave out the rows without one")


def _say(findings: Findings, plan: Plan) -> None:
    """What was found, and what could be otherwise."""
    if findings.keys.time is not None:
        console.say(f"time: {findings.keys.time}, {describe_time(findings)}")
    if findings.keys.series:
        console.say(f"series: {', '.join(findings.keys.series)}, {len(findings.lengths):,} of them")
    choice = findings.choice
    shown = ", ".join(choice.targets[:5]) + (
        f" and {len(choice.targets) - 5:,} more" if len(choice.targets) > 5 else ""
    )
    console.say(f"{choice.task}: {shown} ({choice.why})")
    console.say(f"recipe: {describe_recipe(plan)}")
    for note in findings.notes:
        (console.warn if note.doubtful else console.say)(note.text)
