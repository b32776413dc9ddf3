"""Training steps on a CUDA device: captured graphs, single launches, and a plain script of torch.nn."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from rnncli.model.cells import CELLS

from timing.measure import Options, geometric_mean, progress, table
from timing.training import Step, in_turn, ours, script, series

COMMAND = "python benchmarks/speed.py --only cuda"


def run(options: Options) -> str:
    """The section of this part."""
    if not torch.cuda.is_available():
        return "not available: no CUDA device here\n"
    steps = 30 if options.quick else 150
    file = series(options)
    rows, gains = [], []
    for step in grid(options.quick):
        found = in_turn({
            "captured": ours(file, step, steps, "auto", "cuda"),
            "launched": ours(file, step, steps, "torch", "cuda"),
            "script": script(step, steps, "cuda"),
        })  # fmt: skip
        progress(step, found)
        gains.append(found["launched"] / found["captured"])
        shown = [f"{found['launched']:.2f}", f"{found['captured']:.2f}", f"{gains[-1]:.2f}"]
        plain = found.get("script")
        beside = ("–", "–") if plain is None else (f"{plain:.2f}", f"{plain / found['captured']:.2f}")
        rows.append((step.cell, step.hidden, step.batch, beside[0], *shown, beside[1]))
    head = ("cell", "hidden", "batch", "script ms", "launched ms", "captured ms", "gain", "over the script")
    name = f"{torch.cuda.get_device_name()}, torch {torch.__version__}. Milliseconds of a training step."
    return f"{name} Geometric mean of the gains: {geometric_mean(gains):.2f}.\n\n{table(head, rows)}\n"


def grid(quick: bool) -> Iterator[Step]:
    """Cells, hidden sizes and batches."""
    for cell in CELLS:
        yield Step(cell, 64)
        if not quick and cell != "carry_lstm":
            yield from (Step(cell, 64, 256), Step(cell, 256), Step(cell, 256, 256))
