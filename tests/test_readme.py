"""The README's commands do what it says they do, in the order in which a reader meets them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import console_examples

from rnncli.cli.app import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def assert_shown(shown: list[str], printed: list[str]) -> None:
    """Every line shown was printed, in order: words alike, numbers about as shown.

    Training ends elsewhere on other processors: by a fifth, or five units (of an error, of a percentage).
    """
    position = 0
    for line in shown:
        if line == "…":
            continue
        words = NUMBER.sub("#", line).split()
        while position < len(printed) and NUMBER.sub("#", printed[position]).split() != words:
            position += 1
        assert position < len(printed), f"the README shows {line!r}, which was not printed in {printed}"
        for wanted, found in zip(NUMBER.findall(line), NUMBER.findall(printed[position]), strict=True):
            assert float(found) == pytest.approx(float(wanted), rel=0.2, abs=5.0)
        position += 1


def test_every_command_of_the_readme(tmp_path: Path) -> None:
    for name in ("configs", "data"):
        (tmp_path / name).symlink_to(ROOT / name)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    commands = console_examples(ROOT / "README.md")
    assert len(commands) > 6
    for command, shown in commands:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "80"},
            timeout=240,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        errors = [line for line in done.stderr.splitlines() if line.startswith(("error:", "       "))]
        assert_shown(shown, done.stdout.splitlines() + errors)


def test_readme_names_every_config_and_every_command() -> None:
    text = (ROOT / "README.md").read_text()
    for config in (ROOT / "configs").glob("*.yaml"):
        assert f"configs/{config.name}" in text
    for command, _ in COMMANDS:
        assert re.search(f"`rnncli {command}[ `]", text), command
