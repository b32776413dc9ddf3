"""Fixtures that many tests share: the CLI in a subprocess, and small series."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import Cli, Invoke, Result, call, write_waves

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run ``rnncli`` in a process of its own, in an empty folder: ``cli("train", "c.yaml", input="…", env={…})``."""

    def run(
        *arguments: str | Path, cwd: Path | None = None, input: str | None = None, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "rnncli", *map(str, arguments)],
            cwd=cwd or tmp_path,
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
            timeout=240,
        )

    return run


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Call ``rnncli`` in this process, in an empty folder or in `cwd`: ``invoke("train", "c.yaml")``."""

    def called(*arguments: str | Path, cwd: Path | None = None, **replaced: Any) -> Result:
        with monkeypatch.context() as patch:
            patch.chdir(cwd or tmp_path)
            return call(arguments, **replaced)

    return called


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``waves.csv``, ``waves.yaml`` and the finished run ``run``; nothing in it may be changed."""
    folder = tmp_path_factory.mktemp("trained")
    write_waves(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = call(("train", "waves.yaml", "--out", "run"))
    assert result.code == 0, result.err
    return folder
