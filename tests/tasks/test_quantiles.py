"""Quantiles of a forecast: they never cross, the median is the point, and their scores are scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import mean_pinball_loss
from small_runs import answers, fit, opened, weights

from rnncli.config import schema
from rnncli.config.document import Document
from rnncli.config.load import check
from rnncli.data.panel import Columns, Panel
from rnncli.data.scale import fit_scaler
from rnncli.data.split import everything
from rnncli.data.windows import Batch
from rnncli.errors import UsageError
from rnncli.evaluation.evaluate import held_out, score
from rnncli.evaluation.scores import Scores
from rnncli.predict import Wanted
from rnncli.tasks.forecasting import Forecasting
from rnncli.tasks.metrics import Units, forecast_metrics

LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
HORIZON, TARGETS = 3, 2


def task_of(levels: tuple[float, ...], transform: str = "none") -> Forecasting:
    values: dict[str, Any] = {
        "data": {"path": "d.csv", "target": ["y", "z"]},
        "task": {"kind": "forecasting", "horizon": HORIZON, "quantiles": list(levels)},
        "window": {"transform": transform},
        "training": {"loss": "quantile"},
    }
    return Forecasting(check(Document(values, {})), Columns(("y", "z")))


def batch_of(level: np.ndarray, spread: np.ndarray) -> Batch:
    empty = torch.empty(len(level), 0)
    known = torch.ones(len(level), HORIZON, TARGETS, dtype=torch.bool)
    target = torch.zeros(len(level), HORIZON, TARGETS)
    parts = (torch.from_numpy(part.astype(np.float32)) for part in (level, spread))
    return Batch(empty, None, empty, empty, *parts, target, known, None, np.arange(len(level)))


OUTPUTS = hnp.arrays(np.float32, (4, HORIZON * TARGETS * len(LEVELS)), elements=st.floats(-50, 50, width=32))
PARTS = hnp.arrays(np.float64, (4, TARGETS), elements=st.floats(0.0625, 16))


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(OUTPUTS, PARTS, PARTS, st.sampled_from(["none", "log"]), st.sampled_from(["series", "panel"]))
def test_quantiles_never_cross_and_the_median_is_the_point(outputs, level, spread, transform, per):
    task = task_of(LEVELS, transform)
    answer = task.answer(torch.from_numpy(outputs), batch_of(level, spread))
    assert answer.shape == (4, HORIZON, TARGETS, len(LEVELS))
    values = np.random.default_rng(0).random((20, TARGETS)) + 0.5
    panel = Panel(("y", "z"), (("a",), ("b",)), np.array([0, 10, 20]), np.arange(20), values, np.arange(20))
    scaler = fit_scaler(panel, task.columns, everything(panel), schema.Scale(per=per), transform)
    series = np.array([0, 1, 1, 0])
    for some in (answer.numpy().astype(float), task.original(answer.double().numpy(), scaler, series)):
        assert (some[..., 1:] >= some[..., :-1]).all()
        np.testing.assert_array_equal(task.point(some), some[..., 2])


def test_every_quantile_can_be_any_output():
    """Sorting is all that is done: the values are the network's own."""
    task = task_of(LEVELS)
    outputs = torch.randn(4, HORIZON * TARGETS * len(LEVELS), generator=torch.Generator().manual_seed(0))
    one = np.ones((4, TARGETS))
    answer = task.answer(outputs, batch_of(0 * one, one))
    expected = np.sort(outputs.numpy().reshape(4, HORIZON, TARGETS, len(LEVELS)), axis=-1)
    np.testing.assert_array_equal(answer.numpy(), expected)


