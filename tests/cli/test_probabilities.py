"""What ``predict`` and ``evaluate`` say of quantiles, intervals and tags: columns, scores, refusals."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_runs import fit, tags

QUANTILES = ["y_q2.5", "y_q10", "y_q50", "y_q90", "y_q97.5"]


def _waves() -> pd.DataFrame:
    steps = np.arange(80)
    random = np.random.default_rng(0)
    parts = [
        pd.DataFrame({"id": name, "day": pd.date_range("2024-01-01", periods=80).strftime("%Y-%m-%d"),
            "y": 20 + 5 * np.sin(steps / 3 + number) + random.normal(size=80)})
        for number, name in enumerate("abc")
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _forecasting(**training: Any) -> dict[str, Any]:
    return {
        "data": {"time": "day", "series": "id", "target": "y"},
        "task": {"kind": "forecasting", "horizon": 3},
        "window": {"context": 6},
        "training": {"epochs": 2, **training},
    }


def _others(kind: str, target: str) -> dict[str, Any]:
    return {"data": {"time": "t", "series": "id", "target": target, "past": ["x", "z"]}, "task": {"kind": kind}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run for every kind of answer."""
    folder = tmp_path_factory.mktemp("runs")
    fit(_waves(), folder / "quantiles", _forecasting(loss="quantile"))
    fit(_waves(), folder / "point", _forecasting())
    fit(_waves(), folder / "unsure", {**_forecasting(), "split": {"validation": 0}})
    fit(tags(), folder / "regression", _others("regression", "y"))
    fit(tags(), folder / "tagging", _others("tagging", "w"))
    sequences = tags("abcdefghijkl").assign(w=lambda frame: np.where(frame["id"].isin(list("abcdef")), "low", "top"))
    fit(sequences, folder / "classification", _others("classification", "w"))
    return folder


def _rows(text: str) -> tuple[list[str], list[dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text))
    rows = list(reader)
    return list(reader.fieldnames or []), rows


@pytest.mark.parametrize(
    ("run", "options", "columns"),
    [
        ("quantiles", [], []),
        ("quantiles", ["--quantiles"], QUANTILES),
        ("quantiles", ["--level", "80,95"], ["y_lo80", "y_hi80", "y_lo95", "y_hi95"]),
        ("quantiles", ["--quantiles", "--level", "50"], [*QUANTILES, "y_lo50", "y_hi50"]),
        ("point", ["--level", "99.5"], ["y_lo99.5", "y_hi99.5"]),
        ("point", ["--level", "80,80,80.0"], ["y_lo80", "y_hi80"]),
    ],
    ids=str,
)
def test_columns_of_a_forecast(runs, invoke, run, options, columns):
    result = invoke("predict", runs / run / "run", *options)
    assert result.code == 0, result.err
    header, rows = _rows(result.out)
    assert header == ["id", "day", "step", "y_pred", *columns]
    assert len(rows) == 9
    for row in rows:
        numbers = {name: float(row[name]) for name in header[3:]}
        for name, value in numbers.items():
            if "_lo" in name:
                assert value < numbers["y_pred"] < numbers[name.replace("_lo", "_hi")]
        assert numbers.get("y_q50", numbers["y_pred"]) == numbers["y_pred"]


@pytest.mark.parametrize(
    ("run", "options", "message", "next_step"),
    [
        ("point", ["--quantiles"], "the model has none", "training.loss=quantile"),
        ("tagging", ["--quantiles"], "the model has none", "training.loss=quantile"),
        ("tagging", ["--level", "80"], "no effect on tagging", "leave it out"),
        ("regression", ["--level", "80"], "no effect on regression", "leave it out"),
        ("tagging", ["--every"], "no effect on tagging", "leave it out"),
        ("unsure", ["--level", "80"], "no validation residuals", "validation part"),
        ("point", ["--level", "0"], "between 0 and 100", "80,95"),
        ("point", ["--level", "100"], "between 0 and 100", "80,95"),
        ("point", ["--level", "nan"], "between 0 and 100", "80,95"),
        ("point", ["--level", "80,"], "between 0 and 100", "80,95"),
        ("point", ["--level", "80;95"], "between 0 and 100", "80,95"),
        ("point", ["--level", ""], "between 0 and 100", "80,95"),
    ],
    ids=str,
)
def test_what_a_model_cannot_give_is_refused_with_the_next_step(runs, invoke, run, options, message, next_step):
    result = invoke("predict", runs / run / "run", *options)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert next_step in result.err
    assert len(result.err.splitlines()) <= 3


@pytest.mark.parametrize(("run", "answer"), [("regression", "y_pred"), ("classification", "p_top")])
def test_every_row_or_the_last_of_each_series(runs, invoke, run, answer):
    few, all_of_them = (_rows(invoke("predict", runs / run / "run", *some).out)[1] for some in ([], ["--every"]))
    with (runs / run / "d.csv").open() as file:
        given = list(csv.DictReader(file))
    assert [(row["id"], row["t"]) for row in all_of_them] == [(row["id"], row["t"]) for row in given]
    newest = {row["id"]: row for row in all_of_them}
    assert few == list(newest.values())
    assert len({row[answer] for row in all_of_them}) > 1


