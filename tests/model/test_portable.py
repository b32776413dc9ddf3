"""The network in NumPy alone against the network in torch, whatever it is made of."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from drawn_networks import CODES, LENGTHS, SINGLE, TIME, Asked, asked, forecasters, in_torch, made
from hypothesis import given, settings

from rnncli.model.cells import CELLS
from rnncli.model.ensemble import AnyNetwork, Ensemble
from rnncli.model.network import READOUTS
from rnncli.model.pieces import Convolutions
from rnncli.model.portable import Portable, PortableMean, build, exact
from rnncli.model.portable_pieces import READOUTS as PORTABLE_READOUTS
from rnncli.model.portable_pieces import TAPS
from rnncli.model.shapes import weight_shapes
from rnncli.model.sizes import Sizes


def in_numpy(network: AnyNetwork, sizes: Sizes, given_: Asked, *, precise: bool = False) -> Any:
    weights = {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}
    if not isinstance(network, Ensemble):
        assert {name: part.shape for name, part in weights.items()} == weight_shapes(network.settings, sizes)
    portable = build(network.settings, sizes, exact(weights) if precise else weights)
    arrays = {name: getattr(given_, name).numpy() for name in ("past", "level", "static", "ahead")}
    lengths = None if given_.lengths is None else given_.lengths.numpy()
    return portable.forward(**arrays, lengths=lengths, forks=given_.forks)


def check(model: dict[str, Any], sizes: Sizes, *, ragged: bool, forks: bool = False) -> None:
    network, batch = made(model, sizes), asked(sizes, ragged=ragged, forks=forks)
    expected = in_torch(network, batch)
    found, precise = in_numpy(network, sizes, batch), in_numpy(network, sizes, batch, precise=True)
    assert found.shape == expected.shape
    assert (found.dtype, precise.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(precise, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("readout", [*SINGLE, "every"])
@pytest.mark.parametrize("front_end", ["none", "conv"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one_way", "two_ways"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_every_recurrence_and_readout(
    cell: str, layers: int, bidirectional: bool, front_end: str, readout: str, ragged: bool
) -> None:
    every = readout == "every"
    model = {"cell": cell, "num_layers": layers, "bidirectional": bidirectional, "front_end": front_end}
    sizes = Sizes(("a", "b", "k"), 3, static=("s", "r"), categories=(("k", CODES), ("s", CODES)), every=every)
    check({**model, "readout": "last" if every else readout}, sizes, ragged=ragged)


@settings(max_examples=150, deadline=None)
@given(drawn=forecasters())
def test_every_forecaster(drawn: tuple[dict[str, Any], Sizes, bool, bool]) -> None:
    model, sizes, ragged, forks = drawn
    check(model, sizes, ragged=ragged, forks=forks)


def test_several_networks_answer_with_their_mean() -> None:
    sizes = Sizes(("a", "b"), 3)
    network = Ensemble([made({"cell": "gru"}, sizes, seed) for seed in range(11)])
    batch = asked(sizes, ragged=True)
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    assert isinstance(build(network.settings, sizes, weights), PortableMean)
    np.testing.assert_allclose(in_numpy(network, sizes, batch), in_torch(network, batch), rtol=1e-5, atol=1e-5)


def test_the_head_alone_reads_the_states_of_the_recurrence() -> None:
    sizes = Sizes(("t", "a"), 6, ahead=("a",), steps=3)
    network, batch = made({"cell": "lstm", "num_layers": 2}, sizes), asked(sizes, ragged=False)
    portable = Portable(network.settings, sizes, {name: part.numpy() for name, part in network.state_dict().items()})
    with torch.inference_mode():
        states = network.backbone(batch.past)[0][:, -1].numpy()
    found = portable.read_head(states, batch.ahead.numpy())
    np.testing.assert_allclose(found, in_torch(network, batch), rtol=1e-5, atol=1e-5)


def test_padding_is_never_read() -> None:
    sizes = Sizes(("a", "b"), 3)
    network, batch = made({"front_end": "conv"}, sizes), asked(sizes, ragged=True)
    before = in_numpy(network, sizes, batch)
    batch.past.masked_fill_(~(torch.arange(TIME) < LENGTHS[:, None])[:, :, None], torch.nan)
    np.testing.assert_array_equal(in_numpy(network, sizes, batch), before)


def test_both_know_the_same_pieces() -> None:
    assert PORTABLE_READOUTS.keys() == READOUTS.keys() == set(SINGLE)
    assert Convolutions.taps == TAPS


def test_it_needs_neither_torch_nor_pandas() -> None:
    program = "import sys, rnncli.model.portable; print(sorted({'torch', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
