"""A run folder belongs to one run and one process; what stands in its way is named, and nothing of it is touched."""

from __future__ import annotations

import csv
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_faults import NOBODY, Ended, Fault, memory_folder, server, write_config

from rnncli import checkpoint, durable
from rnncli.errors import CheckpointError, ResourceError
from rnncli.training import folder as run_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where config and data are."""
    with memory_folder() as place:
        write_config(place)
        yield place


def start(folder: Path, *arguments: str, **others: Any) -> Ended:
    """Begin a run in `run`, of one epoch."""
    out = () if "--out" in arguments else ("--out", "run")
    return server().run(folder, "train", "config.yaml", *out, "training.epochs=1", *arguments, **others)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def one_line(ended: Ended, code: int = 5) -> str:
    """The only line of a command that failed as it should."""
    assert (ended.code, ended.out) == (code, ""), ended.err
    (line,) = ended.err.splitlines()
    return line


def test_a_run_has_these_files_and_no_others(folder: Path) -> None:
    before = set(contents(folder))
    assert start(folder).code == 0
    assert set(contents(folder)) - before == {
        f"run/{name}"
        for name in (
            "config.yaml",
            "history.csv",
            "last.safetensors",
            "manifest.json",
            "metrics.json",
            "model.safetensors",
        )
    }


def test_a_run_without_out_goes_below_runs(folder: Path) -> None:
    (folder / "config.yaml").rename(folder / "waves.v2.yaml")
    ended = server().run(folder, "train", "waves.v2.yaml", "training.epochs=1")
    assert ended.code == 0
    assert json.loads(ended.out)["run"] == "runs/waves.v2"
    assert (folder / "runs/waves.v2/model.safetensors").exists()


def test_folders_on_the_way_are_made(folder: Path) -> None:
    assert start(folder, "--out", "a/b/c").code == 0
    assert (folder / "a/b/c/model.safetensors").exists()


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_files_of_a_run_have_the_mode_of_any_other(folder: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        command = [sys.executable, "-m", "rnncli", "train", "config.yaml", "--out", "run", "training.epochs=1"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (folder / "run").iterdir()}
    assert modes == {0o666 & ~umask}


# --- what is there already


@pytest.mark.parametrize("name", run_folder.FILES)
def test_any_file_of_a_run_makes_it_a_run(folder: Path, name: str) -> None:
    (folder / "run").mkdir()
    (folder / "run" / name).write_text("precious")
    before = contents(folder)
    line = one_line(start(folder))
    assert "run: holds a run already" in line
    assert all(flag in line for flag in ("--overwrite", "--resume", "--out"))
    assert contents(folder) == before


def test_an_existing_run_is_refused_untouched(folder: Path) -> None:
    assert start(folder).code == 0
    before = contents(folder)
    assert "holds a run already" in one_line(start(folder, "seed=1"))
    assert contents(folder) == before


def test_overwriting_gives_the_new_run_alone(folder: Path) -> None:
    """Bit for bit what a fresh folder gives; files of other kinds stay."""
    assert start(folder, "model.hidden_size=4", "--save-every", "0s").code == 0
    (folder / "run" / "notes.txt").write_text("mine")
    (folder / "run" / "plots").mkdir()
    assert start(folder, "--overwrite").code == 0
    assert start(folder, "--out", "fresh").code == 0
    old, new = contents(folder / "run"), contents(folder / "fresh")
    assert old.pop("notes.txt") == b"mine"
    assert (folder / "run" / "plots").is_dir()
    assert set(old) == set(new)
    for name in ("config.yaml", "model.safetensors", "history.csv"):
        assert old[name] == new[name], name


def test_overwriting_nothing_is_no_error(folder: Path) -> None:
    assert start(folder, "--overwrite").code == 0


def test_a_failed_command_does_not_overwrite(folder: Path) -> None:
    assert start(folder).code == 0
    before = contents(folder / "run")
    (folder / "broken.csv").write_text("day,height\n0,1\n1,x\n")
    assert start(folder, "--overwrite", "--data", "broken.csv").code == 3
    assert start(folder, "--overwrite", "--data", "missing.csv").code == 2
    assert start(folder, "--overwrite", "model.hidden_size=0").code == 2
    assert start(folder, "--overwrite", "split.validation=58").code == 3
    assert contents(folder / "run") == before


@pytest.mark.parametrize(
    ("key", "code"), [("window.context=0", 2), ("split.validation=59", 3), ("task.horizon=50", 3), ("data.target=x", 3)]
)
def test_a_failed_command_leaves_no_folder(folder: Path, key: str, code: int) -> None:
    assert start(folder, key).code == code
    assert not (folder / "run").exists()


def test_a_folder_of_other_things_may_hold_a_run(folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "run" / "notes.txt").write_text("mine")
    assert start(folder).code == 0
    assert (folder / "run" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("arguments", [(), ("--overwrite",)])
def test_a_file_in_place_of_the_folder_is_refused(folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "run").write_text("precious")
    assert "run: " in one_line(start(folder, *arguments))
    assert (folder / "run").read_text() == "precious"


@pytest.mark.parametrize("out", ["waves.csv/run", "waves.csv/a/b"])
def test_a_folder_below_a_file_is_refused(folder: Path, out: str) -> None:
    before = contents(folder)
    assert f"{out}: cannot write: Not a directory" in one_line(start(folder, "--out", out))
    assert contents(folder) == before


def test_a_folder_in_place_of_a_file_of_the_run_is_refused_by_name(folder: Path) -> None:
    (folder / "run" / "model.safetensors").mkdir(parents=True)
    assert "run: holds a run already" in one_line(start(folder))
    assert "run/model.safetensors: " in one_line(start(folder, "--overwrite"))
    assert (folder / "run" / "model.safetensors").is_dir()


def test_a_link_to_a_folder_is_a_folder(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "run").symlink_to("elsewhere")
    assert start(folder).code == 0
    assert (folder / "run").is_symlink()
    assert (folder / "elsewhere" / "model.safetensors").exists()


def test_links_to_files_are_replaced_and_not_followed(folder: Path) -> None:
    (folder / "run").mkdir()
    for name in ("model.safetensors", "history.csv", "metrics.json", "config.yaml"):
        (folder / f"precious {name}").write_text("mine")
        (folder / "run" / name).symlink_to(folder / f"precious {name}")
    assert start(folder, "--overwrite").code == 0
    for name in ("model.safetensors", "history.csv", "metrics.json", "config.yaml"):
        assert (folder / f"precious {name}").read_text() == "mine"
        assert not (folder / "run" / name).is_symlink()


# --- permission


def as_nobody(folder: Path) -> dict[str, int]:
    """A Job's options for a user whom file modes bind, and the right to enter the folder for that user."""
    folder.chmod(0o755)
    return {"user": NOBODY} if os.geteuid() == 0 else {}


