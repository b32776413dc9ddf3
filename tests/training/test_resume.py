"""A run that was killed, interrupted or damaged goes on to the same bits, or says why it cannot."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from native_kernels import needs_compiler
from test_faults import SAVING, Ended, Fault, memory_folder, server, start, write_config

from rnncli import checkpoint, durable
from rnncli.training import folder as run_folder
from rnncli.training.session import COUNTERS

KINDS = {
    run_folder.MODEL: checkpoint.MODEL,
    run_folder.LAST: checkpoint.STATE,
    run_folder.PREVIOUS: checkpoint.STATE,
}
MOMENTS, GROUPS = 50, 5


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where config and data are, the run `whole` that nothing disturbed, and the log of its operations."""
    with memory_folder() as place:
        write_config(place)
        ended = start(place, "whole", log=str(place / "whole.log"))
        assert ended.code == 0, ended.err
        yield place


def resume(folder: Path, run: str, *arguments: str, **others: Any) -> Ended:
    """Go on with a run; if it was killed before it had a config, the config is named again, as the message asks."""
    begun = (folder / run / "config.yaml").exists()
    config = [] if begun else ["config.yaml"]
    return server().run(folder, "train", *config, "--resume", run, *SAVING, *arguments, **others)


def kill(at: int) -> Fault:
    """SIGKILL just before an operation."""
    return Fault("any", at, signal=signal.SIGKILL)


def operations(folder: Path) -> list[str]:
    """The kind of every operation of the undisturbed run."""
    return (folder / "whole.log").read_text().split()


def assert_loadable(run: Path) -> None:
    """Every checkpoint that is there is whole."""
    for name, kind in KINDS.items():
        if (run / name).exists():
            assert checkpoint.read(run / name, kind).kind == kind


def assert_same(folder: Path, run: str, ended: Ended) -> None:
    """A run ended as the undisturbed one did, and left nothing else behind."""
    assert ended.code == 0, ended.err
    expected, found = folder / "whole", folder / run
    for name in ("model.safetensors", "history.csv", "config.yaml"):
        assert (found / name).read_bytes() == (expected / name).read_bytes(), name
    assert {path.name for path in found.iterdir()} == {path.name for path in expected.iterdir()}
    metrics = [json.loads((place / "metrics.json").read_text()) for place in (expected, found)]
    assert json.loads(ended.out) == metrics[1]
    for each in metrics:
        del each["run"], each["seconds"]
    assert metrics[0] == metrics[1]


