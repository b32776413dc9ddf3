"""What in the data deserves a second look: nothing that is refused, but seldom what was meant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rnncli.data import clock
from rnncli.data.panel import Columns, Floats, Panel, Rows, SeriesId, show_id

LONG_RUN = 20  # rows, and
LONG_RUN_SHARE = 0.1  # share of the series, from which one and the same value looks like a broken sensor
OUTLIER = 20.0  # deviations of the other values from their mean


@dataclass(frozen=True)
class Finding:
    """One thing to look at.

    Attributes:
        kind: a word for scripts, such as ``leak`` or ``constant``.
        message: a sentence that names the column or series.
        hint: what to do next.
        column: the column that it is about.
        series: id of the series that it is about, or the first of them.
    """

    kind: str
    message: str
    hint: str | None = None
    column: str | None = None
    series: SeriesId | None = None

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


def panel_findings(panel: Panel, columns: Columns, *, by_series: bool) -> Iterator[Finding]:
    """Whatever the panel shows by itself: constant columns, long runs, outliers, ids that are nearly the same.

    Args:
        by_series: whether a value is far from the others of its series, as it will be scaled, or from all.
    """
    yield from constant_columns(panel, columns)
    yield from long_runs(panel, columns)
    yield from outliers(panel, columns, by_series=by_series)
    yield from similar_ids(panel)


def constant_columns(panel: Panel, columns: Columns) -> Iterator[Finding]:
    """Columns that hold one value: as inputs they tell nothing, as targets there is nothing to learn."""
    for name, values in _by_name(panel, columns):
        if name not in columns.derived and _is_constant(values):
            what = "nothing to learn" if name in columns.targets else "it tells nothing"
            value = _shown(columns, name, float(_known(values)[0]))
            yield Finding("constant", f"{name} is {value} in every row: {what}", "leave it out", name)
    for part in columns.calendar:
        waves = [panel.values[:, panel.columns.index(f"{wave}({part})")] for wave in ("sin", "cos")]
        if all(map(_is_constant, waves)):
            yield Finding("constant", f"data.calendar: {part} is the same in every row", "leave it out", part)
    for position, name in enumerate(columns.static):
        if _is_constant(panel.static[:, position]):
            yield Finding("constant", f"{name} is the same for every series: it tells nothing", "leave it out", name)


def _shown(columns: Columns, name: str, value: float) -> str:
    """A value as it stands in the file."""
    return columns.categories[name][int(value) - 1] if name in columns.categories else f"{value:g}"


def _by_name(panel: Panel, columns: Columns) -> Iterator[tuple[str, Floats]]:
    """Every value column by its name in the file; in the wide layout a target is a series."""
    if not columns.wide:
        yield from zip(panel.columns, panel.values.T, strict=True)
        return
    for number, (name,) in enumerate(panel.ids):
        yield name, panel.values[panel.rows(number), 0]
    yield from zip(panel.columns[1:], panel.values[panel.rows(0), 1:].T, strict=True)


def _known(values: Floats) -> Floats:
    return np.asarray(values[~np.isnan(values)])


def _is_constant(values: Floats) -> bool:
    known = _known(values)
    return len(known) > 1 and bool(np.ptp(known) <= 1e-12 * np.abs(known).max())


def long_runs(panel: Panel, columns: Columns) -> Iterator[Finding]:
    """Targets that stand still for long within a series that moves elsewhere; only of forecasts and numbers a row."""
    if columns.labels is not None or columns.binary:
        return
    for position in range(len(columns.value_targets)):
        values = panel.values[:, position]
        begins = np.ones(len(values), dtype=bool)
        begins[1:] = values[1:] != values[:-1]  # an empty cell is like no other
        begins[panel.offsets[:-1]] = True
        starts = np.flatnonzero(begins)
        lengths = np.diff(np.append(starts, len(values)))
        whole = panel.lengths()[panel.series_of(starts)]
        long = np.flatnonzero((lengths >= LONG_RUN) & (lengths >= LONG_RUN_SHARE * whole) & (lengths < whole))
        if len(long):
            yield _run(panel, columns, position, starts[long], lengths[long])


def _run(panel: Panel, columns: Columns, position: int, starts: Rows, lengths: Rows) -> Finding:
    longest = int(np.argmax(lengths))
    row = int(starts[longest])
    series = int(panel.series_of(starts[longest : longest + 1])[0])
    name, where = _named(panel, columns, position, series)
    others = len(np.unique(panel.series_of(starts))) - 1
    more = f", and {others:,} more series stand still" if others else ""
    since = clock.write(panel.times[row : row + 1], columns.time_format)[0]
    value = panel.values[row, position]
    message = f"{name} is {value:g} in {lengths[longest]:,} rows on end from {since}{where}{more}"
    return Finding("long_run", message, "a gap filled with one value?", name, panel.ids[series])


def _named(panel: Panel, columns: Columns, position: int, series: int) -> tuple[str, str]:
    """A value column's name in the file, and the words for its series if there are several."""
    if columns.wide and position == 0:
        return panel.ids[series][0], ""
    return panel.columns[position], f" in series {show_id(panel.ids[series])}" if columns.series else ""


