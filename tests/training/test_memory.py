"""Memory of training on many rows: 200 MB and three times the cells in memory, whatever the context."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

LIMIT = 200e6 + 3 * 8 * 4 * 10e6  # bytes, for ten million rows of four columns
FEW, MANY = 500_000, 2_000_000

CONFIG = """\
data: {path: big.csv, time: t, target: y}
task: {kind: forecasting, horizon: 4}
model: {cell: rnn, hidden_size: 4}
training: {threads: 1}
evaluation: {baselines: [naive, seasonal_naive]}
"""
# the peak that a child is told by its parent can be the parent's: it says its own
COMMAND = """
import pathlib, sys
from rnncli.cli.app import main
try:
    main(sys.argv[1:])
finally:
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    print(next(line for line in lines if line.startswith("VmHWM:")), file=sys.stderr)
"""
VARIANTS = {
    "numbers": ["data.past=[x1, x2]", "window.context=24"],
    "dates, a long context": ["data.past=[x1, x2]", "window.context=720"],
    "series": ["data.past=[x2]", "data.series=id", "window.context=24"],
    "regression": ["data.past=[x1, x2]", "task.kind=regression", "~task.horizon", "window.context=24", "split.by=time",
                   "evaluation.baselines=[mean, ridge]"],
    "parts of a tenth": ["data.past=[x1, x2]", "window.context=24", "split.validation=0.1", "split.test=0.1"],
}  # fmt: skip


def _table(folder: Path, rows: int, variant: str) -> None:
    """A table of a time and three more columns."""
    values = np.random.default_rng(0).normal(size=(rows, 3)) * 10
    numbers = np.arange(rows)
    times = numbers.astype(str)
    if variant.startswith("dates"):
        times = np.datetime_as_string(np.datetime64("2000-01-01T00:00:00") + numbers * np.timedelta64(60, "s"))
    first = [f"{value:.3f}" for value in values[:, 0]]
    if variant == "series":
        times, first = (numbers % 10_000).astype(str), [f"s{number // 10_000}" for number in numbers]
    with (folder / "big.csv").open("w") as file:
        file.write(f"t,{'id' if variant == 'series' else 'x1'},x2,y\n")
        rest = values[:, 1:].tolist()
        file.writelines(f"{t},{x},{a:.3f},{b:.3f}\n" for t, x, (a, b) in zip(times, first, rest, strict=True))


def _peak(folder: Path, rows: int, variant: str) -> int:
    """Bytes that a training run takes at its peak."""
    _table(folder, rows, variant)
    (folder / "c.yaml").write_text(CONFIG)
    parts = ["split.validation=100", "split.test=100"] if variant != "parts of a tenth" else []
    command = ["train", "c.yaml", *parts, *VARIANTS[variant], "--budget", "1s", "--out", "run", "--overwrite"]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *command], cwd=folder, capture_output=True, text=True, timeout=280,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stderr.splitlines()[-1].split()[1]) << 10


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process its own peak")
@pytest.mark.parametrize("variant", VARIANTS)
def test_ten_million_rows_fit_into_three_times_their_size(tmp_path, variant):
    few, many = (_peak(tmp_path, rows, variant) for rows in (FEW, MANY))
    ten_million = few + (many - few) * (10_000_000 - FEW) / (MANY - FEW)
    assert ten_million <= LIMIT, f"{few / 1e6:.0f} MB, {many / 1e6:.0f} MB: {ten_million / 1e6:.0f} MB"
