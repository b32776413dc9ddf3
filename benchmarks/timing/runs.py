"""Whole runs: a network of the same size, trained for as many steps on the same rows by rnncli and by others.

The others are a plain PyTorch script and libraries. All are installed here as their users install them, each into an
environment of its own; the script shares rnncli's. A run is a process from its start to its end. Nothing is validated
or evaluated, and no metrics are computed, by anyone. The libraries, which take minutes, run their LSTM alone.

rnncli runs twice: on windows one by one, as everyone else does, and with `window.origins: every`, where each row is an
origin and none is read twice. The second makes fewer updates in an epoch, so what both come to is measured as well.
"""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from timing.measure import (
    RNNCLI,
    FailedError,
    Options,
    Spent,
    in_turn,
    median,
    progress,
    spend,
    table,
    train,
    verdict,
)
from timing.series import config, ett

COMMAND = "python benchmarks/speed.py --only runs"
PEERS = {"neuralforecast": "neuralforecast", "darts": "u8darts[torch]", "ludwig": "ludwig"}  # what pip installs
EVERY = "with_every"
NAMES = {
    EVERY: "rnncli, `origins: every`",
    "plain": "plain PyTorch",
    "neuralforecast": "NeuralForecast",
    "darts": "Darts",
    "ludwig": "Ludwig",
}
ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "peers"
CONSTRAINTS = ROOT / "constraints.txt"
HIDDEN, BATCH, CONTEXT, HORIZON = 64, 32, 96, 24
MOST = {"lstm": 1 / 2, "rnn": 1 / 6, "gru": 1 / 6}  # of the plain script's CPU seconds, and
MOST_OF_PEERS = 1 / 10  # of a library's
INSTALL_SECONDS = 3600
EACH_ROW = ("window.origins=every",)
LONGER = 4  # times the epochs, for origins that share their rows
Run = Callable[[], Spent]


def run(options: Options) -> str:
    """The section of this part."""
    data = ett(options, 4_000) if options.quick else ett(options)
    epochs = 1 if options.quick else 10
    python = Path(sys.executable) if options.quick else _own(options)
    ours = functools.partial(_ours, options, RNNCLI if options.quick else [python.with_name("rnncli")])
    pythons, missing = ({}, []) if options.quick else _installed(options)
    cells = ("lstm",) if options.quick else ("rnn", "lstm", "gru")
    rows: list[list[object]] = []
    for cell in cells:
        whole = (data, cell, epochs)
        runs: dict[str, Run] = {"rnncli": functools.partial(ours, *whole),
                                EVERY: functools.partial(ours, *whole, EACH_ROW),
                                "plain": functools.partial(_script, python, "plain", *whole)}  # fmt: skip
        for name, peer in pythons.items() if cell == "lstm" else ():
            runs[name] = functools.partial(_script, peer, f"with_{name}", *whole)
        found = _rows(cell, in_turn(runs, 1 if options.quick else 3))
        progress(table(found[0], found[1:]))
        rows += found
    head = ("cell", "run by", "CPU s", "clock s", "peak MB", "at most", "rnncli's CPU s are", "holds",
            "with `origins: every`", "holds")  # fmt: skip
    versions = [_version(name, peer) for name, peer in pythons.items()]
    windows = f"{BATCH} windows of {CONTEXT} rows a step, {HORIZON} rows ahead"
    what = f"One thread, one layer of {HIDDEN}, {windows}, epochs: {epochs}."
    errors = "What the forecasts of the last fifth come to, mean absolute error in scaled units, and CPU seconds:"
    parts = ["\n".join([what, *versions]), table(head, rows), *missing, errors, _errors(ours, data, cells, epochs)]
    return "\n\n".join(parts) + "\n"


def _rows(cell: str, found: dict[str, list[Spent] | FailedError]) -> list[list[object]]:
    """A line for everyone who ran."""
    ours: list[float] = []
    for name in ("rnncli", EVERY):
        spent = found[name]
        if isinstance(spent, FailedError):
            raise spent
        ours.append(median(one.cpu for one in spent))
    rows = []
    for name, spent in found.items():
        row: list[object] = [cell, NAMES.get(name, name)]
        if isinstance(spent, FailedError):
            row.append(f"failed: {str(spent).replace('|', '/')}")
        else:
            cpu, wall, peak = (median(getattr(one, what) for one in spent) for what in ("cpu", "wall", "peak"))
            row += [f"{cpu:.1f}", f"{wall:.1f}", f"{peak:.0f}"]
            if name not in ("rnncli", EVERY):
                most = MOST[cell] if name == "plain" else MOST_OF_PEERS
                row.append(f"1/{1 / most:.0f}")
                row += [text for own in ours for text in (f"1/{cpu / own:.1f}", verdict(own <= most * cpu))]
        rows.append(row + [""] * (10 - len(row)))
    return rows


