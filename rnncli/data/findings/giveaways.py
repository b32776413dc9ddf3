"""Inputs with few values, or one a series, that give the target away."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rnncli.data.findings.correlation import ALIKE, correlation
from rnncli.data.findings.panel import Finding
from rnncli.data.panel import Columns, Floats, Panel

LEAST_SERIES = 10  # from which one value a series can be compared over series


def one_value_a_series(panel: Panel, column: int) -> bool:
    least, most = (part.reduceat(panel.values[:, column], panel.offsets[:-1]) for part in (np.fmin, np.fmax))
    return bool(np.all((least == most) | np.isnan(least)))


def series_leaks(panel: Panel, columns: Columns) -> Iterator[Finding]:
    """Inputs with one value a series that are a linear function of a target with one value a series."""
    if columns.target_is_input or columns.labels is not None or len(panel) < LEAST_SERIES:
        return
    if not one_value_a_series(panel, 0):
        return
    target = np.fmax.reduceat(panel.values[:, 0], panel.offsets[:-1])
    for name, values in _one_value_inputs(panel, columns):
        if name not in columns.categories and np.abs(correlation(values[:, None], target[:, None]))[0, 0] > ALIKE:
            yield Finding("leak", f"{name} is a linear function of {columns.targets[0]}: a leak", "leave it out", name)


def _one_value_inputs(panel: Panel, columns: Columns) -> Iterator[tuple[str, Floats]]:
    """(series,) values of the inputs that do not change within a series."""
    yield from zip(columns.static, panel.static.T, strict=True)
    for name in columns.read:
        position = panel.columns.index(name)
        if one_value_a_series(panel, position):
            yield name, np.fmax.reduceat(panel.values[:, position], panel.offsets[:-1])


def label_leaks(panel: Panel, columns: Columns) -> Iterator[Finding]:
    """Inputs of few values, each of which occurs with one label alone."""
    assert columns.labels is not None
    if one_value_a_series(panel, 0):
        labels = np.fmax.reduceat(panel.values[:, 0], panel.offsets[:-1])
        candidates = _one_value_inputs(panel, columns)
    else:
        labels = panel.values[:, 0]
        candidates = ((name, panel.values[:, panel.columns.index(name)]) for name in columns.read)
    for name, values in candidates:
        if _tells(values, labels, len(columns.labels)):
            message = f"{name} tells {columns.targets[0]}, each of its values occurs with one label only: a leak"
            yield Finding("leak", message, "leave it out", name)


def _tells(values: Floats, labels: Floats, count: int) -> bool:
    known = ~(np.isnan(values) | np.isnan(labels))
    values, labels = values[known], labels[known]
    distinct, codes = np.unique(values, return_inverse=True)
    if not 2 <= len(distinct) <= 2 * count or len(values) < 3 * len(distinct):
        return False
    pairs = np.unique(codes * count + labels.astype(np.int64))
    return len(pairs) == len(distinct) and len(np.unique(labels)) > 1
