"""What goes on inside while one real sequence is read: every gate and state, step by step.

The steps are those of ``trace``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from rnncli.data.panel import Floats, show_id
from rnncli.data.windows import Windows
from rnncli.model.ensemble import AnyNetwork, members_of
from rnncli.report.charts import LEFT, RIGHT, WIDTH, Line, Look, drawing, line_chart
from rnncli.report.forecasts import when
from rnncli.report.heat import DIVERGING, SEQUENTIAL, coarse, image, picture
from rnncli.report.markup import figure, grid, name, paragraph, text
from rnncli.report.subject import Subject
from rnncli.trace import Array, LayerTrace, layer_traces

UNITS, STEPS_SHOWN = 64, 160  # rows and columns of a picture
LONGEST = 2000  # steps that are followed
LAYERS = 4  # layers and directions that are drawn
INPUTS = 3  # lines of what goes in
MEANINGS = {
    "h": "the state, which is the output",
    "c": "the carry",
    "i": "input gate: how much of the present is written",
    "f": "forget gate: how much of the carry is kept",
    "g": "candidate: what would be written",
    "k": "candidate: what would be written",
    "o": "output gate: how much of the carry shows",
    "r": "reset gate: how much of the state the candidate reads",
    "z": "update gate: how much of the state is kept",
    "n": "candidate: what would take the state's place",
}


def follow(network: AnyNetwork, windows: Windows, which: int) -> tuple[Floats, list[LayerTrace]]:
    """What the first network's recurrence reads in a window, (steps, inputs), and what its first layers do with it."""
    member, index = members_of(network)[0], np.array([which])
    with torch.inference_mode():
        batch = windows.batch(index)
        x, _, _ = member.read(batch.past, batch.lengths, batch.static)
    layers = layer_traces(member, windows, index, gates=True)[:LAYERS]
    shown = [replace(each, values=_shown(member.settings.cell, each.values)) for each in layers]
    return np.asarray(x[0, :LONGEST].double().cpu().numpy()), shown


def _shown(cell: str, values: Mapping[str, Array]) -> dict[str, Array]:
    """(steps, units) of every gate and state; the textbook LSTM's output gate is its state."""
    return {key: part[:LONGEST, :, 0] for key, part in values.items() if (cell, key) != ("carry_lstm", "o")}


def gates(subject: Subject, windows: Windows, which: int) -> str:
    """Pictures of a window's gates and states, a row a unit and a column a step."""
    x, layers = follow(subject.model.network, windows, which)
    one = windows.pick(np.array([which]))
    begin, end = (when(subject, int(row)) for row in (one.begins[0], one.origins[0] - 1))
    who = name(show_id(subject.data.panel.ids[int(one.series[0])]))
    series = f", series {who}" if len(subject.data.panel) > 1 else ""
    several = "first " if len(members_of(subject.model.network)) > 1 else ""
    lead = (
        f"One window of real data{series}, from {text(begin)} to {text(end)}, through the {several}network: {len(x):,} "
        f"steps{_wide(subject)} from left to right, the state zero before the first. Gates go from 0 (dark) to 1 "
        "(bright), states and candidates from −1 (blue) over 0 (pale) to 1 (orange)."
    )
    figures = [_input(x, _names(subject, x))]
    for each in layers:
        figures += [_strip(each, key) for key in each.values]
    return paragraph(lead + _left_out(subject, x, layers, int(one.lengths()[0]))) + grid(figures)


def _left_out(subject: Subject, x: Floats, layers: list[LayerTrace], rows: int) -> str:
    """What is not drawn, in words."""
    model = subject.model.config.model
    said, there = "", model.num_layers * (2 if model.bidirectional else 1)
    if len(x) == LONGEST < rows:
        said += " The rest of the window is left out."
    if there > len(layers):
        said += f" The first {len(layers)} of {there} layers and directions are drawn."
    if len(x) > STEPS_SHOWN or model.hidden_size > UNITS:
        said += f" Where there are more than {UNITS} units or {STEPS_SHOWN} steps, means of blocks are drawn."
    return said


def _names(subject: Subject, x: Floats) -> list[str]:
    """Names of what the first layer reads: of columns, or, of what a front end or segments made of them, numbers."""
    model, columns = subject.model.config.model, subject.model.columns
    names = (*columns.step_inputs(flags=subject.model.config.data.missing == "mask"), *columns.static)
    plain = model.front_end == "none" and model.segment is None and not columns.categories
    return list(names) if plain else [f"input {column + 1}" for column in range(x.shape[1])]


def _wide(subject: Subject) -> str:
    """How many rows a step holds, where it is not one."""
    segment = subject.model.config.model.segment
    return f" of {segment} rows" if isinstance(segment, int) and segment > 1 else ""


def _input(x: Floats, names: list[str]) -> str:
    kinds = ("model", "baseline", "third")
    steps = np.arange(1.0, len(x) + 1)
    lines = [
        Line(label, kind, steps, x[:, column], len(x) < 3)
        for column, (label, kind) in enumerate(zip(names, kinds, strict=False))
    ]
    many = f"the first {INPUTS} of {x.shape[1]} inputs" if x.shape[1] > INPUTS else "the inputs"
    look = Look("What the recurrence reads", "step", "scaled", whole=True)
    return figure(line_chart(look, lines), f"What the recurrence reads: {many} of its first layer.")


def _strip(each: LayerTrace, key: str) -> str:
    """One gate or state as a picture."""
    values = each.values[key]
    signed = key in "hcgkn"
    reach = max(1.0, float(np.abs(values).max())) if signed else 1.0
    drawn = coarse(values.T.astype(np.float64), UNITS, STEPS_SHOWN)
    uri = image(drawn, -reach, reach, DIVERGING) if signed else image(drawn, 0, 1, SEQUENTIAL)
    wide = WIDTH - LEFT - RIGHT
    parts = [picture(uri, LEFT, 4, wide, 130)]
    parts.append(f'<text x="{LEFT - 6}" y="14" class="end">unit 0</text>')
    parts.append(f'<text x="{LEFT - 6}" y="134" class="end">{values.shape[1] - 1}</text>')
    parts.append(f'<text x="{LEFT}" y="152">step 1</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="152" class="end">{len(values):,}</text>')
    title = f"Layer {each.layer}, {each.direction}: {key}, {MEANINGS[key]}"
    size = f"mean {values.mean():.2f}, from {values.min():.2f} to {values.max():.2f}".replace("-", "−")
    scale = f"; here ±{reach:.3g} is the end of the scale" if reach > 1 else ""
    words = f"<b>{text(key)}</b>, layer {each.layer}, {each.direction}: {MEANINGS[key]}; {size}{scale}."
    return figure(drawing(title, "".join(parts), 158, size), words)
