"""compare, schema and --fail-if: what scripts decide by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rnncli import console
from rnncli.cli.condition import judge, parse_condition
from rnncli.config.load import leaves
from rnncli.data.panel import show_id
from rnncli.errors import UsageError

SCORES = {"mae": 2.0, "mase": 1.0, "smape": None}
SKILL = {"mae": -0.25}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("mase>=1", True),
        ("mase>1", False),
        ("mae < 2.5", True),
        ("mae<=1e0", False),
        ("skill.mae<0", True),
        ("skill.mae<-.5", False),
        ("mae==2", True),
    ],
)
def test_condition_holds_or_not(text: str, holds: bool) -> None:
    assert (judge(parse_condition(text), SCORES, SKILL) is not None) is holds


def test_a_metric_that_is_not_defined_is_no_pass() -> None:
    refused = judge(parse_condition("smape>5"), SCORES, SKILL)
    assert refused is not None
    assert refused.exit_code == 6


@pytest.mark.parametrize("text", ["mase", "mase>", "mase>=one", "mase>=nan", ">=1", "mase=>1", "__import__('os')>1"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_condition(text)


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(UsageError, match="no metric mas"):
        judge(parse_condition("mas>=1"), SCORES, SKILL)


def write_metrics(folder: Path, task: str, mae: float, accuracy: float) -> Path:
    folder.mkdir()
    metrics = {
        "task": task,
        "parameters": 5,
        "seconds": 1.0,
        "validation": {},
        "test": {"mae": mae, "accuracy": accuracy},
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


def test_compare_marks_the_best_of_each_metric(cli, tmp_path: Path) -> None:
    first = write_metrics(tmp_path / "first", "forecasting", 2.0, 0.5)
    second = write_metrics(tmp_path / "second", "forecasting", 3.0, 0.75)
    result = json.loads(cli("compare", first, second).stdout)
    assert result["best"] == {"mae": str(first), "accuracy": str(second)}
    table = cli("compare", "first", "second", "--format", "table").stdout
    assert "2*" in table
    assert "0.75*" in table
    assert cli("compare", "first", "second", "--format", "csv").stdout.splitlines()[0].startswith("run,parameters")


def test_compare_refuses_runs_of_two_tasks_and_no_runs(cli, tmp_path: Path) -> None:
    write_metrics(tmp_path / "a", "forecasting", 1.0, 0.5)
    write_metrics(tmp_path / "b", "classification", 1.0, 0.5)
    assert cli("compare", "a", "b").returncode == 4
    missing = cli("compare", "a", "nowhere")
    assert (missing.returncode, missing.stdout) == (4, "")


def test_schema_describes_every_key(cli) -> None:
    document = json.loads(cli("schema").stdout)
    for key in leaves():
        section, _, name = key.rpartition(".")
        properties = document["properties"]
        if section:
            properties = document["$defs"][section.capitalize()]["properties"]
        assert properties[name]["description"]


def test_numbers_that_are_not_finite_are_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    before = console.settings.format
    try:
        console.settings.format = "json"
        console.emit_rows(["y_pred", "step"], [(float("inf"), 1), (float("nan"), 2)])
    finally:
        console.settings.format = before
    assert json.loads(capsys.readouterr().out) == [{"y_pred": None, "step": 1}, {"y_pred": None, "step": 2}]


def test_an_id_cannot_forge_a_line_of_a_message() -> None:
    assert show_id(("a\nerror: b", "c")) == "a\\nerror: b/c"
