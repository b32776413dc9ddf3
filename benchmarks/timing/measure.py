"""What all parts measure with: commands in processes of their own, medians of turns, tables."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RNNCLI = (sys.executable, "-m", "rnncli")
LAUNCHER = str(Path(__file__).parent / "launch.py")


@dataclass(frozen=True)
class Options:
    """What the command line of the benchmark says.

    Attributes:
        quick: fewer shapes, rows and repeats.
        data: a folder with ETTh1.csv, or None for a made series of its shape.
        venvs: where the libraries beside rnncli are installed.
        work: a folder for what the runs read and write.
    """

    quick: bool
    data: Path | None
    venvs: Path
    work: Path


@dataclass(frozen=True)
class Spent:
    """What a process took: seconds of processor and of clock, peak memory in MB, and what it printed."""

    cpu: float
    wall: float
    peak: float
    stdout: str


class FailedError(Exception):
    """A command came to nothing; the message is the end of what it said."""


def spend(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Spent:
    """Run a command to its end, its children counted.

    Raises:
        FailedError: if it does not end with 0.
    """
    with tempfile.NamedTemporaryFile() as report:
        whole = [sys.executable, "-I", "-S", LAUNCHER, report.name, *map(str, command)]
        done = subprocess.run(
            whole, stdin=subprocess.DEVNULL, capture_output=True, env={**os.environ, **(environment or {})}, check=False
        )
        if done.returncode:
            said = [line.strip() for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
            raise FailedError(f"exit {done.returncode}: {said[-1][:200] if said else ''}")
        took = json.loads(Path(report.name).read_text())
    return Spent(**took, stdout=done.stdout.decode(errors="replace"))


def train(
    config: Path,
    out: Path,
    *keys: str,
    environment: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    rnncli: Sequence[str | Path] = RNNCLI,
) -> Spent:
    """``rnncli train`` into a folder."""
    quiet = ("--overwrite", "--quiet", "--format", "json")
    return spend([*rnncli, "train", config, *keys, "--out", out, *quiet, *options], environment)


def in_turn(runs: Mapping[str, Callable[[], Spent]], repeats: int) -> dict[str, list[Spent] | FailedError]:
    """Every run `repeats` times, in turn, so that whatever else the machine does meets them all alike."""
    found: dict[str, list[Spent] | FailedError] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            before = found[name]
            if isinstance(before, FailedError):
                continue
            try:
                before.append(run())
            except FailedError as error:
                found[name] = error
    return found


def median(values: Iterable[float]) -> float:
    """The median, of numbers that may come from a generator."""
    return statistics.median(values)


def geometric_mean(values: Iterable[float]) -> float:
    """The mean of ratios."""
    return statistics.geometric_mean(values)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def progress(*values: object) -> None:
    """A line of what was just measured, for whoever waits."""
    print(*values, file=sys.stderr, flush=True)


def verdict(holds: bool) -> str:
    """How a target was met, in a word."""
    return "yes" if holds else "no"


def processor() -> str:
    """The processor's name, where the system says it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def cores() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
