"""Command lines, streams and environments that go wrong, for every command."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import socket
import sys
from pathlib import Path

import pytest
import torch
from bad_input import COMMANDS
from command_line import process, shell

from rnncli.cli import app

FULL = Path("/dev/full")
CUDA = torch.cuda.is_available()
NO_ARGUMENT = {"train", "tune", "schema"}  # commands that may be called without one

# the command line, words of the error; all of them are exit code 2
LINES: dict[str, tuple[list[str], str]] = {
    "typo trian": (["trian"], "did you mean 'train'"),
    "typo predct": (["predct", "run"], "did you mean 'predict'"),
    "typo inspect_weights": (["inspect_weights"], "did you mean 'inspect-weights'"),
    "a word like no command": (["xyzzy"], "rnncli --help"),
    "a file as command": (["waves.yaml"], "no such command"),
    "an empty command": ([""], "no such command"),
    "an option alone": (["--verbos"], "did you mean --verbose?"),
    "an option twice": (["train", "waves.yaml", "--out", "a", "--out", "b"], "twice"),
    "an option twice, once with =": (["train", "waves.yaml", "--out=a", "--out", "b"], "twice"),
    "a flag twice": (["predict", "run", "--quiet", "--quiet"], "twice"),
    "a flag twice, once short": (["predict", "run", "--quiet", "-q"], "twice"),
    "a short flag twice": (["predict", "run", "-q", "-q"], "twice"),
    "a short flag twice in one": (["predict", "run", "-qq"], "twice"),
    "verbose twice": (["predict", "run", "-v", "--verbose"], "twice"),
    "an option without its value": (["predict", "run", "--data"], "--data"),
    "a flag with a value": (["predict", "run", "--quiet=1"], "--quiet"),
    "--epochs": (["train", "waves.yaml", "--epochs", "5.0"], "did you mean training.epochs=…?"),
    "--lr nan": (["train", "waves.yaml", "--lr", "nan"], "did you mean training.learning_rate=…?"),
    "--hidden-size": (["train", "waves.yaml", "--hidden-size", "3"], "did you mean model.hidden_size=…?"),
    "an option of another command": (["train", "waves.yaml", "--by", "step"], "option of rnncli evaluate"),
    "another option of another command": (["predict", "run", "--overwrite"], "option of rnncli train"),
    "an option like no other": (["predict", "run", "--colour"], "no option --colour (rnncli predict --help"),
    "a short option like no other": (["predict", "run", "-x"], "no option -x"),
    "an argument as an option": (["predict", "--run", "run"], "no option --run (rnncli predict --help"),
    "an option nearly": (["predict", "run", "--jsn"], "did you mean --json?"),
    "--version of a command": (["predict", "run", "--version"], "--version"),
    "a further argument": (["predict", "run", "extra"], "extra"),
    "a further argument of schema": (["schema", "extra"], "extra"),
    "--format of a root twice": (["--format", "csv", "predict", "run", "--format", "csv"], "twice"),
    "--budget -1": (["train", "waves.yaml", "--budget", "-1"], "'-1' is not a time"),
    "--budget 1y": (["train", "waves.yaml", "--budget", "1y"], "'1y' is not a time"),
    "--budget nan": (["train", "waves.yaml", "--budget", "nan"], "'nan' is not a time"),
    "--budget inf": (["train", "waves.yaml", "--budget", "inf"], "'inf' is not a time"),
    "--budget 1e3": (["train", "waves.yaml", "--budget", "1e3"], "'1e3' is not a time"),
    "--budget 1_0": (["train", "waves.yaml", "--budget", "1_0"], "'1_0' is not a time"),
    "--budget of nothing": (["train", "waves.yaml", "--budget", ""], "'' is not a time"),
    "--budget with a space": (["train", "waves.yaml", "--budget", "10 m"], "'10 m' is not a time"),
    "--budget in other digits": (["train", "waves.yaml", "--budget", "１m"], "is not a time"),
    "--budget of 400 digits": (["train", "waves.yaml", "--budget", "9" * 400], "is not a time"),
    "--save-every soon": (["train", "waves.yaml", "--save-every", "soon"], "'soon' is not a time"),
    "--device gpu": (["predict", "run", "--device", "gpu"], "'gpu' must be auto, cpu, cuda or cuda:N"),
    "--device of nothing": (["predict", "run", "--device", ""], "'' must be auto, cpu, cuda or cuda:N"),
    "--device in capitals": (["predict", "run", "--device", "CUDA"], "must be auto, cpu, cuda or cuda:N"),
    "--device cuda:-1": (["predict", "run", "--device", "cuda:-1"], "must be auto, cpu, cuda or cuda:N"),
    "--device cuda:99": (["predict", "run", "--device", "cuda:99"], "there "),
    "--device cuda:99 of train": (["train", "waves.yaml", "--device", "cuda:99"], "there "),
    "--engine numpy of train": (["train", "waves.yaml", "--engine", "numpy"], "'numpy'"),
    "training.device=cuda:99": (["train", "waves.yaml", "training.device=cuda:99"], "there "),
    "--by day": (["evaluate", "run", "--by", "day"], "day"),
    "--by of nothing": (["evaluate", "run", "--by", ""], "--by"),
    "--fail-if of nothing": (["evaluate", "run", "--fail-if", ""], "not a condition"),
    "--fail-if a word": (["evaluate", "run", "--fail-if", "mase"], "not a condition"),
    "--fail-if without a number": (["evaluate", "run", "--fail-if", "mase>="], "not a condition"),
    "--fail-if nan": (["evaluate", "run", "--fail-if", "mase>nan"], "not a condition"),
    "--fail-if =": (["evaluate", "run", "--fail-if", "mase=1"], "not a condition"),
    "--fail-if two": (["evaluate", "run", "--fail-if", "mase>1 or mae>1"], "not a condition"),
    "--fail-if an expression": (["evaluate", "run", "--fail-if", "__import__('os')>1"], "not a condition"),
    "--fail-if another metric": (["evaluate", "run", "--fail-if", "accuracy<1"], "there are mae"),
    "--out of nothing": (["train", "waves.yaml", "--out", ""], "an empty name"),
    "--out -": (["train", "waves.yaml", "--out", "-"], "- is a stream"),
    "--out with a NUL": (["train", "waves.yaml", "--out", "a\0b"], "a NUL"),
    "--data of nothing": (["predict", "run", "--data", ""], "an empty name"),
    "--data of nothing for train": (["train", "waves.yaml", "--data", ""], "an empty name"),
    "RUN of nothing": (["predict", ""], "an empty name"),
    "RUN of nothing for compare": (["compare", "run", ""], "an empty name"),
    "--resume of nothing": (["train", "--resume", ""], "an empty name"),
    "--data missing": (["predict", "run", "--data", "nowhere.csv"], "nowhere.csv: no such file"),
    "--data a folder": (["predict", "run", "--data", "run"], "run: is a folder"),
    "tune without a config": (["tune"], "no CONFIG"),
    "tune --trials 0": (["tune", "waves.yaml", "--trials", "0"], "whole number"),
    "tune --trials 1.5": (["tune", "waves.yaml", "--trials", "1.5"], "whole number"),
    "tune --jobs 0": (["tune", "waves.yaml", "--jobs", "0"], "whole number"),
    "tune --jobs -1": (["tune", "waves.yaml", "--jobs", "-1"], "whole number"),
    "tune --budget soon": (["tune", "waves.yaml", "--budget", "soon"], "'soon' is not a time"),
    "tune --storage of nothing": (["tune", "waves.yaml", "--storage", ""], "not the URL of a database"),
    "tune --storage a word": (["tune", "waves.yaml", "--storage", "nonsense"], "not the URL of a database"),
    "tune --storage of the web": (["tune", "waves.yaml", "--storage", "http://x"], "not the URL of a database"),
    "tune --out beside --resume": (["tune", "--resume", "run", "--out", "x"], "--out beside --resume"),
    "tune --hidden-size": (["tune", "waves.yaml", "--hidden-size", "3"], "did you mean model.hidden_size=…?"),
    "train tune.trials": (["train", "waves.yaml", "tune.trials=3"], "has no effect on a single run"),
    "train ~tune.trials": (["train", "waves.yaml", "~tune.trials"], "has no effect on a single run"),
    "inspect-weights --values beside --units": (["inspect-weights", "run", "--values", "--units"], "give one of them"),
    "inspect-weights --diff beside --inputs": (["inspect-weights", "run", "--inputs", "--diff", "run"], "one of them"),
    "inspect-weights --values --data": (["inspect-weights", "run", "--values", "--data", "x"], "--data has no effect"),
    "inspect-weights --diff --data": (["inspect-weights", "run", "--diff", "run", "--data", "x"], "effect on --diff"),
    "inspect-weights --diff of nothing": (["inspect-weights", "run", "--diff", ""], "an empty name"),
    "inspect-weights --heatmap a.gif": (["inspect-weights", "run", "--heatmap", "a.gif"], "must end in .png"),
    "inspect-weights --heatmap of nothing": (["inspect-weights", "run", "--heatmap", ""], "an empty name"),
    "inspect-weights --heatmap - --units": (["inspect-weights", "run", "--heatmap", "-", "--units"], "draws instead"),
    "inspect-weights --heatmap - --data": (["inspect-weights", "run", "--heatmap", "-", "--data", "x"], "- beside --"),
    "inspect-weights --heatmap - --format csv":
        (["inspect-weights", "run", "--heatmap", "-", "--format", "csv"], "name a file for the picture"),
    "trace --what q": (["trace", "run", "--what", "h,q"], "lstm has no q (it has h, c, i, f, g, o; or say all)"),
    "trace --what of nothing": (["trace", "run", "--what", ""], "'' is not a list of names"),
    "trace --unit a word": (["trace", "run", "--unit", "x"], "'x' is not a list of numbers"),
    "trace --unit 12": (["trace", "run", "--unit", "12"], "there are 0 to 11"),
    "trace --layer 1": (["trace", "run", "--layer", "1"], "there is 0 alone"),
    "trace --direction up": (["trace", "run", "--direction", "up"], "must be forward or backward"),
    "trace --direction backward": (["trace", "run", "--direction", "backward"], "reads forward alone"),
    "trace --member 0": (["trace", "run", "--member", "0"], "the model is one network"),
    "trace --series of none": (["trace", "run", "--series", "nobody"], "no series 'nobody'"),
    "trace --last 0": (["trace", "run", "--last", "0"], "whole number"),
    "verify --tol nan": (["verify", "run", "--tol", "nan"], "'nan' is not a number from 0 on"),
    "verify --tol below 0": (["verify", "run", "--tol=-1e-5"], "'-1e-5' is not a number from 0 on"),
    "verify --windows 0": (["verify", "run", "--windows", "0"], "0 is not a whole number from 1"),
    "--data a glob of nothing": (["predict", "run", "--data", "*.nope"], "*.nope: no such file"),
}  # fmt: skip


def test_the_tables_know_every_command():
    """A new command belongs into tests/corpus/bad_input.py."""
    assert set(COMMANDS) == set(dict(app.COMMANDS))


@pytest.mark.parametrize("case", LINES)
def test_a_wrong_command_line_is_refused(ready, refuse, case):
    arguments, words = LINES[case]
    if CUDA and "there " in words:
        words = "device"
    error = refuse(*arguments, code=2, words=words)
    assert error["kind"] == "usage"


# the same for every command
ANYWHERE: dict[str, tuple[list[str], str]] = {
    "an unknown option": (["--no-such-thing"], "no option --no-such-thing"),
    "--format xml": (["--format", "xml"], "'xml' is not one of auto"),
    "--format of nothing": (["--format", ""], "'' is not one of auto"),
    "--format without its value": (["--format"], "--format"),
    "--json=1": (["--json=1"], "--json"),
    "--quiet twice": (["-q", "-q"], "twice"),
    "--verbosee": (["--verbosee"], "did you mean --verbose?"),
}  # fmt: skip


@pytest.mark.parametrize("case", ANYWHERE)
@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_that_every_command_has_is_refused_by_every_command(ready, invoke, command, case):
    more, words = ANYWHERE[case]
    arguments = COMMANDS[command]
    if command == "export" and "--format" in more:  # it has one of its own
        arguments, words = arguments[: arguments.index("--format")], words.replace("auto", "onnx")
    before = sorted(ready.rglob("*"))
    result = invoke(*arguments, *more)
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert len(result.err.splitlines()) == 1
    assert f"rnncli {command} --help" in result.err or "did you mean" in result.err or "once" in result.err
    assert sorted(ready.rglob("*")) == before


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - NO_ARGUMENT))
def test_a_command_without_its_argument_names_it(refuse, command):
    name = {"init": "DATA", "check": "CONFIG"}.get(command, "RUN")
    refuse(command, code=2, words=f"missing argument '{name}")


def test_train_without_a_config_says_how_it_is_called(refuse):
    refuse("train", code=2, words=["no CONFIG", "rnncli train CONFIG"])


@pytest.mark.parametrize("format", ["json", "csv", "jsonl", "table"])
def test_no_command_at_all_is_answered_with_help_on_stderr(invoke, format):
    result = invoke("--format", format)
    assert (result.code, result.out) == (2, "")
    if format == "json":
        assert json.loads(result.err)["error"]["kind"] == "usage"


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "run", "--json", "--format", "csv"],
        ["predict", "run", "--format", "table", "--json"],
        ["--json", "predict", "run", "--format", "csv"],
        ["--format", "csv", "predict", "run", "--json"],
        ["predict", "run", "--format=csv", "--json"],
    ],
    ids=" ".join,
)
def test_json_beside_another_format_is_refused(invoke, arguments):
    result = invoke(*arguments)
    assert (result.code, result.out) == (2, "")
    assert json.loads(result.err)["error"]["kind"] == "usage"


def test_json_beside_format_json_is_one_wish(invoke):
    assert invoke("inspect-weights", "nowhere", "--json", "--format", "json").code == 4


def test_after_two_dashes_nothing_is_a_flag(ready, invoke):
    whole = invoke("predict", "run").out
    (ready / "run").rename(ready / "-x")
    (ready / "waves.yaml").rename(ready / "--json")
    assert invoke("predict", "--", "-x").out == whole
    assert invoke("train", "--out", "other", "--", "--json", "training.epochs=1").code == 0
    (ready / "--quiet").mkdir()
    result = invoke("inspect-weights", "--json", "--", "--quiet")
    assert result.code == 4
    assert json.loads(result.err)["error"]["file"] == "--quiet/model.safetensors"


@pytest.mark.parametrize(
    "text", ["a\udcff", "\x1b[2J", "\u202e", "a\nb", "x" * 10_000], ids=lambda text: ascii(text)[:12]
)
@pytest.mark.parametrize(
    "arguments",
    [
        ["{}"],
        ["predict", "--{}"],
        ["predict", "{}"],
        ["train", "{}"],
        ["train", "waves.yaml", "{}=1"],
        ["train", "waves.yaml", "model.cell={}"],
        ["train", "waves.yaml", "--data", "{}"],
        ["predict", "run", "--data", "{}"],
        ["predict", "run", "--format", "{}"],
        ["predict", "run", "--device", "{}"],
        ["train", "waves.yaml", "--budget", "{}"],
        ["evaluate", "run", "--by", "{}"],
        ["evaluate", "run", "--fail-if", "{}"],
    ],
    ids=" ".join,
)
def test_what_is_typed_comes_back_short_and_without_control_characters(ready, invoke, arguments, text):
    result = invoke(*(argument.format(text) for argument in arguments))
    assert result.code in (2, 4)
    assert result.out == ""
    assert len(result.err.splitlines()) == 1
    assert len(result.err) < 1500
    assert result.err.replace("…", "").isascii()
    assert "\x1b" not in result.err


# what else keeps a command from its work: the command line, the exit code, words of the error
OTHERS: dict[str, tuple[list[str], int, str]] = {
    "a run exists": (["train", "waves.yaml", "--out", "run"], 5, "--overwrite"),
    "--out a file": (["train", "waves.yaml", "--out", "notes.txt"], 5, "is a file"),
    "--out under a file": (["train", "waves.yaml", "--out", "notes.txt/run"], 5, "Not a directory"),
    "--out far under a file": (["train", "waves.yaml", "--out", "notes.txt/a/b"], 5, "Not a directory"),
    "--out under the data": (["train", "waves.yaml", "--out", "waves.csv/run"], 5, "Not a directory"),
    "--out /dev/null": (["train", "waves.yaml", "--out", "/dev/null"], 5, "is a file"),
    "--out /dev/null/x": (["train", "waves.yaml", "--out", "/dev/null/x"], 5, "Not a directory"),
    "--out /proc/x": (["train", "waves.yaml", "--out", "/proc/x"], 5, "cannot write"),
    "--out a link to itself": (["train", "waves.yaml", "--out", "loop"], 5, "cannot write"),
    "--out of 300 letters": (["train", "waves.yaml", "--out", "x" * 300], 5, "File name too long"),
    "--data that is no table": (["train", "waves.yaml", "--data", "run/model.safetensors"], 3, "safetensors:"),
    "--data the config": (["train", "waves.yaml", "--data", "waves.yaml"], 3, "waves.yaml:"),
    "--data a link to itself": (["predict", "run", "--data", "loop"], 5, "Too many levels"),
    "--data a gzip bomb": (["predict", "run", "--data", "bomb.csv.gz"], 3, "bytes of data"),
    "a column missing": (["predict", "run", "--data", "short.csv"], 3, "no column day"),
    "data of another run": (["evaluate", "run", "--data", "other.csv"], 3, "no column"),
}  # fmt: skip
if not CUDA:
    OTHERS |= {
        "--device cuda": (["predict", "run", "--device", "cuda"], 5, "no CUDA device here"),
        "--device cuda:0": (["evaluate", "run", "--device", "cuda:0"], 5, "no CUDA device here"),
        "--device cuda of train": (["train", "waves.yaml", "--device", "cuda"], 5, "no CUDA device here"),
        "training.device=cuda": (["train", "waves.yaml", "training.device=cuda"], 5, "no CUDA device here"),
    }


@pytest.fixture
def littered(ready: Path) -> Path:
    """The folder with further things in it."""
    (ready / "notes.txt").write_text("mine")
    (ready / "loop").symlink_to("loop")
    (ready / "other.csv").write_text("t,y\n1,2\n")
    (ready / "short.csv").write_bytes((ready / "waves.csv").read_bytes().replace(b"id,day,", b"id,date,"))
    return ready


@pytest.mark.parametrize("case", OTHERS)
def test_what_keeps_a_command_from_its_work_is_named(littered, refuse, case):
    arguments, code, words = OTHERS[case]
    if "bomb.csv.gz" in arguments:
        (littered / "bomb.csv.gz").write_bytes(gzip.compress(b"id,day\n" + b"1,2\n" * 10_000_000, 1))
    refuse(*arguments, code=code, words=words)


URLS = (
    "http://example.org/x.csv", "https://example.org/x.csv", "HTTP://EXAMPLE.ORG/x.csv", "ftp://example.org/*.csv",
    "s3://bucket/x.csv", "gs://bucket/x.csv", "memory://x.csv", "file:///etc/passwd", "data://x",
)  # fmt: skip


@pytest.mark.parametrize("url", URLS)
def test_a_url_opens_no_socket(ready, refuse, monkeypatch, url):
    def opened(*unused, **more):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", opened)
    monkeypatch.setattr(socket, "getaddrinfo", opened)
    for arguments in (
        ["predict", "run", "--data", url],
        ["evaluate", "run", "--data", url],
        ["train", "waves.yaml", "--data", url],
        ["train", "waves.yaml", f"data.path=[waves.csv, '{url}']"],
        ["train", url],
    ):
        refuse(*arguments, code=2, words=[url, "only local files"])


def test_columns_are_found_by_name(ready, invoke):
    """F33: missing columns are an error (above), the order does not matter, further ones are ignored with a warning."""
    whole = invoke("predict", "run")
    lines = (ready / "waves.csv").read_text(encoding="utf-8").splitlines()
    cells = [line.rsplit(",", 2) for line in lines]
    (ready / "turned.csv").write_text("\n".join(",".join(reversed(row)) for row in cells) + "\n", encoding="utf-8")
    turned = invoke("predict", "run", "--data", "turned.csv")
    assert (turned.out, turned.err) == (whole.out, "")
    (ready / "more.csv").write_text("\n".join(f"{line},=x[/]" for line in lines) + "\n", encoding="utf-8")
    more = invoke("predict", "run", "--data", "more.csv")
    assert (more.code, more.out) == (0, whole.out)
    assert more.err == "warning: more.csv: the model does not read =x[/]\n"
    assert invoke("predict", "run").err == ""


FORMULAS = ("=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1")


def test_cells_that_a_spreadsheet_would_run_are_told_and_can_be_quoted(ready, invoke):
    """F38."""
    names = [*FORMULAS, "-5", "+1e3", "a=b"]
    rows = [f'"{name}",{day},{(day * 7) % 11}.5' for name in names for day in range(30)]
    (ready / "f.csv").write_text("\n".join(["id,day,y", *rows]) + "\n")
    config = (ready / "waves.yaml").read_text(encoding="utf-8").splitlines()
    config[0] = "data: {path: f.csv, time: day, series: id, target: y}"
    (ready / "f.yaml").write_text("\n".join(config) + "\n")
    assert invoke("train", "f.yaml", "--out", "f").code == 0
    plain = invoke("predict", "f")
    assert plain.err == "warning: 15 cells would be formulas in a spreadsheet (--excel-safe puts a ' before them)\n"
    assert ids(plain.out) == names
    safe = invoke("predict", "f", "--excel-safe")
    assert (safe.code, safe.err) == (0, "")
    assert ids(safe.out) == [f"'{name}" if name in FORMULAS else name for name in names]
    for format in ("json", "jsonl", "table"):
        assert invoke("predict", "f", "--format", format).err == ""


def ids(text: str) -> list[str]:
    """The different values of the first column of a CSV."""
    return list(dict.fromkeys(row[0] for row in list(csv.reader(io.StringIO(text)))[1:]))


SECRET = "SECRET-" + "0123456789" * 20


def test_no_traceback_shows_a_value(ready, invoke, monkeypatch):
    """F41: not even with --verbose, and of what was typed no more than 80 characters."""
    monkeypatch.setenv("TOKEN", SECRET)
    result = invoke("train", "waves.yaml", f"model.cell={SECRET}", "--verbose")
    assert "Traceback" in result.err
    assert SECRET[:80] not in result.err

    def broken(*unused, **more):
        token = os.environ["TOKEN"]
        raise KeyError(len(token))

    monkeypatch.setenv("RNNCLI_DEBUG", "1")
    monkeypatch.setattr("rnncli.checkpoint.read", broken)
    result = invoke("inspect-weights", "run")
    assert result.code == 1
    assert "Traceback" in result.err
    assert "SECRET" not in result.err


# streams: every command in this process


def closed_pipe() -> io.TextIOWrapper:
    """A pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return io.TextIOWrapper(os.fdopen(writer, "wb"), encoding="utf-8")


