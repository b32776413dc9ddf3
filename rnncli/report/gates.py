"""What goes on inside while one real sequence is read: every gate and state, step by step.

What the recurrence reads is taken from the network; the steps are the textbook's, in NumPy.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from rnncli.config import schema
from rnncli.data.panel import Floats, show_id
from rnncli.data.windows import Windows
from rnncli.model.ensemble import AnyNetwork, members_of
from rnncli.model.reference import ACTIVATIONS, GATES, STEPS, Array, State, Weights, sigmoid
from rnncli.report.charts import LEFT, RIGHT, WIDTH, Line, Look, drawing, line_chart
from rnncli.report.forecasts import when
from rnncli.report.heat import DIVERGING, SEQUENTIAL, coarse, image, picture
from rnncli.report.markup import figure, grid, name, paragraph, text
from rnncli.report.subject import Subject
from rnncli.tasks.answers import run

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


@dataclass(frozen=True)
class Followed:
    """One layer in one direction over a sequence: (steps, units) of every gate and state, by its name."""

    layer: int
    direction: str
    values: dict[str, Floats]


def follow(network: AnyNetwork, windows: Windows, which: int) -> tuple[Floats, list[Followed]]:
    """What the first network's recurrence reads in a window, (steps, inputs), and what its first layers do with it."""
    member = members_of(network)[0]
    caught: list[Any] = []
    handle = member.backbone.register_forward_pre_hook(lambda module, given: caught.append(given[0]))
    try:
        with torch.inference_mode():
            run(member, windows.batch(np.array([which])))
    finally:
        handle.remove()
    x = _numbers(caught[0][0])[:LONGEST]
    tensors = {key: _numbers(value) for key, value in member.backbone.named_parameters()}
    return x, list(itertools.islice(_layers(tensors, x, member.settings), LAYERS))


def _numbers(tensor: torch.Tensor) -> Floats:
    return np.asarray(tensor.detach().cpu().numpy(), dtype=np.float64)


def _layers(tensors: dict[str, Floats], x: Floats, settings: schema.Model) -> Iterator[Followed]:
    for layer in range(settings.num_layers):
        outputs = []
        for direction in ("", "_reverse") if settings.bidirectional else ("",):
            w = Weights(tensors, f"l{layer}{direction}")
            found = _over_time(w, x[::-1] if direction else x, settings)
            values = {key: value[::-1] if direction else value for key, value in found.items()}
            outputs.append(values["h"])
            yield Followed(layer, "backward" if direction else "forward", values)
        x = np.concatenate(outputs, axis=1)


def _over_time(w: Weights, x: Floats, settings: schema.Model) -> dict[str, Floats]:
    """(steps, units) of every gate, and of the states after each step."""
    step, parts = STEPS[settings.cell]
    activation = ACTIVATIONS[settings.nonlinearity or "tanh"]
    state: State = tuple(np.zeros(w.U.shape[1]) for _ in range(parts))
    rows: list[dict[str, Array]] = []
    for x_t in x:
        gates = _gates(settings.cell, x_t, state, w)
        state = step(x_t, state, w, activation)
        rows.append(gates | dict(zip(("h", "c"), state, strict=False)))
    return {key: np.stack([row[key] for row in rows]) for key in rows[0]}


def _gates(cell: str, x: Floats, state: State, w: Weights) -> dict[str, Array]:
    """The gates of one step, as ``reference.py`` computes them on its way; of rnn there are none."""
    names = GATES[cell]
    from_input = np.split(w.W @ x + w.b_input, len(names))
    from_state = np.split(w.U @ state[0] + w.b_recurrent, len(names))
    total = {key: a + b for key, a, b in zip(names, from_input, from_state, strict=True)}
    if cell == "gru":
        r = sigmoid(total["r"])
        return {"r": r, "z": sigmoid(total["z"]), "n": np.tanh(from_input[2] + r * from_state[2])}
    kept = {"lstm": "ifgo", "carry_lstm": "ifk"}.get(cell, "")  # carry_lstm's o is its output, h
    return {key: np.tanh(total[key]) if key in "gk" else sigmoid(total[key]) for key in kept}


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


def _left_out(subject: Subject, x: Floats, layers: list[Followed], rows: int) -> str:
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


def _strip(each: Followed, key: str) -> str:
    """One gate or state as a picture."""
    values = each.values[key]
    signed = key in "hcgkn"
    reach = max(1.0, float(np.abs(values).max())) if signed else 1.0
    drawn = coarse(values.T, UNITS, STEPS_SHOWN)
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
