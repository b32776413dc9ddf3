"""A search, told from its config to its best trial: trials are drawn, trained one by one or side by side, and kept."""

from __future__ import annotations

import contextlib
import functools
import math
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM
from typing import Any

from rnncli.config.document import Document
from rnncli.config.load import apply, check, without_search
from rnncli.errors import CheckpointError, ConfigError, Interrupted, Place
from rnncli.training import folder as run_folder
from rnncli.training.interrupt import EXIT_CODES, Caught, caught_signals
from rnncli.tune import folder as search_folder
from rnncli.tune.plan import Plan, make_plan
from rnncli.tune.space import as_overrides
from rnncli.tune.storage import check_url, opened
from rnncli.tune.study import Row, Study, open_study
from rnncli.tune.trial import Ended, Work, run_trial
from rnncli.tune.workers import Broken, Epoch, Warned, Worker, Workers


@dataclass(frozen=True)
class Asked:
    """What a caller asks of a search beside its config.

    Attributes:
        folder: of the search.
        resume: go on with the search that is in it.
        overwrite: replace the search that is in it.
        budget: seconds after which no trial begins, and those under way end with their best weights so far.
        jobs: trials at a time.
        storage: URL of the database that keeps the trials; None for a file in the folder.
    """

    folder: Path
    resume: bool = False
    overwrite: bool = False
    budget: float | None = None
    jobs: int = 1
    storage: str | None = None


@dataclass(frozen=True)
class Told:
    """Whom a search tells what happens.

    Attributes:
        trial: called with every trial that has ended, the best one so far, and the metric.
        note, warn: called with a sentence.
    """

    trial: Callable[[Row, Row | None, str], None]
    note: Callable[[str], None]
    warn: Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """What a search has come to."""

    plan: Plan
    rows: list[Row]
    best: Row | None
    seconds: float


def search(document: Document, asked: Asked, told: Told) -> Found:
    """Search, or go on with a search that was interrupted.

    Raises:
        Interrupted: after a signal; the trials under way are saved.
        ConfigError, DataError: if the config as it is, or its data, is not fit for training; no trial has begun.
        ResourceError, CheckpointError, UsageError: of the folder or the storage.
    """
    began = time.monotonic()
    if asked.storage is not None:
        check_url(asked.storage)
    if not (asked.resume or asked.overwrite):
        search_folder.refuse_existing(asked.folder)
    plan = make_plan(document, told.note, told.warn)
    with caught_signals() as caught, contextlib.ExitStack() as stack:
        study = _begin_or_find(document, plan, asked, stack)
        _Search(document, asked, told, study, caught, began).run()
        return Found(plan, study.rows(), study.best(), round(time.monotonic() - began, 3))


def _begin_or_find(document: Document, plan: Plan, asked: Asked, stack: contextlib.ExitStack) -> Study:
    """The study of a search, in its folder, which is locked until `stack` ends.

    Raises:
        CheckpointError: if there are trials and nothing is known of them.
    """
    folder = asked.folder
    if (
        asked.resume
        and asked.storage is None
        and search_folder.has_trials(folder)
        and not (folder / search_folder.STUDY).exists()
    ):
        hint = "give --storage as the search was begun with, or --overwrite to begin anew"
        raise CheckpointError("no such file", hint, Place(str(folder / search_folder.STUDY)))

    def study() -> Study:
        storage = stack.enter_context(opened(asked.storage, folder))
        there = asked.resume and search_folder.has_trials(folder)
        name = folder.resolve().name
        return open_study(name, plan, storage, resume=asked.resume, overwrite=asked.overwrite, has_trials=there)

    early = study() if asked.storage is not None else None  # or one that is not there would leave a folder
    stack.enter_context(run_folder.locked(folder))
    if not asked.resume:
        search_folder.empty(folder)
    search_folder.write_config(folder, document)
    return early or study()


