"""What ``rnncli evaluate`` does."""

from pathlib import Path
from typing import Any

from rnncli import console
from rnncli.cli.backtest_run import described, run_backtest
from rnncli.cli.results import metrics_sheets
from rnncli.data.reading.dialect import dialect_of
from rnncli.data.reading.frames import open_tables
from rnncli.evaluation.evaluate import Scored, document, held_out, other_data, plain, score_parts
from rnncli.evaluation.folds import Plan, check_plan
from rnncli.tasks.answers import BATCH_SIZE
from rnncli.trained import TrainedModel, load_model
from rnncli.training import folder as run_folder
from rnncli.training.device import pick_device, set_threads
from rnncli.training.manifest import facts_of
from rnncli.training.prepare import Prepared


def evaluate_run(run: Path, data: str | None, by: str | None, device: str, plan: Plan | None = None) -> dict[str, Any]:
    """The document of metrics, with ``by_step`` or ``by_series`` if asked for; with a plan, of a backtest."""
    model = load_model(run, pick_device(device))
    if plan is not None:
        check_plan(model, plan, other=data is not None)
    set_threads("auto", model.config.model, BATCH_SIZE)
    tables = open_tables(data or model.config.data.path, dialect_of(model.config.data), console.warn)
    made_with = _made_with(run)
    if data is None and not (plan and plan.refit) and made_with.get("data_sha256") not in (None, tables.digest()):
        console.warn("the data has changed since training: the held-out parts are not what they were")
    prepared = held_out(model, tables) if data is None else other_data(model, tables)
    found = None if plan is None else run_backtest(model, prepared, plan)
    validation, test = (None, found.pooled) if found else score_parts(model, prepared, own=data is None)
    result = document(model, facts_of(run, model, made_with), validation, test)
    if plan is not None and found is not None:
        result |= described(model, prepared, plan, found)
    judged = test or validation
    if by is not None and judged is not None:
        result[f"by_{by}"] = plain(_by_step(judged) if by == "step" else _by_series(judged, model, prepared))
    return result


def _made_with(run: Path) -> dict[str, Any]:
    path = run / run_folder.MANIFEST
    return run_folder.read_json(path) if path.exists() else {}


def _by_step(scored: Scored) -> list[dict[str, Any]]:
    return [{"step": step, **metrics} for step, metrics in enumerate(scored.by_step(), 1)]


def _by_series(scored: Scored, model: TrainedModel, data: Prepared) -> list[dict[str, Any]]:
    names = model.columns.series or ("series",)
    return [
        {**dict(zip(names, data.panel.ids[number] or ("",), strict=True)), **metrics}
        for number, metrics in scored.by_series().items()
    ]


def sheets(result: dict[str, Any]) -> list[console.Sheet]:
    """Tables for people; the breakdown comes first, so that it is what CSV gives, and folds before all."""
    found = metrics_sheets(result)
    for name in ("by_step", "by_series", "by_fold"):
        if result.get(name):
            columns = [column for column in result[name][0] if column != "mse" or not console.wants_table()]
            rows = [[row[column] for column in columns] for row in result[name]]
            found = [console.Sheet(name.replace("_", " "), columns, rows), *found]
    return found
