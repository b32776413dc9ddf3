"""A signal or a spent budget ends training with its state saved, at whatever step it comes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_faults import Ended, Fault, memory_folder, server, write_config

from rnncli import checkpoint
from rnncli.training.interrupt import EXIT_CODES, caught_signals

LAST_EVENT = 20  # of the whole run: four epochs of three steps, a batch of validation and the epoch itself
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
SELDOM = ("--save-every", "1h")  # so that what is saved was saved for the signal


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where config and data are, and the run `whole` that nothing disturbed."""
    with memory_folder() as place:
        write_config(place)
        ended = start(place, "whole", log=str(place / "log"))
        assert ended.code == 0, ended.err
        assert (place / "log").read_text().split().count("event") == LAST_EVENT
        yield place


def start(folder: Path, run: str, *arguments: str, **others: Any) -> Ended:
    """Begin a run."""
    return server().run(folder, "train", "config.yaml", "--out", run, *SELDOM, *arguments, **others)


def resume(folder: Path, run: str, *arguments: str, **others: Any) -> Ended:
    """Go on with a run."""
    return server().run(folder, "train", "--resume", run, *SELDOM, *arguments, **others)


def assert_whole(folder: Path, run: str) -> None:
    """A run has the model and the history of the undisturbed one and nothing temporary."""
    for name in ("model.safetensors", "history.csv"):
        assert (folder / run / name).read_bytes() == (folder / "whole" / name).read_bytes(), name
    names = {path.name for path in (folder / run).iterdir()} - {"prev.safetensors"}
    assert names == {path.name for path in (folder / "whole").iterdir()}


def counters(folder: Path, run: str) -> dict[str, Any]:
    """Where a saved run stands."""
    return checkpoint.read(folder / run / "last.safetensors", checkpoint.STATE).content["counters"]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
@pytest.mark.parametrize(
    ("event", "epoch", "step"),
    [(1, 0, 1), (2, 0, 2), (3, 0, 3), (4, 0, 3), (5, 1, 0), (13, 2, 3), (LAST_EVENT, 4, 0)],
    ids=["first step", "mid-epoch", "last step", "validation", "epoch", "later", "last event"],
)
def test_a_signal_saves_and_the_run_goes_on_to_the_same_bits(
    folder: Path, number: signal.Signals, code: int, event: int, epoch: int, step: int
) -> None:
    run = f"{number.name}{event}"
    ended = start(folder, run, faults=[Fault("event", event, signal=number)])
    assert (ended.code, ended.out) == (code, "")
    said = ended.err.splitlines()[-1]
    assert f"{number.name}: saved at epoch {epoch + 1}" in said
    assert f"rnncli train --resume {run}" in said
    assert "Traceback" not in ended.err
    place = counters(folder, run)
    assert (place["epoch"], place["step"]) == (epoch, step)
    assert {path.name for path in (folder / run).iterdir()} <= {
        "config.yaml", "last.safetensors", "model.safetensors", "history.csv",
    }  # fmt: skip
    again = resume(folder, run)
    assert again.code == 0, again.err
    assert_whole(folder, run)


def test_a_run_interrupted_at_every_third_event_ends_the_same(folder: Path) -> None:
    """Many processes, one run; a validation that was interrupted is done again."""
    ended = start(folder, "relay", faults=[Fault("event", 3, signal=signal.SIGTERM)])
    legs = 1
    while ended.code == 143:
        ended = resume(folder, "relay", faults=[Fault("event", 3, signal=signal.SIGTERM)])
        legs += 1
    assert ended.code == 0
    assert legs > LAST_EVENT // 3
    assert_whole(folder, "relay")


def test_a_second_interrupt_stops_at_once(folder: Path) -> None:
    """It comes while the state is being saved; what was on the disk before stays."""
    first, second = (
        Fault("event", 7, signal=signal.SIGINT),
        Fault("write", 4, signal=signal.SIGINT),  # after the config: model, history, state
    )
    ended = start(folder, "impatient", faults=[first, second])
    assert (ended.code, ended.out) == (130, "")
    assert "saved at epoch" not in ended.err
    assert "Traceback" not in ended.err
    assert not (folder / "impatient" / "last.safetensors").exists()
    assert resume(folder, "impatient").code == 0
    assert_whole(folder, "impatient")


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_of_another_kind_lets_the_save_finish(folder: Path, second: signal.Signals) -> None:
    """A batch system sends SIGTERM to the group and the terminal goes away: one save serves both."""
    run = f"both{second.name}"
    faults = [Fault("event", 7, signal=signal.SIGTERM), Fault("write", 4, signal=second)]
    assert start(folder, run, faults=faults).code == 143
    assert (counters(folder, run)["epoch"], counters(folder, run)["step"]) == (1, 2)
    assert resume(folder, run).code == 0
    assert_whole(folder, run)


def test_a_signal_while_a_state_is_saved_in_passing_is_heeded_after_it(folder: Path) -> None:
    faults = [Fault("fsync", 9, signal=signal.SIGTERM)]
    ended = server().run(folder, "train", "config.yaml", "--out", "passing", "--save-every", "0s", faults=faults)
    assert ended.code == 143
    assert resume(folder, "passing").code == 0
    assert_whole(folder, "passing")


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_while_the_finished_run_is_saved_is_not_lost(folder: Path, number: signal.Signals, code: int) -> None:
    """The last save comes after the last event; whoever sent the signal does not wait for the scores."""
    run = f"late{number.name}"
    last_write = (folder / "log").read_text().split().count("write") - 2  # manifest and metrics come after it
    ended = start(folder, run, faults=[Fault("write", last_write, signal=number)])
    assert (ended.code, ended.out) == (code, "")
    assert resume(folder, run).code == 0
    assert_whole(folder, run)


