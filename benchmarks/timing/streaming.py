"""Streams: rows a second of ``predict --follow``, the time to the answer of one row, and memory that does not grow."""

from __future__ import annotations

import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from timing.measure import RNNCLI, Options, spend, table, train
from timing.series import config, panel

COMMAND = "python benchmarks/speed.py --only streaming"
SERIES, FEW = 100, 10_000  # interleaved; rows after which memory is looked at first
_HEADER = b"series,date,OT\n"
_CHUNK = 1_000  # rows that are written at a time


def run(options: Options) -> str:
    """The section of this part."""
    if "--follow" not in spend([*RNNCLI, "predict", "--help"]).stdout:
        return "not available: this `predict` has no `--follow`\n"
    model = _model(options)
    rows = 50_000 if options.quick else 1_000_000
    rate, few, many = _flood(model, rows)
    waits = sorted(_one_by_one(model, 1_000 if options.quick else 10_000))
    line = [f"{rows:,}", f"{rate:,.0f}", f"{statistics.median(waits):.2f}", f"{waits[int(0.99 * len(waits))]:.2f}",
            f"{few:.0f}", f"{many:.0f}"]  # fmt: skip
    head = ("rows", "rows a second", "ms for one row, median", "99 % below", f"MB after {FEW:,} rows", "MB after all")
    return f"LSTM, one layer of 64; {SERIES} series in turn, start-up left out.\n\n{table(head, [line])}\n"


def _model(options: Options) -> Path:
    """A model that carries its state from row to row."""
    path = config(options, "stream", panel(options, SERIES, 100 * SERIES), "task: {kind: forecasting, horizon: 1}",
                  "window: {context: 24, normalise: none}", "training: {epochs: 1, steps_per_epoch: 10, threads: 1}",
                  series="series")  # fmt: skip
    train(path, options.work / "stream")
    return options.work / "stream"


def _rows(count: int) -> Iterator[bytes]:
    """Hourly rows of all series in turn, later than those that were trained on."""
    for number in range(count):
        hour, series = divmod(number, SERIES)
        if series == 0:
            time_cell = (datetime(2020, 1, 1) + timedelta(hours=hour)).isoformat(" ").encode()
        yield b"s%d,%s,%.3f\n" % (series, time_cell, number % 97 / 30)


def _start(model: Path) -> subprocess.Popen[bytes]:
    command = [*RNNCLI, "predict", str(model), "--follow", "--data", "-", "--format", "csv", "--quiet"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    _write(process, _HEADER)
    return process


def _write(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin is not None
    left = memoryview(data)
    while left:
        left = left[process.stdin.write(left) :]


class _Lines:
    """Counts the lines of a stream as they come."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.count, self._process = 0, process
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while data := self._process.stdout.read(1 << 16):
            self.count += data.count(b"\n")

    def wait_for(self, count: int) -> None:
        """Until so many have come."""
        while self.count < count:
            if self._process.poll() is not None and self.count < count:
                time.sleep(0.2)  # what is left in the pipe
                if self.count < count:
                    raise RuntimeError(f"predict --follow ended after {self.count} lines of {count}")
            time.sleep(0.001)


def _flood(model: Path, count: int) -> tuple[float, float, float]:
    """Rows a second as fast as they are taken, and MB of memory after a few rows and after all."""
    rows = list(_rows(count))
    process = _start(model)
    lines = _Lines(process)
    _write(process, b"".join(rows[:FEW]))
    lines.wait_for(1 + FEW)
    few, begun = _resident(process.pid), time.perf_counter()
    for start in range(FEW, count, _CHUNK):
        _write(process, b"".join(rows[start : start + _CHUNK]))
    lines.wait_for(1 + count)
    rate, many = (count - FEW) / (time.perf_counter() - begun), _resident(process.pid)
    _end(process)
    return rate, few, many


def _one_by_one(model: Path, count: int) -> list[float]:
    """Milliseconds from a row written to its answer read, each row after the answer to the last."""
    process = _start(model)
    assert process.stdout is not None
    waits: list[float] = []
    for number, row in enumerate(_rows(count + SERIES)):
        begun = time.perf_counter()
        _write(process, row)
        answer = b""
        while answer.count(b"\n") < (2 if number == 0 else 1):  # the header comes with the first
            answer += process.stdout.read(1 << 16)
        if number >= SERIES:
            waits.append(1000 * (time.perf_counter() - begun))
    _end(process)
    return waits


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait()


def _resident(pid: int) -> float:
    """MB that a process holds, where the system says it."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return float(subprocess.check_output(["ps", "-o", "rss=", "-p", str(pid)]).decode()) / 1024
    return next(float(line.split()[1]) / 1024 for line in status.read_text().splitlines() if line.startswith("VmRSS"))
