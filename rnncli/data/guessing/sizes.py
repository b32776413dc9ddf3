"""Horizon, context and held-out parts that fit the rows there are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnncli.config.defaults import DEFAULT_CONTEXT
from rnncli.data.guessing.guess import Findings
from rnncli.data.panel import Rows

MOST_HORIZON = 336
USUAL_HORIZON = 10  # where no season is known
LONG_SEASON = 168  # two seasons of context up to here, where rows suffice
FEW_ROWS = 10
LEAST_ROWS = 3  # of a series whose end is held out: one for each part
HELD_OUT = 0.1  # the default of split.validation and split.test


@dataclass(frozen=True)
class Sizes:
    """Numbers for a config; None leaves the default.

    Attributes:
        horizon, why_horizon: rows to forecast, and the reason in words.
        by: what is held out.
        short: series that have too few rows.
    """

    horizon: int | None = None
    why_horizon: str = ""
    context: int | None = None
    by: str | None = None
    validation: float | int | None = None
    test: float | int | None = None
    short: int = 0


def fit_sizes(findings: Findings, horizon: int | None) -> Sizes:
    """The sizes for a table; a horizon may be wished for."""
    if findings.choice.task == "forecasting":
        return _forecast(findings, horizon)
    return _sequences(len(findings.lengths), findings)


def kept_rows(findings: Findings, sizes: Sizes) -> Rows:
    """(series,) rows to train on, of the series that are not left out."""
    horizon = sizes.horizon or 1
    rows = _left(findings.lengths, horizon, HELD_OUT if sizes.validation is None else sizes.validation)
    return rows[rows > horizon] if (rows > horizon).any() else rows


def _forecast(findings: Findings, wished: int | None) -> Sizes:
    lengths = findings.lengths
    horizon, why = (wished, "asked for") if wished else _horizon(findings)
    held_out = HELD_OUT
    short = _left(lengths, horizon, held_out) < horizon + 1
    validation = None
    if short.mean() > 0.5 and horizon == 1:  # three rows: one to see, one to learn from, one to score
        held_out, validation = 0, 0
        short = _left(lengths, horizon, held_out) < horizon + 1
    enough = lengths[~short] if not short.all() else lengths
    rows = int(np.median(_left(enough, horizon, held_out)))
    context = _context(rows - horizon, findings.season)
    return Sizes(horizon, why, context, validation=validation, short=0 if short.all() else int(short.sum()))


def _left(lengths: Rows, horizon: int, validation: float) -> Rows:
    """(series,) rows that are left to train on: every held-out part has a tenth of the rows, or the horizon."""
    part = np.maximum(np.ceil(lengths * HELD_OUT - 1e-9).astype(np.int64), horizon)
    return np.asarray(lengths - part - (part if validation else 0))


def _horizon(findings: Findings) -> tuple[int, str]:
    """One season, at most a tenth of the rows of all but the shortest twentieth of the series.

    Series of a few rows do not count where most have more: they can be left out.
    """
    lengths = findings.lengths
    usual = lengths[lengths >= FEW_ROWS] if np.median(lengths) >= FEW_ROWS else lengths
    few = int(np.quantile(usual, 0.05, method="lower"))
    season = findings.season
    wanted = min(season if season > 1 else USUAL_HORIZON, MOST_HORIZON)
    if wanted > few // 10:
        shortest = "the rows" if len(findings.lengths) == 1 else f"the {few:,} rows of a short series"
        return max(few // 10, 1), f"a tenth of {shortest}" if few >= 10 else "the rows are few"
    if season > 1:
        return wanted, "one season" if wanted == season else f"a part of the season of {season:,} rows"
    return wanted, "rows to forecast; no season is known"


def _context(room: int, season: int) -> int | None:
    """Two seasons or the default; half of the rows there are to train on where they are few, in whole seasons."""
    wanted = 2 * season if DEFAULT_CONTEXT < 2 * season <= 2 * LONG_SEASON else DEFAULT_CONTEXT
    if room < 2 * wanted:
        wanted = max(min(room // 2, wanted), 1)
        wanted -= wanted % season if wanted >= season else 0
    return None if wanted == DEFAULT_CONTEXT else wanted


def _sequences(count: int, findings: Findings) -> Sizes:
    """What is held out of sequences: whole ones, if there are enough; of steps with tags, else the end of each."""
    task = findings.choice.task
    if task == "tagging" and count < 10:
        return Sizes(short=int((findings.lengths < LEAST_ROWS).sum()))
    if count == 1:
        return Sizes(by="time") if task == "regression" else Sizes()
    by = "series" if task == "tagging" else None
    if count == 2:
        return Sizes(by=by, validation=0)
    share = 0.2 if 5 <= count < 20 else None
    return Sizes(by=by, validation=share, test=share)
