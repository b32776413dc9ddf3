"""Rolling origins: which rows a fold forecasts, that nothing later reaches it, and how folds are pooled."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rnncli.config.document import Document
from rnncli.config.load import check
from rnncli.data.reading.frames import Tables, open_tables
from rnncli.errors import DataError, DivergedError, Interrupted, UsageError
from rnncli.evaluation import backtest as module
from rnncli.evaluation.backtest import Backtest, backtest, by_fold, refit
from rnncli.evaluation.evaluate import fit_baselines, held_out, other_data, score
from rnncli.evaluation.folds import Fold, Plan, candidates, check_plan, place_folds
from rnncli.trained import TrainedModel
from rnncli.training.interrupt import EXIT_CODES
from rnncli.training.prepare import Prepared, prepare
from rnncli.training.request import Request, Watch
from rnncli.training.state import Event
from rnncli.training.train import train, train_unsaved

HORIZON = 2
CPU = torch.device("cpu")
SILENT = Watch(lambda fit, state: None, lambda event: None, lambda text: None)

Run = tuple[TrainedModel, Prepared]


@contextlib.contextmanager
def unwatched(number: int, fold: Fold) -> Iterator[Watch]:
    yield SILENT


def values_of(*lengths: int) -> list[list[float]]:
    """Series that no forecast of the tests gets right."""
    random = np.random.default_rng(len(lengths))
    return [list(random.normal(size=length).cumsum().round(3)) for length in lengths]


def tables_of(folder: Path, series: list[list[float]], name: str = "d.csv") -> Tables:
    """Series a, b … with the days from 2020 on; NaN is an empty cell."""
    lines = ["id,day,y"]
    for letter, values in zip("abcdef", series, strict=False):
        days = np.datetime64("2020-01-01") + np.arange(len(values))
        cells = ["" if np.isnan(value) else f"{value!r}" for value in map(float, values)]
        lines += [f"{letter},{day},{cell}" for day, cell in zip(days, cells, strict=True)]
    (folder / name).write_text("\n".join(lines) + "\n")
    return open_tables(str(folder / name))


def config_of(**sections: dict[str, Any]) -> Any:
    values: dict[str, Any] = {
        "data": {"path": "d.csv", "time": "day", "series": "id", "target": "y", "missing": "ffill"},
        "split": {"validation": 3, "test": 6},
        "window": {"context": 4},
        "task": {"kind": "forecasting", "horizon": HORIZON},
        "model": {"cell": "gru", "hidden_size": 3},
        "training": {"epochs": 3, "batch_size": 8, "threads": 1, "learning_rate": 0.02},
    }
    for name, keys in sections.items():
        values[name] = {**values.get(name, {}), **keys}
    return check(Document(values, {}))


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Run]:
    """A model trained on series, and its data: ``run([[1, 2, …], …], split={"test": 3})``."""

    def make(series: list[list[float]], **sections: dict[str, Any]) -> Run:
        config, tables = config_of(**sections), tables_of(tmp_path, series)
        model = train_unsaved(prepare(config, tables), CPU, SILENT)
        return model, held_out(model, tables)

    return make


def origins(folds: list[Fold]) -> list[list[int]]:
    return [fold.origins.tolist() for fold in folds]


def backtested(model: TrainedModel, data: Prepared, plan: Plan) -> Backtest:
    return backtest(model, data, plan, place_folds(model, data, plan), unwatched)


# --- where folds are


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (Plan(folds=1), [[18, 32]]),
        (Plan(folds=2), [[16, 30], [18, 32]]),
        (Plan(folds=9), [[14, 28], [16, 30], [18, 32]]),
        (Plan(folds=2, stride=1), [[17, 31], [18, 32]]),
        (Plan(folds=9, stride=3), [[15, 29], [18, 32]]),
        (Plan(folds=10**9, stride=10**9 - 1), [[18, 32]]),
    ],
)
def test_folds_end_with_the_data_and_lie_in_the_test_part(
    run: Callable[..., Run], plan: Plan, expected: list[list[int]]
) -> None:
    """Series of 20 and 14 rows, panel rows 0-19 and 20-33; the last six of each are the test part."""
    model, data = run(values_of(20, 14))
    folds = place_folds(model, data, plan)
    assert origins(folds) == expected
    assert all(fold.series.tolist() == [0, 1] for fold in folds)
    for fold in folds:
        assert (fold.origins >= data.split.test.first).all()
        assert (fold.origins + HORIZON <= data.panel.offsets[1:]).all()


def test_a_series_takes_part_where_its_own_test_part_reaches(run: Callable[..., Run]) -> None:
    """A quarter of 40 and of 20 rows: ten and five rows, panel rows 30-39 and 55-59."""
    model, data = run(values_of(40, 20), split={"validation": 3, "test": 0.25})
    plan = Plan()
    folds = place_folds(model, data, plan)
    assert origins(folds) == [[30], [32], [34], [36, 56], [38, 58]]
    assert [fold.series.tolist() for fold in folds] == [[0], [0], [0], [0, 1], [0, 1]]
    assert candidates(data, plan) == 2
    rows = by_fold(data, backtested(model, data, plan))
    assert [row["windows"] for row in rows] == [1, 1, 1, 2, 2]
    assert [row["origin"] for row in rows] == ["2020-01-31", "2020-02-02", "2020-02-04", "2020-02-06", "2020-02-08"]


def test_of_whole_series_held_out_those_of_the_test_part_take_part(run: Callable[..., Run]) -> None:
    model, data = run(values_of(12, 12, 12, 12), split={"by": "series", "validation": 1, "test": 1})
    plan = Plan()
    test = data.split.test.series()
    assert candidates(data, plan) == len(test) == 1
    begin = int(data.panel.offsets[test[0]])
    folds = place_folds(model, data, plan)
    assert origins(folds) == [[begin + 4], [begin + 6], [begin + 8], [begin + 10]]  # the context comes first


def test_other_data_is_all_unseen_but_for_the_first_context(run: Callable[..., Run], tmp_path: Path) -> None:
    model, _ = run(values_of(20, 14))
    data = other_data(model, tables_of(tmp_path, values_of(12, 3, 2), "other.csv"))
    folds = place_folds(model, data, Plan())
    assert origins(folds) == [[4], [6], [8], [10, 13]]
    assert all((fold.origins >= data.split.train.last[fold.series]).all() for fold in folds)
    short = other_data(model, tables_of(tmp_path, values_of(2, 1), "short.csv"))
    with pytest.raises(DataError, match="no fold: no series ends with 2 rows"):
        place_folds(model, short, Plan())


def test_a_refit_needs_rows_to_train_and_to_validate_on(run: Callable[..., Run]) -> None:
    """Three rows of validation, and three to train on, a window's worth."""
    model, data = run(values_of(14, 12), split={"validation": 3, "test": 2})
    folds = place_folds(model, data, Plan(refit=True))
    assert origins(folds) == [[6], [8, 20], [10, 22], [12, 24]]
    assert origins(place_folds(model, data, Plan(folds=99, refit=True))) == origins(folds)
    assert candidates(data, Plan(refit=True)) == 2


