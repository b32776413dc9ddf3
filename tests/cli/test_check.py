"""``rnncli check``: every problem at once, what there is, what it takes, in every format; nothing is written."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"), key=lambda path: path.name)
KEYS = ["config", "task", "device", "data", "columns", "parts", "network", "training", "memory", "warnings"]
CONFIG = """\
data: {path: d.csv, time: ds, series: id, target: y, past: [x]}
task: {kind: forecasting, horizon: 4}
window: {context: 8}
model: {hidden_size: 8}
training: {epochs: 1, batch_size: 16}
"""


# recipes are for longer data than fits into the project
DOUBTS = {"long_horizon": ["long_context"], "panel": ["long_context"]}


def _rows(count: int = 60) -> list[list[str]]:
    """id, ds, y, x of two series."""
    random = np.random.default_rng(0)
    days = np.datetime64("2020-01-01") + np.arange(count)
    return [[name, str(day), f"{random.normal():.4f}", f"{random.normal():.4f}"] for name in ("a", "b") for day in days]


def _write(folder: Path, rows: list[list[str]], header: str = "id,ds,y,x", config: str = CONFIG) -> None:
    text = "\n".join([header, *(",".join(row) for row in rows)]) + "\n"
    (folder / "d.csv").write_text(text, encoding="utf-8")
    (folder / "c.yaml").write_text(config, encoding="utf-8")


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    _write(tmp_path, _rows())
    return tmp_path


@pytest.fixture
def leaking(tmp_path: Path) -> Path:
    """x is y, three rows ahead."""
    rows = _rows(63)
    for series in (rows[:63], rows[63:]):
        for row, later in zip(series, series[3:], strict=False):
            row[3] = later[2]
    _write(tmp_path, [*rows[:60], *rows[63:123]])
    return tmp_path


def _problems(result) -> list[str]:
    error = json.loads(result.err)["error"]
    found = error.get("problems", [error])
    return [f"{problem['line']} {problem['key']}: {problem['message']}" for problem in found]


# what there is


def test_the_document_says_what_there_is_and_what_it_takes(invoke, clean):
    result = invoke("check", "c.yaml")
    assert (result.code, result.err) == (0, "")
    document = json.loads(result.out)
    assert list(document) == KEYS
    assert document["data"] == {
        "rows": 120, "series": 2, "shortest": 60, "median": 60.0, "longest": 60,
        "first": "2020-01-01", "last": "2020-02-29", "frequency": "1D", "season": 7,
    }  # fmt: skip
    assert document["columns"] == [
        {"column": name, "role": role, "missing": 0, "categories": None}
        for name, role in (("y", "target"), ("x", "past"), ("id", "series"), ("ds", "time"))
    ]
    assert document["parts"][2] == {
        "part": "test", "series": 2, "rows": 12, "first": "2020-02-24", "last": "2020-02-29", "windows": 6,
    }  # fmt: skip
    assert document["network"]["parameters"] == sum(document["network"]["by_part"].values())
    assert document["memory"]["peak"] == sum(
        document["memory"][name] for name in ("data", "batch", "network", "libraries")
    )
    assert document["warnings"] == []


def test_it_counts_as_training_counts(invoke, clean):
    document = json.loads(invoke("check", "c.yaml").out)
    trained = invoke("train", "c.yaml")
    assert trained.code == 0
    assert json.loads(trained.out)["parameters"] == document["network"]["parameters"]
    assert f"{document['parts'][0]['windows']} windows to train on, " in trained.err
    assert f"{document['parts'][1]['windows']} for validation" in trained.err


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_is_warned_of_what_is_known_alone(invoke, path):
    expected = DOUBTS.get(path.stem, [])
    result = invoke("check", path, "--fail-on-warning", cwd=ROOT)
    assert [warning["kind"] for warning in json.loads(result.out)["warnings"]] == expected
    assert (result.code, result.err == "") == ((6, False) if expected else (0, True))


def test_empty_cells_and_categories_are_counted(invoke, tmp_path):
    rows = [[*row[:3], f"k{number % 3}"] for number, row in enumerate(_rows())]
    rows[5][2] = rows[7][2] = ""
    _write(tmp_path, rows)
    result = invoke("check", "c.yaml", "data.categorical=x", "data.missing=mask")
    columns = {row["column"]: row for row in json.loads(result.out)["columns"]}
    assert (columns["y"]["missing"], columns["x"]["categories"]) == (2, 3)


def test_classes_are_counted_by_part(invoke):
    document = json.loads(invoke("check", "configs/classification.yaml", cwd=ROOT).out)
    assert [sum(part["classes"].values()) for part in document["parts"]] == [512, 64, 64]


def test_other_data_is_checked_with_data(invoke, clean):
    (clean / "e.csv").write_text("\n".join((clean / "d.csv").read_text().splitlines()[:61]) + "\n")
    assert json.loads(invoke("check", "c.yaml", "--data", "e.csv").out)["data"]["series"] == 1


def test_stdin_is_checked(cli, clean):
    done = cli("check", "c.yaml", "--data", "-", cwd=clean, input=(clean / "d.csv").read_text())
    assert json.loads(done.stdout)["data"]["rows"] == 120


def test_nothing_is_written(cli, clean):
    before = {path: path.read_bytes() for path in clean.iterdir()}
    assert cli("check", "c.yaml", cwd=clean).returncode == 0
    assert {path: path.read_bytes() for path in clean.iterdir()} == before


# formats


def test_csv_has_a_row_a_part_and_warnings_go_to_stderr(invoke, leaking):
    result = invoke("check", "c.yaml", "--format", "csv")
    rows = list(csv.reader(io.StringIO(result.out)))
    assert rows[0] == ["part", "series", "rows", "first", "last", "windows"]
    assert [row[0] for row in rows[1:]] == ["train", "validation", "test"]
    assert result.err == "warning: x is y, 3 rows ahead: a leak (leave it out)\n"


@pytest.mark.parametrize("config", [None, *CONFIGS], ids=lambda path: path.stem if path else "leak")
def test_the_table_fits_80_columns(invoke, leaking, config, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    result = invoke("check", config or "c.yaml", "--format", "table", cwd=ROOT if config else leaking)
    assert (result.code, result.err) == (0, "")
    assert max(map(len, result.out.splitlines())) <= 80
    if config is None:
        assert "x is y, 3 rows ahead: a leak" in result.out
        assert result.out.endswith("\nReady to train, with 1 warning.\n")
    else:
        count = len(DOUBTS.get(config.stem, []))
        told = f", with {count} warning{'s' if count > 1 else ''}." if count else ": nothing looks odd."
        assert result.out.endswith(f"\nReady to train{told}\n")


def test_names_from_the_data_come_out_escaped(invoke, trained):
    result = invoke("check", "waves.yaml", "--format", "table", cwd=trained)
    assert result.code == 0
    assert "\\x1b[31m" in result.out
    assert "\x1b" not in result.out + result.err
    assert json.loads(invoke("check", "waves.yaml", cwd=trained).out)["data"]["series"] == 4


# warnings


def test_a_warning_is_in_the_document_and_the_exit_code_is_0(invoke, leaking):
    result = invoke("check", "c.yaml")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out)["warnings"] == [
        {
            "kind": "leak",
            "message": "x is y, 3 rows ahead: a leak",
            "hint": "leave it out",
            "column": "x",
            "series": ["a"],
        }
    ]


def test_a_warning_fails_if_it_is_to(invoke, leaking):
    result = invoke("check", "c.yaml", "--fail-on-warning")
    assert result.code == 6
    assert len(json.loads(result.out)["warnings"]) == 1
    assert result.err == "error: 1 warning, and --fail-on-warning (x is y, 3 rows ahead: a leak)\n"


# problems


@pytest.mark.parametrize(
    "keys", [["model.units=3", "training.epochs=many"], ["model.nonlinearity=relu"], ["task.horizon=0"], ["nonsense"]]
)
def test_config_problems_are_those_of_training(invoke, clean, keys):
    checked, trained = (invoke(command, "c.yaml", *keys) for command in ("check", "train"))
    assert (checked.code, checked.out, checked.err) == (2, "", trained.err)


def test_a_config_that_is_not_there(invoke):
    result = invoke("check", "nothing.yaml")
    assert (result.code, result.out) == (2, "")


BROKEN = {
    "no such column": lambda rows: None,
    "not a number": lambda rows: rows[3].__setitem__(2, "six"),
    "empty": lambda rows: rows[3].__setitem__(3, ""),
    "no time": lambda rows: rows[3].__setitem__(1, "soon"),
    "twice": lambda rows: rows.insert(4, list(rows[3])),
    "gap": lambda rows: rows.pop(30),
    "too short": lambda rows: rows.__delitem__(slice(64, None)),
    "no id": lambda rows: rows[3].__setitem__(0, ""),
    "ragged": lambda rows: rows[3].append("more"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_data_problem_is_told_as_training_tells_it(invoke, tmp_path, what):
    rows = _rows()
    BROKEN[what](rows)
    _write(tmp_path, rows, "id,ds,y,z" if what == "no such column" else "id,ds,y,x")
    checked, trained = (invoke(command, "c.yaml") for command in ("check", "train"))
    assert (checked.code, checked.out, checked.err) == (3, "", trained.err)


def test_all_data_problems_come_at_once(invoke, tmp_path):
    rows = _rows()
    rows[3][2] = "six"
    rows[9][2] = "nine"
    rows[7][3] = ""
    rows[8][3] = ""
    rows.insert(20, list(rows[19]))
    rows.insert(40, list(rows[39]))
    _write(tmp_path, rows)
    result = invoke("check", "c.yaml", "--format", "json")
    assert (result.code, result.out) == (3, "")
    assert _problems(result) == [
        "5 y: not a number: 'six' in line 5, 'nine' in line 11",
        "22 ds: 2020-01-20 stands already in line 21",
        "22 ds: 2 rows repeat a time of their series, in lines 22, 42",
        "9 x: 2 empty cells, this is the first",
    ]


def test_gaps_of_several_series_and_a_logarithm_of_nothing(invoke, tmp_path):
    rows = [[*row[:2], "5", row[3]] for row in _rows()]
    rows[100][2] = "-3"
    del rows[90], rows[40], rows[20]
    _write(tmp_path, rows)
    result = invoke("check", "c.yaml", "window.transform=log", "--format", "json")
    assert result.code == 3
    assert _problems(result) == [
        "22 ds: the time column of series a jumps from 2020-01-20 to 2020-01-22",
        "90 ds: the time column of series b jumps from 2020-01-30 to 2020-02-01",
        "22 ds: 3 steps of 2 series are not 1D, before lines 22, 41, 90",
        "None None: window.transform: log needs targets above zero; y is -3 in series b",
    ]


def test_every_column_that_is_missing_is_named(invoke, tmp_path):
    _write(tmp_path, _rows(), "id,ds,z,x1")
    result = invoke("check", "c.yaml", "--format", "json")
    assert result.code == 3
    assert _problems(result) == ["1 None: no column y", "1 None: no column x"]


def test_every_file_that_cannot_be_read_is_named(invoke, clean):
    for name, text in (("e.csv", "id,ds,y,x\na,2020-01-01,1\n"), ("f.csv", ""), ("g.csv", "id,ds,y,x\n")):
        (clean / name).write_text(text)
    result = invoke("check", "c.yaml", "data.path=[d.csv, e.csv, f.csv, g.csv]")
    assert result.code == 3
    assert result.err == (
        "error: e.csv:2: 3 fields where the header has 4 (is a quote or a delimiter missing?)\n"
        "       f.csv: is empty (a header and rows are needed)\n"
        "       g.csv: 0 rows below the header (rows are needed)\n"
    )


def test_future_columns_may_go_on_where_the_target_ends(invoke, tmp_path):
    rows = _rows()
    for row in rows[50:60]:
        row[2] = ""
    _write(tmp_path, rows)
    keys = ["~data.past", "data.future=x"]
    assert invoke("check", "c.yaml", *keys).code == 0
    rows[10][2] = rows[55][3] = ""
    _write(tmp_path, rows)
    result = invoke("check", "c.yaml", *keys, "--format", "json")
    assert _problems(result) == [
        "12 y: 1 empty cell, this is the first", "57 x: 1 empty cell, this is the first",
    ]  # fmt: skip


def test_static_columns_and_weights_are_looked_at_too(invoke, tmp_path):
    rows = [[*row, "7", "1"] for row in _rows()]
    rows[9][4] = "8"
    rows[11][5] = "-1"
    _write(tmp_path, rows, "id,ds,y,x,s,w")
    result = invoke("check", "c.yaml", "data.static=s", "data.weight=w", "--format", "json")
    assert _problems(result) == [
        "13 w: a weight must be a number from 0 on",
        "11 s: another value within series a",
    ]


# memory

MEASURE = """
import json, pathlib, sys
import pandas, torch
from rnncli.cli import training_run
from rnncli.config.load import load
from rnncli.data.reading.frames import open_tables
from rnncli.training.check import check
def peak():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))
config = load("c.yaml")
if sys.argv[1] == "estimate":
    memory = check(config, open_tables(config.data.path)).memory
    print(json.dumps([memory.peak - memory.libraries, memory.peak]))
