"""One dict a kind, equal to what the schema offers; every member answers its protocol."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import torch

from rnncli.config import rules, schema
from rnncli.evaluation.baselines import BASELINES
from rnncli.model.cells import CELLS
from rnncli.model.network import READOUTS
from rnncli.tasks.losses import LOSSES, window_loss
from rnncli.tasks.task import TASKS


def choices(section: type[schema.Section], name: str) -> set[str]:
    """The words that a key may take."""
    found: set[str] = set()
    stack: list[Any] = [section.model_fields[name].annotation]
    while stack:
        item = stack.pop()
        stack += get_args(item)
        found |= {item} if isinstance(item, str) else set()
    return found


def test_dicts_are_what_the_schema_offers() -> None:
    assert set(CELLS) == choices(schema.Model, "cell")
    assert set(READOUTS) == choices(schema.Model, "readout")
    assert set(LOSSES) == choices(schema.Training, "loss")
    assert set(TASKS) == choices(schema.Task, "kind")
    assert set(BASELINES) == choices(schema.Evaluation, "baselines")


def test_rules_cover_every_task() -> None:
    assert set(rules.LOSSES_OF) == set(rules.BASELINES_OF) == set(TASKS)
    assert {loss for losses in rules.LOSSES_OF.values() for loss in losses} == set(LOSSES)
    assert {name for names in rules.BASELINES_OF.values() for name in names} == set(BASELINES)


@pytest.mark.parametrize("kind", sorted(LOSSES))
def test_loss_is_zero_at_the_truth_and_blind_to_what_is_unknown(kind: str) -> None:
    if kind == "cross_entropy":
        answer, target = torch.tensor([[40.0, 0.0], [0.0, 40.0]]), torch.tensor([[[0.0]], [[0.0]]])
        known = torch.tensor([[[True]], [[False]]])
    else:
        target = torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]])
        answer, known = target.clone(), torch.tensor([[[True], [True]], [[True], [False]]])
        answer[1, 1] = torch.nan
    losses = window_loss(kind, answer, target, known)
    assert losses.shape == (2,)
    assert losses.tolist() == pytest.approx([0.0, 0.0], abs=1e-6)


@pytest.mark.parametrize("kind", ["mae", "mse", "huber"])
def test_loss_is_the_mean_of_its_definition(kind: str) -> None:
    random = np.random.default_rng(0)
    answer, target = random.normal(size=(2, 5, 3, 2)) * 2
    gap = np.abs(answer - target)
    expected = {"mae": gap, "mse": gap**2, "huber": np.where(gap < 1, 0.5 * gap**2, gap - 0.5)}[kind].mean((1, 2))
    known = torch.ones(5, 3, 2, dtype=torch.bool)
    assert window_loss(kind, torch.tensor(answer), torch.tensor(target), known).numpy() == pytest.approx(expected)
