"""What ``rnncli tune`` does: search with a line a trial on stderr, print what was found."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rnncli import console
from rnncli.config.document import Document
from rnncli.console import Sheet
from rnncli.errors import OutcomeError
from rnncli.tune.folder import BEST, TRIALS, cells, columns, plain, run_of
from rnncli.tune.search import Asked, Found, Told, search
from rnncli.tune.study import Row
from rnncli.tune.trial import State

__all__ = ["Asked", "run"]

_ORDER: tuple[State, ...] = ("complete", "unfinished", "pruned", "failed")


def run(document: Document, asked: Asked) -> None:
    """Search and print the trials.

    Raises:
        OutcomeError: if none of them came to a score.
    """
    found = search(document, asked, Told(_tell, console.say, console.warn))
    if found.best is None:
        hint = f"{asked.folder / TRIALS} says why"
        raise OutcomeError(f"none of {len(found.rows)} trials came to a score", hint)
    if found.best.state == "unfinished":
        console.warn("no trial was finished: the best is one that was ended early, and ends elsewhere if trained again")
    console.emit_document(_document(found, asked.folder), [_sheet(found, asked.folder)], _closing(found, asked.folder))


def _tell(row: Row, best: Row | None, metric: str) -> None:
    """A line for a trial that has ended."""
    drawn = " ".join(f"{key}={console.show(plain(value))}" for key, value in row.parameters.items())
    score = "" if row.value is None else f" {metric} {console.show(row.value)}"
    state = "" if row.state == "complete" else f" {row.state}"
    mark = "  best" if best is not None and best.number == row.number else ""
    console.say(f"trial {row.number}:{score}{state}  {drawn}  {row.seconds:.1f} s{mark}  {row.reason or ''}".rstrip())


def _document(found: Found, folder: Path) -> dict[str, Any]:
    assert found.best is not None
    states = [row.state for row in found.rows]
    return {
        "search": str(folder),
        "metric": found.plan.metric,
        "direction": "minimize" if found.plan.smaller else "maximize",
        "seconds": found.seconds,
        "counts": {state: states.count(state) for state in _ORDER},
        "best": _trial(found.best, folder),
        "config": str(folder / BEST),
        "trials": [_trial(row, folder) for row in found.rows],
    }


def _trial(row: Row, folder: Path) -> dict[str, Any]:
    facts = {"number": row.number, "state": row.state, "value": row.value, "seconds": row.seconds}
    return {**facts, "folder": run_of(folder, row), "parameters": dict(row.parameters), "reason": row.reason}


def _sheet(found: Found, folder: Path) -> Sheet:
    """A row a trial, as in ``trials.csv``; for people the best come first, and the folder is in the last line."""
    keys = list(found.plan.spaces)
    names = columns(found.plan.metric, keys)
    if not console.wants_table():
        return Sheet("", names, [cells(folder, row, keys) for row in found.rows])
    sign = 1 if found.plan.smaller else -1
    ordered = sorted(found.rows, key=lambda row: (_ORDER.index(row.state), sign * (row.value or 0.0), row.number))
    shown = [place for place, name in enumerate(names) if name not in ("folder", "reason")]
    rows = [cells(folder, row, keys) for row in ordered]
    return Sheet(
        "", [_short(names[place], names) for place in shown], [[row[place] for place in shown] for row in rows]
    )


def _short(name: str, names: Sequence[str]) -> str:
    """A key without its section, if no other has that name."""
    last = name.rpartition(".")[2]
    return last if [other.rpartition(".")[2] for other in names].count(last) == 1 else name


def _closing(found: Found, folder: Path) -> str:
    assert found.best is not None
    score = f"{found.plan.metric} {console.show(found.best.value)} on the validation part"
    return f"The best is trial {found.best.number}: {score}.\nrnncli train {folder / BEST} trains it again."
