"""One dict a kind, equal to what the schema offers; every member answers its protocol."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import torch

from rnncli.config import defaults, schema
from rnncli.data.calendar import CALENDAR
from rnncli.evaluation.baselines import BASELINES
from rnncli.model.cells import CELLS
from rnncli.model.network import READOUTS
from rnncli.tasks.losses import LOSSES, find_loss, summed_loss, window_loss
from rnncli.tasks.metrics import METRICS
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
    assert set(CALENDAR) == choices(schema.Data, "calendar")
    metrics = {name for name, metric in METRICS.items() if metric.smaller is not None}
    assert metrics == choices(schema.Tune, "metric")


def test_rules_cover_every_task() -> None:
    assert set(defaults.LOSSES_OF) == set(defaults.BASELINES_OF) == set(defaults.METRICS_OF) == set(TASKS)
    assert {name for names in defaults.METRICS_OF.values() for name in names} == choices(schema.Tune, "metric")
    assert {loss for losses in defaults.LOSSES_OF.values() for loss in losses} == set(LOSSES)
    assert {name for names in defaults.BASELINES_OF.values() for name in names} == set(BASELINES)


@pytest.mark.parametrize("kind", sorted(LOSSES))
def test_loss_is_zero_at_the_truth_and_blind_to_what_is_unknown(kind: str) -> None:
    if kind == "cross_entropy":
        answer, target = torch.tensor([[40.0, 0.0], [0.0, 40.0]]), torch.tensor([[[0.0]], [[0.0]]])
        known = torch.tensor([[[True]], [[False]]])
    elif kind == "binary_cross_entropy":
        answer, target = torch.tensor([[[40.0], [-40.0]], [[40.0], [torch.nan]]]), torch.tensor([[[1.0], [0.0]]] * 2)
        known = torch.tensor([[[True], [True]], [[True], [False]]])
    else:
        target = torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]])
        answer, known = target.clone(), torch.tensor([[[True], [True]], [[True], [False]]])
        answer[1, 1] = torch.nan
        answer = answer[..., None] if kind == "quantile" else answer
    losses = window_loss(find_loss(kind), answer, target, known)
    assert losses.shape == (2,)
    assert losses.tolist() == pytest.approx([0.0, 0.0], abs=1e-6)


@pytest.mark.parametrize("kind", ["mae", "mse", "huber"])
def test_loss_is_the_mean_of_its_definition(kind: str) -> None:
    random = np.random.default_rng(0)
    answer, target = random.normal(size=(2, 5, 3, 2)) * 2
    gap = np.abs(answer - target)
    expected = {"mae": gap, "mse": gap**2, "huber": np.where(gap < 1, 0.5 * gap**2, gap - 0.5)}[kind].mean((1, 2))
    known = torch.ones(5, 3, 2, dtype=torch.bool)
    assert window_loss(find_loss(kind), torch.tensor(answer), torch.tensor(target), known).numpy() == pytest.approx(
        expected
    )


def test_pinball_loss_is_twice_its_definition_and_the_error_at_the_median() -> None:
    random = np.random.default_rng(0)
    levels = (0.1, 0.5, 0.8)
    answer, target = random.normal(size=(5, 3, 2, 3)), random.normal(size=(5, 3, 2))
    known = torch.ones(5, 3, 2, dtype=torch.bool)
    gap = target[..., None] - answer
    expected = 2 * np.where(gap >= 0, np.array(levels) * gap, (np.array(levels) - 1) * gap).mean((1, 2, 3))
    found = window_loss(find_loss("quantile", levels), torch.tensor(answer), torch.tensor(target), known)
    assert found.numpy() == pytest.approx(expected)
    median = window_loss(find_loss("quantile", (0.5,)), torch.tensor(answer[..., 1:2]), torch.tensor(target), known)
    assert median.numpy() == pytest.approx(np.abs(gap[..., 1]).mean((1, 2)))


def test_loss_of_several_columns_is_summed_over_them_and_averaged_over_known_steps() -> None:
    random = np.random.default_rng(0)
    logits, target = random.normal(size=(4, 6, 3)), random.integers(0, 2, (4, 6, 3)).astype(float)
    known = np.ones((4, 6, 3), dtype=bool)
    known[0, 4:] = known[1] = False
    odds = 1 / (1 + np.exp(-logits))
    surprise = np.where(known, -np.log(np.where(target == 1, odds, 1 - odds)), 0).sum(2)
    expected = surprise.sum(1) / np.array([4, 1, 6, 6])
    parts = torch.tensor(logits), torch.tensor(target), torch.tensor(known)
    assert summed_loss(find_loss("binary_cross_entropy"), *parts).numpy() == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["mae", "mse", "huber", "binary_cross_entropy"])
def test_weights_multiply_the_loss_of_their_rows(kind: str) -> None:
    random = np.random.default_rng(0)
    answer, target = torch.tensor(random.normal(size=(5, 3, 2))), torch.tensor(random.random((5, 3, 2)))
    weight = torch.tensor(random.random((5, 3, 1)))
    pointwise = LOSSES[kind](answer, target)
    known = torch.ones(5, 3, 2, dtype=torch.bool)
    found = window_loss(LOSSES[kind], answer, target, known, weight)
    assert found.numpy() == pytest.approx((pointwise * weight).mean((1, 2)).numpy())
    ones = window_loss(LOSSES[kind], answer, target, known, torch.ones(5, 3, 1))
    assert torch.equal(ones, window_loss(LOSSES[kind], answer, target, known))
