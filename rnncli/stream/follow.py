"""Rows in, answers out: the story of a stream."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rnncli.data.panel import Floats, SeriesId
from rnncli.errors import Problem, UsageError
from rnncli.stream.clock import Clock, Moment
from rnncli.stream.engines import Array
from rnncli.stream.intake import Intake
from rnncli.stream.levels import Levels
from rnncli.stream.lines import Block
from rnncli.stream.model import StreamModel, check_streams
from rnncli.stream.networks import answering
from rnncli.stream.series import Series
from rnncli.stream.text import Text
from rnncli.stream.turns import Arrivals
from rnncli.tasks.forecasting import Forecasting

Answers = tuple[list[SeriesId], list[Moment], Floats, Floats | None]  # ids, times, answers and scores


@dataclass(frozen=True)
class Following:
    """What is asked of a stream.

    Attributes:
        quantiles: the quantiles that the model was trained for.
        levels: adaptive intervals, in per cent.
        context: answers from so many newest rows, computed again for every row; None for the model's own way.
        engine: ``auto``, ``native``, ``numpy`` or ``torch``.
        as_json: JSON lines in place of CSV.
        scored: whether anomaly scores go with a forecast.
    """

    quantiles: bool = False
    levels: tuple[float, ...] = ()
    context: int | None = None
    engine: str = "auto"
    as_json: bool = False
    scored: bool = True


@dataclass
class Follower:
    """Answers the rows of a stream, in their order.

    Args:
        model: that answers.
        wanted: what is asked of it.
        name: of the input, for messages.

    Attributes:
        rows: how many were read, and
        written: how many lines of answers were given, in all processes.
    """

    model: StreamModel
    wanted: Following
    name: str
    rows: int = 0
    written: int = 0
    series: Series = field(init=False)
    intake: Intake = field(init=False)

    def __post_init__(self) -> None:
        model, wanted = self.model, self.wanted
        check_streams(model.config, model.columns)
        self._check_wanted()
        clock = Clock(model.columns, model.config.task.horizon or 0)
        self._clock = clock
        self.network = answering(model, wanted.engine, wanted.context)
        shares = [level / 100 for level in wanted.levels]
        self._levels = None if model.residuals is None else Levels(model.residuals, shares)
        self.series = Series(model, self.network.memory, [1 - share for share in shares])
        self.intake = Intake(model, self.series, clock, self.name)
        self._quantiles = tuple(model.config.task.quantiles or ()) if wanted.quantiles else ()
        endings = ["pred", *(f"q{level * 100:g}" for level in self._quantiles)]
        endings += [f"{end}{level:g}" for level in wanted.levels for end in ("lo", "hi")]
        scored = self._levels is not None and wanted.scored
        self.text = Text(model, clock, endings, scored=scored, as_json=wanted.as_json)

    def _check_wanted(self) -> None:
        model, wanted = self.model, self.wanted
        kind = model.config.task.kind
        if wanted.levels and kind != "forecasting":
            raise UsageError(f"--level has no effect on {kind}", "leave it out")
        if wanted.levels and model.residuals is None:
            raise UsageError(
                "--level: the model has no validation residuals", "train to the end, with a validation part"
            )
        if wanted.quantiles and not model.config.task.quantiles:
            raise UsageError("--quantiles: the model has none", "train with training.loss=quantile, or use --level 80")
        if wanted.context not in (None, model.config.window.context) and model.config.model.skip != "none":
            skip = model.config.model.skip
            raise UsageError(f"--context: model.skip: {skip} has weights for one alone", "leave it out")
        if wanted.context is not None and kind == "tagging":
            raise UsageError("--context: a tagger's state is carried from the first row on", "leave it out")

    def take(self, block: Block, *, fatal: bool = False) -> tuple[str, list[Problem]]:
        """The answers to some rows, and what was wrong with others, by line.

        Args:
            fatal: answer the rows before the first bad one, and no others.
        """
        mark = self.series.mark() if fatal else None
        arrivals = self.intake.take(block)
        problems, self.intake.problems = sorted(self.intake.problems, key=_line), []
        if mark is not None and problems:
            self.series.rewind(mark)
            block = block.before(_line(problems[0]))
            arrivals, problems = self.intake.take(block), problems[:1]
        self.rows += sum(1 for row in block.rows if row) + len(block.bad)
        return "".join(map(self._answered, arrivals.parts())), problems

    def _answered(self, rows: Arrivals) -> str:
        """The lines of the answers to rows whose series go on, or begin with their first row here."""
        ids, times, answer, scores = self.answers(rows)
        self.written += len(ids) * (self.model.config.task.horizon or 1)
        return self.text.write(ids, times, answer, scores)

    def answers(self, rows: Arrivals, last: bool = False) -> Answers:
        """The answers to rows whose series go on, or begin with their first row here.

        Args:
            last: answer the newest row of each series alone.
        """
        model, series = self.model, self.series
        series.begin(rows.slots[rows.begins])
        scaled, inputs = self._inputs(rows)
        if last:
            wanted = _newest(rows.slots)
            self.network.read(series, rows.slots[~wanted], inputs[~wanted], self._static(rows.slots[~wanted]))
            rows, scaled, inputs = rows.part(np.flatnonzero(wanted)), scaled[wanted], inputs[wanted]
        outputs, level, spread = self.network.outputs(
            series, rows.slots, inputs, self._static(rows.slots), self._ahead(rows)
        )
        if isinstance(model.task, Forecasting):
            answer, scores = self._forecast(rows, scaled, outputs, level, spread)
        else:
            answer, scores = self._plain(rows, outputs), None
        ids = [series.ids[slot] for slot in rows.slots.tolist()]
        times = rows.times
        if model.columns.wide:
            count = len(model.columns.targets)
            answer = _side_by_side(answer, count)
            scores = None if scores is None else scores.reshape(-1, count)
            ids, times = ids[::count], times[::count]
        return ids, times, answer, scores

    def _inputs(self, rows: Arrivals) -> tuple[Floats, Array]:
        """(rows, columns) scaled values, and what the network reads of them: gaps filled, and flags if it has any."""
        model, series = self.model, self.series
        own = series.own[rows.slots]
        scaled = model.scaler.apply(rows.values, own)
        first = 0 if model.columns.target_is_input else len(model.columns.value_targets)
        known = ~np.isnan(scaled)
        filled = scaled
        if model.config.data.missing != "error":
            filled = scaled.copy()
            for at, slot in enumerate(rows.slots.tolist()):
                filled[at] = series.newest[slot] = np.where(known[at], scaled[at], series.newest[slot])
        inputs = filled[:, first:]
        if model.config.data.missing == "mask":
            given = [at for at, name in enumerate(model.columns.values[first:]) if name not in model.columns.derived]
            inputs = np.concatenate([inputs, known[:, first:][:, given]], axis=1)
        return scaled, inputs.astype(np.float32)

    def _static(self, slots: np.ndarray) -> Array | None:
        if not self.model.columns.static:
            return None
        centre, spread = self.model.scaler.static
        scaled = (self.series.static[slots] - centre) / spread
        return np.asarray(np.nan_to_num(scaled), np.float32)

    def _ahead(self, rows: Arrivals) -> Array | None:
        """What is known of the rows to come: parts of their dates."""
        horizon = self.model.config.task.horizon
        if not self.model.columns.known_ahead or horizon is None:
            return None
        waves, ahead = self._clock.waves, self._clock.ahead
        return np.array([[waves(later) for later in ahead(time, horizon)] for time in rows.times], np.float32)

    def _plain(self, rows: Arrivals, outputs: Array) -> Floats:
        """(rows, columns) labels' odds or numbers."""
        numbers = self.model.columns.labels is None and not self.model.columns.binary
        scaled = outputs[:, None].astype(np.float64) if numbers else outputs.astype(np.float64)
        found = self.model.task.original(scaled, self.model.scaler, self.series.own[rows.slots])
        return found[:, 0] if numbers else found

    def _forecast(
        self, rows: Arrivals, scaled: Floats, outputs: Array, level: Array, spread: Array
    ) -> tuple[Floats, Floats | None]:
        """(rows, horizon, targets * endings) in original units, and the scores of the values that arrived."""
        task, scaler = self.model.task, self.model.scaler
        assert isinstance(task, Forecasting)
        own, targets = self.series.own[rows.slots], len(self.model.columns.value_targets)
        steps = outputs.reshape(len(outputs), task.horizon, targets, -1)
        steps = np.sort(steps, axis=-1) * spread[:, None, :, None] + level[:, None, :, None]
        found = steps.astype(np.float64)
        point = task.point(found) if task.levels else found[..., 0]
        columns = [scaler.invert(point, own)]
        if self._quantiles:
            original = scaler.invert(found, own)
            columns += [original[..., number] for number in range(len(self._quantiles))]
        scores = None
        if self._levels is not None:
            scores, alpha = self._levels.arrive(self.series, rows.slots, scaled[:, :targets], point[:, 0])
            if self.wanted.levels:
                reach = self._levels.half_widths(alpha)
                for number in range(len(self.wanted.levels)):
                    columns += [scaler.invert(point + sign * reach[..., number], own) for sign in (-1, 1)]
        return np.stack(columns, axis=-1).reshape(len(point), task.horizon, -1), scores


def _newest(slots: np.ndarray) -> np.ndarray:
    """(rows,) whether a row is the last of its series."""
    _, places = np.unique(slots[::-1], return_index=True)
    found = np.zeros(len(slots), bool)
    found[len(slots) - 1 - places] = True
    return found


def _line(problem: Problem) -> int:
    return problem.place.line or 0


def _side_by_side(answer: Floats, count: int) -> Floats:
    """(rows * count, horizon, columns) of the wide layout's series to (rows, horizon, count * columns)."""
    rows, horizon, columns = answer.shape
    return answer.reshape(rows // count, count, horizon, columns).swapaxes(1, 2).reshape(-1, horizon, count * columns)
