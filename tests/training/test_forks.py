"""Forking sequences: every row of a window is an origin, and what is trained there is what is forecast from there."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from small_runs import answers, fit, prepared

from rnncli.model.ensemble import members_of
from rnncli.tasks.answers import run
from rnncli.trained import build_network
from rnncli.training import train as story
from rnncli.training.gradient import backward

CPU = torch.device("cpu")
PLAIN: dict[str, Any] = {"model": {"cell": "gru"}}
KINDS: dict[str, dict[str, Any]] = {
    "rnn": {"model": {"cell": "rnn"}, "window": {"normalise": "none"}},
    "lstm": {"model": {"cell": "lstm", "num_layers": 2}},
    "gru": PLAIN,
    "carry": {"model": {"cell": "carry_lstm"}},
    "filters": {"model": {"front_end": "conv"}},
    "known ahead": {"data": {"time": "day", "calendar": ["weekday"]}},
    "static": {"data": {"static": "size"}},
    "quantiles": {"training": {"loss": "quantile"}},
    "weights": {"data": {"weight": "w"}},
}


def values(kind: dict[str, Any]) -> dict[str, Any]:
    data = {"target": "y", "series": "id", "time": "t", "missing": "ffill", "short_series": "skip"}
    return {
        "data": {**data, **kind.get("data", {})},
        "task": {"kind": "forecasting", "horizon": 4},
        "window": {"context": 10, "origins": "every", "stride": 7, **kind.get("window", {})},
        "split": {"validation": 5, "test": 5},
        "model": kind.get("model", {}),
        "training": kind.get("training", {}),
    }


def waves() -> pd.DataFrame:
    parts = []
    for number, length in enumerate((50, 31, 23)):
        steps = np.arange(length)
        y = 5 * number + np.sin(steps * math.pi / 4) + np.random.default_rng(number).normal(size=length) / 5
        parts.append(pd.DataFrame({"id": f"s{number}", "t": steps, "y": y, "size": number, "w": 1 + steps % 3}))
    frame = pd.concat(parts, ignore_index=True)
    frame.loc[[12, 40, 60], "y"] = np.nan
    return frame.assign(day=pd.Timestamp("2024-01-01") + pd.to_timedelta(frame["t"], unit="D"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_trained_at_a_row_is_what_is_forecast_from_there(kind: str, tmp_path: Path) -> None:
    data = prepared(waves(), tmp_path, values(KINDS[kind]))
    fitting = story._fit(data, CPU)
    (network,) = members_of(build_network(data.config, data.columns, 3))
    with torch.no_grad():
        for parameter in network.parameters():  # some start at zero
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(7)) * 0.3)
    batch = fitting.train.batch(np.arange(len(fitting.train)))
    assert batch.lengths is not None
    assert batch.lengths.min() < batch.lengths.max() == 10
    forks = fitting.train.forks(batch)
    every = fitting.task.answer(run(network, batch, None, forks), forks)
    losses = fitting.task.loss(every, forks).view(len(batch.past), -1)
    expected = []
    for place, (origin, length) in enumerate(zip(fitting.train.origins, batch.lengths.tolist(), strict=True)):
        own = []
        for step in range(length):
            shape = replace(fitting.train.shape, context=step + 1)
            shorter = replace(fitting.train, shape=shape, origins=np.array([origin - length + step + 1]))
            alone = shorter.batch(np.array([0]))
            answer = fitting.task.answer(run(network, alone), alone)
            torch.testing.assert_close(answer[0], every[place * 10 + step], rtol=1e-4, atol=1e-5)
            own.append(fitting.task.loss(answer, alone).item())
        np.testing.assert_allclose(losses[place, :length].detach(), own, rtol=1e-3, atol=1e-5)
        expected.append(np.mean(own))
    found = backward(network, fitting.task, batch, forks, torch.Generator(), bf16=False)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_windows_reach_every_origin_of_the_training_part_and_none_beyond(tmp_path: Path) -> None:
    data = prepared(waves(), tmp_path, values(PLAIN))
    windows = story._fit(data, CPU).train
    rows = np.concatenate([np.arange(begin, end) for begin, end in zip(windows.begins, windows.origins, strict=True)])
    first, last = data.split.train.first, data.split.train.last
    reached = np.concatenate([np.arange(begin, end - 4) for begin, end in zip(first, last, strict=True)])
    assert sorted(set(rows.tolist())) == reached.tolist()


def test_one_pass_over_a_whole_series_learns_what_windows_learn(tmp_path: Path) -> None:
    steps = np.arange(400)
    frame = pd.DataFrame({"y": np.sin(steps * math.pi / 6) * 3 + 10})
    common = {"data": {"target": "y"}, "task": {"kind": "forecasting", "horizon": 6}, "model": {"cell": "gru"}}
    training = {"epochs": 60, "batch_size": 4, "learning_rate": 0.01, "patience": None}
    window = {"context": 48, "origins": "every"}
    model = fit(frame, tmp_path, {**common, "window": window, "training": training})
    truth = np.sin(np.arange(400, 406) * math.pi / 6) * 3 + 10
    assert np.abs(answers(model, frame, tmp_path)["y_pred"] - truth).mean() < 0.3
