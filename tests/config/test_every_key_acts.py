"""A key that could have no effect is an error: each changes what comes out of a run, or is refused with a reason."""

from __future__ import annotations

import copy
import csv
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
from native_kernels import needs_compiler

from rnncli.checkpoint import MODEL, read
from rnncli.cli import training_run
from rnncli.config.document import Document
from rnncli.config.load import check, leaves
from rnncli.data.reading.dialect import dialect_of
from rnncli.data.reading.frames import open_tables
from rnncli.errors import RnncliError
from rnncli.predict import predict
from rnncli.trained import load_model
from rnncli.training.device import pick_device
from rnncli.training.request import Request
from rnncli.tune.search import Asked, Told, search

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
TAGGING: dict[str, Any] = {
    **CLASSIFICATION,
    "data": {"path": "tags.csv", "time": "t", "series": "id", "target": "tag"},
    "task": {"kind": "tagging"},
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
    "data.clock": Change("late", beside={"data.path": "apart.csv", "data.clock": "at"}),
    "data.time_format": Change(
        "%m/%d/%Y",
        beside={"data.path": "days.csv", "data.time_format": "%d/%m/%Y", "window.context": 3, "task.horizon": 1},
    ),
    "data.encoding": Change("cp1252", beside={"data.path": "windows.csv", "data.encoding": "latin-1"}),
    "data.delimiter": Change(";", beside={"data.path": "either.csv", "data.time": None, "data.series": None}),
    "data.decimal": Change(
        ",", beside={"data.path": "commas.csv", "data.thousands": ","}, together={"data.thousands": "."}
    ),
    "data.thousands": Change(",", REGRESSION, {"data.path": "long.csv"}),
    "data.time_unit": Change("min", beside={"data.path": "ticks.csv", "data.time_unit": "h"}),
    "data.time_zone": Change("Europe/Berlin", beside={"data.path": "hours.csv"}),
    "data.series": Change(["id", "group"]),
    "data.target": Change("x"),
    "data.past": Change("x"),
    "data.future": Change("x", beside={"data.path": "ahead.csv", "data.missing": "ffill"}),
    "data.static": Change("level"),
    "data.categorical": Change("level", beside={"data.static": "level"}),
    "data.calendar": Change("weekday"),
    "data.weight": Change("x"),
    "data.frequency": Change("3D", beside={"data.irregular": "resample", "data.frequency": "2D"}),
    "data.irregular": Change("delta"),
    "data.short_series": Change("error", beside={"data.path": "short.csv", "data.short_series": "skip"}),
    "data.season": Change(3),
    "data.missing": Change("mask", beside={"data.path": "gaps.csv", "data.missing": "ffill"}),
    "split.by": Change("series", beside={"scale.per": "panel"}),
    "split.validation": Change(0.3),
    "split.test": Change(0.3),
    "scale.kind": Change("robust"),
    "scale.per": Change("panel"),
    "window.context": Change(9),
    "window.stride": Change(2),
    "window.origins": Change("every"),
    "window.newest": Change(5),
    "window.normalise": Change("mean_std"),
    "window.level": Change(False),
    "window.transform": Change("log"),
    "task.kind": Change(
        "classification",
        beside={"data.path": "signs.csv", "data.time": "t", "data.target": "number", "task.horizon": 1},
        together={"task.horizon": None},
    ),
    "task.horizon": Change(4),
    "task.quantiles": Change([0.2, 0.5, 0.8], beside={"training.loss": "quantile"}),
    "model.cell": Change("gru"),
    "model.hidden_size": Change(5),
    "model.num_layers": Change(2),
    "model.nonlinearity": Change("relu", beside={"model.cell": "rnn"}),
    "model.bias": Change(False),
    "model.bidirectional": Change(True),
    "model.dropout": Change(0.5, beside={"model.num_layers": 2}),
    "model.readout": Change("mean"),
    "model.recurrent_dropout": Change(0.5),
    "model.front_end": Change("conv"),
    "model.segment": Change(2),
    "model.decoder": Change("parallel", beside={"model.segment": 2}),
    "model.skip": Change("linear"),
    "model.input_dropout": Change(0.5),
    "model.output_dropout": Change(0.5),
    "training.seeds": Change(2),
    "training.average": Change("ema"),
    "training.label_smoothing": Change(0.2, CLASSIFICATION),
    "training.input_noise": Change(0.5),
    "training.epochs": Change(3),
    "training.steps_per_epoch": Change(2),
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
# what a machine may lack, or a key is there to refuse, and the reason that is given then
REFUSALS = {
    "training.device": "no CUDA device",
    "training.precision": "this processor cannot compute in it",
    "data.short_series": "series too short: short",
}
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
    "model.recurrent_dropout": Change(0.5, beside={"model.cell": "carry_lstm"}),
    "model.front_end": Change("conv", CLASSIFICATION),
    "model.segment": Change(3, CLASSIFICATION),
    "model.skip": Change("seasonal", beside={"data.season": 5}),
    "model.decoder": Change("parallel", beside={"model.segment": "season", "data.season": 2, "data.future": "x",
        "data.path": "ahead.csv", "data.missing": "ffill"}),
    "model.input_dropout": Change(0.5, CLASSIFICATION),
    "model.output_dropout": Change(0.5, beside={"model.segment": 2, "model.decoder": "parallel"}),
    "training.average": Change("ema", beside={"split.validation": 0}),
    "training.seeds": Change(3, REGRESSION),
    "training.input_noise": Change(0.5, CLASSIFICATION),
    "window.newest": Change(3, REGRESSION),
    "window.origins": Change("every", beside={"data.future": "x", "data.path": "ahead.csv", "data.missing": "ffill"}),
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
    "data.categorical": Change("group", CLASSIFICATION, {"data.path": "tags.csv", "data.target": "sign"}),
    "data.calendar": Change(["weekday", "month"], beside={"data.calendar": "weekday"}),
    "data.weight": Change("b", REGRESSION, {"data.path": "tags.csv", "data.past": "second"}),
    "data.irregular": Change("resample", beside={"data.frequency": "2D", "data.irregular": "delta"}),
    "data.static": Change("level", REGRESSION, {"data.path": "tags.csv", "data.past": "b"}),
    "task.quantiles": Change([0.5], beside={"training.loss": "quantile"}),
}  # fmt: skip
# of tagging
TAGGED: dict[str, Change] = {
    "data.target": Change(["tag", "second"], TAGGING),
    "data.past": Change("a", TAGGING),
    "data.static": Change("level", TAGGING, {"data.past": "a"}),
    "data.categorical": Change("group", TAGGING),
    "data.weight": Change("b", TAGGING, {"data.past": "a"}),
    "data.irregular": Change("delta", TAGGING),
    "data.series": Change(["id", "group"], TAGGING, {"data.past": "a"}),
    "data.short_series": Change("error", TAGGING, {"data.short_series": "skip", "data.path": "short_tags.csv"}),
    "split.by": Change("series", TAGGING),
    "split.test": Change(5, TAGGING),
    "scale.per": Change("series", TAGGING),
    "window.context": Change("full", TAGGING),
    "model.front_end": Change("conv", TAGGING),
    "model.output_dropout": Change(0.5, TAGGING),
    "training.label_smoothing": Change(0.1, TAGGING, {"training.loss": "cross_entropy"}),
    "training.seeds": Change(2, TAGGING),
    "window.stride": Change(1, TAGGING),
    "model.cell": Change("rnn", TAGGING),
    "model.bidirectional": Change(True, TAGGING),
    "training.loss": Change("mse", TAGGING),
    "evaluation.baselines": Change(["previous"], TAGGING),
}
# of quantiles
PROBABLE: dict[str, Change] = {
    "model.skip": Change("linear", beside={"training.loss": "quantile"}),
    "model.decoder": Change("parallel", beside={"training.loss": "quantile", "model.segment": 2}),
    "window.context": Change("2 seasons", beside={"training.loss": "quantile", "data.season": 4}),
    "training.loss": Change("quantile"),
    "window.normalise": Change("mean_std", beside={"training.loss": "quantile"}),
    "window.level": Change(False, beside={"training.loss": "quantile", "window.normalise": "mean_std"}),
    "data.future": Change("x", beside={
        "data.path": "ahead.csv", "data.missing": "mask", "data.calendar": "month", "training.loss": "quantile"}),
}  # fmt: skip
# of the tune section, whose run is a search
SPACE = {"training.learning_rate": {"low": 1e-6, "high": 0.1, "log": True}}
TUNING: dict[str, Any] = {
    **FORECASTING,
    "training": {**FORECASTING["training"], "epochs": 3, "learning_rate": 0.01, "threads": 1},
    "tune": {"parameters": SPACE, "trials": 9},
}
TUNED: dict[str, Change] = {
    "tune.parameters": Change({"training.learning_rate": [0.01, 0.02]}, TUNING),
    "tune.metric": Change("rmse", TUNING),
    "tune.trials": Change(2, TUNING),
    "tune.pruner": Change("none", TUNING),
}
GROUPS = {"": CHANGES, " (further)": FURTHER, " (tagging)": TAGGED, " (quantiles)": PROBABLE}


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
            f"{'' if blanks and row % 7 == 3 else wave(row, number)},{row % 5 + number + 1},{number % 3}"
            for number, name in enumerate(ids)
            for row, day in enumerate(days)
        ]

    header = "id,group,day,later,y,x,level"
    _write("waves.csv", header, waves("abcd"))
    _write("more.csv", header, waves("ef"))
    _write("gaps.csv", header, waves("abcd", blanks=True))
    _write("short.csv", header, [*waves("abcd"), *(f"short,s,{day},{day},{day.day},1,1" for day in days.tolist()[:5])])
    ahead = [f"{name},{name},{days[-1] + step},,,{step},1" for name in "abcd" for step in (1, 2, 3)]
    _write("ahead.csv", header, [*waves("abcd"), *ahead])
    _write("wide.csv", "day,y,z", [f"{day},{wave(row, 0)},{wave(row, 5)}" for row, day in enumerate(days)])
    _write(
        "days.csv",
        "id,day,y",
        [f"{name},{row:02d}/01/2020,{wave(row, row)}" for name in "abcdefgh" for row in range(1, 13)],
    )

    _write("windows.csv", header, [line.replace("a,aa", "#,aa") for line in waves("ab")])
    Path("windows.csv").write_bytes(Path("windows.csv").read_bytes().replace(b"#", b"\x80"))
    _write("either.csv", "y;a,y", [f"{wave(row, 1)};{row % 3},{wave(row, 5)}" for row in range(90)])
    _write("commas.csv", "id,day,y", [f'a,{day},"{1 + row % 9},{100 + row}"' for row, day in enumerate(days)])
    _write("ticks.csv", "id,day,y", [f"a,{row},{wave(row, 1)}" for row in range(70)])
    hours = np.datetime64("2020-03-29T01:00") - np.arange(70)[::-1] * np.timedelta64(1, "h")
    _write("hours.csv", "id,day,y", [f"a,{hour},{wave(row, 1)}" for row, hour in enumerate(hours)])

    halves = [f"a,{day},{6 + 12 * half:02}:00,{18 - 12 * half:02}:00" for day in days for half in (0, 1)]
    _write("apart.csv", "id,day,at,late,y", [f"{half},{wave(row, 1)}" for row, half in enumerate(halves)])

    def signs(blanks: bool) -> list[str]:
        return [
            f"s{number},{step},{9 - step},{'plus' if number % 2 else 'minus'},{number % 2},"
            f"{'' if blanks and step % 4 == 1 else f'{random.normal() + number % 2:.3f}'},{random.normal():.3f}"
            for number in range(20)
            for step in range(10 - number % 3)
        ]

    _write("signs.csv", "id,t,backwards,sign,number,a,b", signs(blanks=False))
    _write(
        "long.csv", "id,t,backwards,sign,number,a,b,c", [f'{line},"1,{100 + n}"' for n, line in enumerate(signs(False))]
    )
    _write("dashes.csv", "id,t,backwards,sign,number,a,b", signs(blanks=True))
    tags = [
        f"s{number},{step + step % 3},{number % 2},{(step + number) % 2},{step % 2},{'uvw'[number % 3]},{number % 3},"
        f"{random.normal():.3f},{random.random():.3f}"
        for number in range(20)
        for step in range(20 - number % 3)
    ]
    _write("tags.csv", "id,t,sign,tag,second,group,level,a,b", tags)
    _write("short_tags.csv", "id,t,sign,tag,second,group,level,a,b", [*tags, "short,1,0,1,1,u,1,0.5,0.5"])


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """A working directory with all the data, and the thread count put back at the end."""
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("keys"))
        patch.setenv("OMP_NUM_THREADS", "1")  # or what else runs here would decide how many are used
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
    table = predict(load_model(run, pick_device("cpu")), open_tables(config.data.path, dialect_of(config.data))).table
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
    assert set(CHANGES) | set(TUNED) == set(leaves())
    for others in (FURTHER, TAGGED, PROBABLE):
        assert set(others) <= set(leaves())


