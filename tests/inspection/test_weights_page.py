"""docs/weights.md names every column that inspect-weights prints, and no other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command_line import Invoke

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "weights.md").read_text(encoding="utf-8")
PLACES = {"member", "layer", "direction", "parameter", "gate", "shape", "unit", "input"}


def named(heading: str) -> set[str]:
    """Columns in the table under a heading."""
    (section,) = [part for part in PAGE.split("\n## ") if part.startswith(heading)]
    firsts = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return {name for first in firsts for name in re.findall(r"`(\w+)`", first)}


@pytest.mark.parametrize(
    ("heading", "view", "key"),
    [
        ("A row a block", [], "rows"),
        ("`gates`", [], "gates"),
        ("`--units`", ["--units"], None),
        ("`--inputs`", ["--inputs"], None),
    ],
)
def test_the_page_names_every_column(heading: str, view: list[str], key: str | None, trained: Path, invoke: Invoke):
    found = json.loads(invoke("inspect-weights", "run", "--data", "waves.csv", "--json", *view, cwd=trained).out)
    rows = found[key] if key else found
    assert set(rows[0]) - PLACES == named(heading)
    assert "`difference`" in PAGE