@pytest.mark.parametrize("command", [*COMMANDS, "--help"])
def test_a_reader_that_has_left_is_141_and_quiet(ready, invoke, command):
    arguments = [*COMMANDS[command], "--quiet"] if command in COMMANDS else [command]
    with closed_pipe() as stream:
        result = invoke(*arguments, stdout=stream)
    assert (result.code, result.err) == (141, "")
    if command == "train":  # what was trained is there all the same
        assert (ready / "other" / "metrics.json").exists()
        assert invoke("predict", "other").code == 0


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", [*COMMANDS, "--help"])
def test_a_full_disk_under_stdout_is_5_and_one_line(ready, invoke, command):
    arguments = [*COMMANDS[command], "--quiet"] if command in COMMANDS else [command]
    with FULL.open("w") as stream:
        result = invoke(*arguments, stdout=stream)
    assert result.code == 5
    assert result.err.count("\n") == 1
    assert "No space left" in result.err


@pytest.mark.parametrize("command", [*COMMANDS, "--help", "--version"])
def test_a_closed_stdout_is_5_before_any_work(ready, invoke, command):
    before = sorted(ready.rglob("*"))
    result = invoke(*COMMANDS.get(command, [command]), stdout=None)
    assert result.code == 5
    assert result.err.startswith("error: stdout is closed")
    assert sorted(ready.rglob("*")) == before


