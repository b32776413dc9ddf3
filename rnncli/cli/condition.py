"""Conditions on metrics, for ``--fail-if``: ``mase>=1``."""

import operator
import re
from collections.abc import Mapping
from typing import NamedTuple

from rnncli.errors import OutcomeError, UsageError

_OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq}
_FORM = re.compile(r"\s*(skill\.)?([a-z_0-9]+)\s*(>=|<=|==|>|<)\s*([-+]?(?:[0-9]*\.)?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*")


class Condition(NamedTuple):
    """A comparison of a metric, or of its skill, with a number."""

    text: str
    section: str
    metric: str
    sign: str
    limit: float


def parse_condition(text: str) -> Condition:
    """Read ``metric>=number`` or ``skill.metric<number``.

    Raises:
        UsageError: if it is not of that form.
    """
    match = _FORM.fullmatch(text)
    if not match:
        raise UsageError(f"--fail-if {text}: not a condition", "such as 'mase>=1' or 'skill.mae<0'")
    return Condition(text.strip(), "skill" if match[1] else "scores", match[2], match[3], float(match[4]))


def judge(
    condition: Condition, scores: Mapping[str, float | None], skill: Mapping[str, float | None]
) -> OutcomeError | None:
    """What is wrong with a result for which the condition holds, or cannot be told since a metric is not defined.

    Raises:
        UsageError: if there is no such metric.
    """
    row = skill if condition.section == "skill" else scores
    if condition.metric not in row:
        raise UsageError(f"--fail-if {condition.text}: no metric {condition.metric}", f"there are {', '.join(row)}")
    value = row[condition.metric]
    if value is None:
        return OutcomeError(f"{condition.metric} is not defined on this data, so {condition.text} cannot be ruled out")
    if _OPERATORS[condition.sign](value, condition.limit):
        return OutcomeError(f"{condition.text}: {condition.text.partition(condition.sign)[0].strip()} is {value:.6g}")
    return None
