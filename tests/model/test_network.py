"""Readouts against plain NumPy, and what the head sees of a window."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnncli.config import schema
from rnncli.model.cells import CELLS
from rnncli.model.inputs import Sizes
from rnncli.model.network import READOUTS, Network

INPUTS, HIDDEN, TIME, OUTPUTS = 3, 6, 7, 5
LENGTHS = torch.tensor([4, 7, 1, 6])

Floats = NDArray[np.float32]


def last_of(valid: Floats, directions: int) -> Floats:
    return valid[-1] if directions == 1 else np.concatenate([valid[-1, :HIDDEN], valid[0, HIDDEN:]])


EXPECTED: dict[str, Callable[[Floats, int], Floats]] = {  # of one sequence's valid outputs (length, features)
    "last": last_of,
    "mean": lambda valid, directions: sum(valid) / len(valid),
    "max": lambda valid, directions: np.array([max(column) for column in valid.T]),
    "mean_max": lambda valid, directions: np.concatenate([valid.mean(axis=0), valid.max(axis=0)]),
}
OF_EVERY_NEWEST = ["last", "mean", "mean_max"]  # the newest step need not hold the maximum


def build(
    cell: str, readout: str = "last", *, bidirectional: bool = False, layers: int = 1, levels: int = 0
) -> Network:
    torch.manual_seed(61)
    settings = schema.Model.model_validate(
        {
            "cell": cell,
            "hidden_size": HIDDEN,
            "num_layers": layers,
            "bidirectional": bidirectional,
            "readout": readout,
        }
    )
    return Network(settings, Sizes(("a", "b", "c"), OUTPUTS, levels=levels))


def drawn_past() -> Tensor:
    torch.manual_seed(62)
    return torch.randn(len(LENGTHS), TIME, INPUTS) * (torch.arange(TIME) < LENGTHS[:, None])[:, :, None]


@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one_way", "two_ways"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("readout", EXPECTED)
def test_readout_and_head_are_plain_arithmetic(readout: str, cell: str, bidirectional: bool, ragged: bool) -> None:
    network = build(cell, readout, bidirectional=bidirectional, layers=2)
    past, lengths = drawn_past(), LENGTHS if ragged else None
    answer = network(past, lengths)
    outputs = network.backbone(past, lengths)[0].detach().numpy()
    directions = 1 + bidirectional
    features = np.stack(
        [EXPECTED[readout](outputs[row, : LENGTHS[row] if ragged else TIME], directions) for row in range(len(outputs))]
    )
    assert features.shape == (len(LENGTHS), READOUTS[readout][1] * directions * HIDDEN)
    expected = features @ network.head.weight.detach().numpy().T + network.head.bias.detach().numpy()
    np.testing.assert_allclose(answer.detach().numpy(), expected, rtol=0, atol=1e-5)


def test_maximum_of_negative_outputs_is_not_the_paddings_zero() -> None:
    output = torch.tensor([[[-3.0], [-2.0], [0.0]]])
    make, _ = READOUTS["max"]
    assert make(1)(output, (torch.empty(1, 1, 1),), torch.tensor([2]), 1).tolist() == [[-2.0]]


@pytest.mark.parametrize("readout", OF_EVERY_NEWEST)
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one_way", "two_ways"])
@pytest.mark.parametrize("cell", CELLS)
def test_the_newest_value_moves_every_output(cell: str, bidirectional: bool, readout: str) -> None:
    network = build(cell, readout, bidirectional=bidirectional)
    past = drawn_past()
    before = network(past, LENGTHS)
    for row, length in enumerate(LENGTHS):
        moved = past.clone()
        moved[row, length - 1] += 2.0
        changed = (network(moved, LENGTHS) - before).abs() > 1e-6
        assert changed[row].all()
        assert changed.sum() == OUTPUTS


@pytest.mark.parametrize("readout", OF_EVERY_NEWEST)
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one_way", "two_ways"])
@pytest.mark.parametrize("cell", CELLS)
def test_no_output_is_blind_to_any_newest_input(cell: str, bidirectional: bool, readout: str) -> None:
    network = build(cell, readout, bidirectional=bidirectional)
    past = drawn_past().requires_grad_()
    answer = network(past, LENGTHS)
    rows = torch.arange(len(LENGTHS))
    for number in range(OUTPUTS):
        (gradient,) = torch.autograd.grad(answer[:, number].sum(), past, retain_graph=True)
        assert (gradient[rows, LENGTHS - 1] != 0).all()


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one_way", "two_ways"])
@pytest.mark.parametrize("cell", CELLS)
def test_every_parameter_learns(cell: str, bidirectional: bool, readout: str) -> None:
    network = build(cell, readout, bidirectional=bidirectional, layers=2, levels=2)
    network(drawn_past(), LENGTHS, torch.randn(len(LENGTHS), 2)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_the_levels_weight_starts_at_zero_and_adds_a_linear_term() -> None:
    network = build("gru", levels=2)
    past, level = drawn_past(), torch.tensor([[1.0, -2.0], [30.0, 4.0], [-5.0, 6.0], [0.0, 1.0]])
    assert network.level is not None
    assert network.level.weight.shape == (OUTPUTS, 2)
    assert (network.level.weight == 0).all()
    without = network(past, LENGTHS)
    assert torch.equal(network(past, LENGTHS, level), without)
    torch.nn.init.normal_(network.level.weight)
    expected = level.numpy() @ network.level.weight.detach().numpy().T
    difference = (network(past, LENGTHS, level) - without).detach().numpy()
    np.testing.assert_allclose(difference, expected, rtol=1e-4, atol=1e-5)


def test_without_levels_there_is_nothing_to_learn_of_them() -> None:
    network = build("gru")
    assert network.level is None
    assert [name for name, _ in network.named_parameters() if not name.startswith("backbone.")] == [
        "head.weight",
        "head.bias",
    ]
    past = drawn_past()
    assert torch.equal(network(past, LENGTHS, torch.ones(len(LENGTHS), 1)), network(past, LENGTHS))


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one_way", "two_ways"])
def test_values_of_a_series_beside_the_padding_are_not_read(bidirectional: bool) -> None:
    torch.manual_seed(63)
    settings = schema.Model(cell="gru", hidden_size=HIDDEN, front_end="conv", bidirectional=bidirectional)
    network = Network(settings, Sizes(("a", "b", "c"), OUTPUTS, static=("s",)))
    past, static = drawn_past(), torch.randn(len(LENGTHS), 1)
    together = network(past, LENGTHS, static=static)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = network(past[row : row + 1, :length], static=static[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone)


def test_settings_reach_the_backbone() -> None:
    settings = schema.Model(
        cell="rnn", hidden_size=HIDDEN, num_layers=3, nonlinearity="relu", bias=False, bidirectional=True
    )
    network = Network(settings, Sizes(("a", "b", "c"), OUTPUTS))
    names = [name for name, _ in network.backbone.named_parameters()]
    assert len(names) == 3 * 2 * 2
    assert not [name for name in names if "bias" in name]
    assert network.backbone(drawn_past())[0].amin() == 0


def test_vectors_of_categories_begin_as_torchs_and_the_unknown_one_stays_zero() -> None:
    sizes = Sizes(("a", "k"), 2, categories=(("k", 4),))
    torch.manual_seed(5)
    vectors = Network(schema.Model(cell="gru", hidden_size=HIDDEN), sizes).inputs.vectors["column0"]
    torch.manual_seed(5)
    assert torch.equal(vectors.weight, torch.nn.Embedding(5, 3, padding_idx=0).weight)
    assert vectors.weight.requires_grad
    vectors(torch.tensor([0, 1, 4])).sum().backward()
    assert vectors.weight.grad is not None
    assert vectors.weight.grad.abs().sum(1).tolist() == [0, 3, 0, 0, 3]


def test_a_model_with_categories_is_laid_out_without_torchs_compiler() -> None:
    """It takes seconds to load, and ``predict`` would wait for it."""
    program = """
import sys, torch
from rnncli.config import schema
from rnncli.model.inputs import Sizes
from rnncli.model.network import Network
with torch.device("meta"):
    Network(schema.Model(), Sizes(("a", "k"), 2, static=("s",), ahead=("k",), categories=(("k", 4), ("s", 2))))
print(sorted({"sympy", "torch._dynamo"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "[]\n"
