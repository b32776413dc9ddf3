"""Every state and gate of a trained model, step by step, for the rows that it reads when it predicts."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rnncli.config import schema
from rnncli.data import clock
from rnncli.data.panel import Columns, Panel, Rows, show_id
from rnncli.data.reading.frames import Tables
from rnncli.data.windows import Windows
from rnncli.errors import UsageError
from rnncli.model.ensemble import members_of
from rnncli.model.network import Network
from rnncli.model.reference import GATES, STEPS, passes, quantities
from rnncli.predict import Given, read_given
from rnncli.trained import TrainedModel

Array = NDArray[np.floating[Any]]

BLOCK = 1 << 22  # numbers that are held at a time
LONG = ("layer", "direction", "quantity", "unit", "value")  # columns of a row for each number, beside where it is from


@dataclass(frozen=True)
class Choice:
    """Which numbers are asked for; None is all of them.

    Attributes:
        what: names of states and gates, or ``all``; None for the states alone.
        layers, units, members: numbers from 0.
        directions: ``forward``, ``backward``.
        series: ids as `show_id` writes them.
        last: so many steps of each series, its newest.
        wide: a row a step with a column for every number, else a row for every number.
    """

    what: tuple[str, ...] | None = None
    layers: tuple[int, ...] | None = None
    directions: tuple[str, ...] | None = None
    units: tuple[int, ...] | None = None
    members: tuple[int, ...] | None = None
    series: tuple[str, ...] | None = None
    last: int | None = None
    wide: bool = False


@dataclass(frozen=True)
class Selection:
    """The numbers of each step that a model has and that are wanted, and of which of its networks."""

    what: tuple[str, ...]
    layers: tuple[int, ...]
    directions: tuple[str, ...]
    units: tuple[int, ...]
    members: tuple[int, ...]

    def labels(self) -> list[tuple[int, str, str, int]]:
        """Layer, direction, quantity and unit of every number of a step, in the order in which they are printed."""
        return list(itertools.product(self.layers, self.directions, self.what, self.units))


@dataclass(frozen=True)
class Traced:
    """Rows that `rnncli trace` prints, computed as they are taken, and what a person should know of the data."""

    columns: list[str]
    rows: Iterator[tuple[object, ...]]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LayerTrace:
    """What one layer computed in one direction: by name, each (time, hidden, windows)."""

    layer: int
    direction: str
    values: dict[str, Array]


def names_of(cell: str) -> tuple[str, ...]:
    """Names of a cell's states and gates: of an LSTM h, c, i, f, g, o."""
    _, parts = STEPS[cell]
    return tuple(dict.fromkeys((*("h", "c")[:parts], *GATES[cell])))


def trace(model: TrainedModel, tables: Tables, choice: Choice = Choice()) -> Traced:
    """What happens in the newest window of every series: the one from which `predict` answers.

    A step is a row, or with `model.segment` a segment, which has the time of its newest row. Steps are counted from 1.

    Raises:
        UsageError: if the model or the data has not what is wanted.
        DataError: for anything in the tables that the model cannot read.
    """
    selection = select(model.config, choice)
    given = read_given(model, tables)
    windows = given.windows(given.panel.ends[_series(given.panel, model.columns, choice)])
    columns, names = _place_names(model), selection.labels()
    own = [f"l{layer}{'_reverse' * (way == 'backward')}.{name}.{unit}" for layer, way, name, unit in names]
    columns += own if choice.wide else LONG
    rows = _rows(model, given, windows, selection, choice.last)
    return Traced(columns, rows if choice.wide else _long(rows, names), given.panel.notes)


def select(config: schema.Config, choice: Choice) -> Selection:
    """What a model has of a choice.

    Raises:
        UsageError: if the model has not what is wanted.
    """
    settings, names = config.model, names_of(config.model.cell)
    states = STEPS[settings.cell][1]
    ways = ("forward", "backward")[: 1 + settings.bidirectional]
    what = names if choice.what == ("all",) else choice.what or names[:states]
    odd = [name for name in what if name not in names]
    if odd:
        raise UsageError(f"--what: {settings.cell} has no {', '.join(odd)}", f"it has {', '.join(names)}; or say all")
    if set(choice.directions or ()) - set(ways):
        raise UsageError("--direction backward: the model reads forward alone", "leave it out")
    if choice.members is not None and config.training.seeds == 1:
        raise UsageError("--member: the model is one network", "leave it out")
    return Selection(
        what=what,
        layers=_within("--layer", choice.layers, settings.num_layers),
        directions=tuple(way for way in ways if way in (choice.directions or ways)),
        units=_within("--unit", choice.units, settings.hidden_size),
        members=_within("--member", choice.members, config.training.seeds),
    )


def _within(option: str, wanted: tuple[int, ...] | None, count: int) -> tuple[int, ...]:
    if wanted and max(wanted) >= count:
        there = f"are 0 to {count - 1}" if count > 1 else "is 0 alone"
        raise UsageError(f"{option} {max(wanted)}: there {there}", "they are counted from 0")
    return tuple(range(count)) if wanted is None else wanted


