"""Small runs of every task, with names that are markup."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import call
from small_runs import tags

HOSTILE = "<script>alert(1)</script>"

BASE = "data: {path: d.csv, time: t, series: id, target: %s}\ntask: {kind: %s%s}\n"
SMALL = "training: {epochs: 2, batch_size: 16, device: cpu}\n"


def waves() -> pd.DataFrame:
    """Two series of 60 days, the second with a name and a target that are markup."""
    days = pd.date_range("2021-03-01", periods=60).astype(str)
    parts = []
    for number, name in enumerate(["plain", f"{HOSTILE}\u202e\"'&"]):
        values = 5 + np.sin(np.arange(60) / 3 + number) + 0.01 * np.arange(60)
        parts.append(pd.DataFrame({"id": name, "t": days, HOSTILE: values.round(4), "b&": values.round(3) * 2}))
    return pd.concat(parts, ignore_index=True)


def labelled() -> pd.DataFrame:
    """Sixteen sequences with a word each, one of which is markup, and a number."""
    frame = tags("abcdefghijklmnop", rows=10)
    frame["label"] = np.where(frame["id"] < "i", HOSTILE, "sound")
    frame["x"] += np.where(frame["id"] < "i", 3.0, 0.0)
    return frame.drop(columns=["b", "c", "w"])


SPLIT = "split: {validation: 0.2, test: 0.2}\n"
RUNS: dict[str, tuple[Callable[[], pd.DataFrame], str]] = {
    "forecasting": (
        waves,
        BASE % (f'"{HOSTILE}"', "forecasting", ", horizon: 4") + SMALL + "window: {context: 8}\n"
        "model: {cell: lstm, hidden_size: 6, num_layers: 2}\n",
    ),
    "one series": (
        lambda: waves()[["t", "b&"]][:60].rename(columns={"b&": "y"}),
        "data: {path: d.csv, time: t, target: y}\ntask: {kind: forecasting, horizon: 2}\nwindow: {context: 6}\n"
        "model: {hidden_size: 4}\ntraining: {epochs: 1, device: cpu}\n",
    ),
    "quantiles": (
        waves,
        BASE % ('["b&"]', "forecasting", ", horizon: 3") + "window: {context: 8}\nmodel: {cell: gru, hidden_size: 5}\n"
        "training: {epochs: 1, loss: quantile, device: cpu}\n",
    ),
    "two targets": (
        waves,
        BASE % (f'["{HOSTILE}", "b&"]', "forecasting", ", horizon: 1") + SMALL + "window: {context: 5}\n"
        "model: {cell: rnn, hidden_size: 4, nonlinearity: relu}\n",
    ),
    "classification": (
        labelled,
        BASE % ("label", "classification", "") + SMALL + SPLIT + "model: {hidden_size: 6, bidirectional: true}\n",
    ),
    "regression": (
        labelled,
        "data: {path: d.csv, time: t, series: id, target: y, past: [x, z]}\ntask: {kind: regression}\n"
        "training: {epochs: 2, seeds: 2, device: cpu}\nwindow: {context: 5}\n" + SPLIT
        + "model: {cell: carry_lstm, hidden_size: 6}\n",
    ),
    "tagging words": (tags, BASE % ("w", "tagging", "") + SMALL + "model: {hidden_size: 6}\n"),
    "tagging odds": (tags, BASE % ("[b, c]", "tagging", "") + SMALL + "model: {hidden_size: 70}\n"),
    "tagging numbers": (tags, BASE % ("y", "tagging", "") + SMALL + "model: {hidden_size: 6}\n"),
}  # fmt: skip


def make_run(folder: Path, name: str, *changes: str) -> Path:
    """Train one of RUNS into ``run`` of a folder."""
    frame, config = RUNS[name]
    frame().to_csv(folder / "d.csv", index=False)
    (folder / "c.yaml").write_text(config)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = call(("train", "c.yaml", "--out", "run", *changes))
    assert result.code == 0, result.err
    return folder
