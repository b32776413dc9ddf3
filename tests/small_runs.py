"""Small models trained in this process, and what they say of a frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rnncli.config import schema
from rnncli.config.document import Document
from rnncli.config.load import check
from rnncli.data.frames import Tables, open_tables
from rnncli.predict import Wanted, predict
from rnncli.trained import TrainedModel
from rnncli.training.prepare import Prepared, prepare
from rnncli.training.request import Request, Watch
from rnncli.training.train import train

SILENT = Watch(lambda fit, state: None, lambda event: None, lambda text: None)


def opened(frame: pd.DataFrame, folder: Path, name: str = "d.csv") -> Tables:
    """A frame as tables, by way of a file."""
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / name, index=False)
    return open_tables(str(folder / name))


def config_of(folder: Path, values: dict[str, Any]) -> schema.Config:
    """A config for ``d.csv`` in a folder, small and quick where it does not say otherwise."""
    training = {"epochs": 1, "device": "cpu", "threads": 1, **values.get("training", {})}
    model = {"hidden_size": 8, **values.get("model", {})}
    data = {"path": str(folder / "d.csv"), **values["data"]}
    return check(Document({**values, "data": data, "model": model, "training": training}, {}))


def prepared(frame: pd.DataFrame, folder: Path, values: dict[str, Any]) -> Prepared:
    """What training would see."""
    return prepare(config_of(folder, values), opened(frame, folder))


def fit(frame: pd.DataFrame, folder: Path, values: dict[str, Any]) -> TrainedModel:
    """A model trained on a frame."""
    tables = opened(frame, folder)
    return train(config_of(folder, values), tables, Request(folder / "run", overwrite=True), SILENT).model


def answers(model: TrainedModel, frame: pd.DataFrame, folder: Path, wanted: Wanted | None = None) -> pd.DataFrame:
    """The rows that ``predict`` prints."""
    return predict(model, opened(frame, folder, "new.csv"), wanted or Wanted()).table


def weights(model: TrainedModel) -> dict[str, list[Any]]:
    """The network's weights, to be compared to the last bit."""
    return {name: tensor.tolist() for name, tensor in model.network.state_dict().items()}


def tags(ids: str = "abcde", rows: int = 30, seed: int = 0) -> pd.DataFrame:
    """Series of unequal length with two numbers `x z` and four targets: a 0/1 `b c`, a number `y`, a word `w`."""
    random = np.random.default_rng(seed)
    parts = []
    for number, name in enumerate(ids):
        count = rows + 7 * number
        x, z = random.normal(size=(2, count))
        frame = pd.DataFrame({"id": name, "t": range(count), "x": x, "z": z, "b": (x > 0).astype(int)})
        before = np.concatenate([[0.0], x[:-1]])
        frame["c"], frame["y"] = (before + x > 0).astype(int), 10 + 3 * x - before
        frame["w"] = np.array(["low", "mid", "top"])[np.digitize(x, [-0.5, 0.5])]
        parts.append(frame)
    return pd.concat(parts, ignore_index=True).round(4)