def aimed(log: list[str]) -> list[int]:
    """The moments to kill at: the start, a whole save with all its files, the end, and evenly between."""
    events = [number for number, kind in enumerate(log, 1) if kind == "event"]
    save = range(events[11], events[12])
    link = len(log) - log[::-1].index("link")  # in the last save
    chosen = {*range(1, 4), *range(8, 14), *save, *range(link, link + 5), len(log) - 12, len(log) - 6, len(log)}
    between = MOMENTS - len(chosen)
    chosen |= {14 + step * (len(log) - 26) // between for step in range(between)}
    spare = iter(range(14, len(log)))
    while len(chosen) < MOMENTS:
        chosen.add(next(spare))
    return sorted(chosen)


def test_the_undisturbed_run_shows_what_resuming_must_keep(folder: Path) -> None:
    """Several steps an epoch, a best epoch that is not the last, patience at its end, and a halved rate."""
    state = checkpoint.read(folder / "whole" / "last.safetensors", checkpoint.STATE)
    counters = state.content["counters"]
    assert counters["best_epoch"] < counters["epoch"] < 8
    assert counters["stale"] == 2
    assert counters["cuts"] > 0
    log = operations(folder)
    assert log.count("event") > 3 * counters["epoch"]
    save = {log[moment - 1] for moment in aimed(log)}
    assert save == {"mkdir", "open", "unlink", "write", "fsync", "link", "replace", "event"}
    assert len(aimed(log)) == MOMENTS


@pytest.mark.parametrize("group", range(GROUPS))
def test_killed_at_aimed_moments_and_resumed(folder: Path, group: int) -> None:
    for moment in aimed(operations(folder))[group::GROUPS]:
        run = f"killed{moment}"
        assert start(folder, run, faults=[kill(moment)]).code == -signal.SIGKILL, moment
        assert_loadable(folder / run)
        assert_same(folder, run, resume(folder, run))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_every_moment_and_resumed(folder: Path) -> None:
    for moment in range(1, len(operations(folder)) + 1):
        run = f"every{moment}"
        assert start(folder, run, faults=[kill(moment)]).code == -signal.SIGKILL, moment
        assert_loadable(folder / run)
        assert_same(folder, run, resume(folder, run))


@pytest.mark.parametrize("moment", [1, 2, 3, 5, 8, 10, 12, 14, 16, 18, 20, 22, 25, 40])
def test_killed_again_while_resuming(folder: Path, moment: int) -> None:
    """The second kill falls on the start or the first save of the resumed process."""
    run = f"twice{moment}"
    assert start(folder, run, faults=[Fault("event", 8, signal=signal.SIGKILL)]).code == -signal.SIGKILL
    assert resume(folder, run, faults=[kill(moment)]).code == -signal.SIGKILL
    assert_loadable(folder / run)
    assert_same(folder, run, resume(folder, run))


@pytest.mark.parametrize("moment", [1, 2, 3, 4, 6, 8, 9, 10, 12, 14, 16])
def test_killed_while_resuming_before_any_state_was_saved(folder: Path, moment: int) -> None:
    """The folder keeps its config at every moment, so that --resume alone goes on."""
    run = f"early{moment}"
    assert start(folder, run, faults=[Fault("event", 1, signal=signal.SIGKILL)]).code == -signal.SIGKILL
    assert not (folder / run / "last.safetensors").exists()
    assert resume(folder, run, faults=[kill(moment)]).code == -signal.SIGKILL
    assert_same(folder, run, server().run(folder, "train", "--resume", run, *SAVING))


@pytest.mark.parametrize("moment", [3, 4, 5, 7, 9, 10, 11, 13])
def test_killed_while_overwriting_never_mixes_two_runs(folder: Path, moment: int) -> None:
    """What is left is the old run, which refuses the new config, or the beginning of the new one."""
    run = f"mixed{moment}"
    assert start(folder, run, "seed=1", "training.epochs=2").code == 0
    assert start(folder, run, "--overwrite", faults=[kill(moment)]).code == -signal.SIGKILL
    ended = server().run(folder, "train", "config.yaml", "--resume", run, *SAVING)
    if ended.code == 2:
        assert "seed: was 1, is 0" in ended.err
        ended = start(folder, run, "--overwrite")
    assert_same(folder, run, ended)


def test_a_process_of_its_own_is_killed_and_resumed(folder: Path, cli: Any) -> None:
    command = [sys.executable, "-m", "rnncli", "train", "config.yaml", "--out", "real", *SAVING]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while not (folder / "real" / "last.safetensors").exists():
            assert process.poll() is None
            time.sleep(0.001)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert_loadable(folder / "real")
    ended = cli("train", "--resume", "real", *SAVING, cwd=folder)
    assert "going on at epoch" in ended.stderr
    assert_same(folder, "real", Ended(ended.returncode, ended.stdout, ended.stderr))


def test_states_are_saved_within_an_epoch(folder: Path) -> None:
    run = "within"
    assert start(folder, run, faults=[Fault("event", 8, signal=signal.SIGKILL)]).code == -signal.SIGKILL
    counters = checkpoint.read(folder / run / "last.safetensors", checkpoint.STATE).content["counters"]
    assert (counters["epoch"], counters["step"]) == (1, 2)
    assert counters["loss_sum"] > 0
    ended = resume(folder, run)
    assert "going on at epoch 2, step 2 of 3" in ended.err
    assert_same(folder, run, ended)


def test_save_every_spaces_the_saves(folder: Path) -> None:
    ended = server().run(
        folder, "train", "config.yaml", "--out", "seldom", "--save-every", "1h", log=str(folder / "seldom.log")
    )
    assert ended.code == 0
    assert (folder / "seldom.log").read_text().split().count("link") == 0  # one state, at the end
    assert (folder / "seldom/model.safetensors").read_bytes() == (folder / "whole/model.safetensors").read_bytes()


def test_a_finished_run_prints_its_metrics_again(folder: Path) -> None:
    run = "finished"
    first = start(folder, run)
    for _ in range(2):
        again = resume(folder, run)
        assert "epoch 1/8" not in again.err
        assert_same(folder, run, again)
    assert json.loads(first.out)["test"] == json.loads(again.out)["test"]


# --- what may have changed


@pytest.fixture(scope="module")
def stopped(folder: Path) -> Path:
    """A run that was killed in its second epoch, to be copied."""
    assert start(folder, "stopped", faults=[Fault("event", 9, signal=signal.SIGKILL)]).code == -signal.SIGKILL
    return folder / "stopped"


@pytest.fixture
def run(folder: Path, stopped: Path, request: pytest.FixtureRequest) -> str:
    """The name of a copy of `stopped`, with hard links as they were."""
    name = "".join(letter if letter.isalnum() else "_" for letter in request.node.name)
    subprocess.run(["cp", "-a", str(stopped), str(folder / name)], check=True)
    return name


@pytest.mark.parametrize(
    ("override", "before", "after"),
    [
        ("seed=1", "0", "1"),
        ("data.target=width", "height", "width"),
        ("split.test=9", "8", "9"),
        ("scale.kind=robust", "standard", "robust"),
        ("window.context=5", "6", "5"),
        ("task.horizon=3", "2", "3"),
        ("model.hidden_size=4", "3", "4"),
        ("model.cell=gru", "lstm", "gru"),
        ("model.dropout=0.2", "0.3", "0.2"),
        ("training.batch_size=8", "16", "8"),
        ("training.optimizer=adam", "adamw", "adam"),
        ("training.loss=mse", "mae", "mse"),
        ("training.schedule=constant", "plateau", "constant"),
        ("training.clip_norm=2.0", "1.0", "2.0"),
    ],
)
def test_a_changed_key_is_refused_by_name(folder: Path, run: str, override: str, before: str, after: str) -> None:
    kept = (folder / run / "last.safetensors").read_bytes()
    ended = resume(folder, run, override)
    assert (ended.code, ended.out) == (2, "")
    assert f"{override.partition('=')[0]}: was {before}, is {after}" in ended.err
    assert len(ended.err.splitlines()) <= 3
    assert (folder / run / "last.safetensors").read_bytes() == kept


def test_every_changed_key_is_named_at_once(folder: Path, run: str) -> None:
    text = (folder / "config.yaml").read_text().replace("hidden_size: 3", "hidden_size: 5").replace("0.3", "0.4")
    (folder / "other.yaml").write_text(text)
    ended = server().run(folder, "train", "other.yaml", "--resume", run)
    assert ended.code == 2
    assert "model.hidden_size" in ended.err
    assert "model.dropout" in ended.err


@pytest.mark.parametrize("override", ["training.patience=4", "training.learning_rate=0.05", "training.threads=2"])
def test_some_keys_may_change(folder: Path, run: str, override: str) -> None:
    ended = resume(folder, run, override)
    assert ended.code == 0, ended.err
    stored = checkpoint.read(folder / run / "model.safetensors", checkpoint.MODEL)
    name, _, value = override.removeprefix("training.").partition("=")
    assert str(stored.content["config"]["training"][name]) == value


def test_epochs_may_change_and_stay_changed(folder: Path, run: str) -> None:
    """The new number is the run's from then on: a second resumption needs no word of it."""
    interrupted = resume(folder, run, "training.epochs=3", faults=[Fault("event", 2, signal=signal.SIGTERM)])
    assert interrupted.code == 143
    ended = resume(folder, run)
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["epochs"] == 3
    assert "epochs: 3\n" in (folder / run / "config.yaml").read_text()


def test_more_epochs_for_a_finished_run(folder: Path) -> None:
    assert start(folder, "short", "training.epochs=2").code == 0
    ended = resume(folder, "short", "training.epochs=8")
    assert ended.code == 0, ended.err
    for name in ("model.safetensors", "history.csv"):
        assert (folder / "short" / name).read_bytes() == (folder / "whole" / name).read_bytes(), name


def test_changed_data_is_refused_unless_allowed(folder: Path, run: str) -> None:
    (folder / "longer.csv").write_text((folder / "waves.csv").read_text() + "60,3.5\n")
    ended = resume(folder, run, "--data", "longer.csv")
    assert (ended.code, ended.out) == (3, "")
    assert "sha256" in ended.err
    assert "--allow-data-change" in ended.err
    assert (folder / run / "config.yaml").read_bytes() == (folder / "whole" / "config.yaml").read_bytes()
    allowed = resume(folder, run, "--data", "longer.csv", "--allow-data-change")
    assert allowed.code == 0, allowed.err
    digest = json.loads((folder / run / "manifest.json").read_text())["data_sha256"]
    assert digest != json.loads((folder / "whole" / "manifest.json").read_text())["data_sha256"]


def test_data_that_moved_is_the_same_data(folder: Path, run: str) -> None:
    (folder / "moved.csv").write_bytes((folder / "waves.csv").read_bytes())
    assert resume(folder, run, "--data", "moved.csv").code == 0
    assert_equal_tensors(folder / run, folder / "whole")


def test_another_processor_is_warned_of_once(folder: Path, run: str) -> None:
    stored = checkpoint.read(folder / run / "last.safetensors", checkpoint.STATE)
    forge(folder / run, machine={**stored.content["machine"], "cpu": "ABACUS"})
    ended = resume(folder, run)
    assert ended.err.count("warning") == 1
    assert "another torch or processor" in ended.err
    assert_same(folder, run, ended)


@pytest.mark.parametrize("name", ["nowhere", "config.yaml", "."])
def test_no_run_to_resume(folder: Path, tmp_path: Path, name: str) -> None:
    write_config(tmp_path)
    (tmp_path / "config.yaml").rename(tmp_path / "settings.yaml")
    ended = server().run(tmp_path, "train", "--resume", name.replace("config", "settings"))
    assert (ended.code, ended.out) == (4, "")
    assert "no run to resume" in ended.err
    assert {path.name for path in tmp_path.iterdir()} == {"settings.yaml", "waves.csv"}


# --- damaged states


def flipped(raw: bytes) -> bytes:
    """One bit of the last tensor is wrong."""
    return raw[:-10] + bytes([raw[-10] ^ 1]) + raw[-9:]


def recounted(raw: bytes) -> bytes:
    """One digit of the counters is wrong."""
    at = raw.index(b'\\"step\\": ') + len(b'\\"step\\": ')
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


DAMAGES = {
    "empty": lambda raw: b"",
    "half": lambda raw: raw[: len(raw) // 2],
    "one byte short": lambda raw: raw[:-1],
    "one byte more": lambda raw: raw + b"\0",
    "flipped bit": flipped,
    "wrong counter": recounted,
    "zeros": lambda raw: bytes(len(raw)),
    "pickle": lambda raw: b"\x80\x04N.",
}


def damage(path: Path, how: str) -> None:
    """Replace a file, not the inode that another name may share."""
    raw = DAMAGES[how](path.read_bytes())
    path.unlink()
    path.write_bytes(raw)


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_state_falls_back_to_the_previous_one(folder: Path, run: str, how: str) -> None:
    damage(folder / run / "last.safetensors", how)
    ended = resume(folder, run)
    assert ended.err.count("warning") == 1
    assert "last.safetensors" in ended.err
    assert "going on from prev.safetensors" in ended.err
    assert_same(folder, run, ended)


@pytest.mark.parametrize("moment", range(10, 26))
def test_killed_while_going_on_from_the_previous_state(folder: Path, run: str, moment: int) -> None:
    """The only whole state must survive until there is another."""
    damage(folder / run / "last.safetensors", "half")
    assert resume(folder, run, faults=[kill(moment)]).code == -signal.SIGKILL
    assert_same(folder, run, resume(folder, run))


def test_two_damaged_states_are_an_error(folder: Path, run: str) -> None:
    for name in ("last.safetensors", "prev.safetensors"):
        damage(folder / run / name, "half")
    before = {name: (folder / run / name).read_bytes() for name in ("config.yaml", *KINDS)}
    ended = resume(folder, run)
    assert (ended.code, ended.out) == (4, "")
    assert "last.safetensors" in ended.err
    assert len(ended.err.splitlines()) == 1
    assert {name: (folder / run / name).read_bytes() for name in before} == before


def test_a_state_of_another_network_is_an_error(folder: Path, run: str) -> None:
    assert start(folder, "wider", "model.hidden_size=4").code == 0
    for name in ("last.safetensors", "prev.safetensors"):
        (folder / run / name).unlink()
        (folder / run / name).write_bytes((folder / "wider" / name).read_bytes())
    ended = resume(folder, run)
    assert (ended.code, ended.out) == (4, "")
    assert "network.backbone" in ended.err


def forge(run: Path, **content: Any) -> None:
    """Change the content of both states, with checksums that fit."""
    for name in ("last.safetensors", "prev.safetensors"):
        stored = checkpoint.read(run / name, checkpoint.STATE)
        changed = {**stored.content, **content}
        durable.write(run / name, checkpoint.encode(checkpoint.STATE, changed, stored.tensors))


@pytest.mark.parametrize("name", COUNTERS)
def test_a_counter_of_another_type_is_an_error(folder: Path, run: str, name: str) -> None:
    stored = checkpoint.read(folder / run / "last.safetensors", checkpoint.STATE)
    for wrong in ("text", [7]):
        forge(folder / run, counters={**stored.content["counters"], name: wrong})
        ended = resume(folder, run)
        assert (ended.code, ended.out) == (4, ""), ended.err
        assert name in ended.err


@pytest.mark.parametrize("name", ["columns", "scaler", "data", "updates", "seconds", "counters", "machine"])
def test_a_state_without_a_part_is_an_error(folder: Path, run: str, name: str) -> None:
    for file in ("last.safetensors", "prev.safetensors"):
        stored = checkpoint.read(folder / run / file, checkpoint.STATE)
        content = {key: value for key, value in stored.content.items() if key != name}
        durable.write(folder / run / file, checkpoint.encode(checkpoint.STATE, content, stored.tensors))
    ended = resume(folder, run)
    assert (ended.code, ended.out) == (4, ""), ended.err


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.update({"optimizer.first": tensors["optimizer.first"][:1].copy()}),
        lambda tensors: tensors.update({"optimizer.second": tensors["optimizer.second"].astype(np.float64)}),
        lambda tensors: tensors.pop("optimizer.first"),
        lambda tensors: tensors.pop("network.head.weight"),
        lambda tensors: tensors.pop("best.head.weight"),
        lambda tensors: tensors.update({"best.head.weight": tensors["best.head.weight"][:1].copy()}),
        lambda tensors: tensors.update({"best.more": np.zeros(3, np.float32)}),
        lambda tensors: tensors.update({"scaler.centre": np.zeros((2, 1))}),
    ],
)
def test_a_state_with_other_tensors_is_an_error(folder: Path, run: str, change: Callable[[Any], object]) -> None:
    for file in ("last.safetensors", "prev.safetensors"):
        stored = checkpoint.read(folder / run / file, checkpoint.STATE)
        change(stored.tensors)
        durable.write(folder / run / file, checkpoint.encode(checkpoint.STATE, stored.content, stored.tensors))
    ended = resume(folder, run)
    assert (ended.code, ended.out) == (4, ""), ended.err
    assert "last.safetensors" in ended.err