def _series(panel: Panel, columns: Columns, choice: Choice) -> Rows:
    """Numbers of the series that are wanted, in the order of the data."""
    if choice.series is None:
        return np.arange(len(panel))
    if not columns.series and not columns.wide:
        raise UsageError("--series: the data is a single series", "leave it out")
    shown = {show_id(name): number for number, name in enumerate(panel.ids)}
    missing = [name for name in choice.series if name not in shown]
    if missing:
        some = ", ".join(itertools.islice(shown, 5))
        raise UsageError(f"--series: the data has no series {missing[0]!r}", f"it has {len(shown):,}, such as {some}")
    return np.array(sorted(shown[name] for name in choice.series))


def layer_traces(network: Network, windows: Windows, index: Rows, *, gates: bool) -> list[LayerTrace]:
    """The reference's loop, in float64, over windows of one length, on what the network feeds to its recurrence."""
    with torch.inference_mode():
        batch = windows.batch(index)
        x, _, _ = network.read(batch.past, batch.lengths, batch.static)
    tensors = {name: tensor.detach().double().cpu().numpy() for name, tensor in network.backbone.state_dict().items()}
    settings = network.settings
    kind = settings.nonlinearity or "tanh"
    done = passes(settings.cell, tensors, np.moveaxis(x.double().cpu().numpy(), 0, 2), nonlinearity=kind)
    return [
        LayerTrace(
            one.layer, "backward" if one.direction else "forward", quantities(settings.cell, one, kind, gates=gates)
        )
        for one in done
    ]


def blocks(windows: Windows, settings: schema.Model) -> Iterator[Rows]:
    """Indices of windows in their order, of one length each time, and few enough to be held with all their states."""
    lengths = windows.lengths()
    ends = [*(np.flatnonzero(np.diff(lengths)) + 1).tolist(), len(lengths)]
    numbers = len(names_of(settings.cell)) * settings.num_layers * (1 + settings.bidirectional) * settings.hidden_size
    for start, end in itertools.pairwise([0, *ends]):
        most = max(1, BLOCK // (numbers * int(lengths[start])))
        yield from (np.arange(first, min(first + most, end)) for first in range(start, end, most))


def _place_names(model: TrainedModel) -> list[str]:
    """Columns that say where a row is from; those of the data give way to ours."""
    columns = model.columns
    given = [*(("series",) if columns.wide else columns.series), *((columns.time,) if columns.time is not None else ())]
    ours = ("member",) if model.config.training.seeds > 1 else ()
    taken = {*ours, "step", *LONG}
    return [*(f"data_{name}" if name in taken else name for name in given), *ours, "step"]


def _rows(
    model: TrainedModel, given: Given, windows: Windows, selection: Selection, last: int | None
) -> Iterator[tuple[object, ...]]:
    """A row a step: where it is from, and all numbers."""
    members = members_of(model.network)
    several = len(members) > 1
    gates = not {"h", "c"}.issuperset(selection.what)
    for index in blocks(windows, model.config.model):
        found = [
            (number, _table(layer_traces(members[number], windows, index, gates=gates), selection))
            for number in selection.members
        ]
        for place, window in enumerate(index):
            for number, table in found:
                steps, member = table.shape[1], (number,) if several else ()
                places = _places(model, given, windows.pick(slice(window, window + 1)), steps)
                for step, where in list(enumerate(places, 1))[-(last or steps) :]:
                    yield (*where, *member, step, *table[place, step - 1].tolist())


def _table(layers: Sequence[LayerTrace], selection: Selection) -> Array:
    """(windows, time, numbers) what is wanted, in the order of its labels."""
    units = list(selection.units)
    parts = [
        layer.values[name][:, units]
        for layer in layers
        if layer.layer in selection.layers and layer.direction in selection.directions
        for name in selection.what
    ]
    return np.moveaxis(np.concatenate(parts, axis=1), 2, 0)


def _places(model: TrainedModel, given: Given, window: Windows, steps: int) -> list[tuple[object, ...]]:
    """Id and time of every step of a window; a segment has the time of its newest row."""
    segment = model.task.sizes().segment
    rows = int(window.origins[0]) - 1 - segment * np.arange(steps - 1, -1, -1)
    own = given.panel.ids[int(window.series[0])]
    if model.columns.time is None:
        return [own] * steps
    times = clock.write(given.panel.times[rows], model.columns.time_format)
    return [(*own, time) for time in times]


def _long(
    rows: Iterable[tuple[object, ...]], names: Sequence[tuple[int, str, str, int]]
) -> Iterator[tuple[object, ...]]:
    """A row for every number."""
    for row in rows:
        where = row[: len(row) - len(names)]
        for name, value in zip(names, row[len(where) :], strict=True):
            yield (*where, *name, value)
