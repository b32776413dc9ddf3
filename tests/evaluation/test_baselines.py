"""Baselines against their definitions, window by window."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from small_runs import fit, opened

from rnncli.config import schema
from rnncli.data.panel import Columns, Panel, Rows
from rnncli.data.scale import fit_scaler
from rnncli.data.split import Part, everything
from rnncli.evaluation.baselines import (
    RIDGE_PENALTY,
    History,
    drift,
    majority,
    mean,
    naive,
    newest_known,
    previous,
    ridge,
    seasonal_naive,
)
from rnncli.evaluation.evaluate import held_out, skill
from rnncli.evaluation.evaluate import history as build_history


def panel_of(*series: list[float], inputs: np.ndarray | None = None) -> Panel:
    values = np.concatenate([np.array(one, dtype=float) for one in series])[:, None]
    values = values if inputs is None else np.concatenate([values, inputs], axis=1)
    offsets = np.cumsum([0, *(len(one) for one in series)])
    return Panel(
        columns=("y", "x", "z")[: values.shape[1]],
        ids=tuple((str(number),) for number in range(len(series))),
        offsets=offsets,
        times=np.arange(len(values)),
        values=values,
        source=np.arange(len(values)),
    )


def history(
    panel: Panel,
    horizon: int,
    *,
    train: Part | None = None,
    season: int = 1,
    context: int = 4,
    origins: Rows | None = None,
    labels: tuple[str, ...] | None = None,
    binary: int = 0,
) -> History:
    part = train or everything(panel)
    targets = binary or 1
    columns = Columns(
        panel.columns[:targets], panel.columns[targets:], season=season, labels=labels, binary=bool(binary)
    )
    return History(
        panel=panel,
        columns=columns,
        scaler=fit_scaler(panel, columns, part, schema.Scale(per="panel"), "none"),
        train=part,
        origins=np.array([], dtype=np.int64) if origins is None else origins,
        context=context,
        horizon=horizon,
        filled=newest_known(panel, targets),
    )


def test_naive_repeats_the_newest_known_value() -> None:
    panel = panel_of([1, 2, np.nan, 4], [7, 8])
    assert naive(history(panel, 2))(np.array([3, 4, 6]))[:, :, 0].tolist() == [[2, 2], [4, 4], [8, 8]]


def test_seasonal_naive_repeats_the_newest_season_and_falls_back() -> None:
    panel = panel_of([1, 2, 3, 4, 5, 6, 7], [10, 20])
    forecast = seasonal_naive(history(panel, 5, season=3))(np.array([6, 3, 2, 9]))[:, :, 0]
    assert forecast.tolist() == [[4, 5, 6, 4, 5], [1, 2, 3, 1, 2], [2, 2, 2, 2, 2], [20, 20, 20, 20, 20]]


def test_drift_goes_on_along_the_line_through_the_window() -> None:
    panel = panel_of([0, 1, 5, 3, 9], [2, 4])
    forecast = drift(history(panel, 2, context=3))(np.array([5, 2, 7, 6]))[:, :, 0]
    assert forecast.tolist() == [[11, 13], [2, 3], [6, 8], [2, 2]]


def test_mean_is_that_of_the_training_rows_alone() -> None:
    panel = panel_of([1, 3, 100, 100], [10, 20, 100, 100])
    train = Part(np.array([0, 4]), np.array([2, 6]))
    forecast = mean(history(panel, 2, train=train))(np.array([3, 7]))[:, :, 0]
    assert forecast.tolist() == [[2, 2], [15, 15]]
    whole_series = Part(np.array([0, 4]), np.array([4, 4]))
    numbers = mean(history(panel, 0, train=whole_series))(np.array([8]))
    assert numbers[:, 0, 0].tolist() == [51]


def test_ridge_forecast_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    panel = panel_of(list(random.normal(size=60).cumsum()), list(random.normal(size=40).cumsum()))
    origins = np.concatenate([np.arange(5, 58), np.arange(65, 98)])
    past = history(panel, 2, context=5, origins=origins)
    scaled = past.scaler.apply(panel.values, panel.series_of(np.arange(len(panel.values))))[:, 0]
    inputs = np.stack([scaled[origin - 5 : origin] - scaled[origin - 1] for origin in origins])
    targets = np.stack([scaled[origin : origin + 2] - scaled[origin - 1] for origin in origins])
    model = Ridge(alpha=RIDGE_PENALTY * len(origins), fit_intercept=False).fit(inputs, targets)
    expected = (model.predict(inputs) + scaled[origins - 1][:, None]) * past.scaler.spread[0, 0] + past.scaler.centre[
        0, 0
    ]
    assert ridge(past)(origins)[:, :, 0] == pytest.approx(expected)


def test_ridge_finds_a_number_in_the_newest_row() -> None:
    random = np.random.default_rng(1)
    inputs = random.normal(size=(200, 2))
    panel = panel_of(list(3 * inputs[:, 0] - inputs[:, 1] + 10), inputs=inputs)
    answer = ridge(history(panel, 0, origins=np.arange(1, 150)))(np.arange(151, 201))[:, 0, 0]
    assert answer == pytest.approx(panel.values[150:, 0], abs=0.7)
    assert np.corrcoef(answer, panel.values[150:, 0])[0, 1] > 0.99


def test_majority_gives_the_shares_of_the_training_series() -> None:
    panel = panel_of([0, 0], [1, 1], [1, 1], [2, 2])
    train = Part(panel.offsets[:-1], np.array([2, 4, 6, 6]))
    shares = majority(history(panel, 0, train=train, origins=np.array([2, 4, 6]), labels=("a", "b", "c")))(
        np.array([8])
    )
    assert shares.tolist() == [[1 / 3, 2 / 3, 0.0]]


@pytest.mark.parametrize("context", [3, "full"])
def test_majority_counts_sequences_and_not_their_windows(context, tmp_path) -> None:
    """Two short sequences of one class outvote a long one, however many windows that is cut into."""
    lengths, labels = [30, 30, *[5] * 16], ["long"] * 2 + ["short"] * 16
    parts = [
        pd.DataFrame({"id": f"s{number}", "t": range(length), "x": np.sin(np.arange(length)), "label": label})
        for number, (length, label) in enumerate(zip(lengths, labels, strict=True))
    ]
    settings = {
        "data": {"series": "id", "time": "t", "target": "label"},
        "task": {"kind": "classification"},
        "window": {"context": context},
        "split": {"validation": 2, "test": 2},
    }
    frame = pd.concat(parts)
    model = fit(frame, tmp_path, settings)
    data = held_out(model, opened(frame, tmp_path))
    train = [labels[number] for number in data.split.train.series()]
    shares = majority(build_history(model, data))(np.array([1]))[0]
    assert shares.tolist() == pytest.approx([train.count("long") / 14, train.count("short") / 14])


def test_skill_is_measured_against_the_best_baseline() -> None:
    baselines = {"naive": {"mae": 4.0, "accuracy": 0.5}, "other": {"mae": 2.0, "accuracy": 0.75}}
    result = skill({"mae": 1.0, "accuracy": 0.875}, baselines)
    assert result == {"mae": 0.5, "accuracy": 0.5}
    worse = skill({"mae": 3.0, "accuracy": 0.7}, baselines)
    assert worse["mae"] == -0.5
    assert worse["accuracy"] < 0


def test_ridge_without_a_training_window_is_naive() -> None:
    panel = panel_of([1, 2, 3, 4])
    assert ridge(history(panel, 2))(np.array([3]))[:, :, 0].tolist() == [[3, 3]]


def test_mean_of_columns_of_0_and_1_is_their_share_with_one_more_of_each() -> None:
    panel = panel_of([1, 1, 0, 1, 1], [0, 1, 0], inputs=np.array([[0.0], [0], [0], [1], [0], [0], [0], [0]]))
    train = Part(np.array([0, 5]), np.array([4, 7]))
    odds = mean(history(panel, 0, train=train, binary=2))(np.array([5, 8]))
    assert odds.tolist() == [[pytest.approx([(4 + 1) / (6 + 2), (1 + 1) / (6 + 2)])]] * 2


def test_previous_of_numbers_is_the_row_before_and_the_mean_at_a_start() -> None:
    panel = panel_of([1, 3, 8], [10, 20])
    past = history(panel, 0, train=Part(np.array([0, 3]), np.array([2, 4])))
    assert previous(past)(np.array([1, 2, 3, 4, 5]))[:, 0, 0].tolist() == [2, 1, 3, 10, 10]


def test_previous_of_labels_is_a_chain_of_the_training_rows() -> None:
    """Of 0 follow 0, 1, 1 in training, of 1 follow 0, 0; one more of each, for a pair that was never seen."""
    panel = panel_of([0, 0, 1, 0, 1, 0, 1, 1], [1, 0])
    train = Part(np.array([0, 8]), np.array([6, 8]))
    origins = np.arange(1, 7)
    odds = previous(history(panel, 0, train=train, origins=origins, labels=("a", "b")))(np.array([8, 7, 10, 1]))
    after = {0: [(1 + 1) / 5, (2 + 1) / 5], 1: [(2 + 1) / 4, (0 + 1) / 4]}
    assert odds.tolist() == [pytest.approx(after[1]), pytest.approx(after[0]), pytest.approx(after[1]),
        pytest.approx([4 / 6, 2 / 6])]  # fmt: skip


def test_previous_of_columns_of_0_and_1_is_a_chain_for_each() -> None:
    panel = panel_of([1, 1, 0, 0, 1, 1], inputs=np.array([[0.0], [1], [0], [1], [0], [1]]))
    past = history(panel, 0, origins=np.arange(1, 7), binary=2)
    odds = previous(past)(np.array([2, 3, 4, 1]))
    of_first = {1: (2 + 1) / (3 + 2), 0: (1 + 1) / (2 + 2)}
    of_second = {1: (0 + 1) / (2 + 2), 0: (3 + 1) / (3 + 2)}
    start = [(4 + 1) / (6 + 2), (3 + 1) / (6 + 2)]
    expected = [[of_first[1], of_second[0]], [of_first[1], of_second[1]], [of_first[0], of_second[0]], start]
    assert odds[:, 0].tolist() == [pytest.approx(row) for row in expected]


def test_what_is_not_known_is_in_no_chain() -> None:
    panel = panel_of([1, np.nan, 0, 0])
    odds = previous(history(panel, 0, origins=np.arange(1, 5), binary=1))(np.array([2, 3, 4]))
    of_zero, of_one = 1 / 3, 1 / 2  # 0 was followed by 0 once; what followed 1 is not known
    assert odds[:, 0, 0].tolist() == [pytest.approx(of_one), pytest.approx(of_one), pytest.approx(of_zero)]
