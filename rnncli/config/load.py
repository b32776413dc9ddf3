"""YAML and overrides to a checked Config; every problem at once, each with its place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from rnncli.config import rules
from rnncli.config.document import MAX_BYTES, Document, Path, parse, parse_value
from rnncli.config.schema import Config
from rnncli.errors import ConfigError, Place, Problem, ResourceError

# what other libraries call our keys
FOREIGN_NAMES = {
    "model.hidden_size": ("units", "hidden_dim", "state_size", "hidden", "encoder_hidden_size", "d_model"),
    "model.num_layers": ("n_rnn_layers", "encoder_n_layers", "n_layers", "layers"),
    "model.nonlinearity": ("activation",),
    "model.cell": ("cell_type", "rnn_type", "model"),
    "model.bidirectional": ("bidir",),
    "window.context": ("input_chunk_length", "seq_len", "context_length", "input_size", "lookback"),
    "task.horizon": ("h", "pred_len", "prediction_length", "output_chunk_length", "forecast_horizon"),
    "data.series": ("unique_id", "item_id", "group_ids", "id", "series_id"),
    "data.time": ("ds", "time_idx", "timestamp", "date"),
    "data.target": ("y", "target_column"),
    "training.learning_rate": ("lr",),
    "training.epochs": ("max_epochs", "n_epochs", "num_epochs", "max_steps"),
    "training.batch_size": ("bs",),
    "training.clip_norm": ("gradient_clip_val", "grad_clip", "clip"),
    "seed": ("random_state", "random_seed"),
}
_OUR_NAME = {foreign: ours for ours, names in FOREIGN_NAMES.items() for foreign in names}

_TYPES = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
}


def load(path: str, overrides: Sequence[str] = ()) -> Config:
    """Read, override, check and resolve the config in the file at `path`.

    Args:
        path: a YAML file.
        overrides: ``section.key=value`` sets a key, ``~section.key`` restores its default.

    Raises:
        ConfigError: with every problem found.
        ResourceError: if the file cannot be read.
    """
    return check(apply(parse(_read(path), path), overrides))


def check(document: Document) -> Config:
    """The resolved config of a document.

    Raises:
        ConfigError: with every problem found.
    """
    try:
        config = Config.model_validate(document.values)
    except ValidationError as error:
        raise ConfigError(list(_explain(error, document))) from None
    found = [
        Problem(f"{conflict.message}", conflict.hint, _place(document, tuple(conflict.key.split("."))))
        for conflict in rules.conflicts(config)
    ]
    if found:
        raise ConfigError(found)
    return rules.resolve(config)


def dump(config: Config) -> str:
    """The config as YAML that `load` reads back to an equal config."""
    return yaml.safe_dump(config.model_dump(), sort_keys=False, allow_unicode=True, width=100)


def leaves(model: type[BaseModel] = Config, prefix: str = "") -> Iterator[str]:
    """Dotted names of all keys, such as ``model.hidden_size``."""
    for name, info in model.model_fields.items():
        annotation = info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from leaves(annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def differences(old: Config, new: Config) -> dict[str, tuple[Any, Any]]:
    """Keys whose values differ, as ``{key: (old, new)}``."""

    def value(config: Config, key: str) -> Any:
        result: Any = config
        for part in key.split("."):
            result = getattr(result, part)
        return result

    pairs = {key: (value(old, key), value(new, key)) for key in leaves()}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _refuse(path, "no such file", "rnncli train CONFIG takes a YAML file") from None
    except (IsADirectoryError, ValueError):
        raise _refuse(path, "is not a file") from None
    except OSError as error:
        raise ResourceError(f"cannot read: {error.strerror}", place=Place(path)) from None
    if len(content) > MAX_BYTES:
        raise _refuse(path, f"larger than {MAX_BYTES:,} bytes", "is this a config?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refuse(path, f"not UTF-8 at byte {error.start}", "save it as UTF-8") from None


def _refuse(path: str, message: str, hint: str | None = None) -> ConfigError:
    return ConfigError([Problem(message, hint, Place(path))])


def apply(document: Document, overrides: Iterable[str]) -> Document:
    """`document` with the overrides of the command line applied.

    Raises:
        ConfigError: for an override that is not ``key=value`` or ``~key``.
    """
    values = {key: dict(value) if isinstance(value, dict) else value for key, value in document.values.items()}
    places = dict(document.places)
    for text in overrides:
        removed = text.startswith("~")
        key, equals, value = text.removeprefix("~").partition("=")
        path = tuple(key.split("."))
        if bool(equals) == removed or not all(path) or len(path) > 2:
            hint = "section.key=value sets a key, ~section.key restores its default"
            raise ConfigError([Problem("not an override", hint, Place(key=text))])
        section = values if len(path) == 1 else values.setdefault(path[0], {})
        if not isinstance(section, dict):
            raise ConfigError([Problem(f"{path[0]} is not a section", None, document.place((path[0],)))])
        if removed:
            section.pop(path[-1], None)
            _known_key(path, text)
        else:
            section[path[-1]] = parse_value(value)
            places[path] = Place(key=text)
    return Document(values, places)


def _known_key(path: tuple[str, ...], text: str) -> None:
    key = ".".join(path)
    if key not in set(leaves()) | set(Config.model_fields):
        raise ConfigError([Problem("unknown key", _suggest(path), Place(key=text))])


def _place(document: Document, path: Path) -> Place:
    """Place of a key; a key that is not in the text is named beside the place of its section."""
    found = document.place(path)
    name = ".".join(str(part) for part in path)
    return found if path in document.places else Place(found.file, found.line, found.column, name)


def _explain(error: ValidationError, document: Document) -> Iterator[Problem]:
    """One problem a key, in the order of the text."""
    seen: dict[Path, list[Any]] = {}
    for item in error.errors(include_url=False):
        seen.setdefault(_in_document(item["loc"], document), []).append(item)
    problems = [Problem(*_wording(path, items), _place(document, path)) for path, items in seen.items()]
    yield from sorted(problems, key=lambda problem: (problem.place.line or 0, problem.place.column or 0))


def _in_document(location: tuple[str | int, ...], document: Document) -> Path:
    """pydantic's location without the names of union members that it adds."""
    path: Path = ()
    for part in location:
        is_field = len(path) < 2 and isinstance(part, str) and ".".join(map(str, (*path, part))) in _ALL_KEYS
        if is_field or (*path, part) in document.places:
            path = (*path, part)
    return path


