"""Configs and overrides that nobody should write: each is refused where it stands, or means what YAML 1.2 says."""

from __future__ import annotations

import errno
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bad_input import check_text
from command_line import environment, shell

from rnncli.config.document import parse_value

BASE = """\
data: {path: d.csv, time: t, target: y}
task: {kind: forecasting, horizon: 2}
window: {context: 6}
"""
TASK = "task: {kind: forecasting, horizon: 2}\n"
SMALL = "model: {hidden_size: 2}\ntraining: {epochs: 1}\n"
SECTIONS = ("data", "split", "scale", "window", "task", "model", "training", "evaluation")
DEEP = 100_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with data."""
    rows = [f"{row},{row % 7 + row / 50}" for row in range(80)]
    (tmp_path / "d.csv").write_text("\n".join(["t,y", *rows]) + "\n")
    return tmp_path


def write(folder: Path, text: str | bytes) -> None:
    """Put a config into the folder."""
    (folder / "c.yaml").write_bytes(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)


def bomb(anchors: int = 10) -> str:
    """Nine times nine times nine …"""
    names = "abcdefghijklmnopqrstuvwxyz"[:anchors]
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for before, name in itertools.pairwise(names):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    return "\n".join(lines)


# text, line and column of the first problem, words of its message
BROKEN: dict[str, tuple[str | bytes, tuple[int | None, int | None], str]] = {
    "empty": ("", (1, 1), "is empty"),
    "spaces": ("   \n  \n", (1, 1), "is empty"),
    "comment": ("# nothing\n", (1, 1), "is empty"),
    "null": ("null\n", (1, 1), "is empty"),
    "only a mark": ("---\n", (1, 1), "is empty"),
    "list root": ("- a\n- b\n", (1, 1), "must be a mapping"),
    "scalar root": ("lstm\n", (1, 1), "must be a mapping"),
    "number root": ("5\n", (1, 1), "must be a mapping"),
    "two documents": ("seed: 1\n---\nseed: 2\n", (2, 1), "second document"),
    "an empty second document": ("seed: 1\n---\n", (2, 1), "second document"),
    "text after the end": (f"{BASE}...\nmore\n", (5, 1), "not YAML"),
    "a: b: c": ("a: b: c\n", (1, 5), "mapping values"),
    "misindented": ("data:\n  path: d.csv\n   time: t\n", (3, 8), "mapping values"),
    "unclosed [": ("data: [a\n", (2, 1), "expected"),
    "unclosed {": ("data: {a: 1\n", (2, 1), "expected"),
    "unclosed '": ("data: 'a\n", (2, 1), "end of stream"),
    'unclosed "': ('data: "a\n', (2, 1), "end of stream"),
    "tab as indentation": ("data:\n\tpath: a\n", (2, 1), "'\\t'"),
    "tab between": ("data: {path: d.csv,\ttarget: y}\n", (1, 20), "'\\t'"),
    "undefined alias": ("data: *x\n", (1, 7), "aliases"),
    "anchor": ("data: &x {path: a}\n", (1, 7), "anchors"),
    "recursive": ("data: &a [*a]\n", (1, 7), "anchors"),
    "recursive root": ("&a [*a]\n", (1, 1), "anchors"),
    "alias bomb 9x10": (bomb(), (1, 4), "anchors"),
    "merge of an anchor": ("a: &a {epochs: 2}\ntraining:\n  <<: *a\n", (1, 4), "anchors"),
    "merge key": (f"{BASE}training:\n  <<: {{epochs: 2}}\n", (5, 3), "unknown key"),
    "!!binary": ("seed: !!binary aGk=\n", (1, 7), "tags"),
    "!!set": ("seed: !!set {a}\n", (1, 7), "tags"),
    "!!str": ("seed: !!str 5\n", (1, 7), "tags"),
    "!foo": ("seed: !foo 1\n", (1, 7), "tags"),
    "!!python": ("seed: !!python/object/apply:os.getpid []\n", (1, 7), "tags"),
    "a tag of ours": ("%TAG ! tag:x,2000:\n---\nseed: !foo 1\n", (3, 7), "tags"),
    "YAML of another age": ("%YAML 2.0\n---\nseed: 1\n", (1, 1), "version 1"),
    "list as key": ("? [a]\n: 2\n", (1, 3), "key must be a word"),
    "mapping as key": ("? {a: b}\n: 2\n", (1, 3), "key must be a word"),
    "key twice": ("seed: 1\nseed: 2\n", (2, 1), "seed is given twice"),
    "nested key twice": ("model: {cell: rnn, bias: true, cell: gru}\n", (1, 32), "cell is given twice"),
    "ESC": ("seed: 1\nmodel: \x1b[2J\n", (2, None), "control character"),
    "NUL": ("seed: 1\nmodel: \0\n", (2, None), "control character"),
    "DEL": ("seed: 1\x7f\n", (1, None), "control character"),
    "a byte order mark inside": ("seed: 1\nmodel: \ufffe\n", (2, None), "control character"),
    "nesting 100,000 [": ("a: " + "[" * DEEP + "]" * DEEP, (1, 24), "nested"),
    "nesting 50,000 {": ("a: " + "{a: " * 50_000, (1, 81), "nested"),
    "nesting 100,000 -": ("a:\n  " + "- " * DEEP, (2, 43), "nested"),
    "nesting 300 blocks": ("\n".join(" " * depth + "a:" for depth in range(300)), (21, 21), "nested"),
    "2 MB": ("#" + "x" * 2_000_000, (None, None), "larger than"),
    "10,000 values": ("a: [" + "x," * 10_000 + "]", (1, 9997), "more than 5,000 values"),
    "UTF-16": ("seed: 1\n".encode("utf-16"), (None, None), "UTF-8"),
    "UTF-16 without a mark": ("seed: 1\n".encode("utf-16-le"), (1, None), "control character"),
    "UTF-32": ("seed: 1\n".encode("utf-32"), (None, None), "UTF-8"),
    "Latin-1": ("data: {path: é}\n".encode("latin-1"), (None, None), "UTF-8 at byte 13"),
    "overlong UTF-8": (b"seed: \xc0\xb1\n", (None, None), "UTF-8 at byte 6"),
    "a surrogate": ("seed: \ud800\n", (None, None), "UTF-8 at byte 6"),
    "a key of 5,000 letters": (f"{BASE}{'x' * 5000}: 1\n", (4, 5001), "':'"),
    "a CSV": ("t,y\n1,2\n", (1, 1), "must be a mapping"),
    "a Python file": ("import os\nprint(1)\n", (1, 1), "must be a mapping"),
    "an INI file": ("[data]\npath = d.csv\n", (2, 1), "not YAML"),
    "an HTML page": ("<!doctype html>\n<p>404</p>\n", (1, 1), "must be a mapping"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_not_one_plain_mapping_is_refused_where_it_stands(folder, refuse, case):
    text, (line, column), words = BROKEN[case]
    write(folder, text)
    error = refuse("train", "c.yaml", code=2, words=words)
    first = next(item for item in error.get("problems", [error]) if item["message"] != "is required")
    assert (first["file"], first["line"], first["column"]) == ("c.yaml", line, column)
    assert words in first["message"]


# what stands below BASE, the key that is refused, words of the message and the hint
WRONG: dict[str, tuple[str, str, str]] = {
    "unknown key": ("model: {hidden_sise: 3}", "model.hidden_sise", "did you mean hidden_size?"),
    "a key of another library": ("model: {units: 3}", "model.units", "did you mean model.hidden_size?"),
    "a key like no other": ("xyzzy: 3", "xyzzy", "rnncli schema"),
    "a key in capitals": ("MODEL: {cell: gru}", "MODEL", "did you mean model?"),
    "a key with a space behind it": ('model: {"cell ": gru}', "model.cell ", "did you mean model.cell?"),
    "a key with an accent": ("modèl: {cell: gru}", "modèl", "did you mean model?"),
    "a key in another script": ("μοντέλο: {cell: gru}", "μοντέλο", "unknown key"),
    "a key with a bidi override": ("mod\u202eel: {cell: gru}", "mod\u202eel", "did you mean model?"),
    "a key with an escape": ('"\\e[2J": 1', "\x1b[2J", "unknown key"),
    "a key with a line end": ('"a\\nb": 1', "a\nb", "unknown key"),
    "a key of 1,000 letters": (f"{'x' * 1000}: 1", "x" * 1000, "unknown key"),
    "a number as key": ("1: 1", "1", "unknown key"),
    "null as key": ("null: 1", "null", "unknown key"),
    "a section null": ("model: null", "model", "must be a mapping, not null"),
    "a section empty": ("model:", "model", "must be a mapping, not null"),
    "a section a list": ("model: [lstm]", "model", "must be a mapping, not ['lstm']"),
    "a section a word": ("model: lstm", "model", "must be a mapping, not 'lstm'"),
    "a section a number": ("model: 3", "model", "must be a mapping, not 3"),
    "a section true": ("model: true", "model", "must be a mapping, not true"),
    "dropout 1.5": ("model: {num_layers: 2, dropout: 1.5}", "model.dropout", "less than 1"),
    "dropout 1.0": ("model: {num_layers: 2, dropout: 1.0}", "model.dropout", "less than 1"),
    "dropout below 0": ("model: {num_layers: 2, dropout: -0.1}", "model.dropout", "greater than or equal to 0"),
    "hidden 10^9": ("model: {hidden_size: 1000000000}", "model.hidden_size", "16,000,000,000 GB"),
    "hidden 10^90": (f"model: {{hidden_size: {10**90}}}", "model.hidden_size", "GB"),
    "64 layers of 60,000": ("model: {hidden_size: 60000, num_layers: 64}", "model.hidden_size", "29,261 GB"),
    "seed 2^64": (f"seed: {2**64}", "seed", "less than 9223372036854775808"),
    "seed below 0": ("seed: -1", "seed", "greater than or equal to 0"),
    "batch size below 0": ("training: {batch_size: -4}", "training.batch_size", "greater than or equal to 1"),
    "epochs 10^23": (f"training: {{epochs: {10**23}}}", "training.epochs", "less than or equal to"),
    "test part .nan": ("split: {test: .nan}", "split.test", "must be a fraction, a count or a time"),
    "test part .inf": ("split: {test: -.inf}", "split.test", "must be a fraction, a count or a time"),
    "test part 1e999": ("split: {test: 1e999}", "split.test", "should be a finite number"),
    "device gpu": ("training: {device: gpu}", "training.device", "must be auto, cpu, cuda or cuda:N"),
    "device cuda:12345": ("training: {device: 'cuda:12345'}", "training.device", "must be auto, cpu"),
    "a cell with an escape": ('model: {cell: "\\e[2J"}', "model.cell", "must be rnn, lstm"),
    "a cell with a surrogate": ('model: {cell: "\\ud800"}', "model.cell", "must be text in UTF-8"),
    "a cell with a line end": ("model:\n  cell: |\n    gru", "model.cell", "did you mean gru?"),
    "a cell of 100,000 letters": (f"model: {{cell: {'g' * DEEP}}}", "model.cell", "must be rnn, lstm"),
    "a cell as a list": ("model: {cell: [gru]}", "model.cell", "must be rnn, lstm"),
    "a cell as a mapping": ("model: {cell: {gru: 1}}", "model.cell", "must be rnn, lstm"),
    "a cell null": ("model: {cell: null}", "model.cell", "not null"),
    "no effect": ("model: {nonlinearity: relu}", "model.nonlinearity", "has no effect on lstm"),
}  # fmt: skip
NO_NUMBER = [
    "nan", ".nan", "inf", ".inf", "-.inf", "1e999", "1_000", "0x10", "0o17", "012", "12:30", "12:30:45", '"1"',
    "'1'", "yes", "true", "~", "null", "[]", "{}", "1 000", "2020-01-01", "9" * 5000,
]  # fmt: skip
NO_WHOLE_NUMBER = [
    "64.0", '"64"', "012", "1e2", "0x40", "1_0", "yes", "true", "-1", "0", "9" * 5000, "9" * 30, "1.5", "64k",
]  # fmt: skip
NO_TRUTH = ["yes", "no", "on", "off", "y", "n", "Yes", "ON", "tRUE", "0", "1", '"true"']
WRONG |= {
    f"{name} {value[:12]}": (f"{key.partition('.')[0]}: {{{key.partition('.')[2]}: {value}}}", key, words)
    for name, key, words, values in (
        ("learning rate", "training.learning_rate", "number", NO_NUMBER),
        ("hidden", "model.hidden_size", "", NO_WHOLE_NUMBER),
        ("bias", "model.bias", "must be true or false", NO_TRUTH),
    )
    for value in values
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_key_or_value_is_refused_by_its_name(folder, refuse, case):
    text, key, words = WRONG[case]
    write(folder, f"{BASE}{text}\n")
    error = refuse("train", "c.yaml", code=2)
    assert "problems" not in error
    assert (error["file"], error["key"]) == ("c.yaml", key)
    assert error["line"] >= 4
    assert error["column"] >= 1
    assert words in f"{error['message']} {error['hint']}"
    assert len(error["message"]) < 250


# the whole text, the keys that are refused, words of every message
LACKING: dict[str, tuple[str, list[str], str]] = {
    "nothing": ("{}", ["data", "task"], "is required"),
    "empty sections": ("data: {}\ntask: {}\n", ["data.path", "data.target", "task.kind"], "is required"),
    "data null": ("data: null\ntask: {kind: regression}\n", ["data"], "must be a mapping, not null"),
    "null for what is required": (
        "data: {path: null, target: ~}\ntask: {kind: }\n", ["data.path", "data.target", "task.kind"], "not null",
    ),
    "all sections lists": ("\n".join(f"{name}: [1]" for name in SECTIONS), list(SECTIONS), "must be a mapping"),
    "the wrong sections": ("model: {cell: gru}\n", ["data", "task"], "is required"),
    "paths in lists": (
        "data: {path: [[d.csv]], target: [y]}\n" + TASK, ["data.path"], "must be text",
    ),
    "an empty list": ("data: {path: [], target: y}\n" + TASK, ["data.path"], "must have at least 1 entry, not []"),
    "an empty name": ("data: {path: '', target: y}\n" + TASK, ["data.path"], "at least 1"),
    "no colon": ("data:\n  path d.csv\ntask: {kind: forecasting, horizon: 2}\n", ["data"], "must be a mapping"),
    "many unknown keys": (
        f"{BASE}model: {{{', '.join(f'k{number}: 1' for number in range(50))}}}\n",
        [f"model.k{number}" for number in range(50)],
        "unknown key",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LACKING)
def test_every_problem_of_a_config_is_told_at_once(folder, refuse, case):
    text, keys, words = LACKING[case]
    write(folder, text)
    error = refuse("train", "c.yaml", code=2)
    problems = error.get("problems", [error])
    assert sorted(problem["key"] for problem in problems) == sorted(keys)
    assert all(problem["file"] == "c.yaml" and words in problem["message"] for problem in problems)


def test_many_problems_end_with_their_number(folder, invoke):
    write(folder, LACKING["many unknown keys"][0])
    *_, last = invoke("train", "c.yaml").err.splitlines()
    assert last.strip() == "and 45 more problems (--format json lists them all)"


# what is accepted: the text, and keys of the resolved config
GOOD: dict[str, tuple[str | bytes, dict[str, object]]] = {
    "BOM": (f"\ufeff{BASE}{SMALL}", {"seed": 0}),
    "CRLF": (f"{BASE}{SMALL}seed: 7\n".replace("\n", "\r\n"), {"seed": 7}),
    "CR": (f"{BASE}{SMALL}seed: 7\n".replace("\n", "\r"), {"seed": 7}),
    "no final line end": (f"{BASE}{SMALL}seed: 7", {"seed": 7}),
    "document marks": (f"%YAML 1.2\n---\n{BASE}{SMALL}...\n", {"seed": 0}),
    "an unknown directive": (f"%FOO bar\n---\n{BASE}{SMALL}", {"seed": 0}),
    "JSON": (
        json.dumps({
            "data": {"path": "d.csv", "time": "t", "target": "y"}, "task": {"kind": "forecasting", "horizon": 2},
            "window": {"context": 6}, "model": {"hidden_size": 2}, "training": {"epochs": 1},
        }),
        {"model.hidden_size": 2},
    ),
    "lr 1e-3": (f"{BASE}model: {{hidden_size: 2}}\ntraining: {{epochs: 1, learning_rate: 1e-3}}\n",
        {"training.learning_rate": 0.001}),
    "a folded block": (f"{BASE}model:\n  hidden_size: 2\n  cell: >-\n    gru\ntraining: {{epochs: 1}}\n",
        {"model.cell": "gru"}),
    "an escape that is a letter": (f'{BASE}model: {{hidden_size: 2, cell: "g\\x72u"}}\ntraining: {{epochs: 1}}\n',
        {"model.cell": "gru"}),
    "a context longer than the data": (f"{BASE.replace('6', str(10**9))}{SMALL}", {"window.context": 10**9}),
    "a batch larger than the data": (f"{BASE}model: {{hidden_size: 2}}\ntraining: {{epochs: 1, batch_size: 1000000}}\n",
        {"training.batch_size": 10**6}),
}  # fmt: skip


@pytest.mark.parametrize("case", GOOD)
def test_a_strange_config_that_is_one_trains(folder, invoke, case):
    text, expected = GOOD[case]
    write(folder, text)
    result = invoke("train", "c.yaml", "--out", "run")
    assert result.code == 0, result.err
    resolved = (folder / "run" / "config.yaml").read_text(encoding="utf-8")
    for key, value in expected.items():
        name = key.rpartition(".")[2]
        (line,) = [line.strip() for line in resolved.splitlines() if line.strip().startswith(f"{name}: ")]
        assert parse_value(line.partition(": ")[2])[0] == value


def test_a_date_for_a_name_stays_text(folder, invoke):
    (folder / "2020-01-01").write_bytes((folder / "d.csv").read_bytes().replace(b"y", b"12:30"))
    write(folder, BASE.replace("d.csv", "2020-01-01").replace("target: y", "target: 12:30") + SMALL)
    assert invoke("train", "c.yaml", "--out", "run").code == 0
    assert "12:30_pred" in invoke("predict", "run").out


# overrides of the command line, the exit code, words of the error
OVERRIDES: dict[str, tuple[list[str], str]] = {
    "no value": (["model.hidden_size="], "must be a whole number, not null"),
    "no key": (["=3"], "not an override"),
    "a section set to a number": (["model=3"], "must be a mapping, not 3"),
    "a section set to nothing": (["model="], "must be a mapping, not null"),
    "a section set to null": (["data=null"], "must be a mapping, not null"),
    "a section set to a list": (["model=[1]"], "must be a mapping, not [1]"),
    "two dots": (["model..x=1"], "not an override"),
    "a dot before": ([".x=1"], "not an override"),
    "a dot behind": (["model.=1"], "not an override"),
    "a dot": (["."], "not an override"),
    "three parts": (["a.b.c=1"], "not an override"),
    "a key below a key": (["data.path.x=1"], "not an override"),
    "an equals sign": (["="], "not an override"),
    "a tilde": (["~"], "not an override"),
    "a tilde with a value": (["~model.dropout=1"], "not an override"),
    "two tildes": (["~~model"], "did you mean model?"),
    "an unknown key restored": (["~nope"], "unknown key"),
    "a required section restored": (["~data"], "data: is required"),
    "a required key restored": (["~data.path"], "data.path: is required"),
    "a word": (["model"], "not an override"),
    "nothing": ([""], "not an override"),
    "a further config": (["c.yaml"], "not an override"),
    "an unknown key": (["model.units=3"], "did you mean model.hidden_size?"),
    "a key without its section": (["hidden_size=3"], "did you mean model.hidden_size?"),
    "an unknown key of a section restored": (["~model.units"], "did you mean model.hidden_size?"),
    "a key restored without its section": (["~units"], "did you mean model.hidden_size?"),
    "an unknown section": (["modle.cell=gru"], "did you mean model?"),
    "a key in capitals": (["SEED=1"], "did you mean seed?"),
    "a section in capitals": (["Model.cell=gru"], "did you mean model?"),
    "a space before": ([" seed=1"], "did you mean seed?"),
    "a space behind": (["seed =1"], "did you mean seed?"),
    "a space in the value": (["seed= 1"], "must be a whole number"),
    "two values": (["seed=2=3"], "must be a whole number"),
    "an open list": (["data.target=[y,"], "not YAML"),
    "an open mapping": (["model={a"], "not YAML"),
    "an open quote": (['data.target="y'], "not YAML"),
    "a mapping for a name": (["data.target={a: b}"], "must be text or a list"),
    "a tag": (["data.target=[!!str y]"], "tags"),
    "an anchor": (["data.target=[&a y]"], "anchors"),
    "an escape": (["\x1b[2J=1"], "\\x1b[2J=1: unknown key"),
    "a bidi override": (["\u202e=1"], "\\u202e=1: unknown key"),
    "a line end": (["model.cell=\n"], "must be rnn, lstm"),
    "10,000 letters": (["x" * 10_000], "not an override"),
    "10,000 letters as key": (["x" * 10_000 + "=1"], "unknown key"),
    "5,000 digits": ([f"model.hidden_size={'9' * 5000}"], "must be a whole number"),
    "a key that is not UTF-8": (["\udcff=1"], "not UTF-8"),
    "a value that is not UTF-8": (["data.path=\udcff"], "not UTF-8"),
    "lr nan": (["training.learning_rate=nan"], "must be a number"),
    "lr inf": (["training.learning_rate=inf"], "must be a number"),
    "lr 1e999": (["training.learning_rate=1e999"], "should be a finite number"),
    "epochs 5.0": (["training.epochs=5.0"], "must be a whole number"),
    "epochs 0": (["training.epochs=0"], "greater than or equal to 1"),
    "epochs -1": (["training.epochs=-1"], "greater than or equal to 1"),
    "epochs 10^23": ([f"training.epochs={10**23}"], "less than or equal to"),
    "three wrong ones": (["model.units=3", "training.epochs=0", "split.test=2.5"], "split.test=2.5"),
}


@pytest.mark.parametrize("case", OVERRIDES)
def test_a_wrong_override_is_refused_by_its_name(folder, refuse, case):
    overrides, words = OVERRIDES[case]
    write(folder, f"{BASE}{SMALL}")
    error = refuse("train", "c.yaml", *overrides, code=2, words=words)
    assert len(error.get("problems", [error])) == len(overrides)


@pytest.mark.parametrize("overrides", [["seed=1", "seed=2"], ["seed=1", "~seed", "seed=2"]], ids=" ".join)
def test_the_last_of_the_same_override_counts(folder, invoke, overrides):
    write(folder, f"{BASE}{SMALL}")
    assert invoke("train", "c.yaml", *overrides, "--out", "run").code == 0
    assert "\nseed: 2" in "\n" + (folder / "run" / "config.yaml").read_text()


# what stands in place of CONFIG, words of the error
PLACES: dict[str, tuple[str, str]] = {
    "missing": ("nowhere.yaml", "no such file"),
    "in a folder that is missing": ("nowhere/c.yaml", "no such file"),
    "below a file": ("d.csv/c.yaml", "not a file: Not a directory"),
    "a folder": (".", "not a file: Is a directory"),
    "a link to itself": ("loop", "not a file: Too many levels of symbolic links"),
    "a name of 5,000 letters": ("x" * 5000, "not a file: File name too long"),
    "no name": ("", "the name of CONFIG is empty"),
    "a name with a NUL": ("a\0b", "is not the name of a file"),
    "a name that is not UTF-8": ("\udcff.yaml", "\\udcff.yaml: no such file"),
    "a name that a terminal obeys": ("\x1b[2J", "\\x1b[2J: no such file"),
    "an override": ("seed=1", "no such file"),
    "a URL": ("https://example.org/c.yaml", "only local files are read"),
    "a bucket": ("s3://bucket/c.yaml", "only local files are read"),
    "/dev/null": ("/dev/null", "is empty"),
    "/dev/zero": ("/dev/zero", "larger than"),
    "the data": ("d.csv", "must be a mapping"),
}


@pytest.mark.parametrize("case", PLACES)
def test_what_is_no_config_is_refused(folder, refuse, case):
    name, words = PLACES[case]
    (folder / "loop").symlink_to("loop")
    refuse("train", name, code=2, words=words)


def test_a_config_that_may_not_be_read_is_a_matter_of_permission(folder, refuse, monkeypatch):
    write(folder, BASE)

    def denied(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr("rnncli.config.load._bytes", denied)
    refuse("train", "c.yaml", code=5, words="c.yaml: cannot read: Permission denied")


# arguments with which a run would be written over what it reads
OVER_INPUT: dict[str, list[str]] = {
    "the data as the folder": ["c.yaml", "--out", "d.csv"],
    "the config as the folder": ["c.yaml", "--out", "c.yaml"],
    "the data in another spelling": ["c.yaml", "--out", "./sub/../d.csv"],
    "a link to the data": ["c.yaml", "--out", "link.csv"],
    "a file of the run as the data": ["c.yaml", "--data", "old/history.csv", "--out", "old", "--overwrite"],
    "a glob of them": ["c.yaml", "--data", "old/*.csv", "--out", "old", "--overwrite"],
    "one of several": ["c.yaml", "data.path=[d.csv, old/history.csv]", "--out", "old", "--overwrite"],
    "the config of the run": ["old/config.yaml", "--out", "old", "--overwrite"],
}


@pytest.mark.parametrize("case", OVER_INPUT)
def test_no_run_is_written_over_what_it_reads(folder, refuse, case):
    write(folder, f"{BASE}{SMALL}")
    (folder / "link.csv").symlink_to("d.csv")
    for name in ("old", "sub"):
        (folder / name).mkdir()
    (folder / "old" / "config.yaml").write_text(f"{BASE}{SMALL}")
    (folder / "old" / "history.csv").write_bytes((folder / "d.csv").read_bytes())
    refuse("train", *OVER_INPUT[case], code=2, words="written over")


def test_a_config_from_stdin_trains(folder, invoke, monkeypatch):
    write(folder, f"{BASE}{SMALL}")
    with (folder / "c.yaml").open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        result = invoke("train", "-")
    assert result.code == 0, result.err
    assert json.loads(result.out)["run"] == "runs/stdin"


def test_a_config_from_a_pipe_is_read_once(folder, invoke):
    """As `<(…)` of a shell gives one."""
    reader, writer = os.pipe()
    os.write(writer, f"{BASE}{SMALL}".encode())
    os.close(writer)
    result = invoke("train", f"/dev/fd/{reader}", "--out", "run")
    os.close(reader)
    assert result.code == 0, result.err
    assert (folder / "run" / "model.safetensors").exists()


# processes of their own


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("rnncli train - <&-", "cannot read: Bad file descriptor"),
        ("rnncli train - </dev/null", "stdin:1:1: the config is empty"),
        ("rnncli train - --data - <c.yaml", "are both stdin"),
        ("head -c 3000000 /dev/zero | rnncli train -", "larger than"),
    ],
)
def test_a_stdin_that_is_no_config_is_refused(folder, line, words):
    write(folder, BASE)
    done = shell(line, folder)
    assert done.returncode in (2, 5)
    assert done.stdout == b""
    assert words in done.stderr.decode()


BOMBS = {
    "aliases": bomb(26),
    "nesting": "a: " + "[" * DEEP + "]" * DEEP,
    "a long list": "a: [" + "x," * 90_000 + "]",
    "many keys": "\n".join(f"k{number}: {number}" for number in range(2000)),
    "many lines": "#\n" * 90_000,
}
MEASURED = """
import atexit, resource
from pathlib import Path
from rnncli.cli.app import main

@atexit.register
def tell():
    used = resource.getrusage(resource.RUSAGE_SELF)
    status = Path("/proc/self/status")  # ru_maxrss begins with that of the parent
    lines = status.read_text().splitlines() if status.exists() else ["VmHWM: 0 kB"]
    print(used.ru_utime + used.ru_stime, *[line.split()[1] for line in lines if line.startswith("VmHWM")])

main(["train", "c.yaml"])
"""


@pytest.mark.parametrize("case", BOMBS)
def test_a_bomb_takes_little_time_and_under_a_hundred_megabytes(folder, case):
    """A second on a machine that has nothing else to do."""
    write(folder, BOMBS[case])
    done = subprocess.run(
        [sys.executable, "-c", MEASURED], cwd=folder, env=environment(), capture_output=True, text=True, timeout=60
    )
    seconds, kilobytes = map(float, done.stdout.split())
    assert done.returncode == 2
    check_text(done.stderr)
    assert seconds < 3
    assert kilobytes < 100_000
