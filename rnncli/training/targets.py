"""What the target columns hold: quantities, 0 and 1, or labels; and with that the loss and the baselines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnncli.config import schema
from rnncli.data.panel import Columns, Panel, show_id
from rnncli.data.reading.frames import Tables
from rnncli.errors import DataError, Place

TAGGING_BASELINES: dict[str, list[schema.BaselineName]] = {
    "cross_entropy": ["majority", "previous"],
    "binary_cross_entropy": ["mean", "previous"],
}
OTHER_BASELINES: list[schema.BaselineName] = ["mean", "ridge", "previous"]


def settle_targets(config: schema.Config, columns: Columns, tables: Tables) -> tuple[schema.Config, Columns]:
    """Config and columns with what the target columns hold, where the config leaves it open.

    Raises:
        DataError: if the loss is not for what they hold.
    """
    kind = config.task.kind
    if kind == "classification":
        return config, replace(columns, labels=())
    if kind != "tagging":
        return config, columns
    loss = config.training.loss or _loss_for(columns, tables)
    if config.training.label_smoothing is not None and loss != "cross_entropy":
        raise DataError(
            f"training.label_smoothing acts on labels, and {columns.targets[0]} holds numbers", "leave it out"
        )
    settled = config.model_copy(update={"training": config.training.model_copy(update={"loss": loss})})
    labels = () if loss == "cross_entropy" else None
    return settled, replace(columns, labels=labels, binary=loss == "binary_cross_entropy")


def settle_seasons(config: schema.Config, season: int) -> schema.Config:
    """The config with rows in the place of seasons.

    Raises:
        DataError: if no season is known.
    """
    context, segment = config.window.context, config.model.segment
    seasonal = {"window.context": isinstance(context, str) and context != "full", "model.segment": segment == "season"}
    seasonal["model.skip"] = config.model.skip == "seasonal"
    for key, named in seasonal.items():
        if named and season == 1 and config.data.season is None:
            hint = "set data.season, to 1 where there is none: a season is then a row"
            raise DataError(f"{key} speaks of seasons, and none is known", hint)
    stride = config.window.stride
    if seasonal["window.context"]:
        context = int(str(context).split()[0]) * season
        stride = stride or max(1, context // 2)
    if config.model.skip == "seasonal" and isinstance(context, int) and context < season:
        raise DataError(f"a window of {context} rows does not hold a season of {season}", "raise window.context")
    return config.model_copy(
        update={
            "window": config.window.model_copy(update={"context": context, "stride": stride}),
            "model": config.model.model_copy(update={"segment": season if segment == "season" else segment}),
        }
    )


def _loss_for(columns: Columns, tables: Tables) -> str:
    """Words are labels, 0 and 1 have odds, and other numbers are quantities."""
    if set(tables.numeric(columns.targets)) != set(columns.targets):
        if len(columns.targets) > 1:
            what = "one column of labels, or several of numbers"
            raise DataError("several targets, and not all of them hold numbers", what, Place(tables.parts[0].file, 1))
        return "cross_entropy"
    values = tables.numbers(columns.targets)
    return "binary_cross_entropy" if bool(((values == 0) | (values == 1) | np.isnan(values)).all()) else "mse"


def settle_baselines(config: schema.Config, panel: Panel, columns: Columns) -> schema.Config:
    """The config with the baselines of tagging that fit what the target columns hold.

    ``previous`` is left out where targets never change within a series, since it would be told all.

    Raises:
        DataError: if one that was asked for does not fit.
    """
    if config.task.kind != "tagging":
        return config
    loss = str(config.training.loss)
    names = TAGGING_BASELINES.get(loss, OTHER_BASELINES)
    wanted = config.evaluation.baselines
    for name in wanted or ():
        if name not in names:
            hint = f"evaluation.baselines: {', '.join(names)}"
            raise DataError(f"the baseline {name} is not for tagging with {loss}", hint)
    if wanted is None:
        values = panel.values[:, : len(columns.targets)]
        changes = np.flatnonzero((values[1:] != values[:-1]).any(axis=1)) + 1
        constant = np.isin(changes, panel.offsets).all()
        wanted = [name for name in names if not (constant and name == "previous")]
    return config.model_copy(update={"evaluation": config.evaluation.model_copy(update={"baselines": wanted})})


def check_labels(panel: Panel, columns: Columns, kind: schema.TaskName) -> None:
    """Refuse labels that are one class everywhere, or change within a sequence that has one; and odd 0/1 columns.

    Raises:
        DataError: naming the series.
    """
    if columns.binary:
        values = panel.values[:, : len(columns.targets)]
        odd = np.argwhere(~np.isnan(values) & (values != 0) & (values != 1))
        if len(odd):
            row, column = odd[0]
            message = f"{columns.targets[column]} holds {values[row, column]:g}, binary_cross_entropy needs 0 or 1"
            raise DataError(message, "set training.loss: mse")
    if columns.labels is None:
        return
    if len(columns.labels) < 2:
        what = f"the one class {columns.labels[0]}" if columns.labels else "no class"
        raise DataError(f"{columns.targets[0]} has {what}: nothing to learn")
    if kind != "classification":
        return
    codes = panel.values[:, 0]
    changes = np.flatnonzero((codes[1:] != codes[:-1]) & ~np.isnan(codes[1:]) & ~np.isnan(codes[:-1])) + 1
    changes = changes[~np.isin(changes, panel.offsets)]
    if len(changes):
        who = show_id(panel.ids[int(panel.series_of(changes[:1])[0])])
        hint = "a sequence has one label; a label for every row is task.kind: tagging"
        raise DataError(f"{columns.targets[0]} changes within series {who}", hint)
    if len(panel) < 2:
        raise DataError("one series holds all rows: name the id column of the sequences in data.series")