@dataclass
class _Search:
    """Trials on their way."""

    document: Document
    asked: Asked
    told: Told
    study: Study
    caught: Caught
    began: float
    warned: set[str] = field(default_factory=set)

    def run(self) -> None:
        """Train trials until there are enough.

        Raises:
            Interrupted: if a signal has come; what was under way is saved.
        """
        if self.asked.jobs == 1:
            for work in self._works():
                is_hopeless = functools.partial(self.study.is_hopeless, work.number)
                self._end(work.number, run_trial(work, is_hopeless, self._warn))
        else:
            self._side_by_side()
        self._write()
        if self.caught.signal is not None:
            command = f"rnncli tune --resume {shlex.quote(str(self.asked.folder))}"
            count = sum(row.state != "unfinished" for row in self.study.rows())
            done = f"saved, {count} of {self.study.plan.trials} trials done"
            raise Interrupted(f"{self.caught.signal.name}: {done}; {command} goes on", EXIT_CODES[self.caught.signal])

    def _side_by_side(self) -> None:
        stopped = False
        with Workers(self.asked.jobs) as workers:
            works = self._works()
            while True:
                while workers.has_room() and (work := next(works, None)):
                    workers.start(work)
                if not workers.busy():
                    return
                if self.caught.signal is not None and not stopped:
                    workers.stop()
                    stopped = True
                for worker, message in workers.messages():
                    self._heed(worker, message)

    def _heed(self, worker: Worker, message: Epoch | Warned | Broken | Ended) -> None:
        """Do what a worker's message asks for."""
        assert worker.work is not None
        number = worker.work.number
        if isinstance(message, Epoch):
            worker.reply(self.study.is_hopeless(number, message.number, message.loss))
        elif isinstance(message, Warned):
            self._warn(message.text)
        else:
            worker.work = None
            if isinstance(message, Broken):
                raise message.kind(*message.arguments)
            if message.state == "unfinished" and message.value is None:  # a signal was sent to it alone
                self.caught.signal = self.caught.signal or SIGTERM
            self._end(number, message)

    def _works(self) -> Iterator[Work]:
        """What to train next, as long as there is time for anything; those first that were left unfinished."""
        left, begun = self.study.unfinished(), False
        while (left or self.study.count() < self.study.plan.trials) and not self._is_over(begun):
            work = self._work(*(left.pop(0) if left else self.study.begin()))
            if work is not None:
                begun = True
                yield work

    def _is_over(self, begun: bool) -> bool:
        return self.caught.signal is not None or (begun and self._seconds_left() <= 0)

    def _seconds_left(self) -> float:
        return math.inf if self.asked.budget is None else self.asked.budget - (time.monotonic() - self.began)

    def _work(self, number: int, drawn: dict[str, Any]) -> Work | None:
        """The run of a trial; none, if the rules refuse what was drawn for it."""
        try:
            config = without_search(check(apply(self.document, as_overrides(drawn))))
        except ConfigError as error:
            problem = error.problems[0]
            self._end(number, Ended("failed", reason=f"{problem.place}: {problem.message}"))
            return None
        left = self._seconds_left()
        folder = search_folder.trial_folder(self.asked.folder, number)
        return Work(number, folder, config, self.study.plan.metric, None if math.isinf(left) else max(0.0, left))

    def _end(self, number: int, ended: Ended) -> None:
        self.study.end(number, ended)
        self._write()
        best = self.study.best()
        if best is not None:
            search_folder.write_best(self.asked.folder, best, self.study.plan.metric)
        self.told.trial(self.study.rows()[number], best, self.study.plan.metric)

    def _write(self) -> None:
        plan = self.study.plan
        search_folder.write_trials(self.asked.folder, self.study.rows(), plan.metric, list(plan.spaces))

    def _warn(self, text: str) -> None:
        """Warn of what is the same in every trial once."""
        if text not in self.warned:
            self.warned.add(text)
            self.told.warn(text)