@pytest.mark.parametrize("kind", ["closed", "a pipe that nobody reads", "full"])
@pytest.mark.parametrize("command", COMMANDS)
def test_stderr_is_not_needed(ready, invoke, command, kind):
    if kind == "closed":
        result = invoke(*COMMANDS[command], stderr=None)
    elif kind == "full" and FULL.exists():
        with FULL.open("w") as stream:
            result = invoke(*COMMANDS[command], stderr=stream)
    else:
        with closed_pipe() as stream:
            result = invoke(*COMMANDS[command], stderr=stream)
    assert result.code == 0
    assert result.out


@pytest.mark.parametrize("arguments", [["trian"], [], ["inspect-weights", "nowhere"], ["predict"]], ids=" ".join)
def test_an_error_that_nobody_hears_has_its_code(ready, invoke, arguments):
    code = invoke(*arguments).code
    assert code in (2, 4)
    assert invoke(*arguments, stderr=None).code == code
    with closed_pipe() as stream:
        assert invoke(*arguments, stderr=stream).code == code


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "stdin: is empty"),
        (b"\n\n", "stdin: is empty"),
        (bytes(range(256)), "stdin:1: a NUL"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "stdin:1: is gzip"),
        (None, "stdin is closed"),
    ],
    ids=["empty", "blank", "binary", "gzip", "closed"],
)
def test_a_stdin_without_a_table_is_3(ready, refuse, monkeypatch, content, words):
    class Again(io.TextIOWrapper):
        """Can be read by one command after another."""

        @property
        def buffer(self):
            return io.BytesIO(content)

    monkeypatch.setattr(sys, "stdin", None if content is None else Again(io.BytesIO()))
    for arguments in (
        ["predict", "run"],
        ["evaluate", "run"],
        ["trace", "run"],
        ["inspect-weights", "run"],
        ["train", "waves.yaml", "--out", "new"],
    ):
        refuse(*arguments, "--data", "-", code=3, words=words)


