"""What a model does on data: saturation, memory, units that never move, and what the answers owe to each input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from small_runs import fit, opened

from rnncli.inspection.activity import Activity, gate_rows, observe, tiled, unit_activity
from rnncli.inspection.on_data import look
from rnncli.inspection.reliance import reliance, sample, spreads
from rnncli.model.ensemble import members_of
from rnncli.model.reference import passes, quantities
from rnncli.predict import Given, read_given
from rnncli.trained import TrainedModel

CELLS = ("rnn", "lstm", "gru", "carry_lstm")


def waves(rows: int = 45) -> pd.DataFrame:
    """Two series with a target and an input."""
    steps = np.arange(rows)
    parts = [
        pd.DataFrame({"id": name, "t": steps, "y": np.sin(steps / 3 + shift), "x": np.cos(steps / 2 - shift)})
        for shift, name in enumerate("ab")
    ]
    return pd.concat(parts, ignore_index=True)


def trained(folder: Path, frame: pd.DataFrame, **values: Any) -> TrainedModel:
    data = {"target": "y", "time": "t", "series": "id", "past": ["x"], **values.pop("data", {})}
    task = {"kind": "forecasting", "horizon": 2}
    window = {"context": 10, "normalise": "none"}
    return fit(frame, folder, {"data": data, "task": task, "window": window, "split": {"validation": 5}, **values})


def given_to(model: TrainedModel, frame: pd.DataFrame, folder: Path) -> Given:
    return read_given(model, opened(frame, folder, "new.csv"))


def seen(model: TrainedModel, given: Given, layer: int, direction: str) -> dict[str, np.ndarray]:
    """(steps, units) every quantity of a layer, window by window, over all rows of the data."""
    (network,) = members_of(model.network)
    tensors = {name: tensor.double().numpy() for name, tensor in network.backbone.state_dict().items()}
    found: dict[str, list[np.ndarray]] = {}
    for origin in tiled(given.panel, given.shape.context):
        batch = given.windows(np.array([origin])).batch(np.array([0]))
        with torch.inference_mode():
            x, _, _ = network.read(batch.past, None, batch.static)
        for done in passes(network.settings.cell, tensors, x[0].double().numpy()):
            if (done.layer, done.direction) == (layer, direction):
                for name, values in quantities(network.settings.cell, done).items():
                    found.setdefault(name, []).append(values)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def test_every_row_is_read_once(tmp_path: Path) -> None:
    frame = waves()
    given = given_to(trained(tmp_path, frame), frame, tmp_path)
    windows = given.windows(tiled(given.panel, 10))
    rows = [row for begin, end in zip(windows.begins, windows.origins, strict=True) for row in range(begin, end)]
    assert sorted(rows) == list(range(len(frame)))


@pytest.mark.parametrize("cell", CELLS)
def test_shares_are_counted_over_all_steps(cell: str, tmp_path: Path) -> None:
    frame = waves()
    model = trained(tmp_path, frame, model={"cell": cell, "num_layers": 2, "bidirectional": True, "hidden_size": 3})
    with torch.no_grad():  # weights so large that gates shut and open
        for parameter in model.network.parameters():
            parameter.mul_(6)
    given = given_to(model, frame, tmp_path)
    activity = observe(model.network, given)
    assert activity.steps == len(frame)
    rows = gate_rows(activity, cell, several=False)
    assert {(row["layer"], row["direction"]) for row in rows} == {
        (layer, way) for layer in (0, 1) for way in ("forward", "backward")
    }
    values = seen(model, given, 1, "_reverse")
    units = unit_activity(activity)[0, 1, "backward"]
    assert [unit["mean"] for unit in units] == pytest.approx(values["h"].mean(0))
    assert [unit["range"] for unit in units] == pytest.approx(np.ptp(values["h"], axis=0))
    saturated = False
    for row in (row for row in rows if (row["layer"], row["direction"]) == (1, "backward")):
        own = values[row["gate"]]
        lowest = -0.95 if row["gate"] in "gnkh" or (cell, row["gate"]) == ("carry_lstm", "o") else 0.05
        low, high = (own < lowest).mean(), (own > 0.95).mean()
        assert (row["low"], row["high"], row["saturation"]) == pytest.approx((low, high, low + high))
        assert (row["mean"], row["std"]) == pytest.approx((own.mean(), own.std()))
        saturated |= low > 0.1
    assert saturated  # or nothing was tested
    keep = {"lstm": "f", "carry_lstm": "f", "gru": "z"}.get(cell)
    memory = [unit["half_life_on_data"] for unit in units]
    if keep is None:
        assert memory == [None] * 3
        return
    # the product of the gates over all steps leaves 2^(-steps / half-life)
    assert 2 ** (-len(frame) / np.array(memory)) == pytest.approx(np.prod(values[keep], axis=0), rel=1e-6)
    (row,) = [row for row in rows if (row["layer"], row["direction"], row["gate"]) == (1, "backward", keep)]
    assert row["half_life"] == pytest.approx(np.median(memory))


def test_a_gate_of_relu_is_at_its_end_at_zero(tmp_path: Path) -> None:
    frame = waves()
    model = trained(tmp_path, frame, model={"cell": "rnn", "nonlinearity": "relu"})
    (row,) = gate_rows(observe(model.network, given_to(model, frame, tmp_path)), "rnn", several=False)
    assert 0 < row["low"] < 1
    assert row["high"] == 0


def test_a_unit_that_never_moves_is_still(tmp_path: Path) -> None:
    frame = waves()
    model = trained(tmp_path, frame, model={"cell": "gru", "hidden_size": 4})
    weights = model.network.backbone.state_dict()
    with torch.no_grad():
        for name, tensor in weights.items():
            tensor[2::4] = 0.0 if "weight" in name else 3.0
        weights["bias_ih_l0"][6] = weights["bias_hh_l0"][6] = -20.0  # it writes at once and keeps nothing
    found = look(model, opened(frame, tmp_path, "new.csv"))
    assert [unit["dead"] for unit in unit_activity(found.activity)[0, 0, "forward"]] == [None, None, "still", None]
    rows = [{"member": None, "layer": 0, "direction": "forward", "unit": unit, "dead": None} for unit in range(4)]
    found.add_to_units(rows)
    assert [row["dead"] for row in rows] == [None, None, "still", None]


def test_members_are_counted_apart(tmp_path: Path) -> None:
    frame = waves()
    model = trained(tmp_path, frame, training={"seeds": 2})
    activity = observe(model.network, given_to(model, frame, tmp_path))
    for number, member in enumerate(members_of(model.network)):
        alone = observe(member, given_to(model, frame, tmp_path))
        own = Activity({(0, 0, "forward"): activity.tallies[number, 0, "forward"]}, activity.steps)
        assert gate_rows(own, "lstm", several=False) == gate_rows(alone, "lstm", several=False)


def test_an_input_that_is_not_used_owes_nothing(tmp_path: Path) -> None:
    frame = waves()
    model = trained(tmp_path, frame, model={"cell": "lstm"})
    with torch.no_grad():
        model.network.backbone.state_dict()["weight_ih_l0"][:, 1] = 0
    batch = sample(given_to(model, frame, tmp_path))
    found = reliance(model, batch)
    assert list(found) == ["y", "x"]
    assert found["x"] == 0
    assert found["y"] is not None
    assert found["y"] > 0.1
    assert reliance(model, batch) == found  # shuffled alike every time
    spread = spreads(model, batch)
    past = batch.past.double().flatten(0, 1).numpy()
    assert list(spread.values()) == pytest.approx(past.std(0))


def test_answers_that_hang_on_one_input_alone_move_as_far_as_they_differ(tmp_path: Path) -> None:
    """Among independent values a shuffle moves answers by sqrt(2) of their spread."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"id": "a", "t": range(300), "y": random.normal(size=300), "x": random.normal(size=300)})
    model = trained(tmp_path, frame, model={"cell": "rnn"})
    weights = model.network.backbone.state_dict()
    with torch.no_grad():  # each state is the newest x, a little
        for name, tensor in weights.items():
            tensor.zero_()
            if name == "weight_ih_l0":
                tensor[:, 1] = 0.1
    found = reliance(model, sample(given_to(model, frame, tmp_path)))
    assert found["y"] == 0
    assert found["x"] == pytest.approx(2**0.5, rel=0.15)


