"""The recipe for a table, of those in `config.recipes`, and what of it changes with the rows there are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from rnncli.config.defaults import DEFAULT_CONTEXT
from rnncli.config.recipes import RECIPES, RecipeName, Value, reason
from rnncli.data.guessing.guess import Findings
from rnncli.data.guessing.sizes import Sizes, kept_rows
from rnncli.data.panel import Rows

MANY_SERIES = 10
TIMES_OVER = 5  # that context and horizon of long_horizon fit into the training rows of every series
FEW_WINDOWS = 5_000
FEW_ROWS = 300  # of training, of one or a few series
SMALL_BATCH, MANY_EPOCHS = 32, 50
MOST_STEPS = 1_000  # in an epoch of forecasts
MOST_ROWS = {"classification": 400_000, "regression": 1_000_000, "tagging": 100_000}  # read in an epoch
LEAST_STEPS = 20
LONGEST_FULL = 2_000  # rows of a sequence that is read as a whole where each of them is answered


@dataclass(frozen=True)
class Plan:
    """A recipe as it suits a table.

    Attributes:
        recipe: None where the defaults serve best.
        why: in words.
        keys: as ``section.key``, those of the window first, then of the model, then of the training.
        reasons: of each key.
    """

    recipe: RecipeName | None
    why: str
    keys: dict[str, Value] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def put(self, key: str, value: Value, why: str) -> Plan:
        """The plan with another value of a key, for a reason of its own."""
        return replace(self, keys={**self.keys, key: value}, reasons={**self.reasons, key: why})

    def drop(self, *keys: str) -> Plan:
        """The plan without some keys."""
        return replace(self, keys={key: value for key, value in self.keys.items() if key not in keys})

    def number(self, key: str) -> int:
        """A key that holds a whole number; 0 if the plan has none."""
        value = self.keys.get(key)
        return value if isinstance(value, int) else 0


def choose_recipe(findings: Findings, sizes: Sizes) -> Plan:
    """What serves a table of this kind and size best."""
    match findings.choice.task:
        case "forecasting":
            return _forecast(findings, sizes)
        case "classification":
            return _classification(findings)
        case "regression":
            return _regression(findings)
        case "tagging":
            return _tagging(findings)


def _recipe(name: RecipeName, why: str) -> Plan:
    keys = {f"{section}.{key}": value for section, part in RECIPES[name].items() for key, value in part.items()}
    return Plan(name, why, keys, {key: reason(name, key) for key in keys})


def _forecast(findings: Findings, sizes: Sizes) -> Plan:
    rows, horizon = kept_rows(findings, sizes), sizes.horizon or 1
    long_past = RECIPES["long_horizon"]["window"]["context"]
    assert isinstance(long_past, int)
    if rows.min() >= TIMES_OVER * (long_past + horizon):
        series = "a long series of" if len(rows) == 1 else f"{len(rows):,} long series of at least"
        plan = _recipe("long_horizon", f"{series} {int(rows.min()):,} training rows")
        return _bounded(plan, int((rows - long_past - horizon + 1).sum()))
    if len(rows) >= MANY_SERIES:
        return _panel(findings, sizes, rows - horizon)
    return _few(findings, sizes, rows)


def _panel(findings: Findings, sizes: Sizes, room: Rows) -> Plan:
    """Many series: as many seasons of context as leave half of the rows to learn from; small batches of few windows.

    One season, if there are rows for no more, is worth most of the windows that it costs.
    """
    season, middle = findings.season, int(np.median(room))
    plan = _recipe("panel", f"{len(room):,} series, one network for all")
    most = int(str(plan.keys["window.context"]).split()[0])
    seasons = min(max(middle // 2 // season, 1), most)
    if 1 < season < middle:
        context = seasons * season
        if seasons < most:
            text = f"{seasons} season{'s' * (seasons > 1)}"
            plan = plan.put("window.context", text, "rows of past in a window: no more, or few are left to learn from")
    else:
        context = sizes.context or DEFAULT_CONTEXT
        plan = plan.put("window.context", context, "rows of past in a window, to suit the rows there are")
        plan = plan.drop("model.segment", "model.skip")
    windows = np.maximum(room - context + 1, 1)
    newest = plan.number("window.newest")
    if newest and windows.max() <= newest:
        plan = plan.drop("window.newest")
    windows = np.minimum(windows, newest) if newest else windows
    return _bounded(_more_steps(plan, int(windows.sum())), int(windows.sum()))


def _more_steps(plan: Plan, windows: int) -> Plan:
    """Small batches and more passes where windows are few."""
    if windows >= FEW_WINDOWS or "training.steps_per_epoch" in plan.keys:
        return plan
    plan = plan.put("training.epochs", MANY_EPOCHS, "passes over the training windows: they are few")
    return plan.put("training.batch_size", SMALL_BATCH, "small batches give more steps to learn in")


def _few(findings: Findings, sizes: Sizes, rows: Rows) -> Plan:
    """One series or a few: the defaults; where rows are few and the season shows, around the season before."""
    what, middle = "a single series" if len(rows) == 1 else f"{len(rows):,} series", int(np.median(rows))
    plan = Plan(None, f"the defaults, best for {what} of {middle:,} training rows")
    context = sizes.context or DEFAULT_CONTEXT
    seasonal = findings.season_shows and middle <= FEW_ROWS and findings.season < middle - (sizes.horizon or 1)
    if seasonal:
        context = max(context, findings.season)
    if context != DEFAULT_CONTEXT:
        plan = plan.put("window.context", context, "rows of past in a window, to suit the season and the rows")
    if seasonal:
        plan = replace(plan, why=f"the defaults around the season before: {what}, few rows, a clear season")
        plan = plan.put("window.level", False, reason(None, "window.level"))
        plan = plan.put("model.skip", "seasonal", reason("panel", "model.skip"))
    return _bounded(plan, int(rows.sum()))


def _bounded(plan: Plan, windows: int) -> Plan:
    """No more than so many steps in an epoch, where windows are very many."""
    if "training.steps_per_epoch" in plan.keys or windows <= MOST_STEPS * (plan.number("training.batch_size") or 32):
        return plan
    why = f"an epoch is so many batches: about {windows:,} windows are more than it needs"
    return plan.put("training.steps_per_epoch", MOST_STEPS, why)


def _classification(findings: Findings) -> Plan:
    lengths = findings.lengths
    plan = _recipe("classification", f"a label for each of {len(lengths):,} sequences")
    if plan.number("model.segment") > int(np.median(lengths)) // 2:
        plan = plan.drop("model.segment")
    return _bounded_rows(plan, int(lengths.sum()), float(lengths.mean()))


def _regression(findings: Findings) -> Plan:
    """Windows of a sequence, no longer than half of it; one that has a single answer is read as a whole."""
    lengths = findings.lengths
    count = "one sequence" if len(lengths) == 1 else f"each of {len(lengths):,} sequences"
    plan = _recipe("regression", f"a number for {count}" if findings.one_answer else "a number at every row")
    middle, context = int(np.median(lengths)), plan.number("window.context")
    if findings.one_answer and len(lengths) > 1:
        context = middle
        plan = plan.put("window.context", "full", "a sequence has one answer: it is read as a whole")
        plan = _more_steps(plan, len(lengths))
    elif context > middle // 2:
        context = max(middle // 2, 1)
        plan = plan.put("window.context", context, "rows of past in a window: half of those of a usual sequence")
    if plan.number("model.segment") > context // 2:
        plan = plan.drop("model.segment")
    return _bounded_rows(plan, int(lengths.sum()) * context, context)


def _tagging(findings: Findings) -> Plan:
    """Whole sequences, if there are several of a bearable length; else windows of some rows."""
    lengths = findings.lengths
    count = "one sequence" if len(lengths) == 1 else f"{len(lengths):,} sequences"
    plan = _recipe("tagging", f"an answer for every row of {count}")
    if len(lengths) >= MANY_SERIES and lengths.max() <= LONGEST_FULL:
        return _bounded_rows(plan, int(lengths.sum()), float(lengths.mean()))
    context = min(DEFAULT_CONTEXT, max(int(np.median(lengths)) // 4, 1))
    few = "sequences are few" if len(lengths) < MANY_SERIES else "sequences are long"
    plan = plan.put("window.context", context, f"rows in a window: {few}, and many windows teach more")
    return _bounded_rows(plan, 2 * int(lengths.sum()), context)


def _bounded_rows(plan: Plan, rows: int, window: float) -> Plan:
    """No more than so many rows read in an epoch, where it would have very many in windows of `window` rows."""
    most, a_step = MOST_ROWS[str(plan.recipe)], window * plan.number("training.batch_size")
    if (plan.number("training.steps_per_epoch") * a_step or rows) <= most:
        return plan
    steps = max(int(most / a_step), LEAST_STEPS)
    return plan.put("training.steps_per_epoch", steps, "an epoch is so many batches: all rows would be very many")
