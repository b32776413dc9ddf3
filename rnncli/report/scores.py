"""The verdict, training curves, and errors by step and by series."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rnncli.data.panel import Floats, show_id
from rnncli.evaluation.verdict import best_baseline, judged_by, verdict
from rnncli.report.charts import Line, Look, bar_chart, line_chart
from rnncli.report.markup import figure, grid, name, number, paragraph, table, text
from rnncli.report.subject import History, Judged, Subject
from rnncli.tasks.metrics import METRICS

WORST = 10  # series that are shown
_WORDS = {"mae": "mean absolute error", "rmse": "root mean squared error", "accuracy": "share of right answers",
    "nll": "negative log-likelihood", "scaled_mae": "mean absolute error in training deviations"}  # fmt: skip


def metric_words(metric: str) -> str:
    """A metric for people."""
    return f"{metric} ({_WORDS[metric]})" if metric in _WORDS else metric


def verdict_section(subject: Subject) -> str:
    """The sentence, the scores and the baselines, the best marked."""
    result = subject.result
    if subject.judged is None:
        return paragraph("No part was held out (split.validation: 0 and split.test: 0), so there is nothing to judge "
                         "the model by: it may have learned its training rows by heart.", "warning")  # fmt: skip
    sentences = verdict(result).split("\n")
    gain = result["skill"].get(judged_by(result)) if judged_by(result) else None
    good = gain is not None and gain > 0
    said = paragraph(" ".join(text(line) for line in sentences), "verdict good" if good else "verdict bad")
    if not result["baselines"]:
        said = paragraph("No baselines were asked for (evaluation.baselines: []), so there is nothing to compare with.")
    return said + _missing(subject) + _of_then(subject) + _scores_table(result) + _comparison(result)


def _of_then(subject: Subject) -> str:
    if not subject.changed:
        return ""
    return paragraph(
        "The data is not what it was when the run was trained. These scores are of then; the answers further down are "
        "to the data as it is now, whose held-out parts may hold rows that were trained on.",
        "warning",
    )


def _missing(subject: Subject) -> str:
    parts = [part for part in ("validation", "test") if not subject.result[part]]
    if subject.other or not parts:
        return ""
    why = f"The run has no {' and no '.join(parts)} part (split.{parts[0]}: 0)"
    judged = "; the scores are those of validation, by which the best epoch was chosen, and so flatter the model"
    return paragraph(f"{why}{judged if 'test' in parts else ''}.", "warning")


def _scores_table(result: dict[str, Any]) -> str:
    part = "test" if result["test"] else "validation"
    names = list(result[part])
    rows = {f"model, {part}": result[part]} | result["baselines"]
    best = {metric: _best(rows, metric) for metric in names}
    lines = []
    for label, scores in rows.items():
        cells = [_marked(scores.get(metric), best[metric] == label) for metric in names]
        lines.append([f"<b>{text(label)}</b>" if label.startswith("model,") else text(label), *cells])
    if result["skill"]:
        lines.append(["skill", *(_percent(result["skill"].get(metric)) for metric in names)])
    if part == "test" and result["validation"]:
        lines.append(["model, validation", *(number(result["validation"].get(metric)) for metric in names)])
    count = result.get("answers", {}).get(part)
    told = f", means of {number(count)} answers" if isinstance(count, int) else ""
    caption = (
        f"Scores on the {part} part{told}; ★ marks the best of each column. Skill is what the model takes off the best "
        f"baseline's error."
    )
    return table(caption, ["scores", *map(text, names)], lines, "scores")


def _best(rows: dict[str, dict[str, float | None]], metric: str) -> str | None:
    smaller = METRICS[metric].smaller if metric in METRICS else None
    known = {label: scores.get(metric) for label, scores in rows.items()}
    there = {label: value for label, value in known.items() if value is not None}
    if smaller is None or len(there) < 2:
        return None
    return (min if smaller else max)(there, key=lambda label: there[label])


def _marked(value: float | None, best: bool) -> str:
    return f'<td class="best"><b>{number(value)} <span title="best">★</span></b></td>' if best else number(value)


def _percent(value: float | None) -> str:
    if value is None:
        return "–"
    return "&lt; −999%" if value < -9.99 else f"{100 * value:.1f}%".replace("-", "−")


def _comparison(result: dict[str, Any]) -> str:
    metric = judged_by(result)
    if not metric:
        return ""
    ours = result["test"] or result["validation"]
    rows = [("model", _known(ours[metric]), "bar-model")]
    rows += [(label, _known(scores[metric]), "bar-other") for label, scores in result["baselines"].items()]
    rows.sort(key=lambda row: (math.isnan(row[1]), row[1] if metric != "accuracy" else -row[1]))
    better = "more is better" if metric == "accuracy" else "less is better"
    drawn = bar_chart(Look(f"{metric} of the model and of the baselines"), rows)
    return grid([figure(drawn, f"{text(metric_words(metric))}: {better}.")])


def _known(value: float | None) -> float:
    return math.nan if value is None else float(value)


def curves(history: History) -> str:
    """Losses and learning rate by epoch."""
    epochs = history.get("epoch", np.empty(0))
    if not len(epochs):
        return paragraph("There is no history.csv beside the model, so how training went is not known.", "warning")
    train, valid = (history.get(key, np.full(len(epochs), np.nan)) for key in ("train_loss", "validation_loss"))
    validated = bool(np.isfinite(valid).any())
    best = int(np.nanargmin(valid)) if validated else None
    lines = [Line("training loss", "baseline", epochs, train, len(epochs) < 4)]
    lines += [Line("validation loss", "model", epochs, valid, len(epochs) < 4)] if validated else []
    marks = [(float(epochs[best]), f"best: epoch {epochs[best]:.0f}")] if best is not None else []
    look = Look("Loss by epoch", "epoch", "loss", marks=marks, log=_spans(train, valid), whole=True)
    said = "There is no validation part, so no epoch is known to be best."
    if best is not None:
        said = (
            f"The smallest validation loss, {number(float(valid[best]))}, came at epoch {epochs[best]:.0f} of "
            f"{len(epochs)}."
        )
    figures = [figure(line_chart(look, lines), f"{said} Both losses are in scaled units.")]
    rate = history.get("learning_rate", np.empty(0))
    if np.isfinite(rate).any():
        look = Look("Learning rate by epoch", "epoch", "rate", zero=True, whole=True)
        drawn = line_chart(look, [Line("learning rate", "third", epochs, rate, len(epochs) < 4)])
        skipped = float(np.nansum(history.get("skipped_updates", np.zeros(1))))
        more = f" {skipped:.0f} updates were skipped, since their gradient was not finite." if skipped else ""
        figures.append(figure(drawn, f"Learning rate at the end of each epoch.{more}"))
    return grid(figures)


def _spans(*parts: Floats) -> bool:
    """Whether losses span so much that only their logarithm can be read."""
    known = np.concatenate([part[np.isfinite(part)] for part in parts])
    return len(known) > 0 and known.min() > 0 and known.max() / known.min() > 20


def by_step(subject: Subject, judged: Judged) -> str:
    """The error of each step of the horizon, of the model and of the best baseline."""
    metric = judged_by(subject.result) or "mae"
    ours = judged.scored.by_step()
    steps = np.arange(1.0, len(ours) + 1)
    lines = [Line("model", "model", steps, _column(ours, metric), True)]
    best = _reference(subject)
    if best in judged.scored.baselines:
        lines.append(Line(best, "baseline", steps, _column(judged.scored.baselines[best].by_step(), metric), True))
    look = Look("Error by step of the horizon", "step of the horizon", metric, zero=True, whole=True)
    figures = [figure(line_chart(look, lines), f"{text(metric_words(metric))} of each step ahead.")]
    cover = [f"interval_{level}_coverage" for level in (80, 95)]
    if judged.scored.intervals is not None:
        kinds = (("80% intervals", "model"), ("95% intervals", "third"))
        lines = [
            Line(label, kind, steps, 100 * _column(ours, key), True)
            for (label, kind), key in zip(kinds, cover, strict=True)
        ]
        look = Look("Coverage by step of the horizon", "step of the horizon", "% covered", whole=True)
        figures.append(
            figure(line_chart(look, lines), "How much of the truth the intervals hold, for each step ahead.")
        )
    return grid(figures)


def _column(rows: list[dict[str, float]], metric: str) -> Floats:
    return np.array([row.get(metric, math.nan) for row in rows])


def _reference(subject: Subject) -> str:
    """The baseline that the model is put beside; none without one."""
    metric = judged_by(subject.result)
    return best_baseline(subject.result, metric) if metric else ""


def reference(subject: Subject, judged: Judged) -> str:
    """The best baseline, if it can be asked."""
    best = _reference(subject)
    return best if best in judged.baselines else ""


def by_series(subject: Subject, judged: Judged) -> str:
    """The series with the largest errors; nothing if there is one series alone."""
    rows = judged.scored.by_series()
    if len(rows) < 2:
        return ""
    metric = _ranked_by(next(iter(rows.values())), rows)
    sign = -1 if METRICS[metric].smaller is False else 1
    order = sorted(rows, key=lambda series: -sign * _low(rows[series][metric], sign))[:WORST]
    shown = [key for key in next(iter(rows.values())) if key not in ("mse", "scaled_mse") and "interval" not in key]
    best = _reference(subject)
    others = judged.scored.baselines[best].by_series() if best in judged.scored.baselines else {}
    head = ["series", *(f"{key} ↓" if key == metric else key for key in shown)]
    head += [f"{best}: {metric}"] if others else []
    lines = [
        [
            name(show_id(subject.data.panel.ids[series])),
            *(number(rows[series][key]) for key in shown),
            *([number(others[series][metric])] if others else []),
        ]
        for series in order
    ]
    many = f"The worst {len(order)} of {len(rows):,} series" if len(rows) > len(order) else f"All {len(rows)} series"
    return table(f"{many}, by {text(metric)}", [text(cell) for cell in head], lines)


def _ranked_by(first: dict[str, float], rows: dict[int, dict[str, float]]) -> str:
    """A metric by which series of different sizes can be compared."""
    for metric in ("mase", "scaled_mae", "accuracy", "nll"):
        if metric in first and all(math.isfinite(row[metric]) for row in rows.values()):
            return metric
    return next(iter(first))


def _low(value: float, sign: int) -> float:
    return value if math.isfinite(value) else -sign * math.inf
