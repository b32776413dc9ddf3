"""What ``rnncli verify`` does."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from rnncli import console
from rnncli.data.reading.dialect import dialect_of
from rnncli.data.reading.frames import open_tables
from rnncli.errors import OutcomeError
from rnncli.tasks.answers import BATCH_SIZE
from rnncli.trained import load_model
from rnncli.training.device import set_threads
from rnncli.verification import Comparison, verify

COLUMNS = ("comparison", "largest error", "ok", "where")


def verify_run(run: Path, data: str | None, windows: int, tolerance: float) -> dict[str, Any]:
    """Every comparison, as a document."""
    model = load_model(run, torch.device("cpu"))
    set_threads("auto", model.config.model, BATCH_SIZE)
    tables = open_tables(data or model.config.data.path, dialect_of(model.config.data), console.warn)
    comparisons, count = verify(model, tables, windows, tolerance)
    return {
        "run": str(run),
        "windows": count,
        "tolerance": tolerance,
        "ok": all(comparison.ok for comparison in comparisons),
        "comparisons": [_row(comparison) for comparison in comparisons],
    }


def _row(comparison: Comparison) -> dict[str, Any]:
    """A comparison for JSON, which has no infinity; what was not compared is neither right nor wrong."""
    finite = comparison.error is not None and math.isfinite(comparison.error)
    return {
        **asdict(comparison),
        "error": comparison.error if finite else None,
        "limit": None if comparison.reason else comparison.limit,
        "ok": None if comparison.reason else comparison.ok,
    }


def sheets(result: dict[str, Any]) -> list[console.Sheet]:
    """A row a comparison."""
    if not console.wants_table():
        rows = result["comparisons"]
        return [console.Sheet("", list(rows[0]), [list(row.values()) for row in rows])]
    cells = [
        [row["name"], _error(row), _verdict(row), row["where"] if row["reason"] is None else row["reason"]]
        for row in result["comparisons"]
    ]
    count = result["windows"]
    title = f"beside the NumPy reference in float64, on {count:,} window{'s' if count > 1 else ''}"
    return [console.Sheet(title, COLUMNS, cells)]


def _error(row: dict[str, Any]) -> str | None:
    if row["reason"] is not None:
        return None
    return "inf" if row["error"] is None else f"{row['error']:.1e}"


def _verdict(row: dict[str, Any]) -> str:
    return "-" if row["ok"] is None else "yes" if row["ok"] else "NO"


def mismatch(result: dict[str, Any]) -> OutcomeError | None:
    """What is wrong with a model that is not computed as the reference computes it."""
    wrong = [row for row in result["comparisons"] if row["ok"] is False]
    if not wrong:
        return None
    found = ", ".join(f"{row['name']} by {_error(row)}" for row in wrong)
    if [row["name"] for row in wrong] == ["saved prediction"]:
        hint = "the weights are not those that training ended with: restore the file from a copy, or train again"
    else:
        hint = f"--tol allows {result['tolerance']:g}"
    return OutcomeError(f"the model is not what the reference computes: off are {found}", hint)
