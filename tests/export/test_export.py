"""`rnncli export` by the command line: what it writes, what it refuses, and that nothing is left when it fails."""

from __future__ import annotations

import ast
import importlib.util
import io
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from command_line import Invoke
from small_runs import fit, tags

from rnncli.cli.export import _KINDS
from rnncli.export import trials
from rnncli.export.formats import FORMATS, export
from rnncli.export.script import script
from rnncli.model.cells import CELLS
from rnncli.tasks.task import TASKS
from rnncli.trained import TrainedModel, network_tensors


def table() -> pd.DataFrame:
    """Ten series of unequal length, with a value `g`, a word `v` and a label each, and a number above zero."""
    found = tags("abcdefghij", 14)
    number = found["id"].map(ord)
    words = {
        "g": number % 3 * 1.5,
        "v": np.where(number % 3, "some", "none"),
        "label": np.where(number % 2, "odd", "even"),
    }
    return found.assign(**words, p=np.exp(found["y"] / 10))


FORECAST = {"target": "y", "past": ["x", "w"], "categorical": "w"}
CASES: dict[str, dict[str, Any]] = {
    "forecast": {"data": FORECAST},
    "forecast of all": {"data": {**FORECAST, "target": ["y", "x"], "past": ["w"], "static": ["g", "v"],
                                 "categorical": ["w", "v"], "future": "z"}, "model": {"front_end": "conv"}},
    "log, mean_std": {"data": {"target": "p"}, "window": {"normalise": "mean_std", "transform": "log"}},
    "quantiles": {"data": {"target": ["y", "x"]}, "training": {"loss": "quantile"}},
    "parallel": {"data": FORECAST, "model": {"segment": 2, "decoder": "parallel", "skip": "linear"}},
    "every origin": {"data": FORECAST, "window": {"origins": "every"}},
    "several": {"data": FORECAST, "training": {"seeds": 2}, "scale": {"per": "panel"}},
    "classes": {"data": {"target": "label", "past": ["x", "w"], "static": "g", "categorical": "w"},
                "task": {"kind": "classification"}, "window": {"context": "full"}, "model": {"bidirectional": True}},
    "numbers": {"data": {"target": "y", "past": ["x", "z"]}, "task": {"kind": "regression"}},
    "odds of rows": {"data": {"target": ["b", "c"], "past": ["x", "z"]}, "task": {"kind": "tagging"}},
    "labels of rows": {"data": {"target": "w", "past": ["x", "z"]}, "task": {"kind": "tagging"}},
}  # fmt: skip


def run_of(folder: Path, case: dict[str, Any]) -> TrainedModel:
    values: dict[str, Any] = {"task": {"kind": "forecasting", "horizon": 3}, **case}
    values["data"] = {"series": "id", "time": "t", **case["data"]}
    values["window"] = {"context": 8, **case.get("window", {})}
    values["model"] = {"hidden_size": 6, **case.get("model", {})}
    return fit(table(), folder, values)


