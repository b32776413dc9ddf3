"""Growth: how the seconds of a training run grow with rows, epochs, context and series."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from timing.measure import Options, Spent, in_turn, median, table, train, verdict
from timing.series import ETT_ROWS, config, ett, panel

COMMAND = "python benchmarks/speed.py --only growth"
TASK = "task: {kind: forecasting, horizon: 24}"
NO_PARTS = "split: {validation: 0, test: 0}"
PASSES = 4  # over the windows, so that training outweighs what start-up varies by
SLACK = 0.1  # above a line's exponent of one; what does not count as growth


def run(options: Options) -> str:
    """The section of this part."""
    options = replace(options, data=None)  # a file has one length
    base = 6_000 if options.quick else ETT_ROWS
    sizes = (1, 4) if options.quick else (1, 2, 4)
    lines = [
        _line(options, "rows", [base * size for size in sizes], lambda rows: _rows(options, rows)),
        _line(options, "context", [48 * size for size in sizes], lambda context: _context(options, base, context)),
        _line(options, "series, rows in all the same", [1, 16] if options.quick else [1, 10, 100],
              lambda count: _series(options, base, count), limit=0.0),
    ]  # fmt: skip
    if not options.quick:
        lines.append(_line(options, "epochs", sizes, lambda epochs: _epochs(options, base, epochs)))
    head = ("what grows", "from … to", "CPU s less start-up", "exponent", "at most")
    return (
        "Seconds of CPU of `rnncli train`, less those of the same run of a single step; the exponent is the slope of\n"
        f"a line through their logarithms.\n\n{table((*head, 'holds'), lines)}\n"
    )


def _line(
    options: Options, name: str, sizes: Sequence[int], make: Callable[[int], tuple[Path, list[str]]], limit: float = 1.0
) -> list[object]:
    """Times at every size, and the exponent of their growth."""
    runs: dict[str, Callable[[], Spent]] = {}
    for size in sizes:
        path, keys = make(size)
        whole = functools.partial(train, path, options.work / "growth", *keys)
        start = functools.partial(whole, "training.epochs=1", "training.steps_per_epoch=1")
        runs |= {f"{size} whole": whole, f"{size} start": start}
    found = in_turn(runs, 1 if options.quick else 2)
    cpu = {run: median(spent.cpu for spent in some) for run, some in found.items()}
    times = [max(0.01, cpu[f"{size} whole"] - cpu[f"{size} start"]) for size in sizes]
    exponent = slope([math.log(size) for size in sizes], [math.log(time) for time in times])
    return [name, f"{sizes[0]:,} … {sizes[-1]:,}", " / ".join(f"{time:.2f}" for time in times), f"{exponent:.2f}",
            f"{limit + SLACK:.1f}", verdict(exponent <= limit + SLACK)]  # fmt: skip


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Of the line of least squares."""
    middle = sum(x) / len(x)
    return sum((a - middle) * b for a, b in zip(x, y, strict=True)) / sum((a - middle) ** 2 for a in x)


def _keys(context: int, epochs: int) -> list[str]:
    return [f"window.context={context}", f"training.epochs={epochs}", "training.threads=1"]


def _rows(options: Options, rows: int) -> tuple[Path, list[str]]:
    return config(options, f"growth-rows-{rows}", ett(options, rows), TASK, NO_PARTS), _keys(96, PASSES)


def _epochs(options: Options, rows: int, epochs: int) -> tuple[Path, list[str]]:
    return config(options, f"growth-epochs-{epochs}", ett(options, rows), TASK, NO_PARTS), _keys(96, epochs)


def _context(options: Options, rows: int, context: int) -> tuple[Path, list[str]]:
    return config(options, f"growth-context-{context}", ett(options, rows), TASK, NO_PARTS), _keys(context, PASSES)


def _series(options: Options, rows: int, series: int) -> tuple[Path, list[str]]:
    """Steps are set, as series cut windows off."""
    path = config(options, f"growth-series-{series}", panel(options, series, rows), TASK, NO_PARTS, series="series")
    return path, [*_keys(24, PASSES), f"training.steps_per_epoch={rows // 16}"]
