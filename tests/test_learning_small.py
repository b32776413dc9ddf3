"""Small networks learn what their inputs tell, and are told so when there is nothing to learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_runs import fit, opened

from rnncli.evaluation.evaluate import document, held_out, score
from rnncli.evaluation.verdict import verdict

NOISE = 0.3


def scores(frame: pd.DataFrame, folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    """The document of a model's test scores."""
    model = fit(frame, folder, values)
    data = held_out(model, opened(frame, folder))
    return document(model, {"task": model.config.task.kind}, None, score(model, data, data.split.test))


def forecasting(**data: Any) -> dict[str, Any]:
    return {
        "data": {"time": "t", "target": "y", **data},
        "task": {"kind": "forecasting", "horizon": 3},
        "window": {"context": 4, "normalise": "none"},
        "training": {"epochs": 10, "loss": "mse", "learning_rate": 0.02, "batch_size": 32},
        "model": {"cell": "gru", "hidden_size": 16},
    }


def priced(rows: int = 500) -> pd.DataFrame:
    """What is sold follows from the price of the day, which is drawn anew every day."""
    random = np.random.default_rng(0)
    price = random.choice([1.0, 2.0, 3.0], rows)
    return pd.DataFrame(
        {"t": range(rows), "y": 10 - 2 * price + NOISE * random.normal(size=rows), "price": price,
            "word": np.array(["", "low", "mid", "high"])[price.astype(int)]}
    )  # fmt: skip


@pytest.mark.parametrize("column", [{"future": "price"}, {"future": "word", "categorical": "word"}], ids=str)
def test_what_is_known_ahead_and_decides_the_target_brings_the_error_to_the_noise(column, tmp_path):
    found = scores(priced(), tmp_path, forecasting(**column))
    assert found["test"]["rmse"] < 1.25 * NOISE
    assert found["skill"]["mae"] > 0.7
    blind = scores(priced(), tmp_path, forecasting(past="price"))
    assert blind["test"]["rmse"] > 1.2  # the past price says nothing of tomorrow's


def test_the_calendar_brings_what_hangs_on_the_weekday(tmp_path):
    random = np.random.default_rng(1)
    days = pd.date_range("2020-01-01", periods=500)
    frame = pd.DataFrame({"t": days, "y": np.where(days.day_of_week >= 5, 9.0, 4.0) + NOISE * random.normal(size=500)})
    found = scores(frame, tmp_path, forecasting(calendar="weekday"))
    assert found["test"]["rmse"] < 1.3 * NOISE


def levels(series: int = 60, rows: int = 9) -> pd.DataFrame:
    """Sequences of noise whose number hangs on the kind of the series alone."""
    random = np.random.default_rng(0)
    parts = []
    for number in range(series):
        kind = number % 4
        parts.append(
            pd.DataFrame(
                {
                    "id": f"s{number}",
                    "t": range(rows),
                    "x": random.normal(size=rows),
                    "kind": "pqrs"[kind],
                    "size": kind,
                    "y": [10.0, -5.0, 2.0, 7.0][kind] + NOISE * random.normal(size=rows),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def regression(**data: Any) -> dict[str, Any]:
    return {
        "data": {"series": "id", "time": "t", "target": "y", "past": "x", **data},
        "task": {"kind": "regression"},
        "window": {"context": 4},
        "training": {"epochs": 12, "learning_rate": 0.01},
        "model": {"cell": "gru", "hidden_size": 16},
        "split": {"validation": 0.2, "test": 0.2},
    }


@pytest.mark.parametrize("column", [{"static": "size"}, {"static": "kind", "categorical": "kind"}], ids=str)
def test_a_static_column_that_decides_the_level_is_read(column, tmp_path):
    found = scores(levels(), tmp_path, regression(**column))
    assert found["test"]["rmse"] < 2.5 * NOISE
    assert "beats the best baseline" in verdict(found)
    blind = scores(levels(), tmp_path, regression())
    assert blind["test"]["rmse"] > 4


def test_regression_finds_a_sum_over_the_window(tmp_path):
    """The number is the newest input and half of the one before: ridge, which sees the newest row, is beaten."""
    random = np.random.default_rng(2)
    frame = pd.DataFrame({"id": np.repeat([f"s{n}" for n in range(40)], 20), "t": np.tile(range(20), 40)})
    frame["x"] = random.normal(size=len(frame))
    frame["y"] = frame["x"] + 0.5 * frame.groupby("id")["x"].shift(1).fillna(0)
    found = scores(frame, tmp_path, regression())
    assert found["test"]["rmse"] < 0.2
    assert found["skill"]["rmse"] > 0.5


def tagging(target: Any, **sections: Any) -> dict[str, Any]:
    return {
        "data": {"series": "id", "time": "t", "target": target, "past": "x"},
        "task": {"kind": "tagging"},
        "window": {"context": 16},
        "training": {"epochs": 15, "learning_rate": 0.02, "batch_size": 16},
        "model": {"cell": "lstm", "hidden_size": 16},
        "split": {"by": "series", "validation": 0.15, "test": 0.15},
        **sections,
    }


def bits(series: int = 30, rows: int = 48) -> pd.DataFrame:
    """Random bits, and of each row what came two rows before, whether it differs from the row before, and a word."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.repeat([f"s{n}" for n in range(series)], rows), "t": np.tile(range(rows), series)})
    frame["x"] = random.integers(0, 2, len(frame))
    groups = frame.groupby("id")["x"]
    frame["copy"] = groups.shift(2).fillna(0).astype(int)
    frame["odd"] = (frame["x"] + groups.shift(1).fillna(0)).astype(int) % 2
    frame["word"] = np.array(["same", "other"])[frame["odd"]]
    return frame


@pytest.mark.parametrize("target", ["copy", "odd", ["copy", "odd"]], ids=str)
def test_tagging_learns_a_copy_of_the_past_and_parity(target, tmp_path):
    found = scores(bits(), tmp_path, tagging(target))
    assert found["test"]["accuracy"] > 0.97
    assert found["test"]["nll"] < 0.15
    assert found["skill"]["nll"] > 0.8


def test_tagging_learns_words(tmp_path):
    found = scores(bits(), tmp_path, tagging("word"))
    assert found["test"]["accuracy"] > 0.97
    assert found["baselines"]["majority"]["accuracy"] < 0.6


def test_a_backward_look_tags_with_what_comes_next(tmp_path):
    frame = bits()
    frame["next"] = frame.groupby("id")["x"].shift(-1).fillna(0).astype(int)
    whole = {"window": {"context": "full"}}
    model = {"cell": "gru", "hidden_size": 16, "bidirectional": True}
    assert scores(frame, tmp_path, tagging("next", **whole, model=model))["test"]["accuracy"] > 0.97
    model = {"cell": "gru", "hidden_size": 16}
    assert scores(frame, tmp_path, tagging("next", **whole, model=model))["test"]["accuracy"] < 0.65


def test_a_random_walk_is_not_beaten_and_that_is_said(tmp_path):
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"t": range(900), "y": 100 + random.normal(size=900).cumsum()})
    found = scores(frame, tmp_path, forecasting())
    assert found["skill"]["mae"] <= 0
    assert verdict(found).startswith("The model does NOT beat")
