"""A trace is what the network computes: against the backbone, against formulas, and for the rows that predict reads."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from small_runs import fit, opened

from rnncli import trace as tracing
from rnncli.errors import UsageError
from rnncli.model.ensemble import members_of
from rnncli.predict import read_given
from rnncli.trace import Choice, blocks, names_of, trace
from rnncli.trained import TrainedModel

CELLS = ("rnn", "lstm", "gru", "carry_lstm")
EVERYTHING = Choice(what=("all",), wide=True)


def ragged(ids: str = "abc", shortest: int = 5) -> pd.DataFrame:
    """Series of which the first are shorter than a window, rows mixed."""
    parts = []
    for number, name in enumerate(ids):
        steps = np.arange(shortest + 9 * number)
        parts.append(pd.DataFrame({"id": name, "t": steps, "y": np.sin(steps / 3 + number), "x": np.cos(steps / 2)}))
    return pd.concat(parts).sort_values(["t", "id"]).reset_index(drop=True)


def trained(folder: Path, frame: pd.DataFrame, **values: Any) -> TrainedModel:
    """A model of twelve rows of context, trained on longer series than those that it is asked about."""
    data = {"target": "y", "time": "t", "series": "id", "past": ["x"], **values.pop("data", {})}
    window = {"context": 12, **values.pop("window", {})}
    task = {"kind": "forecasting", "horizon": 2}
    split = {"validation": 3, "test": 3}
    return fit(frame, folder, {"data": data, "task": task, "window": window, "split": split, **values})


def table(model: TrainedModel, frame: pd.DataFrame, folder: Path, choice: Choice = EVERYTHING) -> pd.DataFrame:
    traced = trace(model, opened(frame, folder, "new.csv"), choice)
    return pd.DataFrame(list(traced.rows), columns=traced.columns)


def own(rows: pd.DataFrame, layer: int, name: str, reverse: bool = False) -> np.ndarray:
    """(steps, hidden) of one quantity."""
    start = f"l{layer}{'_reverse' * reverse}.{name}."
    return rows[[column for column in rows if column.startswith(start)]].to_numpy()


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one_way", "two_ways"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_states_are_those_of_the_network(cell: str, layers: int, bidirectional: bool, tmp_path: Path) -> None:
    frame = ragged()
    settings = {"cell": cell, "num_layers": layers, "bidirectional": bidirectional, "hidden_size": 5}
    model = trained(tmp_path, ragged(shortest=20), model=settings)
    rows = table(model, frame, tmp_path)
    given = read_given(model, opened(frame, tmp_path, "new.csv"))
    batch = given.windows(given.panel.ends).batch(np.arange(3))
    assert batch.lengths is not None  # the windows are padded, and the padding must show nowhere
    (network,) = members_of(model.network)
    with torch.inference_mode():
        x, counts, _ = network.read(batch.past, batch.lengths, batch.static)
        output, final = network.backbone(x, counts)
    for series, name in enumerate("abc"):
        part = rows[rows["id"] == name]
        length = int(batch.lengths[series])
        assert list(part["step"]) == list(range(1, length + 1))
        top = np.concatenate([own(part, layers - 1, "h", way) for way in (False, True)[: 1 + bidirectional]], axis=1)
        np.testing.assert_allclose(top, output[series, :length], atol=1e-6)
        places = itertools.product(range(layers), (False, True)[: 1 + bidirectional])
        for number, (layer, way) in enumerate(places):
            for state, letter in zip(final, "hc", strict=False):
                newest = own(part, layer, letter, way)[0 if way else -1]
                np.testing.assert_allclose(newest, state[number, series], atol=1e-6)


def sigma(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("cell", CELLS)
def test_gates_follow_their_formulas(cell: str, reverse: bool, nonlinearity: str, tmp_path: Path) -> None:
    """Recomputed from the printed states of the layer below and the step before."""
    if nonlinearity == "relu" and cell in ("lstm", "gru"):
        nonlinearity = "tanh"
    kind = {"nonlinearity": nonlinearity} if cell in ("rnn", "carry_lstm") else {}
    frame = ragged("a", 30)
    settings = {"cell": cell, "num_layers": 2, "bidirectional": True, "hidden_size": 4, **kind}
    model = trained(tmp_path, ragged(shortest=20), model=settings)
    rows = table(model, frame, tmp_path)
    weights = {name: tensor.double().numpy() for name, tensor in model.network.backbone.state_dict().items()}
    end = "l1" + "_reverse" * reverse
    x = np.concatenate([own(rows, 0, "h"), own(rows, 0, "h", True)], axis=1)
    before = {}
    for name in ("h", "c")[: 1 + ("lstm" in cell)]:
        states = own(rows, 1, name, reverse)
        zero = np.zeros((1, 4))
        before[name] = np.concatenate([states[1:], zero] if reverse else [zero, states[:-1]])
    read = x @ weights[f"weight_ih_{end}"].T + weights[f"bias_ih_{end}"]
    kept = before["h"] @ weights[f"weight_hh_{end}"].T + weights.get(f"bias_hh_{end}", 0)
    activation = np.tanh if nonlinearity == "tanh" else lambda values: np.maximum(values, 0)
    found = {name: own(rows, 1, name, reverse) for name in names_of(cell)}
    if cell == "rnn":
        expected = {"h": activation(read + kept)}
    elif cell == "gru":
        r, z = sigma((read + kept)[:, :4]), sigma((read + kept)[:, 4:8])
        n = np.tanh(read[:, 8:] + r * kept[:, 8:])
        expected = {"r": r, "z": z, "n": n, "h": (1 - z) * n + z * before["h"]}
    else:
        i, f, g, o = np.split(read + kept, 4, axis=1)
        c = sigma(f) * before["c"] + sigma(i) * np.tanh(g)
        if cell == "lstm":
            expected = {
                "i": sigma(i),
                "f": sigma(f),
                "g": np.tanh(g),
                "o": sigma(o),
                "h": sigma(o) * np.tanh(c),
                "c": c,
            }
        else:
            out = activation(o + before["c"] @ weights[f"weight_ch_{end}"].T)
            expected = {"k": np.tanh(g), "o": out, "h": out}
        expected |= {"i": sigma(i), "f": sigma(f), "c": c}
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-10, err_msg=name)


def test_long_and_wide_hold_the_same_numbers(tmp_path: Path) -> None:
    frame = ragged()
    model = trained(
        tmp_path, ragged(shortest=20), model={"cell": "lstm", "num_layers": 2, "hidden_size": 3, "bidirectional": True}
    )
    wide = table(model, frame, tmp_path)
    long = table(model, frame, tmp_path, Choice(what=("all",)))
    assert list(long) == ["id", "t", "step", "layer", "direction", "quantity", "unit", "value"]
    end = np.where(long["direction"] == "backward", "_reverse", "")
    long["name"] = "l" + long["layer"].astype(str) + end + "." + long["quantity"] + "." + long["unit"].astype(str)
    turned = long.pivot(index=["id", "step"], columns="name", values="value")
    pd.testing.assert_frame_equal(turned, wide.set_index(["id", "step"])[list(turned)], check_names=False)


def test_a_choice_is_a_part_of_everything(tmp_path: Path) -> None:
    frame = ragged()
    model = trained(tmp_path, ragged(shortest=20), model={"cell": "lstm", "num_layers": 2, "bidirectional": True})
    whole = table(model, frame, tmp_path, Choice(what=("all",)))
    choice = Choice(
        what=("f", "h"), layers=(1,), directions=("backward",), units=(0, 3), series=("c", "a"), last=2, wide=False
    )
    part = table(model, frame, tmp_path, choice)
    wanted = whole[
        whole["quantity"].isin(["f", "h"]) & (whole["layer"] == 1) & (whole["direction"] == "backward")
        & whole["unit"].isin([0, 3]) & whole["id"].isin(["a", "c"])
    ]  # fmt: skip
    newest = wanted.groupby("id")["step"].transform("max")
    wanted = wanted[wanted["step"] > newest - 2]
    key = ["id", "step", "quantity", "unit"]
    pd.testing.assert_frame_equal(
        part.sort_values(key).reset_index(drop=True), wanted.sort_values(key).reset_index(drop=True)
    )
    assert list(part["id"].unique()) == ["a", "c"]  # in the order of the data
    assert list(part["quantity"][:4]) == ["f", "f", "h", "h"]  # in the order of the wish


def test_times_are_those_of_the_rows(tmp_path: Path) -> None:
    frame = ragged()
    rows = table(trained(tmp_path, ragged(shortest=20), model={"hidden_size": 2}), frame, tmp_path)
    for name, part in rows.groupby("id"):
        assert list(part["t"].astype(int)) == list(frame.loc[frame["id"] == name, "t"])[-12:]


@pytest.mark.parametrize("front_end", ["none", "conv"])
def test_a_step_may_be_a_segment(front_end: str, tmp_path: Path) -> None:
    frame = ragged()
    model = trained(tmp_path, ragged(shortest=20), model={"segment": 5, "front_end": front_end})
    rows = table(model, frame, tmp_path)
    for name, part in rows.groupby("id"):
        times = list(frame.loc[frame["id"] == name, "t"])[-12:]
        assert list(part["t"].astype(int)) == times[::-1][::5][::-1]
    given = read_given(model, opened(frame, tmp_path, "new.csv"))
    batch = given.windows(given.panel.ends).batch(np.arange(3))
    (network,) = members_of(model.network)
    with torch.inference_mode():
        x, counts, _ = network.read(batch.past, batch.lengths, batch.static)
        _, final = network.backbone(x, counts)
    newest = rows[rows.groupby("id")["step"].transform("max") == rows["step"]]
    np.testing.assert_allclose(own(newest, 0, "h"), final[0][0], atol=1e-6)


def test_members_of_an_ensemble_stand_side_by_side(tmp_path: Path) -> None:
    frame = ragged()
    model = trained(tmp_path, ragged(shortest=20), training={"seeds": 2})
    rows = table(model, frame, tmp_path)
    assert list(rows)[:4] == ["id", "t", "member", "step"]
    for number, member in enumerate(members_of(model.network)):
        single = TrainedModel(
            model.config.model_copy(update={"training": model.config.training.model_copy(update={"seeds": 1})}),
            model.columns, model.scaler, member,
        )  # fmt: skip
        alone = table(single, frame, tmp_path)
        same = rows[rows["member"] == number].drop(columns="member").reset_index(drop=True)
        pd.testing.assert_frame_equal(same, alone)
    second = table(model, frame, tmp_path, Choice(members=(1,)))
    assert set(second["member"]) == {1}


def test_blocks_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = ragged("abcdef", 13)  # all but the windows' ends alike: six windows of one length
    model = trained(tmp_path, ragged(shortest=20))
    whole = table(model, frame, tmp_path)
    given = read_given(model, opened(frame, tmp_path, "new.csv"))
    windows = given.windows(given.panel.ends)
    assert [len(index) for index in blocks(windows, model.config.model)] == [6]
    monkeypatch.setattr(tracing, "BLOCK", 6 * 8 * 12 * 2)
    assert [len(index) for index in blocks(windows, model.config.model)] == [2, 2, 2]
    pd.testing.assert_frame_equal(table(model, frame, tmp_path), whole, rtol=1e-12)


def test_rows_are_computed_as_they_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = ragged("abcdef", 13)
    model = trained(tmp_path, ragged(shortest=20))
    monkeypatch.setattr(tracing, "BLOCK", 1)
    called = []
    whole = tracing.layer_traces
    monkeypatch.setattr(tracing, "layer_traces", lambda *words, **more: called.append(1) or whole(*words, **more))
    next(trace(model, opened(frame, tmp_path), Choice()).rows)
    assert len(called) == 1


def test_names_of_the_data_give_way(tmp_path: Path) -> None:
    """A panel of engines has a column called unit: both must be in a JSON object."""
    frame = ragged(shortest=20).rename(columns={"id": "unit", "t": "layer"})
    model = trained(tmp_path, frame, data={"series": "unit", "time": "layer"})
    for wide in (False, True):
        rows = table(model, frame, tmp_path, Choice(wide=wide))
        assert list(rows)[:3] == ["data_unit", "data_layer", "step"]
        assert rows.columns.is_unique


def test_known_rows_ahead_are_no_steps(tmp_path: Path) -> None:
    frame = ragged("c", 40)
    frame["holiday"] = (frame["t"] % 7 == 0).astype(int)
    model = trained(tmp_path, frame, data={"future": ["holiday"]})
    later = pd.DataFrame({"id": "c", "t": [40, 41], "y": np.nan, "x": np.nan, "holiday": [0, 1]})
    rows = table(model, pd.concat([frame, later]), tmp_path)
    assert list(rows["t"].astype(int)) == list(range(28, 40))


def test_a_wide_table_has_its_columns_as_series(tmp_path: Path) -> None:
    frame = pd.DataFrame({"t": range(40), "north": np.sin(np.arange(40.0)), "south": np.cos(np.arange(40.0))})
    values: dict[str, Any] = {"data": {"time": "t", "target": ["north", "south"], "layout": "wide"}}
    model = fit(frame, tmp_path, {**values, "task": {"kind": "forecasting", "horizon": 2}, "window": {"context": 6}})
    rows = table(model, frame, tmp_path, Choice(series=("south",)))
    assert list(rows)[:3] == ["series", "t", "step"]
    assert set(rows["series"]) == {"south"}


def test_the_newest_window_of_a_tagger(tmp_path: Path) -> None:
    values: dict[str, Any] = {"data": {"target": "y", "time": "t", "series": "id"}, "task": {"kind": "tagging"}}
    split = {"validation": 3, "test": 3}
    model = fit(ragged(shortest=20), tmp_path, {**values, "window": {"context": 8}, "split": split})
    rows = table(model, ragged(), tmp_path)
    assert rows.groupby("id")["step"].max().to_dict() == {"a": 5, "b": 8, "c": 8}


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice(what=("h", "q", "z")), r"--what: lstm has no q, z \(it has h, c, i, f, g, o"),
        (Choice(layers=(0, 1)), r"--layer 1: there is 0 alone"),
        (Choice(units=(3, 8)), r"--unit 8: there are 0 to 7"),
        (Choice(directions=("backward",)), "--direction backward: the model reads forward alone"),
        (Choice(members=(0,)), "--member: the model is one network"),
        (Choice(series=("a", "d")), r"no series 'd' \(it has 3, such as a, b, c\)"),
    ],
    ids=lambda value: "" if isinstance(value, Choice) else value[:12],
)
def test_what_a_model_has_not_is_refused(choice: Choice, words: str, tmp_path: Path) -> None:
    frame = ragged()
    model = trained(tmp_path, ragged(shortest=20))
    with pytest.raises(UsageError, match=words):
        trace(model, opened(frame, tmp_path), choice)
