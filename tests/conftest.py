"""Fixtures that many tests share: the CLI in a subprocess, and small series."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

Cli = Callable[..., subprocess.CompletedProcess[str]]


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
