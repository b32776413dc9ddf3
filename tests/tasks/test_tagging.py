"""Tagging: every row is answered once, with the textbook's recurrence, in the order of the input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_runs import answers, fit, opened, prepared, tags

from rnncli.data.origins import scoring_origins, training_origins, turns
from rnncli.data.panel import Panel
from rnncli.data.resident import Resident
from rnncli.data.split import Part
from rnncli.data.windows import Shape, Windows, cut
from rnncli.errors import DataError
from rnncli.evaluation.evaluate import held_out, score
from rnncli.model import reference
from rnncli.training.prepare import on_device, scoring_windows, training_windows

TARGETS = {"labels": "w", "one": "b", "numbers": "y", "several": ["b", "c"]}
COLUMNS = {
    "labels": ["prediction", "p_low", "p_mid", "p_top"],
    "one": ["b_pred", "p_b"],
    "numbers": ["y_pred"],
    "several": ["b_pred", "c_pred", "p_b", "p_c"],
}


def values(kind: str, **sections: Any) -> dict[str, Any]:
    data = {"time": "t", "series": "id", "target": TARGETS[kind], "past": ["x", "z"]}
    return {"data": data, "task": {"kind": "tagging"}, "window": {"context": 10}, **sections}


def drawn_windows(lengths: list[int], context: int, turn: int, share: float) -> tuple[Windows, Part, Panel]:
    """The scoring windows of the end of every series."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = int(offsets[-1])
    ids = tuple((str(number),) for number in range(len(lengths)))
    panel = Panel(("y", "x"), ids, offsets, np.arange(rows), np.zeros((rows, 2)), np.arange(rows))
    first = offsets[:-1] + (np.array(lengths) * share).astype(np.int64)
    part = Part(first, panel.ends)
    shape = Shape(context, every=True, turn=turn)
    known = torch.ones(rows, 1, dtype=torch.bool)
    data = Resident(torch.zeros(rows, 1), torch.zeros(rows, 1), known, (1, 1), torch.zeros(len(lengths), 0))
    origins = scoring_origins(panel, part, shape)
    return cut(panel, data, origins, shape, turns(panel, part, origins)), part, panel


LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=5)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(LENGTHS, st.integers(1, 20), st.booleans(), st.sampled_from([0.0, 0.3, 0.8]))
def test_every_row_of_a_part_is_answered_once_with_as_much_past_as_can_be(lengths, context, full, share):
    context = max(lengths) if full else context
    turn = context if full else max(1, context // 2)
    windows, part, panel = drawn_windows(lengths, context, turn, share)
    rows, counts = windows.target_rows(np.arange(len(windows)))
    wanted = [row for first, last in zip(part.first, part.last, strict=True) for row in range(first, last)]
    assert rows[counts].tolist() == wanted
    assert windows.batch(np.arange(len(windows))).target_mask.sum() == len(wanted)
    begins = np.repeat(windows.begins, counts.sum(1))
    starts = panel.offsets[panel.series_of(rows[counts])]
    assert ((begins == starts) | (rows[counts] - begins >= context - turn)).all()
    assert (begins >= starts).all()
    if full:
        assert (begins == starts).all()


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(LENGTHS, st.integers(1, 20), st.integers(1, 20))
def test_training_windows_reach_every_row(lengths, context, stride):
    windows, part, panel = drawn_windows(lengths, context, 1, 0.0)
    origins = training_origins(panel, part, windows.shape, min(stride, context))
    trained = cut(panel, windows.data, origins, windows.shape)
    rows, counts = trained.target_rows(np.arange(len(trained)))
    assert set(rows[counts]) == set(range(int(panel.offsets[-1])))
    assert (panel.series_of(trained.begins) == panel.series_of(trained.origins - 1)).all()


def test_rows_before_a_windows_turn_are_in_no_loss(tmp_path):
    data = prepared(tags(), tmp_path, values("numbers"))
    windows = scoring_windows(data, data.split.test, on_device(data, torch.device("cpu")))
    batch = windows.batch(np.arange(len(windows)))
    late = torch.from_numpy(windows.target_rows(np.arange(len(windows)))[1])
    assert (~late).any()
    answer = torch.where(late[:, :, None], batch.target, torch.tensor(1e9))
    assert data.task.loss(answer, batch).tolist() == [0.0] * len(windows)
    assert (data.task.loss(answer + 1, batch) == 1).all()


def textbook(model: Any, frame: pd.DataFrame) -> np.ndarray:
    """What the loops of the textbook and a matrix answer for the rows of one series, before the task's units."""
    past = model.scaler.apply(np.column_stack([np.zeros((len(frame), model.scaler.targets)), frame[["x", "z"]]]),
        np.zeros(len(frame), dtype=np.int64))[:, model.scaler.targets :]  # fmt: skip
    state = {name: tensor.numpy() for name, tensor in model.network.state_dict().items()}
    tensors = {name.removeprefix("backbone."): array for name, array in state.items() if name.startswith("backbone.")}
    nonlinearity = model.config.model.nonlinearity or "tanh"
    output, _ = reference.run(model.config.model.cell, tensors, past.astype(np.float32), nonlinearity=nonlinearity)
    return output @ state["head.weight"].T + state["head.bias"]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "carry_lstm"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one_way", "two_ways"])
def test_over_whole_series_the_answers_are_the_textbooks(cell, bidirectional, tmp_path):
    frame, model = tags(), {"cell": cell, "num_layers": 2, "bidirectional": bidirectional}
    trained = fit(frame, tmp_path, values("several", window={"context": "full"}, model=model))
    table = answers(trained, frame, tmp_path)
    for name, own in frame.groupby("id"):
        odds = reference.sigmoid(textbook(trained, own))
        found = table[table["id"] == name]
        np.testing.assert_allclose(found[["p_b", "p_c"]], odds, atol=2e-6)
        clear = np.abs(odds - 0.5) > 1e-5
        assert ((found[["b_pred", "c_pred"]] == (odds > 0.5)).to_numpy() | ~clear).all()


@pytest.mark.parametrize("kind", TARGETS)
def test_labels_and_numbers_are_the_textbooks_too(kind, tmp_path):
    frame = tags("ab")
    trained = fit(frame, tmp_path, values(kind, window={"context": "full"}))
    table = answers(trained, frame, tmp_path)
    raw = np.concatenate([textbook(trained, own) for _, own in frame.groupby("id")])
    if kind == "labels":
        odds = np.exp(raw) / np.exp(raw).sum(1, keepdims=True)
        np.testing.assert_allclose(table[["p_low", "p_mid", "p_top"]], odds, atol=2e-6)
        assert table["prediction"].tolist() == [("low", "mid", "top")[code] for code in odds.argmax(1)]
    elif kind == "numbers":
        expected = raw[:, 0] * trained.scaler.spread[0, 0] + trained.scaler.centre[0, 0]
        np.testing.assert_allclose(table["y_pred"], expected, rtol=1e-5)
    else:
        np.testing.assert_allclose(table["p_b"], reference.sigmoid(raw[:, 0]), atol=2e-6)


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("context", [10, "full"])
def test_there_is_a_row_of_answer_for_every_row_of_input_in_its_order(kind, context, tmp_path):
    frame = tags()
    model = fit(frame, tmp_path, values(kind, window={"context": context}, model={"cell": "gru"}))
    table = answers(model, frame, tmp_path)
    assert list(table.columns) == ["id", "t", *COLUMNS[kind]]
    assert table["id"].tolist() == frame["id"].tolist()
    assert table["t"].tolist() == frame["t"].astype(str).tolist()
    mixed = frame.sample(frac=1, random_state=1)
    shuffled = answers(model, mixed, tmp_path)
    assert shuffled["id"].tolist() == mixed["id"].tolist()
    assert shuffled["t"].tolist() == mixed["t"].astype(str).tolist()
    pd.testing.assert_frame_equal(shuffled.set_index(["id", "t"]).loc[list(zip(table["id"], table["t"], strict=True))],
        table.set_index(["id", "t"]), check_exact=True)  # fmt: skip
    without = frame.drop(columns=["b", "c", "y", "w"])
    pd.testing.assert_frame_equal(answers(model, without, tmp_path), table, check_exact=True)


@pytest.mark.parametrize("kind", TARGETS)
def test_every_row_of_the_test_part_is_scored_with_its_own_answer(kind, tmp_path):
    frame = tags()
    trained = fit(frame, tmp_path, values(kind, split={"test": 0.3}))
    data = held_out(trained, opened(frame, tmp_path))
    found = score(trained, data, data.split.test).model.overall()
    table = answers(trained, frame, tmp_path)
    rows = np.concatenate([np.arange(*pair) for pair in zip(data.split.test.first, data.split.test.last, strict=True)])
    truth, own = frame.iloc[rows], table.iloc[rows]
    if kind == "labels":
        assert found["accuracy"] == pytest.approx((truth["w"] == own["prediction"]).mean(), abs=0.03)
    elif kind == "numbers":
        assert found["mae"] == pytest.approx(np.abs(truth["y"] - own["y_pred"]).mean(), rel=0.05)
    else:
        odds = own[["p_b", "p_c"] if kind == "several" else ["p_b"]].to_numpy()
        held = truth[["b", "c"] if kind == "several" else ["b"]].to_numpy()
        nll = -np.log(np.where(held == 1, odds, 1 - odds)).sum(1).mean()
        assert found["nll"] == pytest.approx(nll, rel=0.05)


def test_a_part_is_scored_to_the_last_digit_where_windows_are_whole_series(tmp_path):
    frame = tags()
    settings_ = values("numbers", window={"context": "full"}, split={"by": "series", "test": 2})
    trained = fit(frame, tmp_path, settings_)
    data = held_out(trained, opened(frame, tmp_path))
    found = score(trained, data, data.split.test).model
    table = answers(trained, frame, tmp_path)
    test = [data.panel.ids[number][0] for number in data.split.test.series()]
    inside = frame["id"].isin(test)
    gaps = np.abs(frame["y"] - table["y_pred"])[inside]
    assert found.overall()["mae"] == pytest.approx(gaps.mean(), rel=1e-12)
    assert {data.panel.ids[number][0]: row["mae"] for number, row in found.by_series().items()} == {
        name: pytest.approx(gaps[frame["id"] == name].mean(), rel=1e-12) for name in test
    }


def test_what_the_targets_hold_decides_the_loss(tmp_path):
    losses = {"labels": "cross_entropy", "one": "binary_cross_entropy", "several": "binary_cross_entropy",
        "numbers": "mse"}  # fmt: skip
    for kind, loss in losses.items():
        assert prepared(tags("ab"), tmp_path, values(kind)).config.training.loss == loss
    forced = prepared(tags("ab"), tmp_path, values("one", training={"loss": "cross_entropy"}))
    assert forced.columns.labels == ("0", "1")
    with pytest.raises(DataError, match="binary_cross_entropy needs 0 or 1"):
        prepared(tags("ab"), tmp_path, values("numbers", training={"loss": "binary_cross_entropy"}))


def test_a_word_far_down_a_column_of_numbers_has_its_place(tmp_path):
    frame = tags("ab", rows=700).astype({"y": object})
    frame.loc[1200, "y"] = "oops"
    with pytest.raises(DataError, match=r"d\.csv:1202 y: not a number: 'oops'"):
        prepared(frame, tmp_path, values("numbers"))


def test_words_and_numbers_in_several_targets_are_refused(tmp_path):
    settings_ = values("several")
    settings_["data"]["target"] = ["b", "w"]
    with pytest.raises(DataError, match="not all of them hold numbers"):
        prepared(tags("ab"), tmp_path, settings_)


@pytest.mark.parametrize("kind", ["labels", "several"])
def test_rows_without_a_tag_are_not_trained_on_and_not_scored(kind, tmp_path):
    frame = tags("ab").astype({"b": object, "c": object})
    blank = frame.sample(frac=0.4, random_state=0).index
    frame.loc[blank, ["w", "b", "c"]] = ""
    settings_ = values(kind)
    settings_["data"]["missing"] = "ffill"
    data = prepared(frame, tmp_path, settings_)
    windows = training_windows(data, on_device(data, torch.device("cpu")))
    batch = windows.batch(np.arange(len(windows)))
    rows, counts = windows.target_rows(np.arange(len(windows)))
    assert (batch.target_mask[:, :, 0].numpy() == (counts & ~np.isin(data.panel.source[rows], blank))).all()
