"""The command line called in this process, and one small trained run with strange names in its data."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


Invoke = Callable[..., Result]


def _call(arguments: tuple[str | Path, ...]) -> Result:
    streams = io.BytesIO(), io.BytesIO()
    before = sys.stdout, sys.stderr
    console.settings.__init__()  # type: ignore[misc]
    sys.stdout, sys.stderr = (io.TextIOWrapper(stream, encoding="utf-8", newline="") for stream in streams)
    wrappers = sys.stdout, sys.stderr
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


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Call ``rnncli`` in this process, in an empty folder or in `cwd`: ``invoke("train", "c.yaml")``."""

    def call(*arguments: str | Path, cwd: Path | None = None) -> Result:
        with monkeypatch.context() as patch:
            patch.chdir(cwd or tmp_path)
            return _call(arguments)

    return call


def write_waves(folder: Path) -> None:
    """A config and series whose names are hard to print."""
    days = np.datetime64("2020-01-01") + np.arange(40)
    lines = [f'id,day,"{STRANGE_TARGET}"']
    for number, name in enumerate(STRANGE_IDS):
        lines += [f'"{name}",{day},{5 + math.sin(row / 3 + number):.4f}' for row, day in enumerate(days)]
    (folder / "waves.csv").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    (folder / "waves.yaml").write_text(CONFIG, encoding="utf-8")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``waves.csv``, ``waves.yaml`` and the finished run ``run``; nothing in it may be changed."""
    folder = tmp_path_factory.mktemp("trained")
    write_waves(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = _call(("train", "waves.yaml", "--out", "run"))
    assert result.code == 0, result.err
    return folder
