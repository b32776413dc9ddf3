"""Metrics for people: the model beside its baselines."""

from typing import Any

from rnncli import console
from rnncli.console import Sheet


def metrics_sheets(result: dict[str, Any]) -> list[Sheet]:
    """A row for validation, test, every baseline and skill; a column a metric.

    For people mse is left out, since rmse says the same, and beside quantiles smape: 80 columns are few.
    """
    rows = {part: result[part] for part in ("validation", "test") if result[part]}
    rows |= result["baselines"] | ({"skill": result["skill"]} if result["skill"] else {})
    names = list(next(iter(rows.values()), {}))
    if console.wants_table():
        rows |= {"skill": {name: _near_zero(gain) for name, gain in result["skill"].items()}} if "skill" in rows else {}
        spare = ("mse", "smape", "scaled_mse", "scaled_mae") if "pinball" in names else ("mse",)
        names = [name for name in names if name not in spare]
    return [Sheet("", ["scores", *names], [[label, *(row.get(name) for name in names)] for label, row in rows.items()])]


def _near_zero(gain: float | None) -> float | None:
    """A skill near zero, of which four places are enough: -0.0007396 is wide and tells no more."""
    return gain if gain is None or abs(gain) >= 0.01 else round(gain, 4)
