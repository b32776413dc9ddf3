"""Both streams: results on stdout and nothing else, in every format, on pipes, full disks and terminals."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from command_line import environment, process, shell

STRANGE_IDS = ("plain", "[x][/]", "\x1b[2J", "\u202eé")
STRANGE_TARGET = "[/]\x1b[31m\u202e"
METRICS = ["mae", "mse", "rmse", "mase", "smape", "scaled_mse", "scaled_mae"]
INTERVALS = [f"interval_{level}_{what}" for level in (80, 95) for what in ("coverage", "width")]
SUMMARY_KEYS = ["run", "task", "device", "parameters", "epochs", "seconds", "validation", "test", "baselines", "skill"]
ERROR_KEYS = {"code", "kind", "message", "hint", "file", "line", "column", "key"}
DOCUMENTS = (
    ["evaluate", "run"],
    ["evaluate", "run", "--by", "step"],
    ["evaluate", "run", "--by", "series"],
    ["inspect-weights", "run"],
)
ROWS = (["predict", "run"], ["inspect-weights", "run", "--values"], ["trace", "run", "--what", "all"])


def _terminal(arguments, cwd, env=None, columns=80) -> tuple[int, str]:
    """Exit code and everything that a terminal of that width is sent."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "rnncli", *map(str, arguments)],
        cwd=cwd, stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal,
        env=environment({"TERM": "xterm", **(env or {})}),
    ) as process:  # fmt: skip
        os.close(terminal)
        received = b""
        while True:
            try:
                part = os.read(controller, 65536)
            except OSError:  # how Linux says that the other end is closed
                break
            if not part:
                break
            received += part
    os.close(controller)
    return process.returncode, received.decode("utf-8", "surrogateescape").replace("\r\n", "\n")


def _train_in(folder: Path, trained: Path) -> None:
    """Put the config and the data of `trained` into `folder`."""
    for name in ("waves.csv", "waves.yaml"):
        (folder / name).write_bytes((trained / name).read_bytes())


def _rows_of_csv(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


# what goes where


def test_training_prints_one_json_document_and_its_progress_beside_it(trained, tmp_path):
    _train_in(tmp_path, trained)
    done = process(["train", "waves.yaml", "--out", "run"], tmp_path)
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert list(document) == [*SUMMARY_KEYS, "intervals", "answers"]
    assert document == json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    progress = done.stderr.decode()
    assert "epoch 1/2" in progress
    assert "epoch 2/2" in progress
    assert "\x1b" not in progress
    assert "\r" not in progress


def test_a_run_writes_nothing_outside_its_folder(invoke, trained, tmp_path):
    _train_in(tmp_path, trained)
    assert invoke("train", "waves.yaml", "--out", "deep/run").code == 0
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    files = ("config.yaml", "history.csv", "last.safetensors", "manifest.json", "metrics.json", "model.safetensors")
    assert found == {"waves.csv", "waves.yaml", *(f"deep/run/{name}" for name in files)}


def test_without_out_the_run_is_named_after_the_config(invoke, trained, tmp_path):
    _train_in(tmp_path, trained)
    result = invoke("train", "waves.yaml", "training.epochs=1")
    assert json.loads(result.out)["run"] == "runs/waves"
    assert (tmp_path / "runs" / "waves" / "model.safetensors").exists()


@pytest.mark.parametrize("flag", ["--quiet", "-q"])
def test_quiet_leaves_stderr_empty(invoke, trained, tmp_path, flag):
    _train_in(tmp_path, trained)
    result = invoke("train", "waves.yaml", "training.epochs=1", flag)
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out)["epochs"] == 1


def test_predictions_are_csv_in_the_order_of_the_input(invoke, trained):
    result = invoke("predict", "run", cwd=trained)
    rows = _rows_of_csv(result.out)
    assert (result.code, result.err) == (0, "")
    assert rows[0] == ["id", "day", "step", f"{STRANGE_TARGET}_pred"]
    assert [row[0] for row in rows[1:]] == [name for name in STRANGE_IDS for _ in range(3)]
    assert [row[1] for row in rows[1:4]] == ["2020-02-10", "2020-02-11", "2020-02-12"]
    assert [row[2] for row in rows[1:4]] == ["1", "2", "3"]