def in_a_process(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The script where nothing is installed but NumPy."""
    isolated = "import sys, runpy; sys.modules.update(dict.fromkeys(['torch', 'pandas', 'rnncli', 'pydantic'])); "
    program = f"{isolated}sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(script), *arguments],
        capture_output=True, text=True, timeout=60, cwd="/",
    )  # fmt: skip


def the_same_answers(script: Path, file: Path, shown: str, *, leaves_out: tuple[str, ...] = ()) -> None:
    """See that a script answers a file as `predict` did, in the same columns."""
    done = in_a_process(script, str(file))
    assert done.returncode == 0, done.stderr
    found, expected = (pd.read_csv(io.StringIO(text)) for text in (done.stdout, shown))
    expected = expected.drop(columns=list(leaves_out))
    pd.testing.assert_frame_equal(found, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("case", CASES)
def test_the_script_answers_as_predict_does(case: str, tmp_path: Path, invoke: Invoke) -> None:
    """All series of a file, one after the other; a forecast's times are left out."""
    run_of(tmp_path, CASES[case])
    result = invoke("export", "run", "--format", "numpy", "--out", "m.npz")
    assert result.code == 0, result.err
    rows = table()
    kind = CASES[case].get("task", {"kind": "forecasting"})["kind"]
    if "future" in CASES[case]["data"]:
        last = rows.groupby("id").cumcount(ascending=False) < 3
        rows = rows.assign(**{name: rows[name].where(~last) for name in ("y", "x")})
    if kind == "tagging":
        rows = rows.groupby("id").head(8)
    rows.to_csv(tmp_path / "rows.csv", index=False)
    shown = invoke("predict", "run", "--data", "rows.csv", "--format", "csv", *["--quantiles"] * (case == "quantiles"))
    the_same_answers(tmp_path / "m.py", tmp_path / "rows.csv", shown.out, leaves_out=("t",) * (kind == "forecasting"))


def dated(frequency: str) -> pd.DataFrame:
    """Two series of forty rows with dates."""
    times = pd.date_range("2024-01-31", periods=40, freq=frequency)
    each = [
        pd.DataFrame({"id": name, "t": times, "y": np.sin(np.arange(40) / 3) + place})
        for place, name in enumerate("ab")
    ]
    return pd.concat(each)


def the_script_forecasts(rows: pd.DataFrame, keys: str, folder: Path, invoke: Invoke, **written: Any) -> None:
    """See that the script forecasts as `predict` does: a model with some keys of data, fitted to the rows."""
    rows.to_csv(folder / "d.csv", index=False, **written)
    (folder / "c.yaml").write_text(
        f"data: {{path: d.csv, time: t, {keys}}}\ntask: {{kind: forecasting, horizon: 3}}\n"
        "window: {context: 8}\nmodel: {hidden_size: 6}\ntraining: {epochs: 1}\n"
    )
    assert invoke("train", "c.yaml", "--out", "run").code == 0
    assert invoke("export", "run", "--format", "numpy").code == 0
    shown = pd.read_csv(io.StringIO(invoke("predict", "run", "--format", "csv").out))
    text = shown.drop(columns="t", errors="ignore").to_csv(index=False)
    the_same_answers(folder / "run" / "model.py", folder / "d.csv", text)


@pytest.mark.parametrize("frequency", ["D", "6h", "W-SUN", "MS", "ME", "QS", "YE"])
def test_the_script_makes_what_follows_from_the_time(frequency: str, tmp_path: Path, invoke: Invoke) -> None:
    keys = "series: id, target: y, calendar: [hour, weekday, month, quarter, yearday], delimiter: ';', decimal: ','"
    the_script_forecasts(dated(frequency), keys, tmp_path, invoke, sep=";", decimal=",")


def test_the_script_reads_times_that_are_not_even(tmp_path: Path, invoke: Invoke) -> None:
    rows = dated("D").groupby("id").sample(30, random_state=0).sort_values(["id", "t"])
    rows = rows.assign(y=rows["y"].where(np.arange(len(rows)) % 7 > 0))
    the_script_forecasts(rows, "series: id, target: y, irregular: delta, missing: mask", tmp_path, invoke)


def test_the_script_answers_the_wide_layout(tmp_path: Path, invoke: Invoke) -> None:
    rows = pd.DataFrame({"t": range(60), **{name: 10 + np.sin(np.arange(60) / (3 + n)) for n, name in enumerate("ab")}})
    the_script_forecasts(rows, "target: [a, b], layout: wide", tmp_path, invoke)


def test_no_name_stands_twice_in_the_script() -> None:
    """The modules that it is made of share one namespace there."""
    names = [
        target.id if isinstance(target, ast.Name) else node.name
        for node in ast.parse(script("m.npz")).body
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.FunctionDef | ast.ClassDef)
        for target in (node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)])
    ]
    assert len(names) > 50
    assert [name for name, count in Counter(names).items() if count > 1] == ["Array"]  # a type, for readers alone


