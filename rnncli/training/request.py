"""What a caller asks of a training run beside its config."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnncli.training.fit import Fit
    from rnncli.training.state import Event, FitState


@dataclass(frozen=True)
class Request:
    """How to run.

    Attributes:
        folder: the run folder.
        resume: go on with the run that is in it.
        overwrite: replace the run that is in it.
        budget: seconds after which training ends with the best weights so far.
        save_every: seconds between saved states, also within an epoch.
        allow_data_change: resume on other data than the run began with.
    """

    folder: Path
    resume: bool = False
    overwrite: bool = False
    budget: float | None = None
    save_every: float = 10.0
    allow_data_change: bool = False


class StopTraining(Exception):  # noqa: N818 - not a mistake of anyone
    """Raised by a caller in `Watch.event`: the state is saved, and training stops."""


@dataclass(frozen=True)
class Watch:
    """What a caller is told while training runs.

    Attributes:
        started: called once, with what is fitted and from which state.
        event: called after every step and epoch.
        warn: called with a sentence.
    """

    started: Callable[[Fit, FitState], None]
    event: Callable[[Event], None]
    warn: Callable[[str], None]
