"""The model's answers to the windows of a part, beside the truth, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnncli.data.panel import Floats, Numbers, Rows
from rnncli.data.scale import Scaler
from rnncli.data.windows import Windows
from rnncli.tasks.answers import answer_batches
from rnncli.tasks.forecasting import Forecasting
from rnncli.tasks.intervals import LEVELS, half_width
from rnncli.tasks.metrics import Units
from rnncli.trained import TrainedModel
from rnncli.training.prepare import Prepared


@dataclass(frozen=True)
class Answered:
    """The model's answers to some windows, beside the truth.

    Attributes:
        windows: (windows,) which windows these are.
        origins: (answers,) the row after the newest that an answer may know; there is one answer a window, unless
            windows answer every row.
        truth: (answers, steps, targets) in original units.
        original: the answers likewise, or with a last axis of quantiles; (answers, classes) odds of labels.
        ends: of forecasts with intervals their ends, (answers, steps, targets, levels * 2), low before high.
        units, series: of each answer.
    """

    windows: Numbers
    origins: Rows
    truth: Floats
    original: Floats
    ends: Floats | None
    units: Units
    series: Rows


def answered(model: TrainedModel, data: Prepared, windows: Windows) -> Iterator[Answered]:
    """Ask the model about windows that were cut from `data`, a batch at a time."""
    for index, scaled in answer_batches(model.network, model.task, windows):
        asked = _asked(windows, index, labels=data.columns.labels is not None)
        series = data.panel.series_of(asked.origins - 1)
        yield Answered(
            windows=index,
            origins=asked.origins,
            truth=data.panel.values[asked.targets, : model.scaler.targets],
            original=asked.pick(model.task.original(scaled, data.scaler, windows.pick(index).series)),
            ends=None if model.residuals is None else _intervals(model, scaled, data.scaler, series),
            units=Units(data.scaler.deviation[series][:, None], data.scaler.seasonal_error[series][:, None]),
            series=series,
        )


@dataclass(frozen=True)
class _Asked:
    """What is scored of some windows.

    Attributes:
        origins: (answers,) the row after the newest that an answer may know.
        targets: (answers, steps) rows of the truth.
        chosen: of windows that answer every row, which of their answers count.
        labels: whether answers are odds of labels.
    """

    origins: Rows
    targets: Rows
    chosen: NDArray[np.bool_] | None = None
    labels: bool = False

    def pick(self, answer: Floats) -> Floats:
        """The answers that count, (answers, steps, …); labels have no axis of steps."""
        if self.chosen is None:
            return answer
        return answer[self.chosen] if self.labels else answer[self.chosen][:, None]


def _asked(windows: Windows, index: Numbers, *, labels: bool) -> _Asked:
    rows, counts = windows.target_rows(index)
    if not windows.shape.every:
        return _Asked(windows.origins[index], rows)
    return _Asked(rows[counts] + 1, rows[counts][:, None], counts, labels)


def _intervals(model: TrainedModel, scaled: Floats, scaler: Scaler, series: Rows) -> Floats:
    """(windows, horizon, targets, levels * 2) ends of the intervals in original units."""
    assert isinstance(model.task, Forecasting)
    assert model.residuals is not None
    point = model.task.point(scaled)
    reaches = [half_width(model.residuals, level / 100) for level in LEVELS]
    ends = [scaler.invert(point + sign * reach, series) for reach in reaches for sign in (-1, 1)]
    return np.stack(ends, axis=-1)
