"""Answers that are labels or odds: confusion, precision and recall, and whether the odds keep what they promise."""

from __future__ import annotations

import numpy as np

from rnncli.data.panel import Floats, Rows
from rnncli.report.charts import Line, Look, line_chart
from rnncli.report.markup import figure, grid, name, number, table
from rnncli.report.subject import Judged, Subject

MOST = 20  # classes in a matrix
BINS = 10


def labels(subject: Subject, judged: Judged) -> str:
    """Confusion matrix, scores of each class, reliability of the odds."""
    known = np.isfinite(judged.truth[:, 0])
    truth, odds = judged.truth[known, 0].astype(np.int64), judged.answer[known]
    said = odds.argmax(1)
    count = odds.shape[1]
    counts = np.bincount(truth * count + said, minlength=count * count).reshape(count, count)
    words = subject.model.columns.labels or ()
    drawn = _reliability(odds.max(1), said == truth, "probability that the model gave its answer")
    return confusion(counts, words, judged.where) + class_scores(counts, words) + grid([drawn])


def confusion(counts: Rows, words: tuple[str, ...], where: str) -> str:
    """How often each class was taken for which: a row a true class, a column an answer."""
    shown = np.sort(np.argsort(-counts.sum(1), kind="stable")[:MOST])
    kept = counts[np.ix_(shown, shown)]
    most = counts.sum(1)[shown]
    rows = [
        [name(words[label]), *(_shaded(int(cell), int(whole)) for cell in row), number(int(whole))]
        for label, row, whole in zip(shown, kept, most, strict=True)
    ]
    less = f" The {MOST} most frequent of {len(words)} classes are shown." if len(words) > MOST else ""
    caption = (
        f"Confusion on {where}: a row a true class, a column what the model said. Shades are shares of the row.{less}"
    )
    head = ["truth \\ answer", *(name(words[label]) for label in shown), "all"]
    return table(caption, head, rows, "confusion")


def _shaded(count: int, whole: int) -> str:
    share = count / whole if whole else 0.0
    return f'<td style="--share:{share:.2f}">{number(count)}</td>'


def class_scores(counts: Rows, words: tuple[str, ...]) -> str:
    """Precision, recall and F1 of every class."""
    rows = []
    for label in np.argsort(-counts.sum(1), kind="stable"):
        hits, said, there = int(counts[label, label]), int(counts[:, label].sum()), int(counts[label].sum())
        scores = (_share(hits, said), _share(hits, there), _share(2 * hits, said + there))
        rows.append([name(words[label]), *(number(score, 3) for score in scores), number(there), number(said)])
    head = ["class", "precision", "recall", "F1", "true", "answered"]
    return table("Each class, the most frequent first", head, rows)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def odds_of_columns(subject: Subject, judged: Judged) -> str:
    """Scores of several 0/1 columns, and the reliability of all odds together."""
    truth, odds = judged.truth, judged.answer
    rows = []
    for column, label in enumerate(subject.model.columns.targets):
        known = np.isfinite(truth[:, column])
        there, said = truth[known, column] > 0.5, odds[known, column] > 0.5
        hits, answered, true = int((there & said).sum()), int(said.sum()), int(there.sum())
        right = int((there == said).sum())
        scores = (_share(right, int(known.sum())), _share(hits, answered), _share(hits, true))
        rows.append([name(label), *(number(score, 3) for score in scores), number(true), number(answered)])
    head = ["column", "accuracy", "precision", "recall", "1 in truth", "1 answered"]
    known = np.isfinite(truth)
    drawn = _reliability(odds[known], truth[known] > 0.5, "odds of 1 that the model gave")
    shown = table(f"Each 0/1 column on {judged.where}; 1 is answered where its odds are above a half", head, rows)
    return shown + grid([drawn])


def _reliability(given: Floats, came: np.ndarray, words: str) -> str:
    """How often it came true, by the odds that were given, in bins of a tenth."""
    places = np.minimum((given * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(places, minlength=BINS)
    there = counts > 0
    mean = np.bincount(places, given, BINS)[there] / counts[there]
    share = np.bincount(places, came.astype(float), BINS)[there] / counts[there]
    whole = np.array([0.0, 1.0])
    lines = [Line("kept to the letter", "truth", whole, whole), Line("model", "model", mean, share, True)]
    look = Look("Reliability of the odds", words, "share that came true")
    said = f"Reliability ({number(len(given))} answers): above the diagonal the model is too timid, below it too sure."
    return figure(line_chart(look, lines), said)
