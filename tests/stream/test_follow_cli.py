"""``predict --follow`` as a process: rows through pipes and files, states saved and restored, signals and bad rows."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pytest
from command_line import Cli
from small_runs import fit
from test_follow import FORECAST, REGRESSION, panel, with_keys

from rnncli import checkpoint
from rnncli.stream.snapshot import KIND


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``run``, a forecaster with intervals, and ``rows.csv``, a header and 120 rows of three series."""
    made = tmp_path_factory.mktemp("follow")
    frame = panel()
    fit(frame, made, FORECAST)
    frame.to_csv(made / "rows.csv", index=False)
    return made


def lines_of(folder: Path) -> list[str]:
    return (folder / "rows.csv").read_text().splitlines(keepends=True)


def start(folder: Path, *arguments: str, **streams: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "rnncli", "predict", "run", "--follow", *arguments],
        cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **streams,
    )  # fmt: skip


def read_lines(stream: IO[str] | None, count: int) -> list[str]:
    assert stream is not None
    return [stream.readline() for _ in range(count)]


def test_every_row_is_answered_before_the_next_one_comes(folder: Path) -> None:
    rows = lines_of(folder)
    process = start(folder)
    assert process.stdin is not None
    process.stdin.write(rows[0])
    process.stdin.flush()
    assert read_lines(process.stdout, 1) == ["id,t,step,y_pred,anomaly_score\n"]
    for row in rows[1:4]:
        process.stdin.write(row)
        process.stdin.flush()
        answer = read_lines(process.stdout, 3)
        assert [line.split(",")[:3] for line in answer] == [[row[:2], str(step), str(step)] for step in (1, 2, 3)]
    out, err = process.communicate()
    assert (process.returncode, out) == (0, "")
    assert "3 rows of 3 series, 9 lines of answers" in err


def test_torch_and_pandas_are_not_loaded(folder: Path) -> None:
    code = (
        "import sys\nfrom rnncli.cli.app import main\n"
        "try: main(['predict', 'run', '--follow', '--level', '80', '-q'])\n"
        "except SystemExit as end: assert not end.code\n"
        "print([name for name in ('torch', 'pandas') if name in sys.modules])"
    )
    rows = "".join(lines_of(folder))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, input=rows, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert len(done.stdout.splitlines()) == 1 + 120 * 3 + 1


@pytest.mark.parametrize("cut", [2, 57, 119])
@pytest.mark.parametrize("context", [(), ("--context", "6")])
def test_a_pipeline_stops_and_goes_on_to_the_same_bytes(
    folder: Path, tmp_path: Path, cli: Cli, cut: int, context: tuple[str, ...]
) -> None:
    rows, state = lines_of(folder), tmp_path / "s"
    options = ("predict", "run", "--follow", "--level", "80,95", *context)
    whole = cli(*options, cwd=folder, input="".join(rows))
    first = cli(*options, "--state-out", state, cwd=folder, input="".join(rows[:cut]))
    second = cli(*options, "--state-in", state, cwd=folder, input="".join(rows[cut:]))
    with_header = cli(*options, "--state-in", state, cwd=folder, input=rows[0] + "".join(rows[cut:]))
    assert [done.returncode for done in (whole, first, second)] == [0, 0, 0]
    assert first.stdout + second.stdout == whole.stdout
    assert with_header.stdout == second.stdout
    assert f"goes on after {cut - 1} rows" in second.stderr


def test_a_killed_follower_loses_nothing_and_says_where_to_go_on(folder: Path, tmp_path: Path) -> None:
    rows, state = lines_of(folder), tmp_path / "s"
    expected = "".join(output(folder, rows))
    chance, done = random.Random(5), ["id,t,step,y_pred,anomaly_score\n"]
    for _ in range(8):
        read = 0
        options = ["--state-out", str(state), "--state-every", "7"]
        if state.exists():
            content = checkpoint.read(state, KIND).content
            read, done = content["rows"], done[: 1 + content["written"]]
            options += ["--state-in", str(state)]
        process = start(folder, *options)
        assert process.stdin is not None
        assert process.stdout is not None
        fed = rows[1 + read :][: chance.randint(5, 20)]
        process.stdin.write(("" if read else rows[0]) + "".join(fed))
        process.stdin.flush()
        seen = [] if read else read_lines(process.stdout, 1)[1:]
        seen += read_lines(process.stdout, chance.randint(0, 3 * len(fed)))
        process.kill()
        seen += process.stdout.readlines()
        process.communicate()
        done += [line for line in seen if line.endswith("\n")]  # what was acknowledged
    content = checkpoint.read(state, KIND).content
    assert 0 < content["rows"] <= 120
    assert content["written"] == 3 * content["rows"]
    rest = output(folder, rows[1 + content["rows"] :], "--state-in", str(state))
    assert "".join(done[: 1 + content["written"]] + rest) == expected