def test_tags_are_a_row_for_every_row(runs, invoke):
    header, rows = _rows(invoke("predict", runs / "tagging" / "run").out)
    assert header == ["id", "t", "prediction", "p_low", "p_mid", "p_top"]
    assert len(rows) == len(tags())
    for row in rows:
        odds = [float(row[name]) for name in header[3:]]
        assert sum(odds) == pytest.approx(1, abs=1e-5)
        assert row["prediction"] == header[3 + int(np.argmax(odds))].removeprefix("p_")


def test_a_category_that_is_new_is_one_warning_and_no_row_less(tmp_path, invoke):
    frame = tags().assign(kind=lambda frame: np.where(frame["x"] > 0, "up", "down"))
    settings = _others("tagging", "b")
    settings["data"] |= {"past": ["x", "kind"], "categorical": "kind"}
    fit(frame, tmp_path / "kinds", settings)
    strange = frame["kind"].where(frame.index % 10 != 3, "\x1b[2J[/]")
    frame.assign(kind=strange).to_csv(tmp_path / "new.csv", index=False)
    result = invoke("predict", tmp_path / "kinds" / "run", "--data", tmp_path / "new.csv")
    assert result.code == 0
    assert len(_rows(result.out)[1]) == len(frame)
    unread, warning = result.err.splitlines()
    assert "the model does not read" in unread
    assert f"kind: {len(frame.index[frame.index % 10 == 3])} rows hold categories not seen in training" in warning
    assert "\x1b" not in warning


@pytest.mark.parametrize("run", ["quantiles", "point"])
def test_the_json_of_an_evaluation_holds_intervals_and_scores_of_quantiles(runs, invoke, run):
    result = invoke("evaluate", runs / run / "run", "--json")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    names = ["interval_80_coverage", "interval_80_width", "interval_95_coverage", "interval_95_width"]
    assert list(found["intervals"]) == names
    assert 0 <= found["intervals"]["interval_80_coverage"] <= found["intervals"]["interval_95_coverage"] <= 1
    assert 0 < found["intervals"]["interval_80_width"] < found["intervals"]["interval_95_width"]
    probable = {"pinball", "coverage_80", "coverage_95"}
    assert (probable & set(found["test"]) == probable) == (run == "quantiles")
    assert "coverage_80" not in found["skill"]
    assert all(value is None for scores in found["baselines"].values() for name, value in scores.items()
        if name.startswith("coverage"))  # fmt: skip


@pytest.mark.parametrize("by", ["step", "series"])
def test_breakdowns_hold_intervals_too(runs, invoke, by):
    found = json.loads(invoke("evaluate", runs / "quantiles" / "run", "--by", by, "--json").out)[f"by_{by}"]
    assert len(found) == 3
    for row in found:
        assert {"interval_80_coverage", "interval_95_width", "pinball", "coverage_95"} <= set(row)
    header, rows = _rows(invoke("evaluate", runs / "quantiles" / "run", "--by", by, "--format", "csv").out)
    assert header == list(found[0])
    assert len(rows) == 3


@pytest.mark.parametrize("run", ["quantiles", "point", "tagging", "regression", "classification"])
@pytest.mark.parametrize("options", [[], ["--by", "series"]], ids=["whole", "by_series"])
def test_the_table_of_scores_fits_in_80_columns(runs, invoke, run, options, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    result = invoke("evaluate", runs / run / "run", "--format", "table", *options)
    assert result.code == 0, result.err
    table, _, sentences = result.out.rpartition("\n\n")
    assert max(len(line) for line in table.splitlines()) <= 80
    shown = {
        "quantiles": ["pinball", "mase", "rmse", "coverage_80", "coverage_95"],
        "point": ["smape", "rmse", "scaled_mae"],
        "tagging": ["accuracy", "f1", "cross_entropy"],
        "regression": ["rmse"],
        "classification": ["accuracy"],
    }[run]
    for name in shown:
        assert name in table.split()
    if run in ("quantiles", "point"):
        found = json.loads(invoke("evaluate", runs / run / "run", "--json").out)["intervals"]
        assert f"80% intervals cover {found['interval_80_coverage']:.0%}" in sentences


def test_a_condition_may_be_on_the_scores_of_quantiles(runs, invoke):
    assert invoke("evaluate", runs / "quantiles" / "run", "--fail-if", "coverage_80<0").code == 0
    assert invoke("evaluate", runs / "quantiles" / "run", "--fail-if", "pinball>0").code == 6
    unknown = invoke("evaluate", runs / "point" / "run", "--fail-if", "pinball>0")
    assert (unknown.code, unknown.out) == (2, "")
