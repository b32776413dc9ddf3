"""Dropout: between layers alone, from a given generator alone, and with the mean kept."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rnncli.config import schema
from rnncli.model.backbone import Backbone, dropout
from rnncli.model.cells import ACTIVATIONS, CELLS
from rnncli.model.inputs import Sizes
from rnncli.model.network import Network
from rnncli.model.scan import NAMES, scan_layer

pytestmark = pytest.mark.usefixtures("engine")

INPUTS, HIDDEN, TIME = 3, 6, 5
LENGTHS = torch.tensor([5, 2, 4])


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def stack(cell: str, layers: int, share: float, *, fused: bool = True) -> Backbone:
    torch.manual_seed(51)
    return Backbone(cell, INPUTS, HIDDEN, layers, bidirectional=True, dropout=share, fused=fused)


def layer_of(backbone: Backbone, cell: str, layer: int) -> Backbone:
    """One layer of a stack, as a Backbone of its own."""
    single = Backbone(cell, INPUTS if layer == 0 else 2 * HIDDEN, HIDDEN, bidirectional=True)
    named = backbone.state_dict().items()
    single.load_state_dict({name.replace(f"_l{layer}", "_l0"): w for name, w in named if f"_l{layer}" in name})
    return single


@pytest.fixture
def x() -> Tensor:
    torch.manual_seed(52)
    return torch.randn(len(LENGTHS), TIME, INPUTS)


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "scanned"])
@pytest.mark.parametrize("cell", CELLS)
def test_dropout_acts_between_layers_and_not_after_the_last(cell: str, fused: bool, x: Tensor) -> None:
    backbone = stack(cell, 3, 0.4, fused=fused)
    output, final = backbone(x, LENGTHS, generator=seeded(1))
    masks = seeded(1)
    between = x
    for layer in range(3):
        if layer:
            between = dropout(between, 0.4, masks)
        between, last = layer_of(backbone, cell, layer)(between, LENGTHS)
        for part, expected_part in zip(final, last, strict=True):
            torch.testing.assert_close(part[2 * layer : 2 * layer + 2], expected_part, rtol=0, atol=1e-6)
    torch.testing.assert_close(output, between, rtol=0, atol=1e-6)
    assert (output[torch.arange(TIME) < LENGTHS[:, None]] != 0).all()


def test_the_inputs_of_one_layer_are_never_dropped(x: Tensor) -> None:
    assert torch.equal(stack("gru", 1, 0.9)(x, generator=seeded(1))[0], stack("gru", 1, 0.0)(x)[0])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_without_a_generator_there_is_no_dropout(cell: str, training: bool, x: Tensor) -> None:
    dropping = stack(cell, 2, 0.5).train(training)
    assert torch.equal(dropping(x)[0], stack(cell, 2, 0.0)(x)[0])
    assert not torch.equal(dropping(x)[0], dropping(x, generator=seeded(1))[0])


def test_a_network_drops_only_with_a_generator(x: Tensor) -> None:
    torch.manual_seed(53)
    network = Network(schema.Model(hidden_size=HIDDEN, num_layers=2, dropout=0.5), Sizes(("a", "b", "c"), 4))
    assert torch.equal(network(x), network(x))
    assert not torch.equal(network(x), network(x, generator=seeded(1)))
    assert torch.equal(network(x, generator=seeded(1)), network(x, generator=seeded(1)))


@pytest.mark.parametrize("cell", CELLS)
def test_masks_follow_from_the_generator_alone(cell: str, x: Tensor) -> None:
    backbone = stack(cell, 2, 0.5)
    torch.manual_seed(54)
    first = backbone(x, generator=seeded(7))[0]
    torch.manual_seed(55)
    before = torch.get_rng_state()
    assert torch.equal(backbone(x, generator=seeded(7))[0], first)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(backbone(x, generator=seeded(8))[0], first)


def test_a_generator_gives_every_layer_and_call_a_mask_of_its_own(x: Tensor) -> None:
    backbone, generator = stack("gru", 2, 0.5), seeded(7)
    assert not torch.equal(backbone(x, generator=generator)[0], backbone(x, generator=generator)[0])
    ones = torch.ones(20, 20)
    assert not torch.equal(dropout(ones, 0.5, generator), dropout(ones, 0.5, generator))


@pytest.mark.parametrize("given", [False, True], ids=["zero_state", "given_state"])
@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_masks_are_drawn_alike_whoever_computes(cell: str, given: bool, x: Tensor) -> None:
    backbone = Backbone(cell, INPUTS, HIDDEN, 2, bidirectional=True, dropout=0.3, recurrent_dropout=0.4)
    start = tuple(torch.randn_like(part) for part in backbone.zero_state(len(x), x))
    masks, between, expected = seeded(3), x, []
    for layer in range(2):
        if layer:
            between = dropout(between, 0.3, masks)
        left = dropout(torch.ones(2, len(x), HIDDEN), 0.4, masks)
        own = tuple(part[2 * layer : 2 * layer + 2] * given for part in start)
        weights = [tuple(dict(backbone.named_parameters()).get(f"{name}_l{layer}{way}") for name in NAMES)
                   for way in backbone.directions]  # fmt: skip
        between, last = scan_layer(CELLS[cell], ACTIVATIONS["tanh"], between, LENGTHS, own, weights, left)
        expected.append(last)
    output, final = backbone(x, LENGTHS, start if given else None, generator=seeded(3))
    actual = [output, *final, *gradients_of(output, backbone)]
    finals = [torch.cat(parts) for parts in zip(*expected, strict=True)]
    for ours, theirs in zip(actual, [between, *finals, *gradients_of(between, backbone)], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def gradients_of(output: Tensor, backbone: Backbone) -> tuple[Tensor, ...]:
    return torch.autograd.grad(output.square().sum(), list(backbone.parameters()))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_dropout_zeroes_its_share_and_keeps_the_mean(share: float) -> None:
    dropped = dropout(torch.full((400, 500), 3.0), share, seeded(9))
    assert (dropped == 0).double().mean() == pytest.approx(share, abs=0.005)
    assert dropped.double().mean() == pytest.approx(3.0, rel=0.02)
    torch.testing.assert_close(dropped[dropped != 0].unique(), torch.tensor([3.0 / (1 - share)]))


def test_gradients_pass_where_values_pass() -> None:
    x = torch.ones(50, 50, requires_grad=True)
    dropped = dropout(x, 0.3, seeded(10))
    (gradient,) = torch.autograd.grad(dropped.sum(), x)
    assert torch.equal(gradient, dropped.detach())
