"""Rows ahead of a panel: exactly the horizon, taken from the data where there are any, else made."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tables_as_text import make_config

from rnncli.data.ahead import extend
from rnncli.data.calendar import waves
from rnncli.data.files import read_panel
from rnncli.data.panel import Panel
from rnncli.data.reading.frames import Tables, open_tables
from rnncli.errors import DataError
from rnncli.predict import predict
from rnncli.trained import TrainedModel
from rnncli.training.request import Request, Watch
from rnncli.training.train import train

SILENT = Watch(lambda fit, state: None, lambda event: None, lambda text: None)
ROWS, HORIZON = 40, 3


def table(ahead: dict[str, int], frequency: str = "D", ids: str = "ab") -> pd.DataFrame:
    """Series whose last rows have no target."""
    parts = []
    for number, name in enumerate(ids):
        count = ROWS + 2 * number + ahead.get(name, 0)
        frame = pd.DataFrame({"id": name, "ds": pd.date_range("2024-01-01", periods=count, freq=frequency)})
        frame["y"] = [math.sin(row) + number if row < ROWS + 2 * number else math.nan for row in range(count)]
        frame["f"] = [float(row * (number + 1)) for row in range(count)]
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def opened(frame: pd.DataFrame, name: str = "d.csv") -> Tables:
    frame.to_csv(name, index=False)
    return open_tables(name)


def fitted(frame: pd.DataFrame, folder: Path, **keys: object) -> TrainedModel:
    config = make_config(
        data__path=str(folder / "d.csv"), data__series="id", task__horizon=HORIZON,
        model={"cell": "gru", "hidden_size": 8}, training={"epochs": 2}, **keys,
    )  # fmt: skip
    return train(config, opened(frame, str(folder / "d.csv")), Request(folder / "run"), SILENT).model


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """A model with a future column and a part of the date."""
    keys = {"data__future": "f", "data__calendar": "weekday"}
    model = fitted(table({}), tmp_path_factory.mktemp("priced"), **keys)
    with torch.no_grad():  # it begins at zero, and two epochs leave little in it
        torch.nn.init.normal_(model.network.ahead.out.weight, generator=torch.Generator().manual_seed(0))
    return model


def extended(model: TrainedModel, frame: pd.DataFrame) -> tuple[Panel, Panel]:
    tables = opened(frame)
    panel, columns = read_panel(tables, model.columns, "error")
    return panel, extend(panel, columns, HORIZON, tables)


@pytest.mark.parametrize("ahead", [{"a": 3, "b": 3}, {"a": 5, "b": 3}, {"a": 3, "b": 9}], ids=str)
def test_the_rows_of_the_data_are_taken_and_no_more_than_the_horizon(priced, ahead):
    frame = table(ahead)
    panel, longer = extended(priced, frame)
    assert panel.ends.tolist() == [ROWS, ROWS + ahead["a"] + ROWS + 2]
    assert longer.lengths().tolist() == [ROWS + HORIZON, ROWS + 2 + HORIZON]
    assert longer.ends.tolist() == [ROWS, 2 * ROWS + 2 + HORIZON]
    for number, name in enumerate("ab"):
        own = frame[frame["id"] == name].head(ROWS + 2 * number + HORIZON)
        np.testing.assert_array_equal(longer[number].times, own["ds"].to_numpy())
        np.testing.assert_array_equal(longer[number].values[:, :2], own[["y", "f"]].to_numpy())
        np.testing.assert_array_equal(longer[number].values[:, 2:], waves(own["ds"].to_numpy(), ["weekday"]))
        np.testing.assert_array_equal(longer.source[longer.rows(number)], own.index)
        assert longer[number].ends.tolist() == [ROWS + 2 * number]


@pytest.mark.parametrize(
    ("ahead", "message"),
    [
        ({"a": 3, "b": 2}, r"d\.csv:88: series b has 2 rows after the last known y, the horizon is 3 \("),
        ({"a": 1, "b": 0}, r"d\.csv:42: series a has 1 rows .* is 3, and 1 more series have too few \(add rows with f"),
    ],
)
def test_too_few_rows_ahead_name_the_series(priced, ahead, message):
    with pytest.raises(DataError, match=message) as caught:
        predict(priced, opened(table(ahead)))
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("frequency", ["D", "h", "MS", "ME", "B", "W", "15min"])
def test_without_future_columns_the_rows_are_made_with_the_dates_that_follow(tmp_path, frequency):
    whole = table({}, frequency).assign(ds=lambda frame: frame["ds"].dt.strftime("%Y-%m-%d %H:%M"))
    model = fitted(whole, tmp_path, data__calendar=["month", "hour"])
    panel, longer = extended(model, whole)
    for number in range(2):
        times = pd.date_range("2024-01-01", periods=ROWS + 2 * number + HORIZON, freq=frequency).to_numpy()
        np.testing.assert_array_equal(longer[number].times, times)
        assert np.isnan(longer[number].values[-HORIZON:, 0]).all()
        np.testing.assert_array_equal(longer[number].values[:, 1:], waves(times, ["month", "hour"]))
    np.testing.assert_array_equal(longer[0].values[:ROWS], panel[0].values)


def test_rows_without_a_time_are_counted_on(tmp_path):
    frame = table({"a": 3, "b": 3}).drop(columns="ds")
    model = fitted(frame, tmp_path, data__time=None, data__future="f")
    predicted = predict(model, opened(frame)).table
    assert list(predicted.columns) == ["id", "step", "y_pred"]
    assert predicted["y_pred"].notna().all()


def test_forecasts_follow_the_newest_known_target(priced):
    predicted = predict(priced, opened(table({"a": 5, "b": 3}))).table
    assert predicted["id"].tolist() == ["a"] * 3 + ["b"] * 3
    expected = pd.date_range("2024-02-10", periods=3).append(pd.date_range("2024-02-12", periods=3))
    assert predicted["ds"].tolist() == expected.strftime("%Y-%m-%d").tolist()


def changed(frame: pd.DataFrame, name: str, row: int) -> pd.DataFrame:
    """Another value of the future column in a row of a series."""
    other = frame.copy()
    other.loc[other.index[other["id"] == name][row], "f"] += 40
    return other


@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_future_value_within_the_horizon_matters_to_its_own_step(priced, step):
    frame = table({"a": 4, "b": 4})
    before = predict(priced, opened(frame)).table["y_pred"]
    after = predict(priced, opened(changed(frame, "a", ROWS + step))).table["y_pred"]
    assert (before != after).tolist() == [number == step for number in range(6)]


def test_a_future_value_beyond_the_horizon_does_not_matter(priced):
    frame = table({"a": 4, "b": 4})
    before, after = (predict(priced, opened(some)).table for some in (frame, changed(frame, "a", ROWS + HORIZON)))
    pd.testing.assert_frame_equal(before, after, check_exact=True)


def test_a_gap_in_the_rows_ahead_is_refused(priced):
    frame = table({"a": 4, "b": 4})
    with pytest.raises(DataError, match="jumps from"):
        predict(priced, opened(frame.drop(index=ROWS + 1)))


def test_the_wide_layout_shares_what_is_known_ahead(tmp_path):
    frame = table({"a": HORIZON}, ids="a").drop(columns="id").assign(z=lambda frame: frame["y"] * 2 + 1)
    path = str(tmp_path / "d.csv")
    config = make_config(
        data__path=path, data__layout="wide", data__target=["y", "z"], data__future="f", task__horizon=HORIZON,
        model={"hidden_size": 8}, training={"epochs": 1},
    )  # fmt: skip
    model = train(config, opened(frame, path), Request(tmp_path / "run"), SILENT).model
    predicted = predict(model, opened(frame)).table
    assert predicted["ds"].tolist() == ["2024-02-10", "2024-02-11", "2024-02-12"]
    assert list(predicted.columns) == ["ds", "step", "y_pred", "z_pred"]
    with pytest.raises(DataError, match="2 rows after the last known y"):
        predict(model, opened(frame[:-1]))
