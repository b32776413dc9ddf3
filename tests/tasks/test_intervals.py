"""Conformal intervals: as wide as an order statistic of the residuals, and as sure as they say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_runs import answers, fit, opened, tags

from rnncli.errors import UsageError
from rnncli.evaluation.evaluate import document, held_out, score
from rnncli.evaluation.scores import Scores
from rnncli.predict import Wanted, predict
from rnncli.tasks import intervals
from rnncli.tasks.answers import answer_batches
from rnncli.tasks.intervals import MOST, fewest, half_width, interval_metrics, residuals
from rnncli.tasks.metrics import Units
from rnncli.trained import TrainedModel, load_model
from rnncli.training.prepare import on_device, scoring_windows

CPU = torch.device("cpu")


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.floats(0, 9), min_size=1, max_size=60), st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]), st.integers(0, 9)
)
def test_an_interval_reaches_as_far_as_the_order_statistic(errors, level, unknown):
    column = np.array(sorted(errors) + [np.nan] * unknown)[:, None, None]
    rank = math.ceil(round((len(errors) + 1) * level, 9))
    expected = sorted(errors)[rank - 1] if rank <= len(errors) else max(errors)
    assert half_width(column, level).tolist() == [[expected]]
    assert (rank <= len(errors)) == (len(errors) >= fewest(level))


def test_every_step_and_target_has_its_own():
    errors = np.sort(np.random.default_rng(0).random((50, 3, 2)), axis=0)
    found = half_width(errors, 0.8)
    np.testing.assert_array_equal(found, errors[math.ceil(51 * 0.8) - 1])


@pytest.mark.parametrize(("level", "count"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_so_many_residuals_are_needed(level, count):
    assert fewest(level) == count


def waves(rows: int = 60, ids: int = 40, seed: int = 0, noise: float = 1.0) -> pd.DataFrame:
    """A sine that is easy to learn, and noise that is the same everywhere."""
    random = np.random.default_rng(seed)
    steps = np.arange(rows)
    parts = [
        pd.DataFrame({"id": f"s{number}", "t": steps, "y": 10 + 3 * np.sin(np.pi * steps / 3 + number)
            + noise * random.normal(size=rows)})
        for number in range(ids)
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def values(**sections: Any) -> dict[str, Any]:
    return {
        "data": {"time": "t", "series": "id", "target": "y"},
        "task": {"kind": "forecasting", "horizon": 2},
        "window": {"context": 6},
        "training": {"epochs": 3, "batch_size": 64, "learning_rate": 0.01},
        "split": {"validation": 20, "test": 20},
        **sections,
    }


def test_residuals_are_the_errors_on_the_validation_part(tmp_path):
    frame = waves(ids=3)
    model = fit(frame, tmp_path, values())
    data = held_out(model, opened(frame, tmp_path))
    windows = scoring_windows(data, data.split.validation, on_device(data, CPU))
    gaps = []
    for index, answer in answer_batches(model.network, model.task, windows):
        truth = [data.panel.values[origin : origin + 2, :1] for origin in windows.origins[index]]
        spread, centre = (part[windows.series[index]][:, None] for part in (data.scaler.spread, data.scaler.centre))
        gaps.append(np.abs((truth - answer * spread - centre) / spread))
    assert model.residuals is not None
    assert model.residuals.shape == (3 * 19, 2, 1)
    np.testing.assert_allclose(model.residuals, np.sort(np.concatenate(gaps), axis=0), atol=1e-5)
    loaded = load_model(tmp_path / "run", CPU)
    np.testing.assert_array_equal(loaded.residuals, model.residuals)


def test_of_many_residuals_those_are_kept_that_make_no_interval_too_short(tmp_path, monkeypatch):
    frame = waves(ids=8)
    model = fit(frame, tmp_path, values())
    data = held_out(model, opened(frame, tmp_path))
    windows = scoring_windows(data, data.split.validation, on_device(data, CPU))
    whole = residuals(model.network, model.task, windows)
    assert len(whole) == 8 * 19 <= MOST
    monkeypatch.setattr("rnncli.tasks.intervals.MOST", 100)
    some = residuals(model.network, model.task, windows)
    assert len(some) == 100
    ranks = [math.ceil(rank / 100 * len(whole)) - 1 for rank in range(1, 101)]
    np.testing.assert_array_equal(some, whole[ranks])
    for level in (0.1, 0.5, 0.8, 0.9, 0.95, 0.98):
        assert (half_width(some, level) >= half_width(whole, level)).all()


def ends(model: TrainedModel, frame: pd.DataFrame, folder: Any, *levels: float) -> pd.DataFrame:
    return answers(model, frame, folder, Wanted(levels=levels))


@pytest.mark.parametrize("transform", ["none", "log"])
@pytest.mark.parametrize("loss", ["mae", "quantile"])
def test_the_ends_lie_around_the_point(transform, loss, tmp_path):
    frame = waves(ids=3, noise=0.3)
    settings_ = values(window={"context": 6, "transform": transform}, training={"epochs": 1, "loss": loss})
    model = fit(frame, tmp_path, settings_)
    table = ends(model, frame, tmp_path, 80, 99.5)
    assert list(table.columns) == ["id", "t", "step", "y_pred", "y_lo80", "y_hi80", "y_lo99.5", "y_hi99.5"]
    assert model.residuals is not None
    for level, name in ((0.8, "80"), (0.995, "99.5")):
        reach = np.tile(half_width(model.residuals, level)[:, 0], 3)
        spread, centre = (np.repeat(part[:, 0], 2) for part in (model.scaler.spread, model.scaler.centre))
        point = np.log(table["y_pred"]) if transform == "log" else table["y_pred"]
        scaled = (point - centre) / spread
        for sign, end in ((-1, "lo"), (1, "hi")):
            expected = (scaled + sign * reach) * spread + centre
            expected = np.exp(expected) if transform == "log" else expected
            np.testing.assert_allclose(table[f"y_{end}{name}"], expected, rtol=1e-9)


def test_coverage_is_what_it_says_on_exchangeable_data(tmp_path):
    """Averaged over seeds, so that neither the calibration's nor the test's own luck decides."""
    found = []
    training = {"epochs": 12, "batch_size": 32, "learning_rate": 0.01}
    for seed in range(3):
        frame = waves(seed=seed)
        model = fit(frame, tmp_path / str(seed), values(seed=seed, training=training))
        data = held_out(model, opened(frame, tmp_path))
        scored = score(model, data, data.split.test)
        assert scored.intervals is not None
        found.append(scored.intervals.overall())
    for level, reach in ((80, 1.2816), (95, 1.96)):
        coverage = np.mean([scores[f"interval_{level}_coverage"] for scores in found])
        assert coverage == pytest.approx(level / 100, abs=0.02)
        width = np.mean([scores[f"interval_{level}_width"] for scores in found])
        assert 2 * reach < width < 1.5 * 2 * reach  # of noise with deviation 1, and what six noisy rows cannot tell


def test_scores_of_intervals_are_shares_and_widths():
    truth = np.array([[[0.0]], [[3.0]], [[np.nan]], [[-5.0]]])
    answer = np.broadcast_to(np.array([-1.0, 1.0, -4.0, 4.0]), (4, 1, 1, 4))
    scores = Scores(interval_metrics(), 1, 1)
    ones = Units(np.ones((4, 1, 1)), np.ones((4, 1, 1)))
    scores.add(truth, answer, ones, np.zeros(4, dtype=np.int64))
    assert scores.overall() == {
        "interval_80_coverage": pytest.approx(1 / 3), "interval_80_width": 2.0,
        "interval_95_coverage": pytest.approx(2 / 3), "interval_95_width": 8.0,
    }  # fmt: skip


def test_the_document_holds_the_intervals_of_the_part_that_is_judged(tmp_path):
    frame = waves(ids=4)
    model = fit(frame, tmp_path, values())
    data = held_out(model, opened(frame, tmp_path))
    test = score(model, data, data.split.test)
    found = document(model, {}, None, test)
    assert found["intervals"] == test.intervals.overall()
    assert not [name for name in found["test"] if "interval" in name]
    assert {"interval_80_coverage", "interval_95_width"} <= set(test.by_step()[0])


def test_too_few_windows_give_the_widest_error_and_say_so(tmp_path):
    frame = waves(ids=1)
    model = fit(frame, tmp_path, values(split={"validation": 10, "test": 0}))
    assert model.residuals is not None
    assert len(model.residuals) == 9
    found = predict(model, opened(frame, tmp_path, "new.csv"), Wanted(levels=(80, 90, 95)))
    assert found.notes == (
        "--level 95 needs 19 validation windows, there were 9: the interval is the widest error that was seen",
    )
    width = found.table["y_hi95"] - found.table["y_pred"]
    np.testing.assert_allclose(width, model.residuals[-1, :, 0] * model.scaler.spread[0, 0])


def test_without_validation_or_forecasts_there_are_none(tmp_path):
    frame = waves(ids=3)
    model = fit(frame, tmp_path, values(split={"validation": 0, "test": 0}))
    assert model.residuals is None
    with pytest.raises(UsageError, match="no validation residuals"):
        ends(model, frame, tmp_path, 80)
    other = fit(tags(), tmp_path, {"data": {"series": "id", "time": "t", "target": "b", "past": "x"},
        "task": {"kind": "tagging"}})  # fmt: skip
    with pytest.raises(UsageError, match="--level has no effect on tagging"):
        ends(other, tags(), tmp_path, 80)


def test_unknown_targets_are_no_residuals(tmp_path):
    frame = waves(ids=3).astype({"y": object})
    frame.loc[[25, 30, 95], "y"] = ""
    settings_ = values()
    settings_["data"] = {**settings_["data"], "missing": "ffill"}
    model = fit(frame, tmp_path, settings_)
    assert model.residuals is not None
    counts = (~np.isnan(model.residuals)).sum(axis=0)[:, 0]
    assert counts.tolist() == [3 * 19 - 3, 3 * 19 - 3]
    assert np.isfinite(ends(model, frame, tmp_path, 95)["y_hi95"]).all()
    np.testing.assert_array_equal(load_model(tmp_path / "run", CPU).residuals, model.residuals)


def test_of_very_many_windows_a_sample_is_looked_at_and_the_same_every_time(tmp_path, monkeypatch):
    frame = waves(ids=8)
    model = fit(frame, tmp_path, values())
    data = held_out(model, opened(frame, tmp_path))
    windows = scoring_windows(data, data.split.validation, on_device(data, CPU))
    monkeypatch.setattr(intervals, "MOST", 4)
    monkeypatch.setattr(intervals, "MOST_ERRORS", 1)
    looked_at = intervals._sample(windows)
    assert 8 <= len(looked_at) <= 16 < len(windows)
    assert set(looked_at.origins) <= set(windows.origins)
    assert (intervals._sample(windows).origins == looked_at.origins).all()
