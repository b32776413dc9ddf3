"""A run from its config to its scores: trained, scored, and ``metrics.json`` written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rnncli.config import schema
from rnncli.data.reading.frames import Tables
from rnncli.evaluation.evaluate import document, score_parts
from rnncli.training import folder as run_folder
from rnncli.training.manifest import describe, parameters
from rnncli.training.request import Request, Watch
from rnncli.training.train import Outcome, train


def train_and_score(config: schema.Config, tables: Tables, request: Request, watch: Watch) -> dict[str, Any]:
    """Train a model into a run folder, or go on with it, and write what it scores.

    Raises:
        RnncliError: as `train` says.
    """
    outcome = train(config, tables, request, watch)
    result = _scores(outcome, request.folder)
    run_folder.write_json(request.folder / run_folder.METRICS, result)
    return result


def _scores(outcome: Outcome, folder: Path) -> dict[str, Any]:
    model, data = outcome.model, outcome.data
    facts = {
        "run": str(folder),
        "task": model.config.task.kind,
        "device": describe(next(model.network.parameters()).device),
        "parameters": parameters(model.network),
        **outcome.facts,
        "seconds": round(outcome.seconds, 3),
    }
    return document(model, facts, *score_parts(model, data))
