"""Training steps on a CUDA device: captured graphs, single launches, and a plain script of torch.nn.

A step is all that training does from one loss to the next: the windows are gathered, the gradient computed and
clipped, the weights changed. The script has its windows on the device as a tensor, torch's fused Adam, and waits for
nothing. Series and shapes are ETTh1's: 7 columns, context 96, horizon 24.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from rnncli.config.document import Document
from rnncli.config.load import check
from rnncli.data.reading.frames import open_tables
from rnncli.model.cells import CELLS
from rnncli.training.fit import StepDone
from rnncli.training.prepare import Prepared, prepare
from rnncli.training.request import Watch
from rnncli.training.train import train_unsaved

from timing.measure import Options, geometric_mean, median, progress, table

COMMAND = "python benchmarks/speed.py --only cuda"
COLUMNS, CONTEXT, HORIZON, ROWS = 7, 96, 24, 8000
ROUNDS = 3


def run(options: Options) -> str:
    """The section of this part."""
    if not torch.cuda.is_available():
        return "not available: no CUDA device here\n"
    steps = 30 if options.quick else 150
    file = options.work / "cuda.csv"
    values = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).cumsum(axis=0)
    pd.DataFrame(values, columns=[f"x{n}" for n in range(COLUMNS)]).to_csv(file, index=False)
    rows, gains = [], []
    for cell, hidden, batch in grid(options.quick):
        kinds = {
            "captured": ours(str(file), cell, hidden, batch, steps, "auto"),
            "launched": ours(str(file), cell, hidden, batch, steps, "torch"),
            "script": script(cell, hidden, batch, steps) if hasattr(nn, cell.upper()) else None,
        }
        taken: dict[str, list[float]] = {kind: [] for kind, step in kinds.items() if step is not None}
        for _ in range(ROUNDS):
            for kind in taken:
                taken[kind].append(kinds[kind]())
        found = {kind: median(values) for kind, values in taken.items()}
        progress((cell, hidden, batch), found)
        gains.append(found["launched"] / found["captured"])
        shown = [f"{found['launched']:.2f}", f"{found['captured']:.2f}", f"{gains[-1]:.2f}"]
        plain = found.get("script")
        beside = ("–", "–") if plain is None else (f"{plain:.2f}", f"{plain / found['captured']:.2f}")
        rows.append((cell, hidden, batch, beside[0], *shown, beside[1]))
    head = ("cell", "hidden", "batch", "script ms", "launched ms", "captured ms", "gain", "over the script")
    name = f"{torch.cuda.get_device_name()}, torch {torch.__version__}. Milliseconds of a training step."
    return f"{name} Geometric mean of the gains: {geometric_mean(gains):.2f}.\n\n{table(head, rows)}\n"


def grid(quick: bool) -> Iterator[tuple[str, int, int]]:
    """Cells, hidden sizes and batches."""
    for cell in CELLS:
        yield cell, 64, 32
        if not quick and cell != "carry_lstm":
            yield from ((cell, 64, 256), (cell, 256, 32), (cell, 256, 256))


def ours(file: str, cell: str, hidden: int, batch: int, steps: int, engine: str) -> Callable[[], float]:
    """A function that trains for some steps and gives the median milliseconds of one."""
    keys: dict[str, Any] = {
        "data": {"path": file, "target": [f"x{n}" for n in range(COLUMNS)]},
        "task": {"kind": "forecasting", "horizon": HORIZON},
        "window": {"context": CONTEXT},
        "split": {"validation": 0, "test": 0},
        "model": {"cell": cell, "hidden_size": hidden},
        "training": {"epochs": 1, "steps_per_epoch": steps, "batch_size": batch, "engine": engine, "device": "cuda"},
    }
    data: Prepared = prepare(check(Document(keys, {})), open_tables(file))

    def train() -> float:
        stamps: list[float] = []

        def event(what: object) -> None:
            if isinstance(what, StepDone):
                stamps.append(time.perf_counter())

        train_unsaved(data, torch.device("cuda"), Watch(lambda fit, state: None, event, lambda text: None))
        return 1000 * median(after - before for before, after in pairwise(stamps[10:]))

    return train


def script(cell: str, hidden: int, batch: int, steps: int) -> Callable[[], float]:
    """A plain loop of torch.nn over windows that are ready on the device."""
    torch.manual_seed(0)
    layer = getattr(nn, cell.upper())(COLUMNS, hidden, batch_first=True).cuda()
    head = nn.Linear(hidden, HORIZON * COLUMNS).cuda()
    parameters = [*layer.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, fused=True)
    values = torch.randn(ROWS, COLUMNS, device="cuda")
    windows = values.unfold(0, CONTEXT + HORIZON, 1).transpose(1, 2)

    def step() -> None:
        chosen = windows[torch.randint(len(windows), (batch,), device="cuda")]
        output, _ = layer(chosen[:, :CONTEXT])
        loss = (head(output[:, -1]).view(batch, HORIZON, COLUMNS) - chosen[:, CONTEXT:]).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()

    def train() -> float:
        for _ in range(10):
            step()
        torch.cuda.synchronize()
        begun = time.perf_counter()
        for _ in range(steps):
            step()
        torch.cuda.synchronize()
        return 1000 * (time.perf_counter() - begun) / steps

    return train