def test_what_is_known_ahead_and_of_a_series_is_shuffled_too(tmp_path: Path) -> None:
    frame = waves()
    frame["holiday"] = (frame["t"] % 5 == 0).astype(int)
    frame["region"] = np.where(frame["id"] == "a", "north", "south")
    frame.loc[frame["t"] >= 43, ["y", "x"]] = np.nan
    data = {"future": ["holiday"], "static": ["region"], "categorical": ["region"]}
    model = trained(tmp_path, frame.dropna(), data=data)
    with torch.no_grad():  # the past says nothing of the holiday, and the head reads it ahead alone
        (network,) = members_of(model.network)
        network.backbone.state_dict()["weight_ih_l0"][:, 2] = 0
        torch.nn.init.ones_(network.ahead.out.weight)
    batch = sample(given_to(model, frame, tmp_path))
    found = reliance(model, batch)
    assert list(found) == ["y", "x", "holiday", "region"]
    assert found["holiday"] is not None
    assert found["region"] is not None
    assert found["holiday"] > 0
    assert found["region"] > 0
    assert spreads(model, batch)["region"] > 0


@pytest.mark.parametrize("kind", ["classification", "tagging"])
def test_other_tasks_have_their_answers_too(kind: str, tmp_path: Path) -> None:
    frame = pd.concat(
        [waves(20 + 5 * number).assign(id=lambda own, n=number: own["id"] + str(n)) for number in range(4)]
    )
    frame["label"] = np.where(frame["id"].str[0] == "a", "left", "right") if kind == "classification" else frame["y"]
    data = {"target": "label", "time": "t", "series": "id", "past": ["x"]}
    split = {"validation": 0.25, "test": 0.25}
    model = fit(frame, tmp_path, {"data": data, "task": {"kind": kind}, "split": split})
    found = look(model, opened(frame, tmp_path, "new.csv"))
    assert list(found.reliance) == ["x"]
    assert found.reliance["x"] is not None
    assert 0 < found.reliance["x"] < 10
    assert found.activity.steps == len(frame)