def test_data_from_a_pipe_is_read_once(ready, invoke):
    """F45: as `<(…)` of a shell gives one."""
    content = (ready / "waves.csv").read_bytes()
    whole = invoke("predict", "run").out
    for command in (["predict", "run"], ["evaluate", "run"], ["train", "waves.yaml", "--out", "other"]):
        reader, writer = os.pipe()
        os.write(writer, content)
        os.close(writer)
        result = invoke(*command, "--data", f"/dev/fd/{reader}")
        os.close(reader)
        assert result.code == 0, result.err
        if command[0] == "predict":
            assert result.out == whole


# environments: every command in this process

ENVIRONMENTS: dict[str, dict[str, str | None]] = {
    "no home": {"HOME": None, "XDG_CACHE_HOME": None},
    "a home that is none": {"HOME": "/nowhere"},
    "a dumb terminal": {"TERM": "dumb"},
    "no terminal": {"TERM": None},
    "an unknown terminal": {"TERM": "vt\x1b[2J"},
    "20 columns": {"COLUMNS": "20"},
    "1 column": {"COLUMNS": "1"},
    "0 columns": {"COLUMNS": "0"},
    "-5 columns": {"COLUMNS": "-5"},
    "abc columns": {"COLUMNS": "abc"},
    "100000 columns": {"COLUMNS": "100000"},
    "no path": {"PATH": None},
}


