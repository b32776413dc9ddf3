"""What the gates and units of a model do on data: how open, how saturated, and whether they move at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnncli.data.panel import Panel, Rows
from rnncli.data.windows import Windows
from rnncli.inspection.statistics import KEEPS, finite, half_life
from rnncli.inspection.tensors import Array
from rnncli.inspection.units import NEGLIGIBLE
from rnncli.model.ensemble import AnyNetwork, members_of
from rnncli.model.reference import GATES
from rnncli.predict import Given
from rnncli.trace import blocks, layer_traces

SHUT, OPEN = 0.05, 0.95  # a sigmoid beyond these hardly moves; nor does a tanh beyond OPEN on either side
MOST_ROWS = 100_000
_SIGMOID = {"rnn": "", "lstm": "ifo", "gru": "rz", "carry_lstm": "if"}
_FREE = {"rnn": "h", "carry_lstm": "o"}  # gates whose activation is model.nonlinearity

Key = tuple[int, int, str]  # member, layer, direction


@dataclass
class Tally:
    """Sums over the steps of one quantity of a layer, (units,) each."""

    sums: dict[str, Array] = field(default_factory=dict)
    steps: int = 0

    def add(self, values: Array, low: Array, high: Array) -> None:
        """Count some steps (time, units, windows), and which are at either end."""
        parts = {"total": values, "square": values**2, "low": low, "high": high}
        for name, part in parts.items():
            self.sums[name] = self.sums.get(name, 0.0) + part.sum((0, 2), dtype=np.float64)
        self.sums["least"] = np.minimum(self.sums.get("least", np.inf), values.min((0, 2)))
        self.sums["most"] = np.maximum(self.sums.get("most", -np.inf), values.max((0, 2)))
        self.steps += values.shape[0] * values.shape[2]

    def share(self, name: str) -> Array:
        """(units,) mean over the steps."""
        return self.sums[name] / self.steps


@dataclass(frozen=True)
class Activity:
    """Tallies by network, layer and direction, of every gate, of the output ``h``, and of the logarithm of ``keep``."""

    tallies: dict[Key, dict[str, Tally]]
    steps: int


def tiled(panel: Panel, context: int) -> Rows:
    """Ends of windows that read every row once, or of some of them, spread evenly, where there are very many rows."""
    found = [
        np.arange(int(end), int(begin), -context)[::-1]
        for begin, end in zip(panel.offsets[:-1], panel.ends, strict=True)
    ]
    origins = np.concatenate(found)
    most = max(1, MOST_ROWS // context)
    return origins if len(origins) <= most else origins[np.linspace(0, len(origins) - 1, most).astype(int)]


def observe(network: AnyNetwork, given: Given) -> Activity:
    """Run every network over the data and count what its gates do."""
    windows = by_length(given.windows(tiled(given.panel, given.shape.context)))
    tallies: dict[Key, dict[str, Tally]] = {}
    steps = 0
    for number, member in enumerate(members_of(network)):
        cell, nonlinearity = member.settings.cell, member.settings.nonlinearity or "tanh"
        for index in blocks(windows, member.settings):
            for layer in layer_traces(member, windows, index, gates=True):
                own = tallies.setdefault((number, layer.layer, layer.direction), {})
                _count(own, layer.values, cell, nonlinearity)
    if tallies:
        steps = next(iter(tallies.values()))["h"].steps
    return Activity(tallies, steps)


def by_length(windows: Windows) -> Windows:
    """The windows, those of one length together."""
    return windows.pick(np.argsort(windows.lengths(), kind="stable"))


def _count(own: dict[str, Tally], values: dict[str, Array], cell: str, nonlinearity: str) -> None:
    for name in dict.fromkeys(("h", *GATES[cell])):
        low, high = _ends(values[name], name, cell, nonlinearity)
        own.setdefault(name, Tally()).add(values[name], low, high)
    if cell in KEEPS:
        keep = np.log(np.maximum(values[KEEPS[cell]], np.finfo(np.float64).tiny))
        own.setdefault("keep", Tally()).add(keep, keep, keep)


def _ends(values: Array, name: str, cell: str, nonlinearity: str) -> tuple[Array, Array]:
    """Which values are where the activation is flat: at its lower end, and at its upper one."""
    if name in _SIGMOID[cell]:
        return values < SHUT, values > OPEN
    if nonlinearity == "relu" and name == _FREE.get(cell):
        return values <= 0, np.zeros_like(values, dtype=bool)
    return values < -OPEN, values > OPEN


def gate_rows(activity: Activity, cell: str, *, several: bool) -> list[dict[str, Any]]:
    """A row for every gate of a layer and direction: mean and spread of its values, and shares at either end."""
    rows = []
    for (member, layer, direction), tallies in activity.tallies.items():
        for gate in GATES[cell]:
            tally = tallies[gate]
            mean, low, high = (float(tally.share(name).mean()) for name in ("total", "low", "high"))
            square = float(tally.share("square").mean())
            kept = tallies["keep"].share("total") if KEEPS.get(cell) == gate else None
            rows.append(
                {
                    "member": member if several else None,
                    "layer": layer,
                    "direction": direction,
                    "gate": gate,
                    "mean": mean,
                    "std": max(square - mean**2, 0.0) ** 0.5,
                    "low": low,
                    "high": high,
                    "saturation": low + high,
                    "half_life": None if kept is None else finite(float(np.median(half_life(kept)))),
                }
            )
    return rows


def unit_activity(activity: Activity) -> dict[Key, list[dict[str, Any]]]:
    """Of every unit: mean and range of its output, share of its gates' values that are saturated, half-life on data.

    The half-life is ln(1/2) / mean(ln f): what is left of a state after many steps is the product of the gates. A unit
    whose output varies by less than 1e-3 is ``still``.
    """
    found = {}
    for key, tallies in activity.tallies.items():
        h = tallies["h"]
        gates = [tally for name, tally in tallies.items() if name != "keep" and (name != "h" or len(tallies) == 1)]
        saturation = np.mean([tally.share("low") + tally.share("high") for tally in gates], axis=0)
        reach = h.sums["most"] - h.sums["least"]
        memory = half_life(tallies["keep"].share("total")) if "keep" in tallies else np.full(len(reach), np.nan)
        found[key] = [
            {
                "mean": float(mean),
                "range": float(range_),
                "saturation": float(share),
                "half_life_on_data": finite(steps),
                "dead": "still" if range_ < NEGLIGIBLE else None,
            }
            for mean, range_, share, steps in zip(h.share("total"), reach, saturation, memory, strict=True)
        ]
    return found
