"""What is said of an exported model beside its numbers: how a window is made, and what the outputs are."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import rnncli
from rnncli.data.calendar import CALENDAR
from rnncli.data.reading.dialect import dialect_of
from rnncli.tasks.forecasting import Forecasting
from rnncli.trained import TrainedModel

_READING = (
    "An input is scaled as (value - centre) / spread of its column and series, targets after the logarithm if "
    "`transform` is log; an empty cell takes the value before it. A category is its place in `categories`, from 1, and "
    "0 if it is not there. `past` holds the newest rows, at most `context`, filled up behind with zeros where windows "
    "differ, and `lengths` their numbers. With `normalise` last or mean_std the window's newest value, or its mean and "
    "deviation sqrt(variance + 1e-5), is taken off the targets in `past` and divided by; it is `level`. What "
    "`put_back` names is put back onto the outputs, before these are scaled back."
)


def describe(model: TrainedModel) -> dict[str, Any]:
    """Everything that a reader of the exported file needs, as JSON can hold it."""
    config, columns, scaler, task = model.config, model.columns, model.scaler, model.task
    sizes = task.sizes()
    return {
        "rnncli": rnncli.__version__,
        "reading": _READING,
        "task": config.task.kind,
        "inputs": {"past": sizes.past, "static": sizes.static, "ahead": sizes.ahead},
        "categories": columns.categories,
        "targets": columns.targets,
        "values": columns.value_targets,
        "target_is_input": columns.target_is_input,
        "series": columns.series,
        "wide": columns.targets if columns.wide else (),
        "time": columns.time,
        "time_format": columns.time_format,
        "frequency": columns.frequency,
        "derived": columns.derived,
        "calendar": {name: CALENDAR[name][1] for name in columns.calendar},
        "missing": config.data.missing,
        "written": asdict(dialect_of(config.data)),
        "labels": columns.labels,
        "binary": columns.binary,
        "horizon": config.task.horizon,
        "quantiles": task.levels if isinstance(task, Forecasting) else (),
        "outputs": sizes.outputs,
        "context": config.window.context,
        "normalise": config.window.normalise if config.window.origins == "last" else "none",
        "put_back": config.window.normalise,
        "transform": config.window.transform,
        "scaler": {
            "columns": columns.values,
            "ids": scaler.ids if len(scaler.centre) > 1 or config.scale.per == "series" else (),
            "centre": scaler.centre.tolist(),
            "spread": scaler.spread.tolist(),
            "static_columns": columns.static,
            "static": scaler.static.tolist(),
        },
        "model": config.model.model_dump(),
        "sizes": asdict(sizes),
    }