def test_the_same_config_leaves_the_same(capsys):
    first = fingerprint(json.dumps(FORECASTING))
    fingerprint.cache_clear()
    assert "refused" not in first
    assert fingerprint(json.dumps(dict(reversed(FORECASTING.items())))) == first  # trained anew


@pytest.mark.parametrize(
    ("key", "change"),
    [
        pytest.param(*change, marks=[needs_compiler] if change[0] == "training.engine" else [])
        for changes in GROUPS.values()
        for change in changes.items()
    ],
    ids=[f"{key}{group}" for group, changes in GROUPS.items() for key in changes],
)
def test_a_key_acts_or_is_refused(key, change, capsys):
    before = fingerprint(json.dumps(_with(change.base, change.beside)))
    after = fingerprint(json.dumps(_with(change.base, change.beside, {key: change.value}, change.together)))
    assert "refused" not in before
    if "refused" in after:
        assert key in REFUSALS
        assert REFUSALS[key] in after["refused"][0]
    assert before != after


def searched(values: dict[str, Any]) -> list[dict[str, str]]:
    """The trials of a search, without what the clock says."""
    folder = Path("searches") / hashlib.sha256(json.dumps(values).encode()).hexdigest()
    silent = Told(lambda row, best, metric: None, lambda text: None, lambda text: None)
    search(Document(values, {}), Asked(folder, overwrite=True), silent)
    with (folder / "trials.csv").open(newline="") as file:
        return [{key: row[key] for key in row if key not in ("seconds", "folder")} for row in csv.DictReader(file)]


@pytest.mark.parametrize("key", TUNED)
def test_a_key_of_the_tune_section_changes_the_search(key):
    change = TUNED[key]
    assert searched(_with(change.base, {key: change.value})) != searched(change.base)


def test_a_run_is_the_same_with_a_search_beside_it(capsys):
    plain = {key: value for key, value in TUNING.items() if key != "tune"}
    assert fingerprint(json.dumps(plain)) == fingerprint(json.dumps(TUNING))


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
