"""Answers as lines of CSV or JSON, with the columns that ``predict`` prints and those of a stream."""

from __future__ import annotations

import functools
import io
import json
import math
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from rnncli import console
from rnncli.data.panel import Floats, SeriesId
from rnncli.stream.clock import Clock, Moment
from rnncli.stream.model import StreamModel

SCORE = "anomaly_score"
KEPT = 256  # times whose horizon is remembered: the series of a panel share them


class Column(NamedTuple):
    """Values of one kind, and how each is written in CSV; words have their quotes already."""

    form: str
    values: Sequence[Any]


class Text:
    """Writes answers.

    Args:
        model: that gives them.
        clock: writes times.
        endings: of the columns of each target of a forecast, ``pred`` first.
        scored: whether anomaly scores go with a forecast.
        as_json: JSON lines in place of CSV.
    """

    def __init__(
        self, model: StreamModel, clock: Clock, endings: Sequence[str], *, scored: bool, as_json: bool
    ) -> None:
        columns = model.columns
        self._clock, self._wide, self._as_json = clock, columns.wide, as_json
        self._timed = columns.time is not None
        self._horizon = model.config.task.horizon or 0
        names = [*columns.series, *([columns.time] if columns.time else [])]
        if self._horizon:
            names += ["step", *(f"{name}_{ending}" for name in columns.targets for ending in endings)]
            names += (
                [SCORE] if len(columns.targets) == 1 else [f"{name}_{SCORE}" for name in columns.targets]
            ) * scored
        elif columns.labels is not None:
            names += ["prediction", *(f"p_{label}" for label in columns.labels)]
        else:
            names += [f"{name}_pred" for name in columns.targets]
            names += [f"p_{name}" for name in columns.targets] if columns.binary else []
        self.columns = names
        self._labels = columns.labels
        self._binary = columns.binary
        self._prefixes: dict[SeriesId, str] = {}
        self._laters: dict[Moment | None, list[str]] = {}

    def header(self) -> str:
        """The first line of CSV; JSON has none."""
        return "" if self._as_json else _csv(self.columns)

    def rows(self, ids: list[SeriesId], times: list[Moment], answer: Floats) -> Iterator[list[Any]]:
        """Some answers as rows of values, without scores; the text must have been made for JSON."""
        return self._rows(ids, self._steps(times, answer, None))

    def write(self, ids: list[SeriesId], times: list[Moment | None], answer: Floats, scores: Floats | None) -> str:
        """Some answers as lines.

        Args:
            ids: of the series of each.
            times: of each row.
            answer: (rows, horizon, columns) of a forecast, (rows, columns) else: in original units, or odds.
            scores: (rows, targets) of the values that arrived, NaN where there is none.
        """
        steps = self._steps(times, answer, scores)
        return "".join(map(self._object, self._rows(ids, steps))) if self._as_json else self._lines(ids, steps)

    def _steps(self, times: list[Moment], answer: Floats, scores: Floats | None) -> list[list[Column]]:
        """The columns of each step of the horizon; of one, where there is no horizon."""
        if self._horizon:
            return self._forecasts(times, answer, scores)
        when = [Column("%s", [self._quoted(self._clock.write(time)) for time in times])] if self._timed else []
        return [[*when, *self._words(answer), *self._numbers(answer)]]

    def _forecasts(self, times: list[Moment | None], answer: Floats, scores: Floats | None) -> list[list[Column]]:
        """The columns of each step of the horizon."""
        laters = [Column("%s", cells) for cells in zip(*self._all_later(times), strict=True)] if self._timed else []
        marks = [] if scores is None else self._numbers(scores)
        return [
            [*laters[step : step + 1], Column("%d", [step + 1] * len(times)), *self._numbers(answer[:, step]), *marks]
            for step in range(self._horizon)
        ]

    def _words(self, answer: Floats) -> list[Column]:
        """What is said before the odds: the likeliest label, or of 0/1 columns the likelier value."""
        if self._labels is not None:
            return [Column("%s", [self._quoted(self._labels[best]) for best in answer.argmax(1).tolist()])]
        if self._binary:
            return [Column("%d", column.tolist()) for column in (answer > 0.5).astype(np.int64).T]
        return []

    def _all_later(self, times: list[Moment | None]) -> list[list[str]]:
        """The cells of the times over each row's horizon; rows that come together share most of them."""
        found = {time: self._later(time) for time in dict.fromkeys(times)}
        return list(map(found.__getitem__, times))

    def _later(self, time: Moment | None) -> list[str]:
        """The cells of the times over the horizon."""
        found = self._laters.get(time)
        if found is None:
            found = [self._quoted(self._clock.write(later)) for later in self._clock.ahead(time, self._horizon)]
            if len(self._laters) >= KEPT:
                self._laters.clear()
            self._laters[time] = found
        return found

    def _lines(self, ids: list[SeriesId], steps: list[list[Column]]) -> str:
        """Lines of CSV: one template for all rows, filled in at once."""
        try:
            starts = list(map(self._prefixes.__getitem__, ids))
        except KeyError:
            starts = list(map(self._prefix, ids))
        template = "".join("%s" + ",".join(column.form for column in columns) + "\n" for columns in steps)
        filled = [cells for columns in steps for cells in (starts, *(column.values for column in columns))]
        return template * len(ids) % tuple(chain.from_iterable(zip(*filled, strict=True)))

    def _rows(self, ids: list[SeriesId], steps: list[list[Column]]) -> Iterator[list[Any]]:
        """The values of each line."""
        answers = zip(*(zip(*(column.values for column in columns), strict=True) for columns in steps), strict=True)
        for key, answer in zip(ids, answers, strict=True):
            yield from ([*(() if self._wide else key), *step] for step in answer)

    def _numbers(self, values: Floats) -> list[Column]:
        """(rows, columns) numbers; the cells of those that are not known are empty."""
        found = []
        for column in values.T:
            if np.isnan(column).any() and not self._as_json:
                found.append(Column("%s", ["" if math.isnan(value) else f"{value:.9g}" for value in column.tolist()]))
            else:
                found.append(Column("%.9g", column.tolist()))
        return found

    def _quoted(self, text: str) -> str:
        return text if self._as_json or text.isalnum() else _cell(text)

    def _prefix(self, key: SeriesId) -> str:
        """The cells of an id, with a comma after each."""
        found = self._prefixes.get(key)
        if found is None:
            found = "" if self._wide or not key else _csv(key)[:-1] + ","
            self._prefixes[key] = found
        return found

    def _object(self, values: Sequence[object]) -> str:
        finite = (None if isinstance(value, float) and not math.isfinite(value) else value for value in values)
        text = json.dumps(dict(zip(self.columns, finite, strict=True)), ensure_ascii=False, allow_nan=False)
        return console.visible_json(text) + "\n"


@functools.lru_cache(maxsize=KEPT)
def _cell(text: str) -> str:
    return _csv([text])[:-1]


def _csv(cells: Sequence[object]) -> str:
    stream = io.StringIO()
    console.write_csv(stream, cells, ())  # type: ignore[arg-type]
    return stream.getvalue()