# formats


@pytest.mark.parametrize("arguments", DOCUMENTS, ids=" ".join)
@pytest.mark.parametrize("format", ["auto", "json", "jsonl"])
def test_summaries_are_one_json_document(invoke, trained, arguments, format):
    result = invoke(*arguments, "--format", format, cwd=trained)
    assert (result.code, result.err) == (0, "")
    document = json.loads(result.out)
    assert document["run"] == "run"
    assert (len(result.out.splitlines()) == 1) == (format == "jsonl")
    if arguments[0] == "evaluate":
        assert list(document)[: len(SUMMARY_KEYS)] == SUMMARY_KEYS


@pytest.mark.parametrize("arguments", [*DOCUMENTS, *ROWS], ids=" ".join)
def test_csv_is_rectangular_with_a_header(invoke, trained, arguments):
    result = invoke(*arguments, "--format", "csv", cwd=trained)
    rows = _rows_of_csv(result.out)
    assert (result.code, result.err) == (0, "")
    assert len(rows) > 2
    assert {len(row) for row in rows} == {len(rows[0])}
    assert len(set(rows[0])) == len(rows[0])
    assert not any(cell in ("nan", "None", "NaN", "inf") for row in rows for cell in row)


@pytest.mark.parametrize("arguments", ROWS, ids=" ".join)
def test_rows_say_the_same_in_every_format(invoke, trained, arguments):
    as_csv = _rows_of_csv(invoke(*arguments, "--format", "csv", cwd=trained).out)
    as_lines = [json.loads(line) for line in invoke(*arguments, "--format", "jsonl", cwd=trained).out.splitlines()]
    as_json = json.loads(invoke(*arguments, "--json", cwd=trained).out)
    assert as_lines == as_json
    assert [list(row) for row in as_json] == [as_csv[0]] * (len(as_csv) - 1)
    for row, cells in zip(as_json, as_csv[1:], strict=True):
        for value, cell in zip(row.values(), cells, strict=True):
            if isinstance(value, float):
                assert float(cell) == pytest.approx(value, rel=1e-8)
            else:
                assert cell == ("" if value is None else str(value))


@pytest.mark.parametrize("arguments", [*DOCUMENTS, *ROWS], ids=" ".join)
def test_a_table_is_for_people(invoke, trained, arguments):
    result = invoke(*arguments, "--format", "table", cwd=trained)
    assert (result.code, result.err) == (0, "")
    assert not result.out.lstrip().startswith(("{", "["))
    assert result.out.count("\n") > 3
    assert "\x1b" not in result.out
    assert "\u202e" not in result.out


def test_breakdowns_have_a_row_for_each(invoke, trained):
    steps = json.loads(invoke("evaluate", "run", "--by", "step", cwd=trained).out)["by_step"]
    assert [row["step"] for row in steps] == [1, 2, 3]
    series = json.loads(invoke("evaluate", "run", "--by", "series", cwd=trained).out)["by_series"]
    assert [row["id"] for row in series] == list(STRANGE_IDS)
    columns = [*METRICS, *INTERVALS]
    assert all(list(row)[1:] == columns for row in steps + series)
    rows = _rows_of_csv(invoke("evaluate", "run", "--by", "series", "--format", "csv", cwd=trained).out)
    assert rows[0] == ["id", *columns]
    assert [row[0] for row in rows[1:]] == list(STRANGE_IDS)


def test_the_verdict_is_a_sentence_of_the_table_alone(invoke, trained):
    assert "The model" in invoke("evaluate", "run", "--format", "table", cwd=trained).out
    assert "The model" not in invoke("evaluate", "run", "--format", "csv", cwd=trained).out


def test_evaluate_repeats_what_train_printed(invoke, trained):
    saved = json.loads((trained / "run" / "metrics.json").read_text(encoding="utf-8"))
    again = json.loads(invoke("evaluate", "run", cwd=trained).out)
    assert {key: again[key] for key in ("validation", "test", "baselines", "skill", "parameters", "epochs")} == {
        key: saved[key] for key in ("validation", "test", "baselines", "skill", "parameters", "epochs")
    }