else:
    before = peak()
    training_run.run(config, training_run.Request(folder=pathlib.Path("run")))
    print(json.dumps([peak() - before, peak()]))
"""


def _bytes(what: str, folder: Path) -> tuple[int, int]:
    """Growth of the process in training, and all of it: estimated or measured."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, what], cwd=folder, capture_output=True, text=True, timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    growth, peak = json.loads(done.stdout.splitlines()[-1])
    return growth, peak


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process its own peak")
@pytest.mark.parametrize("cell", ["lstm", *(pytest.param(cell, marks=pytest.mark.slow) for cell in ("gru", "rnn"))])
def test_the_estimate_of_memory_is_within_a_factor_of_two(tmp_path, cell):
    """Of the growth of the process in a run of some hundred megabytes, and of the whole."""
    rows = np.random.default_rng(0).normal(size=(3500, 2)).round(3)
    config = CONFIG.replace("series: id, ", "").replace("context: 8", "context: 200, stride: 15")
    config = config.replace("hidden_size: 8", f"hidden_size: 128, cell: {cell}").replace("size: 16", "size: 160")
    config += "split: {validation: 30, test: 30}\n"
    _write(tmp_path, [[str(number), *map(str, row)] for number, row in enumerate(rows)], "ds,y,x", config)
    estimated, measured = _bytes("estimate", tmp_path), _bytes("measure", tmp_path)
    assert measured[0] > 60e6
    for estimate, truth in zip(estimated, measured, strict=True):
        assert truth / 2 < estimate < truth * 2
