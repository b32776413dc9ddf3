"""What was trained on what, in words and tables."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import numpy as np

from rnncli.config.load import dump
from rnncli.data import clock
from rnncli.data.split import Part
from rnncli.report.markup import bullets, details, facts, name, number, paragraph, table, text
from rnncli.report.subject import Subject
from rnncli.tasks.task import shape_of
from rnncli.training.prepare import on_device, scoring_windows, training_windows

_NAMES = 12  # of columns or files, that are told one by one


def about(subject: Subject) -> str:
    """Config in words, data, parts, and what it was made with."""
    return "".join(
        [
            "<h3>In words</h3>",
            bullets(in_words(subject)),
            "<h3>Data</h3>",
            facts(_data(subject)),
            _parts(subject),
            _notes(subject),
            "<h3>Made with</h3>",
            facts(_made_with(subject)),
            "<h3>Do it again</h3>",
            _again(subject),
            details("The whole config", f"<pre>{text(dump(subject.model.config))}</pre>"),
        ]
    )


def in_words(subject: Subject) -> Iterator[str]:
    """The config, a sentence each."""
    yield _question(subject)
    yield _inputs(subject)
    yield _network(subject)
    yield _training(subject)
    yield _scaling(subject)


def _question(subject: Subject) -> str:
    config, columns = subject.model.config, subject.model.columns
    targets, context = _listed(columns.targets), config.window.context
    past = "the whole series before" if context == "full" else f"the {context} rows before"
    if subject.kind == "forecasting":
        levels = config.task.quantiles
        what = f", as the quantiles {', '.join(f'{level:g}' for level in levels)}" if levels else ""
        targets += ", each column a series of its own" if columns.wide else ""
        return f"It forecasts {targets}: {_rows(config.task.horizon or 1)} ahead, all at once, from {past}{what}."
    if columns.labels is not None:
        which = f"one of {len(columns.labels)} classes ({_listed(columns.labels)})"
        where = "to every row" if subject.kind == "tagging" else "to a whole series"
        return f"It gives {targets}, {which}, {where}."
    if subject.kind == "tagging":
        what = f"the odds that each of {targets} is 1" if columns.binary else targets
        return f"It gives {what}, for every row."
    return f"It estimates {targets} at the newest row, from that row and {past}."


def _inputs(subject: Subject) -> str:
    columns = subject.model.columns
    step = columns.step_inputs(flags=subject.model.config.data.missing == "mask")
    more = f"; and of every series {_listed(columns.static)}" if columns.static else ""
    ahead = f"; known ahead: {_listed(columns.known_ahead)}" if columns.known_ahead else ""
    return f"At each step it reads {len(step)} number{'s' if len(step) > 1 else ''}: {_listed(step)}{more}{ahead}."


def _network(subject: Subject) -> str:
    model, seeds = subject.model.config.model, subject.model.config.training.seeds
    words = {"carry_lstm": "textbook LSTM with a carry", "rnn": "plain recurrent network"}
    layers = f"{model.num_layers} layer{'s' if model.num_layers > 1 else ''} of {model.hidden_size} units"
    ways = ", in both directions" if model.bidirectional else ""
    extra = [f"{key} {value}" for key, value in model.model_dump().items() if key in _PIECES and value != _PIECES[key]]
    several = f" {seeds} such networks answer with their mean." if seeds > 1 else ""
    more = f"; {', '.join(text(part) for part in extra)}" if extra else ""
    return f"The network: {words.get(model.cell, model.cell.upper())}, {layers}{ways}{more}.{several}"


_STEPS = {"MS": "month", "ME": "month", "D": "day", "1D": "day", "h": "hour", "7D": "7 days", "min": "minute"}
_LEVELS = {"last": "last value", "mean_std": "mean and spread"}
_PIECES: dict[str, Any] = {
    "nonlinearity": None,
    "bias": True,
    "dropout": 0.0,
    "recurrent_dropout": 0.0,
    "readout": "last",
    "front_end": "none",
    "segment": None,
    "decoder": "direct",
    "skip": "none",
    "input_dropout": 0.0,
    "output_dropout": 0.0,
}


def _training(subject: Subject) -> str:
    training = subject.model.config.training
    done = subject.made_with.get("epochs", subject.result.get("epochs"))
    count = f"{text(done)} of at most {training.epochs} epochs" if done else f"at most {training.epochs} epochs"
    patience = f", stopping after {training.patience} without a better validation loss" if training.patience else ""
    return (
        f"Trained for {count}{patience}, in batches of {training.batch_size}, with {training.optimizer} at a learning "
        f"rate of at most {training.learning_rate:g} ({training.schedule}); the loss is {text(training.loss)}."
    )


def _scaling(subject: Subject) -> str:
    config = subject.model.config
    whose = "each series" if config.scale.per == "series" else "all series together"
    scale = "Values are not scaled" if config.scale.kind == "none" else (
        f"Values are scaled ({config.scale.kind}) by the training rows of {whose}"
    )  # fmt: skip
    log = ", after their logarithm was taken" if config.window.transform == "log" else ""
    level = f"; of each window the {_LEVELS[config.window.normalise]} is taken off and put back" if (
        config.window.normalise not in (None, "none")
    ) else ""  # fmt: skip
    return f"{scale}{log}{level}."


def _data(subject: Subject) -> Iterator[tuple[str, str]]:
    panel, columns = subject.data.panel, subject.model.columns
    files = [part.file for part in subject.tables.parts]
    listed = "<br>".join(f"<code>{name(file)}</code>" for file in files[:_NAMES])
    more = f"<br>and {len(files) - _NAMES:,} more" if len(files) > _NAMES else ""
    yield "Files" if len(files) > 1 else "File", listed + more
    yield "SHA-256 of headers and rows", f"<code>{text(subject.tables.digest())}</code>{_is_it(subject)}"
    if subject.changed:
        yield "SHA-256 when it was trained", f"<code>{text(subject.made_with['data_sha256'])}</code>"
    yield "Rows", number(len(subject.tables))
    lengths = panel.lengths()
    least, most = number(int(lengths.min())), number(int(lengths.max()))
    span = f"{least} rows each" if least == most else f"{least} to {most} rows each"
    yield "Series", f"{number(len(panel))}, {span}" if len(panel) > 1 else "1"
    if columns.time is not None:
        ends = clock.write(np.array([panel.times.min(), panel.times.max()]), columns.time_format)
        often = f", a row every {text(_STEPS.get(columns.frequency, columns.frequency))}" if columns.frequency else ""
        season = f", {columns.season} rows a season" if columns.season > 1 else ""
        column = f"<code>{name(columns.time)}</code>"
        yield "Time column", f"{column}: {text(ends[0])} to {text(ends[1])}{often}{season}"


def _is_it(subject: Subject) -> str:
    if subject.other:
        return " (other data than the run was trained on)"
    if subject.changed:
        return " <strong>(not what the run was trained on)</strong>"
    return " (what the run was trained on)" if subject.made_with.get("data_sha256") else ""


def _parts(subject: Subject) -> str:
    if subject.other:
        return paragraph("All of this data was scored; none of it was trained on by this run.")
    data, split = subject.data, subject.model.config.split
    values = on_device(data, next(subject.model.network.parameters()).device)
    rows = []
    for which in ("train", "validation", "test"):
        part = getattr(data.split, which)
        if which != "train" and getattr(split, which) == 0:
            rows.append([which, *["none"] * 4])
            continue
        windows = training_windows(data, values) if which == "train" else scoring_windows(data, part, values)
        size, series = int((part.last - part.first).sum()), len(part.series())
        rows.append([which, number(series), number(size), number(len(windows)), _span(subject, part)])
    span = "time" if subject.model.columns.time else "rows of the first series"
    how = "whole series" if split.by == "series" else "time: the newest rows of every series are held out"
    return table(f"Parts, held out by {how}", ["part", "series", "rows", "windows", span], rows)


def _span(subject: Subject, part: Part) -> str:
    panel, there = subject.data.panel, part.series()
    if not len(there):
        return "–"
    if subject.model.columns.time is None:
        first = there[0]
        return f"{part.first[first] - panel.offsets[first] + 1} to {part.last[first] - panel.offsets[first]}"
    ends = np.array([panel.times[part.first[there]].min(), panel.times[part.last[there] - 1].max()])
    return " to ".join(text(moment) for moment in clock.write(ends, subject.model.columns.time_format))


def _notes(subject: Subject) -> str:
    return bullets(text(note) for note in subject.data.panel.notes) if subject.data.panel.notes else ""


def _made_with(subject: Subject) -> Iterator[tuple[str, str]]:
    made, result = subject.made_with, subject.result
    yield "Parameters", number(result.get("parameters"))
    seconds = made.get("seconds", result.get("seconds"))
    for term, value in (
        ("Epochs", made.get("epochs", result.get("epochs"))),
        ("Seconds", seconds),
        ("Device", made.get("device")),
        ("Engine", made.get("engine")),
        ("Threads", made.get("threads")),
        ("Precision", made.get("precision")),
        ("Processor", made.get("cpu_capability")),
        ("Platform", made.get("platform")),
    ):
        if value is not None:
            yield term, number(value) if isinstance(value, int | float) else text(value)
    versions = made.get("versions")
    if isinstance(versions, dict):
        yield "Versions", ", ".join(f"{text(library)} {text(version)}" for library, version in versions.items())
    if "config_sha256" in made:
        yield "SHA-256 of the config", f"<code>{text(made['config_sha256'])}</code>"
    if not made:
        yield "Manifest", "none: this is a model without the folder of its run"


def _again(subject: Subject) -> str:
    """The command that trains the same model; shell characters in names are quoted."""
    made, folder = subject.made_with, subject.run.rstrip("/")
    if not made:
        return paragraph("Without the folder of the run its config.yaml is not at hand; below is what it holds.")
    data = " < DATA" if subject.model.config.data.path == "-" else ""
    command = f"rnncli train {shlex.quote(f'{folder}/config.yaml')} --out {shlex.quote(f'{folder}-again')}{data}"
    exactly = made.get("engine") == "native" and made.get("device") == "cpu"
    same = "with the same versions it comes to the same weights" + ("" if exactly else ", but for rounding")
    return f"<pre>{text(command)}</pre>{paragraph(f'On the same kind of processor and {same}.')}"


def context_of(subject: Subject) -> int:
    """Rows of past in a window, at most."""
    return shape_of(subject.model.config, subject.model.task, subject.data.panel).context


def _rows(count: int) -> str:
    return f"{count:,} row{'s' if count > 1 else ''}"


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(f"<code>{name(each)}</code>" for each in names[:_NAMES])
    return shown + (f" and {len(names) - _NAMES:,} more" if len(names) > _NAMES else "")
