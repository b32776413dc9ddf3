"""Parts: none overlaps another, nothing leaks from one into another, and each is as large as was asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables_as_text import with_ids

from rnncli.config import schema
from rnncli.data.origins import scoring_origins, training_origins
from rnncli.data.panel import Columns, Panel
from rnncli.data.split import everything, split
from rnncli.data.windows import Shape
from rnncli.errors import DataError

COLUMNS = Columns(("y",), time="t", time_format="integer")


def make_panel(lengths: list[int], labels: list[int] | None = None) -> Panel:
    """Series of the given lengths, their times counted from 0; values are row numbers, or the label of the series."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = int(offsets[-1])
    values = (
        np.arange(rows, dtype=np.float64) if labels is None else np.repeat(np.array(labels, dtype=np.float64), lengths)
    )
    return Panel(
        columns=("y",),
        ids=tuple((f"s{number}",) for number in range(len(lengths))),
        offsets=offsets,
        times=np.concatenate([np.arange(length) for length in lengths]),
        values=values[:, None],
        source=np.arange(rows),
    )


def _rows(part) -> list[set[int]]:
    return [set(range(first, last)) for first, last in zip(part.first, part.last, strict=True)]


LENGTHS = st.lists(st.integers(30, 80), min_size=1, max_size=5)
SIZES = st.integers(0, 8) | st.floats(0, 0.2)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(LENGTHS, SIZES, SIZES, st.integers(1, 4))
def test_by_time_every_row_is_in_one_part_and_later_parts_are_later(lengths, validation, test, horizon):
    panel = make_panel(lengths)
    try:
        parts = split(panel, COLUMNS, schema.Split(by="time", validation=validation, test=test), horizon, 0)
    except DataError:
        counts = [size for size in (validation, test) if isinstance(size, int) and size > 0]
        assert any(count < horizon for count in counts)
        return
    for number, rows in enumerate(zip(_rows(parts.train), _rows(parts.validation), _rows(parts.test), strict=True)):
        assert sorted(row for part in rows for row in part) == list(range(*panel.rows(number).indices(10**6)))
        assert len(rows[0]) > horizon
        for size, part in ((validation, rows[1]), (test, rows[2])):
            if isinstance(size, int):
                assert len(part) == size
            elif size > 0:
                assert len(part) == max(horizon, math.ceil(lengths[number] * size - 1e-9))
            else:
                assert part == set()


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(LENGTHS, st.integers(4, 9), st.integers(4, 9), st.integers(1, 4), st.integers(1, 40), st.integers(1, 3))
def test_targets_never_leave_their_part_and_every_one_is_scored(lengths, validation, test, horizon, context, stride):
    panel = make_panel(lengths)
    parts = split(panel, COLUMNS, schema.Split(by="time", validation=validation, test=test), horizon, 0)
    trained = training_origins(panel, parts.train, Shape(context, horizon), stride)
    assert len(set(trained.tolist())) == len(trained) > 0
    for origin in trained:
        number = int(panel.series_of(np.array([origin - 1]))[0])
        assert panel.offsets[number] < origin <= parts.train.last[number] - horizon
    for part in (parts.validation, parts.test):
        scored = scoring_origins(panel, part, Shape(context, horizon))
        targets = {row for origin in scored for row in range(origin, origin + horizon)}
        inside = set().union(*_rows(part))
        assert targets == inside
        assert len(set(scored.tolist())) == len(scored) == sum(len(rows) - horizon + 1 for rows in _rows(part))


def test_the_stride_thins_training_windows_and_keeps_the_newest():
    panel = make_panel([50])
    part = everything(panel)
    every = training_origins(panel, part, Shape(10, 3), 1)
    third = training_origins(panel, part, Shape(10, 3), 3)
    assert every.tolist() == list(range(10, 48))
    assert third.tolist() == [origin for origin in every.tolist() if (47 - origin) % 3 == 0]
    assert 47 in third


def test_short_series_are_trained_on_with_what_context_they_have():
    panel = make_panel([12, 60])
    origins = training_origins(panel, everything(panel), Shape(10, 2), 1)
    assert [origin for origin in origins.tolist() if origin < 12] == list(range(1, 11))
    assert [origin for origin in origins.tolist() if origin >= 12] == list(range(22, 71))


@pytest.mark.parametrize(("size", "rows"), [("20", 10), ("25", 5), (5, 5), (0.1, 3), (0.2, 6)])
def test_a_part_is_a_time_a_count_or_a_fraction(size, rows):
    panel = make_panel([30])
    parts = split(panel, COLUMNS, schema.Split(by="time", validation=0, test=size), 2, 0)
    assert parts.test.last[0] - parts.test.first[0] == rows


def test_a_time_splits_every_series_at_the_same_moment(read):
    text = with_ids(["a", "b"]).replace("b,2020-01-01,6.000,0\nb,2020-01-02,6.841,1\n", "")
    prepared = read(text, data__series="id", split__validation="2020-01-15", split__test="2020-01-21")
    for part, first in ((prepared.split.validation, "2020-01-15"), (prepared.split.test, "2020-01-21")):
        assert [str(prepared.panel.times[row])[:10] for row in part.first] == [first, first]


def test_a_fraction_holds_at_least_a_window():
    panel = make_panel([40])
    parts = split(panel, COLUMNS, schema.Split(by="time", validation=0.01, test=0.01), 6, 0)
    assert (parts.validation.last - parts.validation.first).tolist() == [6]
    assert (parts.test.last - parts.test.first).tolist() == [6]


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    st.integers(3, 60), st.floats(0, 0.4) | st.integers(0, 5), st.floats(0, 0.4) | st.integers(0, 5), st.integers(0, 5)
)
def test_by_series_whole_series_are_held_out(count, validation, test, seed):
    panel = make_panel([5] * count)
    sizes = [size if isinstance(size, int) else math.ceil(count * size - 1e-9) for size in (validation, test)]
    config = schema.Split(by="series", validation=validation, test=test)
    if sum(sizes) >= count:
        with pytest.raises(DataError):
            split(panel, COLUMNS, config, 0, seed)
        return
    parts = split(panel, COLUMNS, config, 0, seed)
    chosen = [part.series().tolist() for part in (parts.train, parts.validation, parts.test)]
    assert sorted(number for part in chosen for number in part) == list(range(count))
    assert [len(part) for part in chosen[1:]] == sizes
    for part in (parts.train, parts.validation, parts.test):
        assert set((part.last - part.first).tolist()) <= {0, 5}


def test_the_seed_decides_which_series_are_held_out():
    panel = make_panel([5] * 40)
    config = schema.Split(by="series", validation=0.1, test=0.2)

    def held_out(seed: int) -> list[int]:
        return split(panel, COLUMNS, config, 0, seed).test.series().tolist()

    assert held_out(0) == held_out(0)
    assert len({tuple(held_out(seed)) for seed in range(5)}) > 1


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.integers(4, 30), min_size=2, max_size=4), st.floats(0.1, 0.3), st.floats(0.1, 0.3), st.integers(0, 5)
)
def test_every_part_has_its_share_of_each_class(sizes, validation, test, seed):
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    panel = make_panel([3] * len(labels), labels)
    columns = Columns(("y",), past=("x",), series=("id",), labels=tuple(map(str, range(len(sizes)))))
    parts = split(panel, columns, schema.Split(by="series", validation=validation, test=test), 0, seed)
    for part in (parts.train, parts.validation, parts.test):
        chosen = [labels[number] for number in part.series()]
        for label, size in enumerate(sizes):
            fair = size * len(chosen) / len(labels)
            assert abs(chosen.count(label) - fair) <= len(sizes)
