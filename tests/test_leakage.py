"""What is held out, what is not weighed and what belongs to others changes nothing; nor does the company of a row."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from small_runs import answers, fit, opened, prepared, tags, weights

from rnncli.data.split import Part
from rnncli.evaluation.evaluate import held_out, score
from rnncli.predict import Wanted
from rnncli.tasks.answers import answer_batches
from rnncli.training.prepare import Prepared, on_device, scoring_windows, training_windows

CPU = torch.device("cpu")
SPLIT = {"by": "time", "validation": 6, "test": 6}
KINDS: dict[str, dict[str, Any]] = {
    "forecasting": {"data": {"target": "y", "past": "x"}, "task": {"kind": "forecasting", "horizon": 3}},
    "future": {
        "data": {"target": "y", "future": "x", "calendar": "weekday", "time": "day"},
        "task": {"kind": "forecasting", "horizon": 3},
    },
    "quantiles": {
        "data": {"target": ["y", "x"]}, "task": {"kind": "forecasting", "horizon": 3}, "training": {"loss": "quantile"},
        "window": {"normalise": "mean_std"},
    },
    "forks": {
        "data": {"target": "y", "past": "x", "calendar": "weekday", "time": "day"},
        "task": {"kind": "forecasting", "horizon": 3},
        "window": {"origins": "every"},
        "model": {"front_end": "conv"},
    },
    "segments": {
        "data": {"target": "y", "past": "x", "season": 4},
        "task": {"kind": "forecasting", "horizon": 3},
        "window": {"context": "2 seasons"},
        "model": {"segment": 3, "decoder": "parallel", "skip": "seasonal", "front_end": "conv"},
    },
    "ensemble": {
        "data": {"target": "y", "season": 4},
        "task": {"kind": "forecasting", "horizon": 3},
        "model": {"skip": "linear", "segment": "season"},
        "training": {"seeds": 2, "average": "ema", "input_noise": 0.1},
    },
    "regression": {"data": {"target": "y", "past": ["x", "z"]}, "task": {"kind": "regression"}},
    "tagging_numbers": {"data": {"target": "y", "past": ["x", "z"]}, "task": {"kind": "tagging"}},
    "tagging_labels": {"data": {"target": "w", "past": ["x", "z"], "categorical": "x"}, "task": {"kind": "tagging"}},
    "tagging_filtered": {
        "data": {"target": "y", "past": ["x", "z"]}, "task": {"kind": "tagging"}, "model": {"front_end": "conv"},
    },
    "tagging_several": {
        "data": {"target": ["b", "c"], "past": ["x", "z"]},
        "task": {"kind": "tagging"},
        "model": {"bidirectional": True},
    },
}  # fmt: skip


def values(kind: str, **data: Any) -> dict[str, Any]:
    result = copy.deepcopy(KINDS[kind])
    result["data"] = {"series": "id", "time": "t", **result["data"], **data}
    result["window"] = {"context": 8, **result.get("window", {})}
    result["split"] = SPLIT
    return result


def make(ids: str = "abcde") -> pd.DataFrame:
    frame = tags(ids)
    return frame.assign(x=frame["x"].round(0), day=pd.Timestamp("2024-01-01") + pd.to_timedelta(frame["t"], unit="D"))


def spoilt(frame: pd.DataFrame, rows: pd.Series | np.ndarray) -> pd.DataFrame:
    """Other targets in some rows."""
    other = frame.copy()
    other.loc[rows, "y"] = 777.0
    other.loc[rows, ["b", "c"]] = 1 - other.loc[rows, ["b", "c"]]
    other.loc[rows, "w"] = other.loc[rows, "w"].map({"low": "top", "mid": "low", "top": "mid"})
    return other


def newest(frame: pd.DataFrame, count: int) -> np.ndarray:
    """Whether a row is among the newest of its series."""
    return (frame.groupby("id").cumcount(ascending=False) < count).to_numpy()


def batches(data: Prepared, part: Part | None = None) -> list[torch.Tensor | None]:
    """All that training, or scoring a part, gathers."""
    values = on_device(data, CPU)
    windows = training_windows(data, values) if part is None else scoring_windows(data, part, values)
    batch = windows.batch(np.arange(len(windows)))
    shown = batch.target.where(batch.target_mask, 0)
    return [batch.past, batch.lengths, batch.static, batch.ahead, batch.level, batch.spread, shown, batch.weight]


def same(first: list[torch.Tensor | None], second: list[torch.Tensor | None]) -> bool:
    pairs = zip(first, second, strict=True)
    return all(b is None if a is None else b is not None and torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("kind", KINDS)
def test_targets_of_later_parts_change_no_statistic_and_no_training_window(kind, tmp_path):
    frame = make()
    before = prepared(frame, tmp_path, values(kind))
    after = prepared(spoilt(frame, newest(frame, 12)), tmp_path, values(kind))
    for name in ("centre", "spread", "deviation", "seasonal_error", "static"):
        np.testing.assert_array_equal(getattr(before.scaler, name), getattr(after.scaler, name))
    assert same(batches(before), batches(after))
    in_training = prepared(spoilt(frame, newest(frame, 13)), tmp_path, values(kind))
    assert not same(batches(before), batches(in_training))


@pytest.mark.parametrize("kind", KINDS)
def test_targets_of_the_test_part_change_no_validation_window_and_no_weight(kind, tmp_path):
    frame = make()
    other = spoilt(frame, newest(frame, 6))
    before, after = (prepared(some, tmp_path, values(kind)) for some in (frame, other))
    assert same(batches(before, before.split.validation), batches(after, after.split.validation))
    assert not same(batches(before, before.split.test), batches(after, after.split.test))
    first, second = fit(frame, tmp_path / "a", values(kind)), fit(other, tmp_path / "b", values(kind))
    assert weights(first) == weights(second)
    if first.residuals is not None:
        np.testing.assert_array_equal(first.residuals, second.residuals)
    found = []
    for some in (frame, other):
        data = held_out(first, opened(some, tmp_path))
        scored = score(first, data, data.split.validation)
        found.append((scored.model.overall(), {name: part.overall() for name, part in scored.baselines.items()}))
    np.testing.assert_equal(found[0], found[1])


@pytest.mark.parametrize("kind", KINDS)
def test_answers_before_a_row_do_not_know_it(kind, tmp_path):
    """Of windows that end before a row, no answer changes with anything in it but what is known ahead."""
    frame = make()
    model = fit(frame, tmp_path, values(kind))
    other = spoilt(frame, newest(frame, 6))
    other.loc[newest(other, 6), "z"] = -9.0
    if kind == "forecasting":
        other.loc[newest(other, 6), "x"] = -9.0
    found = []
    for some in (frame, other):
        data = replace(held_out(model, opened(some, tmp_path)), scaler=model.scaler)
        windows = scoring_windows(data, data.split.validation, on_device(data, CPU))
        found.append([answer for _, answer in answer_batches(model.network, model.task, windows)])
    for first, second in zip(*found, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("kind", ["tagging_several", "tagging_labels", "regression"])
def test_targets_of_weight_zero_do_not_reach_the_weights_of_the_network(kind, tmp_path):
    """With targets that are not scaled from them, poisoned rows leave the same bits as good ones."""
    frame = make()
    light = np.random.default_rng(0).random(len(frame)) < 0.3
    frame = frame.assign(heavy=np.where(light, 0.0, 1.5))
    settings = values(kind, weight="heavy") | {"scale": {"kind": "none"}}
    good, bad = fit(frame, tmp_path / "a", settings), fit(spoilt(frame, light), tmp_path / "b", settings)
    assert weights(good) == weights(bad)
    assert weights(good) != weights(fit(spoilt(frame, ~light), tmp_path / "c", settings))
    assert weights(good) != weights(fit(frame, tmp_path / "d", values(kind) | {"scale": {"kind": "none"}}))


@pytest.mark.parametrize("kind", ["forecasting", "tagging_numbers"])
def test_weights_of_one_are_no_weights(kind, tmp_path):
    frame = make().assign(one=1.0)
    plain = fit(frame, tmp_path / "a", values(kind))
    assert weights(plain) == weights(fit(frame, tmp_path / "b", values(kind, weight="one")))


@pytest.mark.parametrize("kind", KINDS)
def test_one_more_series_changes_nothing_of_the_others(kind, tmp_path):
    frame, more = make("abcd"), make("abcde")
    settings = values(kind) | {"scale": {"per": "series"}}
    before, after = prepared(frame, tmp_path, settings), prepared(more, tmp_path, settings)
    for name in ("centre", "spread", "deviation", "seasonal_error"):
        np.testing.assert_array_equal(getattr(before.scaler, name), getattr(after.scaler, name)[:4])
    model = fit(frame, tmp_path / "run", settings)
    ahead = known_ahead if kind == "future" else lambda some: some
    own = answers(model, ahead(frame), tmp_path)
    others = answers(model, ahead(more), tmp_path)
    pd.testing.assert_frame_equal(others[others["id"] != "e"].reset_index(drop=True), own, check_exact=True)


def known_ahead(frame: pd.DataFrame) -> pd.DataFrame:
    """The targets of the newest rows taken away."""
    return frame.assign(y=frame["y"].where(~newest(frame, 3)))


def everywhere(kind: str, table: pd.DataFrame) -> pd.DataFrame:
    keys = ["id", *(name for name in ("t", "day", "step") if name in table)]
    return table.sort_values(keys, key=lambda column: column if column.name == "id" else column.astype(str),
        ignore_index=True)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_order_company_and_files_change_no_bit_of_an_answer(kind, tmp_path: Path):
    frame = make("abcdefghijkl")
    model = fit(frame, tmp_path, values(kind))
    frame = known_ahead(frame) if kind == "future" else frame
    wanted = Wanted(quantiles=kind == "quantiles", every=kind == "regression")
    whole = everywhere(kind, answers(model, frame, tmp_path, wanted))

    def check(some: pd.DataFrame, expected: pd.DataFrame) -> None:
        pd.testing.assert_frame_equal(everywhere(kind, answers(model, some, tmp_path, wanted)), expected,
            check_exact=True)  # fmt: skip

    check(frame.sample(frac=1, random_state=0), whole)
    check(frame.sort_values(["id", "t"], ascending=[False, True]), whole)
    for ids in ("a", "bk", "cdefgh"):
        check(frame[frame["id"].isin(list(ids))], whole[whole["id"].isin(list(ids))].reset_index(drop=True))
    from rnncli.data.reading.frames import open_tables
    from rnncli.predict import predict

    pieces = np.array_split(np.arange(len(frame)), 5)
    names = [str(tmp_path / f"part{number}.csv") for number in range(5)]
    for name, piece in zip(names, pieces, strict=True):
        frame.iloc[piece].to_csv(name, index=False)
    parts = everywhere(kind, predict(model, open_tables(names), wanted).table)
    pd.testing.assert_frame_equal(parts, whole, check_exact=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hidden_size", [5, 16])
def test_the_size_of_a_batch_changes_no_bit_of_an_answer(kind, hidden_size, tmp_path, monkeypatch):
    frame = make("abcdefghijkl")
    model = fit(frame, tmp_path, values(kind) | {"model": {"hidden_size": hidden_size, "cell": "gru"}})
    frame = known_ahead(frame) if kind == "future" else frame
    first = answers(model, frame, tmp_path)
    monkeypatch.setattr("rnncli.tasks.answers.BATCH_SIZE", 128)
    pd.testing.assert_frame_equal(answers(model, frame, tmp_path), first, check_exact=True)