# --- determinism


def assert_equal_tensors(first: Path, second: Path) -> None:
    """Two models have the same weights and scaler, bit for bit."""
    one, other = (checkpoint.read(run / "model.safetensors", checkpoint.MODEL).tensors for run in (first, second))
    assert one.keys() == other.keys()
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)


def assert_close_tensors(first: Path, second: Path) -> None:
    """Two models have the same weights but for rounding."""
    one, other = (checkpoint.read(run / "model.safetensors", checkpoint.MODEL).tensors for run in (first, second))
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        np.testing.assert_allclose(other[name], tensor, rtol=1e-3, atol=1e-4)


def test_repeats_are_bit_identical(folder: Path) -> None:
    for run in ("again", "oncemore"):
        ended = start(folder, run)
        assert_same(folder, run, ended)


@needs_compiler
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "carry_lstm"])
def test_threads_do_not_change_the_bits(folder: Path, cell: str) -> None:
    """A network large enough that the native kernels and torch split their work."""
    keys = [f"model.cell={cell}", "model.hidden_size=96", "training.epochs=1", "training.batch_size=37"]
    for threads in (1, 2, 4):
        ended = start(folder, f"{cell}{threads}", *keys, f"training.threads={threads}", "training.engine=native")
        assert ended.code == 0, ended.err
        assert json.loads((folder / f"{cell}{threads}/manifest.json").read_text())["threads"] == threads
        assert_equal_tensors(folder / f"{cell}1", folder / f"{cell}{threads}")


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "carry_lstm"])
def test_threads_change_torchs_results_by_rounding_at_most(folder: Path, cell: str) -> None:
    """oneDNN's LSTM sums in another order on each count."""
    keys = [f"model.cell={cell}", "model.hidden_size=96", "training.epochs=1", "training.batch_size=37"]
    for threads in (1, 2):
        ended = start(folder, f"t{cell}{threads}", *keys, f"training.threads={threads}", "training.engine=torch")
        assert ended.code == 0, ended.err
    assert_close_tensors(folder / f"t{cell}1", folder / f"t{cell}2")


def test_another_seed_gives_other_bits(folder: Path) -> None:
    assert start(folder, "reseeded", "seed=1").code == 0
    models = [checkpoint.read(folder / run / "model.safetensors", checkpoint.MODEL) for run in ("whole", "reseeded")]
    assert all(
        (models[0].tensors[name] != models[1].tensors[name]).any()
        for name in models[0].tensors
        if name.startswith("network.")
    )
