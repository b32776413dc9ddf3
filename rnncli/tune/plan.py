"""What is searched, and by which score: settled from the config and its data, before any trial."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from rnncli.config import schema
from rnncli.config.document import Document
from rnncli.config.explain import place_of
from rnncli.config.load import check as check_config
from rnncli.config.load import without_search
from rnncli.errors import ConfigError, Problem
from rnncli.tasks.metrics import METRICS
from rnncli.training.check import check
from rnncli.training.problems import open_all
from rnncli.tune.space import Spaces, changes_the_loss, default_space

LEADING = ("pinball", "nll", "cross_entropy", "mae", "rmse")  # the first of these that a task has


@dataclass(frozen=True)
class Plan:
    """What is searched.

    Attributes:
        spaces: what is drawn, by key.
        metric: score of the validation part, and whether a
        smaller one is better.
        trials: in all.
        prunes: whether a trial that is worse than the median ends.
        epochs: of a trial at most.
        seed: of what is drawn.
        digest: hash of the data.
    """

    spaces: Spaces
    metric: str
    smaller: bool
    trials: int
    prunes: bool
    epochs: int
    seed: int
    digest: str


def make_plan(document: Document, note: Callable[[str], None], warn: Callable[[str], None]) -> Plan:
    """What is searched; the config as it is, without anything drawn, must be fit for training.

    Args:
        document: the config.
        note, warn: called with a sentence.

    Raises:
        ConfigError, DataError: if it is not.
    """
    config = check_config(document)
    _refuse_unsearchable(document, config)
    tables = open_all(config.data, warn)
    data = check(without_search(config), tables).data
    for text in data.panel.notes:
        warn(text)
    spaces = config.tune.parameters or default_space(config)
    if config.tune.parameters is None:
        note(f"no tune.parameters: searching {', '.join(spaces)}")
    measured = changes_the_loss(spaces)
    if measured and config.tune.pruner is None:
        note(f"no trial is pruned: losses cannot be compared where {measured} differs")
    metric = _metric(document, config, data.task.metrics, spaces)
    return Plan(
        spaces=spaces,
        metric=metric,
        smaller=METRICS[metric].smaller is True,
        trials=config.tune.trials,
        prunes=config.tune.pruner != "none" and measured is None,
        epochs=config.training.epochs,
        seed=config.seed,
        digest=tables.digest(),
    )


def _refuse_unsearchable(document: Document, config: schema.Config) -> None:
    """Refuse what one run can do with and a search cannot.

    Raises:
        ConfigError: if there is nothing to choose by, or the data can be read but once.
    """
    if config.split.validation == 0:
        place = place_of(document, ("split", "validation"))
        raise ConfigError([Problem("0 leaves nothing to choose trials by", "hold a part out, such as 0.1", place)])
    if "-" in ([config.data.path] if isinstance(config.data.path, str) else config.data.path):
        place = place_of(document, ("data", "path"))
        raise ConfigError([Problem("stdin can be read once, and trials are many", "save the data to a file", place)])


def _metric(document: Document, config: schema.Config, metrics: Collection[str], spaces: Spaces) -> str:
    """The score to search by.

    Raises:
        ConfigError: if the one that the config names is none of these runs.
    """
    wanted, loss_differs = config.tune.metric, "training.loss" in spaces
    if wanted is None:
        return next(
            name for name in LEADING if _has(config, metrics, name) and not (name == "pinball" and loss_differs)
        )
    if wanted not in metrics and not loss_differs:
        place = place_of(document, ("tune", "metric"))
        raise ConfigError([Problem(f"{wanted} is no score of these runs", f"one of {', '.join(metrics)}", place)])
    return wanted


def _has(config: schema.Config, metrics: Collection[str], name: str) -> bool:
    """Whether a task is led by a score; numbers that are no forecasts are by rmse."""
    return name in metrics and (name != "mae" or config.task.kind == "forecasting")
