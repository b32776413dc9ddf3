"""Predictions of a trained model: the same bits in any company and order, and rows that go on where the data ends."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from rnncli.config.document import Document
from rnncli.config.load import check
from rnncli.data.reading.frames import open_tables
from rnncli.errors import DataError, RnncliError
from rnncli.evaluation.evaluate import held_out, other_data, score
from rnncli.predict import predict
from rnncli.trained import TrainedModel, build_network
from rnncli.training.request import Request, Watch
from rnncli.training.train import train

SILENT = Watch(lambda fit, state: None, lambda event: None, lambda text: None)


def _fit(frame: pd.DataFrame, folder: Path, values: dict[str, Any]) -> TrainedModel:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "d.csv"
    frame.to_csv(path, index=False)
    config = check(Document({**values, "data": {"path": str(path), **values["data"]}}, {}))
    return train(config, open_tables(config.data.path), Request(folder / "run", overwrite=True), SILENT).model


def _waves(ids: str = "abcdefg", frequency: str = "D", form: str = "%Y-%m-%d", shortest: int = 40) -> pd.DataFrame:
    rows = []
    for number, name in enumerate(ids):
        times = pd.date_range("2020-01-01", periods=shortest + 3 * number, freq=frequency).strftime(form)
        rows += [(name, time, 50 + 9 * math.sin(row / 4 + number) + number, row % 5) for row, time in enumerate(times)]
    return pd.DataFrame(rows, columns=["id", "ds", "y", "x"])


def _settings(**model: Any) -> dict[str, Any]:
    return {
        "data": {"time": "ds", "series": "id", "target": "y", "past": "x"},
        "task": {"kind": "forecasting", "horizon": 3},
        "window": {"context": 8},
        "model": {"hidden_size": 5, **model},
        "training": {"epochs": 1, "device": "cpu"},
    }


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """A forecasting model of seven series."""
    return _fit(_waves(), tmp_path_factory.mktemp("waves"), _settings(cell="lstm", num_layers=2))


def _sequences() -> pd.DataFrame:
    random = np.random.default_rng(0)
    rows = [
        (f"s{number}", step, random.normal() + number % 3, "abc"[number % 3])
        for number in range(90)
        for step in range(4 + number % 7)
    ]
    return pd.DataFrame(rows, columns=["id", "t", "x", "label"])


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """A classification model of sequences of seven lengths, more of them than a batch holds."""
    values = {
        "data": {"time": "t", "series": "id", "target": "label"},
        "task": {"kind": "classification"},
        "model": {"cell": "gru", "hidden_size": 5, "bidirectional": True},
        "training": {"epochs": 1, "device": "cpu"},
    }
    return _fit(_sequences(), tmp_path_factory.mktemp("labels"), values)


def _predict(model: TrainedModel, *frames: pd.DataFrame) -> pd.DataFrame:
    for number, frame in enumerate(frames):
        frame.to_csv(f"part{number}.csv", index=False)
    return predict(model, open_tables([f"part{number}.csv" for number in range(len(frames))])).table


Both = pytest.mark.parametrize(
    ("name", "make"), [("waves", _waves), ("labels", _sequences)], ids=["forecasting", "classification"]
)


@Both
def test_a_subset_is_predicted_to_the_same_bits(request, name, make: Callable[[], pd.DataFrame]):
    model, frame = request.getfixturevalue(name), make()
    whole = _predict(model, frame)
    for one in frame["id"].unique()[::6]:
        alone = _predict(model, frame[frame["id"] == one])
        pd.testing.assert_frame_equal(alone, whole[whole["id"] == one].reset_index(drop=True), check_exact=True)


@Both
def test_split_files_are_predicted_to_the_same_bits(request, name, make: Callable[[], pd.DataFrame]):
    model, frame = request.getfixturevalue(name), make()
    whole = _predict(model, frame)
    pieces = np.array_split(np.arange(len(frame)), 5)  # through the middle of series
    pd.testing.assert_frame_equal(_predict(model, *(frame.iloc[piece] for piece in pieces)), whole, check_exact=True)


@Both
def test_another_order_of_rows_is_predicted_to_the_same_bits(request, name, make: Callable[[], pd.DataFrame]):
    model, frame = request.getfixturevalue(name), make()
    whole = _predict(model, frame).sort_values(["id", *(["step"] if name == "waves" else [])]).reset_index(drop=True)
    mixed = _predict(model, frame.sample(frac=1, random_state=3))
    assert (
        mixed["id"].drop_duplicates().tolist() == frame.sample(frac=1, random_state=3)["id"].drop_duplicates().tolist()
    )
    mixed = mixed.sort_values(["id", *(["step"] if name == "waves" else [])]).reset_index(drop=True)
    pd.testing.assert_frame_equal(mixed, whole, check_exact=True)


@Both
def test_columns_are_found_by_name(request, name, make: Callable[[], pd.DataFrame]):
    model, frame = request.getfixturevalue(name), make()
    turned = frame[frame.columns[::-1]].assign(note="nothing to see")
    pd.testing.assert_frame_equal(_predict(model, turned), _predict(model, frame), check_exact=True)


@pytest.mark.parametrize("column", ["id", "ds", "y", "x"])
def test_a_missing_column_is_named(waves, column):
    with pytest.raises(DataError, match=f"no column {column}") as caught:
        _predict(waves, _waves().drop(columns=column))
    assert caught.value.exit_code == 3


def test_rows_further_back_than_the_context_do_not_matter(waves):
    frame = _waves()
    newest = frame.groupby("id").tail(8)
    pd.testing.assert_frame_equal(_predict(waves, newest), _predict(waves, frame), check_exact=True)


def test_the_newest_row_matters(waves):
    frame = _waves("a")
    changed = frame.copy()
    changed.loc[len(frame) - 1, "y"] += 5
    difference = _predict(waves, changed)["y_pred"] - _predict(waves, frame)["y_pred"]
    assert (difference.abs() > 0.1).all()


def test_a_label_is_not_needed_for_its_prediction(labels):
    frame = _sequences()
    pd.testing.assert_frame_equal(
        _predict(labels, frame.drop(columns="label")), _predict(labels, frame), check_exact=True
    )
    table = _predict(labels, frame.assign(label=""))
    assert list(table.columns) == ["id", "t", "prediction", "p_a", "p_b", "p_c"]
    np.testing.assert_allclose(table[["p_a", "p_b", "p_c"]].sum(axis=1), 1.0)
    assert (table["prediction"] == table[["p_a", "p_b", "p_c"]].idxmax(axis=1).str.removeprefix("p_")).all()


def test_a_label_that_was_never_seen_is_refused(labels):
    with pytest.raises(DataError, match="'z' is not a class"):
        _predict(labels, _sequences().assign(label="z"))


def test_scores_without_any_label_are_refused(labels):
    _sequences().drop(columns="label").to_csv("d.csv", index=False)
    tables = open_tables("d.csv")
    with pytest.raises(DataError):
        score(labels, data := other_data(labels, tables), data.split.test)


def test_scores_are_those_of_training_whatever_is_appended_in_another_order(waves):
    frame = _waves()
    frame.to_csv("d.csv", index=False)
    frame.sample(frac=1, random_state=1).to_csv("mixed.csv", index=False)
    found = []
    for name in ("d.csv", "mixed.csv"):
        data = held_out(waves, open_tables(name))
        scored = score(waves, data, data.split.test)
        found.append({data.panel.ids[number]: metrics for number, metrics in scored.model.by_series().items()})
    assert found[0].keys() == found[1].keys()
    for series, metrics in found[0].items():
        assert metrics == pytest.approx(found[1][series], rel=1e-12)


@pytest.mark.parametrize(
    ("frequency", "form"),
    [("D", "%Y-%m-%d"), ("h", "%Y-%m-%d %H:%M:%S"), ("MS", "%Y-%m"), ("ME", "%Y-%m-%d"), ("B", "%d %b %Y"),
        ("W", "%Y/%m/%d"), ("QE", "%Y-%m-%d"), ("15min", "%Y-%m-%dT%H:%M")],
)  # fmt: skip
def test_times_go_on_in_their_own_form_and_step(tmp_path, frequency, form):
    frame = _waves("ab", frequency, form)
    model = _fit(frame, tmp_path, _settings(cell="rnn"))
    table = _predict(model, frame)
    for number, name in enumerate("ab"):
        following = pd.date_range("2020-01-01", periods=43 + 3 * number, freq=frequency).strftime(form)[-3:]
        assert table[table["id"] == name]["ds"].tolist() == following.tolist()


def test_a_short_series_goes_on_with_the_step_of_the_model(tmp_path):
    """Monday to Friday alone look like days; the model knows that they are working days."""
    model = _fit(_waves("ab", "B"), tmp_path, _settings(cell="rnn"))
    week = pd.DataFrame(
        {"id": "a", "ds": pd.date_range("2020-03-02", "2020-03-06").strftime("%Y-%m-%d"), "y": 1.0, "x": 1}
    )
    assert _predict(model, week)["ds"].tolist() == ["2020-03-09", "2020-03-10", "2020-03-11"]


def test_times_with_an_offset_go_on_with_it(tmp_path):
    """Rows that were given in +01:00 are not answered in another zone."""
    frame = _waves("ab", "h", "%Y-%m-%d %H:%M:%S+0100")
    model = _fit(frame, tmp_path, _settings(cell="rnn"))
    following = pd.date_range("2020-01-01", periods=43, freq="h").strftime("%Y-%m-%d %H:%M:%S+0100")[-3:]
    assert _predict(model, frame)["ds"].tolist()[:3] == following.tolist()


@pytest.mark.parametrize(("role", "column"), [("time", "step"), ("series", "step"), ("series", "y_pred")])
def test_no_column_of_the_input_is_lost_under_one_of_the_answer(tmp_path, role, column):
    frame = _waves("ab", "D").rename(columns={"ds" if role == "time" else "id": column})
    frame = frame.assign(**{column: list(range(40)) + list(range(43))}) if role == "time" else frame
    values = _settings(cell="rnn")
    values["data"][role] = column
    with contextlib.suppress(RnncliError):  # to refuse the name is as good
        table = _predict(_fit(frame, tmp_path, values), frame)
        assert table.to_numpy(dtype=object)[0].tolist().count("40" if role == "time" else "a") == 1
        assert len(table.columns) == 4


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "carry_lstm"])
@pytest.mark.parametrize("hidden_size", [5, 10, 33, 64])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_no_size_of_network_is_an_exception(labels, cell, hidden_size, bidirectional):
    """Matrix products may choose their kernel by the address of a row, and so by the place of a window in a batch."""
    model = labels.config.model.model_copy(
        update={"cell": cell, "hidden_size": hidden_size, "bidirectional": bidirectional, "nonlinearity": None}
    )
    config = labels.config.model_copy(update={"model": model})
    untrained = replace(labels, config=config, network=build_network(config, labels.columns, 0))
    frame = _sequences()
    whole = _predict(untrained, frame)
    some = frame["id"].isin(frame["id"].unique()[3::2])
    expected = whole[whole["id"].isin(frame[some]["id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(_predict(untrained, frame[some]), expected, check_exact=True)


def test_the_number_of_threads_changes_no_bit(waves):
    before = torch.get_num_threads()
    try:
        tables = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            tables.append(_predict(waves, _waves()))
    finally:
        torch.set_num_threads(before)
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_a_model_of_the_wide_layout_answers_in_columns(tmp_path):
    long = _waves("ab", shortest=40)
    wide = long[long["ds"] <= "2020-02-09"].pivot(index="ds", columns="id", values="y").reset_index()
    values = _settings(cell="rnn")
    values["data"] = {"time": "ds", "target": ["a", "b"], "layout": "wide"}
    model = _fit(wide, tmp_path, values)
    table = _predict(model, wide)
    assert list(table.columns) == ["ds", "step", "a_pred", "b_pred"]
    assert table["ds"].tolist() == ["2020-02-10", "2020-02-11", "2020-02-12"]
    melted = wide.melt("ds", var_name="id", value_name="y")
    values["data"] = {"time": "ds", "series": "id", "target": "y"}
    other = _predict(_fit(melted, tmp_path / "long", values), melted)
    assert table["a_pred"].tolist() + table["b_pred"].tolist() == other["y_pred"].tolist()
