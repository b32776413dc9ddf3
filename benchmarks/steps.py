"""Training steps of one recurrent layer: the native kernels against torch.nn, with the same weights and inputs.

    python benchmarks/steps.py [--quick] [--threads 1] [--seconds 1.0] > benchmarks/steps.md

A step is forward and backward, from given gradients of all outputs. The two engines take turns, so that whatever else
the machine does meets both; a turn is two steps, and the second is timed, as in training a step follows its like.
Times are medians, and the ratio is the median of the pairs' ratios. What is measured is the processor time of the
calling thread with one thread, else the clock.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch

from rnncli.model.backbone import Backbone
from rnncli.model.engine import native
from rnncli.model.native.kernels import Library

CELLS = ("rnn", "lstm", "gru")
INPUTS, STEPS = 7, 96


class Shape(NamedTuple):
    """One line of the table."""

    cell: str
    hidden: int
    batch: int
    layers: int = 1
    bidirectional: bool = False
    inference: bool = False


def shapes(quick: bool) -> Iterator[Shape]:
    """The grid: all hidden sizes at batch 32, a cross over batches, then stacks, directions and inference."""
    for cell in CELLS:
        for hidden in (32, 64) if quick else (16, 32, 64, 128, 256, 512):
            yield Shape(cell, hidden, 32)
    if quick:
        return
    for cell in CELLS:
        for hidden in (16, 64, 256, 512):
            for batch in (1, 8, 256):
                yield Shape(cell, hidden, batch)
    for cell in CELLS:
        yield Shape(cell, 64, 32, layers=2)
        yield Shape(cell, 64, 32, bidirectional=True)
        yield Shape(cell, 64, 32, inference=True)


def step(shape: Shape, engine: str) -> Callable[[], object]:
    """A function that takes one step on an engine."""
    torch.manual_seed(0)
    directions = 1 + shape.bidirectional
    backbone = Backbone(shape.cell, INPUTS, shape.hidden, shape.layers, bidirectional=shape.bidirectional)
    backbone.engine = engine
    x = torch.randn(shape.batch, STEPS, INPUTS)
    gradient = torch.randn(shape.batch, STEPS, directions * shape.hidden)
    parameters = list(backbone.parameters())

    def train() -> object:
        return torch.autograd.grad(backbone(x)[0], parameters, gradient)

    def infer() -> object:
        with torch.no_grad():
            return backbone(x)

    return infer if shape.inference else train


def milliseconds(function: Callable[[], object], clock: Callable[[], float]) -> float:
    """Time of the second of two calls."""
    function()
    begun = clock()
    function()
    return 1000 * (clock() - begun)


def measure(shape: Shape, seconds: float, clock: Callable[[], float]) -> tuple[float, float, float]:
    """Median milliseconds of torch and of the native kernels, and the median ratio of neighbouring steps."""
    theirs, ours = step(shape, "torch"), step(shape, "native")
    for function in (theirs, ours, theirs, ours):
        function()
    pairs = []
    end = time.monotonic() + seconds
    while len(pairs) < 5 or (time.monotonic() < end and len(pairs) < 200):
        pairs.append((milliseconds(theirs, clock), milliseconds(ours, clock)))
    first, second = (statistics.median(column) for column in zip(*pairs, strict=True))
    return first, second, statistics.median(one / other for one, other in pairs)


def processor() -> str:
    """The processor's name, where the system says it."""
    path = Path("/proc/cpuinfo")
    names = (
        [line.partition(":")[2] for line in path.read_text().splitlines() if "model name" in line]
        if path.exists()
        else []
    )
    return names[0].strip() if names else platform.processor() or platform.machine()


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="hidden 32 and 64 at batch 32 alone")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0, help="for a line of the table, at least five steps")
    arguments = parser.parse_args()
    library = native()
    if not isinstance(library, Library):
        raise SystemExit(f"no native kernels: {library}")
    torch.set_num_threads(arguments.threads)
    clock = time.thread_time if arguments.threads == 1 else time.perf_counter
    print("# Steps of one layer: native kernels against torch.nn\n")
    print(f"`python benchmarks/steps.py`: {STEPS} steps of {INPUTS} inputs, {arguments.threads} thread(s); torch")
    print(f"{torch.__version__}, kernels {library.name}, {processor()}. Milliseconds, medians of steps in turn.\n")
    print("| cell | hidden | batch | | torch.nn | native | ratio |\n|---|---|---|---|---|---|---|")
    for shape in shapes(arguments.quick):
        first, second, ratio = measure(shape, arguments.seconds, clock)
        what = "2 layers" if shape.layers > 1 else "2 directions" if shape.bidirectional else ""
        what = "inference" if shape.inference else what
        row = f"| {shape.cell} | {shape.hidden} | {shape.batch} | {what} | {first:.2f} | {second:.2f} | {ratio:.2f} |"
        print(row, flush=True)


if __name__ == "__main__":
    main()
