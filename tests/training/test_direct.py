"""The gradient without autograd is autograd's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from native_kernels import kernels_or_skip
from small_runs import prepared

from rnncli.model.cells import CELLS
from rnncli.model.ensemble import members_of
from rnncli.trained import build_network
from rnncli.training import direct
from rnncli.training import train as story
from rnncli.training.fit import Fit
from rnncli.training.gradient import Gradients


@pytest.fixture(autouse=True)
def _kernels() -> None:
    kernels_or_skip()


FORECAST: dict[str, Any] = {
    "data": {"target": ["y", "x"], "past": ["z"], "weight": "w"},
    "task": {"kind": "forecasting", "horizon": 5},
    "window": {"context": 7},
}
# of every member: what may stand in a plain network's config
PLAIN: dict[str, dict[str, Any]] = {
    "mae": {},
    "mse": {"training": {"loss": "mse"}, "window": {"normalise": "mean_std"}},
    "huber": {"training": {"loss": "huber"}, "window": {"level": False}},
    "no normalisation": {"window": {"normalise": "none"}},
    "two layers": {"model": {"num_layers": 2}},
    "two directions": {"model": {"bidirectional": True, "bias": False}},
    "all dropouts": {"model": {"num_layers": 3, "bidirectional": True, "hidden_size": 19, "dropout": 0.3,
                               "input_dropout": 0.2, "output_dropout": 0.2, "recurrent_dropout": 0.2}},
    "several networks": {"training": {"seeds": 2}},
    "gaps": {"data": {"missing": "mask"}},
    "values of the series": {"data": {"series": "half", "static": ["k"]}},
    "wide layers": {"model": {"hidden_size": 40}, "task": {"horizon": 24}},
    "regression": {"task": {"kind": "regression", "horizon": None},
                   "data": {"target": "y", "past": ["x", "z"], "series": "s"}},
}  # fmt: skip


def merged(*levels: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for values in levels:
        for section, own in values.items():
            found[section] = {**found.get(section, {}), **own}
    return {section: {n: v for n, v in own.items() if v is not None} for section, own in found.items()}


def fitting(values: dict[str, Any], folder: Path) -> tuple[Fit, Any]:
    random = np.random.default_rng(4)
    frame = pd.DataFrame(random.normal(size=(160, 3)).cumsum(0).round(3), columns=["y", "x", "z"])
    frame["w"] = random.uniform(0.5, 2, size=160).round(2)
    frame["s"] = frame.index // 20
    frame["half"] = frame.index // 80
    frame["k"] = frame["half"] + 0.5
    if values["data"].get("missing"):
        frame.loc[frame.index % 6 == 3, "y"] = np.nan
    data = prepared(frame, folder, values)
    return story._fit(data, torch.device("cpu")), build_network(data.config, data.columns, 3)


def gradients_of(gradients: Gradients, network: Any, fit: Fit, size: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
    for parameter in network.parameters():
        parameter.grad = None
    batch, generator = fit.train.batch(np.arange(size)), torch.Generator().manual_seed(6)
    losses = gradients(members_of(network), batch, None, generator)
    return losses, [parameter.grad.clone() for parameter in network.parameters()]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", PLAIN)
def test_losses_and_gradients_are_autograds(
    name: str, cell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = merged(FORECAST, {"model": {"cell": cell}}, PLAIN[name])
    fit, network = fitting(values, tmp_path)
    assert isinstance(fit.gradients, direct.DirectGradients)
    autograd = Gradients(fit.task, bf16=False)
    expected = {size: gradients_of(autograd, network, fit, size) for size in (16, 5)}
    monkeypatch.setattr(Gradients, "__call__", lambda *arguments: pytest.fail("went through autograd"))
    for size in (16, 5, 16):  # memory is used again
        losses, found = gradients_of(fit.gradients, network, fit, size)
        torch.testing.assert_close(losses, expected[size][0], rtol=1e-5, atol=1e-6)
        for own, peer in zip(found, expected[size][1], strict=True):
            torch.testing.assert_close(own, peer, rtol=0, atol=1e-5 * max(1e-3, float(peer.abs().max())))


def test_weights_that_moved_are_found_again(tmp_path: Path) -> None:
    fit, network = fitting(merged(FORECAST), tmp_path)
    first = gradients_of(fit.gradients, network, fit, 16)
    for parameter in network.parameters():
        parameter.data = parameter.data * 2
    other = gradients_of(fit.gradients, network, fit, 16)
    expected = gradients_of(Gradients(fit.task, bf16=False), network, fit, 16)
    assert not torch.equal(first[0], other[0])
    torch.testing.assert_close(other[0], expected[0])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_seen_in_the_loss(value: float, tmp_path: Path) -> None:
    fit, network = fitting(merged(FORECAST), tmp_path)
    network.head.bias.data[1] = value
    losses, _ = gradients_of(fit.gradients, network, fit, 16)
    expected, _ = gradients_of(Gradients(fit.task, bf16=False), network, fit, 16)
    assert torch.equal(losses.nan_to_num(9.0), expected.nan_to_num(9.0))
    assert not torch.isfinite(losses).any()


OTHERS: dict[str, dict[str, Any]] = {
    "a readout": {"model": {"readout": "mean"}},
    "segments": {"model": {"segment": 4}},
    "a path around": {"model": {"skip": "linear"}},
    "quantiles": {"task": {"quantiles": [0.1, 0.5, 0.9]}, "training": {"loss": "quantile"}},
    "the engine": {"training": {"engine": "torch"}},
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_networks_go_through_autograd(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit, network = fitting(merged(FORECAST, OTHERS[name]), tmp_path)
    expected = gradients_of(Gradients(fit.task, bf16=False), network, fit, 16)
    monkeypatch.setattr(direct, "Pass", lambda *arguments: pytest.fail("was taken for a plain network"))
    losses, found = gradients_of(fit.gradients, network, fit, 16)
    assert torch.equal(losses, expected[0])
    for own, peer in zip(found, expected[1], strict=True):
        assert torch.equal(own, peer)
