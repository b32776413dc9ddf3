"""Small networks of every make, and what they are called with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from rnncli.config import schema
from rnncli.model.cells import CELLS
from rnncli.model.ensemble import AnyNetwork
from rnncli.model.network import Network
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


def in_torch(network: AnyNetwork, given_: Asked) -> Any:
    with torch.inference_mode():
        return network(
            given_.past, given_.lengths, given_.level, static=given_.static, ahead=given_.ahead, forks=given_.forks
        ).numpy()


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
