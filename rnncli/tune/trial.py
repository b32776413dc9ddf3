"""One trial: an ordinary training run, which a caller may end after any epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rnncli.config import schema
from rnncli.data.reading.dialect import dialect_of
from rnncli.data.reading.frames import open_tables
from rnncli.errors import ConfigError, DataError, DivergedError, Interrupted, is_out_of_memory
from rnncli.evaluation.trained_run import train_and_score
from rnncli.training import folder as run_folder
from rnncli.training.fit import Fit, finished
from rnncli.training.request import Request, StopTraining, Watch
from rnncli.training.state import EpochDone, Event, FitState

State = Literal["complete", "unfinished", "pruned", "failed"]


@dataclass(frozen=True)
class Work:
    """A trial to train.

    Attributes:
        number: from 0.
        folder: its run folder; a run that is there is gone on with.
        config: of the run.
        metric: the score of the validation part that counts.
        budget: seconds after which it ends with its best weights so far.
    """

    number: int
    folder: Path
    config: schema.Config
    metric: str
    budget: float | None = None


@dataclass(frozen=True)
class Ended:
    """How a trial ended.

    Attributes:
        state: ``unfinished`` if a signal or the budget came before its last epoch.
        value: its score, if it has one.
        seconds: of training.
        reason: why it failed, or where it was pruned.
    """

    state: State
    value: float | None = None
    seconds: float = 0.0
    reason: str | None = None


@dataclass
class _Followed:
    """What is known of a run while it is trained."""

    fit: Fit | None = None
    state: FitState | None = None
    since: float = field(default_factory=time.monotonic)

    def started(self, fit: Fit, state: FitState) -> None:
        self.fit, self.state = fit, state

    def is_finished(self) -> bool:
        return self.fit is not None and self.state is not None and finished(self.state, self.fit.settings)

    def seconds(self) -> float:
        return round(time.monotonic() - self.since, 3)


def run_trial(work: Work, is_hopeless: Callable[[int, float], bool], warn: Callable[[str], None]) -> Ended:
    """Train a trial and score it.

    Args:
        work: what to train.
        is_hopeless: told the epoch, from 1, and its validation loss; whether the trial is to end there.
        warn: called with a sentence.

    Raises:
        RnncliError, OSError: for what other trials would meet too, such as a full disk.
    """
    followed = _Followed()

    def event(event: Event) -> None:
        if isinstance(event, EpochDone):
            epoch, loss = event.row["epoch"], event.row["validation_loss"]
            assert epoch is not None
            assert loss is not None
            if is_hopeless(int(epoch), loss) and not followed.is_finished():
                raise StopTraining(f"after epoch {epoch}")

    begun = (work.folder / run_folder.CONFIG).exists()
    request = Request(work.folder, resume=begun, overwrite=not begun, budget=work.budget)
    try:
        tables = open_tables(work.config.data.path, dialect_of(work.config.data))
        result = train_and_score(work.config, tables, request, Watch(followed.started, event, warn))
    except StopTraining as stop:
        return Ended("pruned", None, followed.seconds(), str(stop))
    except Interrupted:
        return Ended("unfinished", None, followed.seconds())
    except (ConfigError, DataError, DivergedError) as error:  # by the trial's keys: without them the data was good
        return Ended("failed", None, followed.seconds(), error.problems[0].message)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return Ended("failed", None, followed.seconds(), "out of memory")
    value = result["validation"].get(work.metric)
    if value is None:
        return Ended("failed", None, result["seconds"], f"its validation part has no {work.metric}")
    return Ended("complete" if followed.is_finished() else "unfinished", value, result["seconds"])
