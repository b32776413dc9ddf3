"""``rnncli init``: the config that it writes trains as it stands, whatever the table looks like."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from table_shapes import DAYS, ENGINES, LONG, SHAPES, Shape, as_bytes, dated, wave

from rnncli.config.document import parse
from rnncli.config.recipes import RECIPES

ROOT = Path(__file__).resolve().parents[2]
TABLES = sorted(path.name for path in (ROOT / "data").glob("*.csv"))

SHORT = ("training.epochs=1", "training.steps_per_epoch=3")

SUNSPOTS = """\
# rnncli init data/sunspots.csv > config.yaml && rnncli train config.yaml
#
# Guessed from the data: read it through, and change what you know better. An
# editor completes and checks the keys with `rnncli schema > rnncli.schema.json`
# and this line: "# yaml-language-server: $schema=rnncli.schema.json".
#
# Recipe: the defaults, best for a single series of 2,496 training rows.

data:
  path: data/sunspots.csv # 3,120 rows; relative to where rnncli is called
  time: date # dates (%Y-%m); monthly; season 12
  target: sunspots # the only column of numbers

task:
  kind: forecasting # the rows that follow
  horizon: 12 # one season
"""
NOTES = """\
time: date, dates (%Y-%m); monthly; season 12
forecasting: sunspots (the only column of numbers)
recipe: the defaults, best for a single series of 2,496 training rows
"""


def keys_of(text: str) -> dict[str, object]:
    """The keys of a config, as ``section.key: value``."""
    values = parse(text, None).values
    return {f"{section}.{key}": value for section, part in values.items() for key, value in part.items()}


def test_the_config_for_the_sunspots(invoke):
    result = invoke("init", "data/sunspots.csv", cwd=ROOT)
    assert (result.code, result.out, result.err) == (0, SUNSPOTS, NOTES)


RECIPE_OF = {
    "air_passengers.csv": "the defaults around the season before",
    "co2.csv": "the defaults, best for",
    "japanese_vowels_test.csv": "classification",
    "japanese_vowels_train.csv": "classification",
    "seattle_weather.csv": "the defaults, best for",
    "sunspots.csv": "the defaults, best for",
    "us_employment.csv": "panel",
}


@pytest.mark.parametrize("name", TABLES)
def test_every_shipped_table_trains(invoke, tmp_path, name):
    (tmp_path / "data").symlink_to(ROOT / "data")
    result = invoke("init", f"data/{name}")
    assert result.code == 0, result.err
    assert f"# Recipe: {RECIPE_OF[name]}" in result.out
    assert f"recipe: {RECIPE_OF[name]}" in result.err
    (tmp_path / "c.yaml").write_text(result.out, encoding="utf-8")
    trained = invoke("train", "c.yaml", *SHORT)
    assert trained.code == 0, trained.err


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_what_it_writes_trains_as_it_stands(invoke, tmp_path, shape: Shape):
    (tmp_path / shape.file).write_bytes(shape.content)
    result = invoke("init", shape.file)
    assert result.code == 0, result.err
    keys = keys_of(result.out)
    assert {key: keys.get(key) for key in shape.keys} == shape.keys
    (tmp_path / "c.yaml").write_text(result.out, encoding="utf-8")
    trained = invoke("train", "c.yaml", *SHORT)
    assert trained.code == 0, trained.err


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_key_has_its_reason(invoke, tmp_path, shape: Shape):
    (tmp_path / shape.file).write_bytes(shape.content)
    lines = invoke("init", shape.file).out.splitlines()
    assert lines[0] == f"# rnncli init {shape.file} > config.yaml && rnncli train config.yaml"
    for before, line in itertools.pairwise(lines):
        if line.startswith("  ") and not line.startswith(("   ", "  #")):
            assert " # " in line or before.startswith("  # "), line
        assert len(line) <= 80 or " " not in line.strip(" #")
    assert [path.name for path in tmp_path.iterdir()] == [shape.file]


@pytest.mark.parametrize("file", ["data/co2.csv", "-"])
def test_a_pipe_of_shells(tmp_path, file):
    (tmp_path / "data").symlink_to(ROOT / "data")
    rnncli = f"{sys.executable} -m rnncli"
    stdin = "< data/co2.csv" if file == "-" else ""
    command = (
        f"{rnncli} init {file} {stdin} > c.yaml && {rnncli} train c.yaml training.epochs=1 --quiet {stdin} | head -1"
    )
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stdout) == (0, "{\n"), done.stderr
    assert keys_of((tmp_path / "c.yaml").read_text())["data.path"] == file


def test_a_glob_is_one_table(invoke, tmp_path):
    for name, part in LONG.groupby("id"):
        (tmp_path / f"part {name}.csv").write_bytes(as_bytes(part))
    result = invoke("init", "part *.csv")
    assert result.code == 0, result.err
    keys = keys_of(result.out)
    assert (keys["data.path"], keys["data.series"]) == ("part *.csv", "id")
    assert result.out.startswith("# rnncli init 'part *.csv' > config.yaml")
    (tmp_path / "c.yaml").write_text(result.out, encoding="utf-8")
    assert invoke("train", "c.yaml", *SHORT).code == 0


def test_what_is_asked_for_is_done(invoke, tmp_path):
    (tmp_path / "d.csv").write_bytes(ENGINES)
    options = ["--task", "regression", "--target", "rul", "--series", "unit", "--time", "cycle"]
    result = invoke("init", "d.csv", *options)
    assert result.code == 0, result.err
    keys = keys_of(result.out)
    asked = {"data.time": "cycle", "data.series": "unit", "data.target": "rul", "task.kind": "regression"}
    assert {key: keys[key] for key in asked} == asked
    (tmp_path / "c.yaml").write_text(result.out, encoding="utf-8")
    assert invoke("train", "c.yaml", *SHORT).code == 0


def test_regression_is_only_chosen_when_it_is_asked_for(invoke, tmp_path):
    (tmp_path / "d.csv").write_bytes(ENGINES)
    assert keys_of(invoke("init", "d.csv").out)["task.kind"] == "forecasting"
    assert keys_of(invoke("init", "d.csv", "--task", "regression").out)["data.target"] == "rul"


def test_a_column_that_gives_the_target_away_is_no_input(invoke, tmp_path):
    random, lines = np.random.default_rng(2), ["unit,cycle,heat,left,left_30"]
    for unit in range(12):
        life = 50 + 5 * unit
        lines += [
            f"{unit},{t},{t / life + random.normal() / 5:.3f},{life - t},{min(30, life - t)}" for t in range(life)
        ]
    path = tmp_path / "lives.csv"
    path.write_text("\n".join(lines) + "\n")
    text = invoke("init", path, "--target", "left_30", "--task", "regression").out
    assert "# not among the inputs: left: it gives left_30 away" in text
    assert keys_of(text)["data.past"] == "heat"


def test_the_recipe_of_each_task(invoke, tmp_path):
    (tmp_path / "data").symlink_to(ROOT / "data")
    for target, recipe in {"weather": "tagging", "temp_max": "regression"}.items():
        result = invoke("init", "data/seattle_weather.csv", "--series", "season", "--target", target, "--task", recipe)
        keys = keys_of(result.out)
        wanted = {f"{section}.{key}": value for section, part in RECIPES[recipe].items() for key, value in part.items()}
        assert {key: keys.get(key) for key in wanted} == wanted
        (tmp_path / "c.yaml").write_text(result.out, encoding="utf-8")
        checked = invoke("check", "c.yaml")
        assert checked.code == 0, checked.err


def test_long_series_get_the_recipe_for_them_in_both_layouts(invoke, tmp_path):
    hours = pd.date_range("2021-01-01", periods=5000, freq="h").strftime("%Y-%m-%d %H:%M")
    wide = pd.DataFrame({"time": hours, **{name: wave(5000, len(name)) for name in ("rome", "oslo", "wien")}})
    wide.to_csv(tmp_path / "wide.csv", index=False)
    wide.melt("time", var_name="city", value_name="degrees").to_csv(tmp_path / "long.csv", index=False)
    for file in ("wide.csv", "long.csv"):
        result = invoke("init", file)
        assert "# Recipe: long_horizon (configs/long_horizon.yaml): 3 long series" in result.out
        (tmp_path / "c.yaml").write_text(result.out, encoding="utf-8")
        assert invoke("check", "c.yaml").code == 0


def test_horizon_and_several_targets(invoke, tmp_path):
    (tmp_path / "d.csv").write_bytes(as_bytes({**dated("%Y-%m-%d"), "z": wave(90), "w, v": wave(90)}))
    keys = keys_of(invoke("init", "d.csv", "--target", "y,z", "--horizon", "3").out)
    assert (keys["data.target"], keys["task.horizon"]) == (["y", "z"], 3)
    assert keys_of(invoke("init", "d.csv", "--target", "w, v").out)["data.target"] == "w, v"


ODD = [
    "a: b",
    " # c",
    "d\"'",
    "x*",
    "[e]",
    "- f",
    "null",
    "1e3",
    "line\nbreak",
    "é\u202e",
    "{g}",
    "~",
    "@h",
    "\\",
    "\x1b[2J",
]


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_odd_names_survive(invoke, tmp_path, name):
    columns = {"date": DAYS.strftime("%Y-%m-%d"), name: wave(90), "xx": [7] * 90}
    (tmp_path / "d.csv").write_bytes(as_bytes(columns))
    result = invoke("init", "d.csv", "--target", name)
    assert result.code == 0, result.err
    assert keys_of(result.out)["data.target"] == name.strip()
    assert not {"\x1b", "\u202e"} & set(result.out + result.err)
    (tmp_path / "c.yaml").write_text(result.out, encoding="utf-8")
    trained = invoke("train", "c.yaml", *SHORT)
    assert trained.code == 0, trained.err


def test_what_is_in_doubt_is_a_warning(invoke, tmp_path):
    rows = "".join(f"{day:02}/{month:02}/2020,{day + month}\n" for month in range(1, 13) for day in (2, 5, 9))
    (tmp_path / "d.csv").write_text("date,y\n" + rows)
    result = invoke("init", "d.csv", "--quiet", "--horizon", "2")
    assert "warning: date: day or month first?" in result.err


TWICE = b"date,y\n" + b"".join(b"2020-01-%02d,%d\n" % (day, day) for day in (*range(1, 29), 5))
SIX = b"t,y\n" + b"".join(b"%d,%s\n" % (row, b"six" if row == 6 else b"1.5") for row in range(60))


@pytest.mark.parametrize(
    ("content", "arguments", "code", "words"),
    [
        (None, [], 2, ["d.csv: no such file"]),
        (b"", [], 3, ["d.csv: is empty"]),
        (b"date,y\n", [], 3, ["0 rows"]),
        (b"1,2\n3,4\n", [], 3, ["no header"]),
        (b"PK\x03\x04abc", [], 3, ["spreadsheet"]),
        (b"<html></html>", [], 3, ["HTML"]),
        (b"date,y\n2020-01-01,1\n2020-01-02,1,5\n", [], 3, ["d.csv:3", "3 fields"]),
        (as_bytes(dated("%Y-%m-%d")), ["--target", "yy"], 3, ["d.csv:1", "did you mean y?"]),
        (as_bytes(dated("%Y-%m-%d")), ["--time", "nope"], 3, ["no column nope"]),
        (as_bytes(dated("%Y-%m-%d")), ["--series", "dat"], 3, ["did you mean date?"]),
        (as_bytes(dated("%Y-%m-%d")), ["--time", "date", "--target", "date"], 2, ["date is asked for twice"]),
        (as_bytes(dated("%Y-%m-%d")), ["--task", "clustering"], 2, ["clustering"]),
        (as_bytes(dated("%Y-%m-%d")), ["--horizon", "0"], 2, ["0 is not a whole number"]),
        (as_bytes(dated("%Y-%m-%d")), ["--horizon", "5.0"], 2, ["5.0"]),
        (as_bytes(dated("%Y-%m-%d")), ["--horizon", "80"], 3, ["too short"]),
        (as_bytes(dated("%Y-%m-%d")), ["--horizon", "8", "--task", "regression"], 2, ["--horizon has no effect"]),
        (as_bytes({"a": wave(40), "label": ["u", "v"] * 20}), ["--horizon", "3"], 2, ["looks like tagging"]),
        (as_bytes({"t": range(40), "y": [*wave(30), *[None] * 10]}), [], 3, [" part has no row with a known target"]),
        (TWICE, [], 3, ["d.csv:30", "2020-01-05"]),
        (SIX, [], 3, ["d.csv:8 y", "six"]),
        (b"words\na b\nc d\ne f\n", [], 3, ["no column can be predicted"]),
        (as_bytes(dated("%Y-%m-%d")) + b"Total,4321\n", [], 3, ["d.csv:92 date", "'Total'", "remove the line"]),
        (as_bytes(dated("%Y-%m-%d")) + b"\n,4321\n", [], 3, ["d.csv:93 date", "no time", "remove the line"]),
        (as_bytes(dated("%Y-%m-%d")).replace(b"2021-02-28", b"2021-02-30"), [], 3, ["d.csv:60 date", "'2021-02-30'"]),
        (as_bytes({"year": [*range(1900, 1960), "sum"], "y": wave(61)}), [], 3, ["d.csv:62 year", "'sum'"]),
        (as_bytes({"t": range(90), "y": [f"{v}%" for v in wave(90)]}), [], 3, ["d.csv:2 y", "percent"]),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_on_is_refused(invoke, tmp_path, content, arguments, code, words):
    if content is not None:
        (tmp_path / "d.csv").write_bytes(content)
    result = invoke("init", "d.csv", *arguments)
    assert (result.code, result.out) == (code, ""), result.err
    assert all(word in result.err for word in words), result.err
    assert len(result.err.splitlines()) <= 6
    assert [path.name for path in tmp_path.iterdir()] == (["d.csv"] if content is not None else [])


def test_an_empty_stdin_is_refused(cli):
    done = cli("init", "-", input="")
    assert (done.returncode, done.stdout) == (3, "")
    assert "stdin: is empty" in done.stderr