@pytest.mark.parametrize("arguments", [(), ("--overwrite",)])
def test_a_read_only_folder_is_refused_before_the_first_step(folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "run").mkdir(mode=0o555)
    line = one_line(start(folder, *arguments, **as_nobody(folder)))
    assert "run: cannot write: Permission denied" in line
    assert list((folder / "run").iterdir()) == []


def test_a_read_only_parent_is_refused_before_the_first_step(folder: Path) -> None:
    (folder / "above").mkdir(mode=0o555)
    line = one_line(start(folder, "--out", "above/run", **as_nobody(folder)))
    assert "above/run: cannot write: Permission denied" in line
    assert list((folder / "above").iterdir()) == []


def test_a_run_that_may_not_be_read_cannot_be_resumed(folder: Path) -> None:
    options = as_nobody(folder)
    assert start(folder).code == 0
    (folder / "run").chmod(0o777)
    (folder / "run" / "last.safetensors").chmod(0)
    ended = server().run(folder, "train", "--resume", "run", **options)
    assert "run/last.safetensors: cannot read: Permission denied" in one_line(ended)
    (folder / "run").chmod(0)
    one_line(server().run(folder, "train", "--resume", "run", **options))


# --- lock


def test_a_second_process_is_refused_by_the_pid_of_the_first(folder: Path) -> None:
    with run_folder.locked(folder / "run"):
        before = contents(folder)
        line = one_line(start(folder))
        assert f"run: locked by pid {os.getpid()} " in line
        assert contents(folder) == before
    assert start(folder).code == 0


@pytest.mark.parametrize("arguments", [("config.yaml", "--out", "run", "--overwrite"), ("--resume", "run")])
def test_a_locked_run_is_neither_overwritten_nor_resumed(folder: Path, arguments: tuple[str, ...]) -> None:
    assert start(folder).code == 0
    with run_folder.locked(folder / "run"):
        before = contents(folder)
        assert f"locked by pid {os.getpid()} " in one_line(server().run(folder, "train", *arguments))
        assert contents(folder) == before


def test_two_processes_at_once_and_one_run(folder: Path) -> None:
    """The first is held between two steps, with its lock, while the second tries."""
    command = [sys.executable, "-m", "rnncli", "train", "config.yaml", "--out", "run"]
    keys = ["training.epochs=1000000000", "training.patience=null", "training.schedule=constant"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, *keys], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as first:
        assert first.stderr is not None
        while not first.stderr.readline().startswith(b"epoch 1/"):
            assert first.poll() is None
        line = one_line(start(folder, "--overwrite"))
        first.terminate()
        first.stderr.read()
    assert f"locked by pid {first.pid} " in line
    assert first.returncode == 143
    assert "model.safetensors" in contents(folder / "run")


def test_the_lock_of_a_process_that_is_gone_is_taken_over(folder: Path) -> None:
    """Even if its number now belongs to another."""
    (folder / "run").mkdir()
    (folder / "run" / ".lock").write_text(str(os.getpid()))
    assert start(folder).code == 0
    assert not (folder / "run" / ".lock").exists()


def test_the_lock_is_released_whatever_happens(tmp_path: Path) -> None:
    with pytest.raises(KeyError), run_folder.locked(tmp_path / "run"):  # noqa: PT012 - the block is what is tested
        assert (tmp_path / "run" / ".lock").read_text() == str(os.getpid())
        raise KeyError
    assert list((tmp_path / "run").iterdir()) == []
    with run_folder.locked(tmp_path / "run"):
        pass


