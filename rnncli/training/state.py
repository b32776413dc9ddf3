"""What training keeps from step to step, and what it tells of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rnncli.model.ensemble import AnyNetwork
from rnncli.training.average import Weights
from rnncli.training.optimizer import Optimizer


@dataclass
class FitState:
    """Everything that the next step depends on, beside the config and the data.

    Attributes:
        epoch, step: epochs done, and steps done of the epoch under way.
        loss_sum, loss_count: training loss of the epoch under way, by windows.
        best_loss, best_epoch: lowest validation loss (training loss without validation) and its epoch, from 1.
        best: a copy of the network's state_dict at that epoch, blended with the closed-form map if there is one.
        share: the network's of that blend.
        lowest: lowest validation loss of the network without the map.
        stale: epochs since then.
        cuts: how often ``plateau`` has halved the rate.
        skipped: updates in a row that were left out, and
        skipped_total: all of them.
        history: a row an epoch.
        mean: the weights among which the best are chosen, see ``training.average``; none if the newest are.
    """

    network: AnyNetwork
    optimizer: Optimizer
    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0
    best_loss: float | None = None
    best_epoch: int = 0
    best: Weights = field(default_factory=dict)
    share: float | None = None
    lowest: float | None = None
    stale: int = 0
    cuts: int = 0
    skipped: int = 0
    skipped_total: int = 0
    history: list[dict[str, float | int | None]] = field(default_factory=list)
    mean: Weights = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """What the manifest says of it."""
        return {"epochs": self.epoch} | ({} if self.share is None else {"network_share": self.share})


@dataclass(frozen=True)
class StepDone:
    """One update was made; `loss` is that of its batch."""

    epoch: int
    step: int
    steps: int
    loss: float


@dataclass(frozen=True)
class EpochDone:
    """An epoch is over; `row` is its line of the history, `share` that of the network beside a map."""

    row: dict[str, float | int | None]
    best: bool
    share: float | None


@dataclass(frozen=True)
class Validating:
    """Some of the validation windows of an epoch are scored."""

    epoch: int


Event = StepDone | Validating | EpochDone
