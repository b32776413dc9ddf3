"""A map in closed form answers beside a network that was trained without it; their shares follow from validation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from small_runs import config_of, fit, opened, prepared

from rnncli import checkpoint
from rnncli.training.prepare import on_device, scoring_windows
from rnncli.training.request import Request, StopTraining, Watch
from rnncli.training.skip import SHARES, USUAL_SHARE
from rnncli.training.state import EpochDone, Event, StepDone
from rnncli.training.train import train

PIECES = {"segment": 4, "decoder": "parallel"}
LINEAR = {**PIECES, "skip": "linear"}
LAST = ("decoder.out.weight", "decoder.out.bias", "level.weight")


def _line() -> pd.DataFrame:
    """An autoregression, which a linear map forecasts as well as anything can."""
    noise = np.random.default_rng(5).normal(size=400)
    values = np.zeros(400)
    for row in range(2, 400):
        values[row] = 1.2 * values[row - 1] - 0.5 * values[row - 2] + noise[row]
    return pd.DataFrame({"y": values})


def _chaos() -> pd.DataFrame:
    """The logistic map, of which a linear one knows nothing."""
    values = [0.3]
    while len(values) < 400:
        values.append(3.9 * values[-1] * (1 - values[-1]))
    return pd.DataFrame({"y": values})


def _values(model: dict[str, Any], split: dict[str, Any] | None = None, **training: Any) -> dict[str, Any]:
    return {
        "data": {"target": "y"},
        "task": {"kind": "forecasting", "horizon": 4},
        "window": {"context": 16},
        "model": model,
        "split": split or {},
        "training": {"epochs": 4, "learning_rate": 1e-4, "patience": None, **training},
    }


def _state(folder: Path) -> dict[str, Any]:
    counters = checkpoint.read(folder / "run" / "last.safetensors", checkpoint.STATE).content["counters"]
    assert isinstance(counters, dict)
    return counters


def _stopping(when: Callable[[Event], bool]) -> Watch:
    def event(happened: Event) -> None:
        if when(happened):
            raise StopTraining

    return Watch(lambda fit, state: None, event, lambda text: None)


def _train(folder: Path, watch: Watch, frame: pd.DataFrame, *, resume: bool = False) -> None:
    values = _values({**LINEAR, "hidden_size": 32}, learning_rate=0.01, epochs=5)
    tables = opened(frame, folder)
    train(config_of(folder, values), tables, Request(folder / "run", resume=resume), watch)


def test_a_network_that_adds_nothing_has_no_share(tmp_path: Path) -> None:
    weights = fit(_line(), tmp_path, _values(LINEAR)).network.state_dict()
    assert weights["skip.weight"].abs().max() > 0.1
    assert not any(torch.any(weights[name]) for name in LAST)


def test_a_map_that_adds_nothing_has_no_share(tmp_path: Path) -> None:
    model = {**LINEAR, "hidden_size": 32}
    weights = fit(_chaos(), tmp_path, _values(model, learning_rate=0.01, epochs=20)).network.state_dict()
    whole = fit(_chaos(), tmp_path, _values(model, epochs=1, split={"validation": 0})).network.state_dict()
    assert torch.any(weights["decoder.out.weight"])
    assert weights["skip.weight"].norm() < 0.5 * whole["skip.weight"].norm()


def test_patience_is_with_the_network_and_not_with_the_map(tmp_path: Path) -> None:
    """The network is worse than the map for long, but becomes better and better."""
    fit(_line(), tmp_path, _values(LINEAR, epochs=6, learning_rate=1e-3, patience=2, schedule="constant"))
    losses = pd.read_csv(tmp_path / "run" / "history.csv")["validation_loss"]
    assert len(losses) == 6
    assert losses.nunique() == 1  # that of the map alone
    assert _state(tmp_path)["stale"] == 0
    assert _state(tmp_path)["best_epoch"] == 1


@pytest.mark.parametrize("training", [{}, {"seeds": 2}, {"average": "ema"}])
def test_the_network_is_trained_as_if_it_were_alone(tmp_path: Path, training: dict[str, Any]) -> None:
    """Without a validation part both have half of the answer."""
    frame, split = _line(), {"validation": 0}
    alone = fit(frame, tmp_path / "alone", _values(PIECES, split, **training))
    both = fit(frame, tmp_path / "both", _values(LINEAR, split, **training))
    assert USUAL_SHARE == 0.5
    found = both.network.state_dict()
    for name, weight in alone.network.state_dict().items():
        expected = weight / 2 if name.endswith(LAST) else weight
        assert torch.equal(found[name], expected), name
    own = [weight for name, weight in found.items() if name.endswith("skip.weight")]
    assert len(own) == training.get("seeds", 1)
    assert all(torch.equal(weight, own[0]) for weight in own)
    with torch.no_grad():
        past = torch.randn(3, 16, 1, generator=torch.Generator().manual_seed(0))
        expected = alone.network(past) / 2 + past[:, :, 0] @ own[0].T
        torch.testing.assert_close(both.network(past), expected)


def test_the_share_is_the_smallest_that_is_as_good_as_the_best_but_for_a_hundredth(tmp_path: Path) -> None:
    """By the errors of network and map, each from a model that is one of the two alone."""
    frame = _chaos() + _line() / 20
    training = {"epochs": 1, "steps_per_epoch": 100, "learning_rate": 0.01}
    alone = fit(frame, tmp_path / "alone", _values(PIECES, **training)).network
    both = fit(frame, tmp_path / "both", _values(LINEAR, **training)).network
    with pytest.raises(StopTraining):
        _train(tmp_path / "map", _stopping(lambda event: True), frame)
    saved = checkpoint.read(tmp_path / "map" / "run" / "model.safetensors", checkpoint.MODEL).tensors
    weight = torch.from_numpy(saved["network.skip.weight"])
    data = prepared(frame, tmp_path / "data", _values(PIECES))
    windows = scoring_windows(data, data.split.validation, on_device(data, torch.device("cpu")))
    batch = windows.batch(np.arange(len(windows)))
    with torch.no_grad():
        own, mapped = alone(batch.past, level=batch.level), batch.past[:, :, 0] @ weight.T
        wanted = batch.target[:, :, 0] - batch.level
        errors = [(share * own + (1 - share) * mapped - wanted).abs().mean() for share in SHARES]
        share = next(share for share, error in zip(SHARES, errors, strict=True) if error <= 1.01 * min(errors))
        assert 0 < share < 1
        expected = share * own + (1 - share) * mapped
        torch.testing.assert_close(both(batch.past, level=batch.level), expected)


def test_a_run_says_what_it_kept(tmp_path: Path) -> None:
    """The share, and the validation loss of the blend with that share, not with the best one."""
    frame, said = _chaos() + _line() / 20, []
    watch = Watch(lambda fit, state: None, lambda event: said.append(event), lambda text: None)
    values = _values({**LINEAR, "hidden_size": 32}, learning_rate=0.01, epochs=5)
    kept = train(config_of(tmp_path, values), opened(frame, tmp_path), Request(tmp_path / "run"), watch)
    best = [event for event in said if isinstance(event, EpochDone) and event.best][-1]
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["network_share"] == best.share == _state(tmp_path)["share"]
    data = prepared(frame, tmp_path / "data", _values(PIECES))
    windows = scoring_windows(data, data.split.validation, on_device(data, torch.device("cpu")))
    batch = windows.batch(np.arange(len(windows)))
    with torch.no_grad():
        answer = kept.model.network(batch.past, level=batch.level)
    loss = (answer - (batch.target[:, :, 0] - batch.level)).abs().mean()
    assert best.row["validation_loss"] == pytest.approx(float(loss), rel=1e-5)


def test_stopped_and_resumed_it_comes_to_the_same_bits(tmp_path: Path) -> None:
    never, frame = _stopping(lambda event: False), _chaos()
    _train(tmp_path / "whole", never, frame)
    moments: list[Callable[[Event], bool]] = [
        lambda event: isinstance(event, StepDone) and (event.epoch, event.step) == (1, 1),
        lambda event: isinstance(event, StepDone) and (event.epoch, event.step) == (3, 2),
        lambda event: isinstance(event, EpochDone) and event.row["epoch"] == 2,
    ]
    expected = checkpoint.read(tmp_path / "whole" / "run" / "model.safetensors", checkpoint.MODEL).tensors
    for number, when in enumerate(moments):
        folder = tmp_path / str(number)
        with pytest.raises(StopTraining):
            _train(folder, _stopping(when), frame)
        _train(folder, never, frame, resume=True)
        assert (folder / "run" / "history.csv").read_bytes() == (
            tmp_path / "whole" / "run" / "history.csv"
        ).read_bytes()
        found = checkpoint.read(folder / "run" / "model.safetensors", checkpoint.MODEL).tensors
        assert found.keys() == expected.keys()
        assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_before_the_first_epoch_the_map_alone_is_the_model(tmp_path: Path) -> None:
    with pytest.raises(StopTraining):
        _train(tmp_path, _stopping(lambda event: True), _chaos())
    weights = checkpoint.read(tmp_path / "run" / "model.safetensors", checkpoint.MODEL).tensors
    assert np.abs(weights["network.skip.weight"]).max() > 0
    assert not any(weights[f"network.{name}"].any() for name in LAST)
