"""A key that could have no effect is an error: each changes what comes out of a run, or is refused with a reason."""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rnncli.checkpoint import MODEL, read
from rnncli.cli import training_run
from rnncli.config.document import Document
from rnncli.config.load import check, leaves
from rnncli.data.frames import open_tables
from rnncli.errors import RnncliError
from rnncli.predict import predict
from rnncli.trained import load_model
from rnncli.training.device import pick_device
from rnncli.training.request import Request

FORECASTING: dict[str, Any] = {
    "data": {"path": "waves.csv", "time": "day", "series": "id", "target": "y"},
    "window": {"context": 6},
    "task": {"kind": "forecasting", "horizon": 3},
    "model": {"cell": "lstm", "hidden_size": 4},
    "training": {"epochs": 2, "batch_size": 16, "device": "cpu"},
}
CLASSIFICATION: dict[str, Any] = {
    "data": {"path": "signs.csv", "time": "t", "series": "id", "target": "sign"},
    "task": {"kind": "classification"},
    "model": {"cell": "gru", "hidden_size": 4},
    "training": {"epochs": 2, "batch_size": 4, "device": "cpu"},
}
REGRESSION: dict[str, Any] = {
    **CLASSIFICATION,
    "data": {**CLASSIFICATION["data"], "target": "a"},
    "task": {"kind": "regression"},
    "window": {"context": 4},
}


@dataclass(frozen=True)
class Change:
    """A value for one key, and what else is set on both sides of the comparison for it to act."""

    value: Any
    base: dict[str, Any] = field(default_factory=lambda: FORECASTING)
    beside: dict[str, Any] = field(default_factory=dict)
    together: dict[str, Any] = field(default_factory=dict)


