"""Metrics for people: the model beside its baselines, and a plain sentence."""

from typing import Any

from rnncli import console
from rnncli.console import Sheet

FEW_ANSWERS = 10  # scores of fewer say little

# the first of these that a task has
_JUDGED_BY = {
    "forecasting": ("mae",),
    "classification": ("accuracy",),
    "regression": ("rmse",),
    "tagging": ("nll", "accuracy", "rmse"),
}


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


def verdict(result: dict[str, Any]) -> str:
    """Whether the model is worth having, in a sentence, and what its intervals are worth, in another."""
    return "\n".join(sentence for sentence in (_skill(result), _intervals(result)) if sentence)


def _intervals(result: dict[str, Any]) -> str:
    found = result.get("intervals") or {}
    parts = [
        f"{level}% intervals cover {found[f'interval_{level}_coverage']:.0%} (mean width "
        f"{console.show(found[f'interval_{level}_width'])})"
        for level in (80, 95)
        if found.get(f"interval_{level}_coverage") is not None
    ]
    return f"Its {', its '.join(parts)}." if parts else ""


def _skill(result: dict[str, Any]) -> str:
    metric = next((name for name in _JUDGED_BY[result["task"]] if name in result["skill"]), "")
    if not metric:
        return ""
    gain = result["skill"][metric]
    where = f"the {'test' if result['test'] else 'validation'} part"
    if "backtest" in result:
        count = result["backtest"]["folds"]
        where = f"{count} folds" if count > 1 else "one fold"
    smaller = metric != "accuracy"
    known = {name: scores[metric] for name, scores in result["baselines"].items() if scores[metric] is not None}
    best = (min if smaller else max)(known, key=lambda name: known[name])
    if gain is None:  # the best baseline leaves nothing to gain
        return f"The model does NOT beat {best} on {where} ({metric}): {best} is never wrong there."
    if gain <= 0:
        return f"The model does NOT beat {best} on {where} ({metric}): use {best}, or change the model."
    what = f"{gain:.0%} less error" if smaller else f"{gain:.0%} fewer mistakes"
    return f"The model beats the best baseline, {best}, on {where}: {what} ({metric}){_doubt(result)}."


def _doubt(result: dict[str, Any]) -> str:
    """A word of caution where a gain is that of a few answers."""
    count = result.get("answers", {}).get("test" if result["test"] else "validation", FEW_ANSWERS)
    return f"; that of {count} answer{'s' if count > 1 else ''} says little" if count < FEW_ANSWERS else ""
