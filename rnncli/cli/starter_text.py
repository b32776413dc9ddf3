"""The first config for a table, as commented YAML: only keys that act, each with the reason why it stands there."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from rnncli.cli.commented import Entry, one_line, remark, section, shortened
from rnncli.config.document import inline
from rnncli.data import clock
from rnncli.data.guessing.guess import Findings
from rnncli.data.guessing.recipe import Plan
from rnncli.data.guessing.sizes import Sizes
from rnncli.data.reading.dialect import Dialect
from rnncli.data.reading.frames import Tables

SHOWN_CANDIDATES = 12

HEAD = """\
# {command} > config.yaml && rnncli train config.yaml{piped}
#
# Guessed from the data: read it through, and change what you know better. An
# editor completes and checks the keys with `rnncli schema > rnncli.schema.json`
# and this line: "# yaml-language-server: $schema=rnncli.schema.json".
#
{recipe}
"""

EVERY = {"MS": "monthly", "ME": "monthly", "1D": "daily", "D": "daily", "B": "on business days", "7D": "weekly",
         "h": "hourly", "1h": "hourly", "min": "every minute", "1min": "every minute", "s": "every second",
         "1s": "every second", "Q": "quarterly", "Y": "yearly", "W": "weekly"}  # fmt: skip

UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
NUMBERS = {clock.INTEGER: "whole numbers", clock.NUMBER: "numbers"}

KINDS = {
    "forecasting": "the rows that follow",
    "classification": "one label for a whole series",
    "regression": "one number for a window, at its newest row",
    "tagging": "an answer for every row",
}


def write_config(path: str, tables: Tables, findings: Findings, sizes: Sizes, plan: Plan) -> str:
    """The text of a config that `rnncli train` takes as it is; `path` is the value of data.path."""
    sections = {
        "data": list(_data(path, tables, findings, sizes)),
        "task": list(_task(findings, sizes)),
        "split": list(_split(sizes, findings)),
        "window": list(_planned("window", plan)),
        "model": list(_planned("model", plan)),
        "training": [*_training(findings), *_planned("training", plan)],
    }
    piped = " < FILE" if path == "-" else ""
    command = one_line(f"rnncli init {shlex.quote(path)}{piped}")
    parts = [HEAD.format(command=command, piped=piped, recipe=remark(f"Recipe: {describe_recipe(plan)}.", indent=""))]
    for name, entries in sections.items():
        if entries:
            parts.append(section(name, entries))
    return "\n".join(parts)


def describe_recipe(plan: Plan) -> str:
    """The recipe in words, and why it was taken."""
    return f"{plan.recipe} (configs/{plan.recipe}.yaml): {plan.why}" if plan.recipe else plan.why


def _data(path: str, tables: Tables, findings: Findings, sizes: Sizes) -> Iterator[Entry]:
    header = tables.header
    piped = "piped into every command" if path == "-" else "relative to where rnncli is called"
    yield Entry("path", path, f"{len(tables):,} rows; {piped}")
    yield from _dialect(tables.dialect)
    choice = findings.choice
    if choice.wide:
        yield Entry("layout", "wide", "every target column is a series of its own, and all share the weights")
    yield from _time(findings, tables.dialect)
    if findings.keys.series:
        ids = list(findings.keys.series)
        count = f"{len(findings.lengths):,} series of {_range(findings.lengths)} rows"
        yield Entry("series", ids[0] if len(ids) == 1 else ids, count)
    taken = {*findings.keys.series, findings.keys.time}
    yield Entry("target", shortened(choice.targets, [name for name in header if name not in taken]), choice.why)
    yield from _inputs(header, findings)
    yield from _steps(findings, sizes)


def _dialect(dialect: Dialect) -> Iterator[Entry]:
    if dialect.encoding != "utf-8":
        yield Entry("encoding", dialect.encoding, "the file is not UTF-8")
    if dialect.delimiter is not None:
        yield Entry("delimiter", "tab" if dialect.delimiter == "\t" else dialect.delimiter, "between the columns")
    if dialect.decimal != ".":
        yield Entry("decimal", dialect.decimal, "numbers are written with a decimal comma")
    if dialect.thousands is not None:
        yield Entry("thousands", dialect.thousands, "between groups of three digits")


def _time(findings: Findings, dialect: Dialect) -> Iterator[Entry]:
    moment, steps = findings.keys.moment, findings.keys.rhythm
    if findings.keys.time is None or moment is None or steps is None:
        yield Entry("", why="no time column: rows are taken in file order, steps are counted from 0")
        return
    yield Entry("time", findings.keys.time, describe_time(findings))
    if dialect.joined is not None:
        yield Entry("clock", dialect.joined[1], "the time of day, which is read after the date")
    if moment.zone:
        yield Entry("time_zone", moment.zone, moment.remark)
    if moment.unit:
        yield Entry("time_unit", moment.unit, "since 1970")
    elif moment.told and moment.form:
        yield Entry("time_format", moment.form, moment.remark or f"such as {clock.example(moment.form)}")


def describe_time(findings: Findings) -> str:
    """The time column in words: its form, its steps, its season."""
    moment, steps = findings.keys.moment, findings.keys.rhythm
    assert moment is not None
    assert steps is not None
    if moment.unit:
        parts = [f"{UNITS[moment.unit]} since 1970"]
    else:
        parts = [NUMBERS.get(str(moment.form), f"dates ({moment.form})")]
    if findings.choice.task == "forecasting" and steps.frequency:
        regularity = "" if not steps.uneven else "mostly " if steps.fits else "uneven steps, in the median about "
        parts.append(regularity + every(steps.frequency))
        parts.append(f"season {findings.season}" if findings.season > 1 else "no season known")
    return "; ".join(parts)


def every(frequency: str) -> str:
    """A frequency in words."""
    word = EVERY.get(frequency) or EVERY.get(frequency[0] if frequency[1:2] in ("S", "E", "-") else "")
    return word or (f"every {frequency}" if any(sign.isalpha() for sign in frequency) else f"steps of {frequency}")


def _inputs(header: Sequence[str], findings: Findings) -> Iterator[Entry]:
    inputs = findings.inputs
    others = [*inputs.past, *inputs.static]
    if findings.choice.task == "forecasting":
        if others:
            yield Entry("", why=f"further inputs could be {_some(others)}: name them in past (known up to now), future "
                        "(known ahead) or static (one value a series), words in categorical too")  # fmt: skip
    else:
        yield from _label_inputs(header, findings)
    if inputs.unused and findings.choice.task != "forecasting":
        reasons = [f"{inline(name)}: {reason}" for name, reason in inputs.unused]
        yield Entry("", why=f"not among the inputs: {'; '.join(reasons[:SHOWN_CANDIDATES])}")


def _label_inputs(header: Sequence[str], findings: Findings) -> Iterator[Entry]:
    """Inputs of the tasks that read every other column of numbers, unless they are named."""
    inputs = findings.inputs
    numbers = [name for name in inputs.past if name not in inputs.categorical]
    if inputs.explicit:
        taken = {*findings.keys.series, findings.keys.time, *findings.choice.targets, *inputs.static}
        free = [name for name in header if name not in taken]
        yield Entry("past", shortened(inputs.past, free), "the inputs that change from row to row")
    else:
        count = "1 column" if len(numbers) == 1 else f"{len(numbers):,} columns"
        what = f"{count} of numbers: {_some(numbers)}" if numbers else "no numbers that change"
        yield Entry("", why=f"inputs: {what}; data.past names others")
    if inputs.static:
        yield Entry("static", list(inputs.static), "inputs that stay the same throughout a series")
    if inputs.categorical:
        yield Entry("categorical", list(inputs.categorical), "inputs that are words: each gets a learned vector")


def _steps(findings: Findings, sizes: Sizes) -> Iterator[Entry]:
    steps, forecasting = findings.keys.rhythm, findings.choice.task == "forecasting"
    uneven = forecasting and steps is not None and steps.uneven > 0 and steps.frequency is not None
    if uneven and steps is not None:
        verb = "step is" if steps.uneven == 1 else "steps are"
        what = f"{steps.uneven:,} {verb} not by the frequency: "
        if steps.fits:
            yield Entry("irregular", "resample", what + "rows are brought to it, with empty ones where there are none")
            yield Entry("frequency", str(steps.frequency), "the commonest step")
        else:
            yield Entry("irregular", "delta", what + "the elapsed time is a further input")
            yield Entry("frequency", str(steps.frequency), "near the median step; forecasts go on by it")
    if findings.in_values:
        yield Entry("season", findings.season, "seen in the numbers: rows after which their changes repeat")
    if findings.blank or (uneven and steps is not None and steps.fits):
        where = f"empty cells in {_some(findings.blank)}" if findings.blank else "rows that resampling leaves empty"
        yield Entry("missing", "ffill", f"{where}: the newest value is repeated; an empty target is never scored")
    if sizes.short:
        yield Entry("short_series", "skip", f"{sizes.short:,} of {len(findings.lengths):,} series have too few rows")


def _task(findings: Findings, sizes: Sizes) -> Iterator[Entry]:
    kind = findings.choice.task
    yield Entry("kind", kind, KINDS[kind])
    if sizes.horizon is not None:
        yield Entry("horizon", sizes.horizon, sizes.why_horizon)


def _split(sizes: Sizes, findings: Findings) -> Iterator[Entry]:
    count = len(findings.lengths)
    if sizes.by == "time":
        yield Entry("by", "time", "one series: its end is held out")
    elif sizes.by == "series":
        yield Entry("by", "series", "whole series are held out")
    few = f"the {count:,} series are few" if findings.choice.task != "forecasting" else "the rows are few"
    if sizes.validation is not None:
        yield Entry("validation", sizes.validation, few)
    if sizes.test is not None:
        yield Entry("test", sizes.test, few)


def _planned(name: str, plan: Plan) -> Iterator[Entry]:
    """The keys of a section that the recipe sets."""
    for key, value in plan.keys.items():
        if key.startswith(f"{name}."):
            yield Entry(key.removeprefix(f"{name}."), value, plan.reasons[key])


def _training(findings: Findings) -> Iterator[Entry]:
    if findings.classes_as_numbers and findings.choice.task == "tagging":
        yield Entry("loss", "cross_entropy", "the numbers of the target are classes, not quantities")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(inline(name) for name in names[:SHOWN_CANDIDATES])
    return shown if len(names) <= SHOWN_CANDIDATES else f"{shown} and {len(names) - SHOWN_CANDIDATES:,} more"


def _range(lengths: Iterable[int]) -> str:
    numbers = list(lengths)
    least, most = min(numbers), max(numbers)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