def test_a_lock_is_refused_to_the_same_process_too(tmp_path: Path) -> None:
    with (
        run_folder.locked(tmp_path),
        pytest.raises(ResourceError, match=f"locked by pid {os.getpid()}"),
        run_folder.locked(tmp_path),
    ):
        pytest.fail("locked twice")


def test_a_lock_whose_file_was_removed_meanwhile_is_not_taken_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening the file and locking it, its last owner removes it: only a lock on a named file counts."""
    import fcntl

    lock, real, removed = tmp_path / ".lock", fcntl.flock, []

    def flock(descriptor: int, how: int) -> None:
        if not removed:
            removed.append(lock.unlink())
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with run_folder.locked(tmp_path):
        assert removed
        assert lock.read_text() == str(os.getpid())
        with pytest.raises(ResourceError, match="locked by pid"), run_folder.locked(tmp_path):
            pytest.fail("locked twice")


def test_temporary_files_of_dead_processes_are_removed_under_the_lock(folder: Path) -> None:
    (folder / "run").mkdir()
    left = folder / "run" / f"{durable.TEMPORARY}1234-last.safetensors"
    left.write_bytes(b"half")
    with run_folder.locked(folder / "run"):
        assert not left.exists()
        left.write_bytes(b"half")  # as if by the owner of the lock
        one_line(start(folder))
        assert left.exists()


# --- files

ROWS = [
    {"epoch": 1, "train_loss": 1 / 3, "validation_loss": None, "learning_rate": 1e-05, "skipped_updates": 0},
    {"epoch": 2, "train_loss": 0.25, "validation_loss": 2.0, "learning_rate": 0.1, "skipped_updates": 3},
]


def test_history_is_a_csv_of_full_precision_in_one_order(tmp_path: Path) -> None:
    run_folder.write_history(tmp_path, ROWS)
    raw = (tmp_path / "history.csv").read_bytes()
    assert raw.startswith(
        b"epoch,train_loss,validation_loss,learning_rate,skipped_updates\n1,0.3333333333333333,,1e-05,0\n"
    )
    with (tmp_path / "history.csv").open(newline="") as file:
        assert [float(row["train_loss"]) for row in csv.DictReader(file)] == [1 / 3, 0.25]
    run_folder.write_history(tmp_path, [dict(sorted(row.items())) for row in ROWS])  # as a saved state gives them back
    assert (tmp_path / "history.csv").read_bytes() == raw


def test_history_of_no_epoch_is_no_file(tmp_path: Path) -> None:
    run_folder.write_history(tmp_path, [])
    assert list(tmp_path.iterdir()) == []


def test_json_documents_come_back(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    value = {"name": "Fluß \udcff", "numbers": [1, 2.5, None]}
    run_folder.write_json(path, value | {"name": "Fluß"})
    assert run_folder.read_json(path) == value | {"name": "Fluß"}
    assert "Fluß".encode() in path.read_bytes()
    with pytest.raises(ValueError, match="JSON compliant"):
        run_folder.write_json(path, {"loss": float("nan")})
    assert run_folder.read_json(path)["numbers"] == [1, 2.5, None]


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff", b'{"a": 1'])
def test_a_damaged_json_document_is_an_error(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "metrics.json").write_bytes(raw)
    with pytest.raises(CheckpointError):
        run_folder.read_json(tmp_path / "metrics.json")
    with pytest.raises(CheckpointError, match="no such file"):
        run_folder.read_json(tmp_path / "manifest.json")


def state(number: int) -> bytes:
    """A training state that is told from others by its number."""
    return checkpoint.encode(checkpoint.STATE, {"number": number}, {})


def test_the_newest_state_is_the_last_one(tmp_path: Path) -> None:
    assert run_folder.newest_state(tmp_path) == (None, None)
    (tmp_path / "prev.safetensors").write_bytes(state(1))
    stored, warning = run_folder.newest_state(tmp_path)
    assert stored is not None
    assert (stored.content["number"], warning) == (1, None)
    (tmp_path / "last.safetensors").write_bytes(state(2))
    os.utime(tmp_path / "last.safetensors", (0, 0))  # whatever the clock says
    stored, warning = run_folder.newest_state(tmp_path)
    assert stored is not None
    assert (stored.content["number"], warning) == (2, None)


def test_a_model_is_no_state(tmp_path: Path) -> None:
    (tmp_path / "last.safetensors").write_bytes(checkpoint.encode(checkpoint.MODEL, {}, {}))
    with pytest.raises(CheckpointError, match="holds a model, not a training state"):
        run_folder.newest_state(tmp_path)


def test_a_run_killed_before_its_first_file_may_be_started_again(folder: Path) -> None:
    """What was not yet a run is in nobody's way: no flag is needed."""
    for operation in ("mkdir", "unlink", "write"):
        ended = start(folder, faults=[Fault(operation, 1, signal=9)])
        assert ended.code == -9
    assert start(folder).code == 0
    assert not list((folder / "run").glob(f"{durable.TEMPORARY}*"))
