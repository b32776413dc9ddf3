"""What every member of CELLS and READOUTS answers, and that every list of them is the same list."""

from __future__ import annotations

import copy
import inspect
from typing import get_args

import numpy as np
import pytest
import torch

from rnncli.config import schema
from rnncli.config.rules import conflicts
from rnncli.model import cells, reference
from rnncli.model.backbone import Backbone
from rnncli.model.cells import CELLS
from rnncli.model.network import READOUTS

pytestmark = pytest.mark.usefixtures("engine")

INPUTS, HIDDEN, BATCH, TIME = 3, 4, 2, 6
FUSED = ("rnn", "lstm", "gru")  # cells that torch.nn has kernels for


def literals(field: str) -> list[str]:
    """The words that a key of the model section may be."""
    annotation = schema.Model.model_fields[field].annotation
    return [word for part in (annotation, *get_args(annotation)) for word in get_args(part) if isinstance(word, str)]


def build(cell: str, *, bidirectional: bool = False, fused: bool = True) -> Backbone:
    torch.manual_seed(71)
    return Backbone(cell, INPUTS, HIDDEN, 2, bidirectional=bidirectional, fused=fused)


@pytest.fixture(params=CELLS)
def cell(request: pytest.FixtureRequest) -> str:
    return request.param


def test_every_list_of_cells_is_the_same_list() -> None:
    assert list(CELLS) == list(get_args(schema.CellName)) == list(reference.STEPS) == list(reference.GATES)
    assert list(reference.GATE_VALUES) == list(reference.GATES)
    assert literals("cell") == list(CELLS)


def test_every_list_of_readouts_is_the_same_list() -> None:
    assert literals("readout") == list(READOUTS)


def test_every_list_of_nonlinearities_is_the_same_list() -> None:
    assert literals("nonlinearity") == list(cells.ACTIVATIONS) == list(reference.ACTIVATIONS)


def test_activations_of_torch_and_numpy_are_the_same_functions() -> None:
    x = np.linspace(-3, 3, 25)
    for name, activation in cells.ACTIVATIONS.items():
        expected = reference.ACTIVATIONS[name](x)
        np.testing.assert_allclose(activation(torch.from_numpy(x)).numpy(), expected, rtol=0, atol=1e-12)


def test_cell_and_reference_agree_on_gates_and_states(cell: str) -> None:
    _, parts = reference.STEPS[cell]
    assert CELLS[cell].gates == reference.GATES[cell]
    assert len(set(CELLS[cell].gates)) == len(CELLS[cell].gates)
    assert CELLS[cell].states == ("h", "c")[:parts]
    assert ("c" in CELLS[cell].states) == ("f" in CELLS[cell].gates)


def test_steps_are_named_after_their_cell(cell: str) -> None:
    assert CELLS[cell].step.__name__ == reference.STEPS[cell][0].__name__ == f"{cell}_step"
    assert inspect.getdoc(CELLS[cell].step)
    assert inspect.getdoc(reference.STEPS[cell][0])


def test_parameters_have_a_block_of_rows_a_gate(cell: str) -> None:
    kind, rows = CELLS[cell], len(CELLS[cell].gates) * HIDDEN
    shapes = {name: tuple(tensor.shape) for name, tensor in Backbone(cell, INPUTS, HIDDEN).state_dict().items()}
    expected = {"weight_ih_l0": (rows, INPUTS), "weight_hh_l0": (rows, HIDDEN)}
    if kind.carry_weight:
        expected["weight_ch_l0"] = (HIDDEN, HIDDEN)
    assert shapes == expected | {f"{name}_l0": (rows,) for name in kind.biases}


def test_nonlinearity_is_refused_exactly_where_it_has_no_effect(cell: str) -> None:
    config = schema.Config.model_validate(
        {
            "data": {"path": "a.csv", "target": "y"},
            "task": {"kind": "forecasting", "horizon": 1},
            "model": {"cell": cell, "nonlinearity": "relu"},
        }
    )
    refused = "model.nonlinearity" in [conflict.key for conflict in conflicts(config)]
    assert refused == (not CELLS[cell].nonlinearity)
    x = torch.randn(BATCH, TIME, INPUTS)
    torch.manual_seed(72)
    tanh = Backbone(cell, INPUTS, HIDDEN, nonlinearity="tanh")(x)[0]
    torch.manual_seed(72)
    relu = Backbone(cell, INPUTS, HIDDEN, nonlinearity="relu")(x)[0]
    assert torch.equal(tanh, relu) == (not CELLS[cell].nonlinearity)


