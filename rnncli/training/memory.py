"""How much memory training takes at its peak, from sizes alone."""

from __future__ import annotations

from dataclasses import dataclass

from rnncli.config import schema
from rnncli.data.reading.frames import Tables
from rnncli.data.windows import Windows
from rnncli.model.ensemble import AnyNetwork, members_of
from rnncli.model.network import Network
from rnncli.tasks.answers import BATCH_SIZE
from rnncli.training.manifest import parameters
from rnncli.training.prepare import Prepared

HOW = (
    "libraries: Python and torch; data: the panel, its scaled values and the windows; "
    "batch: inputs, targets and what the backward pass keeps of every step; network: weights, gradient, optimizer and "
    "the copies that saving makes. From sizes alone, within a factor of 2. On a GPU, batch and network are there."
)
LIBRARIES = 300 << 20  # of torch for processors, once it has computed something
A_VALUE = 8  # bytes of a number in the panel
A_ROW = 8 + 4  # its time, and its place in the input
A_WINDOW = 4 + 4 + 8  # its origin, its place in the order of an epoch, and what both are made from
COPIES_OF_WEIGHTS = 12  # weights, gradient, two moments, best, and the flat vectors of a step, or a file in the making
KEPT_A_GATE = 2  # numbers that the backward pass keeps for every gate and unit: before and after its activation


@dataclass(frozen=True)
class Memory:
    """Bytes by what they are for."""

    data: int
    batch: int
    network: int
    libraries: int = LIBRARIES

    @property
    def peak(self) -> int:
        """All of it together."""
        return self.data + self.batch + self.network + self.libraries


def estimate(data: Prepared, tables: Tables, windows: Windows, network: AnyNetwork) -> Memory:
    """The memory that training takes at most; the networks of an ensemble take their steps one after another."""
    member = members_of(network)[0]
    return Memory(_data(data, tables, windows), _batch(data.config, windows, member), _network(network))


def _data(data: Prepared, tables: Tables, windows: Windows) -> int:
    rows, columns = data.panel.values.shape
    held = rows * (columns * A_VALUE + A_ROW)
    resident = windows.data
    scaled = sum(part.nbytes for part in (resident.inputs, resident.targets, resident.observed))
    return int(held + scaled + A_WINDOW * len(windows))


def _batch(config: schema.Config, windows: Windows, network: Network) -> int:
    size = min(config.training.batch_size, len(windows))
    steps = int(windows.lengths().max(initial=1))
    trained = size * steps * _a_step(network, windows)
    scored = min(BATCH_SIZE, len(windows)) * steps * _a_step(network, windows) // 2
    outputs = size * network.sizes.outputs * (steps if network.sizes.every or network.sizes.forks else 1)
    return 4 * (max(trained, scored) + 6 * outputs)


def _a_step(network: Network, windows: Windows) -> int:
    """Numbers that are kept of a time step of a window: inputs, gates and states of every layer and direction."""
    backbone = network.backbone
    directions = len(backbone.directions)
    gates = len(backbone.cell.gates) * KEPT_A_GATE + 2 * len(backbone.cell.states)
    inputs = 3 * (windows.data.inputs.shape[1] + network.sizes.width(network.sizes.static))
    return inputs + backbone.num_layers * directions * backbone.hidden_size * (gates + 2)


def _network(network: AnyNetwork) -> int:
    return 4 * COPIES_OF_WEIGHTS * parameters(network)
