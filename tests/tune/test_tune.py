"""A search by the command line: its trials, what it writes, what it refuses, and how it goes on."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import Invoke

ROOT = Path(__file__).resolve().parents[2]
CONFIG = f"""\
data: {{path: {ROOT / "data" / "air_passengers.csv"}, time: month, target: passengers}}
task: {{kind: forecasting, horizon: 3}}
window: {{context: 12}}
model: {{hidden_size: 4}}
training: {{epochs: 2, threads: 1, device: cpu}}
tune:
  parameters:
    training.learning_rate: {{low: 1e-3, high: 0.1, log: true}}
    model.hidden_size: {{low: 2, high: 8, step: 2}}
    model.cell: [lstm, gru]
  trials: 3
"""


@pytest.fixture(autouse=True)
def config(tmp_path: Path) -> Path:
    """``c.yaml`` in the folder that commands run in."""
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    return path


def trials(folder: Path) -> list[dict[str, str]]:
    """The rows of ``trials.csv``."""
    with (folder / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def lasting(folder: Path) -> list[dict[str, str]]:
    """What of ``trials.csv`` does not depend on the clock or on the name of the folder."""
    return [{key: row[key] for key in row if key not in ("seconds", "folder")} for row in trials(folder)]


def metrics(run: Path) -> dict[str, Any]:
    """The ``metrics.json`` of a run."""
    found: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return found


def same_models(one: Path, other: Path) -> bool:
    """Whether two searches have trained the same models, to the bit."""
    models = [sorted(folder.glob("trial-*/model.safetensors")) for folder in (one, other)]
    assert models[0]
    assert [path.parent.name for path in models[0]] == [path.parent.name for path in models[1]]
    return all(a.read_bytes() == b.read_bytes() for a, b in zip(*models, strict=True))


def test_trials_are_run_folders_and_the_best_is_written(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("tune", "c.yaml", "--json")
    assert result.code == 0, result.err
    found, folder = json.loads(result.out), tmp_path / "runs" / "c-tune"
    assert found["search"] == "runs/c-tune"
    assert (found["metric"], found["direction"]) == ("mae", "minimize")
    assert found["counts"] == {"complete": 3, "unfinished": 0, "pruned": 0, "failed": 0}
    rows = trials(folder)
    assert list(rows[0]) == [
        "number", "state", "mae", "seconds", "folder",
        "training.learning_rate", "model.hidden_size", "model.cell", "reason",
    ]  # fmt: skip
    for number, row in enumerate(rows):
        run = tmp_path / row["folder"]
        assert run == folder / f"trial-{number:04d}"
        assert float(row["mae"]) == metrics(run)["validation"]["mae"] == found["trials"][number]["value"]
        assert "tune:" not in (run / "config.yaml").read_text()
    assert found["best"]["value"] == min(float(row["mae"]) for row in rows)
    assert len([line for line in result.err.splitlines() if line.startswith("trial ")]) == 3

    again = invoke("train", "runs/c-tune/best.yaml", "--out", "best", "--json")
    assert json.loads(again.out)["validation"]["mae"] == found["best"]["value"]
    assert (folder / "best.yaml").read_text().startswith("# rnncli train runs/c-tune/best.yaml\n")
    assert len(invoke("predict", found["best"]["folder"]).out.splitlines()) == 4
    assert invoke("inspect-weights", found["best"]["folder"]).code == 0


def test_what_is_drawn_is_in_the_space_and_in_the_run(invoke: Invoke, tmp_path: Path) -> None:
    found = json.loads(invoke("tune", "c.yaml", "--trials", "6", "--out", "s", "training.epochs=1", "--json").out)
    for trial in found["trials"]:
        values = trial["parameters"]
        assert 1e-3 <= values["training.learning_rate"] <= 0.1
        assert values["model.hidden_size"] in (2, 4, 6, 8)
        assert values["model.cell"] in ("lstm", "gru")
        text = (tmp_path / trial["folder"] / "config.yaml").read_text()
        assert f"hidden_size: {values['model.hidden_size']}\n" in text
        assert f"cell: {values['model.cell']}\n" in text
    assert len({str(trial["parameters"]) for trial in found["trials"]}) == 6


@pytest.mark.parametrize(
    ("format", "begins"), [("csv", "number,state,mae"), ("table", "number"), ("jsonl", '{"search"')]
)
def test_results_in_every_format(invoke: Invoke, format: str, begins: str) -> None:
    result = invoke("tune", "c.yaml", "--trials", "1", "--format", format)
    assert result.out.lstrip().startswith(begins)
    assert ("rnncli train runs/c-tune/best.yaml" in result.out) == (format == "table")


def test_the_same_search_twice_and_an_extended_one_are_the_same(invoke: Invoke, tmp_path: Path) -> None:
    assert invoke("tune", "c.yaml", "--out", "once").code == 0
    assert invoke("tune", "c.yaml", "--out", "more", "--trials", "2").code == 0
    assert len(lasting(tmp_path / "more")) == 2
    assert invoke("tune", "--resume", "more", "--trials", "3").code == 0
    assert lasting(tmp_path / "once") == lasting(tmp_path / "more")
    assert same_models(tmp_path / "once", tmp_path / "more")
    assert invoke("tune", "c.yaml", "--out", "other", "seed=1").code == 0
    assert lasting(tmp_path / "once") != lasting(tmp_path / "other")


@pytest.mark.parametrize(("jobs", "number", "code"), [(1, signal.SIGINT, 130), (2, signal.SIGTERM, 143)])
def test_a_signal_saves_and_the_search_goes_on_to_the_same_bits(
    invoke: Invoke, tmp_path: Path, jobs: int, number: signal.Signals, code: int
) -> None:
    """Sent in the middle of a trial, to a process of its own; none of its workers outlives it."""
    keys = [
        "tune.parameters={model.hidden_size: [4, 6, 8]}",
        "training.patience=null",
        "training.epochs=120",
        "tune.pruner=none",
    ]
    assert invoke("tune", "c.yaml", *keys, "--trials", "2", "--out", "whole").code == 0
    command = [
        sys.executable,
        "-m",
        "rnncli",
        "tune",
        "c.yaml",
        *keys,
        "--trials",
        "2",
        "--jobs",
        str(jobs),
        "--out",
        "part",
    ]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        while not list(tmp_path.glob("part/trial-*/config.yaml")):
            assert process.poll() is None
        process.send_signal(number)
        out, err = process.communicate()  # which waits for all that hold the pipes
    assert (process.returncode, out) == (code, ""), err
    assert f"{number.name}: saved, 0 of 2 trials done; rnncli tune --resume part goes on" in err
    assert {row["state"] for row in trials(tmp_path / "part")} == {"unfinished"}
    result = invoke("tune", "--resume", "part")
    assert result.code == 0, result.err
    assert lasting(tmp_path / "whole") == lasting(tmp_path / "part")
    assert same_models(tmp_path / "whole", tmp_path / "part")


def test_a_search_that_was_killed_goes_on_to_the_same_bits(invoke: Invoke, tmp_path: Path) -> None:
    keys = ["training.epochs=60", "training.patience=null"]
    assert invoke("tune", "c.yaml", *keys, "--out", "whole").code == 0
    command = [sys.executable, "-m", "rnncli", "tune", "c.yaml", *keys, "--out", "part"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        while not (tmp_path / "part" / "trial-0001").exists():
            assert process.poll() is None
        process.kill()
    result = invoke("tune", "--resume", "part")
    assert result.code == 0, result.err
    assert lasting(tmp_path / "whole") == lasting(tmp_path / "part")
    assert same_models(tmp_path / "whole", tmp_path / "part")


def test_jobs_side_by_side_draw_and_train_as_many(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("tune", "c.yaml", "--jobs", "2", "--out", "two", "--json")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert found["counts"]["complete"] == 3
    for trial in found["trials"]:
        assert metrics(tmp_path / trial["folder"])["validation"]["mae"] == trial["value"]
    assert os.environ.get("OMP_NUM_THREADS") in (None, "1")  # as it was before


def test_a_budget_ends_the_trial_under_way_which_is_gone_on_with(invoke: Invoke, tmp_path: Path) -> None:
    keys = ["training.epochs=30", "training.patience=null", "--trials", "2"]
    result = invoke("tune", "c.yaml", *keys, "--budget", "0s", "--out", "part", "--json")
    assert result.code == 0, result.err
    (trial,) = json.loads(result.out)["trials"]
    assert trial["state"] == "unfinished"
    assert trial["value"] == metrics(tmp_path / "part" / "trial-0000")["validation"]["mae"]
    assert "no trial was finished" in result.err
    assert invoke("tune", "--resume", "part").code == 0
    assert invoke("tune", "c.yaml", *keys, "--out", "whole").code == 0
    assert lasting(tmp_path / "whole") == lasting(tmp_path / "part")
    assert same_models(tmp_path / "whole", tmp_path / "part")


def test_a_trial_that_falls_behind_is_pruned_and_can_be_gone_on_with(invoke: Invoke, tmp_path: Path) -> None:
    keys = ["tune.parameters={training.learning_rate: {low: 1e-6, high: 0.1, log: true}}", "training.epochs=6"]
    result = invoke("tune", "c.yaml", *keys, "--trials", "12", "--out", "s", "--json")
    found = json.loads(result.out)
    pruned = [trial for trial in found["trials"] if trial["state"] == "pruned"]
    assert pruned
    assert found["counts"]["complete"] >= 5
    for trial in pruned:
        run = tmp_path / trial["folder"]
        epochs = len((run / "history.csv").read_text().splitlines()) - 1
        assert 2 <= epochs < 6
        assert trial["reason"] == f"after epoch {epochs}"
        assert trial["value"] is None
        assert not (run / "metrics.json").exists()
    resumed = invoke("train", "--resume", pruned[0]["folder"], "--json")
    assert json.loads(resumed.out)["epochs"] == 6
    assert invoke("predict", pruned[-1]["folder"]).code == 0
    whole = json.loads(
        invoke("tune", "c.yaml", *keys, "tune.pruner=none", "--trials", "12", "--out", "n", "--json").out
    )
    assert whole["counts"]["complete"] == 12


def test_losses_of_two_units_are_not_compared(invoke: Invoke) -> None:
    keys = ["tune.parameters={training.loss: [mae, mse], training.learning_rate: {low: 1e-6, high: 0.1, log: true}}"]
    result = invoke("tune", "c.yaml", *keys, "--trials", "12", "--json")
    assert json.loads(result.out)["counts"]["complete"] == 12
    assert "no trial is pruned: losses cannot be compared where training.loss differs" in result.err


def test_what_was_drawn_and_cannot_be_trained_fails_alone(invoke: Invoke) -> None:
    space = "{model.dropout: [0.0, 0.5], model.num_layers: [1, 2], training.learning_rate: [0.01, 1e6]}"
    keys = [f"tune.parameters={space}", "training.optimizer=sgd", "training.clip_norm=null", "training.loss=mse"]
    result = invoke("tune", "c.yaml", *keys, "--trials", "12", "--json")
    assert result.code == 0, result.err
    for trial in json.loads(result.out)["trials"]:
        values = trial["parameters"]
        if values["model.dropout"] and values["model.num_layers"] == 1:
            assert (trial["state"], trial["folder"]) == ("failed", None)
            assert "no effect with one layer" in trial["reason"]
        elif values["training.learning_rate"] == 1e6:
            assert trial["state"] == "failed"
            assert "not finite" in trial["reason"]
        else:
            assert trial["state"] in ("complete", "pruned")


def test_no_trial_with_a_score_is_6(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("tune", "c.yaml", "tune.parameters={model.dropout: [0.5]}", "--out", "s")
    assert (result.code, result.out) == (6, "")
    assert "none of 3 trials came to a score" in result.err
    assert {row["state"] for row in trials(tmp_path / "s")} == {"failed"}
    assert not (tmp_path / "s" / "best.yaml").exists()


@pytest.mark.parametrize(
    ("name", "metric", "direction"),
    [
        ("classification", "cross_entropy", "minimize"),
        ("regression", "rmse", "minimize"),
        ("tagging", "cross_entropy", "minimize"),
    ],
)
def test_the_score_that_leads_is_that_of_the_task(
    invoke: Invoke, tmp_path: Path, name: str, metric: str, direction: str
) -> None:
    keys = ["training.epochs=1", "training.seeds=1", "model.hidden_size=4", "--trials", "1"]
    (tmp_path / "data").symlink_to(ROOT / "data")
    result = invoke(
        "tune", ROOT / "configs" / f"{name}.yaml", *keys, "tune.parameters={training.batch_size: [512]}", "--json"
    )
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert (found["metric"], found["direction"]) == (metric, direction)


def test_accuracy_is_better_when_it_is_larger(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(ROOT / "data")
    keys = ["training.epochs=2", "training.seeds=1", "tune.metric=accuracy", "--trials", "3"]
    space = "tune.parameters={training.learning_rate: [1e-6, 0.01]}"
    found = json.loads(invoke("tune", ROOT / "configs" / "classification.yaml", *keys, space, "--json").out)
    values = [trial["value"] for trial in found["trials"] if trial["value"] is not None]
    assert found["direction"] == "maximize"
    assert found["best"]["value"] == max(values)


def test_without_a_space_a_usual_one_is_said(invoke: Invoke) -> None:
    result = invoke("tune", "c.yaml", "~tune.parameters", "--trials", "1", "training.epochs=1", "--json")
    assert "no tune.parameters: searching training.learning_rate, model.hidden_size" in result.err
    assert set(json.loads(result.out)["best"]["parameters"]) >= {"training.learning_rate", "model.hidden_size"}


def test_train_has_no_use_for_the_section(invoke: Invoke, tmp_path: Path) -> None:
    assert invoke("train", "c.yaml", "--out", "with").code == 0
    (tmp_path / "c.yaml").write_text(CONFIG[: CONFIG.index("tune:")])
    assert invoke("train", "c.yaml", "--out", "without").code == 0
    for name in ("config.yaml", "model.safetensors"):
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()
    assert invoke("train", "c.yaml", "--resume", "with").code == 0


# --- what is refused


def test_every_problem_of_a_space_has_its_place(invoke: Invoke, config: Path) -> None:
    config.write_text(
        CONFIG[: CONFIG.index("  parameters")] + "  parameters:\n"
        "    model.units: [3]\n"
        "    model.num_layers: 2\n"
        "    model.hidden_size: {lo: 1, high: 3}\n"
        "    training.batch_size: {low: 9, high: 3}\n"
        "    training.epochs: []\n"
        "    data.path: [a.csv]\n"
    )
    result = invoke("tune", "c.yaml", "--json")
    assert (result.code, result.out) == (2, "")
    problems = json.loads(result.err)["error"]["problems"]
    assert [(problem["line"], problem["key"].removeprefix("tune.parameters.")) for problem in problems] == [
        (8, "model.units"),
        (9, "model.num_layers"),
        (10, "model.hidden_size.low"),
        (10, "model.hidden_size.lo"),
        (11, "training.batch_size"),
        (12, "training.epochs"),
        (13, "data.path"),
    ]
    assert problems[0]["hint"] == "did you mean model.hidden_size?"
    assert problems[3]["hint"] == "did you mean low?"
    assert invoke("check", "c.yaml").code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["split.validation=0"], 2, "nothing to choose trials by"),
        (["data.path=-"], 2, "stdin can be read once"),
        (["tune.metric=pinball"], 2, "no score of these runs"),
        (["data.path=nowhere.csv"], 2, "no such file"),
        (["data.target=month"], 2, "month"),
        (["task.horizon=200"], 3, "too short"),
        (["--storage", "sqlite:///no/such/folder/x.db"], 5, "cannot be used"),
        (["--storage", "mysql://u:secret@localhost/x"], 2, "driver"),
        (["--out", "c.yaml"], 2, "written over"),
        (["--out", "/proc/search"], 5, "cannot write"),
        (["tune.parameters={}"], 2, "at least 1 entry"),
        (["model.dropout=0.5"], 2, "one layer"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else None,
)  # fmt: skip
def test_what_no_trial_could_do_with_is_refused_before_any(
    invoke: Invoke, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    result = invoke("tune", "c.yaml", *arguments)
    assert (result.code, result.out) == (code, ""), result.err
    assert words in result.err
    assert "secret" not in result.err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_search_is_not_written_over(invoke: Invoke, tmp_path: Path) -> None:
    one = ["--trials", "1", "training.epochs=1"]
    assert invoke("tune", "c.yaml", "--out", "s", *one).code == 0
    result = invoke("tune", "c.yaml", "--out", "s", *one)
    assert result.code == 5
    assert "holds a search already" in result.err
    for own in ("s/best.yaml", "s/trial-0000/config.yaml"):
        assert invoke("tune", own, "--out", "s", "--overwrite", *one).code == 2
    assert invoke("tune", "c.yaml", "--out", "s", "--overwrite", *one, "seed=7").code == 0
    assert len(trials(tmp_path / "s")) == 1
    assert invoke("train", "c.yaml", "--out", "run").code == 0
    assert invoke("tune", "c.yaml", "--out", "run", *one).code == 5


def test_a_resumed_search_keeps_its_config_its_data_and_its_storage(invoke: Invoke, tmp_path: Path) -> None:
    data = tmp_path / "d.csv"
    data.write_bytes((ROOT / "data" / "air_passengers.csv").read_bytes())
    one = ["--trials", "1", "training.epochs=1", "data.path=d.csv"]
    assert invoke("tune", "c.yaml", "--out", "s", *one).code == 0
    result = invoke("tune", "--resume", "s", "seed=1", "model.bias=false")
    assert result.code == 2
    assert "seed: was 0, is 1" in result.err
    assert "model.bias: was True, is False" in result.err
    assert invoke("tune", "--resume", "s", "tune.parameters={model.bias: [true]}").code == 2
    assert invoke("tune", "--resume", "nowhere").code == 4
    assert invoke("tune", "--resume", "s", "--overwrite").code == 2
    data.write_text(data.read_text() + "1961-01,500\n")
    result = invoke("tune", "--resume", "s", "--trials", "2")
    assert result.code == 3
    assert "not what the search began with" in result.err
    (tmp_path / "s" / "study.db").write_text("no database " * 1000)
    assert invoke("tune", "--resume", "s").code == 4
    (tmp_path / "s" / "study.db").unlink()
    assert invoke("tune", "--resume", "s").code == 4
    assert not (tmp_path / "s" / "study.db").exists()


def test_a_storage_of_the_users_keeps_searches_by_the_names_of_their_folders(invoke: Invoke, tmp_path: Path) -> None:
    one = ["--trials", "1", "training.epochs=1", "--storage", "sqlite:///all.db"]
    assert invoke("tune", "c.yaml", "--out", "s", *one).code == 0
    assert invoke("tune", "c.yaml", "--out", "t", *one).code == 0
    assert not (tmp_path / "s" / "study.db").exists()
    assert invoke("tune", "c.yaml", "--out", "elsewhere/s", *one).code == 5
    assert not (tmp_path / "elsewhere").exists()
    assert invoke("tune", "--resume", "s", "--trials", "2").code == 4
    result = invoke("tune", "--resume", "s", "--trials", "2", "--storage", "sqlite:///all.db", "--json")
    assert json.loads(result.out)["counts"]["complete"] == 2
    assert invoke("tune", "--resume", "s", "--storage", "sqlite:///other.db").code == 4


def test_without_the_extra_its_name_is_told(invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = invoke("tune", "c.yaml")
    assert (result.code, result.out) == (2, "")
    assert result.err == "error: a search needs Optuna (pip install 'rnncli[tune]')\n"
    assert invoke("tune", "--help").code == 0