def test_a_step_is_the_references_step(cell: str) -> None:
    torch.manual_seed(73)
    backbone = Backbone(cell, INPUTS, HIDDEN).double()
    named = dict(backbone.named_parameters())
    x = torch.randn(BATCH, INPUTS, dtype=torch.float64)
    state = tuple(torch.randn(BATCH, HIDDEN, dtype=torch.float64) for _ in CELLS[cell].states)
    recurrent = cells.Recurrent(
        named["weight_hh_l0"], named.get("bias_hh_l0"), named.get("weight_ch_l0"), cells.ACTIVATIONS["tanh"]
    )
    new = CELLS[cell].step(x @ named["weight_ih_l0"].T + named["bias_ih_l0"], state, recurrent)
    weights = reference.Weights({name: tensor.detach().numpy() for name, tensor in named.items()}, "l0")
    for row in range(BATCH):
        own = tuple(part[row].numpy() for part in state)
        expected = reference.STEPS[cell][0](x[row].numpy(), own, weights, np.tanh)
        assert len(new) == len(expected) == len(CELLS[cell].states)
        for part, expected_part in zip(new, expected, strict=True):
            np.testing.assert_allclose(part[row].detach().numpy(), expected_part, rtol=0, atol=1e-12)


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "scanned"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one_way", "two_ways"])
def test_shapes_of_outputs_and_states(cell: str, bidirectional: bool, fused: bool) -> None:
    backbone = build(cell, bidirectional=bidirectional, fused=fused)
    x = torch.randn(BATCH, TIME, INPUTS)
    output, final = backbone(x)
    directions = 1 + bidirectional
    assert output.shape == (BATCH, TIME, directions * HIDDEN)
    assert [part.shape for part in final] == [(2 * directions, BATCH, HIDDEN)] * len(CELLS[cell].states)
    assert [part.shape for part in backbone.zero_state(BATCH, x)] == [part.shape for part in final]
    assert not any(part.any() for part in backbone.zero_state(BATCH, x))


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "scanned"])
def test_a_sequence_in_two_parts_with_the_state_handed_on_is_the_sequence(cell: str, fused: bool) -> None:
    backbone = build(cell, fused=fused)
    x = torch.randn(BATCH, TIME, INPUTS)
    whole, final = backbone(x)
    first, state = backbone(x[:, :2])
    second, last = backbone(x[:, 2:], state=state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole, rtol=0, atol=1e-6)
    for part, expected in zip(last, final, strict=True):
        torch.testing.assert_close(part, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "scanned"])
def test_one_direction_never_sees_the_future(cell: str, fused: bool) -> None:
    backbone = build(cell, fused=fused)
    x = torch.randn(BATCH, TIME, INPUTS)
    changed = x.clone()
    changed[:, 3:] += 1.0
    before, after = backbone(x)[0], backbone(changed)[0]
    assert torch.equal(before[:, :3], after[:, :3])
    assert (before[:, 3] != after[:, 3]).all()


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "scanned"])
def test_weights_that_are_assigned_are_the_weights_that_run(cell: str, fused: bool) -> None:
    backbone = build(cell, fused=fused)
    x = torch.randn(BATCH, TIME, INPUTS)
    other = Backbone(cell, INPUTS, HIDDEN, 2, fused=fused)
    backbone.load_state_dict({name: tensor.clone() for name, tensor in other.state_dict().items()}, assign=True)
    assert torch.equal(backbone(x)[0], other(x)[0])


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "scanned"])
def test_a_copy_has_weights_of_its_own(cell: str, fused: bool) -> None:
    backbone = build(cell, bidirectional=True, fused=fused)
    x = torch.randn(BATCH, TIME, INPUTS)
    before = backbone(x)[0]
    twin = copy.deepcopy(backbone)
    assert torch.equal(twin(x)[0], before)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.mul_(2)
    assert torch.equal(backbone(x)[0], before)
    scanned = build(cell, bidirectional=True, fused=False)
    scanned.load_state_dict(twin.state_dict())
    torch.testing.assert_close(twin(x)[0], scanned(x)[0], rtol=0, atol=1e-6)
