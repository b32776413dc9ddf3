"""Training steps of recurrent layers: the native kernels against torch.nn, and against the least that they could take.

A step is forward and backward, from given gradients of all outputs, with the same weights and inputs. The two engines
take turns, so that whatever else the machine does meets both; a turn is two steps, and the second is timed, as in
training a step follows its like. The floor is the step's multiplications over the rate of a large product of matrices,
which is measured in every turn too.
"""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch

from rnncli.model.backbone import Backbone
from rnncli.model.cells import CELLS
from rnncli.model.engine import native
from rnncli.model.native.kernels import Library

from timing.measure import Options, cores, geometric_mean, median, progress, table, verdict

COMMAND = "python benchmarks/speed.py --only steps"
NAMES = ("rnn", "lstm", "gru")  # those that torch.nn has
INPUTS, SQUARE = 7, 512
SMALL = 64  # hidden units up to which a network is small
MOST_SLOWER = 1.05  # times torch.nn's, anywhere
MOST_BESIDE = 1.3  # times one thread's, where another process keeps a core busy
ROUNDS, PAIRS = 5, 7  # over all shapes; and turns on one thread and on two in a round
REST = 0.05  # seconds, until threads of torch that wait for more work have gone to sleep
Clock = Callable[[], float]


class Shape(NamedTuple):
    """One line of the grid."""

    cell: str
    hidden: int
    batch: int = 32
    steps: int = 96
    layers: int = 1
    directions: int = 1

    def products(self) -> int:
        """Multiplications and additions of a step. The first layer's inputs ask for no gradient."""
        total, gates = 0, len(CELLS[self.cell].gates)
        for layer in range(self.layers):
            inputs = INPUTS if layer == 0 else self.directions * self.hidden
            columns = 2 * (inputs + self.hidden) + self.hidden + (inputs if layer else 0)
            total += 2 * self.batch * self.steps * gates * self.hidden * columns * self.directions
        return total


class Timed(NamedTuple):
    """Medians of milliseconds, and the median of the pairs' ratios."""

    torch: float
    native: float
    floor: float
    ratio: float


def grid(quick: bool) -> Iterator[Shape]:
    """Hidden sizes by batches, then lengths, layers and directions at three hidden sizes."""
    for cell in NAMES:
        if quick:
            yield from (Shape(cell, hidden) for hidden in (16, 32, 64))
            yield from (Shape(cell, 64, batch=1), Shape(cell, 128, batch=8))
            yield Shape(cell, 32, layers=2, directions=2)
            continue
        for hidden, batch in itertools.product((16, 32, 64, 128, 256, 512), (1, 8, 32, 256)):
            yield Shape(cell, hidden, batch)
        for hidden in (16, 64, 256):
            yield from (Shape(cell, hidden, steps=steps) for steps in (24, 720))
            yield from (Shape(cell, hidden, layers=layers, directions=directions)
                        for layers, directions in ((2, 1), (1, 2), (2, 2)))  # fmt: skip


def run(options: Options) -> str:
    """The section of this part."""
    library = native()
    if not isinstance(library, Library):
        return f"not available: no native kernels ({library})\n"
    torch.set_num_threads(1)
    seconds = 0.05 if options.quick else 0.5
    found = {shape: measure(shape, seconds, time.thread_time) for shape in grid(options.quick)}
    head = (*Shape._fields, "torch.nn ms", "native ms", "gain", "of the floor")
    rows = [(*shape, f"{t.torch:.2f}", f"{t.native:.2f}", f"{t.ratio:.2f}", f"{t.floor / t.native:.0%}")
            for shape, t in found.items()]  # fmt: skip
    what = f"Kernels: {library.name}. One thread; milliseconds of CPU. {_floor(found)}"
    parts = [what, _summary(found), table(head, rows)]
    if cores() > 1:
        parts += [_two_threads(options), _neighbour(options)]
    return "\n\n".join(parts) + "\n"


def engine_step(shape: Shape, engine: str) -> Callable[[], object]:
    """A function that takes one step on an engine."""
    torch.manual_seed(0)
    two = shape.directions == 2
    backbone = Backbone(shape.cell, INPUTS, shape.hidden, shape.layers, bidirectional=two)
    backbone.engine = engine
    x = torch.randn(shape.batch, shape.steps, INPUTS)
    gradient = torch.randn(shape.batch, shape.steps, shape.directions * shape.hidden)
    parameters = list(backbone.parameters())
    return lambda: torch.autograd.grad(backbone(x)[0], parameters, gradient)


def milliseconds(function: Callable[[], object], clock: Clock) -> float:
    """Time of the second of two calls."""
    function()
    begun = clock()
    function()
    return 1000 * (clock() - begun)