def test_json_escapes_what_a_terminal_would_obey(invoke, trained):
    for arguments in (["predict", "run", "--json"], ["evaluate", "run", "--by", "series"]):
        text = invoke(*arguments, cwd=trained).out
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "é" in text


# streams and colours


def test_training_goes_on_when_nobody_hears_its_progress(trained, tmp_path):
    _train_in(tmp_path, trained)
    done = shell("rnncli train waves.yaml --out run 2> >(true)", tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["epochs"] == 2


def test_colours_follow_the_environment(trained):
    arguments = ["inspect-weights", "run", "--format", "table"]
    plain = process(arguments, trained).stdout
    assert b"\x1b" not in plain
    assert b"\x1b" not in process(arguments, trained, env={"NO_COLOR": "1"}).stdout
    assert b"\x1b[" in process(arguments, trained, env={"FORCE_COLOR": "1"}).stdout


def test_forced_colours_stay_out_of_data(trained):
    for format in ("json", "csv"):
        done = process(["inspect-weights", "run", "--format", format], trained, env={"FORCE_COLOR": "1"})
        assert b"\x1b" not in done.stdout


# terminals


def test_a_terminal_is_shown_a_table(trained):
    code, text = _terminal(["inspect-weights", "run"], trained)
    assert code == 0
    assert "weight_hh" in text
    assert not text.lstrip().startswith("{")
    assert all(len(line) <= 80 for line in text.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines())


@pytest.mark.parametrize("columns", [0, 1, 20, 40])
def test_a_narrow_terminal_is_shown_a_table_too(trained, columns):
    code, text = _terminal(["inspect-weights", "run"], trained, columns=columns)
    assert code == 0
    assert "Traceback" not in text


def test_a_terminal_gets_json_if_that_is_asked_for(trained):
    code, text = _terminal(["inspect-weights", "run", "--json"], trained)
    assert code == 0
    assert json.loads(text)["run"] == "run"


@pytest.mark.parametrize("format", ["auto", "table", "csv", "json", "jsonl"])
def test_no_name_reaches_a_terminal_raw(trained, format):
    code, text = _terminal(["inspect-weights", "run", "--values", "--format", format], trained, {"TERM": "dumb"})
    assert code == 0
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[/]" in text


def test_ids_reach_a_terminal_visibly(trained):
    code, text = _terminal(["predict", "run"], trained, {"TERM": "dumb"})
    assert code == 0
    assert "\x1b" not in text
    assert "\u202e" not in text
    for shown in ("plain", "[x][/]", "\\x1b[2J", "\\u202eé"):
        assert text.count(shown) >= 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["{}"],
        ["inspect-weights", "{}"],
        ["predict", "--{}"],
        ["predict", "run", "--format", "{}"],
        ["train", "c.yaml", "--budget", "{}"],
        ["evaluate", "run", "--by", "{}"],
        ["--format", "{}"],
    ],
    ids=" ".join,
)
def test_errors_send_no_control_character_to_a_terminal(trained, arguments):
    code, text = _terminal([argument.format("\x1b[2J") for argument in arguments], trained)
    assert code in (2, 4)
    assert "\x1b" not in text
    assert "[2J" in text


def test_a_terminal_is_shown_a_progress_bar(trained, tmp_path):
    _train_in(tmp_path, trained)
    code, text = _terminal(["train", "waves.yaml", "--out", "run"], tmp_path)
    assert code == 0
    assert "epoch   1/2" in text
    assert "━" in text
    assert "\x1b[?25l" in text
    assert text.count("\x1b[?25h") == text.count("\x1b[?25l")  # the cursor is back
    table = text[text.rindex("\x1b[?25h") :]
    assert "scaled_mae" in table
    assert "The model" in table


