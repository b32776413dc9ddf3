"""Faults of disk and machine, injected into training; run as a script, this file is the forking server that does it."""

from __future__ import annotations

import atexit
import builtins
import contextlib
import errno
import functools
import io
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from rnncli import checkpoint, durable
from rnncli.errors import ResourceError
from rnncli.training import folder as run_folder

NOBODY = 65534

CONFIG = """\
data: {path: waves.csv, time: day, target: height}
split: {validation: 8, test: 8}
window: {context: 6}
task: {kind: forecasting, horizon: 2}
model: {cell: lstm, hidden_size: 3, num_layers: 2, dropout: 0.3}
training: {epochs: 8, batch_size: 16, learning_rate: 0.04, schedule: plateau, patience: 2, threads: 1}
"""


@dataclass(frozen=True)
class Fault:
    """What happens at the `first` to `last` operation of a kind: an error (errno), a signal, or a removed folder.

    Kinds are those of ``_watch``; ``any`` counts all of them.
    """

    kind: str
    first: int
    last: int = 0
    error: int = 0
    signal: int = 0
    remove: str = ""

    def hits(self, number: int) -> bool:
        """Whether it happens at this operation of the kind."""
        return self.first <= number <= max(self.first, self.last)


@dataclass(frozen=True)
class Job:
    """A command for a forked process and what happens to it."""

    arguments: Sequence[str]
    folder: str
    faults: Sequence[Fault] = ()
    log: str = ""
    file_size: int | None = None
    user: int | None = None


class Ended(NamedTuple):
    """How a process ended: exit code (below zero: a signal), and what it wrote."""

    code: int
    out: str
    err: str


@contextlib.contextmanager
def memory_folder() -> Iterator[Path]:
    """A folder in memory where there is one: a thousand fsyncs on a disk take a minute."""
    memory = Path("/dev/shm")
    place = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="rnncli-test-", dir=place) as name:
        yield Path(name)


def write_config(folder: Path, config: str = CONFIG) -> None:
    """Config and data of a small run with dropout, patience and a validation part: 3 steps an epoch."""
    (folder / "config.yaml").write_text(config)
    rows = [f"{day},{(day * 7 % 11) + day / 10}" for day in range(60)]
    (folder / "waves.csv").write_text("\n".join(["day,height", *rows]) + "\n")


class Server:
    """A process that has imported everything and forks itself for every command."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environment,
        )

    def run(self, folder: Path, *arguments: str, faults: Sequence[Fault] = (), **others: Any) -> Ended:
        """Run ``rnncli`` with these arguments in `folder`; `others` are further parts of a Job."""
        job = Job(arguments, str(folder), faults, **others)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(job)) + "\n")
        self._process.stdin.flush()
        return Ended(*json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End the server."""
        self._process.communicate()


@functools.cache
def server() -> Server:
    """The server of this test process."""
    started = Server()
    atexit.register(started.close)
    return started


def serve() -> None:
    """Fork a child for every job on stdin and answer with its end."""
    import torch

    import rnncli.cli.training_run  # noqa: F401 - so that no child has to
    from rnncli.cli import app

    torch.set_num_threads(1)
    torch.nn.LSTM(1, 1)(torch.zeros(1, 1, 1))
    for line in sys.stdin:
        job = json.loads(line)
        job["faults"] = [Fault(**fault) for fault in job["faults"]]
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if not child:
                _live(Job(**job), out.fileno(), err.fileno(), app.main)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            texts = [os.pread(stream.fileno(), 1 << 20, 0).decode() for stream in (out, err)]
        print(json.dumps([code, *texts]), flush=True)  # noqa: T201 - the answer


