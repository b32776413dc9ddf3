"""The command line called in this process, or in one of its own; and small series with strange names."""

from __future__ import annotations

import io
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnncli import console
from rnncli.cli.app import main

# markup, an escape sequence, a bidirectional override and a letter beyond ASCII
STRANGE_IDS = ("plain", "[x][/]", "\x1b[2J", "\u202eé")
STRANGE_TARGET = "[/]\x1b[31m\u202e"

CONFIG = f"""\
data: {{path: waves.csv, time: day, series: id, target: "{STRANGE_TARGET.encode("unicode_escape").decode()}"}}
window: {{context: 6}}
task: {{kind: forecasting, horizon: 3}}
model: {{cell: lstm, hidden_size: 12}}
training: {{epochs: 2, batch_size: 32}}
"""


def console_examples(page: Path) -> list[tuple[str, list[str]]]:
    """Commands of a page's console blocks, each with the lines that stand below it."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


Invoke = Callable[..., Result]
Cli = Callable[..., subprocess.CompletedProcess[str]]


def call(arguments: tuple[str | Path, ...], **replaced: Any) -> Result:
    """Call ``rnncli`` in this process; `replaced` are stdout and stderr if they are others, or None if closed."""
    streams = io.BytesIO(), io.BytesIO()
    before = sys.stdout, sys.stderr
    console.settings.__init__()  # type: ignore[misc]
    sys.stdout, sys.stderr = (io.TextIOWrapper(stream, encoding="utf-8", newline="") for stream in streams)
    wrappers = sys.stdout, sys.stderr
    for name, stream in replaced.items():
        setattr(sys, name, stream)
    try:
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        for wrapper in wrappers:
            wrapper.flush()
        out, err = (stream.getvalue().decode("utf-8", "surrogateescape") for stream in streams)
    finally:
        sys.stdout, sys.stderr = before
        console.settings.__init__()  # type: ignore[misc]
    return Result(int(stopped.value.code or 0), out, err)


def write_waves(folder: Path) -> None:
    """A config and series whose names are hard to print."""
    days = np.datetime64("2020-01-01") + np.arange(40)
    lines = [f'id,day,"{STRANGE_TARGET}"']
    for number, name in enumerate(STRANGE_IDS):
        lines += [f'"{name}",{day},{5 + math.sin(row / 3 + number):.4f}' for row, day in enumerate(days)]
    (folder / "waves.csv").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    (folder / "waves.yaml").write_text(CONFIG, encoding="utf-8")


def environment(changes: dict[str, str | None] | None = None) -> dict[str, str]:
    """This environment with some variables changed, or None for unset, and without any that change the output."""
    merged = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "", **(changes or {})}
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        if name not in (changes or {}):
            merged.pop(name, None)
    return {name: value for name, value in merged.items() if value is not None}


def process(arguments, cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=None, **options):
    """Run ``rnncli`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "rnncli", *map(str, arguments)],
        cwd=cwd, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=environment(env), timeout=120, **options,
    )  # fmt: skip


def shell(line: str, cwd: Path, env=None):
    """Run a shell line, in which ``rnncli`` is this one; for redirections that subprocess cannot make."""
    text = line.replace("rnncli", f"{sys.executable} -m rnncli")
    return subprocess.run(
        ["bash", "-c", text], cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, env=environment(env), timeout=120
    )
