"""What ``rnncli evaluate`` does."""

from pathlib import Path
from typing import Any

from rnncli import console
from rnncli.cli.results import metrics_sheets
from rnncli.data.dialect import dialect_of
from rnncli.data.frames import open_tables
from rnncli.evaluation.evaluate import Scored, document, held_out, other_data, plain, score
from rnncli.trained import TrainedModel, load_model
from rnncli.training import folder as run_folder
from rnncli.training.device import pick_device, set_threads
from rnncli.training.manifest import describe, parameters
from rnncli.training.prepare import Prepared


def evaluate_run(run: Path, data: str | None, by: str | None, device: str) -> dict[str, Any]:
    """The document of metrics, with ``by_step`` or ``by_series`` if asked for."""
    model = load_model(run, pick_device(device))
    set_threads("auto", model.config.model, model.config.training.batch_size)
    tables = open_tables(data or model.config.data.path, dialect_of(model.config.data), console.warn)
    made_with = _made_with(run)
    if data is None and made_with.get("data_sha256") not in (None, tables.digest()):
        console.warn("the data has changed since training: the held-out parts are not what they were")
    prepared = held_out(model, tables) if data is None else other_data(model, tables)
    settings = model.config.split
    validation = score(model, prepared, prepared.split.validation) if data is None and settings.validation else None
    test = score(model, prepared, prepared.split.test) if data is not None or settings.test else None
    facts = {
        "run": str(run),
        "task": model.config.task.kind,
        "device": describe(next(model.network.parameters()).device),
        "parameters": parameters(model.network),
        "epochs": made_with.get("epochs"),
        "seconds": made_with.get("seconds"),
    }
    result = document(model, facts, validation, test)
    judged = test or validation
    if by is not None and judged is not None:
        result[f"by_{by}"] = plain(_by_step(judged) if by == "step" else _by_series(judged, model, prepared))
    return result


def _made_with(run: Path) -> dict[str, Any]:
    path = run / run_folder.MANIFEST
    return run_folder.read_json(path) if path.exists() else {}


def _by_step(scored: Scored) -> list[dict[str, Any]]:
    return [{"step": step, **metrics} for step, metrics in enumerate(scored.model.by_step(), 1)]


def _by_series(scored: Scored, model: TrainedModel, data: Prepared) -> list[dict[str, Any]]:
    names = model.columns.series or ("series",)
    return [
        {**dict(zip(names, data.panel.ids[number] or ("",), strict=True)), **metrics}
        for number, metrics in scored.model.by_series().items()
    ]


def sheets(result: dict[str, Any]) -> list[console.Sheet]:
    """Tables for people; the breakdown comes first, so that it is what CSV gives."""
    found = metrics_sheets(result)
    for name in ("by_step", "by_series"):
        if result.get(name):
            rows = [list(row.values()) for row in result[name]]
            found = [console.Sheet(name.replace("_", " "), list(result[name][0]), rows), *found]
    return found
