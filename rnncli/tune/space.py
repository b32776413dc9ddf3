"""What is searched: the keys of ``tune.parameters`` as Optuna draws them, and as overrides of the config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna import Trial

from rnncli.config import schema
from rnncli.config.document import inline, parse_value
from rnncli.config.tune_rules import UNIT_KEYS, is_whole
from rnncli.config.tune_schema import Range, Space

Spaces = Mapping[str, Space]


def default_space(config: schema.Config) -> dict[str, Space]:
    """What is searched if the config does not say: keys that act on every network."""
    layers = [2, 3] if config.model.dropout else [1, 2]  # dropout acts between layers
    return {
        "training.learning_rate": Range(low=3e-4, high=3e-2, log=True),
        "model.hidden_size": [16, 32, 64, 128],
        "model.num_layers": layers,
        "model.output_dropout": [0.0, 0.1, 0.2, 0.4],
    }


def changes_the_loss(spaces: Spaces) -> str | None:
    """A searched key that changes what the loss is measured in, if there is one."""
    return min(UNIT_KEYS & set(spaces), default=None)


def draw(trial: Trial, key: str, space: Space) -> Any:
    """A value for a key, or what the trial has for it already; a choice is the text that it has in YAML."""
    if not isinstance(space, Range):
        return trial.suggest_categorical(key, [inline(choice) for choice in space])
    if is_whole(key, space):
        return trial.suggest_int(key, int(space.low), int(space.high), step=int(space.step or 1), log=space.log)
    step = None if space.step is None else float(space.step)
    return trial.suggest_float(key, float(space.low), float(space.high), step=step, log=space.log)


def as_overrides(drawn: Mapping[str, Any]) -> list[str]:
    """What was drawn as overrides of the command line."""
    return [f"{key}={value if isinstance(value, str) else inline(value)}" for key, value in drawn.items()]


def as_values(drawn: Mapping[str, Any]) -> dict[str, Any]:
    """What was drawn as values of the keys."""
    return {key: parse_value(value)[0] if isinstance(value, str) else value for key, value in drawn.items()}