def outliers(panel: Panel, columns: Columns, *, by_series: bool) -> Iterator[Finding]:
    """Numbers that are far from all others of their series, or of the panel.

    The deviation is that of the other values, so that few rows suffice. Columns that mostly hold one value, such as
    flags and rare sales, are left out.
    """
    offsets = panel.offsets if by_series else panel.offsets[[0, -1]]
    for position, name in enumerate(panel.columns):
        values = panel.values[:, position]
        known = _known(values)
        if name in columns.unscaled or name in columns.derived or not len(known):
            continue
        if np.mean(known == np.median(known)) > 0.5:
            continue
        size = _distances(values, offsets)
        far = np.flatnonzero(size > OUTLIER)
        if len(far):
            yield _outlier(panel, columns, position, int(far[np.argmax(size[far])]), len(far))


def _distances(values: Floats, offsets: Rows) -> Floats:
    """(rows,) how far each value is from the mean of the others of its stretch, in deviations of those."""
    lengths, starts = np.diff(offsets), offsets[:-1]
    present = ~np.isnan(values)
    counts = np.add.reduceat(present.astype(np.float64), starts)
    mean = np.repeat(np.add.reduceat(np.where(present, values, 0), starts) / np.maximum(counts, 1), lengths)
    off = np.where(present, values - mean, 0.0)
    others = np.repeat(counts, lengths) - 1
    squares = np.repeat(np.add.reduceat(off**2, starts), lengths) - off**2
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = -off / others  # mean of the others, since all sum to zero
        variance = squares / others - rest**2
        far = np.abs(off - rest) / np.sqrt(variance)
    return np.where(present & (others >= 9) & (variance > 1e-24 * np.maximum(mean**2, 1e-300)), far, 0.0)


def _outlier(panel: Panel, columns: Columns, position: int, row: int, count: int) -> Finding:
    series = int(panel.series_of(np.array([row]))[0])
    name, where = _named(panel, columns, position, series)
    moment = clock.write(panel.times[row : row + 1], columns.time_format)[0]
    more = f", and {count - 1:,} more such" if count > 1 else ""
    message = f"{name} is {panel.values[row, position]:g} at {moment}{where}, over {OUTLIER:g} deviations away{more}"
    return Finding("outlier", message, "a code for a missing value? empty the cell", name, panel.ids[series])


def similar_ids(panel: Panel) -> Iterator[Finding]:
    """Series ids that differ by upper and lower case or by spaces alone."""
    groups: dict[SeriesId, list[SeriesId]] = defaultdict(list)
    for series in panel.ids:
        groups[tuple("".join(part.split()).casefold() for part in series)].append(series)
    alike = [group for group in groups.values() if len(group) > 1]
    for group in alike[:5]:
        shown = ", ".join(repr(show_id(series)) for series in group)
        more = f", and {len(alike) - 5:,} more such" if len(alike) > 5 and group is alike[4] else ""
        message = f"series ids differ only by case or spaces: {shown}{more}"
        yield Finding("similar_ids", message, "the same series?", None, group[0])


def first_of(findings: Sequence[Finding]) -> list[Finding]:
    """The findings without leaks by a column of which an earlier one tells already."""
    told: set[str | None] = set()
    kept = []
    for finding in findings:
        if finding.kind != "leak" or finding.column not in told:
            kept.append(finding)
        if finding.kind == "leak":
            told.add(finding.column)
    return kept