def test_the_script_says_what_it_cannot_answer(tmp_path: Path, invoke: Invoke) -> None:
    run_of(tmp_path, CASES["forecast"])
    assert invoke("export", "run", "--format", "numpy", "--out", "m.npz").code == 0
    rows = table()
    first = np.arange(len(rows)) == 2
    spoilt = {
        "series a: no column x": rows.drop(columns="x"),
        "no column id": rows.drop(columns="id"),
        "series new: the series was not in training": rows.assign(id="new").head(14),
        "line 4: series a: x: not a number: 'many'": rows.assign(x=rows["x"].astype(str).mask(first, "many")),
        "line 4: series a: y: an empty cell, and data.missing is error": rows.assign(y=rows["y"].mask(first)),
        "line 3: series a: t: rows of a series stand in the order of time": rows.assign(t=-rows["t"]),
        "no rows": rows.head(0),
    }
    for words, wrong in spoilt.items():
        wrong.to_csv(tmp_path / "wrong.csv", index=False)
        done = in_a_process(tmp_path / "m.py", str(tmp_path / "wrong.csv"))
        assert (done.returncode, done.stdout) == (1, "")
        assert f"wrong.csv: {words}" in done.stderr
        assert done.stderr.count("\n") == 1
    (tmp_path / "wrong.csv").write_text("id,t,x,y,w\na,1\n")
    for arguments, words in (
        ([], "give a CSV file"),
        ([str(tmp_path / "none.csv")], "No such file"),
        ([str(tmp_path / "wrong.csv")], "line 2: 2 cells, the header has 5"),
    ):
        done = in_a_process(tmp_path / "m.py", *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert words in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("kind", ["onnx", "numpy"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", TASKS)
def test_every_cell_in_every_task_and_both_directions(task: str, cell: str, kind: str, tmp_path: Path) -> None:
    case = next(case for case in CASES.values() if case.get("task", {"kind": "forecasting"})["kind"] == task)
    for bidirectional in (False, True):
        layers = {"cell": cell, "num_layers": 2, "bidirectional": bidirectional}
        model = run_of(tmp_path, {**case, "model": layers})
        out = tmp_path / f"m{FORMATS[kind].endings[0]}"
        written = export(model, kind, out, overwrite=True)
        assert 0 < written.error < 1e-5


@pytest.mark.parametrize("case", CASES)
def test_onnx_whatever_the_model(case: str, tmp_path: Path, invoke: Invoke) -> None:
    run_of(tmp_path, CASES[case])
    result = invoke("export", "run", "--format", "onnx", "--out", "m.onnx")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert document["files"] == ["m.onnx"]
    assert document["bytes"] == (tmp_path / "m.onnx").stat().st_size
    about = json.loads(onnx.load(tmp_path / "m.onnx").metadata_props[0].value)
    assert about["targets"] == np.atleast_1d(CASES[case]["data"]["target"]).tolist()
    assert about["horizon"] == (None if "task" in CASES[case] else 3)
    assert len(about["scaler"]["centre"][0]) == len(about["scaler"]["columns"])
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    widths = {part.name: part.shape[-1] for part in session.get_inputs()}
    assert widths["past"] == len(about["inputs"]["past"])
    assert {"static", "ahead"} & set(widths) == {name for name in ("static", "ahead") if about["inputs"][name]}
    verified = invoke("verify", "run", "--json")
    assert verified.code == 0, verified.err
    by_name = {row["name"]: row for row in json.loads(verified.out)["comparisons"]}
    assert by_name["onnx"]["ok"] is True


def test_csv_holds_every_weight_to_the_last_bit(tmp_path: Path, invoke: Invoke) -> None:
    model = run_of(tmp_path, CASES["several"])
    result = invoke("export", "run", "--format", "csv")
    assert result.code == 0, result.err
    assert json.loads(result.out) == {
        "run": "run", "format": "csv", "files": ["run/model.csv"], "error": 0.0,
        "bytes": (tmp_path / "run" / "model.csv").stat().st_size,
        "parameters": sum(parameter.numel() for parameter in model.network.parameters()),
    }  # fmt: skip
    rows = pd.read_csv(tmp_path / "run" / "model.csv")
    expected = network_tensors(model.network)
    assert len(rows) == sum(array.size for array in expected.values())
    own = rows[(rows["member"] == 1) & (rows["parameter"] == "weight_hh_l0")]["value"].to_numpy(dtype=np.float32)
    np.testing.assert_array_equal(own, expected["network.members.1.backbone.weight_hh_l0"].reshape(-1))


def test_an_archive_needs_no_pickle_and_holds_every_weight(trained: Path, tmp_path: Path, invoke: Invoke) -> None:
    result = invoke("export", trained / "run", "--format", "numpy", "--out", 'odd """ name.npz')
    assert result.code == 0, result.err
    assert {path.name for path in tmp_path.iterdir()} == {'odd """ name.npz', 'odd """ name.py'}
    with np.load(tmp_path / 'odd """ name.npz', allow_pickle=False) as stored:
        assert json.loads(str(stored["description"]))["horizon"] == 3
        assert stored["network.backbone.weight_hh_l0"].shape == (48, 12)
        assert all(stored[name].dtype == np.float32 for name in stored if name != "description")


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_there_stays_unless_it_may_be_replaced(
    kind: str, trained: Path, tmp_path: Path, invoke: Invoke
) -> None:
    name = f"m{FORMATS[kind].endings[-1]}"
    (tmp_path / name).write_text("mine")
    command = ("export", trained / "run", "--format", kind, "--out", f"m{FORMATS[kind].endings[0]}")
    refused = invoke(*command)
    assert (refused.code, refused.out) == (5, "")
    assert "is there already" in refused.err
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"
    assert invoke(*command, "--overwrite").code == 0
    assert (tmp_path / name).read_bytes() != b"mine"


@pytest.mark.parametrize("kind", ["onnx", "numpy"])
def test_what_does_not_compute_as_torch_does_is_not_left(
    kind: str, trained: Path, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / f"m{FORMATS[kind].endings[0]}"
    out.write_text("mine")
    monkeypatch.setattr(trials, "TOLERANCE", -1.0)
    result = invoke("export", trained / "run", "--format", kind, "--out", out, "--overwrite")
    assert (result.code, result.out) == (6, "")
    assert "differs from torch by" in result.err
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert out.read_text() == "mine"


def test_csv_that_is_not_the_weights_is_not_left(
    trained: Path, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rnncli.export import tables

    whole = tables.csv_text
    monkeypatch.setattr(tables, "csv_text", lambda model: "\n".join(whole(model).splitlines()[:-1]))
    result = invoke("export", trained / "run", "--format", "csv", "--out", "m.csv")
    assert (result.code, result.out) == (6, "")
    assert not list(tmp_path.iterdir())


REFUSED: dict[str, tuple[list[str], int, str]] = {
    "no format": (["--out", "m.onnx"], 2, "missing option '--format'"),
    "another format": (["--format", "pickle"], 2, "'pickle' is not one of onnx, numpy, csv"),
    "another ending": (["--format", "onnx", "--out", "m.bin"], 2, "ends in .onnx"),
    "a stream": (["--format", "csv", "--out", "-"], 2, "is a stream"),
    "no folder": (["--format", "csv", "--out", "none/m.csv"], 5, "no such folder"),
    "a folder": (["--format", "csv", "--out", "folder.csv"], 5, "is a folder"),
    "an empty name": (["--format", "csv", "--out", ""], 2, "an empty name"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_arguments_are_refused(case: str, trained: Path, tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "folder.csv").mkdir()
    arguments, code, words = REFUSED[case]
    result = invoke("export", trained / "run", *arguments)
    assert (result.code, result.out) == (code, "")
    assert words in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


def test_what_is_no_run_is_refused(tmp_path: Path, invoke: Invoke) -> None:
    assert invoke("export", "nothing", "--format", "csv").code == 4
    (tmp_path / "m.safetensors").write_bytes(b"\x80\x04")
    assert invoke("export", "m.safetensors", "--format", "csv").code == 4
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_a_missing_extra_is_named(
    missing: str, trained: Path, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == missing else there(name, *more)
    )
    result = invoke("export", trained / "run", "--format", "onnx", "--out", "m.onnx")
    assert (result.code, result.out) == (2, "")
    assert "pip install 'rnncli[export]'" in result.err
    assert not list(tmp_path.iterdir())
    document = json.loads(invoke("verify", trained / "run", "--data", trained / "waves.csv", "--json").out)
    (row,) = [row for row in document["comparisons"] if row["name"] == "onnx"]
    assert (row["ok"], row["error"]) == (None, None)
    assert "pip install" in row["reason"]
    assert invoke("export", trained / "run", "--format", "numpy", "--out", "m.npz").code == 0


def test_its_own_format_is_meant_and_the_shared_one_stands_before_the_command(trained: Path, invoke: Invoke) -> None:
    command = ("export", trained / "run", "--format", "csv", "--out", "m.csv", "--overwrite")
    assert json.loads(invoke(*command, "--json").out)["format"] == "csv"
    assert json.loads(invoke("--format", "jsonl", *command).out)["format"] == "csv"
    assert "largest error" in invoke("--format", "table", *command).out
    assert invoke("--format", "table", "--format", "json", *command).code == 2
    assert invoke(*command, "--format", "csv").code == 2


def test_the_command_offers_what_there_is() -> None:
    assert tuple(FORMATS) == _KINDS
