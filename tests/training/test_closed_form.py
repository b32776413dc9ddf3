"""A map in closed form is kept where no epoch is better by more than may be chance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from small_runs import fit

from rnncli import checkpoint

SKIP = {"skip": "linear", "segment": 4, "decoder": "parallel"}


def _line(folder: Path) -> pd.DataFrame:
    """An autoregression, which a linear map forecasts as well as anything can."""
    noise = np.random.default_rng(5).normal(size=400)
    values = np.zeros(400)
    for row in range(2, 400):
        values[row] = 1.2 * values[row - 1] - 0.5 * values[row - 2] + noise[row]
    return pd.DataFrame({"y": values})


def _values(**training: Any) -> dict[str, Any]:
    return {
        "data": {"target": "y"},
        "task": {"kind": "forecasting", "horizon": 4},
        "window": {"context": 16},
        "training": {"epochs": 4, "learning_rate": 1e-4, "patience": None, **training},
    }


def _best_epoch(folder: Path) -> int:
    state = checkpoint.read(folder / "run" / "last.safetensors", checkpoint.STATE)
    return int(state.content["counters"]["best_epoch"])


def test_where_no_epoch_is_better_by_enough_the_map_alone_is_the_model(tmp_path: Path) -> None:
    model = fit(_line(tmp_path), tmp_path, _values() | {"model": SKIP})
    assert _best_epoch(tmp_path) == 0
    weights = model.network.state_dict()
    assert weights["skip.weight"].abs().max() > 0.1
    assert not torch.any(weights["decoder.out.weight"])  # as it was before the first step


def test_an_epoch_that_is_better_by_enough_takes_the_place_of_the_map(tmp_path: Path) -> None:
    skip, values = {**SKIP, "hidden_size": 32}, [0.3]
    while len(values) < 400:  # the logistic map, of which a linear one knows nothing
        values.append(3.9 * values[-1] * (1 - values[-1]))
    model = fit(pd.DataFrame({"y": values}), tmp_path, _values(learning_rate=0.01, epochs=20) | {"model": skip})
    assert _best_epoch(tmp_path) > 0
    assert torch.any(model.network.state_dict()["decoder.out.weight"])
