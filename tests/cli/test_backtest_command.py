"""evaluate --backtest on the command line: shapes, warnings, exit codes, and that it leaves nothing behind."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnncli import checkpoint

Invoke = Callable[..., Any]

METRICS = ["mae", "mse", "rmse", "mase", "smape", "scaled_mse", "scaled_mae"]
FEW = ("evaluate", "run", "--backtest", "--folds", "2", "--stride", "1")  # the test part has 4 rows, the horizon is 3


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder and the hash of what is in it."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("refit", [(), ("--refit",)])
def test_the_document_has_folds_beside_what_it_always_has(invoke: Invoke, trained: Path, refit: tuple[str]) -> None:
    result = invoke(*FEW, *refit, "--json", cwd=trained)
    assert result.code == 0, result.err
    document = json.loads(result.out)
    plain = json.loads(invoke("evaluate", "run", "--json", cwd=trained).out)
    assert set(document) == {*plain, "backtest", "by_fold"}
    assert document["validation"] == {}
    assert document["backtest"] == {"folds": 2, "stride": 1, "refit": bool(refit)}
    assert [list(row) for row in document["by_fold"]] == [["fold", "origin", "windows", *METRICS]] * 2
    assert [row["origin"] for row in document["by_fold"]] == ["2020-02-06", "2020-02-07"]
    assert [row["windows"] for row in document["by_fold"]] == [4, 4]
    mean = sum(row["mae"] for row in document["by_fold"]) / 2
    assert document["test"]["mae"] == pytest.approx(mean)
    best = min(scores["mae"] for scores in document["baselines"].values())
    assert document["skill"]["mae"] == pytest.approx(1 - mean / best)


def test_the_whole_test_part_one_row_apart_scores_as_evaluate_does(invoke: Invoke, trained: Path) -> None:
    test = json.loads(invoke("evaluate", "run", cwd=trained).out)["test"]
    assert json.loads(invoke(*FEW, cwd=trained).out)["test"] == pytest.approx(test)


def test_csv_is_a_row_a_fold_whatever_else_is_asked_for(invoke: Invoke, trained: Path) -> None:
    document = json.loads(invoke(*FEW, cwd=trained).out)
    for by in ((), ("--by", "step"), ("--by", "series")):
        rows = rows_of(invoke(*FEW, *by, "--format", "csv", cwd=trained).out)
        assert [row["fold"] for row in rows] == ["1", "2"]
        assert [float(row["mae"]) for row in rows] == pytest.approx([row["mae"] for row in document["by_fold"]])


def test_breakdowns_are_of_all_folds_together(invoke: Invoke, trained: Path) -> None:
    steps = json.loads(invoke(*FEW, "--by", "step", cwd=trained).out)
    assert [row["step"] for row in steps["by_step"]] == [1, 2, 3]
    assert sum(row["mae"] for row in steps["by_step"]) / 3 == pytest.approx(steps["test"]["mae"])
    series = json.loads(invoke(*FEW, "--by", "series", cwd=trained).out)
    assert len(series["by_series"]) == 4
    assert sum(row["mae"] for row in series["by_series"]) / 4 == pytest.approx(series["test"]["mae"])


def test_a_table_has_folds_then_breakdown_then_scores_then_a_sentence(invoke: Invoke, trained: Path) -> None:
    out = invoke(*FEW, "--by", "step", "--format", "table", cwd=trained).out
    places = [
        out.index(text)
        for text in ("by fold", "by step", "scores", "on 2 folds (mae)" if "NOT" in out else "on 2 folds:")
    ]
    assert places == sorted(places)
    assert "test part" not in out
    lines = out.splitlines()
    assert lines[1].split() == ["fold", "origin", "windows", *(name for name in METRICS if name != "mse")]


def test_fewer_folds_than_asked_for_is_a_warning(invoke: Invoke, trained: Path) -> None:
    result = invoke("evaluate", "run", "--backtest", "--stride", "1", "-q", cwd=trained)
    assert result.code == 0
    assert json.loads(result.out)["backtest"] == {"folds": 2, "stride": 1, "refit": False}
    assert result.err.startswith("warning: 2 of 5 folds fit")
    assert "--refit" in result.err
    many = invoke("evaluate", "run", "--backtest", "--stride", "1", "-q", "--data", "waves.csv", cwd=trained)
    assert json.loads(many.out)["backtest"]["folds"] == 5
    assert many.err == ""


def test_series_too_short_for_a_fold_are_counted(invoke: Invoke, trained: Path, tmp_path: Path) -> None:
    lines = (trained / "waves.csv").read_text(encoding="utf-8").splitlines()
    short = [line for line in lines if not line.startswith('"plain"') or line < '"plain",2020-01-08']
    (tmp_path / "short.csv").write_text("\n".join(short) + "\n", encoding="utf-8")
    result = invoke("evaluate", trained / "run", "--backtest", "--data", tmp_path / "short.csv", "--folds", "3")
    assert [row["windows"] for row in json.loads(result.out)["by_fold"]] == [3, 3, 4]
    assert "warning: fold 1 holds 3 of 4 series" in result.err


def test_fail_if_judges_all_folds_together(invoke: Invoke, trained: Path) -> None:
    document = json.loads(invoke(*FEW, cwd=trained).out)
    worst = max(row["mae"] for row in document["by_fold"])
    assert worst > document["test"]["mae"]
    between = (worst + document["test"]["mae"]) / 2
    assert invoke(*FEW, "--fail-if", f"mae>={between:.9f}", cwd=trained).code == 0
    refused = invoke(*FEW, "--fail-if", f"mae<{between:.9f}", cwd=trained)
    assert refused.code == 6
    assert json.loads(refused.out)["by_fold"] == document["by_fold"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--folds", "3"], "--folds has no effect without --backtest"),
        (["--stride", "3"], "--stride has no effect without --backtest"),
        (["--refit"], "--refit has no effect without --backtest"),
        (["--backtest", "--folds", "0"], "0 is not a whole number"),
        (["--backtest", "--folds", "1_0"], "1_0 is not a whole number"),
        (["--backtest", "--folds", "2.0"], "2.0 is not a whole number"),
        (["--backtest", "--stride=-1"], "-1 is not a whole number"),
        (["--backtest", "--stride", "1" + "0" * 23], "is not a whole number"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(invoke: Invoke, trained: Path, arguments: list[str], said: str) -> None:
    result = invoke("evaluate", "run", *arguments, cwd=trained)
    assert (result.code, result.out) == (2, "")
    assert said in result.err


def test_classification_has_no_origins(invoke: Invoke, tmp_path: Path) -> None:
    rows = [
        f"{name},{(number + step) % 3},{'ab'[number % 2]}" for number, name in enumerate("pqrstu") for step in range(5)
    ]
    (tmp_path / "labels.csv").write_text("\n".join(["id,x,kind", *rows]) + "\n")
    config = "data: {path: labels.csv, series: id, target: kind}\ntask: {kind: classification}\ntraining: {epochs: 1}\n"
    (tmp_path / "labels.yaml").write_text(config + "split: {validation: 0, test: 2}\n")
    assert invoke("train", "labels.yaml", "--out", "run").code == 0
    result = invoke("evaluate", "run", "--backtest")
    assert (result.code, result.out) == (2, "")
    assert "--backtest is for forecasting, the run is a classification" in result.err


def test_without_a_test_part_the_next_step_is_refit(invoke: Invoke, trained: Path) -> None:
    folder = trained.parent / "untested"
    shutil.copytree(trained, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("run"))
    assert invoke("train", "waves.yaml", "split.test=0", "--out", "run", "--overwrite", cwd=folder).code == 0
    result = invoke("evaluate", "run", "--backtest", cwd=folder)
    assert (result.code, result.out) == (2, "")
    assert "--refit" in result.err
    again = invoke("evaluate", "run", "--backtest", "--folds", "1", "--refit", "--json", cwd=folder)
    assert json.loads(again.out)["backtest"] == {"folds": 1, "stride": 3, "refit": True}


def test_too_few_rows_are_a_data_error(invoke: Invoke, trained: Path, tmp_path: Path) -> None:
    lines = (trained / "waves.csv").read_text(encoding="utf-8").splitlines()[:7]
    (tmp_path / "short.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = invoke("evaluate", trained / "run", "--backtest", "--refit", "--data", tmp_path / "short.csv")
    assert (result.code, result.out) == (3, "")
    assert "no fold: no series has enough rows to train on" in result.err


def test_a_refit_tells_how_it_goes_and_leaves_nothing_behind(
    invoke: Invoke, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    before = digests(trained)
    result = invoke(*FEW, "--refit", cwd=trained)
    assert result.code == 0
    assert [line for line in result.err.splitlines() if line.startswith("fold")] == [
        "fold 1 of 2: forecasts from 2020-02-06 on",
        "fold 2 of 2: forecasts from 2020-02-07 on",
    ]
    assert sum(line.startswith("epoch 2/2") for line in result.err.splitlines()) == 2
    assert digests(trained) == before
    assert list((tmp_path / "temporary").iterdir()) == []
    assert invoke(*FEW, "--refit", "--quiet", cwd=trained).err == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_during_a_refit_leaves_nothing_behind(
    invoke: Invoke, trained: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    for name in ("waves.csv", "waves.yaml"):
        shutil.copy(trained / name, tmp_path / name)
    assert invoke("train", "waves.yaml", "--out", "run").code == 0
    endless(tmp_path / "run")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    before = digests(tmp_path)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)}
    with subprocess.Popen(
        [sys.executable, "-m", "rnncli", *FEW, "--refit"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch 2/"):
                process.send_signal(number)
                break
        rest, out = process.stderr.read(), process.stdout.read()
    assert (process.returncode, out) == (code, "")
    assert rest.splitlines()[-1].startswith(f"{number.name}: stopped in fold 1 of 2")
    assert "Traceback" not in rest
    assert digests(tmp_path) == before


def endless(run: Path) -> None:
    """Give the config in a run's model more epochs than there is time for."""
    path = run / "model.safetensors"
    stored = checkpoint.read(path, checkpoint.MODEL)
    training: dict[str, Any] = stored.content["config"]["training"]
    training.update(epochs=10**9, patience=None)
    path.write_bytes(checkpoint.encode(checkpoint.MODEL, stored.content, stored.tensors))
