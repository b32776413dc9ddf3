"""What `rnncli tune` may search: keys that act, with values that they take, whose runs can be compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from rnncli.config.conflict import Conflict
from rnncli.config.defaults import METRICS_OF
from rnncli.config.names import SCHEMA_HINT, leaves, suggest
from rnncli.config.schema import Config
from rnncli.config.section import Section
from rnncli.config.tune_schema import Range, Space
from rnncli.config.wording import wording

# sections and keys by which a model becomes better; all else says what is asked of it, or how it is computed
SEARCHED_SECTIONS = ("scale", "window", "model", "training")
SEARCHED_KEYS = {"data.past", "data.future", "data.static", "data.categorical", "data.calendar", "data.missing"}
_MACHINE = {"training.device", "training.threads", "training.engine"}
# keys that change what the loss is measured in, so that the losses of two trials say nothing of each other
UNIT_KEYS = {
    "scale.kind", "scale.per", "window.normalise", "window.transform", "training.loss", "training.label_smoothing",
}  # fmt: skip


def tune_conflicts(config: Config) -> Iterator[Conflict]:
    """Every key of the tune section that contradicts another or could have no effect."""
    tune = config.tune
    if tune.metric and tune.metric not in METRICS_OF[config.task.kind]:
        hint = f"one of {', '.join(METRICS_OF[config.task.kind])}"
        yield Conflict("tune.metric", f"{tune.metric} is not for {config.task.kind}", hint)
    for key, space in (tune.parameters or {}).items():
        yield from _parameter(key, space)
    measured = sorted(UNIT_KEYS & set(tune.parameters or ()))
    if tune.pruner == "median" and measured:
        message = f"cannot compare the losses of trials that differ in {measured[0]}"
        yield Conflict("tune.pruner", message, "set it to none, or leave it out")


def _parameter(key: str, space: Space) -> Iterator[Conflict]:
    """What is wrong with a key to search, or else with the values that it is to take."""
    name, section = f"tune.parameters.{key}", key.partition(".")[0]
    if key not in set(leaves()):
        yield Conflict(name, "unknown key", suggest(tuple(key.split(".")[:2])) or SCHEMA_HINT)
    elif key in _MACHINE:
        yield Conflict(name, "cannot be searched: it says how a run is computed", "set it once, for all trials")
    elif section not in SEARCHED_SECTIONS and key not in SEARCHED_KEYS:
        yield Conflict(name, "cannot be searched: trials that differ in it cannot be compared", "set it for all trials")
    elif isinstance(space, Range):
        yield from _range(name, key, space)
    else:
        yield from _choices(name, key, space)


def _choices(name: str, key: str, choices: list[Any]) -> Iterator[Conflict]:
    for place, choice in enumerate(choices):
        if any(type(choice) is type(other) and choice == other for other in choices[:place]):
            yield Conflict(name, f"the choice {choice} is given twice", "keep one of them")
        yield from _refused(name, key, choice)


def _range(name: str, key: str, space: Range) -> Iterator[Conflict]:
    low, high, step = space.low, space.high, space.step
    if low >= high:
        yield Conflict(name, f"low must be below high, not {low} to {high}")
    elif space.log and low <= 0:
        yield Conflict(name, f"log needs numbers above 0, and low is {low}", "raise low, or leave log out")
    elif space.log and step is not None:
        yield Conflict(name, "step has no place beside log", "leave one of them out")
    elif step is not None and not 0 < step <= high - low:
        yield Conflict(name, f"step must be above 0 and at most {high - low}, not {step}")
    elif refused := [*_refused(name, key, low), *_refused(name, key, high)]:
        yield refused[0]
    elif step is not None and is_whole(key, space) and not isinstance(step, int):
        yield Conflict(name, f"step must be a whole number, not {step}")


def is_whole(key: str, space: Range) -> bool:
    """Whether a key takes whole numbers of a range alone."""
    ends = isinstance(space.low, int) and isinstance(space.high, int)
    return ends and any(_refused(key, key, space.low + 0.5))


def _refused(name: str, key: str, value: Any) -> Iterator[Conflict]:
    """Why a key does not take a value, if it does not."""
    section, _, own = key.partition(".")
    info = _section(section).model_fields[own]
    try:
        _adapter(info).validate_python(value)
    except ValidationError as error:
        message, hint = wording((section, own), list(error.errors(include_url=False)), guess=False)
        yield Conflict(name, message, hint)


def _section(name: str) -> type[Section]:
    found = Config.model_fields[name].annotation
    assert isinstance(found, type)
    assert issubclass(found, Section)
    return found


def _adapter(info: FieldInfo) -> TypeAdapter[Any]:
    annotated: Any = Annotated[info.annotation, info]
    return TypeAdapter(annotated, config=ConfigDict(strict=True, allow_inf_nan=False))