def measure(shape: Shape, seconds: float, clock: Clock) -> Timed:
    """Turns of both engines and of a large product, at least three."""
    theirs, ours = engine_step(shape, "torch"), engine_step(shape, "native")
    square = torch.randn(SQUARE, SQUARE)
    for function in (theirs, ours):
        function()
    turns = []
    end = time.monotonic() + seconds
    while len(turns) < 3 or (time.monotonic() < end and len(turns) < 200):
        rate = milliseconds(lambda: square @ square, clock) / (2 * SQUARE**3)
        turns.append((milliseconds(theirs, clock), milliseconds(ours, clock), rate * shape.products()))
    first, second, floor = (median(column) for column in zip(*turns, strict=True))
    progress(shape, f"{first:.2f} {second:.2f} {floor:.2f}")
    return Timed(first, second, floor, median(one / other for one, other, _ in turns))


def _floor(found: dict[Shape, Timed]) -> str:
    """What the floor is, and whether it is one."""
    rate = median(shape.products() / timed.floor for shape, timed in found.items()) / 1e6
    text = f"The floor is torch's large product: {rate:.0f} billion operations a second"
    below = any(timed.native < timed.floor for timed in found.values())
    return text + (", which is not all that this processor can do." if below else ".")


def _summary(found: dict[Shape, Timed]) -> str:
    """A line a cell."""
    rows = []
    for cell in NAMES:
        own = {shape: timed for shape, timed in found.items() if shape.cell == cell}
        small = {shape: timed.ratio for shape, timed in own.items() if shape.hidden <= SMALL}
        worst = min(own, key=lambda shape: own[shape].ratio)
        shares = [timed.floor / timed.native for shape, timed in own.items() if shape.hidden >= 32]
        rows.append([cell, f"{geometric_mean(small.values()):.2f}", f"{min(small.values()):.2f}",
                     f"{own[worst].ratio:.2f} (hidden {worst.hidden}, batch {worst.batch}, {worst.steps} steps, "
                     f"{worst.layers} x {worst.directions})", f"{sum(shares) / len(shares):.0%}",
                     verdict(own[worst].ratio >= 1 / MOST_SLOWER)])  # fmt: skip
    head = ("cell", f"gain, hidden <= {SMALL}, geometric mean", "worst of these", "worst of all",
            "share of the floor, hidden >= 32, mean", f"never {MOST_SLOWER - 1:.0%} slower")  # fmt: skip
    return table(head, rows)


def _clock_at(function: Callable[[], object], threads: int) -> float:
    """Milliseconds by the clock with so many threads."""
    torch.set_num_threads(threads)
    return milliseconds(function, time.perf_counter)


def _gains(shapes: Iterable[Shape], options: Options) -> list[list[str]]:
    """One thread's time over two threads', a line a shape, on torch.nn and natively.

    In rounds over all of them, since others who share the processor take a core away for seconds.
    """
    gains: dict[Shape, list[list[float]]] = {shape: [[], []] for shape in shapes}
    steps = {shape: [engine_step(shape, engine) for engine in ("torch", "native")] for shape in gains}
    for _ in range(1 if options.quick else ROUNDS):
        for shape, both in gains.items():
            for step, found in zip(steps[shape], both, strict=True):
                time.sleep(REST)
                found += [_clock_at(step, 1) / _clock_at(step, 2) for _ in range(PAIRS)]
    torch.set_num_threads(1)
    return [[*map(str, shape[:3]), *(f"{median(found):.2f}" for found in both)] for shape, both in gains.items()]


def _two_threads(options: Options) -> str:
    """What a second thread brings, by the clock."""
    sizes = [(64, 32)] if options.quick else [(32, 32), (64, 32), (128, 32), (256, 32), (32, 256), (64, 256)]
    rows = _gains((Shape(cell, *size) for cell, size in itertools.product(NAMES, sizes)), options)
    return "One thread's time over two threads', by the clock, 96 steps:\n\n" + table(
        ("cell", "hidden", "batch", "torch.nn", "native"), rows
    )


def _spin() -> None:
    while True:
        pass


def _neighbour(options: Options) -> str:
    """Two threads, where another process keeps one core busy, against one thread in the same turns."""
    process = multiprocessing.get_context("spawn").Process(target=_spin, daemon=True)
    process.start()
    try:
        gains = _gains((Shape(cell, 64) for cell in NAMES), options)
    finally:
        process.kill()
        process.join()
    rows = [(cell, *(f"{1 / float(gain):.2f}" for gain in both)) for cell, _, _, *both in gains]
    worst = max(float(own) for *_, own in rows)
    what = f"Native at most {MOST_BESIDE:g}: {verdict(worst <= MOST_BESIDE)}."
    return (
        "Two threads' time over one thread's, while another process keeps one core busy (hidden 64). "
        f"{what}\n\n{table(('cell', 'torch.nn', 'native'), rows)}"
    )
