"""The network in NumPy alone against the network in torch, whatever it is made of."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rnncli.config import schema
from rnncli.model.cells import CELLS
from rnncli.model.ensemble import AnyNetwork, Ensemble
from rnncli.model.network import READOUTS, Network
from rnncli.model.pieces import Convolutions
from rnncli.model.portable import Portable, PortableMean, build, exact
from rnncli.model.portable_pieces import READOUTS as PORTABLE_READOUTS
from rnncli.model.portable_pieces import TAPS
from rnncli.model.sizes import Sizes

HIDDEN, TIME = 5, 11
LENGTHS = torch.tensor([4, 11, 1, 7])
CODES = 4  # categories of every column that has some

SINGLE = ["last", "mean", "max", "mean_max", "attention"]


@dataclass(frozen=True)
class Asked:
    """What a network is called with."""

    past: Tensor
    lengths: Tensor | None
    level: Tensor
    static: Tensor
    ahead: Tensor
    forks: bool


def made(model: dict[str, Any], sizes: Sizes, seed: int = 3) -> Network:
    """A network all of whose weights act, also those that begin at zero."""
    torch.manual_seed(seed)
    network = Network(schema.Model.model_validate({"hidden_size": HIDDEN, **model}), sizes)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor += 0.2 * torch.randn_like(tensor)
    return network


def asked(sizes: Sizes, *, ragged: bool, forks: bool = False, seed: int = 4) -> Asked:
    torch.manual_seed(seed)
    batch = len(LENGTHS)
    rows = batch * TIME if forks else batch
    past = values(sizes, sizes.past, batch, TIME)
    if ragged:
        past = past * (torch.arange(TIME) < LENGTHS[:, None])[:, :, None]
    level, static = torch.randn(batch, sizes.levels), values(sizes, sizes.static, batch)
    ahead = values(sizes, sizes.ahead, rows, sizes.steps)
    return Asked(past, LENGTHS if ragged else None, level, static, ahead, forks)


def values(sizes: Sizes, columns: tuple[str, ...], *shape: int) -> Tensor:
    coded = dict(sizes.categories)
    parts = [torch.randint(0, CODES + 1, shape).float() if name in coded else torch.randn(shape) for name in columns]
    return torch.stack(parts, dim=-1) if parts else torch.zeros(*shape, 0)


def in_numpy(network: AnyNetwork, sizes: Sizes, given_: Asked, *, precise: bool = False) -> Any:
    weights = {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}
    portable = build(network.settings, sizes, exact(weights) if precise else weights)
    arrays = {name: getattr(given_, name).numpy() for name in ("past", "level", "static", "ahead")}
    lengths = None if given_.lengths is None else given_.lengths.numpy()
    return portable.forward(**arrays, lengths=lengths, forks=given_.forks)


def in_torch(network: AnyNetwork, given_: Asked) -> Any:
    with torch.inference_mode():
        return network(
            given_.past, given_.lengths, given_.level, static=given_.static, ahead=given_.ahead, forks=given_.forks
        ).numpy()


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


@st.composite
def forecasters(draw: st.DrawFn) -> tuple[dict[str, Any], Sizes, bool, bool]:
    """Settings and sizes of a forecaster, whether its windows are ragged and whether every step is an origin."""
    parallel, forks = draw(st.booleans()), False
    segment = draw(st.sampled_from([1, 2, 3, 5])) if parallel else draw(st.sampled_from([None, 2, 4]))
    model = {
        "cell": draw(st.sampled_from(list(CELLS))),
        "num_layers": draw(st.integers(1, 3)),
        "bias": draw(st.booleans()),
        "front_end": draw(st.sampled_from(["none", "conv"])),
        "decoder": "parallel" if parallel else "direct",
        "segment": segment,
        "skip": draw(st.sampled_from(["none", "linear", "seasonal"])),
    }
    if model["cell"] in ("rnn", "carry_lstm"):
        model["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    model["bidirectional"] = not parallel and draw(st.booleans())
    model["readout"] = "last" if parallel else draw(st.sampled_from(SINGLE))
    whole = segment is not None or model["skip"] != "none" or model["bidirectional"] or model["readout"] != "last"
    if not whole:  # else it sees a window as a whole
        forks = draw(st.booleans())
    steps, targets, quantiles = draw(st.integers(1, 7)), draw(st.integers(1, 2)), draw(st.sampled_from([1, 3]))
    sizes = Sizes(
        past=(*("t", "u")[:targets], "a", "k"),
        outputs=steps * targets * quantiles,
        static=draw(st.sampled_from([(), ("s",), ("s", "r")])),
        ahead=draw(st.sampled_from([(), ("a",), ("a", "k")])),
        categories=draw(st.sampled_from([(), (("k", CODES),), (("k", CODES), ("s", CODES))])),
        steps=steps,
        targets=targets,
        context=draw(st.integers(3, TIME)),
        season=draw(st.integers(1, 12)),
        segment=segment or 1,
        levels=0 if forks else draw(st.sampled_from([0, targets])),
        forks=forks,
    )
    return model, sizes, draw(st.booleans()), forks


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