def test_validation_from_a_time_on_leaves_out_folds_before_it(run: Callable[..., Run]) -> None:
    model, data = run(values_of(30), split={"validation": "2020-01-19", "test": 4})
    assert origins(place_folds(model, data, Plan(refit=True))) == [[20], [22], [24], [26], [28]]
    assert origins(place_folds(model, data, Plan(folds=99, refit=True))) == [[20], [22], [24], [26], [28]]


def test_a_fold_without_a_known_target_is_left_out(run: Callable[..., Run], tmp_path: Path) -> None:
    values = values_of(20)
    values[0][16:18] = [np.nan, np.nan]
    model, data = run(values)
    for plan in (Plan(folds=3), Plan(folds=3, refit=True)):
        assert origins(place_folds(model, data, plan)) == [[14], [18]]
    values[0][14:] = [np.nan] * 6
    unknown = held_out(model, tables_of(tmp_path, values, "unknown.csv"))
    with pytest.raises(DataError, match="known"):
        place_folds(model, unknown, Plan())


def test_rows_have_numbers_where_the_data_has_no_time(run: Callable[..., Run]) -> None:
    model, data = run(values_of(20), data={"time": None})
    assert [row["origin"] for row in by_fold(data, backtested(model, data, Plan(folds=2)))] == [16, 18]


# --- nothing later reaches a fold


def poisoned(series: list[list[float]], rows: list[int]) -> list[list[float]]:
    """Every series with enormous values from a row on, alternately above and below zero."""
    return [
        [*values[:first], *(1e6 * (-1) ** row for row in range(len(values) - first))]
        for values, first in zip(series, rows, strict=True)
    ]


