"""Answers that are numbers: truth against prediction, and residuals."""

from __future__ import annotations

import numpy as np

from rnncli.report.charts import Look, bar_chart
from rnncli.report.markup import figure, grid, number, text
from rnncli.report.scatter import scatter
from rnncli.report.subject import Judged, Subject

MOST = 3  # targets that are drawn


def numbers(subject: Subject, judged: Judged) -> str:
    """For each target how its answers lie about the truth."""
    figures = []
    for column, target in enumerate(subject.model.columns.targets[:MOST]):
        truth, answer = judged.truth[:, column], judged.answer[:, column]
        known = np.isfinite(truth)
        residual = truth[known] - answer[known]
        look = Look(f"{target}: truth against prediction", f"{target}, predicted", f"{target}, truth")
        figures.append(figure(scatter(look, answer, truth, diagonal=True), "On the line, the answer is right."))
        look = Look(f"{target}: residuals", f"{target}, predicted", "truth − prediction")
        said = (
            f"Residuals: mean {number(float(residual.mean()), 3)}, deviation {number(float(residual.std()), 3)}. "
            "A slope or a funnel here is something that the model has not learned."
        )
        figures.append(figure(scatter(look, answer[known], residual), text(said)))
        figures.append(_histogram(target, residual))
    return grid(figures)


def _histogram(target: str, residual: np.ndarray) -> str:
    counts, edges = np.histogram(residual, bins=min(9, max(3, len(residual) // 3)))
    rows = [
        (f"{number(float(low), 3)} to {number(float(high), 3)}", float(count), "bar-model")
        for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
    ]
    return figure(
        bar_chart(Look(f"{target}: how many residuals of each size"), rows), "How many residuals of each size."
    )
