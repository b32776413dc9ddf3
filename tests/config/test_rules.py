"""The rules between keys: each of them fires, says why, and spares what is allowed."""

from __future__ import annotations

import ast
import inspect
import sys
from typing import Any

import pytest

from rnncli.config import data_rules, rules, tune_rules
from rnncli.config.document import Document
from rnncli.config.load import check
from rnncli.errors import ConfigError

FORECASTING = {"data.path": "d.csv", "data.target": "y", "task.kind": "forecasting", "task.horizon": 2}
CLASSIFICATION = {"data.path": "d.csv", "data.target": "y", "data.series": "s", "task.kind": "classification"}
TAGGING = {"data.path": "d.csv", "data.target": "y", "task.kind": "tagging"}


def searched(key: str, space: Any) -> dict[str, Any]:
    """A search over one key."""
    return {"tune.parameters": {key: space}}


# base, what is set, the key that is refused, a word of the reason, and a change that makes it good
CASES: list[tuple[dict[str, Any], dict[str, Any], str, str, dict[str, Any]]] = [
    (FORECASTING, {"model.nonlinearity": "relu"}, "model.nonlinearity", "no effect on lstm", {"model.cell": "rnn"}),
    (FORECASTING, {"model.nonlinearity": "tanh", "model.cell": "gru"}, "model.nonlinearity", "gru",
        {"model.cell": "carry_lstm"}),
    (FORECASTING, {"model.dropout": 0.1}, "model.dropout", "one layer", {"model.num_layers": 2}),
    (FORECASTING, {"model.hidden_size": 60000, "model.num_layers": 64}, "model.hidden_size", "29,261 GB",
        {"model.num_layers": 1}),
    (FORECASTING, {"task.horizon": None}, "task.horizon", "required", {"task.horizon": 1}),
    (CLASSIFICATION, {"task.horizon": 2}, "task.horizon", "no effect", {"task.horizon": None}),
    (CLASSIFICATION, {"data.target": ["y", "z"]}, "data.target", "one column", {"data.target": ["y"]}),
    (CLASSIFICATION, {"window.normalise": "last"}, "window.normalise", "forecasts", {"window.normalise": "none"}),
    (FORECASTING, {"window.level": True, "window.normalise": "none"}, "window.level", "no level",
        {"window.normalise": "mean_std"}),
    (CLASSIFICATION, {"window.level": False}, "window.level", "no level", {"window.level": None}),
    (CLASSIFICATION, {"window.origins": "every"}, "window.origins", "forecasts", {"window.origins": "last"}),
    (FORECASTING, {"window.origins": "every", "window.normalise": "mean_std"}, "window.normalise", "as a whole",
        {"window.normalise": "last"}),
    (FORECASTING, {"window.origins": "every", "window.level": False}, "window.level", "no effect",
        {"window.origins": "last"}),
    (FORECASTING, {"window.origins": "every", "window.stride": 2, "window.context": "full"}, "window.stride", "full",
        {"window.context": 5}),
    (FORECASTING, {"window.origins": "every", "model.bidirectional": True}, "model.bidirectional", "as a whole",
        {"model.bidirectional": False}),
    (CLASSIFICATION, {"window.transform": "log"}, "window.transform", "forecasts", {"window.transform": "none"}),
    (CLASSIFICATION, {"window.stride": 2}, "window.stride", "full", {"window.context": 5}),
    (CLASSIFICATION, {"window.stride": 2, "window.context": "full"}, "window.stride", "full", {"window.stride": 1}),
    (CLASSIFICATION, {"data.season": 7}, "data.season", "no effect", {"data.season": None}),
    (FORECASTING, {"data.time_format": "%d"}, "data.time_format", "data.time", {"data.time": "t"}),
    (FORECASTING, {"data.clock": "at"}, "data.clock", "data.time", {"data.time": "t"}),
    (FORECASTING, {"data.time": "t", "data.clock": "t"}, "data.clock", "data.time itself", {"data.clock": "at"}),
    (FORECASTING, {"data.time": "t", "data.clock": "at", "data.time_unit": "s"}, "data.time_unit", "data.clock",
        {"data.time_unit": None}),
    (FORECASTING, {"data.time_unit": "s"}, "data.time_unit", "data.time", {"data.time": "t"}),
    (FORECASTING, {"data.time_zone": "UTC"}, "data.time_zone", "data.time", {"data.time": "t"}),
    (FORECASTING, {"data.time": "t", "data.time_unit": "s", "data.time_format": "%d"}, "data.time_unit", "time_format",
        {"data.time_format": None}),
    (FORECASTING, {"data.time": "t", "data.time_zone": "europe/berln"}, "data.time_zone", "did you mean Europe/Berlin",
        {"data.time_zone": "Europe/Berlin"}),
    (FORECASTING, {"data.time": "t", "data.time_zone": "../etc"}, "data.time_zone", "no time zone",
        {"data.time_zone": None}),
    (FORECASTING, {"data.encoding": "utf8000"}, "data.encoding", "no text encoding", {"data.encoding": "Latin-1"}),
    (FORECASTING, {"data.encoding": "hex"}, "data.encoding", "no text encoding", {"data.encoding": "utf_16_le"}),
    (FORECASTING, {"data.encoding": "latin-1", "data.path": "d.parquet"}, "data.encoding", "no effect",
        {"data.path": "d.csv"}),
    (FORECASTING, {"data.delimiter": ";", "data.path": ["d.parquet", "*.parquet"]}, "data.delimiter", "no effect",
        {"data.path": ["d.parquet", "d.csv"]}),
    (FORECASTING, {"data.delimiter": ",", "data.decimal": ","}, "data.delimiter", "data.decimal too",
        {"data.delimiter": ";"}),
    (FORECASTING, {"data.thousands": "."}, "data.thousands", "data.decimal: ','", {"data.decimal": ","}),
    (FORECASTING, {"data.thousands": ",", "data.decimal": ","}, "data.thousands", "data.decimal: '.'",
        {"data.decimal": "."}),
    (CLASSIFICATION, {"data.layout": "wide", "data.series": None}, "data.layout", "forecasting",
        {"data.layout": "long", "data.series": "s"}),
    (FORECASTING, {"data.layout": "wide", "data.series": "s"}, "data.series", "wide", {"data.series": None}),
    (FORECASTING, {"data.time": "step"}, "data.time", "predict adds", {"data.time": "t"}),
    (CLASSIFICATION, {"data.series": ["s", "prediction"]}, "data.series", "predict adds", {"data.series": "s"}),
    (FORECASTING, {"scale.kind": "none", "scale.per": "panel"}, "scale.per", "no effect", {"scale.per": None}),
    (CLASSIFICATION, {"data.series": None}, "data.series", "whole series", {"data.series": "s"}),
    (FORECASTING, {"split.by": "series"}, "data.series", "whole series", {"data.series": "s"}),
    (CLASSIFICATION, {"split.by": "time"}, "split.by", "whole series", {"split.by": "series"}),
    (FORECASTING, {"split.by": "series", "data.series": "s", "scale.per": "series"}, "scale.per", "no training rows",
        {"scale.per": "panel"}),
    (CLASSIFICATION, {"scale.per": "series"}, "scale.per", "no training rows", {"scale.per": "panel"}),
    (CLASSIFICATION, {"split.test": "2020-01-01", "data.time": "t"}, "split.test", "split.by: time", {"split.test": 3}),
    (CLASSIFICATION, {"split.validation": "2020-01-01", "data.time": "t"}, "split.validation", "split.by: time",
        {"split.validation": 0.2}),
    (FORECASTING, {"split.test": "2020-01-01"}, "split.test", "data.time", {"data.time": "t"}),
    (TAGGING, {"data.target": ["y", "z"], "training.loss": "cross_entropy"}, "data.target", "one column",
        {"training.loss": "binary_cross_entropy"}),
    (TAGGING, {"task.horizon": 2}, "task.horizon", "no effect on tagging", {"task.horizon": None}),
    (TAGGING, {"task.quantiles": [0.5]}, "task.quantiles", "no effect on tagging", {"task.quantiles": None}),
    (TAGGING, {"window.stride": 2, "window.context": "full"}, "window.stride", "full", {"window.context": 5}),
    (TAGGING, {"window.normalise": "last"}, "window.normalise", "forecasts", {"window.normalise": "none"}),
    (TAGGING, {"model.readout": "mean"}, "model.readout", "every step", {"model.readout": "last"}),
    (TAGGING, {"data.time": "t", "data.irregular": "resample"}, "data.irregular", "every row",
        {"data.irregular": "delta"}),
    (TAGGING, {"data.time": "t", "data.frequency": "D"}, "data.frequency", "no effect on tagging",
        {"data.irregular": "error"}),
    (TAGGING, {"training.loss": "quantile"}, "training.loss", "not for tagging", {"training.loss": "huber"}),
    (FORECASTING, {"task.quantiles": [0.1, 0.5]}, "task.quantiles", "training.loss: quantile",
        {"training.loss": "quantile"}),
    (FORECASTING, {"task.quantiles": [0.5, 0.1], "training.loss": "quantile"}, "task.quantiles", "rise",
        {"task.quantiles": [0.1, 0.5]}),
    (FORECASTING, {"task.quantiles": [0.5, 0.5], "training.loss": "quantile"}, "task.quantiles", "rise",
        {"task.quantiles": [0.5]}),
    (FORECASTING, {"task.quantiles": [0.1, 0.9], "training.loss": "quantile"}, "task.quantiles", "point",
        {"task.quantiles": [0.1, 0.5, 0.9]}),
    (FORECASTING, {"data.calendar": "month"}, "data.calendar", "data.time", {"data.time": "t"}),
    (FORECASTING, {"data.frequency": "D"}, "data.frequency", "data.time", {"data.time": "t"}),
    (FORECASTING, {"data.irregular": "resample"}, "data.irregular", "data.time", {"data.time": "t"}),
    (FORECASTING, {"data.layout": "wide", "data.static": "k"}, "data.static", "wide", {"data.static": None}),
    (FORECASTING, {"data.categorical": "k"}, "data.categorical", "no effect", {"data.static": "k"}),
    (CLASSIFICATION, {"data.future": "x"}, "data.future", "forecasts", {"data.future": None, "data.past": "x"}),
    (CLASSIFICATION, {"data.time": "t", "data.frequency": "D"}, "data.frequency", "no effect",
        {"data.irregular": "resample"}),
    (CLASSIFICATION, {"data.short_series": "skip"}, "data.short_series", "a single row",
        {"data.short_series": "error"}),
    (FORECASTING, {"split.validation": "2020-01-01"}, "split.validation", "data.time", {"data.time": "t"}),
    (FORECASTING, {"split.test": ".nan", "data.time": "t"}, "split.test", "a time", {"split.test": "2020"}),
    (FORECASTING, {"training.momentum": 0.5}, "training.momentum", "no effect on adamw", {"training.optimizer": "sgd"}),
    (FORECASTING, {"training.momentum": 0.0, "training.optimizer": "adam"}, "training.momentum", "adam",
        {"training.momentum": None}),
    (FORECASTING, {"training.loss": "cross_entropy"}, "training.loss", "not for forecasting",
        {"training.loss": "huber"}),
    (CLASSIFICATION, {"training.loss": "mae"}, "training.loss", "not for classification",
        {"training.loss": "cross_entropy"}),
    (FORECASTING, {"evaluation.baselines": ["majority"]}, "evaluation.baselines", "not for forecasting",
        {"evaluation.baselines": []}),
    (CLASSIFICATION, {"evaluation.baselines": ["naive"]}, "evaluation.baselines", "not for classification",
        {"evaluation.baselines": ["majority"]}),
    (FORECASTING, {"split.validation": 0, "training.patience": 3}, "training.patience", "no effect",
        {"split.validation": 0.1}),
    (FORECASTING, {"split.validation": 0, "training.schedule": "plateau"}, "training.schedule", "validation",
        {"split.validation": 5}),
    (FORECASTING, {"training.patience": None, "training.schedule": "plateau"}, "training.schedule", "patience",
        {"training.patience": 2}),
    (FORECASTING, {"training.engine": "native", "training.precision": "bf16"}, "training.engine", "fp32",
        {"training.precision": "fp32"}),
    (FORECASTING, {"training.engine": "native", "training.device": "cuda:1"}, "training.engine", "CPU",
        {"training.engine": "auto"}),
    (TAGGING, {"model.segment": 4}, "model.segment", "every step", {"model.segment": None}),
    (FORECASTING, {"model.segment": 9, "window.context": 8}, "model.segment", "longer than the 8 rows",
        {"window.context": 9}),
    (CLASSIFICATION, {"model.segment": "season"}, "model.segment", "no season", {"model.segment": 4}),
    (CLASSIFICATION, {"window.context": "2 seasons"}, "window.context", "no season", {"window.context": 4}),
    (CLASSIFICATION, {"model.decoder": "parallel"}, "model.decoder", "forecasts", {"model.decoder": "direct"}),
    (TAGGING, {"model.skip": "linear"}, "model.skip", "forecasts", {"model.skip": "none"}),
    (FORECASTING, {"model.skip": "linear", "window.context": "full"}, "model.skip", "one length",
        {"window.context": "2 seasons"}),
    (FORECASTING, {"model.decoder": "parallel"}, "model.decoder", "segment", {"model.segment": "season"}),
    (FORECASTING, {"model.decoder": "parallel", "model.segment": 4, "model.bidirectional": True},
        "model.bidirectional", "newest state", {"model.bidirectional": False}),
    (FORECASTING, {"model.decoder": "parallel", "model.segment": 4, "model.readout": "mean"}, "model.readout",
        "no effect", {"model.readout": "last"}),
    (FORECASTING, {"training.label_smoothing": 0.1}, "training.label_smoothing", "labels",
        {"training.label_smoothing": None}),
    (TAGGING, {"training.label_smoothing": 0.1, "training.loss": "mse"}, "training.label_smoothing", "labels",
        {"training.loss": "cross_entropy"}),
    (CLASSIFICATION, {"window.newest": 3}, "window.newest", "no effect", {"window.newest": None}),
    (FORECASTING, {"tune.metric": "f1"}, "tune.metric", "not for forecasting", {"tune.metric": "rmse"}),
    (FORECASTING, {"tune.pruner": "median", **searched("scale.kind", ["robust"])}, "tune.pruner", "scale.kind",
        {"tune.pruner": "none"}),
    (FORECASTING, searched("model.units", [1]), "tune.parameters.model.units", "did you mean model.hidden_size",
        searched("model.hidden_size", [1])),
    (FORECASTING, searched("hidden_size", [1]), "tune.parameters.hidden_size", "model.hidden_size",
        searched("model.bias", [True])),
    (FORECASTING, searched("model.cell.lstm", [1]), "tune.parameters.model.cell.lstm", "model.cell",
        searched("model.cell", ["lstm"])),
    (FORECASTING, searched("training.threads", [1, 2]), "tune.parameters.training.threads", "computed",
        searched("training.seeds", [1, 2])),
    (FORECASTING, searched("seed", [1, 2]), "tune.parameters.seed", "compared",
        searched("data.past", ["a", ["b", "c"]])),
    (FORECASTING, searched("tune.trials", [1, 2]), "tune.parameters.tune.trials", "compared",
        searched("data.calendar", [None])),
    (FORECASTING, searched("split.test", [0.1]), "tune.parameters.split.test", "compared",
        searched("scale.kind", ["none"])),
    (FORECASTING, searched("model.hidden_size", [8, 8]), "tune.parameters.model.hidden_size", "twice",
        searched("model.hidden_size", [8, 16])),
    (FORECASTING, searched("model.cell", ["gur"]), "tune.parameters.model.cell", "did you mean gru",
        searched("model.cell", ["gru"])),
    (FORECASTING, searched("model.num_layers", {"low": 2, "high": 2}), "tune.parameters.model.num_layers", "below high",
        searched("model.num_layers", {"low": 1, "high": 2})),
    (FORECASTING, searched("model.num_layers", {"low": 0, "high": 2}), "tune.parameters.model.num_layers", "1, not 0",
        searched("model.num_layers", {"low": 1, "high": 2})),
    (FORECASTING, searched("model.cell", {"low": 0, "high": 2}), "tune.parameters.model.cell", "not 0",
        searched("model.cell", ["rnn"])),
    (FORECASTING, searched("training.weight_decay", {"low": 0, "high": 1, "log": True}),
        "tune.parameters.training.weight_decay", "above 0", searched("training.weight_decay", {"low": 0, "high": 1})),
    (FORECASTING, searched("training.weight_decay", {"low": 0.1, "high": 1, "log": True, "step": 0.1}),
        "tune.parameters.training.weight_decay", "beside log",
        searched("training.weight_decay", {"low": 0.1, "high": 1, "step": 0.1})),
    (FORECASTING, searched("model.num_layers", {"low": 1, "high": 4, "step": 0}), "tune.parameters.model.num_layers",
        "above 0 and at most 3", searched("model.num_layers", {"low": 1, "high": 4, "step": 3})),
    (FORECASTING, searched("model.num_layers", {"low": 1, "high": 4, "step": 1.5}), "tune.parameters.model.num_layers",
        "whole", searched("model.num_layers", {"low": 1, "high": 4, "step": 1})),
]  # fmt: skip
IDS = [f"{case[0]['task.kind']} " + " ".join(f"{key}={value}" for key, value in case[1].items()) for case in CASES]

