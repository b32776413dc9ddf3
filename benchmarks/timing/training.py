"""Training steps: rnncli's, on its native kernels and through autograd, beside a plain script of torch.nn.

A step is all that training does from one loss to the next: the windows are gathered, the gradient computed and
clipped, the weights changed. The script has its windows on the device as a tensor, torch's fused Adam, and waits for
nothing. Series and shapes are ETTh1's: 7 columns, a horizon of 24. On the CPU all is done by one thread, whose time
is taken; what a second thread brings is told by the clock.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pandas as pd
import torch
from torch import nn

from rnncli.cli.app import OF_LIBRARIES
from rnncli.config.document import Document
from rnncli.config.load import check
from rnncli.data.reading.frames import open_tables
from rnncli.model.cells import CELLS
from rnncli.training.prepare import Prepared, prepare
from rnncli.training.request import Watch
from rnncli.training.state import StepDone
from rnncli.training.train import train_unsaved

from timing.measure import Options, cores, geometric_mean, median, progress, table, verdict
from timing.steps import SMALL

COMMAND = "python benchmarks/speed.py --only training"
COLUMNS, HORIZON, ROWS = 7, 24, 8000
LONG = 336  # rows of a window whose gradient vanishes on its way back
FIRST = 10  # steps that are not counted
ROUNDS = 3
TURN, TURNS = 10, 6  # steps on one thread, then on two; and how often
ROUNDS_OF_TWO = 5  # over all shapes: others who share the processor take it away for seconds
LEAST_OF_TWO = 1.6  # times as fast as one
Timing = Callable[[], float]


class Step(NamedTuple):
    """One line of a table."""

    cell: str
    hidden: int
    batch: int = 32
    context: int = 96


def run(options: Options) -> str:
    """The section of this part."""
    torch.set_num_threads(1)
    file = series(options)
    rows, gains = [], []
    for step in grid(options.quick):
        steps = 20 if options.quick or step.context == LONG else 100
        found = in_turn({
            "script": script(step, steps, "cpu"),
            "autograd": ours(file, step, steps, "torch", "cpu"),
            "native": ours(file, step, steps, "auto", "cpu"),
        })  # fmt: skip
        progress(step, found)
        others = [found.get(name) for name in ("script", "autograd")]
        beside = [cell for other in others for cell in _beside(other, found["native"])]
        rows.append((*step, f"{found['native']:.2f}", *beside))
        gains += [found["script"] / found["native"]] if "script" in found else []
    head = ("cell", "hidden", "batch", "context", "rnncli ms", "script ms", "gain", "on torch ms", "gain")
    mean = f"Geometric mean of the gains over the script: {geometric_mean(gains):.2f}."
    parts = [f"One thread; milliseconds of CPU. {mean}", table(head, rows)]
    if cores() > 1:
        spawn = multiprocessing.get_context("spawn")  # where torch is loaded anew, with what rnncli sets before
        with mock.patch.dict(os.environ, OF_LIBRARIES), spawn.Pool(1) as process:
            parts.append(process.apply(two_threads, (file, options.quick)))
    return "\n\n".join(parts) + "\n"


def _beside(other: float | None, own: float) -> tuple[str, str]:
    return ("–", "–") if other is None else (f"{other:.2f}", f"{other / own:.2f}")


def grid(quick: bool) -> Iterator[Step]:
    """Cells and hidden sizes, then a long window."""
    for cell in CELLS:
        yield from (Step(cell, hidden) for hidden in ((64,) if quick else (32, 64, 128)))
        if not quick and hasattr(nn, cell.upper()):
            yield Step(cell, 64, context=LONG)


def series(options: Options) -> str:
    """A file of random walks."""
    file = options.work / "walks.csv"
    values = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).cumsum(axis=0)
    pd.DataFrame(values, columns=[f"x{n}" for n in range(COLUMNS)]).to_csv(file, index=False)
    return str(file)


def in_turn(kinds: Mapping[str, Timing | None]) -> dict[str, float]:
    """Medians of those that there are, which take turns."""
    taken: dict[str, list[float]] = {kind: [] for kind, timing in kinds.items() if timing is not None}
    for _ in range(ROUNDS):
        for kind, values in taken.items():
            timing = kinds[kind]
            assert timing is not None
            values.append(timing())
    return {kind: median(values) for kind, values in taken.items()}


def two_threads(file: str, quick: bool) -> str:
    """What a second thread brings, by the clock."""
    sizes = [(64, 32)] if quick else [(32, 32), (64, 32), (128, 32), (32, 256), (64, 256)]
    found: dict[Step, list[tuple[float, ...]]] = {
        Step(cell, hidden, batch): [] for cell, (hidden, batch) in itertools.product(CELLS, sizes)
    }
    for _, (step, taken) in itertools.product(range(1 if quick else ROUNDS_OF_TWO), found.items()):
        taken.append(on_two(file, step))
        progress(step, taken[-1])
    medians = {step: [median(column) for column in zip(*taken, strict=True)] for step, taken in found.items()}
    rows = [(*step[:3], *(f"{value:.2f}" for value in values)) for step, values in medians.items()]
    mean = geometric_mean(gain for step, (_, _, gain) in medians.items() if step.hidden <= SMALL)
    said = f"{mean:.2f}; at least {LEAST_OF_TWO:g}: {verdict(mean >= LEAST_OF_TWO)}"
    what = f"One thread and two, milliseconds by the clock. Geometric mean of the gains, hidden <= {SMALL}: {said}."
    return f"{what}\n\n{table(('cell', 'hidden', 'batch', 'one', 'two', 'gain'), rows)}"


def on_two(file: str, step: Step) -> tuple[float, float, float]:
    """Milliseconds of a step on one thread and on two, which take turns in one run, and the median of their ratios."""
    data = prepared(file, step, 2 * TURNS * TURN, "auto", "cpu")
    taken: list[list[float]] = [[] for _ in range(2 * TURNS)]
    done, before = 0, time.perf_counter()

    def event(what: object) -> None:
        nonlocal done, before
        if not isinstance(what, StepDone):
            return
        now = time.perf_counter()
        taken[done // TURN].append(1000 * (now - before))
        done += 1
        if done % TURN == 0:
            torch.set_num_threads(1 + done // TURN % 2)
        before = time.perf_counter()

    train_unsaved(data, torch.device("cpu"), Watch(lambda fit, state: None, event, lambda text: None))
    torch.set_num_threads(1)
    medians = [median(turn[1:]) for turn in taken]
    ones, twos = medians[2::2], medians[3::2]  # the first two warm up
    return median(ones), median(twos), median(one / two for one, two in zip(ones, twos, strict=True))


def prepared(file: str, step: Step, steps: int, engine: str, device: str) -> Prepared:
    """What is trained, in one epoch of so many steps."""
    keys: dict[str, Any] = {
        "data": {"path": file, "target": [f"x{n}" for n in range(COLUMNS)]},
        "task": {"kind": "forecasting", "horizon": HORIZON},
        "window": {"context": step.context},
        "split": {"validation": 0, "test": 0},
        "model": {"cell": step.cell, "hidden_size": step.hidden},
        "training": {"epochs": 1, "steps_per_epoch": steps, "batch_size": step.batch, "engine": engine,
                     "device": device, "threads": 1},
    }  # fmt: skip
    return prepare(check(Document(keys, {})), open_tables(file))


def ours(file: str, step: Step, steps: int, engine: str, device: str) -> Timing:
    """A function that trains for some steps and gives the median milliseconds of one."""
    data = prepared(file, step, steps + FIRST, engine, device)
    clock = time.perf_counter if device == "cuda" else time.thread_time

    def train() -> float:
        stamps: list[float] = []

        def event(what: object) -> None:
            if isinstance(what, StepDone):
                stamps.append(clock())

        train_unsaved(data, torch.device(device), Watch(lambda fit, state: None, event, lambda text: None))
        return 1000 * median(after - before for before, after in pairwise(stamps[FIRST:]))

    return train


def script(step: Step, steps: int, device: str) -> Timing | None:
    """A plain loop of torch.nn over windows that are ready on the device, for the cells that torch has."""
    if not hasattr(nn, step.cell.upper()):
        return None
    torch.manual_seed(0)
    layer = getattr(nn, step.cell.upper())(COLUMNS, step.hidden, batch_first=True).to(device)
    head = nn.Linear(step.hidden, HORIZON * COLUMNS).to(device)
    parameters = [*layer.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, fused=True)
    values = torch.randn(ROWS, COLUMNS, device=device)
    windows = values.unfold(0, step.context + HORIZON, 1).transpose(1, 2)

    def update() -> None:
        chosen = windows[torch.randint(len(windows), (step.batch,), device=device)]
        output, _ = layer(chosen[:, : step.context])
        loss = (head(output[:, -1]).view(step.batch, HORIZON, COLUMNS) - chosen[:, step.context :]).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()

    def on_cuda() -> float:
        for _ in range(FIRST):
            update()
        torch.cuda.synchronize()
        begun = time.perf_counter()
        for _ in range(steps):
            update()
        torch.cuda.synchronize()
        return 1000 * (time.perf_counter() - begun) / steps

    def on_cpu() -> float:
        stamps = []
        for _ in range(steps + FIRST):
            update()
            stamps.append(time.thread_time())
        return 1000 * median(after - before for before, after in pairwise(stamps[FIRST:]))

    return on_cuda if device == "cuda" else on_cpu
