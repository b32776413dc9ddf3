"""Initial weights: U(-1/sqrt(hidden), 1/sqrt(hidden)) for every parameter, and a function of the seed alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from rnncli.model.backbone import Backbone
from rnncli.model.cells import CELLS

HIDDEN = 48


def drawn(cell: str, seed: int, *, fused: bool = True) -> Backbone:
    torch.manual_seed(seed)
    return Backbone(cell, 40, HIDDEN, 2, bidirectional=True, fused=fused)


@pytest.mark.parametrize("cell", CELLS)
def test_every_parameter_is_uniform_between_its_bounds(cell: str) -> None:
    bound = 1 / math.sqrt(HIDDEN)
    everything = []
    for name, parameter in drawn(cell, 37).named_parameters():
        values = parameter.detach().double().flatten().numpy()
        assert abs(values).max() <= bound * (1 + 1e-6), name
        assert abs(values).max() > 0.85 * bound, name
        assert stats.kstest(values, "uniform", (-bound, 2 * bound)).pvalue > 1e-4, name
        everything.append(values)
    assert stats.kstest(np.concatenate(everything), "uniform", (-bound, 2 * bound)).pvalue > 1e-4


@pytest.mark.parametrize("hidden", [1, 7, 256])
def test_bounds_follow_the_hidden_size_not_the_inputs(hidden: int) -> None:
    torch.manual_seed(32)
    values = torch.cat([parameter.detach().flatten() for parameter in Backbone("gru", 500, hidden).parameters()])
    bound = 1 / math.sqrt(hidden)
    assert 0.95 * bound < values.abs().max() <= bound * (1 + 1e-6)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "scanned"])
def test_weights_are_a_function_of_the_seed(cell: str, fused: bool) -> None:
    first, again, other = drawn(cell, 33), drawn(cell, 33, fused=fused), drawn(cell, 34)
    for name, parameter in first.named_parameters():
        assert torch.equal(parameter, again.get_parameter(name)), name
        assert not torch.equal(parameter, other.get_parameter(name)), name


@pytest.mark.parametrize("cell", CELLS)
def test_no_two_parameters_begin_alike(cell: str) -> None:
    firsts = {float(parameter.detach().flatten()[0]) for parameter in drawn(cell, 35).parameters()}
    assert len(firsts) == len(list(drawn(cell, 35).parameters()))
