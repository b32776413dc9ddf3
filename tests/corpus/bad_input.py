"""What every case of bad input must do, whatever the command: say where and what next, print nothing, leave nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

# every command, with arguments that work in the folder of the `ready` fixture
COMMANDS: dict[str, list[str]] = {
    "init": ["init", "waves.csv"],
    "check": ["check", "waves.yaml"],
    "train": ["train", "waves.yaml", "--out", "other"],
    "tune": ["tune", "waves.yaml", "--out", "search", "--trials", "1", "training.epochs=1"],
    "evaluate": ["evaluate", "run"],
    "predict": ["predict", "run"],
    "inspect-weights": ["inspect-weights", "run"],
    "trace": ["trace", "run"],
    "verify": ["verify", "run"],
    "export": ["export", "run", "--overwrite", "--out", "weights.csv", "--format", "csv"],
    "compare": ["compare", "run"],
    "report": ["report", "run"],
    "schema": ["schema"],
}
# commands that read the model of a run
READERS = ("predict", "evaluate", "inspect-weights", "trace", "verify", "report")

KINDS = {2: ("usage", "config"), 3: ("data",), 4: ("checkpoint",), 5: ("resource",)}  # of an error, by its exit code
ERROR_KEYS = {"code", "kind", "message", "hint", "file", "line", "column", "key"}
MOST_LINES = 6


def contents(folder: Path) -> dict[Path, bytes | str | None]:
    """Every file below a folder with its bytes, every link with its target, and every other thing."""
    return {
        path: path.readlink().name if path.is_symlink() else path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def check_text(text: str) -> None:
    """An error for people: a few lines, without a traceback, without anything that a terminal would obey."""
    lines = text.splitlines()
    assert 1 <= len(lines) <= MOST_LINES
    assert lines[0].startswith("error: ")
    assert all(len(line) <= 1500 for line in lines)
    assert "Traceback" not in text
    assert "bug" not in lines[0]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def check_document(text: str, code: int) -> dict[str, Any]:
    """An error for programs: one line with the documented object, which says what to do next."""
    (line,) = text.splitlines()
    error = json.loads(line)["error"]
    assert set(error) - {"problems"} == ERROR_KEYS
    assert error["code"] == code
    assert error["kind"] in KINDS[code]
    for problem in error.get("problems", [error]):
        assert problem["hint"] or re.search(r"\b(must|should)\b", problem["message"]), problem
    return error
