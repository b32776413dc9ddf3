"""What ``rnncli compare`` does."""

import math
from pathlib import Path
from typing import Any

from rnncli import console
from rnncli.console import Sheet
from rnncli.errors import CheckpointError, Place
from rnncli.tasks.metrics import METRICS
from rnncli.training import folder as run_folder


def comparison(runs: list[Path]) -> dict[str, Any]:
    """The metrics of every run, and which run is best at each.

    Raises:
        CheckpointError: if a run has no metrics, or the runs are not of one task.
    """
    found = [_metrics(run / run_folder.METRICS) for run in runs]
    for run, metrics in zip(runs, found, strict=True):
        if metrics.get("task") != found[0].get("task"):
            message = f"is {metrics.get('task')}, {runs[0]} is {found[0].get('task')}"
            raise CheckpointError(message, "compare runs of one task", Place(str(run)))
    part = "test" if all(metrics["test"] for metrics in found) else "validation"
    names = list(dict.fromkeys(name for metrics in found for name in metrics[part]))
    rows = [
        {
            "run": str(run),
            "parameters": metrics["parameters"],
            "seconds": metrics["seconds"],
            **{name: metrics[part].get(name) for name in names},
        }
        for run, metrics in zip(runs, found, strict=True)
    ]
    return {"task": found[0]["task"], "part": part, "runs": rows, "best": {name: _best(rows, name) for name in names}}


def _metrics(path: Path) -> dict[str, Any]:
    """The metrics of a run, as far as they are compared.

    Raises:
        CheckpointError: if they are not there, or not as they were written.
    """
    metrics = run_folder.read_json(path)
    parts = [part for part in (metrics.get("validation"), metrics.get("test")) if isinstance(part, dict)]
    whole = (
        isinstance(metrics.get("task"), str)
        and all(_is_number(metrics.get(name)) for name in ("parameters", "seconds"))
        and len(parts) == 2
        and all(_is_number(value) or value is None for part in parts for value in part.values())
    )
    if not whole:
        raise CheckpointError("damaged: not the metrics of a run", run_folder.AGAIN, Place(str(path)))
    return metrics


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _best(rows: list[dict[str, Any]], name: str) -> str | None:
    known = [row for row in rows if row.get(name) is not None]
    if not known or name not in METRICS:
        return None
    choose = min if METRICS[name].smaller else max
    return str(choose(known, key=lambda row: row[name])["run"])


def sheets(result: dict[str, Any]) -> list[Sheet]:
    """A row a run; for people the best of each metric has a star, and mse is left to rmse."""
    rows = result["runs"]
    if not console.wants_table():
        return [Sheet("", list(rows[0]), [list(row.values()) for row in rows])]
    names = [name for name in result["best"] if name != "mse"]
    cells = [[row["run"], *(_starred(row, name, result["best"]) for name in names)] for row in rows]
    return [Sheet(f"{result['part']} part", ["run", *names], cells)]


def _starred(row: dict[str, Any], name: str, best: dict[str, str]) -> str:
    return f"{console.show(row[name])}{'*' if best[name] == row['run'] else ' '}"