@pytest.mark.parametrize("scale", ["series", "panel"])
@pytest.mark.parametrize("validation", [3, 0.2, 0])
def test_later_rows_change_no_bit_of_an_earlier_fold(
    run: Callable[..., Run], scale: str, validation: int | float
) -> None:
    sections: dict[str, Any] = {"split": {"validation": validation, "test": 2}, "scale": {"per": scale}}
    series = values_of(30, 26)
    clean = run(series, **sections)
    spoilt = run(poisoned(series, [24, 20]), **sections)  # from the third fold of five on
    plan = Plan(refit=True)
    before, after = backtested(*clean, plan), backtested(*spoilt, plan)
    assert origins(list(before.folds)) == [[20, 46], [22, 48], [24, 50], [26, 52], [28, 54]]
    for number in range(2):
        old, new = before.scored[number], after.scored[number]
        assert old.model.by_series() == new.model.by_series()
        assert {name: scores.by_series() for name, scores in old.baselines.items()} == {
            name: scores.by_series() for name, scores in new.baselines.items()
        }
    assert before.scored[2].model.overall() != after.scored[2].model.overall()


@pytest.mark.parametrize("scale", ["series", "panel"])
def test_a_folds_own_targets_reach_neither_model_nor_scaler_nor_baselines(run: Callable[..., Run], scale: str) -> None:
    sections: dict[str, Any] = {"split": {"validation": 0.2, "test": 2}, "scale": {"per": scale}}
    series = values_of(30, 26)
    model, data = run(series, **sections)
    other_model, spoilt = run(poisoned(series, [24, 20]), **sections)
    fold = place_folds(model, data, Plan(refit=True))[2]
    assert fold.origins.tolist() == [24, 50]
    (fresh, own), (same, its) = refit(model, data, fold, SILENT), refit(other_model, spoilt, fold, SILENT)
    assert all(torch.equal(fresh.network.state_dict()[name], one) for name, one in same.network.state_dict().items())
    for name in ("centre", "spread", "deviation", "seasonal_error"):
        assert np.array_equal(getattr(fresh.scaler, name), getattr(same.scaler, name)), name
    assert own.panel.lengths().tolist() == [26, 22]  # the rows of the fold are there, and none after them
    assert (own.split.validation.last == own.split.test.first).all()
    at = own.split.test.first
    for name, answer in fit_baselines(fresh, own).items():
        assert np.array_equal(answer(at), fit_baselines(same, its)[name](at)), name


def test_a_refit_is_what_training_on_data_that_ends_with_the_fold_comes_to(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    series = values_of(30, 26)
    model, data = run(series, split={"validation": 0.2, "test": 6})
    plan = Plan(folds=2, refit=True)
    found = backtested(model, data, plan)
    fresh, _ = refit(model, data, found.folds[0], SILENT)
    config = config_of(split={"validation": 0.2, "test": HORIZON})
    tables = tables_of(tmp_path, [series[0][:28], series[1][:24]], "ended.csv")
    outcome = train(config, tables, Request(tmp_path / "run"), SILENT)
    trained = outcome.model.network.state_dict()
    assert all(torch.equal(one, trained[name]) for name, one in fresh.network.state_dict().items())
    whole = score(outcome.model, outcome.data, outcome.data.split.test)
    assert found.scored[0].model.overall() == whole.model.overall()
    assert found.scored[0].baselines["ridge"].overall() == whole.baselines["ridge"].overall()


def test_the_saved_model_is_not_changed_by_refits(run: Callable[..., Run]) -> None:
    model, data = run(values_of(30))
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    alone = backtested(model, data, Plan(folds=2)).pooled.model.overall()
    backtested(model, data, Plan(folds=2, refit=True))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.network.state_dict().items())
    assert backtested(model, data, Plan(folds=2)).pooled.model.overall() == alone


# --- scores


@pytest.mark.parametrize("refitted", [False, True])
@pytest.mark.parametrize("lengths", [(40, 20), (20, 40)])
def test_naive_by_fold_and_series_is_what_it_is_by_hand(
    run: Callable[..., Run], refitted: bool, lengths: tuple[int, int]
) -> None:
    series = values_of(*lengths)
    model, data = run(series, split={"validation": 3, "test": 0.25})
    found = backtested(model, data, Plan(folds=9, refit=refitted))
    pooled: dict[int, list[float]] = {0: [], 1: []}
    for back, (fold, scored) in enumerate(zip(found.folds[::-1], found.scored[::-1], strict=True)):
        errors = {}
        for number in fold.series.tolist():
            first = lengths[number] - HORIZON * (back + 1)
            values = np.array(series[number])
            errors[number] = np.abs(values[first : first + HORIZON] - values[first - 1])
            pooled[number].extend(errors[number])
        naive = scored.baselines["naive"]
        assert naive.overall()["mae"] == pytest.approx(np.concatenate(list(errors.values())).mean())
        assert {number: row["mae"] for number, row in naive.by_series().items()} == pytest.approx(
            {number: each.mean() for number, each in errors.items()}
        )
    assert len(found.folds) == (9 if refitted else 5)
    assert len(pooled[0]) != len(pooled[1])
    assert {number: row["mae"] for number, row in found.pooled.baselines["naive"].by_series().items()} == pytest.approx(
        {number: np.mean(each) for number, each in pooled.items()}
    )