# keys that say the same of a column twice, or call it what it cannot be: known before any data is read
WITH_COLUMNS = {**FORECASTING, "data.time": "t", "data.series": "s"}
COLUMNS_TWICE: list[dict[str, Any]] = [
    {"data.past": "y"}, {"data.past": ["x", "y"]}, {"data.past": "t"}, {"data.past": ["x", "s"]}, {"data.target": "t"},
    {"data.target": "s"},
    {"data.target": ["y", "s"]}, {"data.series": "t"}, {"data.future": "y"}, {"data.future": "x", "data.past": "x"},
    {"data.static": "s"}, {"data.static": ["k", "x"], "data.past": "x"}, {"data.static": "x", "data.future": "x"},
    {"data.weight": "y"}, {"data.weight": "x", "data.past": "x"},
]  # fmt: skip


def _document(*parts: dict[str, Any]) -> Document:
    values: dict[str, Any] = {}
    for key, value in {key: value for part in parts for key, value in part.items()}.items():
        section, _, name = key.rpartition(".")
        (values.setdefault(section, {}) if section else values)[name] = value
    return Document(values, {})


def _refused(*parts: dict[str, Any]) -> dict[str | None, str]:
    with pytest.raises(ConfigError) as caught:
        check(_document(*parts))
    return {problem.place.key: f"{problem.message} {problem.hint or ''}" for problem in caught.value.problems}