def _live(job: Job, out: int, err: int, main: Callable[[Sequence[str]], None]) -> None:
    """A child's life."""
    code = 99
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        if job.user is not None:
            _become(job.user, main)
        os.chdir(job.folder)
        if job.file_size is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (job.file_size, job.file_size))
        seen = _watch(job.faults)
        main(job.arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
        if job.log:
            Path(job.log).write_text("\n".join(seen))
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(code)


def _become(user: int, main: Callable[[Sequence[str]], None]) -> None:
    """Be a user who may not write everywhere, nor perhaps import: so everything is imported before."""
    quiet = io.StringIO()
    with memory_folder() as place, contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        write_config(place)
        os.chdir(place)
        for arguments in (["--out", "run"], ["--resume", "run"]):
            with contextlib.suppress(SystemExit):
                main(["train", "config.yaml", *arguments])
        os.chdir("/")
    os.setgid(user)
    os.setuid(user)


def _watch(faults: Sequence[Fault], change: Callable[[Any, str, Any], None] = setattr) -> list[str]:
    """Let `faults` happen in this process; the list grows by the kind of every operation.

    An ``event`` is one of training: a step, a batch of validation, or an epoch, before its state is saved.
    """
    from rnncli.training.session import Session

    seen: list[str] = []
    counts: Counter[str] = Counter()

    def happen(kind: str, torn: Callable[[], object] | None = None) -> None:
        seen.append(kind)
        counts.update([kind, "any"])
        for fault in faults:
            if fault.kind in (kind, "any") and fault.hits(counts[fault.kind]):
                if torn and (fault.error or fault.signal == signal.SIGKILL):
                    torn()
                _happen(fault)

    def watched(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def replacement(*arguments: Any, **options: Any) -> Any:
            if str(arguments[0]) != os.devnull:  # it is what the compiler reads, which is asked for its version
                happen(kind)
            return function(*arguments, **options)

        return replacement

    real_open = builtins.open

    def opened(file: Any, *arguments: Any, **options: Any) -> Any:
        stream = real_open(file, *arguments, **options)
        return _Torn(stream, happen) if isinstance(file, int) else stream

    for kind in ("open", "fsync", "link", "replace", "unlink", "mkdir"):
        change(os, kind, watched(kind, getattr(os, kind)))
    change(builtins, "open", opened)
    change(Session, "between_steps", watched("event", Session.between_steps))
    return seen


def _happen(fault: Fault) -> None:
    if fault.remove:
        shutil.rmtree(fault.remove)
    if fault.signal:
        os.kill(os.getpid(), fault.signal)
    if fault.error:
        raise OSError(fault.error, os.strerror(fault.error))


class _Torn:
    """A file whose faults come when half of what is to be written is on the disk."""

    def __init__(self, stream: Any, happen: Callable[..., None]) -> None:
        self._stream = stream
        self._happen = happen

    def __enter__(self) -> _Torn:
        return self

    def __exit__(self, *unused: object) -> None:
        self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, raw: bytes) -> int:
        """Write, or write half and fail."""
        self._happen("write", lambda: os.write(self._stream.fileno(), raw[: len(raw) // 2]))
        return int(self._stream.write(raw))


# --- a write that fails

WRITE = ["open", "write", "fsync", "link", "replace", "replace", "open", "fsync"]  # one of a kept generation
STEPS = [(kind, WRITE[: at + 1].count(kind)) for at, kind in enumerate(WRITE)]
OLDER, OLD, NEW = (
    checkpoint.encode(checkpoint.STATE, {"generation": number}, {"weight": np.full(500, number, dtype=np.float32)})
    for number in range(3)
)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[str]]]:
    """`_watch` in this process; what it changed is put back."""
    with monkeypatch.context() as patch:
        yield lambda *faults: _watch(faults, patch.setattr)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state in its second generation."""
    path = tmp_path / "last.safetensors"
    path.write_bytes(OLD)
    (tmp_path / "prev.safetensors").write_bytes(OLDER)
    return path


def generation(path: Path) -> int:
    """Which of the three states stands at the path; an error if it is none of them."""
    return int(checkpoint.read(path, checkpoint.STATE).content["generation"])


def test_the_operations_of_a_write_are_the_ones_that_fail_here(state: Path, watch: Callable[..., list[str]]) -> None:
    seen = watch()
    durable.write(state, NEW, state.with_name("prev.safetensors"))
    assert [kind for kind in seen if kind != "unlink"] == WRITE


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS], ids=errno.errorcode.get)
@pytest.mark.parametrize(("kind", "number"), STEPS)
def test_a_write_that_fails_leaves_whole_files(
    state: Path, watch: Callable[..., list[str]], kind: str, number: int, error: int
) -> None:
    """The old state or the new one, the generation before it, and no temporary file; the next write succeeds."""
    previous = state.with_name("prev.safetensors")
    watch(Fault(kind, number, error=error))
    with pytest.raises(ResourceError) as caught:
        durable.write(state, NEW, previous)
    message = str(caught.value)
    assert message.startswith(f"{state}: cannot write: {os.strerror(error)}")
    assert f"{len(NEW):,} bytes needed" in message
    assert (generation(previous), generation(state)) in {(0, 1), (1, 1), (1, 2)}
    assert {path.name for path in state.parent.iterdir()} == {"last.safetensors", "prev.safetensors"}
    durable.write(state, NEW, previous)
    assert generation(state) == 2


@pytest.mark.parametrize(("kind", "number"), [step for step in STEPS if step[0] in {"open", "write", "fsync"}])
def test_a_first_write_that_fails_leaves_nothing_or_all(
    tmp_path: Path, watch: Callable[..., list[str]], kind: str, number: int
) -> None:
    path = tmp_path / "last.safetensors"
    watch(Fault(kind, number, error=errno.ENOSPC))
    with pytest.raises(ResourceError):
        durable.write(path, NEW, tmp_path / "prev.safetensors")
    if number == 1:
        assert list(tmp_path.iterdir()) == []
    else:
        assert [found.name for found in tmp_path.iterdir()] == ["last.safetensors"]
        assert generation(path) == 2


STRACE = shutil.which("strace")
TRACES = STRACE is not None and subprocess.run([STRACE, "-qq", "true"], capture_output=True).returncode == 0
traced = pytest.mark.skipif(not TRACES, reason="strace is not installed, or may trace nothing here")

SCRIPT = """\
import pathlib, sys
from rnncli import checkpoint, durable
from rnncli.errors import ResourceError
path = pathlib.Path(sys.argv[1])
try:
    durable.write(path, pathlib.Path(sys.argv[2]).read_bytes(), path.with_name("prev.safetensors"))
except ResourceError:
    sys.exit(5)
"""


def trace(state: Path, *options: str) -> tuple[int, list[str]]:
    """Write the third generation under strace: exit code and the system calls."""
    new, log = state.parent.parent / "new", state.parent.parent / "log"
    new.write_bytes(NEW)
    assert STRACE is not None
    command = [STRACE, "-f", "-qq", "-y", "-o", str(log), *options, sys.executable, "-c", SCRIPT, str(state), str(new)]
    code = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True).returncode
    return code, log.read_text().splitlines()


@pytest.fixture
def traced_state(tmp_path: Path) -> Path:
    """A state in its second generation, alone in a folder."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "last.safetensors").write_bytes(OLD)
    (folder / "prev.safetensors").write_bytes(OLDER)
    return folder / "last.safetensors"


@traced
def test_the_kernel_sees_a_write_in_its_order(traced_state: Path) -> None:
    code, log = trace(traced_state, "-e", "trace=fsync,fdatasync,link,linkat,rename,renameat,renameat2")
    assert code == 0
    folder = re.escape(str(traced_state.parent))
    expected = [
        rf"fsync\(\d+<{folder}/{re.escape(durable.TEMPORARY)}.*last\.safetensors>\) = 0",
        rf"link(at)?\(.*{folder}/last\.safetensors.*\) = 0",
        rf"rename(at2?)?\(.*{folder}/prev\.safetensors.*\) = 0",
        rf"rename(at2?)?\(.*{folder}/last\.safetensors.*\) = 0",
        rf"fsync\(\d+<{folder}>\) = 0",
    ]
    assert len(log) == len(expected), log
    for line, pattern in zip(log, expected, strict=True):
        assert re.search(pattern, line), line


@traced
@pytest.mark.parametrize("how", ["error=ENOSPC", "error=EIO", "signal=KILL"])
@pytest.mark.parametrize(
    ("call", "when"),
    [
        ("fsync", 1),
        ("fsync", 2),
        ("link,linkat", 1),
        ("rename,renameat,renameat2", 1),
        ("rename,renameat,renameat2", 2),
    ],
)
def test_a_system_call_that_fails_leaves_whole_files(traced_state: Path, call: str, when: int, how: str) -> None:
    code, _ = trace(traced_state, "-e", f"trace={call}", "-e", f"inject={call}:{how}:when={when}")
    previous = traced_state.with_name("prev.safetensors")
    assert code == (-signal.SIGKILL if "KILL" in how else 5)
    assert (generation(previous), generation(traced_state)) in {(0, 1), (1, 1), (1, 2)}
    if code == 5:
        assert {path.name for path in traced_state.parent.iterdir()} == {"last.safetensors", "prev.safetensors"}
    durable.clean(traced_state.parent)
    durable.write(traced_state, NEW, previous)
    assert generation(traced_state) == 2


# --- training on a failing disk

SAVING = ("--save-every", "0s")  # a state is saved after every event
NAMES = {
    "config.yaml", "history.csv", "last.safetensors", "manifest.json", "metrics.json",
    "model.safetensors", "prev.safetensors",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where config and data are, and the run `whole` that nothing disturbed."""
    with memory_folder() as place:
        write_config(place)
        ended = start(place, "whole", log=str(place / "log"))
        assert ended.code == 0, ended.err
        yield place


def start(folder: Path, run: str, *arguments: str, **others: Any) -> Ended:
    """Begin a run that saves all the time."""
    return server().run(folder, "train", "config.yaml", "--out", run, *SAVING, *arguments, **others)


def resume(folder: Path, run: str, **others: Any) -> Ended:
    """Go on with a run."""
    return server().run(folder, "train", "--resume", run, *SAVING, **others)


def assert_whole(folder: Path, run: str) -> None:
    """A run has the model and the history of the undisturbed one and nothing temporary."""
    for name in ("model.safetensors", "history.csv"):
        assert (folder / run / name).read_bytes() == (folder / "whole" / name).read_bytes(), name
    assert {path.name for path in (folder / run).iterdir()} == NAMES


def assert_loadable(run: Path) -> None:
    """There is a state to go on from, every checkpoint that is there is whole, and nothing is temporary."""
    names = {path.name for path in run.iterdir()}
    assert "last.safetensors" in names
    assert names <= NAMES
    for name in names:
        if name.endswith(".safetensors"):
            kind = checkpoint.MODEL if name == run_folder.MODEL else checkpoint.STATE
            assert checkpoint.read(run / name, kind).kind == kind


def one_line(ended: Ended, code: int = 5) -> str:
    """The error of a command that failed as it should: one line, no traceback, nothing on stdout."""
    assert (ended.code, ended.out) == (code, ""), ended.err
    assert "Traceback" not in ended.err
    errors = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert ended.err.splitlines()[-1] == errors[0]
    return errors[0]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=errno.errorcode.get)
@pytest.mark.parametrize(
    ("kind", "number"),
    [("open", 4), ("open", 5), ("open", 9), ("open", 16), ("write", 2), ("write", 5), ("write", 9), ("fsync", 3),
     ("fsync", 4), ("fsync", 11), ("link", 1), ("link", 4), ("replace", 2), ("replace", 3), ("replace", 4),
     ("replace", 9)],
)  # fmt: skip
def test_one_failed_save_is_a_warning(folder: Path, kind: str, number: int, error: int) -> None:
    run = f"{kind}{number}{error}"
    ended = start(folder, run, faults=[Fault(kind, number, error=error)])
    assert ended.code == 0, ended.err
    (warning,) = [line for line in ended.err.splitlines() if line.startswith("warning: ")]
    assert run in warning
    assert os.strerror(error) in warning
    assert "training goes on" in warning
    assert_whole(folder, run)


def test_failures_count_only_in_a_row(folder: Path) -> None:
    """Two, a success, two more."""
    faults = [Fault("write", 10, 11, error=errno.ENOSPC), Fault("write", 15, 16, error=errno.ENOSPC)]
    ended = start(folder, "recovering", faults=faults)
    assert ended.code == 0, ended.err
    assert ended.err.count("warning: ") == 4
    assert_whole(folder, "recovering")


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=errno.errorcode.get)
@pytest.mark.parametrize("kind", ["open", "write", "fsync", "link", "replace"])
def test_three_failed_saves_in_a_row_end_the_run(folder: Path, kind: str, error: int) -> None:
    """What was saved before is whole; with room on the disk the run goes on to the same bits."""
    run = f"full{kind}{error}"
    ended = start(folder, run, faults=[Fault(kind, 12, 10**9, error=error)])
    message = one_line(ended)
    assert ended.err.count("warning: ") == 2
    assert run in message
    assert re.search(rf"{os.strerror(error)}: [\d,]+ bytes needed, [\d,]+ free", message)
    assert_loadable(folder / run)
    assert resume(folder, run).code == 0
    assert_whole(folder, run)


@pytest.mark.parametrize(("kind", "number"), [("mkdir", 1), ("open", 1), ("open", 2), ("write", 1), ("fsync", 1)])
def test_a_disk_that_takes_nothing_ends_the_run_before_its_first_step(folder: Path, kind: str, number: int) -> None:
    run = f"nothing{kind}{number}"
    message = one_line(start(folder, run, faults=[Fault(kind, number, error=errno.EROFS)]))
    assert run in message
    assert os.strerror(errno.EROFS) in message
    assert not (folder / run).exists() or list((folder / run).iterdir()) == []


def test_a_failure_of_the_last_save_is_an_error(folder: Path) -> None:
    """There is no step after it that would save again."""
    last = (folder / "log").read_text().split().count("link")
    run = "lastsave"
    message = one_line(start(folder, run, faults=[Fault("link", last, error=errno.ENOSPC)]))
    assert "last.safetensors" in message
    assert_loadable(folder / run)
    assert resume(folder, run).code == 0
    assert_whole(folder, run)


@pytest.mark.parametrize("before_the_end", [0, 1], ids=["metrics", "manifest"])
def test_metrics_that_cannot_be_written_are_not_printed(folder: Path, before_the_end: int) -> None:
    writes = (folder / "log").read_text().split().count("write")
    run = f"metrics{before_the_end}"
    ended = start(folder, run, faults=[Fault("write", writes - before_the_end, error=errno.ENOSPC)])
    assert ".json: cannot write" in one_line(ended)
    assert_loadable(folder / run)
    assert resume(folder, run).code == 0
    assert_whole(folder, run)


@pytest.mark.parametrize(("limit", "unwritable"), [(3000, "model.safetensors"), (7000, "last.safetensors")])
def test_a_limit_on_file_size_is_an_error_and_no_death(folder: Path, limit: int, unwritable: str) -> None:
    """SIGXFSZ would kill; the model is larger than one limit, the state than both."""
    sizes = {name: (folder / "whole" / name).stat().st_size for name in ("model.safetensors", "last.safetensors")}
    assert 3000 < sizes["model.safetensors"] < 7000 < sizes["last.safetensors"]
    run = f"limited{limit}"
    message = one_line(start(folder, run, file_size=limit))
    assert f"{run}/last.safetensors" in message  # there is no model before the first epoch is over
    assert os.strerror(errno.EFBIG) in message
    assert {path.name for path in (folder / run).iterdir()} <= {"config.yaml", "model.safetensors", "history.csv"}
    seldom = server().run(folder, "train", "--resume", run, "--save-every", "1h", file_size=limit)
    assert f"{run}/{unwritable}" in one_line(seldom)
    assert resume(folder, run).code == 0
    assert_whole(folder, run)


@pytest.mark.parametrize(
    ("kind", "number", "every"),
    [("event", 8, "0s"), ("open", 14, "0s"), ("fsync", 13, "0s"), ("replace", 9, "0s"), ("link", 3, "0s"),
     ("event", 8, "1h")],
)  # fmt: skip
def test_a_folder_removed_while_training_is_an_error(folder: Path, kind: str, number: int, every: str) -> None:
    run = f"removed{kind}{every}"
    fault = Fault(kind, number, remove=run)
    ended = server().run(folder, "train", "config.yaml", "--out", run, "--save-every", every, faults=[fault])
    assert run in one_line(ended)
    assert not (folder / run).exists()


# --- divergence

EXPLODING = (
    "model.cell=rnn", "model.nonlinearity=relu", "training.optimizer=sgd", "training.clip_norm=null",
    "training.schedule=constant", "training.loss=mse", "window.normalise=none", "training.patience=null",
)  # fmt: skip

TWO_SERIES = """\
data: {path: two.csv, time: day, target: height, series: place}
split: {validation: 8, test: 8}
window: {context: 6, normalise: none}
scale: {kind: none}
task: {kind: forecasting, horizon: 1}
model: {cell: lstm, hidden_size: 3}
training: {epochs: 3, batch_size: 1000, schedule: constant, loss: mse, threads: 1}
"""


@pytest.mark.parametrize("rate", ["1e6", "1e3"])
@pytest.mark.parametrize("saving", [SAVING, ("--save-every", "1h")], ids=["always", "seldom"])
def test_training_that_explodes_is_stopped(folder: Path, rate: str, saving: tuple[str, str]) -> None:
    run = f"exploded{rate}{saving[1]}"
    keys = [*EXPLODING, f"training.learning_rate={rate}"]
    ended = server().run(folder, "train", "config.yaml", "--out", run, *keys, *saving)
    message = one_line(ended, 6)
    assert re.search(r"epoch \d+, step \d+", message)
    assert "training.learning_rate" in message
    assert_loadable(folder / run)
    again = server().run(folder, "train", "--resume", run, *saving)
    assert one_line(again, 6) == message


def test_what_was_good_before_an_explosion_is_kept(folder: Path) -> None:
    """The best epoch's weights and the history, although no save was due."""
    keys = [*EXPLODING, "training.learning_rate=10", "training.epochs=1000"]
    ended = server().run(folder, "train", "config.yaml", "--out", "kept", *keys, "--save-every", "1h")
    message = one_line(ended, 6)
    assert "the last good checkpoint is kept" in message
    epochs = ended.err.count("\nepoch ")
    assert epochs > 0
    assert_loadable(folder / "kept")
    history = (folder / "kept" / "history.csv").read_text().splitlines()
    assert len(history) == epochs + 1
    evaluated = server().run(folder, "evaluate", "kept")
    assert evaluated.code == 0, evaluated.err
    assert json.loads(evaluated.out)["validation"]["mse"] > 0


def write_two_series(folder: Path, north: str, south: str) -> None:
    """A config and two series, one value repeated with both signs in each."""
    rows = [
        f"{place},{day},{'-' if day % 3 else ''}{value}"
        for place, value in (("north", north), ("south", south))
        for day in range(60)
    ]
    (folder / "two.csv").write_text("\n".join(["place,day,height", *rows]) + "\n")
    (folder / "two.yaml").write_text(TWO_SERIES)


@pytest.mark.parametrize(
    ("north", "south", "named"),
    [("1e30", "1.0", "series north "), ("1.0", "1e30", "series south "), ("1e30", "1e30", "series north, south ")],
)
def test_the_series_that_made_the_loss_infinite_are_named(folder: Path, north: str, south: str, named: str) -> None:
    """And the epoch, the step and the rate; one batch holds all windows."""
    write_two_series(folder, north, south)
    run = f"{north}{south}"
    ended = server().run(folder, "train", "two.yaml", "--out", run)
    message = one_line(ended, 6)
    assert "epoch 1, step 1, learning rate 0.002, " in message
    assert named in message


def test_a_sum_of_losses_may_be_more_than_a_float32(folder: Path) -> None:
    """Every window's loss is 2e38 or less, a float32; that of the batch is none."""
    write_two_series(folder, "1.4e19", "1.0")
    ended = server().run(folder, "train", "two.yaml", "--out", "sum")
    assert ended.code == 0, ended.err
    rows = (folder / "sum" / "history.csv").read_text().splitlines()[1:]
    assert all(9e37 < float(row.split(",")[1]) < 1.1e38 for row in rows)
    ended = server().run(folder, "train", "two.yaml", "model.skip=linear", "--out", "map")
    assert "validation loss is not finite" in one_line(ended, 6)  # no map beats numbers that no window foretells


def test_a_series_name_reaches_the_terminal_escaped(folder: Path) -> None:
    write_two_series(folder, "1e30", "1.0")
    (folder / "two.csv").write_text((folder / "two.csv").read_text().replace("north", "\x1b[2Jno\u202erth"))
    message = one_line(server().run(folder, "train", "two.yaml", "--out", "escaped"), 6)
    assert "\\x1b[2Jno\\u202erth" in message


if __name__ == "__main__":
    serve()
