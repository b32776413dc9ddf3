"""YAML and overrides to a checked Config; every problem at once, each with its place."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError

from rnncli.config.defaults import resolve
from rnncli.config.document import MAX_BYTES, Document, parse, parse_value
from rnncli.config.document import dump as dump_values
from rnncli.config.explain import conflicts, explain
from rnncli.config.names import ALL_KEYS, SCHEMA_HINT, leaves, suggest
from rnncli.config.schema import Config
from rnncli.config.tune_schema import Tune
from rnncli.errors import ConfigError, Place, Problem, ResourceError


def load(path: str, overrides: Sequence[str] = ()) -> Config:
    """Read, override, check and resolve the config in the file at `path`.

    Args:
        path: a YAML file, or - for stdin.
        overrides: ``section.key=value`` sets a key, ``~section.key`` restores its default.

    Raises:
        ConfigError: with every problem found.
        ResourceError: if the file cannot be read.
    """
    return check(read(path, overrides))


def read(path: str, overrides: Sequence[str] = ()) -> Document:
    """The values in the file at `path`, overridden, before they are checked.

    Raises:
        ConfigError: for what is not YAML, or not an override.
        ResourceError: if the file cannot be read.
    """
    return apply(parse(_read(path), "stdin" if path == "-" else path), overrides)


def check(document: Document) -> Config:
    """The resolved config of a document.

    Raises:
        ConfigError: with every problem found.
    """
    try:
        config = Config.model_validate(document.values)
    except ValidationError as error:
        raise ConfigError(explain(error, document)) from None
    found = conflicts(config, document)
    if found:
        raise ConfigError(found)
    return resolve(config)


def without_search(config: Config) -> Config:
    """The config of a single run, which has no use for the tune section."""
    return config.model_copy(update={"tune": Tune()})


def dump(config: Config) -> str:
    """The config as YAML that `load` reads back to an equal config."""
    return dump_values(config.model_dump())


def differences(old: Config, new: Config) -> dict[str, tuple[Any, Any]]:
    """Keys whose values differ, as ``{key: (old, new)}``."""

    def value(config: Config, key: str) -> Any:
        result: Any = config
        for part in key.split("."):
            result = getattr(result, part)
        return result

    pairs = {key: (value(old, key), value(new, key)) for key in leaves()}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def as_settled(new: Config, old: Config) -> Config:
    """`new` with what the data settled when `old` was run, where `new` leaves it to the data."""
    update: dict[str, dict[str, Any]] = {"training": {}, "window": {}, "model": {}}
    if new.training.loss is None:
        update["training"]["loss"] = old.training.loss
    if isinstance(new.window.context, str) and isinstance(old.window.context, int):
        update["window"]["context"] = old.window.context
    if new.model.segment == "season":
        update["model"]["segment"] = old.model.segment
    sections = {name: getattr(new, name).model_copy(update=values) for name, values in update.items()}
    return new.model_copy(update=sections)


_NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG)


def _read(path: str) -> str:
    hint = "CONFIG is a YAML file, or - for stdin; rnncli init DATA writes one"
    if not path or "://" in path:
        raise _refuse(path, "only local files are read" if path else "the name of CONFIG is empty", hint)
    try:
        content = _bytes(path)
    except OSError as error:
        if error.errno in _NO_FILE:
            message = "no such file" if error.errno == errno.ENOENT else f"not a file: {error.strerror}"
            raise _refuse(path, message, hint) from None
        raise ResourceError(f"cannot read: {error.strerror}", "look at its permissions", Place(path)) from None
    except ValueError:
        raise _refuse(path, "is not the name of a file", hint) from None
    if len(content) > MAX_BYTES:
        raise _refuse(path, f"larger than {MAX_BYTES:,} bytes", "is this a config?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refuse(path, f"not UTF-8 at byte {error.start}", "save it as UTF-8") from None


def _bytes(path: str) -> bytes:
    """At most one byte more than a config may have."""
    if path != "-":
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    if sys.stdin is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return sys.stdin.buffer.read(MAX_BYTES + 1)


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
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ConfigError([Problem("not UTF-8", "write it in UTF-8, or rename the file", Place(key=text))])
        if bool(equals) == removed or not all(path) or len(path) > 2:
            hint = "section.key=value sets a key, ~section.key restores its default"
            raise ConfigError([Problem("not an override", hint, Place(key=text))])
        section = values if len(path) == 1 else values.setdefault(path[0], {})
        if not isinstance(section, dict):
            hint = f"write {path[0]}: {{{path[-1]}: …}}"
            raise ConfigError([Problem(f"{path[0]} must be a mapping", hint, document.place((path[0],)))])
        if removed:
            section.pop(path[-1], None)
            if key not in ALL_KEYS:
                raise ConfigError([Problem("unknown key", suggest(path) or SCHEMA_HINT, Place(key=text))])
        else:
            try:
                section[path[-1]], inside = parse_value(value)
            except ConfigError as error:
                problem = error.problems[0]
                raise ConfigError([Problem(problem.message, problem.hint, Place(key=text))]) from None
            places |= {(*path, *inner): Place(key=".".join(map(str, (key, *inner)))) for inner in inside}
            places[path] = Place(key=text)
            if path[0] not in ALL_KEYS:
                places.setdefault(path[:1], Place(key=text))
    return Document(values, places, document.file)
