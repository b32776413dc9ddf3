"""What scores come to, in a plain sentence."""

from typing import Any

from rnncli.console import show

FEW_ANSWERS = 10  # scores of fewer say little

# the first of these that a task has
JUDGED_BY = {
    "forecasting": ("mae",),
    "classification": ("accuracy",),
    "regression": ("rmse",),
    "tagging": ("nll", "accuracy", "rmse"),
}


def verdict(result: dict[str, Any]) -> str:
    """Whether the model is worth having, who of a blend it is, and what its intervals are worth, a sentence each."""
    return "\n".join(sentence for sentence in (_skill(result), _blend(result), _intervals(result)) if sentence)


def judged_by(result: dict[str, Any]) -> str:
    """The metric by which the model is judged; nothing if it was not put beside anything."""
    return next((name for name in JUDGED_BY[result["task"]] if name in result["skill"]), "")


def best_baseline(result: dict[str, Any], metric: str) -> str:
    """The baseline that is best by a metric."""
    known = {name: scores[metric] for name, scores in result["baselines"].items() if scores[metric] is not None}
    best: str = (max if metric == "accuracy" else min)(known, key=lambda name: known[name])
    return best


def _blend(result: dict[str, Any]) -> str:
    share = result.get("network_share")
    if share is None:
        return ""
    if not share:
        return "The linear map answers alone: beside it the network brings less than a hundredth."
    return f"The network has {share:.0%} of the answer, the linear map the rest."


def _intervals(result: dict[str, Any]) -> str:
    found = result.get("intervals") or {}
    parts = [
        f"{level}% intervals cover {found[f'interval_{level}_coverage']:.0%} (mean width "
        f"{show(found[f'interval_{level}_width'])})"
        for level in (80, 95)
        if found.get(f"interval_{level}_coverage") is not None
    ]
    return f"Its {', its '.join(parts)}." if parts else ""


def _skill(result: dict[str, Any]) -> str:
    metric = judged_by(result)
    if not metric:
        return ""
    gain = result["skill"][metric]
    where = f"the {'test' if result['test'] else 'validation'} part"
    if "backtest" in result:
        count = result["backtest"]["folds"]
        where = f"{count} folds" if count > 1 else "one fold"
    best = best_baseline(result, metric)
    if gain is None:  # the best baseline leaves nothing to gain
        return f"The model does NOT beat {best} on {where} ({metric}): {best} is never wrong there."
    if gain <= 0:
        return f"The model does NOT beat {best} on {where} ({metric}): use {best}, or change the model."
    what = f"{gain:.0%} less error" if metric != "accuracy" else f"{gain:.0%} fewer mistakes"
    return f"The model beats the best baseline, {best}, on {where}: {what} ({metric}){_doubt(result)}."


def _doubt(result: dict[str, Any]) -> str:
    """A word of caution where a gain is that of a few answers."""
    count = result.get("answers", {}).get("test" if result["test"] else "validation", FEW_ANSWERS)
    return f"; that of {count} answer{'s' if count > 1 else ''} says little" if count < FEW_ANSWERS else ""
