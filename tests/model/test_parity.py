"""Backbone against torch.nn.RNN, LSTM and GRU: names, shapes, outputs, final states and every gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnncli.model.backbone import Backbone

pytestmark = pytest.mark.usefixtures("engine")

INPUTS, HIDDEN, BATCH, TIME = 3, 5, 4, 6
LENGTHS = torch.tensor([5, 1, 4, 3])  # unsorted, and none as long as the padded batch
KINDS: dict[str, tuple[type[nn.RNNBase], dict[str, Any]]] = {
    "rnn_tanh": (nn.RNN, {"nonlinearity": "tanh"}),
    "rnn_relu": (nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (nn.LSTM, {}),
    "gru": (nn.GRU, {}),
}


class Shape(NamedTuple):
    """A stack of one of torch's cells."""

    kind: str
    layers: int
    bidirectional: bool
    bias: bool

    def torch_module(self) -> nn.RNNBase:
        module, options = KINDS[self.kind]
        built: nn.RNNBase = module(
            INPUTS,
            HIDDEN,
            self.layers,
            bias=self.bias,
            batch_first=True,
            bidirectional=self.bidirectional,
            **options,
        )
        return built

    def backbone(self, *, fused: bool) -> Backbone:
        return Backbone(
            self.kind.partition("_")[0],
            INPUTS,
            HIDDEN,
            self.layers,
            bias=self.bias,
            bidirectional=self.bidirectional,
            fused=fused,
            **KINDS[self.kind][1],
        )


def shapes() -> Iterator[Any]:
    for kind in KINDS:
        for layers in (1, 2, 3):
            for bidirectional in (False, True):
                for bias in (False, True):
                    name = f"{kind}-{layers}-{'two_ways' if bidirectional else 'one_way'}-{'bias' if bias else 'bare'}"
                    yield pytest.param(Shape(kind, layers, bidirectional, bias), id=name)


@pytest.fixture(params=list(shapes()))
def shape(request: pytest.FixtureRequest) -> Shape:
    torch.manual_seed(7)
    return request.param


def drawn_state(shape: Shape) -> tuple[Tensor, ...]:
    size = (shape.layers * (1 + shape.bidirectional), BATCH, HIDDEN)
    return tuple(torch.randn(size, requires_grad=True) for _ in range(1 + (shape.kind == "lstm")))


def run_torch(
    module: nn.RNNBase, x: Tensor, lengths: Tensor | None, state: tuple[Tensor, ...] | None
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The whole stack in one torch.nn call, its answer in Backbone's form."""
    start = state if state is None or len(state) > 1 else state[0]
    if lengths is None:
        output, final = module(x, start)
    else:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        packed_output, final = module(packed, start)
        output, _ = pad_packed_sequence(packed_output, batch_first=True, total_length=x.shape[1])
    return output, final if isinstance(final, tuple) else (final,)


def assert_near(actual: Tensor, expected: Tensor, tolerance: float) -> None:
    """Equal up to `tolerance`, relative to the largest element where that is above one."""
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max() <= tolerance * max(1.0, float(expected.detach().abs().max()))


def assert_gradients_near(actual: Tensor | None, expected: Tensor | None, name: str) -> None:
    assert actual is not None, name
    assert expected is not None, name
    assert expected.abs().max() > 0, name
    assert (actual - expected).abs().max() <= 1e-5 * expected.abs().max(), name


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "scanned"])
@pytest.mark.parametrize("given", [False, True], ids=["zero_state", "given_state"])
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
def test_outputs_states_and_gradients_are_torch_nns(shape: Shape, fused: bool, given: bool, ragged: bool) -> None:
    theirs, ours = shape.torch_module(), shape.backbone(fused=fused)
    ours.load_state_dict(theirs.state_dict())
    lengths = LENGTHS if ragged else None
    x = torch.randn(BATCH, TIME, INPUTS, requires_grad=True)
    state = drawn_state(shape) if given else None
    leaves = [x, *(state or ())]

    expected_output, expected_final = run_torch(theirs, x, lengths, state)
    output, final = ours(x, lengths, state)
    assert_near(output, expected_output, 1e-6)
    assert len(final) == len(expected_final)
    for part, expected_part in zip(final, expected_final, strict=True):
        assert_near(part, expected_part, 1e-6)

    weights = [torch.randn_like(answer) for answer in (expected_output, *expected_final)]
    expected = torch.autograd.grad((expected_output, *expected_final), [*theirs.parameters(), *leaves], weights)
    actual = torch.autograd.grad((output, *final), [*ours.parameters(), *leaves], weights)
    names = [name for name, _ in ours.named_parameters()] + ["input", "h", "c"]
    for name, actual_gradient, expected_gradient in zip(names, actual, expected, strict=False):
        assert_gradients_near(actual_gradient, expected_gradient, name)


def test_names_order_and_shapes_of_the_parameters_are_torch_nns(shape: Shape) -> None:
    theirs, ours = shape.torch_module(), shape.backbone(fused=True)
    expected = [(name, parameter.shape) for name, parameter in theirs.named_parameters()]
    assert [(name, parameter.shape) for name, parameter in ours.named_parameters()] == expected
    assert list(ours.state_dict()) == list(theirs.state_dict()) == list(shape.backbone(fused=False).state_dict())


def test_weights_of_a_backbone_serve_torch_nn(shape: Shape) -> None:
    ours, theirs = shape.backbone(fused=False), shape.torch_module()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(BATCH, TIME, INPUTS)
    assert_near(ours(x)[0], run_torch(theirs, x, None, None)[0], 1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("double", [False, True], ids=["loaded", "cast_to_double"])
def test_fused_engines_follow_the_parameters_as_they_change(kind: str, double: bool) -> None:
    torch.manual_seed(3)
    shape = Shape(kind, 2, True, True)
    fused, scanned = shape.backbone(fused=True), shape.backbone(fused=False)
    x = torch.randn(BATCH, TIME, INPUTS)
    if double:
        fused, scanned, x = fused.double(), scanned.double(), x.double()
    before = fused(x)[0]
    fused.load_state_dict(scanned.state_dict())
    with torch.no_grad():
        for module in (fused, scanned):
            for parameter in module.parameters():
                parameter.mul_(0.5)
    assert not torch.allclose(fused(x)[0], before, atol=1e-3)
    assert_near(fused(x)[0], scanned(x)[0], 1e-6)
