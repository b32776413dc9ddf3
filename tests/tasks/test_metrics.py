"""Metrics equal scikit-learn's and their definitions, pass over what is not known, and add up over batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from rnncli.evaluation.scores import Scores
from rnncli.tasks.metrics import BINARY_METRICS, LABEL_METRICS, NUMBER_METRICS, Units

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


def scored_columns(truth: np.ndarray, odds: np.ndarray) -> dict[str, float]:
    """0/1 columns (rows, columns), as tagging scores them: a row a window of one step."""
    ones = Units(np.ones((len(truth), 1, 1)), np.ones((len(truth), 1, 1)))
    scores = Scores(BINARY_METRICS, 1, 1)
    scores.add(truth[:, None], odds[:, None], ones, np.zeros(len(truth), dtype=np.int64))
    return scores.overall()


@given(st.integers(1, 5), st.integers(2, 60), st.integers(0, 2**32 - 1))
def test_scores_of_columns_of_0_and_1_are_scikit_learns(columns: int, rows: int, seed: int) -> None:
    """accuracy of all cells, F1 of 1 over all cells (micro), and the log loss summed over the columns."""
    random = np.random.default_rng(seed)
    truth, odds = random.integers(0, 2, (rows, columns)).astype(float), random.random((rows, columns))
    truth[0], odds[0, 0] = 1, 0.9  # some hit, or F1 is not defined
    result = scored_columns(truth, odds)
    assert result["accuracy"] == pytest.approx(sk.accuracy_score(truth.ravel(), odds.ravel() > 0.5))
    theirs = sk.f1_score(truth, odds > 0.5, average="micro" if columns > 1 else "binary", zero_division=0)
    assert result["f1"] == pytest.approx(theirs)
    losses = [sk.log_loss(truth[:, n], odds[:, n], labels=[0, 1]) for n in range(columns)]
    assert result["nll"] == pytest.approx(sum(losses))


def test_unknown_cells_of_columns_are_passed_over() -> None:
    truth = np.array([[1, np.nan], [0, 1], [np.nan, np.nan], [1, 0]])
    odds = np.array([[0.9, 0.3], [0.8, 0.6], [0.4, 0.4], [0.2, 0.1]])
    result = scored_columns(truth, odds)
    assert result["accuracy"] == pytest.approx(3 / 5)
    assert result["f1"] == pytest.approx(2 * 2 / (3 + 3))
    assert result["nll"] == pytest.approx(-np.log([0.9, 0.2, 0.6, 0.2, 0.9]).sum() / 3)  # a mean over three rows
    nothing = scored_columns(np.zeros((2, 1)), np.full((2, 1), 0.1))
    assert (nothing["accuracy"], np.isnan(nothing["f1"])) == (1.0, True)


def test_certain_and_wrong_is_a_large_and_finite_surprise() -> None:
    assert 30 < scored_columns(np.ones((1, 1)), np.zeros((1, 1)))["nll"] < 40
