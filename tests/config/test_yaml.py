"""YAML and its traps: what is read means what YAML 1.2 says; what is refused is in tests/corpus."""

from __future__ import annotations

import pytest

from rnncli.config.document import parse_value


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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("1e-3", 1e-3), ("", None), ("null", None), ("~", None), ("true", True), ("no", "no"), ("abc", "abc"),
        ("[a, b]", ["a", "b"]), ("[x*, y]", ["x*", "y"]), ("'1'", "1"), ("a b", "a b"), ("2020-01-01", "2020-01-01"),
        ("12:30", "12:30"), ("a=b", "a=b"), ("x*", "x*"), ("[]", []),
    ],
)  # fmt: skip
def test_the_value_of_an_override(text, value):
    found = parse_value(text)[0]
    assert found == value
    assert type(found) is type(value)