def _errors(ours: Callable[..., Spent], data: Path, cells: tuple[str, ...], epochs: int) -> str:
    """What a run's windows one by one, and with every row an origin, come to on rows that were held out."""
    rows: list[list[object]] = []
    for cell in cells:
        row: list[object] = [cell]
        found: dict[str, Any] = {}
        for count, keys in ((epochs, ()), (epochs, EACH_ROW), (LONGER * epochs, EACH_ROW)):
            held_out = ("split.test=0.2", "evaluation.baselines=[naive]", *keys)
            spent = ours(data, cell, count, held_out)
            found = json.loads(spent.stdout)
            row.append(f"{found['test']['scaled_mae']:.3f} in {spent.cpu:.1f} s")
        rows.append([*row, f"{found['baselines']['naive']['scaled_mae']:.3f}"])
    each = "`origins: every`"
    return table(("cell", f"rnncli, {epochs} epochs", each, f"{each}, {LONGER * epochs} epochs", "naive"), rows)


def _ours(
    options: Options, rnncli: Sequence[str | Path], data: Path, cell: str, epochs: int, keys: tuple[str, ...] = ()
) -> Spent:
    lines = (
        f"task: {{kind: forecasting, horizon: {HORIZON}}}",
        f"window: {{context: {CONTEXT}}}",
        "split: {validation: 0, test: 0}",
        f"model: {{cell: {cell}, hidden_size: {HIDDEN}}}",
        f"training: {{epochs: {epochs}, batch_size: {BATCH}, optimizer: adam, weight_decay: 0, threads: 1}}",
    )
    own = config(options, "whole", data, *lines, past=True)
    return train(own, options.work / "whole", *keys, environment={"PYTHONPATH": ""}, rnncli=rnncli)


def _script(python: Path, script: str, data: Path, cell: str, epochs: int) -> Spent:
    sizes = {"hidden": HIDDEN, "batch": BATCH, "context": CONTEXT, "horizon": HORIZON, "epochs": epochs, "threads": 1}
    flags = [text for name, value in sizes.items() for text in (f"--{name}", str(value))]
    counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = {**counts, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": ""}
    return spend([python, SCRIPTS / f"{script}.py", data, cell, *flags], environment)


def _own(options: Options) -> Path:
    """The Python of an environment with rnncli alone, built from a copy, since building leaves files behind."""
    source = options.work / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "runs", "*.egg-info", "*.so"))
    return _install(options.venvs / "rnncli", str(source), again=True)


def _installed(options: Options) -> tuple[dict[str, Path], list[str]]:
    """The Python of every library that can be installed, and of the others what pip says."""
    pythons, missing = {}, []
    for name, requirement in PEERS.items():
        folder = options.venvs / name
        try:
            pythons[name] = _install(folder, requirement)
        except (OSError, subprocess.SubprocessError, FailedError) as error:
            missing.append(f"{NAMES[name]} is left out, as it cannot be installed: {error}")
    return pythons, missing


def _install(folder: Path, requirement: str, again: bool = False) -> Path:
    """A virtual environment with a library; once made, it is used again, what is in it `again` installed or not."""
    python, mark = folder / "bin" / "python", folder / ".installed"
    pip = [python, "-m", "pip", "install", "--quiet", "-c", CONSTRAINTS, requirement]
    if not mark.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, capture_output=True)
        _run(pip)
        mark.touch()
    if again:
        _run([*pip, "--force-reinstall", "--no-deps"])
    return python


def _run(command: list[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if done.returncode:
        raise FailedError([line for line in done.stderr.splitlines() if line.startswith("ERROR")][-1][:300])


def _version(name: str, python: Path) -> str:
    package = PEERS[name].partition("[")[0]
    code = f"from importlib.metadata import version; print(version({package!r}), version('torch'))"
    own, torch = spend([python, "-c", code]).stdout.split()
    return f"{NAMES[name]} {own} with torch {torch}."
