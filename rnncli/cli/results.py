"""Metrics for people: a table of the model beside its baselines, and a plain sentence."""

from typing import Any

from rnncli.console import Sheet

_JUDGED_BY = {"forecasting": "mae", "classification": "accuracy"}


def metrics_sheets(result: dict[str, Any]) -> list[Sheet]:
    """A row a metric: validation, test, every baseline, skill."""
    parts = [part for part in ("validation", "test") if result[part]]
    names = list(result[parts[-1]]) if parts else []
    columns = ["metric", *parts, *result["baselines"], *(["skill"] if result["skill"] else [])]
    rows = [
        [
            name,
            *(result[part][name] for part in parts),
            *(scores[name] for scores in result["baselines"].values()),
            *([result["skill"].get(name)] if result["skill"] else []),
        ]
        for name in names
    ]
    return [Sheet("", columns, rows)]


def verdict(result: dict[str, Any]) -> str:
    """Whether the model is worth having, in a sentence."""
    metric = _JUDGED_BY[result["task"]]
    gain = result["skill"].get(metric)
    if gain is None:
        return ""
    part = "test" if result["test"] else "validation"
    smaller = result["task"] == "forecasting"
    best = (min if smaller else max)(result["baselines"], key=lambda name: result["baselines"][name][metric])
    if gain <= 0:
        return f"The model does NOT beat {best} on the {part} part ({metric}): use {best}, or change the model."
    what = f"{gain:.0%} less error" if smaller else f"{gain:.0%} fewer mistakes"
    return f"The model beats the best baseline, {best}, on the {part} part: {what} ({metric})."
