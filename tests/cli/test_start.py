"""Start-up: what is imported, what help says, and the command lines that are refused before anything runs."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from rnncli.cli import app

HEAVY = ("torch", "pandas", "numpy", "pydantic", "yaml", "safetensors")
COMMANDS = dict(app.COMMANDS)
SHARED = ("--format", "--json", "--quiet", "--verbose", "--no-progress", "--help")
DOCUMENTED = {  # PRODUCT.md, section 4
    "init": ("--target", "--time", "--series", "--task", "--horizon"),
    "train": ("--data", "--out", "--resume", "--overwrite", "--device", "--budget"),
    "evaluate": ("--data", "--by"),
    "predict": ("--data",),
    "inspect-weights": ("--values",),
    "compare": (),
    "schema": (),
}
CODES = (0, 1, 2, 3, 4, 5, 6, 130, 143, 141)


def _imports_after(statement: str, tmp_path: Path) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    listing = tmp_path / "modules.json"
    code = (
        "import atexit, json, sys\n"
        f"atexit.register(lambda: json.dump(sorted(sys.modules), open({str(listing)!r}, 'w')))\n{statement}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    return done, set(json.loads(listing.read_text()))


def test_importing_the_command_line_imports_nothing_heavy(tmp_path):
    done, modules = _imports_after("import rnncli.cli.app", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "typer" in modules
    assert modules.isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], [], ["trian"], *([command, "--help"] for command in COMMANDS)],
    ids=lambda arguments: " ".join(arguments) or "nothing",
)
def test_what_needs_no_data_imports_nothing_heavy(arguments, tmp_path):
    _, modules = _imports_after(f"from rnncli.cli.app import main\nmain({arguments!r})", tmp_path)
    assert "rnncli.cli.app" in modules
    lazily_by_typer = {"pydantic"} if arguments and not arguments[0].startswith("-") else set()
    assert modules.isdisjoint(set(HEAVY) - lazily_by_typer)


def test_the_module_is_the_command(cli):
    import rnncli

    done = cli("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"rnncli {rnncli.__version__}\n", "")


def test_without_arguments_help_goes_to_stderr(cli):
    done = cli()
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Usage: rnncli")
    assert all(command in done.stderr for command in COMMANDS)


def test_help_goes_to_stdout(invoke):
    for flag in ("--help", "-h"):
        result = invoke(flag)
        assert result.code == 0
        assert result.err == ""
        assert all(command in result.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_every_option_and_every_exit_code(invoke, command):
    shown = invoke(command, "--help").out
    own = {f"--{name.replace('_', '-')}" for name in inspect.signature(COMMANDS[command]).parameters}
    arguments = {"--config", "--overrides", "--run", "--runs", "--source"}
    assert set(DOCUMENTED.get(command, ())) <= own
    for option in (own - arguments) | set(SHARED):
        assert f" {option} " in shown
    ending = " ".join(shown[shown.index("Exit codes:") :].split())
    for code in CODES:
        assert f" {code} " in ending


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_no_default_twice(invoke, command):
    assert "[default: 10s]  [default: 10s]" not in " ".join(invoke(command, "--help").out.split("\n"))


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"schema"}))
def test_help_gives_an_example(invoke, command):
    shown = " ".join(invoke(command, "--help").out.split())
    assert f"rnncli {command} " in shown[shown.index("Example:") :]


@pytest.mark.parametrize(
    ("typo", "meant"), [("trian", "train"), ("predct", "predict"), ("inspect_weights", "inspect-weights")]
)
def test_a_typo_is_answered_with_the_command_that_was_meant(invoke, typo, meant):
    result = invoke(typo)
    assert (result.code, result.out) == (2, "")
    assert f"'{meant}'" in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "c.yaml", "--out", "a", "--out", "b"],
        ["train", "c.yaml", "--out=a", "--out", "b"],
        ["predict", "run", "--json", "--json"],
        ["predict", "run", "--quiet", "-q"],
        ["predict", "run", "-q", "-q"],
        ["predict", "run", "-qq"],
        ["predict", "run", "-v", "--verbose"],
    ],
    ids=" ".join,
)
def test_a_flag_twice_is_refused(invoke, arguments):
    result = invoke(*arguments)
    assert (result.code, result.out) == (2, "")
    assert "twice" in result.err


def test_after_two_dashes_nothing_is_a_flag(invoke, tmp_path):
    (tmp_path / "--json").mkdir()
    result = invoke("inspect-weights", "--json", "--", "--json")
    assert result.code == 4
    assert json.loads(result.err)["error"]["file"] == "--json/model.safetensors"


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "run", "--json", "--format", "csv"],
        ["predict", "run", "--format", "table", "--json"],
        ["--json", "predict", "run", "--format", "csv"],
        ["--format", "csv", "predict", "run", "--json"],
    ],
    ids=" ".join,
)
def test_json_beside_another_format_is_refused(invoke, arguments):
    result = invoke(*arguments)
    assert (result.code, result.out) == (2, "")
    assert json.loads(result.err)["error"]["kind"] == "usage"


def test_an_option_without_its_value_is_refused(invoke):
    result = invoke("predict", "run", "--data")
    assert (result.code, result.out) == (2, "")
    assert "--data" in result.err


def test_json_beside_format_json_is_one_wish(invoke):
    result = invoke("inspect-weights", "nowhere", "--json", "--format", "json")
    assert result.code == 4


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["train"], "CONFIG"),
        (["predict"], "RUN"),
        (["predict", "run", "extra"], "extra"),
        (["predict", "run", "--colour"], "--colour"),
        (["predict", "run", "--format", "xml"], "xml"),
        (["predict", "run", "--device", "gpu"], "gpu"),
        (["evaluate", "run", "--by", "day"], "day"),
        (["train", "c.yaml", "--budget", "nan"], "nan"),
        (["train", "c.yaml", "--budget", "-5"], "-5"),
        (["train", "c.yaml", "--budget", "1e3"], "1e3"),
        (["train", "c.yaml", "--budget", "1_0"], "1_0"),
        (["train", "c.yaml", "--save-every", "soon"], "soon"),
        (["train", "c.yaml", "--resume", "run", "--out", "other"], "--out"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
@pytest.mark.parametrize("format", ["auto", "json"])
def test_a_wrong_command_line_is_exit_code_2_and_leaves_nothing(invoke, tmp_path, arguments, word, format):
    result = invoke(*arguments, *(["--json"] if format == "json" else []))
    assert (result.code, result.out) == (2, "")
    assert word in result.err
    assert len(result.err.splitlines()) <= 6
    assert list(tmp_path.iterdir()) == []
    if format == "json":
        assert json.loads(result.err)["error"]["code"] == 2


@pytest.mark.parametrize("text", ["a\udcff", "\x1b[2J", "\u202e"], ids=ascii)
@pytest.mark.parametrize(
    "arguments",
    [
        ["{}"],
        ["predict", "--{}"],
        ["predict", "{}"],
        ["train", "{}"],
        ["train", "c.yaml", "{}=1"],
        ["predict", "run", "--format", "{}"],
        ["predict", "run", "--device", "{}"],
        ["train", "c.yaml", "--budget", "{}"],
    ],
    ids=" ".join,
)
def test_what_is_typed_comes_back_without_control_characters(invoke, arguments, text):
    result = invoke(*(argument.format(text) for argument in arguments))
    assert result.code in (2, 4)
    assert result.out == ""
    assert result.err.isascii()
    assert "\x1b" not in result.err


@pytest.mark.parametrize(
    "arguments", [["train", "c.yaml", "--out", ""], ["predict", "run", "--data", ""]], ids=" ".join
)
def test_an_empty_name_is_refused(invoke, trained, tmp_path, arguments):
    (tmp_path / "c.yaml").write_text((trained / "waves.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "waves.csv").write_bytes((trained / "waves.csv").read_bytes())
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.safetensors").write_bytes((trained / "run" / "model.safetensors").read_bytes())
    before = sorted(tmp_path.iterdir())
    result = invoke(*arguments)
    assert (result.code, result.out) == (2, "")
    assert sorted(tmp_path.iterdir()) == before
