"""The network in ONNX, run by onnxruntime, against the network in torch, whatever it is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from drawn_networks import CODES, LENGTHS, SINGLE, TIME, asked, forecasters, in_torch, made
from hypothesis import assume, given, settings

from rnncli.export.onnx_network import READOUTS, onnx_model
from rnncli.model.cells import CELLS
from rnncli.model.ensemble import AnyNetwork, Ensemble
from rnncli.model.sizes import Sizes


def exported(network: AnyNetwork, sizes: Sizes) -> Any:
    weights = {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}
    return onnx_model(network.settings, sizes, weights, {})


def check(network: AnyNetwork, sizes: Sizes, *, ragged: bool) -> None:
    batch = asked(sizes, ragged=ragged)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    raw = exported(network, sizes).SerializeToString()
    session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    arrays = {name: getattr(batch, name).numpy() for name in ("past", "level", "static", "ahead")}
    arrays["lengths"] = (LENGTHS if ragged else torch.full_like(LENGTHS, TIME)).numpy()
    (found,) = session.run(None, {part.name: arrays[part.name] for part in session.get_inputs()})
    np.testing.assert_allclose(found, in_torch(network, batch), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("readout", [*SINGLE, "every"])
@pytest.mark.parametrize("front_end", ["none", "conv"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one_way", "two_ways"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_every_recurrence_and_readout(
    cell: str, layers: int, bidirectional: bool, front_end: str, readout: str
) -> None:
    every = readout == "every"
    model = {"cell": cell, "num_layers": layers, "bidirectional": bidirectional, "front_end": front_end}
    sizes = Sizes(("a", "b", "k"), 3, static=("s", "r"), categories=(("k", CODES), ("s", CODES)), every=every)
    network = made({**model, "readout": "last" if every else readout}, sizes)
    check(network, sizes, ragged=False)
    check(network, sizes, ragged=True)


@settings(max_examples=60, deadline=None)
@given(drawn=forecasters())
def test_every_forecaster(drawn: tuple[dict[str, Any], Sizes, bool, bool]) -> None:
    model, sizes, ragged, forks = drawn
    assume(not forks)  # only training asks that
    check(made(model, sizes), sizes, ragged=ragged)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("cell", ["rnn", "carry_lstm"])
def test_nonlinearity(cell: str, nonlinearity: str) -> None:
    sizes = Sizes(("a",), 2)
    check(made({"cell": cell, "nonlinearity": nonlinearity, "bidirectional": True}, sizes), sizes, ragged=True)


def test_several_networks_answer_with_their_mean() -> None:
    sizes = Sizes(("a", "b"), 3)
    check(Ensemble([made({"cell": "gru"}, sizes, seed) for seed in range(11)]), sizes, ragged=True)


OPERATORS = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU", "carry_lstm": "Scan"}


@pytest.mark.parametrize("cell", CELLS)
def test_onnxs_own_recurrence_is_used_where_there_is_one(cell: str) -> None:
    sizes = Sizes(("a", "b"), 3)
    model = exported(made({"cell": cell, "num_layers": 2}, sizes), sizes)
    loops = ("Loop", *OPERATORS.values())
    assert [node.op_type for node in model.graph.node if node.op_type in loops] == [OPERATORS[cell]] * 2
    assert {entry.domain for entry in model.opset_import} == {""}


def test_windows_and_steps_have_no_fixed_number() -> None:
    sizes = Sizes(("a", "b"), 3, every=True)
    model = exported(made({}, sizes), sizes)
    axes = {part.name: part.type.tensor_type.shape.dim for part in (*model.graph.input, *model.graph.output)}
    assert [dim.dim_param or dim.dim_value for dim in axes["past"]] == ["batch", "time", 2]
    assert [dim.dim_param or dim.dim_value for dim in axes["lengths"]] == ["batch"]
    assert [dim.dim_param or dim.dim_value for dim in axes["outputs"]] == ["batch", "time", 3]
    onnx.checker.check_model(model, full_check=True)


def test_both_know_the_same_readouts() -> None:
    assert set(READOUTS) == set(SINGLE)
