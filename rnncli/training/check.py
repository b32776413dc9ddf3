"""Everything that can be known of a training run before it begins: what there is, what it takes, what looks odd."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from rnncli.config import schema
from rnncli.data import clock
from rnncli.data.findings.leaks import leak_findings
from rnncli.data.findings.pairs import pair_leaks
from rnncli.data.findings.panel import Finding, first_of, panel_findings
from rnncli.data.findings.parts import class_counts, part_findings
from rnncli.data.panel import Columns, Panel, show_ids
from rnncli.data.reading.frames import Tables
from rnncli.data.resident import Resident
from rnncli.data.split import Part
from rnncli.data.windows import Windows
from rnncli.errors import DataError
from rnncli.model.ensemble import AnyNetwork, members_of
from rnncli.tasks.task import shape_of
from rnncli.trained import build_network
from rnncli.training.device import check_precision, pick_device
from rnncli.training.fit import steps_an_epoch
from rnncli.training.manifest import describe, parameters
from rnncli.training.memory import HOW, Memory, estimate
from rnncli.training.prepare import Prepared, on_device, scoring_windows, training_windows
from rnncli.training.problems import prepare_all

YEARLY = re.compile(r"\d*B?[YA]")  # frequencies whose season is one row by rights


@dataclass(frozen=True)
class Checked:
    """A run that could begin.

    Attributes:
        data: as training would prepare it.
        parts: windows of ``train``, and of ``validation`` and ``test`` where they are held out.
        network: without weights, for its shapes.
        memory: what training takes.
        device: where it would run.
        findings: what deserves a second look.
    """

    data: Prepared
    parts: dict[str, Windows]
    network: AnyNetwork
    memory: Memory
    device: torch.device
    findings: tuple[Finding, ...]


def check(config: schema.Config, tables: Tables) -> Checked:
    """Look at a run from all sides; nothing is trained and nothing is written.

    Raises:
        DataError: with every problem of the data that could be found.
        ResourceError, UsageError: if the device is not there.
    """
    device = pick_device(config.training.device)
    check_precision(config.training.precision, device)
    data = prepare_all(config, tables)
    parts = _windows(data, on_device(data, torch.device("cpu")))
    with torch.device("meta"):  # shapes alone
        network = build_network(data.config, data.columns, data.config.seed)
    memory = estimate(data, tables, parts["train"], network)
    return Checked(data, parts, network, memory, device, tuple(first_of(list(_findings(data, parts)))))


def _windows(data: Prepared, values: Resident) -> dict[str, Windows]:
    """The windows of every part.

    Raises:
        DataError: if a part that is held out has none.
    """
    parts = {"train": training_windows(data, values)}
    for name in ("validation", "test"):
        if getattr(data.config.split, name) != 0:
            parts[name] = scoring_windows(data, getattr(data.split, name), values)
    for name, windows in parts.items():
        if not len(windows):
            raise DataError(f"the {name} part has no window", f"raise split.{name}, or lower task.horizon")
    return parts


def _findings(data: Prepared, parts: dict[str, Windows]) -> Iterator[Finding]:
    panel, columns, horizon = data.panel, data.columns, data.task.horizon
    for note in panel.notes:
        yield Finding("note", note)
    yield from leak_findings(panel, columns, horizon)
    yield from pair_leaks(panel, columns, horizon)
    yield from panel_findings(panel, columns, by_series=data.config.scale.per == "series")
    yield from part_findings(panel, columns, data.split, horizon)
    yield from _padded(data, parts["train"])
    yield from _season(data)


def _padded(data: Prepared, train: Windows) -> Iterator[Finding]:
    """Windows with less past than `window.context` asks for."""
    context = data.config.window.context
    if context in (None, "full"):
        return
    assert isinstance(context, int)
    window = context + data.task.horizon
    short = np.flatnonzero(data.panel.lengths() < window)
    share = float(np.mean(train.lengths() < context))
    if share > 0.5:
        longest = int(train.lengths().max())
        message = f"{share:.0%} of the training windows hold fewer rows than window.context: {context:,}"
        yield Finding("long_context", message, f"the longest holds {longest:,}")
    elif len(short):
        who = show_ids([data.panel.ids[number] for number in short], 3)
        what = f"{len(short):,} of {len(data.panel):,} series are shorter than a window of {window:,} rows"
        yield Finding("short_series", f"{what}: {who}", "their windows are padded", None, data.panel.ids[int(short[0])])


def _season(data: Prepared) -> Iterator[Finding]:
    """A season that nothing tells of; a yearly series has none."""
    frequency, settings = data.columns.frequency, data.config
    if settings.task.kind != "forecasting" or settings.data.season or data.columns.season > 1:
        return
    if frequency is None or not YEARLY.match(frequency):
        known = "without dates" if frequency is None else f"for steps of {frequency}"
        hint = "set data.season, to 1 if there is none: seasonal_naive and mase build on it"
        yield Finding("no_season", f"no season is known {known}", hint)


def document(config: str, checked: Checked) -> dict[str, Any]:
    """All of it as one JSON document."""
    data, windows = checked.data, checked.parts["train"]
    settings = data.config
    return {
        "config": config,
        "task": settings.task.kind,
        "device": describe(checked.device),
        "data": _data(data.panel, data.columns),
        "columns": _columns(data),
        "parts": [_part(name, data, windows) for name, windows in checked.parts.items()],
        "network": {
            "cell": settings.model.cell,
            "parameters": parameters(checked.network),
            "networks": len(members_of(checked.network)),
            "by_part": {name: parameters(part) for name, part in members_of(checked.network)[0].named_children()},
        },
        "training": {
            "context": shape_of(settings, data.task, data.panel).context,
            "horizon": data.task.horizon or None,
            "batch_size": settings.training.batch_size,
            "steps_an_epoch": steps_an_epoch(windows, settings.training),
            "epochs": settings.training.epochs,
            "loss": settings.training.loss,
        },
        "memory": {**asdict(checked.memory), "peak": checked.memory.peak, "how": HOW},
        "warnings": [_warning(finding) for finding in checked.findings],
    }


def _data(panel: Panel, columns: Columns) -> dict[str, Any]:
    lengths = panel.lengths()
    times = clock.write(np.array([panel.times.min(), panel.times.max()]), columns.time_format)
    return {
        "rows": len(panel.times),
        "series": len(panel),
        "shortest": int(lengths.min()),
        "median": float(np.median(lengths)),
        "longest": int(lengths.max()),
        "first": times[0] if columns.time else None,
        "last": times[1] if columns.time else None,
        "frequency": columns.frequency,
        "season": columns.season if columns.season > 1 else None,
    }


def _columns(data: Prepared) -> list[dict[str, Any]]:
    """A row a column: its role, how many cells are empty, and how many categories or classes it has."""
    panel, columns = data.panel, data.columns
    roles = [(name, "target") for name in columns.targets]
    for role in ("past", "future", "static", "series", "time", "weight"):
        names = getattr(columns, role)
        roles += [(name, role) for name in ((names,) if isinstance(names, str) else names or ())]
    sizes = {name: len(values) for name, values in columns.categories.items()}
    sizes |= dict.fromkeys(columns.targets, len(columns.labels)) if columns.labels else {}
    rows = [(name, role, _missing(panel, columns, name), sizes.get(name)) for name, role in roles]
    rows += [(part, "calendar", 0, None) for part in columns.calendar]
    return [dict(zip(("column", "role", "missing", "categories"), row, strict=True)) for row in rows]


def _missing(panel: Panel, columns: Columns, name: str) -> int:
    """Empty cells of a column; of a static one the series without a value."""
    if columns.wide and name in columns.targets:
        return int(np.isnan(panel.values[panel.rows(columns.targets.index(name)), 0]).sum())
    if name in columns.static:
        return int(np.isnan(panel.static[:, columns.static.index(name)]).sum())
    if name not in panel.columns:
        return 0
    empty = int(np.isnan(panel.values[:, panel.columns.index(name)]).sum())
    return empty // len(panel) if columns.wide else empty


def _part(name: str, data: Prepared, windows: Windows) -> dict[str, Any]:
    """A part's series, rows, time range and windows, and its members of each class."""
    part: Part = getattr(data.split, name)
    held = part.series()
    first, last = data.panel.times[part.first[held]].min(), data.panel.times[part.last[held] - 1].max()
    times = clock.write(np.array([first, last]), data.columns.time_format) if data.columns.time else (None, None)
    row = {
        "part": name,
        "series": len(held),
        "rows": int((part.last - part.first).sum()),
        "first": times[0],
        "last": times[1],
        "windows": len(windows),
    }
    if data.columns.labels is None:
        return row
    counts = class_counts(data.panel, data.columns, name, data.split)
    return {**row, "classes": dict(zip(data.columns.labels, map(int, counts), strict=True))}


def _warning(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "message": finding.message,
        "hint": finding.hint,
        "column": finding.column,
        "series": list(finding.series) if finding.series else None,
    }