@pytest.mark.parametrize("case", ENVIRONMENTS)
@pytest.mark.parametrize("command", [*(name for name in COMMANDS if name not in ("train", "tune")), "--help"])
def test_any_environment_will_do(ready, invoke, monkeypatch, command, case):
    arguments = [*(["--format", "table"] if command in COMMANDS else []), *COMMANDS.get(command, [command])]
    plain = invoke(*arguments)
    for name, value in ENVIRONMENTS[case].items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    result = invoke(*arguments)
    assert (result.code, result.err) == (0, plain.err)
    assert "".join(plain.out.split())[:20] == "".join(result.out.split())[:20]
    assert "\x1b" not in result.out


# processes of their own: what this one cannot do to itself


@pytest.mark.parametrize("line", ["inspect-weights run --values", "--help"])
def test_a_process_whose_reader_has_left(trained, line):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = process(line.split(), trained, stdout=writer, env={"PYTHONUNBUFFERED": "1" if line == "--help" else ""})
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_head_takes_one_line_of_many(trained):
    done = shell('rnncli inspect-weights run --values | (head -1; exec <&-); echo "${PIPESTATUS[0]}"', trained)
    header, code = done.stdout.decode().splitlines()
    assert header.startswith("member,parameter,")
    assert code in ("141", "0")  # 0 if all of it was in the pipe before head left
    assert done.stderr == b""


