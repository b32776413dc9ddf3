"""Scaling: statistics of the training rows alone, undone exactly, and never a division by nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from rnncli.config import schema
from rnncli.data.panel import Columns, Panel
from rnncli.data.scale import Scaler, adapt, fit_scaler
from rnncli.data.split import Part, everything
from rnncli.errors import DataError

KINDS = ["standard", "robust", "minmax", "none"]
THEIRS = {"standard": StandardScaler, "robust": RobustScaler, "minmax": MinMaxScaler}


def make_panel(values: np.ndarray, lengths: list[int], ids: str = "abcdefgh") -> Panel:
    """Values cut into series."""
    return Panel(
        columns=tuple(f"c{number}" for number in range(values.shape[1])),
        ids=tuple((name,) for name in ids[: len(lengths)]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        times=np.concatenate([np.arange(length) for length in lengths]),
        values=values,
        source=np.arange(len(values)),
    )


def columns_of(panel: Panel, targets: int = 1, season: int = 1) -> Columns:
    """The first columns are targets, the others past inputs."""
    return Columns(panel.columns[:targets], panel.columns[targets:], season=season)


def _fit(
    panel: Panel,
    part: Part | None = None,
    kind: str = "standard",
    per: str = "series",
    transform: str = "none",
    targets: int = 1,
) -> Scaler:
    return fit_scaler(
        panel, columns_of(panel, targets), part or everything(panel), schema.Scale(kind=kind, per=per), transform
    )


def _series(panel: Panel) -> np.ndarray:
    return np.repeat(np.arange(len(panel)), panel.lengths())


VALUES = hnp.arrays(np.float64, st.tuples(st.integers(6, 20), st.integers(1, 3)), elements=st.floats(-1e6, 1e6))


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(VALUES, st.sampled_from(KINDS), st.sampled_from(["series", "panel"]), st.booleans(), st.integers(1, 5))
def test_invert_undoes_apply(values, kind, per, logarithm, cut):
    values = np.abs(values) + 1e-3 if logarithm else values
    panel = make_panel(values, [cut, len(values) - cut])
    targets = values.shape[1]
    scaler = _fit(panel, kind=kind, per=per, transform="log" if logarithm else "none", targets=targets)
    scaled = scaler.apply(values, _series(panel))
    assert np.isfinite(scaled).all()
    back = scaler.invert(scaled[:, None, :], _series(panel))[:, 0]
    np.testing.assert_allclose(back, values, rtol=1e-6, atol=1e-8 * max(1.0, np.abs(values).max()))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(VALUES, st.sampled_from(KINDS), st.sampled_from(["series", "panel"]), st.booleans(), st.integers(1, 5))
def test_invert_undoes_apply_for_every_quantile(values, kind, per, logarithm, cut):
    """A last axis of quantiles is brought back with the statistics of its series and target."""
    values = np.abs(values) + 1e-3 if logarithm else values
    panel = make_panel(values, [cut, len(values) - cut])
    scaler = _fit(panel, kind=kind, per=per, transform="log" if logarithm else "none", targets=values.shape[1])
    scaled = scaler.apply(values, _series(panel))
    several = np.stack([scaled, scaled[::-1] * 0, scaled], axis=-1)[:, None]
    back = scaler.invert(several, _series(panel))
    assert back.shape == (len(values), 1, values.shape[1], 3)
    for number in (0, 2):
        np.testing.assert_array_equal(back[..., number], scaler.invert(scaled[:, None], _series(panel)))
    size = max(1.0, np.abs(values).max())
    np.testing.assert_allclose(back[:, 0, :, 0], values, rtol=1e-6, atol=1e-8 * size)


@pytest.mark.parametrize("kind", THEIRS)
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    values=hnp.arrays(
        np.float64, st.tuples(st.integers(5, 30), st.just(2)), elements=st.integers(-1000, 1000).map(float)
    )
)
def test_statistics_are_those_of_scikit_learn(kind, values):
    values = np.concatenate([values, [[2000.0, -2000.0]]])
    panel = make_panel(values, [len(values)])
    ours = _fit(panel, kind=kind, per="panel").apply(values, _series(panel))
    np.testing.assert_allclose(ours, THEIRS[kind]().fit_transform(values), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("per", ["series", "panel"])
def test_what_is_held_out_changes_no_statistic(kind, per):
    random = np.random.default_rng(0)
    values = random.normal(size=(40, 2)) + 9
    panel = make_panel(values, [20, 20])
    part = Part(panel.offsets[:-1], panel.offsets[:-1] + 12)
    before = _fit(panel, part, kind, per)
    other = values.copy()
    other[12:20] = 1e6
    other[32:] = -1e6
    after = _fit(make_panel(other, [20, 20]), part, kind, per)
    for name in ("centre", "spread", "deviation", "seasonal_error"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    other[5] += 1
    changed = _fit(make_panel(other, [20, 20]), part, kind, per)
    assert not np.array_equal(before.deviation, changed.deviation)


@pytest.mark.parametrize("kind", ["standard", "robust", "minmax"])
@pytest.mark.parametrize("constant", [0.0, 5.0, -1e-9, 1e6, 0.1 + 0.2])
def test_a_constant_column_has_spread_one(kind, constant):
    panel = make_panel(np.full((30, 1), constant), [30])
    scaler = _fit(panel, kind=kind)
    assert scaler.spread.tolist() == [[1.0]]
    assert np.abs(scaler.apply(panel.values, _series(panel))).max() < 1e-9
    assert scaler.deviation.tolist() == [[1.0]]
    assert np.isnan(scaler.seasonal_error).all()


@pytest.mark.parametrize("scale", [1e-9, 1e-6, 1e6, 1e12])
@pytest.mark.parametrize("kind", ["standard", "robust", "minmax"])
def test_small_and_large_columns_are_no_constants(kind, scale):
    values = np.random.default_rng(0).normal(size=(50, 1)) * scale
    panel = make_panel(values, [50])
    scaled = _fit(panel, kind=kind).apply(values, _series(panel))
    assert 0.1 < scaled.std() < 10


def test_each_series_has_its_own_or_all_share():
    values = np.concatenate([np.arange(10.0), 1000 + 10 * np.arange(10.0)])[:, None]
    panel = make_panel(values, [10, 10])
    own = _fit(panel, per="series")
    assert own.centre.tolist() == [[4.5], [1045.0]]
    np.testing.assert_allclose(own.apply(values, _series(panel))[:10], own.apply(values, _series(panel))[10:])
    shared = _fit(panel, per="panel")
    assert shared.centre.shape == (1, 1)
    assert shared.centre[0, 0] == values.mean()
    assert shared.deviation.shape == (2, 1)  # scores are in the units of each series all the same


def test_blanks_are_passed_over():
    values = np.array([[1.0], [np.nan], [3.0], [5.0]])
    scaler = _fit(make_panel(values, [4]))
    assert scaler.centre.tolist() == [[3.0]]
    assert np.isnan(scaler.apply(values, np.zeros(4, dtype=int))[1, 0])


def test_the_logarithm_is_of_targets_alone():
    values = np.exp(np.random.default_rng(0).normal(size=(30, 2)))
    panel = make_panel(values, [30])
    scaler = _fit(panel, transform="log")
    np.testing.assert_allclose(scaler.centre[0], [np.log(values[:, 0]).mean(), values[:, 1].mean()])
    np.testing.assert_allclose(scaler.deviation[0], [values[:, 0].std()])


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_logarithm_that_does_not_exist_is_refused(value):
    values = np.ones((6, 1))
    values[4] = value
    with pytest.raises(DataError, match="series b"):
        _fit(make_panel(values, [3, 3]), transform="log")


@pytest.mark.parametrize(("season", "error"), [(1, 1.0), (7, 7.0), (100, 1.0)])
def test_the_seasonal_error_is_that_of_repeating_a_season(season, error):
    panel = make_panel(np.arange(30.0)[:, None], [30])
    columns = columns_of(panel, season=season)
    scaler = fit_scaler(panel, columns, everything(panel), schema.Scale(per="series"), "none")
    assert scaler.seasonal_error.tolist() == [[error]]


def test_series_that_were_held_out_are_measured_in_units_of_training():
    """Scores of such a series are in the training standard deviation, as those of any other."""
    values = np.random.default_rng(0).normal(size=(60, 1)) * 50
    panel = make_panel(values, [20, 20, 20])
    part = Part(panel.offsets[:-1], np.array([20, 20, 60]))
    scaler = _fit(panel, part, per="panel")
    assert 25 < scaler.deviation[1, 0] < 100
    assert np.isfinite(scaler.seasonal_error[1, 0])


@pytest.mark.parametrize("per", ["series", "panel"])
def test_known_series_keep_their_statistics_and_new_ones_get_their_own(per):
    random = np.random.default_rng(0)
    values = random.normal(size=(40, 1)) * 3 + 10
    trained = _fit(make_panel(values, [20, 20], "ab"), per=per)
    new = make_panel(np.concatenate([values[20:] * 7, random.normal(size=(20, 1)) + 500]), [20, 20], "bz")
    scaler = adapt(trained, new, columns_of(new), everything(new))
    assert scaler.ids == (("b",), ("z",))
    if per == "series":
        assert scaler.centre[0] == trained.centre[1]
        assert abs(scaler.centre[1, 0] - 500) < 2
    else:
        np.testing.assert_array_equal(scaler.centre, trained.centre)
    assert scaler.deviation[0] == trained.deviation[1]
    assert adapt(trained, make_panel(values, [20, 20], "ab"), columns_of(new), everything(new)) is trained


def test_statistics_follow_the_series_not_their_places():
    values = np.random.default_rng(0).normal(size=(60, 1)) * np.repeat([1.0, 10.0, 100.0], 20)[:, None]
    panel = make_panel(values, [20, 20, 20], "abc")
    trained = _fit(panel)
    turned = make_panel(values[::-1], [20, 20, 20], "cba")
    scaler = adapt(trained, turned, columns_of(turned), everything(turned))
    np.testing.assert_array_equal(scaler.spread, trained.spread[::-1])
    np.testing.assert_array_equal(
        scaler.apply(turned.values, _series(turned)), trained.apply(values, _series(panel))[::-1]
    )
    assert replace(scaler, ids=trained.ids).settings == trained.settings


def test_small_numbers_are_no_constant():
    from rnncli.data.scale import _centre_and_spread

    values = np.array([[1e-30], [3e-30]])
    centre, spread = _centre_and_spread(values, "standard")
    assert (centre[0], spread[0]) == (pytest.approx(2e-30), pytest.approx(1e-30))
    assert _centre_and_spread(np.full((3, 1), 1e9), "standard")[1][0] == 1


@pytest.mark.parametrize("per", ["series", "panel"])
@pytest.mark.parametrize("kind", ["standard", "robust", "minmax"])
def test_rows_of_weight_zero_are_in_no_statistic(kind, per):
    random = np.random.default_rng(3)
    values, weights = random.normal(size=(30, 2)), np.repeat([1.0, 0.0, 2.0], 10)
    panel = replace(make_panel(values, [30]), weights=weights)
    other = replace(panel, values=np.where(weights[:, None] == 0, 1e6, values))
    scaler, same = _fit(panel, kind=kind, per=per), _fit(other, kind=kind, per=per)
    np.testing.assert_array_equal(scaler.centre, same.centre)
    np.testing.assert_array_equal(scaler.spread, same.spread)
    if kind == "standard":
        theirs = StandardScaler().fit(values, sample_weight=weights)
        np.testing.assert_allclose(scaler.centre[0], theirs.mean_)
        np.testing.assert_allclose(scaler.spread[0], theirs.scale_)
    else:
        kept = _fit(make_panel(values[weights > 0], [20]), kind=kind, per=per)
        np.testing.assert_array_equal(scaler.centre, kept.centre)


def test_a_series_of_weight_zero_is_scaled_by_its_values():
    values = np.arange(12.0)[:, None]
    panel = replace(make_panel(values, [6, 6]), weights=np.repeat([0.0, 1.0], 6))
    np.testing.assert_allclose(_fit(panel).centre[:, 0], [2.5, 8.5])