def test_a_dumb_terminal_is_told_every_epoch(trained, tmp_path):
    _train_in(tmp_path, trained)
    code, text = _terminal(["train", "waves.yaml", "--out", "run"], tmp_path, {"TERM": "dumb"})
    assert code == 0
    assert "\x1b" not in text
    assert "epoch 1/2" in text
    assert "epoch 2/2" in text


# errors


def test_an_error_names_file_line_and_column_in_json_too(invoke, trained, tmp_path):
    _train_in(tmp_path, trained)
    (tmp_path / "bad.yaml").write_text("seed: 1\nmodel: {units: 3}\n")
    error = json.loads(invoke("train", "bad.yaml", "--json").err)["error"]
    first = next(problem for problem in error["problems"] if problem["key"] == "model.units")
    assert (first["file"], first["line"], first["column"]) == ("bad.yaml", 2, 9)
    assert "model.hidden_size" in first["hint"]
    assert all(set(problem) == ERROR_KEYS for problem in error["problems"])


def test_an_error_in_the_data_names_the_cell(invoke, trained, tmp_path):
    _train_in(tmp_path, trained)
    text = (tmp_path / "waves.csv").read_text(encoding="utf-8").splitlines()
    text[9] = text[9].rpartition(",")[0] + ",high"
    (tmp_path / "waves.csv").write_text("\n".join(text) + "\n", encoding="utf-8")
    error = json.loads(invoke("train", "waves.yaml", "--json").err)["error"]
    assert (error["file"], error["line"], error["column"], error["key"]) == ("waves.csv", 10, None, STRANGE_TARGET)


def test_verbose_shows_the_traceback_and_the_error_after_it(invoke):
    result = invoke("train", "nowhere.yaml", "--verbose")
    assert result.err.startswith("Traceback")
    assert result.err.splitlines()[-1].startswith("error: nowhere.yaml: ")


def test_an_existing_run_is_kept_unless_told_otherwise(invoke, trained, tmp_path):
    _train_in(tmp_path, trained)
    assert invoke("train", "waves.yaml", "--out", "run").code == 0
    before = (tmp_path / "run" / "model.safetensors").read_bytes()
    refused = invoke("train", "waves.yaml", "--out", "run", "seed=1")
    assert (refused.code, refused.out) == (5, "")
    assert "--overwrite" in refused.err
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == before
    assert invoke("train", "waves.yaml", "--out", "run", "seed=1", "--overwrite").code == 0
    assert (tmp_path / "run" / "model.safetensors").read_bytes() != before


@pytest.mark.parametrize(
    "name", ["\U0001f600.csv", "a b.csv", "a'b\".csv", "#1: x.csv", "*.csv", "[x].csv", "1e5"], ids=ascii
)
def test_any_file_name_will_do(invoke, trained, tmp_path, name):
    _train_in(tmp_path, trained)
    (tmp_path / "waves.csv").rename(tmp_path / name)
    result = invoke("train", "waves.yaml", "--data", name, "--out", "run", "training.epochs=1")
    assert result.code == 0, result.err
    assert invoke("predict", "run").out == invoke("predict", "run", "--data", name).out
    assert invoke("train", "--resume", "run").code == 0


def test_predict_reads_stdin(invoke, trained, monkeypatch):
    with (trained / "waves.csv").open(encoding="utf-8", newline="") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        piped = invoke("predict", "run", "--data", "-", cwd=trained)
    assert (piped.code, piped.err) == (0, "")
    assert piped.out == invoke("predict", "run", cwd=trained).out


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_warnings_are_json_where_errors_are(invoke, trained, tmp_path, format):
    (tmp_path / "c.yaml").write_text((trained / "waves.yaml").read_text())
    text = (trained / "waves.csv").read_text().split("\n")
    (tmp_path / "waves.csv").write_text("\n".join([f"{text[0]},", *(f"{line},1" for line in text[1:] if line)]) + "\n")
    assert invoke("check", "c.yaml").err.startswith("warning: waves.csv:1: column 4")
    result = invoke("check", "c.yaml", "--format", format)
    warning = json.loads(result.err.splitlines()[0])
    assert warning == {"warning": {"message": "waves.csv:1: column 4 has no name and is left out"}}
