"""The folder of a search: its config, its trials, and what came of them."""

from __future__ import annotations

import contextlib
import csv
import io
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnncli import durable
from rnncli.config.document import Document, inline
from rnncli.config.document import dump as dump_values
from rnncli.errors import Place, ResourceError
from rnncli.training import folder as run_folder

if TYPE_CHECKING:
    from rnncli.tune.study import Row

CONFIG, STUDY, TRIALS, BEST = "search.yaml", "study.db", "trials.csv", "best.yaml"
FILES = (BEST, TRIALS, STUDY, CONFIG)  # removed in this order: its config last
_TRIAL = re.compile(r"trial-[0-9]{4,}")


def trial_folder(folder: Path, number: int) -> Path:
    """The run folder of a trial."""
    return folder / f"trial-{number:04d}"


def refuse_existing(folder: Path) -> None:
    """Refuse to write over another search, or over a run.

    Raises:
        ResourceError: if the path is a file or holds one.
    """
    run_folder.refuse_existing(folder)
    if any((folder / name).exists() for name in FILES) or has_trials(folder):
        hint = "--overwrite replaces it, --resume goes on with it, --out DIR takes another folder"
        raise ResourceError("holds a search already", hint, Place(str(folder)))


def has_trials(folder: Path) -> bool:
    """Whether a trial was begun here."""
    return any(_trials(folder))


def written(folder: Path) -> list[str]:
    """Names of the files that a search in this folder writes, or removes."""
    return [*FILES, *(f"{trial.name}/{name}" for trial in _trials(folder) for name in run_folder.FILES)]


def empty(folder: Path) -> None:
    """Remove the files of an older search and its trials."""
    for trial in _trials(folder):
        run_folder.empty(trial)
        with contextlib.suppress(OSError):  # something else is in it
            trial.rmdir()
    for name in FILES:
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise ResourceError(f"cannot remove: {error.strerror}", place=Place(str(folder / name))) from None


def _trials(folder: Path) -> Iterator[Path]:
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return (path for path in found if _TRIAL.fullmatch(path.name) and path.is_dir())


def write_config(folder: Path, document: Document) -> None:
    """Write what the search is made of, as it was given."""
    _write_yaml(folder / CONFIG, f"rnncli tune --resume {shlex.quote(str(folder))}", dump_values(document.values))


def write_trials(folder: Path, rows: Sequence[Row], metric: str, keys: Sequence[str]) -> None:
    """Write ``trials.csv``, a row a trial."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns(metric, keys))
    writer.writerows(cells(folder, row, keys) for row in rows)
    durable.write(folder / TRIALS, text.getvalue().encode(errors="surrogateescape"))


def columns(metric: str, keys: Sequence[str]) -> list[str]:
    """The header of a table of trials."""
    return ["number", "state", metric, "seconds", "folder", *keys, "reason"]


def cells(folder: Path, row: Row, keys: Sequence[str]) -> list[Any]:
    """A trial as a row of a table."""
    values = [plain(row.parameters.get(key)) for key in keys]
    return [row.number, row.state, row.value, row.seconds, run_of(folder, row), *values, row.reason]


def plain(value: Any) -> str | int | float:
    """A value of a key; true, null and lists as YAML writes them."""
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else inline(value)


def run_of(folder: Path, row: Row) -> str | None:
    """The run folder of a trial, if it came so far."""
    found = trial_folder(folder, row.number)
    return str(found) if found.exists() else None


def write_best(folder: Path, best: Row, metric: str) -> None:
    """Write the config of the best trial, as its run has it."""
    path = trial_folder(folder, best.number) / run_folder.CONFIG
    command = f"rnncli train {shlex.quote(str(folder / BEST))}"
    said = f"{command}\n#\n# Trial {best.number} of {folder}: {metric} of the validation part {best.value}"
    _write_yaml(folder / BEST, said, path.read_text(encoding="utf-8"))


def _write_yaml(path: Path, said: str, text: str) -> None:
    """Write YAML after a comment."""
    durable.write(path, f"# {said}\n{text}".encode(errors="surrogateescape"))
