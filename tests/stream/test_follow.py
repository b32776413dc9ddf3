"""A stream's answers are those of ``predict`` for the rows that have come so far, however they come."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from native_kernels import needs_compiler
from small_runs import answers, fit

from rnncli.data.reading.dialect import dialect_of
from rnncli.predict import Wanted
from rnncli.stream.follow import Follower, Following
from rnncli.stream.lines import blocks
from rnncli.stream.model import carries, load_stream_model

PLAIN = Following()
TOLERANCE = 1e-6  # of the spread of what is forecast
CELLS = ["rnn", "lstm", "gru", "carry_lstm"]


def panel(rows: int = 40, series: int = 3, seed: int = 0, dates: bool = False) -> pd.DataFrame:
    """Interleaved series with a number `x`, a word `kind`, a region a series, and targets `y`, `word` and `bit`."""
    random = np.random.default_rng(seed)
    parts = []
    for number in range(series):
        y = 5 + number + np.abs(np.cumsum(random.normal(size=rows)))
        frame = pd.DataFrame({"id": f"s{number}", "t": np.arange(rows), "y": y, "x": random.normal(size=rows)})
        frame["kind"] = random.choice(["a", "b", "c"], size=rows)
        frame["region"] = f"r{number % 2}"
        frame["word"] = np.where(frame.x > 0, "up", "down")
        frame["bit"] = (frame.x > 0).astype(int)
        parts.append(frame)
    whole = pd.concat(parts).sort_values(["t", "id"], kind="stable")
    return whole.assign(t=pd.Timestamp("2024-01-01") + pd.to_timedelta(whole.t, unit="h")) if dates else whole


def streamed(folder: Path, frame: pd.DataFrame, following: Following = PLAIN, sizes: list[int] | None = None) -> str:
    """What a follower prints, given the rows in pieces of some sizes, over and over."""
    follower = Follower(load_stream_model(folder / "run"), following, "rows.csv")
    raw = frame.to_csv(index=False).encode()
    pieces, start = [], 0
    while start < len(raw):
        size = (sizes or [len(raw)])[len(pieces) % len(sizes or [1])]
        pieces.append(raw[start : start + size])
        start += size
    text = ""
    for block in blocks("rows.csv", dialect_of(follower.model.config.data), iter(pieces)):
        if not follower.intake.header:
            follower.intake.begin(block.rows[0], 1)
            text += follower.text.header()
            block = type(block)(block.rows[1:], block.lines[1:])
        found, problems = follower.take(block)
        assert not problems
        text += found
    return text


def table(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""])


def assert_same(streamed: pd.DataFrame, batch: pd.DataFrame) -> None:
    """Equal words; numbers equal up to rounding; the stream has scores besides."""
    streamed = streamed[[name for name in streamed if not name.endswith("anomaly_score")]]
    assert list(streamed.columns) == list(batch.columns)
    assert len(streamed) == len(batch)
    for name in batch:
        if batch[name].dtype.kind == "f":
            scale = max(1.0, float(np.abs(batch[name]).max()))
            np.testing.assert_allclose(streamed[name], batch[name], atol=TOLERANCE * scale, rtol=0)
        else:
            assert streamed[name].astype(str).tolist() == batch[name].astype(str).tolist()


FORECAST: dict[str, Any] = {
    "data": {"target": "y", "time": "t", "series": "id"},
    "task": {"kind": "forecasting", "horizon": 3},
    "window": {"context": 8, "origins": "every"},
}
REGRESSION: dict[str, Any] = {
    "data": {"target": "y", "time": "t", "series": "id", "past": ["x"]},
    "split": {"by": "time"},
    "task": {"kind": "regression"},
    "window": {"context": 8},
}
TAGGING: dict[str, Any] = {
    "data": {"target": "word", "time": "t", "series": "id", "past": ["x", "y"]},
    "task": {"kind": "tagging"},
    "window": {"context": "full"},
}
CLASSIFICATION: dict[str, Any] = {
    "data": {"target": "region", "time": "t", "series": "id", "past": ["x", "y"]},
    "split": {"validation": 2, "test": 0},
    "task": {"kind": "classification"},
}


def with_keys(base: dict[str, Any], **sections: dict[str, Any]) -> dict[str, Any]:
    return base | {name: base.get(name, {}) | values for name, values in sections.items()}


CARRIED: dict[str, dict[str, Any]] = {
    **{f"forecast {cell}": with_keys(FORECAST, model={"cell": cell}) for cell in CELLS},
    **{f"{cell} of two layers": with_keys(REGRESSION, model={"cell": cell, "num_layers": 2}) for cell in CELLS},
    "relu": with_keys(REGRESSION, model={"cell": "rnn", "nonlinearity": "relu"}),
    "no bias": with_keys(TAGGING, model={"cell": "gru", "bias": False}),
    "odd size": with_keys(FORECAST, model={"hidden_size": 5}),
    "not normalised": with_keys(FORECAST, window={"origins": "last", "normalise": "none"}),
    "log": with_keys(FORECAST, window={"transform": "log"}),
    "of the panel": with_keys(FORECAST, scale={"per": "panel"}),
    "static and categories": with_keys(
        REGRESSION, data={"static": ["region"], "categorical": ["region", "kind"], "past": ["x", "kind"]}
    ),
    "past": with_keys(FORECAST, data={"past": ["x"]}),
    "ensemble": with_keys(FORECAST, training={"seeds": 3}),
    "quantiles": with_keys(FORECAST, training={"loss": "quantile"}),
    "two targets": with_keys(FORECAST, data={"target": ["y", "x"]}),
    "tags": TAGGING,
    "numbers as tags": with_keys(TAGGING, data={"target": "y", "past": ["x"]}),
    "bits": with_keys(TAGGING, data={"target": ["bit"], "past": ["x"]}),
    "classes": CLASSIFICATION,
}
WINDOWED: dict[str, dict[str, Any]] = {
    "level": with_keys(FORECAST, window={"origins": "last"}),
    "level and spread": with_keys(FORECAST, window={"origins": "last", "normalise": "mean_std"}),
    "segments": with_keys(
        FORECAST,
        window={"origins": "last", "level": False},
        model={"segment": 3, "decoder": "parallel", "skip": "linear"},
    ),
    "season": with_keys(FORECAST, window={"origins": "last"}, model={"skip": "seasonal"}, data={"season": 4}),
    "filters": with_keys(REGRESSION, model={"front_end": "conv"}),
    "attention": with_keys(REGRESSION, model={"readout": "attention", "num_layers": 2}),
    "mean and maximum": with_keys(REGRESSION, model={"readout": "mean_max"}),
}


@pytest.mark.parametrize("name", CARRIED)
def test_a_state_that_is_carried_on_gives_what_predict_gives_for_all_rows_so_far(name: str, tmp_path: Path) -> None:
    frame = panel()
    model = fit(frame, tmp_path, CARRIED[name])
    assert carries(model.config)
    quantiles = bool(model.config.task.quantiles)
    found = table(streamed(tmp_path, frame, Following(quantiles=quantiles)))
    every = model.config.task.kind != "tagging"
    assert_same(found, answers(model, frame, tmp_path, Wanted(quantiles, every=every, context="full")))


@pytest.mark.parametrize("name", WINDOWED)
def test_a_model_of_windows_gives_what_predict_gives_for_the_newest_rows(name: str, tmp_path: Path) -> None:
    frame = panel()
    model = fit(frame, tmp_path, WINDOWED[name])
    assert not carries(model.config)
    found = table(streamed(tmp_path, frame))
    assert_same(found, answers(model, frame, tmp_path, Wanted(every=True)))


@pytest.mark.parametrize("name", ["forecast lstm", "of the panel", "past", "classes"])
def test_a_context_that_is_asked_for_gives_what_predict_gives_with_it(name: str, tmp_path: Path) -> None:
    frame = panel()
    model = fit(frame, tmp_path, CARRIED[name])
    found = table(streamed(tmp_path, frame, Following(context=6)))
    assert_same(found, answers(model, frame, tmp_path, Wanted(every=True, context=6)))


@pytest.mark.parametrize("missing", ["mask", "ffill"])
@pytest.mark.parametrize("base", [FORECAST, REGRESSION, with_keys(FORECAST, window={"origins": "last"})])
def test_empty_cells_are_read_as_predict_reads_them(missing: str, base: dict[str, Any], tmp_path: Path) -> None:
    frame = panel()
    gaps = np.random.default_rng(3).random(len(frame)) < 0.2
    frame["x"] = frame.x.where(~gaps)
    frame["y"] = frame.y.where(~np.roll(gaps, 5) | (base["task"]["kind"] != "forecasting"))
    model = fit(frame, tmp_path, with_keys(base, data={"missing": missing, "past": ["x"]}))
    context = "full" if carries(model.config) else None
    assert_same(table(streamed(tmp_path, frame)), answers(model, frame, tmp_path, Wanted(every=True, context=context)))


@pytest.mark.parametrize("base", [FORECAST, with_keys(REGRESSION, data={"irregular": "delta"})])
def test_dates_and_what_follows_from_them(base: dict[str, Any], tmp_path: Path) -> None:
    frame = panel(dates=True)
    model = fit(frame, tmp_path, with_keys(base, data={"calendar": ["hour", "weekday"]}))
    assert_same(table(streamed(tmp_path, frame)), answers(model, frame, tmp_path, Wanted(every=True, context="full")))


def test_the_wide_layout(tmp_path: Path) -> None:
    frame = panel().pivot(index="t", columns="id", values="y").reset_index()
    data = {"target": ["s0", "s1", "s2"], "series": None, "layout": "wide"}
    model = fit(frame, tmp_path, with_keys(FORECAST, data=data))
    text = streamed(tmp_path, frame)
    assert list(table(text).columns)[-3:] == [f"s{number}_anomaly_score" for number in range(3)]
    found = table(text)
    assert_same(found, answers(model, frame, tmp_path, Wanted(every=True, context="full")))
    for rows in (5, 17, 40):
        batch = answers(model, frame[:rows], tmp_path, Wanted(context="full"))
        assert_same(found[3 * rows - 3 : 3 * rows].reset_index(drop=True), batch)


GROUPINGS: dict[str, list[int]] = {"bytes": [1], "rows": [30], "uneven": [7, 400, 3, 1111], "all": [10**9]}


@pytest.mark.parametrize("engine", ["numpy", pytest.param("native", marks=needs_compiler)])
@pytest.mark.parametrize("name", ["forecast lstm", "forecast gru", "gru of two layers", "odd size", "ensemble", "tags"])
def test_how_rows_are_grouped_on_their_way_changes_no_bit(name: str, engine: str, tmp_path: Path) -> None:
    frame = panel(rows=30, series=21)
    values, forecast = CARRIED[name], CARRIED[name]["task"]["kind"] == "forecasting"
    fit(frame, tmp_path, with_keys(values, split={"validation": 4, "test": 4}) if forecast else values)
    if not forecast:  # some series have fewer rows
        frame = frame[(frame.id != "s7") | (frame.t % 2 == 0)].sample(frac=1, random_state=0)
        frame = frame.sort_values("t", kind="stable")
    texts = {key: streamed(tmp_path, frame, Following(engine=engine), sizes) for key, sizes in GROUPINGS.items()}
    assert len(set(texts.values())) == 1


@needs_compiler
def test_engines_agree(tmp_path: Path) -> None:
    frame = panel()
    fit(frame, tmp_path, with_keys(FORECAST, model={"num_layers": 2}))
    texts = [streamed(tmp_path, frame, Following(engine=engine)) for engine in ("numpy", "native", "torch")]
    first = table(texts[0])
    for other in texts[1:]:
        np.testing.assert_allclose(table(other).y_pred, first.y_pred, atol=1e-5)
