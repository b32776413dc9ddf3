"""Keys: all problems at once and in their place, the key that was meant, overrides, and the config that a run keeps."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnncli.config import defaults, wording
from rnncli.config.document import Document, parse
from rnncli.config.load import apply, check, differences, dump, leaves
from rnncli.config.schema import Config
from rnncli.errors import ConfigError

# PRODUCT.md, section 5
FOREIGN = {
    "units": "model.hidden_size", "hidden_dim": "model.hidden_size", "state_size": "model.hidden_size",
    "n_rnn_layers": "model.num_layers", "encoder_n_layers": "model.num_layers", "activation": "model.nonlinearity",
    "input_chunk_length": "window.context", "seq_len": "window.context", "context_length": "window.context",
    "h": "task.horizon", "pred_len": "task.horizon", "prediction_length": "task.horizon",
    "output_chunk_length": "task.horizon", "unique_id": "data.series", "item_id": "data.series",
    "group_ids": "data.series", "ds": "data.time", "time_idx": "data.time",
}  # fmt: skip

MANY = """\
seed: -1
data: {path: d.csv, tme: t, target: y}
model:
  units: 32
  hidden_size: 0
  cell: lstn
training: {epochs: 1.5, lr: 1, bias: true}
modle: {}
task: {kind: forecasting, horizon: 2}
"""


def test_all_problems_come_at_once_in_the_order_of_the_text(problems):
    found = problems(MANY)
    assert [(problem.place.line, problem.place.column, problem.place.key) for problem in found] == [
        (1, 1, "seed"),
        (2, 21, "data.tme"),
        (4, 3, "model.units"),
        (5, 3, "model.hidden_size"),
        (6, 3, "model.cell"),
        (7, 12, "training.epochs"),
        (7, 25, "training.lr"),
        (7, 32, "training.bias"),
        (8, 1, "modle"),
    ]
    assert {problem.place.file for problem in found} == {"c.yaml"}


def test_every_problem_says_what_and_what_next(problems):
    said = {problem.place.key: str(problem) for problem in problems(MANY)}
    assert said["data.tme"] == "c.yaml:2:21 data.tme: unknown key (did you mean time?)"
    assert said["model.units"] == "c.yaml:4:3 model.units: unknown key (did you mean model.hidden_size?)"
    assert said["model.cell"].endswith("must be rnn, lstm, gru or carry_lstm, not 'lstn' (did you mean lstm?)")
    assert said["training.epochs"].endswith("must be a whole number, not 1.5")
    assert "did you mean training.learning_rate?" in said["training.lr"]
    assert "did you mean model.bias?" in said["training.bias"]
    assert "did you mean model?" in said["modle"]
    assert "0" in said["seed"]


def test_conflicts_are_found_beside_wrong_values(problems, base):
    found = problems(f"{base}model: {{nonlinearity: relu}}\ntraining: {{epochs: 0}}\n")
    assert [problem.place.key for problem in found] == ["model.nonlinearity", "training.epochs"]


@pytest.mark.parametrize(
    ("text", "keys"), [("{}", ["data", "task"]), ("data: {}\ntask: {}\n", ["data.path", "data.target", "task.kind"])]
)
def test_required_keys_are_named_with_their_file(problems, text, keys):
    found = problems(text)
    assert sorted(str(problem.place.key) for problem in found) == sorted(keys)
    assert {problem.message for problem in found} == {"is required"}
    assert {problem.place.file for problem in found} == {"c.yaml"}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("section", ["", "model", "data", "training"])
def test_names_of_other_libraries_are_recognised(problems, base, section, name):
    if section == "data":
        text = base.replace("target: y", f"target: y, {name}: 1")
    else:
        text = base + (f"{section}: {{{name}: 1}}\n" if section else f"{name}: 1\n")
    (found,) = problems(text)
    assert found.message == "unknown key"
    assert found.hint == f"did you mean {FOREIGN[name]}?"


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("hidden_sizes", "model.hidden_size"), ("hiddensize", "model.hidden_size"),
        ("learning_rates", "training.learning_rate"),
        ("batchsize", "training.batch_size"), ("horizn", "task.horizon"), ("bidirectionl", "model.bidirectional"),
    ],
)  # fmt: skip
def test_a_misspelt_key_is_recognised_wherever_it_stands(problems, base, key, meant):
    (found,) = problems(f"{base}{key}: 1\n")
    assert found.hint == f"did you mean {meant}?"


@pytest.mark.parametrize("key", list(leaves()))
def test_a_key_in_the_wrong_section_is_told_its_own(problems, base, key):
    name = key.rpartition(".")[2]
    wrong = "evaluation" if not key.startswith("evaluation") else "model"
    (found,) = problems(f"{base}{wrong}: {{{name}: 1}}\n")
    assert found.hint is not None
    assert name in found.hint


def test_a_word_like_no_key_gets_no_suggestion(problems, base):
    (found,) = problems(f"{base}xyzzy: 1\n")
    assert found.hint == "rnncli schema lists every key"


@pytest.mark.parametrize("value", ["LSTM", "Lstm", "ltsm", "grru"])
def test_a_misspelt_value_is_recognised(problems, base, value):
    (found,) = problems(f"{base}model: {{cell: {value}}}\n")
    assert found.hint == f"did you mean {'gru' if value == 'grru' else 'lstm'}?"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", "-1"), ("seed", 2**63), ("data.season", 0), ("split.validation", 1.0), ("split.test", -0.1),
        ("split.test", -1),
        ("split.test", "true"), ("window.context", 0), ("window.stride", 0), ("task.horizon", 0),
        ("task.horizon", 10**10),
        ("model.hidden_size", 65537), ("model.hidden_size", 10**9), ("model.num_layers", 0), ("model.num_layers", 65),
        ("model.dropout", 1.0), ("model.dropout", 1.5), ("model.dropout", -0.1), ("training.epochs", 0),
        ("training.epochs", 10**23),
        ("training.batch_size", 0), ("training.learning_rate", 0), ("training.learning_rate", -1),
        ("training.learning_rate", 1e7),
        ("training.weight_decay", -1), ("training.momentum", 1.0), ("training.clip_norm", 0), ("training.patience", 0),
        ("training.threads", 0), ("training.device", "gpu"), ("training.device", "cuda:12345"),
        ("training.threads", "many"),
        ("data.path", "''"), ("data.path", "[]"), ("data.path", "['']"), ("data.path", "{a: 1}"),
        ("data.target", "[1]"),
        ("data.time", "''"), ("evaluation.baselines", "[best]"), ("scale.kind", "std"), ("window.normalise", "first"),
    ],
)  # fmt: skip
def test_limits(problems, base, key, value):
    found = problems(base, [f"{key}={value}"])
    assert len(found) == 1
    assert key in str(found[0].place)
    assert len(str(found[0])) < 250


# overrides


def test_overrides_set_keys_and_restore_defaults(read, base):
    text = f"{base}model: {{hidden_size: 8, num_layers: 2, dropout: 0.5}}\nseed: 3\n"
    config = read(
        text, ["model.hidden_size=128", "~model.dropout", "training.learning_rate=1e-3", "~seed", "data.target=[a, b]"]
    )
    assert (config.model.hidden_size, config.model.num_layers, config.model.dropout) == (128, 2, 0.0)
    assert (config.training.learning_rate, config.seed, config.data.target) == (1e-3, 0, ["a", "b"])


def test_a_section_can_be_restored_as_a_whole(read, base):
    config = read(f"{base}model: {{hidden_size: 8, cell: gru}}\n", ["~model"])
    assert (config.model.hidden_size, config.model.cell) == (64, "lstm")


def test_the_last_override_of_a_key_counts(read, base):
    assert read(base, ["seed=1", "seed=2"]).seed == 2
    assert read(base, ["seed=1", "~seed"]).seed == 0


def test_restoring_what_is_not_set_is_no_mistake(read, base):
    assert read(base, ["~model.dropout", "~training"]).model.dropout == 0.0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("data.time_format=%d/%m/%Y", "%d/%m/%Y"), ("data.time_format=%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M"),
        ("data.past=*", "*"),
        ("data.past=*_x", "*_x"), ("data.time=@timestamp", "@timestamp"), ("data.path=-", "-"),
        ("data.target='a: b'", "a: b"), ("data.target=a=b", "a=b"), ("data.target=x*", "x*"),
        ("data.path=a,b.csv", "a,b.csv"),
    ],
)  # fmt: skip
def test_text_needs_no_second_quoting_on_the_command_line(read, base, text, value):
    config = read(base, [text])
    assert getattr(config.data, text.partition("=")[0].removeprefix("data.")) == value


def test_every_wrong_override_is_named(problems, base):
    found = problems(base, ["model.units=3", "training.epochs=0", "split.test=2.5"])
    assert len(found) == 3


# the resolved config


def test_defaults_that_follow_from_other_keys_are_filled_in(read, base):
    config = read(base)
    assert (config.split.by, config.scale.per, config.window.context, config.window.normalise) == (
        "time",
        "series",
        96,
        "last",
    )
    assert (config.training.loss, config.evaluation.baselines) == ("mae", list(defaults.BASELINES_OF["forecasting"]))
    assert (config.model.nonlinearity, config.training.momentum) == (None, None)
    label = read("data: {path: d.csv, series: s, target: y}\ntask: {kind: classification}\n")
    assert (label.split.by, label.scale.per, label.window.context, label.window.normalise) == (
        "series",
        "panel",
        "full",
        "none",
    )
    assert (label.training.loss, label.evaluation.baselines) == (
        "cross_entropy",
        list(defaults.BASELINES_OF["classification"]),
    )
    assert read(base, ["model.cell=rnn"]).model.nonlinearity == "tanh"
    assert read(base, ["training.optimizer=sgd"]).training.momentum == 0.9
    assert read(base, ["scale.kind=none"]).scale.per is None
    assert read(base, ["split.validation=0"]).training.patience is None


def _optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
PARTS = st.integers(0, 100) | st.floats(0, 0.45) | st.sampled_from(["2020-01-01", "17"])
SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "seed": st.integers(0, 2**63 - 1),
    "data.path": WORDS | st.lists(WORDS, min_size=1, max_size=3),
    "data.layout": st.sampled_from(["long", "wide"]),
    "data.time": _optional(WORDS),
    "data.clock": _optional(WORDS),
    "data.time_format": _optional(st.sampled_from(["%d/%m/%Y", "%H:%M"])),
    "data.encoding": st.sampled_from(["utf-8", "latin-1", "UTF-16", "cp1252"]),
    "data.delimiter": _optional(st.sampled_from([";", "\t", "tab", "|", " ", "\\t"])),
    "data.decimal": st.sampled_from([".", ","]),
    "data.thousands": _optional(st.sampled_from([",", ".", " ", "'", "_"])),
    "data.time_unit": _optional(st.sampled_from(["s", "ms", "us", "ns", "min", "h", "D"])),
    "data.time_zone": _optional(st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"])),
    "data.series": _optional(WORDS | st.lists(WORDS, min_size=1, max_size=2)),
    "data.target": WORDS | st.lists(WORDS, min_size=1, max_size=3),
    "data.past": _optional(WORDS),
    "data.future": _optional(WORDS | st.lists(WORDS, min_size=1, max_size=2)),
    "data.static": _optional(WORDS),
    "data.categorical": _optional(WORDS),
    "data.calendar": _optional(st.sampled_from(["hour", ["weekday", "month"]])),
    "data.weight": _optional(WORDS),
    "data.frequency": _optional(st.sampled_from(["15min", "D", "MS"])),
    "data.irregular": _optional(st.sampled_from(["error", "resample", "delta"])),
    "data.short_series": st.sampled_from(["error", "skip"]),
    "data.season": _optional(st.integers(1, 400)),
    "data.missing": st.sampled_from(["error", "mask", "ffill"]),
    "split.by": _optional(st.sampled_from(["time", "series"])),
    "split.validation": PARTS,
    "split.test": PARTS,
    "scale.kind": st.sampled_from(["standard", "robust", "minmax", "none"]),
    "scale.per": _optional(st.sampled_from(["series", "panel"])),
    "window.context": _optional(st.integers(1, 500) | st.sampled_from(["full", "2 seasons"])),
    "window.newest": _optional(st.integers(1, 500)),
    "window.stride": st.integers(1, 5),
    "window.origins": st.sampled_from(["last", "every"]),
    "window.normalise": _optional(st.sampled_from(["none", "last", "mean_std"])),
    "window.level": _optional(st.booleans()),
    "window.transform": st.sampled_from(["none", "log"]),
    "task.horizon": _optional(st.integers(1, 100)),
    "task.quantiles": _optional(st.sampled_from([[0.5], [0.1, 0.5, 0.9]])),
    "model.cell": st.sampled_from(["rnn", "lstm", "gru", "carry_lstm"]),
    "model.hidden_size": st.integers(1, 65536),
    "model.num_layers": st.integers(1, 64),
    "model.nonlinearity": _optional(st.sampled_from(["tanh", "relu"])),
    "model.bias": st.booleans(),
    "model.bidirectional": st.booleans(),
    "model.dropout": st.floats(0, 0.99),
    "model.readout": st.sampled_from(["last", "mean", "max", "mean_max", "attention"]),
    "model.recurrent_dropout": st.floats(0, 0.99),
    "model.front_end": st.sampled_from(["none", "conv"]),
    "model.segment": _optional(st.integers(1, 50) | st.just("season")),
    "model.decoder": st.sampled_from(["direct", "parallel"]),
    "model.skip": st.sampled_from(["none", "linear", "seasonal"]),
    "model.input_dropout": st.floats(0, 0.99),
    "model.output_dropout": st.floats(0, 0.99),
    "training.seeds": st.integers(1, 100),
    "training.average": st.sampled_from(["none", "ema"]),
    "training.label_smoothing": _optional(st.floats(0, 0.99)),
    "training.input_noise": st.floats(0, 10),
    "training.epochs": st.integers(1, 10**9),
    "training.steps_per_epoch": _optional(st.integers(1, 10**6)),
    "training.batch_size": st.integers(1, 10**6),
    "training.learning_rate": st.floats(1e-9, 1e6),
    "training.optimizer": st.sampled_from(["adamw", "adam", "sgd"]),
    "training.weight_decay": st.floats(0, 1000),
    "training.momentum": _optional(st.floats(0, 0.99)),
    "training.schedule": st.sampled_from(["constant", "onecycle", "cosine", "plateau"]),
    "training.clip_norm": _optional(st.floats(1e-6, 1e9)),
    "training.loss": _optional(st.sampled_from(["mae", "mse", "huber", "quantile"])),
    "training.patience": _optional(st.integers(1, 100)),
    "training.precision": st.sampled_from(["fp32", "bf16"]),
    "training.device": st.sampled_from(["auto", "cpu", "cuda", "cuda:1"]),
    "training.threads": st.just("auto") | st.integers(1, 1024),
    "training.engine": st.sampled_from(["auto", "native", "torch"]),
    "tune.parameters": _optional(
        st.sampled_from(
            [{"training.batch_size": {"low": 8, "high": 64, "log": True}}, {"data.past": [["a"], "b", None]}]
        )
    ),
    "tune.metric": _optional(st.sampled_from(["mae", "pinball"])),
    "tune.trials": st.integers(1, 100),
    "tune.pruner": _optional(st.sampled_from(["median", "none"])),
    "evaluation.baselines": _optional(st.lists(st.sampled_from(defaults.BASELINES_OF["forecasting"]), unique=True)),
}


def test_every_key_is_drawn():
    assert set(SETTINGS) | {"task.kind"} == set(leaves())


@st.composite
def valid_configs(draw: st.DrawFn) -> Config:
    """A config with some keys set; a key that a rule refuses is taken back."""
    required = {"data.path", "data.target"}
    keys = draw(st.sets(st.sampled_from(sorted(set(SETTINGS) - required)), max_size=12)) | required
    values: dict[str, Any] = {"task": {"kind": "forecasting", "horizon": draw(st.integers(1, 100))}}
    for key in sorted(keys):
        section, _, name = key.rpartition(".")
        target = values.setdefault(section, {}) if section else values
        target[name] = draw(SETTINGS[key])
    values["task"]["horizon"] = values["task"].get("horizon") or 3
    for _ in range(len(keys) + 3):
        try:
            return check(Document(values, {}))
        except ConfigError as error:
            for problem in error.problems:
                section, _, name = str(problem.place.key).rpartition(".")
                if "is data." in problem.message and name == "target":  # the other column goes, this one is required
                    values["data"] = {key: values["data"][key] for key in ("path", "target")}
                elif "is required" in problem.message:
                    values[section][name] = draw(WORDS)
                else:
                    values[section].pop(name, None)
    raise AssertionError(f"no way out of {values}")


@pytest.mark.parametrize(
    "name",
    [
        "\x85", "\u2028", "\u2029", "\x7f", "\x1b[2J", "\u202e", "\ufeff", "a\nb", "a\tb", "\r", "é", "\U0001f600",
        " a ", "a: b",
        "a #b", "- a", "#", "'", '"', "''", "null", "~", "true", "no", "yes", "1", "012", "0x1f", "1_000", "12:30",
        "2020-01-01",
        "1e5", "1e-3", "1E5", "-1e5", "3e4", "1.5e3", ".5", "5.", ".inf", ".nan", "{}", "[]", "*", "&a", "!x", "%", "@",
        "`", "|", ">",
        "?", ":", "---", "...", "=", "<<", "x" * 300, "a b " * 60,
    ],
    ids=ascii,
)  # fmt: skip
def test_any_name_survives_the_file_of_a_run(name):
    config = Config.model_validate(
        {"data": {"path": [name, "b"], "target": name}, "task": {"kind": "forecasting", "horizon": 1}}
    )
    assert check(parse(dump(defaults.resolve(config)), "config.yaml")).data == config.data


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(valid_configs())
def test_a_dumped_config_is_read_back_equal(config):
    text = dump(config)
    again = check(parse(text, "config.yaml"))
    assert again == config
    assert dump(again) == text


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(valid_configs(), valid_configs())
def test_differences_name_exactly_the_keys_that_differ(one, other):
    found = differences(one, other)
    assert (found == {}) == (one == other)
    for key, (before, after) in found.items():
        assert before != after
        section, _, name = key.rpartition(".")
        assert getattr(getattr(one, section) if section else one, name) == before


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(valid_configs(), st.sampled_from(sorted(leaves())))
def test_an_override_of_a_key_with_its_own_value_changes_nothing(config, key):
    section, _, name = key.rpartition(".")
    value = getattr(getattr(config, section) if section else config, name)
    document = parse(dump(config), "config.yaml")
    assert check(apply(document, [f"{key}={_quoted(value)}"])) == config


def _quoted(value: Any) -> str:
    """A value as YAML: JSON, whose pairs of surrogates are one escape in YAML."""
    pair = r"\\u(d[89ab]..)\\u(d[c-f]..)"
    return re.sub(pair, lambda match: f"\\U{ord(_joined(match[1], match[2])):08x}", _json(value))


def _json(value: Any) -> str:
    return json.dumps(value, default=lambda part: part.model_dump())


def _joined(high: str, low: str) -> str:
    return bytes.fromhex(high + low).decode("utf-16-be")


def test_every_pattern_is_told_in_words(problems, base):
    sections = Config.model_json_schema()["$defs"]
    keys = {
        name
        for section in sections.values()
        for name, property_ in section.get("properties", {}).items()
        if "pattern" in json.dumps(property_)
    }
    assert keys == set(wording._FORMS)
    (found,) = problems(f"{base}training: {{device: gpu}}\n")
    assert found.message == "must be auto, cpu, cuda or cuda:N, not 'gpu'"