CHANGES: dict[str, Change] = {
    "seed": Change(1),
    "data.path": Change(["waves.csv", "more.csv"]),
    "data.layout": Change("wide", beside={"data.path": "wide.csv", "data.series": None, "data.target": ["y", "z"]}),
    "data.time": Change("later"),
    "data.time_format": Change(
        "%m/%d/%Y",
        beside={"data.path": "days.csv", "data.time_format": "%d/%m/%Y", "window.context": 3, "task.horizon": 1},
    ),
    "data.series": Change(["id", "group"]),
    "data.target": Change("x"),
    "data.past": Change("x"),
    "data.season": Change(3),
    "data.missing": Change("mask", beside={"data.path": "gaps.csv", "data.missing": "ffill"}),
    "split.by": Change("series", beside={"scale.per": "panel"}),
    "split.validation": Change(0.3),
    "split.test": Change(0.3),
    "scale.kind": Change("robust"),
    "scale.per": Change("panel"),
    "window.context": Change(9),
    "window.stride": Change(2),
    "window.normalise": Change("mean_std"),
    "window.transform": Change("log"),
    "task.kind": Change(
        "classification",
        beside={"data.path": "signs.csv", "data.time": "t", "data.target": "number", "task.horizon": 1},
        together={"task.horizon": None},
    ),
    "task.horizon": Change(4),
    "model.cell": Change("gru"),
    "model.hidden_size": Change(5),
    "model.num_layers": Change(2),
    "model.nonlinearity": Change("relu", beside={"model.cell": "rnn"}),
    "model.bias": Change(False),
    "model.bidirectional": Change(True),
    "model.dropout": Change(0.5, beside={"model.num_layers": 2}),
    "model.readout": Change("mean"),
    "training.epochs": Change(3),
    "training.batch_size": Change(8),
    "training.learning_rate": Change(0.01),
    "training.optimizer": Change("adam"),
    "training.weight_decay": Change(0.5),
    "training.momentum": Change(0.5, beside={"training.optimizer": "sgd"}),
    "training.schedule": Change("constant"),
    "training.clip_norm": Change(0.01),
    "training.loss": Change("mse"),
    "training.patience": Change(1, beside={"training.epochs": 12, "training.learning_rate": 0.2}),
    "training.precision": Change("bf16"),
    "training.device": Change("cuda"),
    "training.threads": Change(2, beside={"training.threads": 1, "window.stride": 20}),
    "training.engine": Change("torch", beside={"training.engine": "native"}),
    "evaluation.baselines": Change(["naive"]),
}
# what a machine may lack, and the reason that is given then
LACKING = {"training.device": "no CUDA device", "training.precision": "this processor cannot compute in it"}
# keys that act in another way elsewhere, or take effect through another value
FURTHER: dict[str, Change] = {
    "data.target": Change("b", REGRESSION),
    "data.series": Change(["id", "sign"], REGRESSION),
    "task.kind": Change("regression", CLASSIFICATION, {"data.target": "number"}),
    "split.by": Change("time", REGRESSION),
    "scale.per": Change("series", REGRESSION, {"split.by": "time"}),
    "training.loss": Change("mae", REGRESSION),
    "seed": Change(1, CLASSIFICATION),
    "data.past": Change("a", CLASSIFICATION),
    "data.time": Change("backwards", CLASSIFICATION),
    "data.missing": Change("mask", CLASSIFICATION, {"data.path": "dashes.csv", "data.missing": "ffill"}),
    "split.validation": Change(5, CLASSIFICATION),
    "split.test": Change("2020-02-20"),
    "scale.kind": Change("none", CLASSIFICATION),
    "window.context": Change(3, CLASSIFICATION),
    "window.stride": Change(2, CLASSIFICATION, {"window.context": 3}),
    "window.normalise": Change("none"),
    "model.cell": Change("carry_lstm", CLASSIFICATION),
    "model.nonlinearity": Change("relu", beside={"model.cell": "carry_lstm"}),
    "model.bias": Change(False, beside={"model.cell": "carry_lstm"}),
    "model.bidirectional": Change(True, beside={"model.cell": "carry_lstm"}),
    "model.dropout": Change(0.5, beside={"model.num_layers": 2, "model.cell": "carry_lstm"}),
    "model.readout": Change("max", CLASSIFICATION),
    "training.schedule": Change("plateau",
        beside={"training.epochs": 8, "training.learning_rate": 0.2, "training.schedule": "constant",
            "training.patience": 2}),
    "training.clip_norm": Change(None, beside={"training.clip_norm": 0.01}),
    "training.patience": Change(None,
        beside={"training.epochs": 12, "training.learning_rate": 0.2, "training.patience": 1}),
    "training.optimizer": Change("sgd"),
    "training.weight_decay": Change(0.5, beside={"training.optimizer": "adam"}),
    "training.precision": Change("bf16", CLASSIFICATION),
    "evaluation.baselines": Change([], CLASSIFICATION),
}  # fmt: skip


def _write(name: str, header: str, rows: list[str]) -> None:
    Path(name).write_text("\n".join([header, *rows]) + "\n")


def _write_files() -> None:
    days = np.datetime64("2020-01-01") + np.arange(70)
    random = np.random.default_rng(0)

    def wave(row: int, number: int) -> str:
        return f"{10 + 4 * math.sin(row / 3) + number + random.normal() / 3:.3f}"

    def waves(ids: str, blanks: bool = False) -> list[str]:
        return [
            f"{name},{name}{name},{day},{day + 1000},"
            f"{'' if blanks and row % 7 == 3 else wave(row, number)},{row % 5 + number + 1}"
            for number, name in enumerate(ids)
            for row, day in enumerate(days)
        ]

    _write("waves.csv", "id,group,day,later,y,x", waves("abcd"))
    _write("more.csv", "id,group,day,later,y,x", waves("ef"))
    _write("gaps.csv", "id,group,day,later,y,x", waves("abcd", blanks=True))
    _write("wide.csv", "day,y,z", [f"{day},{wave(row, 0)},{wave(row, 5)}" for row, day in enumerate(days)])
    _write(
        "days.csv",
        "id,day,y",
        [f"{name},{row:02d}/01/2020,{wave(row, row)}" for name in "abcdefgh" for row in range(1, 13)],
    )

    def signs(blanks: bool) -> list[str]:
        return [
            f"s{number},{step},{9 - step},{'plus' if number % 2 else 'minus'},{number % 2},"
            f"{'' if blanks and step % 4 == 1 else f'{random.normal() + number % 2:.3f}'},{random.normal():.3f}"
            for number in range(20)
            for step in range(10 - number % 3)
        ]

    _write("signs.csv", "id,t,backwards,sign,number,a,b", signs(blanks=False))
    _write("dashes.csv", "id,t,backwards,sign,number,a,b", signs(blanks=True))


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """A working directory with all the data, and the thread count put back at the end."""
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("keys"))
        _write_files()
        yield
    torch.set_num_threads(threads)
    fingerprint.cache_clear()