LEVEL_SETS = st.lists(st.integers(1, 99), max_size=6).map(lambda some: tuple(sorted({0.5, *(n / 100 for n in some)})))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(LEVEL_SETS, st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_pinball_is_scikit_learns_mean_over_the_levels(levels, windows, seed):
    random = np.random.default_rng(seed)
    truth = random.normal(size=(windows, HORIZON, 1))
    answer = np.sort(random.normal(size=(windows, HORIZON, 1, len(levels))), axis=-1)
    ones = Units(np.ones_like(truth), np.ones_like(truth))

    def scored(some: np.ndarray) -> dict[str, float]:
        scores = Scores(forecast_metrics(levels), 1, HORIZON)
        scores.add(truth, some, ones, np.zeros(windows, dtype=np.int64))
        return scores.overall()

    theirs = [mean_pinball_loss(truth[..., 0], answer[..., 0, n], alpha=level) for n, level in enumerate(levels)]
    result = scored(answer)
    assert result["pinball"] == pytest.approx(np.mean(theirs))
    median = answer[..., levels.index(0.5)]
    assert result["mae"] == pytest.approx(np.abs(truth - median).mean())
    point = [mean_pinball_loss(truth[..., 0], median[..., 0], alpha=level) for level in levels]
    assert scored(median)["pinball"] == pytest.approx(np.mean(point))  # a baseline: its point for every level


def test_coverage_counts_what_lies_between_two_quantiles():
    truth = np.array([0.0, 1.0, 2.0, 2.5, -3.0, np.nan])[:, None, None]
    answer = np.broadcast_to(np.array([-2.0, -1.0, 0.0, 1.0, 2.0]), (6, 1, 1, 5))
    ones = Units(np.ones((6, 1, 1)), np.ones((6, 1, 1)))
    scores = Scores(forecast_metrics(LEVELS), 1, 1)
    scores.add(truth, answer, ones, np.zeros(6, dtype=np.int64))
    assert scores.overall()["coverage_80"] == pytest.approx(2 / 5)
    assert scores.overall()["coverage_95"] == pytest.approx(3 / 5)
    point = Scores(forecast_metrics(LEVELS), 1, 1)
    point.add(truth, answer[..., 2], ones, np.zeros(6, dtype=np.int64))
    assert np.isnan(point.overall()["coverage_80"])
    assert "coverage_80" not in forecast_metrics((0.2, 0.5, 0.9))
    assert "pinball" not in forecast_metrics(())


def noisy(rows: int = 90, ids: str = "abcdefgh") -> pd.DataFrame:
    """Noise whose spread depends on the season: wide in even rows, narrow in odd ones."""
    random, odd = np.random.default_rng(0), np.arange(rows) % 2
    parts = [
        pd.DataFrame(
            {"id": name, "t": range(rows), "odd": odd, "y": 20 + random.normal(size=rows) * np.where(odd, 1, 5)}
        )
        for name in ids
    ]
    return pd.concat(parts, ignore_index=True)


def values(**sections: Any) -> dict[str, Any]:
    return {
        "data": {"time": "t", "series": "id", "target": "y", "future": "odd"},
        "task": {"kind": "forecasting", "horizon": 2},
        "window": {"context": 4, "normalise": "none"},
        "training": {"loss": "quantile", "epochs": 30, "learning_rate": 0.01},
        "split": {"validation": 10, "test": 20},
        **sections,
    }


def ahead(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(y=frame["y"].where(frame["t"] < frame["t"].max() - 1))


def test_quantiles_learn_a_spread_and_are_printed(tmp_path):
    frame = noisy()
    model = fit(frame, tmp_path, values())
    table = answers(model, ahead(frame), tmp_path, Wanted(quantiles=True))
    names = ["y_q2.5", "y_q10", "y_q50", "y_q90", "y_q97.5"]
    assert list(table.columns) == ["id", "t", "step", "y_pred", *names]
    assert (table["y_q50"] == table["y_pred"]).all()
    assert (np.diff(table[names]) >= 0).all()
    width = (table["y_q90"] - table["y_q10"]).groupby(table["step"]).mean()
    assert width[1] == pytest.approx(2 * 1.2816 * 5, rel=0.35)  # row 88 is even, row 89 odd
    assert width[2] == pytest.approx(2 * 1.2816, rel=0.35)
    assert list(answers(model, ahead(frame), tmp_path).columns) == ["id", "t", "step", "y_pred"]
    data = held_out(model, opened(frame, tmp_path))
    scored = score(model, data, data.split.test)
    found = scored.model.overall()
    assert found["coverage_80"] == pytest.approx(0.8, abs=0.08)
    assert found["coverage_95"] == pytest.approx(0.95, abs=0.06)
    assert found["pinball"] < min(part.overall()["pinball"] for part in scored.baselines.values())


def test_only_a_model_of_quantiles_gives_them(tmp_path):
    model = fit(noisy(), tmp_path, values(training={"loss": "mae", "epochs": 1}))
    with pytest.raises(UsageError, match="--quantiles: the model has none") as caught:
        answers(model, ahead(noisy()), tmp_path, Wanted(quantiles=True))
    assert "training.loss=quantile" in str(caught.value.problems[0].hint)


def test_the_median_alone_is_the_absolute_error(tmp_path):
    """The pinball loss of the median is |error|: the same steps, bit for bit."""
    settings_ = values(task={"kind": "forecasting", "horizon": 2, "quantiles": [0.5]})
    settings_["training"] = {"loss": "quantile", "epochs": 2}
    median = fit(noisy(), tmp_path / "a", settings_)
    point = fit(noisy(), tmp_path / "b", values(training={"loss": "mae", "epochs": 2}))
    first, second = weights(median), weights(point)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        np.testing.assert_allclose(tensor, second[name], atol=1e-5)
