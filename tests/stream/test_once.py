"""A small plain file is predicted without torch, to what the whole reader gives; what is not plain is left to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import Cli
from small_runs import answers, fit
from test_follow import CARRIED, FORECAST, PLAIN, WINDOWED, assert_same, panel, with_keys

from rnncli.predict import Wanted
from rnncli.stream.follow import Following
from rnncli.stream.model import load_stream_model
from rnncli.stream.once import Small, predict_small

MODELS = {name: values for name, values in (CARRIED | WINDOWED).items() if "static" not in name}


def small(
    folder: Path, frame: pd.DataFrame, wanted: Following = PLAIN, context: str | int | None = None, every: bool = False
) -> Small | None:
    raw = frame.to_csv(index=False).encode()
    return predict_small(load_stream_model(folder / "run"), raw, "small.csv", wanted, context, every=every)


@pytest.mark.parametrize("name", MODELS)
def test_the_answers_are_those_of_the_whole_reader(name: str, tmp_path: Path) -> None:
    frame = panel()
    model = fit(frame, tmp_path, MODELS[name])
    quantiles = bool(model.config.task.quantiles)
    levels = (50.0,) if model.residuals is not None else ()
    found = small(tmp_path, frame, Following(quantiles, levels))
    assert found is not None
    table = pd.DataFrame(list(found.rows), columns=found.columns)
    assert_same(table, answers(model, frame, tmp_path, Wanted(quantiles, levels)))
    if model.config.task.kind != "tagging":
        every = small(tmp_path, frame, PLAIN, every=True)
        assert every is not None
        table = pd.DataFrame(list(every.rows), columns=every.columns)
        assert_same(table, answers(model, frame, tmp_path, Wanted(every=True)))


def test_a_shorter_context(tmp_path: Path) -> None:
    frame = panel()
    model = fit(frame, tmp_path, FORECAST)
    for context in (5, "full"):
        found = small(tmp_path, frame, context=context)
        assert found is not None
        table = pd.DataFrame(list(found.rows), columns=found.columns)
        assert_same(table, answers(model, frame, tmp_path, Wanted(context=context)))


def _unsorted(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[::-1]


def _stranger(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame[frame.id == "s0"].assign(id="s9")])


def _gap(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame.t != 7]


def _empty(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(y=frame.y.where(frame.t != 7))


def _long(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(y=frame.y.where(frame.t != 7, 2.0**54))


@pytest.mark.parametrize("change", [_unsorted, _stranger, _gap, _empty, _long])
def test_what_is_not_plain_is_left_to_the_whole_reader(change: object, tmp_path: Path) -> None:
    frame = panel()
    fit(frame, tmp_path, FORECAST)
    assert callable(change)
    assert small(tmp_path, change(frame)) is None
    assert small(tmp_path, frame) is not None


def test_labels_that_are_none_and_taggers_are_left_to_the_whole_reader(tmp_path: Path) -> None:
    frame = panel()
    fit(frame, tmp_path, CARRIED["tags"])
    assert small(tmp_path, frame) is not None
    assert small(tmp_path, frame.assign(word=frame.word.replace("up", "upward"))) is None
    assert small(tmp_path, frame, every=True) is None  # --every has no effect on a tagger


def test_levels_of_every_row_are_left_to_the_whole_reader(tmp_path: Path) -> None:
    frame = panel()
    fit(frame, tmp_path, FORECAST)
    assert small(tmp_path, frame, Following(levels=(50.0,))) is not None
    assert small(tmp_path, frame, Following(levels=(50.0,)), every=True) is None  # a stream's adapt from row to row


def test_the_command_takes_the_short_way_and_says_what_the_long_one_says(tmp_path: Path, cli: Cli) -> None:
    frame = panel(dates=True)
    fit(frame, tmp_path, with_keys(FORECAST, data={"calendar": ["hour"]}))
    frame.to_csv(tmp_path / "d.csv", index=False)
    code = (
        "import sys\nfrom rnncli.cli.app import main\n"
        "try: main(['predict', 'run', '--data', 'd.csv'])\n"
        "except SystemExit as end: assert not end.code\n"
        "print([name for name in ('torch', 'pandas') if name in sys.modules], file=sys.stderr)"
    )
    short = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    long = cli("predict", "run", "--data", "d.csv", "--engine", "torch")
    *warnings, loaded = short.stderr.splitlines(keepends=True)
    assert loaded == "[]\n"
    assert "".join(warnings) == long.stderr
    ours, theirs = (text.splitlines() for text in (short.stdout, long.stdout))
    assert ours[0] == theirs[0]
    for one, other in zip(ours[1:], theirs[1:], strict=True):
        assert one.split(",")[:3] == other.split(",")[:3]
        np.testing.assert_allclose(float(one.split(",")[3]), float(other.split(",")[3]), rtol=1e-5)


def test_numpy_is_refused_where_it_cannot(tmp_path: Path, cli: Cli) -> None:
    frame = panel()
    fit(frame, tmp_path, FORECAST)
    assert cli("predict", "run", "--data", "d.csv", "--engine", "numpy").returncode == 0
    _unsorted(frame).to_csv(tmp_path / "e.csv", index=False)
    done = cli("predict", "run", "--data", "e.csv", "--engine", "numpy")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--engine auto" in done.stderr