@pytest.mark.parametrize(("number", "code"), SIGNALS[:2])
def test_signals_to_a_process_of_its_own(folder: Path, cli: Any, number: signal.Signals, code: int) -> None:
    """As Ctrl-C and a batch system send them, at a moment that nobody chose."""
    run = f"own{number.name}"
    command = [sys.executable, "-m", "rnncli", "train", "config.yaml", "--out", run, "training.epochs=1000000000"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, "training.patience=null", "training.schedule=constant"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        for line in process.stderr:
            if line.startswith("epoch 2/"):
                process.send_signal(number)
                break
        rest, out = process.stderr.read(), process.stdout.read()
    assert (process.returncode, out) == (code, "")
    assert f"{number.name}: saved at epoch" in rest
    epoch = counters(folder, run)["epoch"]
    assert epoch >= 2
    ended = cli("train", "--resume", run, f"training.epochs={epoch + 1}", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["epochs"] == epoch + 1


def test_a_stopped_process_goes_on_as_if_nothing_were(folder: Path) -> None:
    command = [sys.executable, "-m", "rnncli", "train", "config.yaml", "--out", "paused", *SELDOM]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)  # until it has stopped
        process.send_signal(signal.SIGCONT)
        process.stderr.read()
    assert process.returncode == 0
    assert_whole(folder, "paused")


def test_handlers_are_put_back() -> None:
    before = {number: signal.getsignal(number) for number in EXIT_CODES}
    with pytest.raises(KeyError), caught_signals() as caught:  # noqa: PT012 - the block is what is tested
        assert caught.signal is None
        assert all(signal.getsignal(number) == caught.handle for number in EXIT_CODES)
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        assert caught.signal == signal.SIGHUP
        raise KeyError
    assert {number: signal.getsignal(number) for number in EXIT_CODES} == before


def test_a_second_sigint_is_a_keyboard_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt), caught_signals():  # noqa: PT012 - the second one raises
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)


def test_outside_the_main_thread_no_handler_is_touched() -> None:
    before = {number: signal.getsignal(number) for number in EXIT_CODES}
    seen: list[Any] = []

    def block() -> None:
        with caught_signals() as caught:
            seen.append((caught.signal, {number: signal.getsignal(number) for number in EXIT_CODES}))

    thread = threading.Thread(target=block)
    thread.start()
    thread.join()
    assert seen == [(None, before)]


# --- budgets


@pytest.mark.parametrize("budget", ["0s", "0", "0.0m"])
def test_no_budget_at_all_still_gives_a_usable_model(folder: Path, budget: str) -> None:
    run = f"budget{budget}"
    ended = start(folder, run, "--budget", budget)
    assert ended.code == 0, ended.err
    metrics = json.loads(ended.out)
    assert metrics["epochs"] == 0
    assert metrics["test"]["mae"] > 0
    assert (counters(folder, run)["epoch"], counters(folder, run)["step"]) == (0, 1)
    assert {path.name for path in (folder / run).iterdir()} == {
        "config.yaml", "last.safetensors", "model.safetensors", "manifest.json", "metrics.json",
    }  # fmt: skip
    predicted = server().run(folder, "predict", run)
    assert predicted.code == 0, predicted.err
    assert len(predicted.out.splitlines()) == 3


def test_a_run_out_of_budget_goes_on_to_the_same_bits(folder: Path) -> None:
    """The makeshift best weights of a run without an epoch are not taken for the best of one."""
    assert start(folder, "poor", "--budget", "0s").code == 0
    assert resume(folder, "poor", "--budget", "0s").code == 0
    assert counters(folder, "poor")["step"] == 2
    assert resume(folder, "poor").code == 0
    assert_whole(folder, "poor")


def test_a_budget_ends_training_that_would_not_end(folder: Path) -> None:
    keys = ("training.epochs=1000000000", "training.patience=null", "training.schedule=constant")
    ended = start(folder, "endless", *keys, "--budget", "0.5s")
    assert ended.code == 0, ended.err
    metrics = json.loads(ended.out)
    assert 0 < metrics["epochs"] < 10**9
    history = (folder / "endless" / "history.csv").read_text().splitlines()
    assert len(history) == metrics["epochs"] + 1
    assert json.loads((folder / "endless" / "metrics.json").read_text()) == metrics


def test_a_budget_that_is_not_spent_changes_nothing(folder: Path) -> None:
    assert start(folder, "rich", "--budget", "1h").code == 0
    assert_whole(folder, "rich")


@pytest.mark.parametrize("budget", ["-1s", "nan", "inf", "1d", "", "10 m", "1e3s"])
def test_a_budget_that_is_no_time_is_refused(folder: Path, budget: str) -> None:
    ended = start(folder, "never", f"--budget={budget}")
    assert (ended.code, ended.out) == (2, "")
    assert not (folder / "never").exists()
