"""Metrics equal scikit-learn's and their definitions, pass over what is not known, and add up over batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from rnncli.tasks.metrics import LABEL_METRICS, NUMBER_METRICS, Scores, Units

ONE = Units(np.ones((1, 1, 1)), np.ones((1, 1, 1)))


def scored(truth: np.ndarray, answer: np.ndarray, units: Units = ONE, series: np.ndarray | None = None) -> Scores:
    metrics = LABEL_METRICS if truth.shape[1:] == (1, 1) and answer.ndim == 2 else NUMBER_METRICS
    numbers = np.zeros(len(truth), dtype=np.int64) if series is None else series
    scores = Scores(metrics, int(numbers.max()) + 1, truth.shape[1])
    for start in range(0, len(truth), 7):  # in batches, as evaluation does
        part = slice(start, start + 7)
        own = Units(
            np.broadcast_to(units.deviation, truth.shape)[part],
            np.broadcast_to(units.seasonal_error, truth.shape)[part],
        )
        scores.add(truth[part], answer[part], own, numbers[part])
    return scores


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_forecast_metrics_are_scikit_learns(windows: int, steps: int, targets: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    truth, answer = random.normal(size=(2, windows, steps, targets))
    result = scored(truth, answer).overall()
    assert result["mae"] == pytest.approx(sk.mean_absolute_error(truth.ravel(), answer.ravel()))
    assert result["mse"] == pytest.approx(sk.mean_squared_error(truth.ravel(), answer.ravel()))
    assert result["rmse"] == pytest.approx(sk.root_mean_squared_error(truth.ravel(), answer.ravel()))


def test_symmetric_error_is_the_m4_competitions() -> None:
    truth, answer = np.array([[[2.0], [0.0], [-1.0]]]), np.array([[[1.0], [0.0], [1.0]]])
    assert scored(truth, answer).overall()["smape"] == pytest.approx((200 / 3 + 0 + 200) / 3)


def test_scaled_errors_are_in_their_units() -> None:
    truth, answer = np.zeros((2, 1, 1)), np.array([[[2.0]], [[6.0]]])
    units = Units(deviation=np.array([[[2.0]], [[3.0]]]), seasonal_error=np.array([[[1.0]], [[4.0]]]))
    result = scored(truth, answer, units).overall()
    assert result["scaled_mse"] == pytest.approx((1 + 4) / 2)
    assert result["scaled_mae"] == pytest.approx((1 + 2) / 2)
    assert result["mase"] == pytest.approx((2 + 1.5) / 2)


def test_breakdowns_and_the_whole_agree() -> None:
    random = np.random.default_rng(3)
    truth, answer = random.normal(size=(2, 30, 4, 2))
    series = np.repeat([0, 2, 3], 10)
    scores = scored(truth, answer, series=series)
    by_step = [row["mse"] for row in scores.by_step()]
    by_series = scores.by_series()
    assert by_step == pytest.approx(((truth - answer) ** 2).mean((0, 2)))
    assert sorted(by_series) == [0, 2, 3]
    assert by_series[2]["mae"] == pytest.approx(np.abs(truth - answer)[10:20].mean())
    assert np.mean(by_step) == pytest.approx(scores.overall()["mse"])


def test_unknown_truth_is_passed_over() -> None:
    truth, answer = np.array([[[1.0]], [[np.nan]], [[3.0]]]), np.array([[[2.0]], [[50.0]], [[5.0]]])
    assert scored(truth, answer).overall()["mae"] == pytest.approx(1.5)


@given(st.integers(2, 6), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_label_metrics_are_scikit_learns(classes: int, windows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    codes = random.integers(0, classes, windows)
    odds = random.dirichlet(np.ones(classes), windows)
    result = scored(codes[:, None, None].astype(float), odds).overall()
    assert result["accuracy"] == pytest.approx(sk.accuracy_score(codes, odds.argmax(1)))
    assert result["f1"] == pytest.approx(sk.f1_score(codes, odds.argmax(1), average="macro"))
    assert result["cross_entropy"] == pytest.approx(sk.log_loss(codes, odds, labels=range(classes)))
