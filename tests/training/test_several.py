"""Networks trained side by side, and means of weights along the way."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from small_runs import SILENT, answers, config_of, fit, opened, prepared, weights

from rnncli.model.ensemble import AnyNetwork, Ensemble, members_of
from rnncli.trained import build_network, load_model
from rnncli.training import train as story
from rnncli.training.average import averaged, follow
from rnncli.training.device import pick_device
from rnncli.training.fit import Fit, fit_network
from rnncli.training.gradient import with_noise
from rnncli.training.optimizer import Optimizer
from rnncli.training.request import Request, Watch
from rnncli.training.state import FitState

VALUES: dict[str, Any] = {
    "data": {"target": "y", "season": 6},
    "task": {"kind": "forecasting", "horizon": 3},
    "window": {"context": 8},
    "model": {"cell": "gru", "skip": "seasonal"},
    "training": {"epochs": 3, "batch_size": 16, "patience": None},
}


def waves(rows: int = 90) -> pd.DataFrame:
    noise = np.random.default_rng(3).normal(size=rows) / 4
    return pd.DataFrame({"y": [10 + 3 * math.sin(row * math.pi / 3) + noise[row] for row in range(rows)]})


def with_training(**training: Any) -> dict[str, Any]:
    return {**VALUES, "training": {**VALUES["training"], **training}}


def fitted(network: AnyNetwork, fitting: Fit) -> AnyNetwork:
    settings = fitting.settings.model_copy(update={"seeds": len(members_of(network))})
    state = FitState(network, Optimizer(network.parameters(), settings))
    for _ in fit_network(replace(fitting, settings=settings), state):
        pass
    return network


def test_members_learn_as_if_each_were_alone(tmp_path: Path) -> None:
    data = prepared(waves(), tmp_path, with_training(seeds=2))
    fitting = story._fit(data, torch.device("cpu"))
    both = build_network(data.config, data.columns, 5)
    members = [copy.deepcopy(member) for member in members_of(both)]
    assert not torch.equal(members[0].backbone.weight_hh_l0, members[1].backbone.weight_hh_l0)
    fitted(both, fitting)
    for together, alone in zip(members_of(both), members, strict=True):
        begun = copy_of(alone)
        fitted(alone, fitting)
        assert copy_of(together) == copy_of(alone) != begun


def copy_of(network: AnyNetwork) -> dict[str, Any]:
    return {name: tensor.tolist() for name, tensor in network.state_dict().items()}


def test_an_ensemble_is_saved_and_answers_with_the_mean(tmp_path: Path) -> None:
    model = fit(waves(), tmp_path, with_training(seeds=3))
    loaded = load_model(tmp_path / "run", pick_device("cpu"))
    assert isinstance(loaded.network, Ensemble)
    assert weights(loaded) == weights(model)
    members = [
        answers(replace(loaded, network=member), waves(), tmp_path)["y_pred"].tolist()
        for member in members_of(loaded.network)
    ]
    assert len({tuple(own) for own in members}) == 3
    whole = answers(loaded, waves(), tmp_path)["y_pred"]
    np.testing.assert_allclose(whole, np.mean(members, axis=0), rtol=1e-5)


def drawn() -> torch.nn.Module:
    return torch.nn.Linear(3, 2)


def test_the_moving_mean_leans_to_the_newest_at_first_and_less_and_less() -> None:
    mean: dict[str, Any] = {}
    network: Any = drawn()
    expected = network.weight.detach().clone()
    follow(mean, network, 1)
    for updates in range(2, 40):
        torch.nn.init.normal_(network.weight)
        follow(mean, network, updates)
        share = max(0.002, 9 / (9 + updates))
        expected = (1 - share) * expected + share * network.weight.detach()
    torch.testing.assert_close(averaged(mean, network).weight.detach(), expected)


def test_without_a_mean_the_network_is_its_own() -> None:
    network: Any = drawn()
    assert averaged({}, network) is network


@pytest.mark.parametrize("average", ["none", "ema"])
@pytest.mark.parametrize("stop", [3, 7, 11])
def test_a_run_that_goes_on_has_the_bits_of_one_that_did_not_stop(average: str, stop: int, tmp_path: Path) -> None:
    values = with_training(average=average, seeds=2, input_noise=0.1)
    values["model"] = {**VALUES["model"], "segment": "season", "input_dropout": 0.2, "recurrent_dropout": 0.1}
    values["window"] = {"context": "2 seasons"}
    whole = fit(waves(), tmp_path / "whole", values)
    folder = tmp_path / "stopped"
    tables = opened(waves(), folder)
    config = config_of(folder, values)

    class StopError(Exception):
        pass

    events = []

    def stopping(event: object) -> None:
        events.append(event)
        if len(events) == stop:
            raise StopError

    request = Request(folder / "run", overwrite=True, save_every=0.0)
    with pytest.raises(StopError):
        story.train(config, tables, request, Watch(lambda fit, state: None, stopping, lambda text: None))
    again = Request(folder / "run", resume=True)
    resumed = story.train(config, opened(waves(), folder), again, SILENT).model
    assert weights(resumed) == weights(whole)


def test_noise_is_for_numbers_and_not_for_codes_or_padding(tmp_path: Path) -> None:
    frame = waves(40).assign(kind=[f"k{row % 5}" for row in range(40)])
    values = with_training(input_noise=0.5)
    values["data"] = {"target": "y", "past": ["kind"], "categorical": "kind", "season": 6}
    values["window"] = {"context": 30}  # most windows are shorter
    fitting = story._fit(prepared(frame, tmp_path, values), torch.device("cpu"))
    batch = fitting.train.batch(np.arange(len(fitting.train)))
    assert batch.lengths is not None
    noisy = with_noise(batch, fitting.task, 0.5, torch.Generator().manual_seed(0)).past
    valid = torch.arange(noisy.shape[1]) < batch.lengths[:, None]
    moved = (noisy - batch.past)[:, :, 0]
    assert moved[valid].std().item() == pytest.approx(0.5, rel=0.1)
    assert (moved[~valid] == 0).all()
    assert torch.equal(noisy[:, :, 1], batch.past[:, :, 1])
