"""Forecasts beside what came: the newest, a middling one and the worst."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rnncli.data import clock
from rnncli.data.panel import Floats, show_id
from rnncli.evaluation.answered import Answered, answered
from rnncli.report.about import context_of
from rnncli.report.axes import spread_over, time_labels
from rnncli.report.charts import Band, Line, Look, line_chart
from rnncli.report.markup import figure, grid, name, number, paragraph, text
from rnncli.report.scores import by_series, by_step, reference
from rnncli.report.subject import Judged, Subject
from rnncli.tasks.forecasting import Forecasting
from rnncli.tasks.intervals import LEVELS


@dataclass(frozen=True)
class Chosen:
    """A window to be shown, the target of it, and why."""

    window: int
    target: int
    why: str


def forecasts(subject: Subject, judged: Judged) -> str:
    """Charts of some forecasts, and errors by step and by series."""
    chosen = choose(judged)
    drawn = [_figure(subject, judged, each) for each in chosen]
    count = len(judged.windows)
    lead = (
        f"{count:,} windows were forecast on {judged.where}, each from rows that come before it. "
        "The thin line is what came."
    )
    return (
        paragraph(text(lead))
        + paragraph(_bands_in_words(subject))
        + grid(drawn)
        + "<h3>By step of the horizon</h3>"
        + by_step(subject, judged)
        + _series_part(subject, judged)
    )


def _series_part(subject: Subject, judged: Judged) -> str:
    found = by_series(subject, judged)
    return f"<h3>By series</h3>{found}" if found else ""


def choose(judged: Judged) -> list[Chosen]:
    """The newest window, the one with the middle error and the one with the largest; of several targets, each with the
    target whose error that is."""
    errors = judged.errors
    newest = int(np.argmax(judged.origins - judged.windows.starts[judged.series]))
    known = np.flatnonzero(np.isfinite(errors.reshape(-1)))
    found = [Chosen(newest, 0, "the newest")]
    if len(known):
        order = known[np.argsort(errors.reshape(-1)[known], kind="stable")]
        for place, why in ((order[(len(order) - 1) // 2], "a middling one"), (order[-1], "the worst")):
            window, target = divmod(int(place), errors.shape[1])
            found.append(Chosen(window, target, why))
    reasons: dict[tuple[int, int], list[str]] = {}
    for each in found:
        reasons.setdefault((each.window, each.target), []).append(each.why)
    return [Chosen(*place, " and ".join(why)) for place, why in reasons.items()]


def _figure(subject: Subject, judged: Judged, chosen: Chosen) -> str:
    (some,) = answered(subject.model, subject.data, judged.windows.pick(np.array([chosen.window])))
    lines, bands = _drawn(subject, judged, some, chosen.target)
    labels = _labels(subject, some, len(lines[0].x))
    target = _target_name(subject, chosen.target)
    series = show_id(subject.data.panel.ids[int(some.series[0])])
    alone = len(subject.data.panel) == 1 and not subject.model.columns.series
    error = judged.errors[chosen.window, chosen.target]
    look = Look(
        f"Forecast of {target} beside the truth, {chosen.why}",
        subject.model.columns.time or "row",
        target,
        x_labels=labels,
        marks=[(-0.5, "forecast from here")],
    )
    who = "" if alone else f", series {name(series)}"
    size = f": off by {number(float(error), 3)} training deviations on average" if np.isfinite(error) else ""
    return figure(line_chart(look, lines, bands), f"<b>{text(chosen.why.capitalize())}</b>{who}{size}.")


def _target_name(subject: Subject, target: int) -> str:
    """Of the wide layout, where the targets are the series, there is one target."""
    columns = subject.model.columns
    return "value" if columns.wide else columns.targets[target]


def _drawn(subject: Subject, judged: Judged, some: Answered, target: int) -> tuple[list[Line], list[Band]]:
    panel, task = subject.data.panel, subject.model.task
    assert isinstance(task, Forecasting)
    origin, horizon = int(some.origins[0]), task.horizon
    begin = max(int(panel.offsets[some.series[0]]), origin - min(max(3 * horizon, 24), context_of(subject)))
    ahead = np.arange(horizon, dtype=float)
    past = np.arange(begin - origin, 0, dtype=float)
    known = np.concatenate([panel.values[begin:origin, target], some.truth[0, :, target]])
    point = task.point(some.original)[0, :, target]
    lines = [Line("truth", "truth", np.concatenate([past, ahead]), known)]
    best = reference(subject, judged)
    if best:
        answer = judged.baselines[best](some.origins)[0, :, target]
        lines.append(Line(best, "baseline", ahead, answer, horizon == 1))
    lines.append(Line("model", "model", ahead, point, horizon <= 24))
    return lines, list(_bands(task, some, target, ahead))


def _bands(task: Forecasting, some: Answered, target: int, ahead: Floats) -> Iterator[Band]:
    """The widest first: pairs of quantiles about the median, or conformal intervals."""
    if task.levels:
        pairs = [(low, 1 - low) for low in task.levels if low < 0.5]
        there = [(low, high) for low, high in pairs if any(abs(high - level) < 1e-9 for level in task.levels)]
        for kind, (low, high) in zip(("wide", "narrow"), there[:2], strict=False):
            places = [int(np.argmin([abs(level - end) for level in task.levels])) for end in (low, high)]
            below, above = (some.original[0, :, target, place] for place in places)
            yield Band(f"{100 * (high - low):g}%", kind, ahead, below, above)
    elif some.ends is not None:
        for kind, level in (("wide", 95), ("narrow", 80)):
            first = 2 * LEVELS.index(level)
            ends = some.ends[0, :, target]
            yield Band(f"{level}%", kind, ahead, ends[:, first], ends[:, first + 1])


def _labels(subject: Subject, some: Answered, count: int) -> list[tuple[float, str]]:
    """Times at a few places of a chart that ends with the horizon."""
    panel, horizon = subject.data.panel, subject.model.task.horizon
    first = int(some.origins[0]) + horizon - count
    places = spread_over(count, 3)
    rows = np.minimum(first + np.array(places, dtype=np.int64), len(panel.times) - 1)
    if subject.model.columns.time is None:
        numbers = [str(int(row - panel.offsets[some.series[0]]) + 1) for row in rows]
        return [(float(place - (count - horizon)), label) for place, label in zip(places, numbers, strict=True)]
    shown = time_labels(panel.times[rows], subject.model.columns.time_format)
    return [(float(place - (count - horizon)), label) for place, label in zip(places, shown, strict=True)]


def _bands_in_words(subject: Subject) -> str:
    task = subject.model.task
    if isinstance(task, Forecasting) and task.levels:
        return "The bands lie between quantiles that the model was trained to give."
    if subject.model.residuals is None:
        return "There are no intervals, since no validation part was held out to measure them on."
    return (
        "The bands are split-conformal intervals, 80 and 95%: as wide as the errors on the validation part "
        f"({len(subject.model.residuals):,} residuals a step) were."
    )


def when(subject: Subject, row: int) -> str:
    """The time of a row, for people; without times, its number in its series."""
    panel, columns = subject.data.panel, subject.model.columns
    if columns.time is None:
        return f"row {row - panel.offsets[panel.series_of(np.array([row]))[0]] + 1}"
    return clock.write(panel.times[row : row + 1], columns.time_format)[0]
