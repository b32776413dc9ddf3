"""Scores of forecasts are those that utilsforecast, which Nixtla's libraries share, finds on the same rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from utilsforecast import losses

from rnncli.config import schema
from rnncli.data.panel import Columns, Panel
from rnncli.data.scale import fit_scaler
from rnncli.data.split import Part
from rnncli.evaluation.scores import Scores
from rnncli.tasks.metrics import Units, forecast_metrics

LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
NAMES = ["lo-95", "lo-80", "median", "hi-80", "hi-95"]
SERIES, TRAIN, HORIZON = 3, 12, 4


@settings(max_examples=10, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 7]))
def test_scores_of_every_series_are_utilsforecasts(seed, season):
    random = np.random.default_rng(seed)
    truth = random.normal(size=(SERIES, TRAIN + HORIZON)) * 10 + 50
    answer = np.sort(truth[:, TRAIN:, None] + random.normal(size=(SERIES, HORIZON, len(LEVELS))) * 9, axis=-1)
    offsets = np.arange(SERIES + 1) * (TRAIN + HORIZON)
    rows = int(offsets[-1])
    ids = tuple((f"s{number}",) for number in range(SERIES))
    panel = Panel(("y",), ids, offsets, np.arange(rows), truth.reshape(-1, 1), np.arange(rows))
    columns = Columns(("y",), season=season)
    scaler = fit_scaler(panel, columns, Part(offsets[:-1], offsets[:-1] + TRAIN), schema.Scale(per="series"), "none")
    units = Units(scaler.deviation[:, None], scaler.seasonal_error[:, None])
    scores = Scores(forecast_metrics(LEVELS), SERIES, HORIZON)
    scores.add(truth[:, TRAIN:, None], answer[:, :, None], units, np.arange(SERIES))
    ours = scores.by_series()

    frame = pd.DataFrame({"unique_id": np.repeat([name for (name,) in ids], TRAIN + HORIZON),
        "ds": np.tile(np.arange(TRAIN + HORIZON), SERIES), "y": truth.reshape(-1)})  # fmt: skip
    train = frame[frame["ds"] < TRAIN]
    test = frame[frame["ds"] >= TRAIN].reset_index(drop=True)
    for number, name in enumerate(NAMES):
        test[f"m-{name}"] = answer[..., number].reshape(-1)
    test["m"] = test["m-median"]
    theirs = {
        "mae": losses.mae(test, ["m"]),
        "mse": losses.mse(test, ["m"]),
        "rmse": losses.rmse(test, ["m"]),
        "mase": losses.mase(test, ["m"], seasonality=season, train_df=train),
        "smape": losses.smape(test, ["m"]).assign(m=lambda found: found["m"] * 200),  # theirs ends at 1
        "pinball": losses.mqloss(test, {"m": [f"m-{name}" for name in NAMES]}, np.array(LEVELS)),
        "coverage_80": losses.coverage(test, ["m"], 80),
        "coverage_95": losses.coverage(test, ["m"], 95),
    }
    for name, found in theirs.items():
        expected = found.sort_values("unique_id")["m"].tolist()
        assert [ours[number][name] for number in range(SERIES)] == pytest.approx(expected), name
