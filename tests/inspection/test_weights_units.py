"""Dead and duplicate units, memory, inputs, differences: planted in the weights, and found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from test_weights import stored

from rnncli.checkpoint import Stored
from rnncli.errors import CheckpointError
from rnncli.inspection.difference import differences
from rnncli.inspection.inputs import input_rows
from rnncli.inspection.panels import less, limit, rows_of
from rnncli.inspection.units import by_unit, outgoing, unit_rows

SIZE = 4


def edited(model: Stored, change: dict[str, Any]) -> Stored:
    """A model with copies of some tensors changed by functions: of the recurrence, or by their whole name."""
    tensors = dict(model.tensors)
    for name, edit in change.items():
        whole = name if name.startswith("network.") else f"network.backbone.{name}"
        tensors[whole] = tensors[whole].copy()
        edit(tensors[whole])
    return replace(model, tensors=tensors)


def one(model: Stored, layer: int, direction: str, unit: int) -> dict[str, Any]:
    (row,) = [
        row for row in unit_rows(model) if (row["layer"], row["direction"], row["unit"]) == (layer, direction, unit)
    ]
    return row


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "carry_lstm"])
def test_initial_weights_have_no_dead_unit_and_no_duplicate(cell: str) -> None:
    rows = unit_rows(stored(cell))
    assert len(rows) == 2 * 2 * SIZE
    assert all(row["dead"] is None and row["duplicate_of"] is None for row in rows)


def test_norms_are_those_of_a_units_weights() -> None:
    model = stored("lstm")
    row = one(model, 0, "backward", 2)
    tensors = {name.removeprefix("network."): array.astype(float) for name, array in model.tensors.items()}
    w, u = tensors["backbone.weight_ih_l0_reverse"], tensors["backbone.weight_hh_l0_reverse"]
    assert row["incoming"] == pytest.approx(np.linalg.norm(w[2::SIZE]))
    assert row["recurrent"] == pytest.approx(np.linalg.norm(u[2::SIZE]))
    above = [tensors[f"backbone.weight_ih_l1{end}"][:, SIZE + 2] for end in ("", "_reverse")]
    assert row["outgoing"] == pytest.approx(np.sqrt(sum((part**2).sum() for part in [u[:, 2], *above])))
    top = one(model, 1, "backward", 2)
    reads = [tensors["backbone.weight_hh_l1_reverse"][:, 2], tensors["head.weight"][:, SIZE + 2]]
    assert top["outgoing"] == pytest.approx(np.sqrt(sum((part**2).sum() for part in reads)))


def test_rows_of_a_unit_are_taken_from_every_gate() -> None:
    array = np.arange(24).reshape(8, 3)  # two gates of four units
    assert by_unit(array, 4)[1].tolist() == [3, 4, 5, 15, 16, 17]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "carry_lstm"])
def test_a_unit_that_reads_nothing_is_blind(cell: str) -> None:
    def blind(array: np.ndarray) -> None:
        array[1::SIZE] = 1e-5

    names = ["weight_ih_l1", "weight_hh_l1", *(["weight_ch_l1"] if cell == "carry_lstm" else [])]
    model = edited(stored(cell), dict.fromkeys(names, blind))
    assert [row["unit"] for row in unit_rows(model) if row["dead"] == "blind"] == [1]
    assert one(model, 1, "forward", 1)["dead"] == "blind"


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "carry_lstm"])
def test_a_unit_that_nobody_reads_is_unread(cell: str) -> None:
    def unread(column: int) -> Any:
        def edit(array: np.ndarray) -> None:
            array[:, column] = 0

        return edit

    change = {"weight_hh_l1_reverse": unread(3), "network.head.weight": unread(SIZE + 3)}
    if cell == "carry_lstm":
        change["weight_ch_l1_reverse"] = unread(3)
    model = edited(stored(cell), change)
    dead = [(row["layer"], row["direction"], row["unit"]) for row in unit_rows(model) if row["dead"] == "unread"]
    assert dead == [(1, "backward", 3)]
    below = edited(
        stored("lstm"),
        {"weight_hh_l0": unread(2), "weight_ih_l1": unread(2), "weight_ih_l1_reverse": unread(2)},
    )
    assert one(below, 0, "forward", 2)["dead"] == "unread"


def test_a_copy_of_a_unit_is_found() -> None:
    def copied(array: np.ndarray) -> None:
        array[3::SIZE] = array[1::SIZE]

    def read_alike(array: np.ndarray) -> None:
        array[:, 3] = 2 * array[:, 1]  # twice as strongly is alike

    def both(array: np.ndarray) -> None:
        read_alike(array)
        copied(array)

    change = {"weight_ih_l0": copied, "bias_ih_l0": copied, "bias_hh_l0": copied, "weight_hh_l0": both}
    same_input = edited(stored("gru"), change)
    assert one(same_input, 0, "forward", 3)["duplicate_of"] is None  # it is read otherwise
    model = edited(same_input, {"weight_ih_l1": read_alike, "weight_ih_l1_reverse": read_alike})
    found = {row["unit"]: row["duplicate_of"] for row in unit_rows(model) if row["duplicate_of"] is not None}
    assert found == {3: 1}


def test_mean_and_maximum_read_a_unit_twice() -> None:
    model = stored("rnn", layers=1, bidirectional=True)
    weights = {"backbone.weight_hh_l0": np.zeros((4, 4)), "backbone.weight_ih_l0": np.zeros((4, 2))}
    weights["head.weight"] = np.arange(32.0).reshape(2, 16)
    settings = {**model.content["config"]["model"], "readout": "mean_max"}
    weights |= {f"{name}_reverse": array for name, array in weights.items() if name.startswith("backbone")}
    found = outgoing(weights, settings, 0, "backward")
    assert found[4:, 1].tolist() == [5.0, 21.0, 13.0, 29.0]


def test_the_norm_of_an_input_is_that_of_all_its_weights() -> None:
    model = stored("lstm", missing="mask")
    both = [model.tensors[f"network.backbone.weight_ih_l0{end}"].astype(float) for end in ("", "_reverse")]
    rows = input_rows(model)
    assert [row["input"] for row in rows] == ["y", "x", "observed(y)", "observed(x)"]
    assert [row["norm"] for row in rows] == pytest.approx(np.linalg.norm(np.concatenate(both), axis=0))
    spread = {"y": 2.0, "x": 0.0, "observed(y)": 0.5, "observed(x)": 1.0}
    weighed = [row["weight"] for row in input_rows(model, spread)]
    assert weighed == pytest.approx([row["norm"] * spread[row["input"]] for row in rows])


def test_a_model_does_not_differ_from_itself() -> None:
    model = stored("carry_lstm")
    for row in differences(model, model, "a", "b"):
        assert row["difference"] == 0
        if row["norm"]:  # that of the level's weight is zero at first
            assert row["relative"] == 0
            assert row["cosine"] == pytest.approx(1)


def test_a_difference_is_that_of_the_blocks() -> None:
    model = stored("lstm")
    name = "network.backbone.weight_hh_l0"
    other = edited(model, {"weight_hh_l0": lambda array: array[4:8].__imul__(-3)})
    rows = differences(model, other, "a", "b")
    moved = [row for row in rows if row["difference"]]
    assert [(row["parameter"], row["gate"]) for row in moved] == [("weight_hh_l0", "f")]
    norm = np.linalg.norm(model.tensors[name][4:8].astype(float))
    expected = {"norm": norm, "other_norm": 3 * norm, "difference": 4 * norm, "relative": 4.0, "cosine": -1.0}
    assert {key: moved[0][key] for key in expected} == pytest.approx(expected)
    drawn = less(model, other).tensors[name]
    assert drawn[4:8] == pytest.approx(-4 * model.tensors[name][4:8])
    assert not drawn[:4].any()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (stored("gru"), "its cell is gru, that of a is lstm"),
        (stored("lstm", layers=1), "bias_hh_l1 is absent, in a 16, and 7 more differ"),
        (stored("lstm", missing="mask"), "weight_ih_l0 is 16x4, in a 16x2, and 1 more differ"),
    ],
    ids=["cell", "layers", "inputs"],
)
def test_models_of_other_shapes_are_refused_by_name(other: Stored, words: str) -> None:
    with pytest.raises(CheckpointError, match=words) as refused:
        differences(stored("lstm"), other, "a", "b")
    assert refused.value.problems[0].place.file == "b"


def test_panels_hold_every_recurrent_weight_once() -> None:
    model = stored("carry_lstm")
    rows = rows_of(model)
    assert [(row.layer, row.direction) for row in rows] == [
        (0, "forward"), (0, "backward"), (1, "forward"), (1, "backward")
    ]  # fmt: skip
    assert [panel.kind for panel in rows[0].panels] == ["weight_ih", "weight_hh", "weight_ch", "bias"]
    assert rows[0].panels[0].columns == ("y", "x")
    assert rows[2].panels[0].columns == tuple(f"h{unit}" for unit in range(8))
    count = sum(panel.values.size for row in rows for panel in row.panels)
    assert count == sum(array.size for name, array in model.tensors.items() if "backbone" in name)
    assert 0 < limit(rows) <= max(np.abs(panel.values).max() for row in rows for panel in row.panels)
