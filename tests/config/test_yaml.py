"""YAML and its traps: what is read means what YAML 1.2 says, and whatever could surprise is refused with its place."""

from __future__ import annotations

import itertools

import pytest

from rnncli.config.document import parse_value
from rnncli.errors import ConfigError


def _bomb() -> str:
    names = "abcdefghij"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for before, name in itertools.pairwise(names):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    return "\n".join(lines)


REFUSED = {
    "empty": ("", (1, 1), "is empty"),
    "comment": ("# nothing\n", (1, 1), "is empty"),
    "null": ("null\n", (1, 1), "is empty"),
    "list": ("- a\n- b\n", (1, 1), "must be a mapping"),
    "scalar": ("lstm\n", (1, 1), "must be a mapping"),
    "number": ("5\n", (1, 1), "must be a mapping"),
    "two documents": ("seed: 1\n---\nseed: 2\n", (2, 1), "second document"),
    "an empty second document": ("seed: 1\n---\n", (2, 1), "second document"),
    "two colons": ("a: b: c\n", (1, 5), "mapping values"),
    "open bracket": ("data: [a\n", (2, 1), "expected"),
    "open brace": ("data: {a: 1\n", (2, 1), "expected"),
    "open quote": ("data: 'a\n", (2, 1), "end of stream"),
    "tab": ("data:\n\tpath: a\n", (2, 1), "'\\t'"),
    "undefined alias": ("data: *x\n", (1, 7), "aliases"),
    "anchor": ("data: &x {path: a}\n", (1, 7), "anchors"),
    "recursive": ("data: &a [*a]\n", (1, 7), "anchors"),
    "bomb": (_bomb(), (1, 4), "anchors"),
    "merge key": ("model: {hidden_size: 3}\ntraining:\n  <<: {epochs: 2}\n", (3, 3), "unknown key"),
    "binary": ("seed: !!binary aGk=\n", (1, 7), "tags"),
    "set": ("seed: !!set {a}\n", (1, 7), "tags"),
    "own tag": ("seed: !foo 1\n", (1, 7), "tags"),
    "python tag": ("seed: !!python/object/apply:os.getpid []\n", (1, 7), "tags"),
    "list as key": ("? [a]\n: 2\n", (1, 3), "key must be a word"),
    "key twice": ("seed: 1\nseed: 2\n", (2, 1), "seed is given twice"),
    "nested key twice": ("model: {cell: rnn, bias: true, cell: gru}\n", (1, 32), "cell is given twice"),
    "escape character": ("seed: 1\nmodel: \x1b[2J\n", (2, None), "control character"),
    "NUL": ("seed: 1\nmodel: \0\n", (2, None), "control character"),
    "deep brackets": ("a: " + "[" * 100_000 + "]" * 100_000, (1, 24), "nested"),
    "deep braces": ("a: " + "{a: " * 100_000, (1, 81), "nested"),
    "deep blocks": ("\n".join(" " * depth + "a:" for depth in range(1000)), (21, 21), "nested"),
    "deep dashes": ("a:\n  " + "- " * 100_000, (2, 43), "nested"),
    "UTF-16": ("seed: 1\n".encode("utf-16"), (None, None), "UTF-8"),
    "UTF-16 without a mark": ("seed: 1\n".encode("utf-16-le"), (1, None), "control character"),
    "Latin-1": ("data: {path: é}\n".encode("latin-1"), (None, None), "UTF-8 at byte 13"),
    "too large": ("#" + "x" * 2_000_000, (None, None), "larger than"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_one_plain_mapping_is_refused_where_it_stands(problems, case):
    text, (line, column), words = REFUSED[case]
    found = next(problem for problem in problems(text) if problem.message not in ("is required",))
    assert words in found.message
    assert (found.place.file, found.place.line, found.place.column) == ("c.yaml", line, column)


def test_a_refused_root_is_told_what_is_wanted(problems):
    assert "data:" in problems("- a\n")[0].message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("3e-4", 3e-4),
        ("1E-3", 1e-3),
        ("1.e-3", 1e-3),
        (".5e-2", 5e-3),
        ("+1e-3", 1e-3),
        ("1", 1.0),
        ("0.25", 0.25),
    ],
)
def test_a_number_in_any_spelling_of_yaml_1_2(read, base, text, value):
    assert read(f"{base}training: {{learning_rate: {text}}}\n").training.learning_rate == value


