"""Inputs that give the target away, or say what another column says: found by correlation, row against shifted row.

An input is taken for a linear function of another column if the values *and* their changes from row to row say so, in
most series: two trends have like values, but not like changes. A target may have been cut off at its ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnncli.data.findings.correlation import ALIKE, LEAST_PAIRS, correlation, uncut
from rnncli.data.findings.giveaways import label_leaks, one_value_a_series, series_leaks
from rnncli.data.findings.panel import Finding
from rnncli.data.panel import Columns, Floats, Panel, Rows, show_ids

ALIKE_CHANGES = 0.99  # correlation of changes, which rounding disturbs more than values
NEAR = 24  # rows to look ahead where there is no horizon
MOST_ROWS = 1000  # of a series; a sample of rows and
MOST_CELLS = 20_000_000  # rows times shifts of all series together bound the work, and so do
MOST_PRODUCTS = 100_000_000  # these times inputs times columns that the inputs are compared with


@dataclass(frozen=True)
class Likeness:
    """That an input is a linear function of a target so many rows ahead (before, if negative), in some series."""

    column: int
    shift: int
    exact: bool
    series: tuple[int, ...]
    judged: int


def leak_findings(panel: Panel, columns: Columns, horizon: int) -> Iterator[Finding]:
    """Inputs that are the target, now or ahead; inputs that are one another.

    Args:
        horizon: rows that are forecast; 0 if the target stands among the input rows.
    """
    if columns.labels is not None:
        yield from label_leaks(panel, columns)
    yield from series_leaks(panel, columns)
    numeric = _numeric(panel, columns)
    told: set[frozenset[str]] = set()
    if columns.labels is None or not one_value_a_series(panel, 0):
        for position, target in enumerate(columns.value_targets):
            inputs = [column for column in numeric if column != position]
            shifts = _by_nearness(horizon or NEAR)
            for found in compare(panel, inputs, position, shifts, among=len(columns.value_targets), apart=columns.wide):
                finding = _leak(panel, columns, found, target, horizon)
                pair = frozenset((panel.columns[found.column], target))
                if finding is not None and (finding.kind == "leak" or pair not in told):
                    told.add(pair)
                    yield finding
    yield from _redundant(panel, columns, [column for column in numeric if column >= len(columns.value_targets)])


def _numeric(panel: Panel, columns: Columns) -> list[int]:
    """Positions of the inputs that hold numbers of the file."""
    names = [*(columns.value_targets if columns.target_is_input else ()), *columns.read]
    return [panel.columns.index(name) for name in names if name not in columns.categories]


def _by_nearness(most: int) -> list[int]:
    """0, -1, 1, -2, 2 …: of shifts that fit alike, the first is taken for the meant one."""
    return [0, *(sign * size for size in range(1, most + 1) for sign in (-1, 1))]


def _leak(panel: Panel, columns: Columns, found: Likeness, target: str, horizon: int) -> Finding | None:
    """The finding of a likeness, unless it is a lag that may be known."""
    name = panel.columns[found.column]
    ahead = name in columns.future
    if found.shift < 0 and (found.shift <= -horizon or not ahead):
        return None
    shown, first = (panel.ids[found.series[0]][0], None) if columns.wide else (target, panel.ids[found.series[0]])
    what = f"{name} is {'' if found.exact else 'a linear function of '}{shown}"
    some = "" if columns.wide or len(found.series) == found.judged else _where(panel, found)
    rows = f", {abs(found.shift):,} row{'s' if abs(found.shift) > 1 else ''} {'ahead' if found.shift > 0 else 'before'}"
    if found.shift > 0:
        return Finding("leak", f"{what}{rows}: a leak{some}", "leave it out", name, first)
    if ahead:
        when = rows if found.shift else ""
        return Finding("leak", f"{what}{when}, known over the horizon: a leak{some}", "leave it out", name, first)
    if not columns.target_is_input:
        return Finding("leak", f"{what} in the same row: a leak{some}", "leave it out", name, first)
    return Finding("copy", f"{what}: it adds nothing{some}", "leave it out", name, first)


def _where(panel: Panel, found: Likeness) -> str:
    """The series of a likeness that does not hold in all that were judged."""
    return f", in {len(found.series):,} of {found.judged:,} series looked at: " + show_ids(
        [panel.ids[number] for number in found.series], 3
    )


def compare(
    panel: Panel, inputs: Sequence[int], target: int, shifts: Sequence[int], *, among: int = 1, apart: bool = False
) -> Iterator[Likeness]:
    """For each input column the shift at which it is a linear function of the target, if there is one in most series.

    Args:
        inputs, target: positions among the panel's columns.
        shifts: rows from the input to the target, the likeliest first.
        among: columns that are the target in turn; the more there are, the fewer series are looked at.
        apart: whether every series is told of by itself, however few there are.
    """
    if not inputs:
        return
    uncut_target = uncut(panel.values[:, target])
    best: dict[int, dict[int, dict[int, bool]]] = {column: {} for column in inputs}
    judged: Counter[int] = Counter()
    for series, rows in _groups(panel, len(shifts), len(inputs) * among, apart):
        able, found = _best_shifts(panel, inputs, uncut_target, rows, np.array(shifts))
        judged.update(column for column, could in zip(inputs, able, strict=True) if could)
        for column, choice in zip(inputs, found, strict=True):
            if choice is not None:
                shift, exact = choice
                best[column].setdefault(shift, {})[series] = exact
    for column, choices in best.items():
        for shift, members in choices.items():
            if apart:
                yield from (Likeness(column, shift, exact, (one,), judged[column]) for one, exact in members.items())
            elif len(members) > judged[column] / 2:
                yield Likeness(column, shift, all(members.values()), tuple(members), judged[column])


def _groups(panel: Panel, shifts: int, pairs: int, apart: bool) -> Iterator[tuple[int, Rows]]:
    """Series and some of their rows; if series are short, rows of all as if they were the first's."""
    lengths = panel.lengths()
    if np.median(lengths) < 2 * LEAST_PAIRS and not apart:
        rows = np.arange(len(panel.times))
        yield 0, rows[:: max(1, len(rows) // (10 * MOST_ROWS))]
        return
    most = max(8, min(MOST_CELLS, MOST_PRODUCTS // pairs) // (min(MOST_ROWS, int(lengths.max())) * shifts))
    long = np.flatnonzero(lengths >= 2 * LEAST_PAIRS)
    for series in long[:: -(-len(long) // most)]:
        rows = np.arange(panel.offsets[series], panel.offsets[series + 1])
        yield int(series), rows[:: max(1, len(rows) // MOST_ROWS)]


def _best_shifts(
    panel: Panel, inputs: Sequence[int], target: Floats, rows: Rows, shifts: Rows
) -> tuple[NDArray[np.bool_], list[tuple[int, bool] | None]]:
    """For each input whether it could be judged, and the shift at which it fits best and whether exactly."""
    x, x_changes = panel.values[rows][:, inputs], _changes(panel, inputs, rows)
    y, y_changes = (at_shifts(panel, target, rows, shifts, changes) for changes in (False, True))
    values, changes = np.abs(correlation(x, y)), np.abs(correlation(_lively(x_changes), _lively(y_changes)))
    same = np.zeros_like(values, dtype=bool)  # to the last digit: of a counter, whose changes tell nothing
    for number, at in np.argwhere(values > ALIKE):
        same[number, at] = _same(x[:, number], y[:, at])
    score = np.where((values > ALIKE) & (same | (changes > ALIKE_CHANGES)), values + np.nan_to_num(changes), 0.0)
    found: list[tuple[int, bool] | None] = []
    for number, row in enumerate(score):
        at = int(np.argmax(row >= row.max() - 1e-7))
        found.append((int(shifts[at]), bool(same[number, at])) if row[at] else None)
    return np.asarray(~np.isnan(values).all(axis=1)), found


def _same(x: Floats, y: Floats) -> bool:
    """Whether two columns are equal but for rounding, wherever both are known."""
    return bool(np.nanmax(np.abs(x - y), initial=0) <= 1e-9 * max(np.nanmax(np.abs(x), initial=0), 1e-300))


def at_shifts(panel: Panel, values: Floats, rows: Rows, shifts: Rows, changes: bool) -> Floats:
    """(rows, shifts) values of a column so many rows on, or their changes, NaN beyond the ends of the series."""
    series = panel.series_of(rows)
    begin, end = panel.offsets[series][:, None], panel.offsets[series + 1][:, None]
    wanted = rows[:, None] + shifts
    safe = np.clip(wanted, 1, len(values) - 1) if changes else np.clip(wanted, 0, len(values) - 1)
    found = values[safe] - values[safe - 1] if changes else values[safe]
    return np.where((wanted >= begin + changes) & (wanted < end), found, np.nan)


def _changes(panel: Panel, columns: Sequence[int], rows: Rows) -> Floats:
    """(rows, columns) how columns differ from the row before, NaN in the first row of a series."""
    first = rows == panel.offsets[panel.series_of(rows)]
    changes = panel.values[rows][:, columns] - panel.values[np.maximum(rows - 1, 0)][:, columns]
    return np.where(first[:, None], np.nan, changes)


def _lively(changes: Floats) -> Floats:
    """Changes, NaN in columns with few that are not zero: two steps are always alike."""
    return np.where((np.nan_to_num(changes) != 0).sum(axis=0) >= LEAST_PAIRS, changes, np.nan)


def _redundant(panel: Panel, columns: Columns, inputs: Sequence[int]) -> Iterator[Finding]:
    """Inputs that are linear functions of an input before them."""
    told: set[int] = set()
    for place, other in enumerate(inputs):
        if other in told:
            continue
        for found in compare(panel, inputs[place + 1 :], other, [0], among=len(inputs)):
            if found.column not in told:
                told.add(found.column)
                name, same = panel.columns[found.column], "" if found.exact else "a linear function of "
                message = f"{name} is {same}{panel.columns[other]}: it adds nothing"
                yield Finding("redundant", message, "leave one out", name)