def _with(values: dict[str, Any], *changes: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(values)
    for key, value in {key: value for part in changes for key, value in part.items()}.items():
        section, _, name = key.rpartition(".")
        (result.setdefault(section, {}) if section else result)[name] = value
    return result


@functools.cache
def fingerprint(text: str) -> dict[str, Any]:
    """What a run of a config (as JSON) leaves behind, or the reason for which it is refused."""
    torch.set_num_threads(1)  # ``auto`` leaves it as it is where OMP_NUM_THREADS is set
    run = Path("runs") / hashlib.sha256(text.encode()).hexdigest()
    try:
        config = check(Document(json.loads(text), {}))
        training_run.run(config, Request(run, overwrite=True))
    except RnncliError as error:
        return {"refused": [str(problem) for problem in error.problems]}
    weights = read(run / "model.safetensors", MODEL).tensors
    metrics = json.loads((run / "metrics.json").read_text())
    manifest = json.loads((run / "manifest.json").read_text())
    table = predict(load_model(run, pick_device("cpu")), open_tables(config.data.path))
    return {
        "weights": {
            name: hashlib.sha256(array.tobytes()).hexdigest()
            for name, array in weights.items()
            if name.startswith("network.")
        },
        "metrics": {name: value for name, value in metrics.items() if name not in ("seconds", "run")},
        "manifest": {name: manifest[name] for name in ("device", "threads", "engine", "precision", "parameters")},
        "predictions": hashlib.sha256(table.to_csv(index=False).encode()).hexdigest(),
        "columns": list(table.columns),
    }


def test_the_tables_hold_every_key():
    assert set(CHANGES) == set(leaves())
    assert set(FURTHER) <= set(leaves())


def test_the_same_config_leaves_the_same(capsys):
    first = fingerprint(json.dumps(FORECASTING))
    fingerprint.cache_clear()
    assert "refused" not in first
    assert fingerprint(json.dumps(dict(reversed(FORECASTING.items())))) == first  # trained anew


@pytest.mark.parametrize(
    ("key", "change"),
    [*CHANGES.items(), *FURTHER.items()],
    ids=[*CHANGES, *(f"{key} (further)" for key in FURTHER)],
)
def test_a_key_acts_or_is_refused(key, change, capsys):
    before = fingerprint(json.dumps(_with(change.base, change.beside)))
    after = fingerprint(json.dumps(_with(change.base, change.beside, {key: change.value}, change.together)))
    assert "refused" not in before
    if "refused" in after:
        assert key in LACKING
        assert LACKING[key] in after["refused"][0]
    assert before != after


@pytest.mark.parametrize("key", ["evaluation.baselines", "data.season", "training.threads"])
def test_what_only_describes_or_scores_a_run_leaves_its_weights_alone(key, capsys):
    change = CHANGES[key]
    before = fingerprint(json.dumps(_with(change.base, change.beside)))
    after = fingerprint(json.dumps(_with(change.base, change.beside, {key: change.value})))
    assert before["weights"] == after["weights"]
    assert before["predictions"] == after["predictions"]


def test_more_training_needs_more_epochs_only_until_patience_ends(capsys):
    change = FURTHER["training.patience"]
    patient = fingerprint(json.dumps(_with(change.base, change.beside, {"training.patience": None})))
    hasty = fingerprint(json.dumps(_with(change.base, change.beside)))
    assert patient["metrics"]["epochs"] == 12
    assert hasty["metrics"]["epochs"] < 12
