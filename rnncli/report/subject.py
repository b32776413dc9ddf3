"""What a page is about: a run, its data, and the model's answers to the part that it is judged by."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rnncli.checkpoint import MODEL, Stored
from rnncli.data.panel import Floats, Rows
from rnncli.data.reading.dialect import dialect_of
from rnncli.data.reading.frames import Tables, open_tables
from rnncli.data.split import Part
from rnncli.data.windows import Windows
from rnncli.errors import CheckpointError, DataError, Place, ResourceError
from rnncli.evaluation.answered import Answered, answered
from rnncli.evaluation.baselines import Answer
from rnncli.evaluation.evaluate import Scored, add, document, fit_baselines, held_out, no_scores, other_data, score
from rnncli.tasks.forecasting import Forecasting
from rnncli.tasks.intervals import interval_metrics
from rnncli.trained import TrainedModel, network_tensors
from rnncli.training import folder as run_folder
from rnncli.training.manifest import facts_of
from rnncli.training.prepare import Prepared, on_device, scoring_windows

History = dict[str, Floats]  # a column of history.csv each, NaN where a cell is empty


@dataclass(frozen=True)
class Judged:
    """The answers that the model is judged by.

    Attributes:
        part: ``test``, ``validation`` or ``data``.
        windows: in which they were asked for.
        scored: the model's scores beside the baselines'.
        baselines: fitted, to be asked again.
        series: (answers,) of each answer.
        origins: (answers,) the row after the newest that it may know.
        errors: of forecasts, (windows, targets) mean size of the error in training deviations.
        truth, answer: of the other tasks, (answers, targets) numbers or odds of 1; of labels, their codes (answers, 1)
            and the odds (answers, classes).
    """

    part: str
    windows: Windows
    scored: Scored
    baselines: dict[str, Answer]
    series: Rows
    origins: Rows
    errors: Floats
    truth: Floats
    answer: Floats

    @property
    def where(self) -> str:
        """The part in words."""
        return "this data" if self.part == "data" else f"the {self.part} part"


@dataclass(frozen=True)
class Subject:
    """A run and all that its page tells.

    Attributes:
        run: as it was named.
        result: as in ``metrics.json``, or the same of other data.
        made_with: ``manifest.json``, empty if there is none.
        history: ``history.csv``, empty if there is none.
        tables: the data that was read.
        other: whether that is other data than the run's own.
        changed: whether it is the run's own and no longer what it was.
        judged: None if no part was held out.
    """

    run: str
    model: TrainedModel
    result: dict[str, Any]
    made_with: dict[str, Any]
    history: History
    tables: Tables
    data: Prepared
    other: bool
    changed: bool
    judged: Judged | None

    @property
    def kind(self) -> str:
        """The task."""
        return self.model.config.task.kind

    @property
    def stored(self) -> Stored:
        """The model as its file holds it."""
        content = {"config": self.model.config.model_dump(), "columns": asdict(self.model.columns)}
        return Stored(MODEL, content, network_tensors(self.model.network))


def subject_of(run: Path, model: TrainedModel, data: str | None, warn: Callable[[str], None]) -> Subject:
    """What belongs to a run's model, and the model's answers to the run's own data or to other.

    Raises:
        CheckpointError: if it is no run, or one of its files is damaged.
        DataError: for anything in the data that the model cannot read.
    """
    made_with = _if_there(run / run_folder.MANIFEST)
    kept = _if_there(run / run_folder.METRICS)
    if kept:
        _check_metrics(kept, model, run / run_folder.METRICS)
    tables = open_tables(data or model.config.data.path, dialect_of(model.config.data), warn)
    prepared = held_out(model, tables) if data is None else other_data(model, tables)
    changed = data is None and made_with.get("data_sha256") not in (None, tables.digest())
    judged = _judged(model, prepared, own=data is None)
    result = kept if kept and data is None else _scores(run, model, prepared, made_with, judged, own=data is None)
    return Subject(
        run=str(run),
        model=model,
        result=result,
        made_with=made_with,
        history=read_history(run / run_folder.HISTORY),
        tables=tables,
        data=prepared,
        other=data is not None,
        changed=changed,
        judged=judged,
    )


def _if_there(path: Path) -> dict[str, Any]:
    try:
        return run_folder.read_json(path) if path.exists() else {}
    except OSError:  # below a file, or a name that is no name
        return {}


def _check_metrics(found: dict[str, Any], model: TrainedModel, path: Path) -> None:
    """Raise CheckpointError unless the scores are as they were written."""
    if found.get("task") != model.config.task.kind or not _are_metrics(found):
        raise CheckpointError("damaged: not the metrics of this run", run_folder.AGAIN, Place(str(path)))


def _are_metrics(found: dict[str, Any]) -> bool:
    """Whether all scores are there and are numbers, each skill with a baseline to be it of."""
    baselines, intervals = found.get("baselines"), found.get("intervals", {})
    parts = [found.get(name) for name in ("validation", "test", "skill")]
    if not isinstance(baselines, dict) or not all(map(_are_scores, [*parts, intervals, *baselines.values()])):
        return False
    names = (found["test"] or found["validation"]).keys()
    return (
        all(isinstance(found.get(name), int | float | None) for name in ("parameters", "epochs", "seconds"))
        and isinstance(found.get("answers", {}), dict)
        and all(scores.keys() >= names for scores in baselines.values())
        and found["skill"].keys() <= names
        and all(any(scores[name] is not None for scores in baselines.values()) for name in found["skill"])
        and (not intervals or intervals.keys() >= interval_metrics().keys())
    )


def _are_scores(part: Any) -> bool:
    return isinstance(part, dict) and all(
        value is None or (type(value) in (int, float) and math.isfinite(value)) for value in part.values()
    )


def read_history(path: Path) -> History:
    """The columns of ``history.csv``, a row an epoch; a cell without a number, or that is not there, is NaN.

    Raises:
        ResourceError: if the file is there and cannot be read.
    """
    try:
        raw = path.read_bytes() if path.is_file() else b""
    except OSError as error:
        raise ResourceError(f"cannot read: {error.strerror}", "look at its permissions", Place(str(path))) from None
    rows = list(csv.DictReader(io.StringIO(raw.decode(errors="replace"), newline="")))
    names = [name for name in run_folder.HISTORY_COLUMNS if rows and name in rows[0]]
    found = {name: np.array([_number(row.get(name)) for row in rows]) for name in names}
    return found | {"epoch": np.arange(1.0, len(rows) + 1)} if rows else {}


def _number(cell: str | None) -> float:
    try:
        value = float(cell or "nan")
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _judged(model: TrainedModel, data: Prepared, *, own: bool) -> Judged | None:
    """The answers to the test part; to validation, if there is none; to everything, if the data is other."""
    settings = model.config.split
    if not own:
        return _judge(model, data, data.split.test, "data")
    if settings.test != 0:
        return _judge(model, data, data.split.test, "test")
    return _judge(model, data, data.split.validation, "validation") if settings.validation != 0 else None


def _judge(model: TrainedModel, data: Prepared, part: Part, name: str) -> Judged:
    windows = scoring_windows(data, part, on_device(data, next(model.network.parameters()).device))
    if not len(windows):
        raise DataError(f"no window to score: no series has {model.task.horizon + 1} rows", place=Place())
    scored, baselines = no_scores(model, len(data.panel)), fit_baselines(model, data)
    errors, kept = np.full((len(windows), model.scaler.targets), np.nan), []
    for some in answered(model, data, windows):
        add(scored, some, baselines)
        if isinstance(model.task, Forecasting):
            errors[some.windows] = _sizes(model.task.point(some.original), some)
        else:
            kept.append((some.series, some.origins, some.truth[:, 0], some.original.reshape(len(some.origins), -1)))
    series, origins, truth, answer = (
        [np.concatenate(part) for part in zip(*kept, strict=True)] if kept else _of_forecasts(data, windows)
    )
    return Judged(name, windows, scored, baselines, series, origins, errors, truth, answer)


def _of_forecasts(data: Prepared, windows: Windows) -> list[Any]:
    """Series and origins of every window; answers to them are not kept, since there can be very many."""
    origins = windows.origins.astype(np.int64)
    return [data.panel.series_of(origins - 1), origins, np.empty((0, 0)), np.empty((0, 0))]


def _sizes(point: Floats, some: Answered) -> Floats:
    """(windows, targets) mean absolute error over the horizon in training deviations; NaN where nothing is known."""
    gaps = np.abs(some.truth - point) / some.units.deviation
    known = ~np.isnan(gaps)
    return np.where(known.any(1), np.where(known, gaps, 0).sum(1) / np.maximum(known.sum(1), 1), np.nan)


def _scores(
    run: Path, model: TrainedModel, data: Prepared, made_with: dict[str, Any], judged: Judged | None, *, own: bool
) -> dict[str, Any]:
    """What ``metrics.json`` would hold."""
    facts = facts_of(run, model, made_with)
    found = judged.scored if judged else None
    if judged is None or judged.part == "validation":
        return document(model, facts, found, None)
    validation = score(model, data, data.split.validation) if own and model.config.split.validation != 0 else None
    return document(model, facts, validation, found)