def output(folder: Path, rows: list[str], *options: str) -> list[str]:
    process = start(folder, *options)
    out, _ = process.communicate("".join(rows))
    assert process.returncode == 0
    return out.splitlines(keepends=True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_its_state_saved(folder: Path, tmp_path: Path, number: int, code: int) -> None:
    rows, state = lines_of(folder), tmp_path / "s"
    process = start(folder, "--state-out", str(state))
    assert process.stdin is not None
    process.stdin.write("".join(rows[:31]))
    process.stdin.flush()
    before = read_lines(process.stdout, 91)
    process.send_signal(number)
    out, err = process.communicate()
    assert (process.returncode, out) == (code, "")
    assert f"{signal.Signals(number).name} after 30 rows: the state is in {state}" in err
    assert before + output(folder, rows[31:], "--state-in", str(state)) == output(folder, rows)


def test_a_row_that_is_not_whole_when_a_signal_comes_was_not_read(folder: Path, tmp_path: Path) -> None:
    rows, state = lines_of(folder), tmp_path / "s"
    process = start(folder, "--state-out", str(state))
    assert process.stdin is not None
    process.stdin.write("".join(rows[:4]) + rows[4][:8])  # which could be read as a shorter number
    process.stdin.flush()
    before = read_lines(process.stdout, 10)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate()
    assert (process.returncode, out) == (143, "")
    assert "warning" not in err
    assert checkpoint.read(state, KIND).content["rows"] == 3
    assert before + output(folder, rows[4:], "--state-in", str(state)) == output(folder, rows)


def test_bad_lines_around_the_header(folder: Path, tmp_path: Path) -> None:
    rows, state = lines_of(folder), tmp_path / "s"
    code, out, err = feed(folder, ['id,"t\n', *rows[:3]])
    assert (code, out) == (3, "")
    assert "stdin:1: the header: quotes that do not close" in err
    feed(folder, rows[:4], "--state-out", str(state))
    code, out, err = feed(folder, ['s0,"\n', *rows[4:6]], "--state-in", str(state), "--state-out", str(state))
    assert (code, out) == (0, feed(folder, rows[:6])[1].partition("\n")[2].split("\n", 9)[9])
    assert "warning: stdin:1: quotes that do not close" in err
    assert checkpoint.read(state, KIND).content["rows"] == 6


def test_a_file_that_grows_is_followed_until_a_signal(folder: Path, tmp_path: Path) -> None:
    rows, growing = lines_of(folder), tmp_path / "growing.csv"
    growing.write_text("".join(rows[:4]) + rows[4][:5])  # the last row is not whole yet
    process = start(folder, "--data", str(growing))
    first = read_lines(process.stdout, 10)
    with growing.open("a") as stream:
        stream.write(rows[4][5:] + rows[5])
    later = read_lines(process.stdout, 6)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert first + later == output(folder, rows[:6])


BAD = {
    "word": ("s0,1,abc,0,a,r0,up,1", "y: not a number: 'abc'"),
    "empty": ("s0,1,,0,a,r0,up,1", "y: an empty cell"),
    "short": ("s0,1", "2 fields where the header has 8"),
    "long": ("s0,1,5,0,a,r0,up,1,9", "9 fields"),
    "time": ("s0,noon,5,0,a,r0,up,1", "t: 'noon' is not a time"),
    "repeat": ("s0,0,5,0,a,r0,up,1", "t: the time repeats that of an earlier row of series s0"),
    "stranger": ("s9,1,5,0,a,r0,up,1", "series s9 was not in training"),
    "no id": (",1,5,0,a,r0,up,1", "id: an empty series id"),
    "infinite": ("s0,1,1e40,0,a,r0,up,1", "y: '1e40' is not a finite float32 number"),
    "digits": ("s0,1,1_0,0,a,r0,up,1", "y: not a number: '1_0'"),
    "quote": ('s0,1,"5,0,a,r0,up,1', "quotes that do not close"),
    "quoted": ('s0,1,"5"x,0,a,r0,up,1', "quotes that do not close"),
    "huge": ("s0," + "1" * 1_200_000 + ",5,0,a,r0,up,1", "over a million characters"),
    "latin": ("s\udce9,1,5,0,a,r0,up,1", "id: the id is not utf-8 text"),
}


def feed(folder: Path, rows: list[str], *options: str) -> tuple[int, str, str]:
    raw = "".join(rows).encode("utf-8", "surrogateescape")
    command = [sys.executable, "-m", "rnncli", "predict", "run", "--follow", *options]
    done = subprocess.run(command, cwd=folder, input=raw, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_told_by_its_line_and_left_out(folder: Path, name: str) -> None:
    rows = lines_of(folder)
    bad, message = BAD[name]
    code, out, err = feed(folder, [*rows[:4], bad + "\n", *rows[4:10]])
    assert code == 0
    assert out == feed(folder, rows[:10])[1]
    where, _, said = err.partition("warning: stdin:5")[2].partition(message)
    assert where in (" ", ": ")
    assert said


@pytest.mark.parametrize("name", ["word", "short", "repeat"])
def test_a_fatal_bad_row_ends_it_after_the_rows_before(folder: Path, tmp_path: Path, name: str) -> None:
    rows, state = lines_of(folder), tmp_path / "s"
    options = ("--on-bad-row", "fatal", "--state-out", str(state))
    code, out, err = feed(folder, [*rows[:4], BAD[name][0] + "\n", *rows[4:10]], *options)
    assert code == 3
    assert out == feed(folder, rows[:4])[1]
    assert err.startswith("error: stdin:5")
    assert "--on-bad-row skip" in err
    assert feed(folder, rows[4:], "--state-in", str(state))[1] == "".join(output(folder, rows)[10:])


def test_a_series_with_a_gap_begins_anew(folder: Path) -> None:
    rows = lines_of(folder)
    some = [row for row in rows[1:] if row.startswith("s1,")]
    code, out, err = feed(folder, [rows[0], *some[:5], *some[9:20]])
    assert code == 0
    assert "warning: stdin:7 t: 5 is missing: series s1 begins anew" in err
    found = [line.split(",")[:4] for line in out.splitlines()[1 + 15 :]]
    again = [line.split(",")[:4] for line in feed(folder, [rows[0], *some[9:20]])[1].splitlines()[1:]]
    assert found == again


REFUSED = [
    (["--every"], 2, "--every has no effect with --follow"),
    (["--device", "cuda"], 2, "--device has no effect with --follow"),
    (["--format", "json"], 2, "csv or jsonl"),
    (["--on-bad-row", "ignore"], 2, "skip, fatal"),
    (["--state-every", "5"], 2, "--state-out"),
    (["--state-every", "0", "--state-out", "s"], 2, "whole number"),
    (["--state-in", "-"], 2, "stream"),
    (["--state-in", "nothing"], 4, "no such file"),
    (["--state-in", "run/model.safetensors"], 4, "holds a model, not a stream state"),
    (["--state-out", "no/such/folder"], 5, "cannot write there"),
    (["--state-out", "run"], 5, "is a folder"),
    (["--data", "nothing.csv"], 2, "no such file"),
    (["--data", "run"], 2, "is a folder"),
    (["--data", "https://example.org/x.csv"], 2, "only local files"),
    (["--data", "rows.csv.gz"], 2, "plain text"),
    (["--quantiles"], 2, "the model has none"),
    (["--level", "0"], 2, "between 0 and 100"),
    (["--context", "0"], 2, "whole number"),
    (["--engine", "fast"], 2, "auto, native, numpy, torch"),
]


@pytest.mark.parametrize(("options", "code", "message"), REFUSED, ids=lambda part: str(part)[:30])
def test_what_cannot_be_done_is_refused_before_the_first_row(
    folder: Path, options: list[str], code: int, message: str
) -> None:
    ended = feed(folder, lines_of(folder), *options)
    assert ended[:2] == (code, "")
    assert message in ended[2]
    assert "Traceback" not in ended[2]


HEADERS = [
    ("", 3, "it is empty"),
    ("\n\n", 3, "it is empty"),
    ("id,t,x\ns0,0,1\n", 3, "no column y"),
    ("id,t,Y\ns0,0,1\n", 3, "did you mean Y?"),
    ("id,t,y,y\ns0,0,1,1\n", 3, "two columns are called y"),
]


@pytest.mark.parametrize(("text", "code", "message"), HEADERS)
def test_input_without_the_columns_of_the_model(folder: Path, text: str, code: int, message: str) -> None:
    ended = feed(folder, [text])
    assert ended[0] == code
    assert message in ended[2]


def test_quotes_byte_order_marks_and_other_line_ends(folder: Path) -> None:
    rows = lines_of(folder)[:10]
    plain = feed(folder, rows)[1]
    quoted = ["\ufeff" + ",".join(f'"{cell}"' for cell in row.strip().split(",")) + "\r\n" for row in rows]
    assert feed(folder, [quoted[0], *(row.removeprefix("\ufeff") for row in quoted[1:])])[1] == plain
    assert feed(folder, [*rows[:-1], rows[-1].strip()])[1] == plain  # no line end at the end


def test_json_lines(folder: Path) -> None:
    _, out, _ = feed(folder, lines_of(folder)[:8], "--format", "jsonl", "--level", "90")
    first, *_, last = [json.loads(line) for line in out.splitlines()]
    assert list(first) == ["id", "t", "step", "y_pred", "y_lo90", "y_hi90", "anomaly_score"]
    assert first["anomaly_score"] is None
    assert first["t"] == "1"
    assert last["anomaly_score"] > 0
    csv = feed(folder, lines_of(folder)[:8], "--level", "90")[1].splitlines()[-1].split(",")
    assert [f"{value:.9g}" if isinstance(value, float) else str(value) for value in last.values()] == csv


def test_models_that_cannot_stream_say_why(tmp_path: Path, cli: Cli) -> None:
    frame = panel(dates=True)
    cases: list[tuple[dict[str, Any], str]] = [
        (with_keys(REGRESSION, model={"bidirectional": True}), "model.bidirectional"),
        (with_keys(FORECAST, data={"future": ["x"]}), "data.future"),
        (with_keys(REGRESSION, data={"irregular": "resample"}), "resample"),
        (with_keys(REGRESSION, window={"context": "full"}, model={"readout": "mean"}), "window.context"),
        (with_keys(REGRESSION, task={"kind": "tagging"}, model={"front_end": "conv"}), "model.front_end"),
    ]
    for values, reason in cases:
        fit(frame, tmp_path, values)
        done = cli("predict", "run", "--follow", input=frame.to_csv(index=False))
        assert (done.returncode, done.stdout) == (2, "")
        assert reason in done.stderr


def test_states_of_other_models_and_damaged_ones_are_refused(folder: Path, tmp_path: Path) -> None:
    rows, state = lines_of(folder), tmp_path / "s"
    feed(folder, rows, "--state-out", str(state))
    assert feed(folder, rows, "--state-in", str(state), "--level", "80")[0] == 4
    raw = bytearray(state.read_bytes())
    for at in range(8, len(raw), len(raw) // 7):
        broken = raw.copy()
        broken[at] ^= 4
        state.write_bytes(broken)
        code, out, _ = feed(folder, rows, "--state-in", str(state))
        assert (code, out) == (4, "")
    state.write_bytes(raw)
    fit(panel(seed=4), tmp_path, FORECAST)
    code, _, err = feed(tmp_path, rows, "--state-in", str(state))
    assert code == 4
    assert "the state of another model" in err


def test_a_closed_pipe_ends_it_quietly(folder: Path) -> None:
    rows = lines_of(folder)
    process = start(folder)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write("".join(rows[:3]))
    process.stdin.flush()
    read_lines(process.stdout, 1)
    process.stdout.close()
    process.stdin.write("".join(rows[3:6]))
    process.stdin.flush()
    assert process.wait() == 141
    assert process.stderr.read() == ""
    process.communicate()


def test_memory_does_not_grow_with_the_rows(folder: Path) -> None:
    """The peak after many rows is that after few."""
    peaks = []
    for rows in (3_000, 60_000):
        process = subprocess.Popen(
            [sys.executable, "-m", "rnncli", "predict", "run", "--follow", "-q"],
            cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.writelines(_endless(rows))
        process.stdin.flush()
        time.sleep(0.2)
        process.stdin.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        peaks.append(usage.ru_maxrss)
    assert peaks[1] < 1.1 * peaks[0]


def _endless(rows: int) -> Iterator[bytes]:
    yield b"id,t,y\n"
    for row in range(rows):
        yield f"s{row % 3},{row // 3},{5 + np.sin(row):.4f}\n".encode()


def test_levels_adapt_to_what_is_seen(folder: Path, tmp_path: Path) -> None:
    """Errors far beyond those of the validation part widen the intervals; perfect ones would make them narrower."""
    frame = panel(rows=400)
    frame["y"] = frame.y + np.random.default_rng(1).normal(scale=0.8, size=len(frame))
    fit(panel(rows=400), tmp_path, FORECAST)
    rows = frame.to_csv(index=False).splitlines(keepends=True)
    found = pd.DataFrame(
        [json.loads(line) for line in feed(tmp_path, rows, "--format", "jsonl", "--level", "80")[1].splitlines()]
    )
    first = found[found.step == 1]
    width = (first.y_hi80 - first.y_lo80).groupby(first.id)
    assert (width.last() > 1.05 * width.first()).all()
    truth = frame.assign(t=frame.t.astype(str)).merge(first, on=["id", "t"])
    covered = (truth.y >= truth.y_lo80) & (truth.y <= truth.y_hi80)
    early, late = covered[truth.t.astype(int) < 100].mean(), covered[truth.t.astype(int) >= 300].mean()
    assert early < late


@pytest.fixture(scope="module")
def dated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``run``, a forecaster of hourly rows with parts of the date, and its rows."""
    made = tmp_path_factory.mktemp("dated")
    frame = panel(dates=True)
    fit(frame, made, with_keys(FORECAST, data={"calendar": ["hour"]}))
    frame.to_csv(made / "rows.csv", index=False)
    return made


def test_a_header_and_bad_rows_may_come_alone(dated: Path) -> None:
    rows = lines_of(dated)
    bad = [
        "nonsense\n",
        's0,"\n',
        rows[1],
        "s0,9999-12-31 23:00:00,1,1,a,r0,up,1\n",
        rows[1].replace(" 00:00", " 00:30"),
    ]
    process = start(dated)
    assert process.stdin is not None
    assert process.stderr is not None
    found = []
    for number, row in enumerate([rows[0], *rows[1:4], *bad, *rows[4:7]]):
        process.stdin.write(row)
        process.stdin.flush()
        if 0 < number < 4 or number > 8:
            found += read_lines(process.stdout, 3 + (number == 1))
        elif number:
            assert process.stderr.readline().startswith(f"warning: stdin:{number + 1}")
    out, _ = process.communicate()
    assert (process.returncode, out) == (0, "")
    assert found == output(dated, rows[:7])


def test_a_state_goes_on_with_columns_in_another_order(folder: Path, tmp_path: Path) -> None:
    rows, state = lines_of(folder), tmp_path / "s"
    feed(folder, rows[:30], "--state-out", str(state))
    turned = [",".join(row.strip().split(",")[::-1]) + "\n" for row in (rows[0], *rows[30:])]
    assert feed(folder, turned, "--state-in", str(state))[1] == feed(folder, rows[30:], "--state-in", str(state))[1]


def test_a_file_that_is_made_shorter_ends_it_with_its_state_saved(folder: Path, tmp_path: Path) -> None:
    rows, growing, state = lines_of(folder), tmp_path / "growing.csv", tmp_path / "s"
    growing.write_text("".join(rows[:4]))
    process = start(folder, "--data", str(growing), "--state-out", str(state))
    read_lines(process.stdout, 10)
    growing.write_text(rows[0])
    _, err = process.communicate(timeout=20)
    assert process.returncode == 3
    assert "made shorter" in err
    assert checkpoint.read(state, KIND).content["rows"] == 3


def test_a_follower_of_a_file_ends_when_its_reader_is_gone(folder: Path) -> None:
    process = start(folder, "--data", "rows.csv")
    assert process.stdout is not None
    read_lines(process.stdout, 361)
    process.stdout.close()
    assert process.wait(timeout=20) == 141
    process.communicate()


def test_the_map_around_the_recurrence_has_one_context(tmp_path: Path, cli: Cli) -> None:
    frame = panel()
    fit(frame, tmp_path, with_keys(FORECAST, window={"origins": "last"}, model={"skip": "linear"}))
    frame.to_csv(tmp_path / "rows.csv", index=False)
    for options in ([], ["--follow"], ["--engine", "torch"]):
        done = cli("predict", "run", "--context", "5", *options, "--data", "rows.csv")
        assert (done.returncode, done.stdout) == (2, "")
        assert "model.skip: linear has weights for one alone" in done.stderr
