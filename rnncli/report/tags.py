"""Answers to every row: one series beside its truth, step by step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rnncli.data.panel import Floats, show_id
from rnncli.report.axes import spread_over, time_labels
from rnncli.report.charts import LEFT, RIGHT, WIDTH, Line, Look, drawing, line_chart
from rnncli.report.heat import SEQUENTIAL, coarse, image, picture
from rnncli.report.labels import labels, odds_of_columns
from rnncli.report.markup import figure, grid, name, plain_name, text
from rnncli.report.numbers import numbers
from rnncli.report.scores import by_series
from rnncli.report.subject import Judged, Subject

HUES = 8  # classes with a colour of their own
STEPS = 400  # that are shown, at most


def tags(subject: Subject, judged: Judged) -> str:
    """An example, then what the answers come to."""
    columns = subject.model.columns
    whole = labels if columns.labels is not None else odds_of_columns if columns.binary else numbers
    found = by_series(subject, judged)
    return _example(subject, judged) + whole(subject, judged) + (f"<h3>By series</h3>{found}" if found else "")


def _example(subject: Subject, judged: Judged) -> str:
    """The series with the middle error of the part: its newest rows."""
    series = _middling(judged)
    some = np.flatnonzero(judged.series == series)
    some = some[np.argsort(judged.origins[some])][-STEPS:]
    rows, truth, answer = judged.origins[some] - 1, judged.truth[some], judged.answer[some]
    shown = time_labels(subject.data.panel.times[rows], subject.model.columns.time_format)
    ticks = [(float(place), shown[place]) for place in spread_over(len(rows), 3)]
    columns = subject.model.columns
    if columns.labels is not None:
        drawn = _strips(columns.labels, truth[:, 0], answer.argmax(1), ticks)
    elif columns.binary:
        drawn = _rolls(columns.targets, truth, answer, ticks)
    else:
        drawn = _lines(columns.targets[0], truth[:, 0], answer[:, 0], ticks)
    who = name(show_id(subject.data.panel.ids[series]))
    return grid([figure(drawn, f"{len(rows):,} rows of the series {who}, which is a middling one.")])


def _middling(judged: Judged) -> int:
    """The series whose score lies in the middle."""
    rows = judged.scored.by_series()
    metric = next(iter(next(iter(rows.values()))))
    order = sorted(rows, key=lambda series: rows[series][metric])
    return order[len(order) // 2]


def _strips(words: tuple[str, ...], truth: Floats, said: np.ndarray, ticks: list[tuple[float, str]]) -> str:
    """Two strips with a colour a class: what was true, and what was answered."""
    step = (WIDTH - LEFT - RIGHT) / len(truth)
    parts = []
    for row, (label, codes) in enumerate((("truth", truth), ("model", said.astype(float)))):
        y = 10 + 44 * row
        parts.append(f'<text x="{LEFT - 6}" y="{y + 21}" class="end">{label}</text>')
        for first, last, code in _stretches(codes):
            hue, title = f"hue{int(code) % HUES}", f"{words[int(code)]}, {last - first} rows"
            parts.append(
                f'<rect class="{hue}" x="{LEFT + first * step:.2f}" y="{y}" width="{(last - first) * step:.2f}" '
                f'height="34"><title>{text(title)}</title></rect>'
            )
    parts.append(_ticks(ticks, len(truth), 106))
    used = sorted({int(code) for code in np.concatenate([truth[np.isfinite(truth)], said])})
    legend, height = _hues(words, used)
    return drawing("Classes over time, truth above the model", "".join(parts) + legend, height)


def _ticks(ticks: list[tuple[float, str]], rows: int, y: float) -> str:
    """Labels below strips; those at the ends stay inside."""
    parts, step = [], (WIDTH - LEFT - RIGHT) / rows
    for place, label in ticks:
        first, last = place == 0, place == rows - 1
        at = LEFT if first else WIDTH - RIGHT if last else LEFT + (place + 0.5) * step
        anchor = "start" if first else "end" if last else "mid"
        parts.append(f'<text x="{at:.1f}" y="{y:g}" class="{anchor}">{plain_name(label, 20)}</text>')
    return "".join(parts)


def _hues(words: tuple[str, ...], used: list[int]) -> tuple[str, float]:
    parts, x, y = [], float(LEFT), 130.0
    for code in used[:24]:
        label = plain_name(words[code], 18)
        width = 34 + 7 * min(len(words[code]), 18)
        if x + width > WIDTH and x > LEFT:
            x, y = float(LEFT), y + 20
        parts.append(f'<rect class="hue{code % HUES}" x="{x:g}" y="{y - 11:g}" width="14" height="14"/>')
        parts.append(f'<text x="{x + 20:g}" y="{y:g}">{label}</text>')
        x += width
    return "".join(parts), y + 10


def _stretches(codes: Floats) -> Iterator[tuple[int, int, float]]:
    """First, after the last, and code of every stretch of one class; rows without one are left out."""
    changes = np.flatnonzero(np.diff(codes) != 0) + 1
    for first, last in zip([0, *changes], [*changes, len(codes)], strict=True):
        if np.isfinite(codes[first]):
            yield int(first), int(last), float(codes[first])


def _rolls(names: tuple[str, ...], truth: Floats, odds: Floats, ticks: list[tuple[float, str]]) -> str:
    """Two pictures, a row a column and a pixel a step: what was true, and the odds that were given."""
    wide = WIDTH - LEFT - RIGHT
    high = min(150, max(16, 14 * len(names)))
    parts = []
    for row, (label, values) in enumerate((("truth", truth), ("odds", odds))):
        y = 8 + row * (high + 10)
        uri = image(coarse(np.nan_to_num(values).T[::-1], 128, STEPS), 0, 1, SEQUENTIAL)
        parts.append(picture(uri, LEFT, y, wide, high))
        parts.append(f'<text x="{LEFT - 6}" y="{y + high / 2 + 4:g}" class="end">{label}</text>')
    bottom = 8 + 2 * (high + 10) + 8
    parts.append(_ticks(ticks, len(truth), bottom))
    title = f"{len(names)} columns over time, the first lowest: truth, and below it the odds of 1, dark 0 to bright 1"
    return drawing(title, "".join(parts), bottom + 8)


def _lines(target: str, truth: Floats, answer: Floats, ticks: list[tuple[float, str]]) -> str:
    steps = np.arange(len(truth), dtype=float)
    lines = [Line("truth", "truth", steps, truth), Line("model", "model", steps, answer)]
    return line_chart(Look(f"{target} over time, truth and model", "", target, x_labels=ticks), lines)