@pytest.mark.parametrize(
    "text",
    [
        "nan", ".nan", "inf", ".inf", "-.inf", "1e999", "1_000", "0x10", "0o17", "012", "12:30", "12:30:45", '"1"',
        "'1'",
        "yes", "true", "~", "null", "[]", "{}", "1 000", "9" * 5000,
    ],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_what_is_no_finite_number_is_refused_as_one(problems, base, text):
    (found,) = problems(f"{base}training: {{learning_rate: {text}}}\n")
    assert (found.place.line, found.place.column, found.place.key) == (3, 12, "training.learning_rate")
    assert "number" in found.message


@pytest.mark.parametrize(
    "text",
    ["64.0", '"64"', "012", "1e2", "0x40", "1_0", "yes", "true", "-1", "0", "9" * 5000, "9" * 30, "1.5"],
    ids=lambda text: text[:12],
)
def test_a_whole_number_is_nothing_else(problems, base, text):
    (found,) = problems(f"{base}model: {{hidden_size: {text}}}\n")
    assert found.place.key == "model.hidden_size"
    assert len(str(found)) < 200


@pytest.mark.parametrize("text", ["yes", "no", "on", "off", "y", "n", "Yes", "ON", "tRUE", "0", "1", '"true"'])
def test_only_true_and_false_are_truth_values(problems, base, text):
    (found,) = problems(f"{base}model: {{bias: {text}}}\n")
    assert "true or false" in found.message


@pytest.mark.parametrize(("text", "value"), [("true", True), ("True", True), ("FALSE", False)])
def test_truth_values_of_yaml_1_2(read, base, text, value):
    assert read(f"{base}model: {{bias: {text}}}\n").model.bias is value


@pytest.mark.parametrize(
    "name", ["yes", "no", "on", "off", "12:30", "012", "2020-01-01", "1_000", "0x10", ".nan", "y", "n", "Null1"]
)
def test_text_that_yaml_1_1_would_change_stays_text(read, name):
    config = read(f"data: {{path: {name}, target: {name}}}\ntask: {{kind: forecasting, horizon: 2}}\n")
    assert (config.data.path, config.data.target) == (name, name)


@pytest.mark.parametrize("moment", ["2020-01-01", "2020-01-01 12:30:00", "2020-01", "12:30:45", "1.1.2020"])
def test_a_time_stays_text(read, base, moment):
    assert read(f"{base}split: {{test: {moment}}}\n").split.test == moment


def test_counts_and_fractions_keep_their_kinds(read, base):
    split = read(f"{base}split: {{validation: 12, test: 0.25}}\n").split
    assert (split.validation, type(split.validation), split.test) == (12, int, 0.25)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_a_byte_order_mark_do_not_matter(read, base, line_end, mark):
    assert read(mark + (base + "seed: 7\n").replace("\n", line_end)).seed == 7


def test_one_document_may_have_its_marks(read, base):
    assert read(f"%YAML 1.2\n---\n{base}seed: 7\n...\n").seed == 7


def test_an_unreadable_name_is_refused(tmp_path, monkeypatch):
    from rnncli.config.load import load

    monkeypatch.chdir(tmp_path)
    for name, words in (
        ("nowhere.yaml", "no such file"),
        (".", "is not a file"),
        ("a\0b", "is not a file"),
        ("", "no such file"),
    ):
        with pytest.raises(ConfigError, match=words):
            load(name)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("1e-3", 1e-3), ("", None), ("null", None), ("~", None), ("true", True), ("no", "no"), ("abc", "abc"),
        ("[a, b]", ["a", "b"]), ("[x*, y]", ["x*", "y"]), ("'1'", "1"), ("a b", "a b"), ("2020-01-01", "2020-01-01"),
        ("12:30", "12:30"), ("a=b", "a=b"), ("x*", "x*"), ("[]", []),
    ],
)  # fmt: skip
def test_the_value_of_an_override(text, value):
    found = parse_value(text)
    assert found == value
    assert type(found) is type(value)
