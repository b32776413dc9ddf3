"""The trials of a search and what is drawn for the next one, by Optuna."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from rnncli.errors import CheckpointError, DataError, ResourceError
from rnncli.tune.plan import Plan
from rnncli.tune.space import as_values, draw
from rnncli.tune.storage import quiet
from rnncli.tune.trial import Ended, State

STARTUP = 5  # complete trials before one is pruned
WARM_UP = 0.25  # share of the epochs in which none is
_NEVER = optuna.pruners.NopPruner()
_STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


@dataclass(frozen=True)
class Row:
    """A trial as it is told: its number from 0, how it stands, its score, and the values of the keys."""

    number: int
    state: State
    value: float | None
    seconds: float
    reason: str | None
    parameters: Mapping[str, Any]


@dataclass
class Study:
    """The trials of a search, in a storage that outlives this process.

    What is drawn for a trial depends on the seed, its number and the trials before it alone.
    """

    plan: Plan
    study: optuna.Study
    running: dict[int, optuna.Trial] = field(default_factory=dict)

    def begin(self) -> tuple[int, dict[str, Any]]:
        """The number of a new trial, and what was drawn for it."""
        return self._drawn(self.study.ask())

    def unfinished(self) -> list[tuple[int, dict[str, Any]]]:
        """The trials to go on with, which an interrupted search has left."""
        left = [trial for trial in self._trials() if trial.state == TrialState.RUNNING]
        return [self._drawn(optuna.Trial(self.study, trial._trial_id)) for trial in left]

    def _drawn(self, trial: optuna.Trial) -> tuple[int, dict[str, Any]]:
        """What is drawn for a trial: the same if it was drawn before, or if drawing was interrupted."""
        self.running[trial.number] = trial
        found = {}
        for place, (key, space) in enumerate(self.plan.spaces.items()):
            (seed,) = np.random.SeedSequence([self.plan.seed, trial.number, place]).generate_state(1)
            with quiet():
                # a running trial counts as a bad one, so that those side by side differ
                self.study.sampler = optuna.samplers.TPESampler(seed=int(seed), constant_liar=True)
                found[key] = draw(trial, key, space)
        return trial.number, found

    def is_hopeless(self, number: int, epoch: int, loss: float) -> bool:
        """Whether a trial is worse than the median of those before it at the same epoch."""
        if not self.plan.prunes:
            return False
        trial = self.running[number]
        if epoch not in self._trials()[number].intermediate_values:  # a run that was gone on with repeats some
            trial.report(loss if self.plan.smaller else -loss, epoch)
        return trial.should_prune()

    def end(self, number: int, ended: Ended) -> None:
        """Keep how a trial ended; one that is unfinished is gone on with another time."""
        trial = self.running[number]
        trial.set_user_attr("ended", [ended.value, ended.seconds, ended.reason])
        if ended.state == "complete":
            self.study.tell(trial, ended.value)
        elif ended.state != "unfinished":
            self.study.tell(trial, state=TrialState.PRUNED if ended.state == "pruned" else TrialState.FAIL)

    def rows(self) -> list[Row]:
        """Every trial so far."""
        return [self._row(trial) for trial in self._trials()]

    def count(self) -> int:
        """How many trials were begun."""
        return len(self._trials())

    def best(self) -> Row | None:
        """The best of the complete trials, or of the unfinished ones if there is none."""
        scored = [row for row in self.rows() if row.value is not None]
        known = [row for row in scored if row.state == "complete"] or scored
        return (min if self.plan.smaller else max)(known, key=lambda row: row.value or 0.0, default=None)

    def _trials(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)

    def _row(self, trial: FrozenTrial) -> Row:
        value, seconds, reason = trial.user_attrs.get("ended", (None, 0.0, None))
        state = _STATES.get(trial.state, "unfinished")
        return Row(trial.number, state, value, seconds, reason, as_values(trial.params))


def open_study(name: str, plan: Plan, storage: RDBStorage, *, resume: bool, overwrite: bool, has_trials: bool) -> Study:
    """The study of a name: that which is in the storage if it is resumed, else a new one.

    Raises:
        CheckpointError: if there are trials, of which the storage knows nothing.
        ResourceError: if it has a study of that name, and it may not be replaced.
        DataError: if that was begun on other data.
    """
    there = name in optuna.get_all_study_names(storage)
    pruner = optuna.pruners.MedianPruner(STARTUP, round(plan.epochs * WARM_UP)) if plan.prunes else _NEVER
    if resume and there:
        found = optuna.load_study(study_name=name, storage=storage, pruner=pruner)
        _refuse_other_data(str(found.user_attrs.get("data")), plan.digest)
        return Study(plan, found)
    if has_trials:
        hint = "give --storage as the search was begun with, or --overwrite to begin anew"
        raise CheckpointError(f"the storage holds no search named {name}", hint)
    if there and not overwrite:
        hint = "--overwrite replaces it, another --out has another name"
        raise ResourceError(f"--storage holds a search named {name} already", hint)
    if there:
        optuna.delete_study(study_name=name, storage=storage)
    direction: Literal["minimize", "maximize"] = "minimize" if plan.smaller else "maximize"
    made = optuna.create_study(study_name=name, storage=storage, pruner=pruner, direction=direction)
    made.set_user_attr("data", plan.digest)
    return Study(plan, made)


def _refuse_other_data(before: str, digest: str) -> None:
    if before != digest:
        message = f"the data is not what the search began with (sha256 {digest[:12]}, was {before[:12]})"
        raise DataError(message, "trials on other data cannot be compared: take another --out")
