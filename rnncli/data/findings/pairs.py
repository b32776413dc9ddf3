"""Two inputs whose sum or difference gives the target away."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from rnncli.data.findings.correlation import ALIKE, LEAST_PAIRS, correlation
from rnncli.data.findings.leaks import MOST_ROWS, at_shifts
from rnncli.data.findings.panel import Finding
from rnncli.data.panel import Columns, Floats, Panel, Rows

MOST_COLUMNS = 30  # inputs of which all pairs are looked at
MOST_SHIFTS = 24  # rows to look ahead
OFF, OFF_CHANGES = 1e-3, 1e-2  # of the target's deviation and of its steps: what rounding in the file can make up


def pair_leaks(panel: Panel, columns: Columns, horizon: int) -> Iterator[Finding]:
    """Pairs of numeric inputs whose sum or difference is a target, in the same row if it is asked for there, or ahead.

    Args:
        horizon: rows that are forecast; 0 if the target stands among the input rows.
    """
    names = [name for name in columns.read if name not in columns.categories]
    if columns.labels is not None or columns.wide or not 2 <= len(names) <= MOST_COLUMNS:
        return
    rows = np.arange(len(panel.times))[:: max(1, len(panel.times) // MOST_ROWS)]
    for target in columns.value_targets:
        for shift in range(min(horizon, MOST_SHIFTS) + 1):
            same_row = shift == 0 and columns.target_is_input
            known = [name for name in names if name in columns.future] if same_row else names
            what = _pair(panel, known, target, rows, shift)
            if what is not None:
                when = f", {shift:,} row{'s' if shift > 1 else ''} ahead" if shift else " in the same row"
                yield Finding("leak", f"{what[0]} is {target}{when}: a leak", "leave one out", what[1])
                break


def _pair(panel: Panel, names: list[str], target: str, rows: Rows, shift: int) -> tuple[str, str] | None:
    """How the first pair makes up the target so many rows on, and the pair's later input; None if none does."""
    here, there = np.zeros(1, dtype=np.int64), np.array([shift])

    def parts(name: str, shifts: Rows) -> tuple[Floats, Floats]:
        """(rows,) values, and their changes from row to row."""
        own = panel.values[:, panel.columns.index(name)]
        values, changes = (at_shifts(panel, own, rows, shifts, changes)[:, 0] for changes in (False, True))
        return values, changes

    wanted = parts(target, there)
    found = {name: parts(name, here) for name in names}
    for name in names:  # one that is enough by itself is a leak of its own
        if np.abs(correlation(found[name][0][:, None], wanted[0][:, None]))[0, 0] > ALIKE:
            del found[name]
    for one, other in combinations(found, 2):
        for first, sign, second in ((one, "+", other), (one, "-", other), (other, "-", one)):
            pairs = zip(found[first], found[second], wanted, (OFF, OFF_CHANGES), strict=True)
            if all(_equal(a + b if sign == "+" else a - b, truth, off) for a, b, truth, off in pairs):
                return f"{first} {sign} {second}", other
    return None


def _equal(made: Floats, truth: Floats, off: float) -> bool:
    """Whether values are the truth up to a share of its deviation."""
    known = ~np.isnan(made) & ~np.isnan(truth)
    if known.sum() < LEAST_PAIRS:
        return False
    gap = made[known] - truth[known]
    return bool(np.sqrt(np.mean(gap**2)) < off * np.std(truth[known]))
