"""Ragged batches: padding reaches no output and no state, and company changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rnncli.model.backbone import Backbone
from rnncli.model.cells import CELLS

pytestmark = pytest.mark.usefixtures("engine")

INPUTS, HIDDEN, LAYERS, TIME = 3, 4, 2, 7
LENGTHS = torch.tensor([4, 7, 1, 3, 1])


def engines() -> Iterator[Any]:
    for cell, kind in CELLS.items():
        for nonlinearity in ("tanh", "relu") if kind.nonlinearity else (None,):
            for fused in (True, False):
                name = "-".join(filter(None, (cell, nonlinearity, "fused" if fused else "scanned")))
                yield pytest.param((cell, nonlinearity, fused), id=name)


@pytest.fixture(params=list(engines()))
def backbone(request: pytest.FixtureRequest) -> Backbone:
    torch.manual_seed(41)
    cell, nonlinearity, fused = request.param
    return Backbone(cell, INPUTS, HIDDEN, LAYERS, nonlinearity=nonlinearity, bidirectional=True, fused=fused)


def padding(lengths: Tensor, time: int = TIME) -> Tensor:
    """(batch, time) whether a step is padding."""
    return torch.arange(time) >= lengths[:, None]


def drawn_state(backbone: Backbone, batch: int) -> tuple[Tensor, ...]:
    return tuple(torch.randn_like(part) for part in backbone.zero_state(batch, torch.empty(0)))


@pytest.mark.parametrize("filler", [1e30, float("inf"), float("nan")])
def test_no_value_in_the_padding_reaches_an_output_or_a_state(backbone: Backbone, filler: float) -> None:
    x = torch.randn(len(LENGTHS), TIME, INPUTS) * ~padding(LENGTHS)[:, :, None]
    spoiled = x.masked_fill(padding(LENGTHS)[:, :, None], filler)
    state = drawn_state(backbone, len(LENGTHS))
    output, final = backbone(x, LENGTHS, state)
    spoiled_output, spoiled_final = backbone(spoiled, LENGTHS, state)
    assert torch.equal(output, spoiled_output)
    for part, spoiled_part in zip(final, spoiled_final, strict=True):
        assert torch.equal(part, spoiled_part)


def test_no_value_in_the_padding_reaches_a_gradient(backbone: Backbone) -> None:
    x = torch.randn(len(LENGTHS), TIME, INPUTS) * ~padding(LENGTHS)[:, :, None]
    spoiled = x.masked_fill(padding(LENGTHS)[:, :, None], 1e6)
    gradients = []
    for inputs in (x, spoiled):
        inputs.requires_grad_()
        output, final = backbone(inputs, LENGTHS)
        total = output.square().sum() + sum(part.sum() for part in final)
        gradients.append(torch.autograd.grad(total, [inputs, *backbone.parameters()]))
    for clean, other in zip(*gradients, strict=True):
        assert torch.equal(clean, other)
    of_input = gradients[0][0]
    assert (of_input[padding(LENGTHS)] == 0).all()
    assert (of_input[~padding(LENGTHS)].abs().amax(dim=1) > 0).all()


def test_output_is_zero_in_the_padding_and_only_there(backbone: Backbone) -> None:
    output, _ = backbone(torch.randn(len(LENGTHS), TIME, INPUTS), LENGTHS)
    assert (output[padding(LENGTHS)] == 0).all()
    assert (output[~padding(LENGTHS)].abs().amax(dim=1) > 0).all()


def test_final_state_is_forward_at_the_last_valid_step_and_backward_at_the_first(backbone: Backbone) -> None:
    output, (h, *_) = backbone(torch.randn(len(LENGTHS), TIME, INPUTS), LENGTHS)
    rows = torch.arange(len(LENGTHS))
    assert torch.equal(h[-2], output[rows, LENGTHS - 1, :HIDDEN])
    assert torch.equal(h[-1], output[:, 0, HIDDEN:])


def test_lengths_of_the_whole_batch_are_no_lengths(backbone: Backbone) -> None:
    x = torch.randn(len(LENGTHS), TIME, INPUTS)
    state = drawn_state(backbone, len(LENGTHS))
    output, final = backbone(x, None, state)
    with_lengths, final_with_lengths = backbone(x, torch.full_like(LENGTHS, TIME), state)
    torch.testing.assert_close(with_lengths, output, rtol=0, atol=1e-6)
    for part, part_with_lengths in zip(final, final_with_lengths, strict=True):
        torch.testing.assert_close(part_with_lengths, part, rtol=0, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(
    engine=st.sampled_from([parameter.values[0] for parameter in engines()]),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    spare=st.integers(0, 2),
    seed=st.integers(0, 2**31),
)
def test_a_sequence_in_company_is_the_sequence_alone(
    engine: tuple[str, str | None, bool], lengths: list[int], spare: int, seed: int
) -> None:
    torch.manual_seed(seed)
    cell, nonlinearity, fused = engine
    backbone = Backbone(cell, INPUTS, HIDDEN, LAYERS, nonlinearity=nonlinearity, bidirectional=True, fused=fused)
    x = torch.randn(len(lengths), max(lengths) + spare, INPUTS)
    state = drawn_state(backbone, len(lengths))
    output, final = backbone(x, torch.tensor(lengths), state)
    for row, length in enumerate(lengths):
        own = tuple(part[:, row : row + 1] for part in state)
        alone, final_alone = backbone(x[row : row + 1, :length], None, own)
        torch.testing.assert_close(output[row, :length], alone[0], rtol=1e-5, atol=1e-6)
        for part, part_alone in zip(final, final_alone, strict=True):
            torch.testing.assert_close(part[:, row], part_alone[:, 0], rtol=1e-5, atol=1e-6)