@pytest.mark.parametrize("refitted", [False, True])
def test_pooled_is_the_mean_of_the_folds_weighted_by_windows(run: Callable[..., Run], refitted: bool) -> None:
    model, data = run(values_of(40, 20), split={"validation": 3, "test": 0.25})
    found = backtested(model, data, Plan(folds=9, refit=refitted))
    rows = by_fold(data, found)
    weights = [row["windows"] for row in rows]
    assert len(set(weights)) == 2
    pooled = found.pooled.model.overall()
    for name in ("mae", "mse", "mase", "smape", "scaled_mse", "scaled_mae"):
        assert pooled[name] == pytest.approx(np.average([row[name] for row in rows], weights=weights)), name
    assert pooled["rmse"] == pytest.approx(np.sqrt(pooled["mse"]))
    steps = found.pooled.model.by_step()
    assert len(steps) == HORIZON
    assert np.mean([step["mae"] for step in steps]) == pytest.approx(pooled["mae"])


def test_origins_one_row_apart_over_the_whole_test_part_are_all_its_windows(run: Callable[..., Run]) -> None:
    model, data = run(values_of(30, 24))
    found = backtested(model, data, Plan(folds=5, stride=1))
    whole = score(model, data, data.split.test)
    assert found.pooled.model.overall() == pytest.approx(whole.model.overall())
    for name, scores in found.pooled.baselines.items():
        assert scores.overall() == pytest.approx(whole.baselines[name].overall())


# --- refusals, and ends before the end


def refused(config: Any, plan: Plan, *, other: bool = False) -> str:
    model = TrainedModel(config, None, None, None)  # type: ignore[arg-type]
    with pytest.raises(UsageError) as caught:
        check_plan(model, plan, other=other)
    return str(caught.value)


def test_what_cannot_be_backtested_is_refused() -> None:
    labels: dict[str, Any] = {
        "data": {"path": "d.csv", "series": "id", "target": "y"},
        "task": {"kind": "classification"},
    }
    assert "classification" in refused(check(Document(labels, {})), Plan())
    assert "--refit" in refused(config_of(split={"by": "series", "validation": 1, "test": 1}), Plan(refit=True))
    nothing = config_of(split={"validation": 3, "test": 0})
    assert "--refit" in refused(nothing, Plan())
    for plan, other in ((Plan(refit=True), False), (Plan(), True)):
        check_plan(TrainedModel(nothing, None, None, None), plan, other=other)  # type: ignore[arg-type]


def test_too_few_rows_for_any_refit(run: Callable[..., Run], tmp_path: Path) -> None:
    model, _ = run(values_of(20))
    data = other_data(model, tables_of(tmp_path, values_of(7), "short.csv"))
    with pytest.raises(DataError, match="enough rows to train on"):
        place_folds(model, data, Plan(refit=True))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_a_signal_stops_a_refit_at_the_next_step(run: Callable[..., Run], number: signal.Signals, code: int) -> None:
    model, data = run(values_of(30))
    before = {each: signal.getsignal(each) for each in EXIT_CODES}
    seen: list[int] = []

    @contextlib.contextmanager
    def watching(fold: int, _: Fold) -> Iterator[Watch]:
        def event(_: Event) -> None:
            seen.append(fold)
            if fold == 2:
                os.kill(os.getpid(), number)

        yield Watch(lambda fit, state: None, event, lambda text: None)

    plan = Plan(folds=3, refit=True)
    with pytest.raises(Interrupted, match=f"{number.name}: stopped in fold 2 of 3") as caught:
        backtest(model, data, plan, place_folds(model, data, plan), watching)
    assert caught.value.exit_code == code
    assert seen.count(2) == 1
    assert 3 not in seen
    assert {each: signal.getsignal(each) for each in EXIT_CODES} == before


def test_a_fold_that_diverges_is_named(run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    model, data = run(values_of(30))

    def diverge(*unused: Any) -> TrainedModel:
        raise DivergedError("the loss is not finite", "the last good checkpoint is kept")

    monkeypatch.setattr(module, "train_unsaved", diverge)
    with pytest.raises(DivergedError, match="fold 1 of 2: the loss is not finite") as caught:
        backtested(model, data, Plan(folds=2, refit=True))
    assert "checkpoint" not in str(caught.value)  # there is none