_ALL_KEYS = set(leaves()) | set(Config.model_fields)


def _wording(path: Path, items: list[Any]) -> tuple[str, str | None]:
    """Message and hint for the errors of one key (a union gives one error a member)."""
    kinds = {item["type"] for item in items}
    if "extra_forbidden" in kinds:
        return "unknown key", _suggest(path)
    if "missing" in kinds:
        return "is required", None
    value = items[0]["input"]
    shown = repr(value) if len(repr(value)) <= 60 else repr(value)[:57] + "…"
    ranged = [item for item in items if item["type"] not in _TYPES and item["type"] != "literal_error"]
    if ranged:
        return f"{ranged[0]['msg'][0].lower()}{ranged[0]['msg'][1:]}, not {shown}", None
    literals = [item["ctx"]["expected"].replace("'", "") for item in items if item["type"] == "literal_error"]
    wanted = [_TYPES[item["type"]].removeprefix("must be ") for item in items if item["type"] in _TYPES]
    close = difflib.get_close_matches(str(value), " ".join(literals).replace(",", "").split(), 1)
    hint = f"did you mean {close[0]}?" if close and isinstance(value, str) else None
    return f"must be {' or '.join(dict.fromkeys(literals + wanted))}, not {shown}", hint


def _suggest(path: Path) -> str | None:
    """The key that was meant, if one can be guessed."""
    name = str(path[-1])
    if name in _OUR_NAME:
        return f"did you mean {_OUR_NAME[name]}?"
    elsewhere = [key for key in leaves() if key.split(".")[-1] == name]
    if elsewhere:
        return f"did you mean {elsewhere[0]}?"
    section = ".".join(str(part) for part in path[:-1])
    siblings = [key.split(".")[-1] for key in _ALL_KEYS if key.rpartition(".")[0] == section]
    everywhere = {key.split(".")[-1]: key for key in leaves()}
    close = difflib.get_close_matches(name, siblings, 1, 0.6)
    if close:
        return f"did you mean {close[0]}?"
    close = difflib.get_close_matches(name, everywhere, 1, 0.75)
    return f"did you mean {everywhere[close[0]]}?" if close else None
