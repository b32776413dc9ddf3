"""Windows: a batch is what slicing the table by hand gives, no window leaves its series, and every one has its turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnncli.config import schema
from rnncli.data import batches as batches_module
from rnncli.data import resident as resident_module
from rnncli.data.batches import by_length, count_batches, epoch_batches, gathered, shuffled
from rnncli.data.origins import context_rows, scoring_origins, training_origins
from rnncli.data.panel import Columns, Panel
from rnncli.data.resident import Resident, fill_forward, resident
from rnncli.data.scale import Scaler, fit_scaler
from rnncli.data.split import everything
from rnncli.data.windows import Shape, Windows, cut

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Drawn:
    """A random panel and how it is cut."""

    panel: Panel
    columns: Columns
    scaler: Scaler
    missing: str
    normalise: str
    context: int
    horizon: int


@st.composite
def drawn(draw: st.DrawFn, labels: bool = False) -> Drawn:
    lengths = draw(st.lists(st.integers(4, 14), min_size=1, max_size=4))
    targets, past = draw(st.integers(1, 1 if labels else 2)), draw(st.integers(1 if labels else 0, 2))
    rows = sum(lengths)
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    values = random.normal(size=(rows, targets + past)) * 3 + 1
    if draw(st.booleans()):
        values[random.random(values.shape) < 0.2] = np.nan
    if labels:
        values[:, 0] = np.repeat(random.integers(0, 3, len(lengths)), lengths)
    names = tuple(f"y{number}" for number in range(targets)), tuple(f"x{number}" for number in range(past))
    panel = Panel(
        columns=names[0] + names[1],
        ids=tuple((str(number),) for number in range(len(lengths))),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        times=np.concatenate([np.arange(length) for length in lengths]),
        values=values,
        source=np.arange(rows),
    )
    columns = Columns(*names, series=("id",), target_is_input=not labels, labels=("a", "b", "c") if labels else None)
    scaler = fit_scaler(panel, columns, everything(panel), schema.Scale(kind="standard", per="panel"), "none")
    missing = draw(st.sampled_from(["ffill", "mask"]))
    normalise = "none" if labels else draw(st.sampled_from(["none", "last", "mean_std"]))
    return Drawn(
        panel, columns, scaler, missing, normalise, draw(st.integers(1, 16)), 0 if labels else draw(st.integers(1, 3))
    )


def _same_windows_of(made, values, windows):
    """The windows, cut from a panel with other values."""
    other = Panel(**{**made.panel.__dict__, "values": values})
    data = resident(other, made.columns, made.scaler, made.missing, CPU)
    return cut(made.panel, data, windows.origins, windows.shape)


def _windows(made: Drawn) -> Windows:
    data = resident(made.panel, made.columns, made.scaler, made.missing, CPU)
    shape = Shape(made.context, made.horizon, normalise=made.normalise)
    return cut(made.panel, data, training_origins(made.panel, everything(made.panel), shape, 1), shape)


def _filled(column: np.ndarray) -> np.ndarray:
    """The newest value in place of NaN, zero before the first."""
    result, newest = [], 0.0
    for value in column:
        newest = newest if np.isnan(value) else value
        result.append(newest)
    return np.array(result)


def _by_hand(made: Drawn, series: int, origin: int) -> dict[str, np.ndarray]:
    """One window, sliced from the table of one series; `origin` counts from its first row."""
    part = made.panel[series]
    targets = len(made.columns.targets)
    scaled = (part.values - made.scaler.centre[0]) / made.scaler.spread[0]
    inputs = scaled if made.columns.target_is_input else scaled[:, targets:]
    known = ~np.isnan(inputs)
    filled = np.column_stack([_filled(column) for column in inputs.T])
    begin = max(0, origin - made.context)
    past = filled[begin:origin]
    level, spread = np.zeros(targets), np.ones(targets)
    if made.normalise == "last":
        level = past[-1, :targets]
    if made.normalise == "mean_std":
        level, spread = past[:, :targets].mean(0), np.sqrt(past[:, :targets].var(0) + 1e-5)
    if made.normalise != "none":
        past = np.column_stack([(past[:, :targets] - level) / spread, past[:, targets:]])
    if made.missing == "mask":
        past = np.column_stack([past, known[begin:origin]])
    rows = slice(origin, origin + made.horizon) if made.horizon else slice(origin - 1, origin)
    answers = scaled[:, :targets] if made.columns.labels is None else part.values[:, :targets]
    return {"past": past, "level": level, "spread": spread, "target": answers[rows]}


def _assert_same(made: Drawn, windows: Windows, index: np.ndarray) -> None:
    batch = windows.batch(index)
    lengths = batch.past.new_full((len(index),), batch.past.shape[1]).long() if batch.lengths is None else batch.lengths
    for position, number in enumerate(index):
        series = int(windows.series[number])
        own = _by_hand(made, series, int(windows.origins[number] - made.panel.offsets[series]))
        length = int(lengths[position])
        assert length == len(own["past"])
        np.testing.assert_allclose(batch.past[position, :length].numpy(), own["past"], rtol=2e-4, atol=2e-4)
        assert (batch.past[position, length:] == 0).all()
        np.testing.assert_allclose(batch.level[position].numpy(), own["level"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(batch.spread[position].numpy(), own["spread"], rtol=1e-4, atol=1e-5)
        mask = ~np.isnan(own["target"])
        np.testing.assert_array_equal(batch.target_mask[position].numpy(), mask)
        np.testing.assert_allclose(batch.target[position].numpy()[mask], own["target"][mask], rtol=1e-4, atol=1e-5)
    assert (batch.index == index).all()


@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(drawn(), st.randoms(use_true_random=False))
def test_a_batch_is_what_slicing_by_hand_gives(made, random):
    windows = _windows(made)
    index = np.array(random.sample(range(len(windows)), min(5, len(windows))))
    _assert_same(made, windows, index)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(drawn(labels=True))
def test_a_label_stands_in_the_newest_row(made):
    windows = _windows(made)
    _assert_same(made, windows, np.arange(len(windows)))
    batch = windows.batch(np.arange(len(windows)))
    assert batch.past.shape[2] == len(made.columns.past) * (2 if made.missing == "mask" else 1)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(drawn())
def test_no_window_leaves_its_series(made):
    windows = _windows(made)
    begin, end = made.panel.offsets[windows.series], made.panel.offsets[windows.series + 1]
    assert (windows.begins >= begin).all()
    assert (windows.begins < windows.origins).all()
    assert (windows.origins + made.horizon <= end).all()
    assert (windows.lengths() <= made.context).all()
    assert ((windows.lengths() == made.context) | (windows.begins == begin)).all()


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(drawn(), st.integers(0, 3))
def test_a_change_in_one_series_is_seen_by_no_window_of_another(made, number):
    number %= len(made.panel)
    windows = _windows(made)
    changed = made.panel.values.copy()
    changed[made.panel.rows(number)] = 777.0
    spoilt = _same_windows_of(made, changed, windows)
    index = np.flatnonzero(windows.series != number)
    if len(index):
        before, after = windows.batch(index), spoilt.batch(index)
        assert torch.equal(before.past, after.past)
        assert torch.equal(before.target, after.target)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(drawn(), st.integers(0, 200))
def test_what_comes_after_the_origin_is_not_in_the_past(made, which):
    windows = _windows(made)
    index = np.array([which % len(windows)])
    changed = made.panel.values.copy()
    changed[windows.origins[index[0]] :] = 777.0
    later = _same_windows_of(made, changed, windows)
    before, after = windows.batch(index), later.batch(index)
    assert torch.equal(before.past, after.past)
    assert torch.equal(before.level, after.level)
    assert torch.equal(before.spread, after.spread)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(drawn())
def test_company_changes_no_window(made):
    windows = _windows(made)
    everyone = windows.batch(np.arange(len(windows)))
    for number in range(0, len(windows), 3):
        alone = windows.batch(np.array([number]))
        length = alone.past.shape[1]
        np.testing.assert_allclose(everyone.past[number, :length].numpy(), alone.past[0].numpy(), rtol=1e-4, atol=1e-4)
        assert torch.equal(everyone.target[number], alone.target[0])


def _ones(rows: int) -> Resident:
    known = torch.ones(rows, 1, dtype=torch.bool)
    return Resident(torch.ones(rows, 1), torch.ones(rows, 1), known, ahead=(1, 1), static=torch.empty(rows, 0))


def test_targets_beyond_the_data_are_not_known():
    shape = Shape(3, 3, normalise="last")
    windows = Windows(_ones(5), shape, np.array([4, 5]), starts=np.array([0]))
    assert windows.batch(np.array([0, 1])).target_mask[:, :, 0].tolist() == [
        [True, False, False],
        [False, False, False],
    ]


def _of_lengths(lengths: list[int]) -> Windows:
    ends = np.cumsum(lengths)
    return Windows(_ones(sum(lengths)), Shape(max(lengths)), ends, starts=ends - lengths)


LENGTHS = st.lists(st.integers(1, 5), min_size=1, max_size=40)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(LENGTHS, st.integers(1, 50), st.integers(0, 2**63 - 1), st.integers(0, 1000))
def test_an_epoch_covers_every_window_once_and_follows_from_its_number(lengths, size, seed, epoch):
    windows = _of_lengths(lengths)
    batches = shuffled(windows, size, seed, epoch)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert max(len(batch) for batch in batches) <= size
    again = shuffled(windows, size, seed, epoch)
    assert [batch.tolist() for batch in batches] == [batch.tolist() for batch in again]


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(LENGTHS, st.integers(1, 12), st.integers(1, 30))
def test_epochs_of_a_given_length_are_passes_end_to_end(lengths, size, steps):
    windows = _of_lengths(lengths)
    parts = [epoch_batches(windows, size, steps, 3, epoch) for epoch in range(4)]
    assert [len(part) for part in parts] == [steps] * 4
    stream = [batch.tolist() for number in range(4 * steps) for batch in shuffled(windows, size, 3, number)]
    assert [batch.tolist() for part in parts for batch in part] == stream[: 4 * steps]


@settings(max_examples=150, deadline=None)
@given(made=drawn(), size=st.integers(1, 5), together=st.integers(1, 400), data=st.data())
def test_batches_that_are_gathered_at_once_are_those_of_their_own(made, size, together, data):
    windows = _windows(made)
    batches = shuffled(windows, size, 0, 0)
    first = data.draw(st.integers(0, len(batches)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches_module, "_TOGETHER", together)
        whole = list(gathered(windows, batches, 0))
        rest = list(gathered(windows, batches, first))
    assert (len(whole), len(rest)) == (len(batches), len(batches) - first)
    for index, batch in zip(batches, whole, strict=True):
        alone = windows.batch(index)
        for name, value in vars(batch).items():
            expected = getattr(alone, name)
            if value is None:
                assert expected is None
            else:
                torch.testing.assert_close(value, expected) if name != "index" else np.testing.assert_array_equal(
                    value, index
                )
    for batch, later in zip(whole[first:], rest, strict=True):  # not a bit depends on where training goes on
        for value, other in zip(vars(batch).values(), vars(later).values(), strict=True):
            assert (value is None and other is None) or np.array_equal(value, other)


def test_whole_windows_are_not_mixed_with_shorter_ones():
    windows = _of_lengths([5] * 20 + [2, 3] * 10)
    for batch in shuffled(windows, 7, 0, 0):
        whole = windows.lengths()[batch] == 5
        assert whole.all() or not whole.any()


def test_epochs_and_seeds_have_their_own_order():
    windows = _of_lengths([3] * 40)
    orders = {tuple(np.concatenate(shuffled(windows, 8, seed, epoch))) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


def test_the_global_generators_are_left_alone():
    windows = _of_lengths([3] * 40)
    np.random.seed(7)
    before = shuffled(windows, 8, 0, 0)
    first = np.random.random()
    np.random.seed(7)
    assert np.random.random() == first
    after = shuffled(windows, 8, 0, 0)
    assert [batch.tolist() for batch in before] == [batch.tolist() for batch in after]


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(LENGTHS, st.integers(1, 50))
def test_prediction_covers_every_window_once_in_batches_of_one_length_and_size(lengths, size):
    windows = _of_lengths(lengths)
    seen = []
    for index, count in by_length(windows, size):
        assert len(index) == size
        assert 1 <= count <= size
        assert len(set(windows.lengths()[index].tolist())) == 1
        seen += index[:count].tolist()
    assert sorted(seen) == list(range(len(lengths)))


@pytest.mark.parametrize("context", [1, 5, 30, 1000])
def test_full_context_is_the_longest_series(context):
    made = np.arange(12.0)[:, None]
    panel = Panel(("y",), (("a",), ("b",)), np.array([0, 5, 12]), np.arange(12), made, np.arange(12))
    assert context_rows("full", panel) == 7
    assert context_rows(context, panel) == context


def test_blanks_are_filled_within_a_series_and_never_from_the_future():
    values = np.array([[np.nan], [1.0], [np.nan], [np.nan], [2.0], [np.nan]])
    panel = Panel(("y",), (("a",), ("b",)), np.array([0, 3, 6]), np.arange(6), values, np.arange(6))
    assert fill_forward(values, ~np.isnan(values), panel)[:, 0].tolist() == [0.0, 1.0, 1.0, 0.0, 2.0, 2.0]


def test_scoring_with_no_room_has_no_windows():
    values = np.zeros((3, 1))
    panel = Panel(("y",), (("a",),), np.array([0, 3]), np.arange(3), values, np.arange(3))
    assert len(scoring_origins(panel, everything(panel), Shape(4, 3))) == 0
    assert scoring_origins(panel, everything(panel), Shape(4, 2)).tolist() == [1]


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(drawn(), st.integers(1, 7))
def test_values_are_the_same_however_many_rows_are_scaled_together(made, size):
    whole = resident(made.panel, made.columns, made.scaler, made.missing, CPU)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resident_module, "CHUNK", size)
        parts = resident(made.panel, made.columns, made.scaler, made.missing, CPU)
    assert torch.equal(parts.inputs, whole.inputs)
    assert torch.equal(parts.targets, whole.targets)
    assert torch.equal(parts.observed, whole.observed)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(drawn(), st.integers(1, 5))
def test_batches_are_counted_without_being_made(made, size):
    windows = _windows(made)
    assert count_batches(windows, size) == len(shuffled(windows, size, 1, 2))
    lengths = windows.lengths()
    groups = [lengths[index[:count]] for index, count in by_length(windows, size)]
    assert all(len(set(group)) == 1 for group in groups)
    assert (np.concatenate(groups) == np.sort(lengths)).all()