@pytest.mark.parametrize(("base", "values", "key", "reason", "cure"), CASES, ids=IDS)
def test_a_rule_refuses_the_key_and_says_why(base, values, key, reason, cure):
    found = _refused(base, values)
    assert key in found
    assert reason in found[key]
    check(_document(base, values, cure))


@pytest.mark.parametrize(
    "rules", [rules, data_rules, tune_rules], ids=lambda module: module.__name__.rpartition(".")[2]
)
def test_every_rule_is_in_the_table(rules, monkeypatch):
    source, first = inspect.getsourcelines(rules)
    tree = ast.parse("".join(source))
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Conflict"
    ]
    spans = {(node.lineno, node.end_lineno) for node in calls}
    fired: set[int] = set()
    kind = rules.Conflict

    def record(*arguments: Any) -> Any:
        fired.add(sys._getframe(1).f_lineno)
        return kind(*arguments)

    monkeypatch.setattr(rules, "Conflict", record)
    for base, values, *_ in CASES:
        _refused(base, values)
    for values in COLUMNS_TWICE:
        _refused(WITH_COLUMNS, values)
    assert first in (0, 1)
    assert [span for span in sorted(spans) if not any(span[0] <= line <= span[1] for line in fired)] == []


@pytest.mark.parametrize("base", [FORECASTING, CLASSIFICATION, TAGGING], ids=lambda base: base["task.kind"])
def test_rules_spare_the_smallest_config(base):
    assert check(_document(base)).task.kind == base["task.kind"]


def test_a_refused_key_has_its_place(problems, base):
    (found,) = problems(f"{base}model:\n  cell: lstm\n  nonlinearity: relu\n")
    assert str(found.place) == "c.yaml:5:3 model.nonlinearity"


def test_a_key_that_is_missing_has_the_place_of_its_section(problems):
    (found,) = problems("data: {path: d.csv, target: y}\ntask:\n  kind: forecasting\n")
    assert (found.place.line, found.place.key) == (2, "task.horizon")


def test_several_rules_speak_at_once(problems, base):
    found = problems(
        f"{base}model: {{nonlinearity: relu, dropout: 0.5}}\ntraining: {{momentum: 0.5, loss: cross_entropy}}\n"
    )
    assert [problem.place.key for problem in found] == [
        "model.nonlinearity",
        "model.dropout",
        "training.momentum",
        "training.loss",
    ]


@pytest.mark.parametrize("values", COLUMNS_TWICE, ids=str)
def test_a_column_has_one_part(values):
    found = _refused(WITH_COLUMNS, values)
    assert set(found) & {f"data.{part}" for part in ("past", "future", "static", "weight", "target", "series", "time")}
