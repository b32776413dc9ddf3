"""Processes that train trials side by side; only the process that began them speaks with Optuna."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from rnncli.errors import ConfigError, RnncliError
from rnncli.training.interrupt import EXIT_CODES, caught_signals
from rnncli.tune.trial import Ended, Work, run_trial

PAUSE = 0.2  # seconds between two looks for a signal
THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True)
class Epoch:
    """A worker asks whether its trial is to end after an epoch."""

    number: int
    loss: float


@dataclass(frozen=True)
class Warned:
    """A worker has something to say."""

    text: str


@dataclass(frozen=True)
class Broken:
    """A worker has met an error that the other trials would meet too."""

    kind: type[Exception]
    arguments: tuple[Any, ...]


@dataclass
class Worker:
    """A process and the trial that it trains, if it has one."""

    process: BaseProcess
    connection: Connection
    work: Work | None = None

    def reply(self, answer: bool) -> None:
        """Answer an `Epoch`."""
        with contextlib.suppress(ConnectionError):  # it died; `Workers.messages` will say so
            self.connection.send(answer)


class Workers:
    """Up to `most` processes, each with its share of the processors; none outlives the block."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._all: list[Worker] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *unused: object) -> None:
        self.stop()
        while self.busy():
            for worker, message in self.messages():
                if isinstance(message, Epoch):
                    worker.reply(False)
                elif not isinstance(message, Warned):
                    worker.work = None
        for worker in self._all:
            worker.connection.close()  # by which it ends
            worker.process.join()

    def stop(self) -> None:
        """Let every trial be saved and end."""
        for worker in self.busy():
            worker.process.terminate()

    def has_room(self) -> bool:
        """Whether another trial can be trained."""
        return len(self.busy()) < self._most

    def busy(self) -> list[Worker]:
        """The workers that have a trial."""
        return [worker for worker in self._all if worker.work is not None]

    def start(self, work: Work) -> None:
        """Let an idle worker, or a new one, train a trial."""
        worker = next((worker for worker in self._all if worker.work is None), None) or self._hire()
        worker.work = work
        with contextlib.suppress(ConnectionError):
            worker.connection.send(work)

    def _hire(self) -> Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with _born(self._most):
            process.start()
        theirs.close()
        self._all.append(Worker(process, ours))
        return self._all[-1]

    def messages(self) -> Iterator[tuple[Worker, Epoch | Warned | Broken | Ended]]:
        """What workers say, if they do so within a moment; a process that died leaves a failed trial."""
        by_connection = {worker.connection: worker for worker in self.busy()}
        for ready in wait(list(by_connection), PAUSE):
            assert isinstance(ready, Connection)
            worker = by_connection[ready]
            try:
                yield worker, ready.recv()
            except (EOFError, ConnectionError):
                worker.process.join()
                ready.close()
                self._all.remove(worker)
                code = worker.process.exitcode or 0
                how = f"signal {-code}" if code < 0 else f"exit code {code}"
                yield worker, Ended("failed", reason=f"its process ended with {how}: is memory short?")


@contextlib.contextmanager
def _born(count: int) -> Iterator[None]:
    """With their share of the processors, and deaf to signals until they can save for them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = os.environ.get(THREADS)
    resource_tracker.ensure_running()  # which would lift the block when it starts
    signal.pthread_sigmask(signal.SIG_BLOCK, EXIT_CODES)
    os.environ[THREADS] = given or str(max(1, cores // count))
    try:
        yield
    finally:
        os.environ.pop(THREADS)
        os.environ.update({THREADS: given} if given is not None else {})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, EXIT_CODES)


def _serve(connection: Connection) -> None:
    """A worker's life: train what is sent, until nothing is sent any more."""
    with caught_signals(), contextlib.suppress(EOFError, ConnectionError, KeyboardInterrupt):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, EXIT_CODES)
        threading.Thread(target=_end_with_parent, daemon=True).start()
        while True:
            connection.send(_answer(connection, connection.recv()))


def _end_with_parent() -> None:
    """Save and end when the process that began this one is gone, however it went."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _answer(connection: Connection, work: Work) -> Ended | Broken:
    def is_hopeless(epoch: int, loss: float) -> bool:
        connection.send(Epoch(epoch, loss))
        return bool(connection.recv())

    try:
        return run_trial(work, is_hopeless, lambda text: connection.send(Warned(text)))
    except (EOFError, ConnectionError):
        raise
    except ConfigError as error:
        return Broken(ConfigError, (error.problems,))
    except RnncliError as error:
        problem = error.problems[0]
        return Broken(type(error), (problem.message, problem.hint, problem.place))
    except OSError as error:
        return Broken(OSError, (error.errno, error.strerror, error.filename))
    except Exception as error:
        return Broken(RuntimeError, (f"{type(error).__name__}: {error}",))
