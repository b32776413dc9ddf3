"""How many CPU threads training runs on: it is tried out, and tried again, since the machine has other work too."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import torch

from rnncli.config import schema
from rnncli.training.device import set_threads
from rnncli.training.state import Event, StepDone

MOST = 4  # threads: small recurrent networks gain nothing beyond
TRIAL = 6  # steps with each count of threads, the first of which does not count
HOLD = 15.0  # seconds until the next trial
GAIN = 0.9  # of the time of fewer threads that more must stay below


class Pace:
    """Chooses between counts of threads by the time that steps take.

    Args:
        counts: to choose from, rising; a single one is used as it is.
        use: sets the count.
        clock: seconds.
    """

    def __init__(
        self,
        counts: Sequence[int],
        use: Callable[[int], None] = torch.set_num_threads,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._counts, self._use, self._clock = counts, use, clock
        self._before = self._hold_until = clock()
        self._begin()

    def step_done(self) -> None:
        """A training step is over: take its time, and change the count if that is due."""
        if len(self._counts) == 1:
            return
        now = self._clock()
        elapsed, self._before = now - self._before, now
        if self._trial is None:
            if now >= self._hold_until:
                self._begin()
            return
        self._trial[-1].append(elapsed)
        if len(self._trial[-1]) == TRIAL:
            self._next(now)

    def _begin(self) -> None:
        self._before = self._clock()
        self._trial: list[list[float]] | None = [[]]
        self._use(self._counts[0])

    def _next(self, now: float) -> None:
        """Try the next count; after the last one, take the best for a while."""
        assert self._trial is not None
        if len(self._trial) < len(self._counts):
            self._use(self._counts[len(self._trial)])
            self._trial.append([])
            return
        times = [statistics.median(times[1:]) for times in self._trial]
        best = 0
        for place in range(1, len(times)):
            best = place if times[place] < GAIN * times[best] else best
        self._use(self._counts[best])
        self._trial, self._hold_until = None, now + HOLD


def pace_of(config: schema.Config, engine: str) -> Pace:
    """The pace of a training run.

    Threads that are asked for, or set by OMP_NUM_THREADS, are what is used. Only the native kernels give the same bits
    on any number of threads: where torch computes the recurrence, a run that is repeated or resumed must have the same
    ones, and `set_threads` decides once.
    """
    counts = [set_threads(config.training.threads, config.model, config.training.batch_size)]
    if config.training.threads == "auto" and engine == "native" and not os.environ.get("OMP_NUM_THREADS"):
        counts = sorted({1, min(_cores(), MOST)})
    return Pace(counts)


def paced(events: Iterator[Event], pace: Pace) -> Iterator[Event]:
    """The events of `fit_network`, whose steps are timed."""
    for event in events:
        if isinstance(event, StepDone):
            pace.step_done()
        yield event


def _cores() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