@pytest.mark.parametrize("line", ["predict run >&-", "train waves.yaml --out other >&-", "--version >&-"])
def test_a_process_with_a_closed_stdout(trained, line):
    before = sorted(trained.rglob("*"))
    done = shell(f"rnncli {line}", trained)
    assert done.returncode == 5
    assert done.stderr.decode().startswith("error: stdout is closed")
    assert sorted(trained.rglob("*")) == before


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("line", ["schema", "inspect-weights run --values --json"])
def test_a_process_with_a_full_disk_under_stdout(trained, line, unbuffered):
    done = shell(f"rnncli {line} >/dev/full", trained, {"PYTHONUNBUFFERED": unbuffered})
    assert done.returncode == 5
    assert done.stderr.decode().count("\n") == 1
    assert "No space left" in done.stderr.decode()


@pytest.mark.parametrize(
    ("line", "code"),
    [("inspect-weights run 2>&-", 0), ("trian 2>&-", 2), ("inspect-weights nowhere 2>/dev/full", 4), (" 2>&-", 2)],
)
def test_a_process_without_stderr(trained, line, code):
    done = shell(f"rnncli {line}", trained)
    assert done.returncode == code
    assert bool(done.stdout) == (code == 0)


def test_a_bare_environment_changes_no_byte(invoke, trained):
    """No home, the C locale, ASCII for Python, no colours, a dumb terminal of no size: the same UTF-8 rows."""
    bare = {
        "HOME": None, "LANG": None, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "TERM": "dumb",
        "COLUMNS": "0", "NO_COLOR": "1", "XDG_CACHE_HOME": None,
    }  # fmt: skip
    done = process(["predict", "run"], trained, env=bare)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode("utf-8") == invoke("predict", "run", cwd=trained).out


def test_an_error_in_a_bare_environment_is_utf_8(trained):
    bare = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    done = process(["inspect-weights", "grüße"], trained, env=bare)
    assert done.returncode == 4
    assert done.stderr.decode("utf-8").startswith("error: grüße: no such file")


def test_arguments_that_are_not_utf_8(trained):
    done = shell("rnncli inspect-weights $'\\xff' --json", trained)
    assert done.returncode == 4
    assert json.loads(done.stderr)["error"]["kind"] == "checkpoint"
