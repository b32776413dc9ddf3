"""A date and its clock in two columns (``data.clock``): everywhere the same as both in one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.numpy import load_file

from rnncli.data.reading.dialect import Dialect
from rnncli.data.reading.frames import open_tables
from rnncli.errors import DataError

CONFIG = """\
data: {{path: {name}.csv, target: y, time: day, past: x, calendar: hour{clock}}}
task: {{kind: forecasting, horizon: 2}}
window: {{context: 6, normalise: none}}
model: {{hidden_size: 4}}
training: {{epochs: 1}}
"""


@pytest.fixture
def both(tmp_path: Path) -> pd.DataFrame:
    """The same hours in ``apart.csv`` and in ``one.csv``, each with its config."""
    times = pd.date_range("2024-02-28", periods=80, freq="h")
    values = {"y": np.sin(np.arange(80) / 4).round(3), "x": np.arange(80) % 7}
    clocks = times.strftime("%H:%M")
    clocks = [f" {clock} " if row % 9 == 0 else clock for row, clock in enumerate(clocks)]
    apart = pd.DataFrame({"at": clocks, "day": times.strftime("%Y-%m-%d"), **values})
    one = pd.DataFrame({"day": times.strftime("%Y-%m-%d %H:%M"), **values})
    for name, table, clock in (("apart", apart, ", clock: at"), ("one", one, "")):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        (tmp_path / f"{name}.yaml").write_text(CONFIG.format(name=name, clock=clock))
    return apart


@pytest.mark.usefixtures("both")
def test_all_that_comes_out_is_the_same(tmp_path, invoke):
    def answers(name):
        assert invoke("train", f"{name}.yaml", "--out", name).code == 0
        assert invoke("export", name, "--format", "numpy", "--out", f"{name}.npz").code == 0
        several = (["--engine", "numpy"], ["--engine", "auto"], ["--level", "80"], ["--data", f"{name}.csv"])
        shown = [invoke("predict", name, *options) for options in several]
        assert [result.err for result in shown] == [""] * len(shown)
        follow = invoke("predict", name, "--follow", "--data", f"{name}.csv")
        trace = invoke("trace", name, "--last", "3", "--format", "csv")
        command = [sys.executable, f"{name}.py", f"{name}.csv"]
        script = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return [*(result.out for result in shown), follow.out, trace.out, script.stdout]

    assert answers("apart") == answers("one")
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("apart", "one"))
    for part, weights in first.items():
        np.testing.assert_array_equal(weights, second[part], err_msg=part)


@pytest.mark.usefixtures("both")
def test_init_puts_them_together(tmp_path, invoke):
    result = invoke("init", "apart.csv", "--target", "y")
    assert result.code == 0, result.err
    data = yaml.safe_load(result.out)["data"]
    assert (data["time"], data["clock"]) == ("day", "at")
    assert invoke("init", "apart.csv", "--target", "y", "--time", "day").out == result.out


@pytest.mark.parametrize("clocks", ["%H", "%H.%M.%S", "%I:%M %p"])
def test_init_knows_a_clock(clocks, both, tmp_path, invoke):
    times = pd.to_datetime(both["day"] + " " + both["at"].str.strip())
    pd.DataFrame({"day": both["day"], "hour": times.dt.strftime(clocks), "y": both["y"]}).to_csv(
        tmp_path / "d.csv", index=False
    )
    result = invoke("init", "d.csv")
    assert result.code == 0, result.err
    assert yaml.safe_load(result.out)["data"]["clock"] == "hour"


def test_init_puts_them_together_in_each_series(both, tmp_path, invoke):
    several = pd.concat([both.assign(shop=shop) for shop in "ab"])
    several.to_csv(tmp_path / "d.csv", index=False)
    for options in ([], ["--series", "shop"], ["--time", "day", "--series", "shop"]):
        data = yaml.safe_load(invoke("init", "d.csv", "--target", "y", *options).out)["data"]
        assert (data["time"], data["clock"], data["series"]) == ("day", "at", "shop")


def test_the_clock_comes_before_a_number_that_would_do_as_id(both, tmp_path, invoke):
    several = pd.concat([both.assign(shop=shop, x=np.arange(80) % 24) for shop in "ab"])
    several.to_csv(tmp_path / "d.csv", index=False)
    data = yaml.safe_load(invoke("init", "d.csv", "--target", "y").out)["data"]
    assert (data["time"], data["clock"], data["series"]) == ("day", "at", "shop")


def test_init_leaves_a_clock_beside_days_alone(both, tmp_path, invoke):
    days = pd.date_range("2024-01-01", periods=80).strftime("%Y-%m-%d")
    both.assign(day=days).to_csv(tmp_path / "d.csv", index=False)
    data = yaml.safe_load(invoke("init", "d.csv", "--target", "y").out)["data"]
    assert data["time"] == "day"
    assert "clock" not in data


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["data.clock=att"], "apart.csv:1: no column att (did you mean at?)"),
        (["data.clock=null"], "apart.csv:3 day: 2024-02-28 stands already in line 2 (set data.clock: at)"),
        (["data.past=at"], "apart.csv:1: no column at"),
    ],
)
@pytest.mark.usefixtures("both")
def test_what_is_refused(change, words, invoke):
    result = invoke("check", "apart.yaml", *change)
    assert result.code == 3
    assert words in result.err


def test_another_clock_is_not_taken_for_that_of_a_whole_time(both, tmp_path, invoke):
    times = pd.date_range("2024-02-28", periods=80, freq="h").strftime("%Y-%m-%d %H:%M").to_numpy(copy=True)
    times[1] = times[0]
    both.assign(day=times).to_csv(tmp_path / "apart.csv", index=False)
    result = invoke("check", "apart.yaml", "data.clock=null")
    assert "apart.csv:3 day: 2024-02-28 00:00 stands already in line 2" in result.err
    assert "data.clock" not in result.err


def test_a_cell_that_is_no_clock_is_shown_with_its_date(both, tmp_path, invoke):
    assert invoke("train", "apart.yaml", "--out", "run").code == 0
    both.loc[40, "at"] = "25:00"
    both.to_csv(tmp_path / "apart.csv", index=False)
    for options in ([], ["--engine", "torch"]):
        result = invoke("predict", "run", *options)
        assert result.code == 3
        assert "apart.csv:42 day: '2024-02-29 25:00' is not a time like" in result.err
    followed = invoke("predict", "run", "--follow", "--data", "apart.csv")
    assert "apart.csv:42 day: '2024-02-29 25:00' is not a time like those of training" in followed.err


def test_a_stream_without_the_clock_is_refused(both, tmp_path, invoke):
    assert invoke("train", "apart.yaml", "--out", "run").code == 0
    both.drop(columns="at").to_csv(tmp_path / "d.csv", index=False)
    for options in ([], ["--follow"]):
        result = invoke("predict", "run", "--data", "d.csv", *options)
        assert (result.code, "no column at" in result.err) == (3, True), result.err


def test_parquet(both, tmp_path):
    pytest.importorskip("pyarrow")
    both.to_parquet(tmp_path / "d.parquet")
    both.to_csv(tmp_path / "d.csv", index=False)
    dialect = Dialect(joined=("day", "at"))
    first, second = (open_tables(str(tmp_path / name), dialect) for name in ("d.parquet", "d.csv"))
    assert first.header == second.header == ("day", "y", "x")
    np.testing.assert_array_equal(first.times("day", None)[0], second.times("day", None)[0])
    np.testing.assert_array_equal(first.numbers(["x"]), second.numbers(["x"]))


@pytest.mark.usefixtures("both")
def test_several_files_and_a_table_that_lacks_one(tmp_path):
    paths = [str(tmp_path / "apart.csv"), str(tmp_path / "one.csv")]
    with pytest.raises(DataError, match="other columns"):
        open_tables(paths, Dialect(joined=("day", "at")))
    with pytest.raises(DataError, match="no column at"):
        open_tables(paths[1:], Dialect(joined=("day", "at")))
