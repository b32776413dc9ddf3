"""YAML text to plain values, with the place of every key.

Scalars follow YAML 1.2 (``3e-4`` is a number, ``no`` and ``12:30`` are text). Anchors, tags and duplicate keys
are refused: a config says what it means, once. The parser's events are read with a stack of our own, so that
deep nesting cannot exhaust Python's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from rnncli.errors import ConfigError, Place, Problem

MAX_BYTES = 300_000
MAX_DEPTH = 20
MAX_VALUES = 5000

_NULL = re.compile(r"(?:~|null|Null|NULL)?")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,99})")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """A mapping read from YAML and where each of its keys stands."""

    values: dict[str, Any]
    places: dict[Path, Place]
    file: str | None = None

    def place(self, path: Path) -> Place:
        """Place of the key at `path`, or of the nearest key above it that is in the text."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return Place(self.file)


@dataclass
class _Open:
    """A mapping or sequence whose end has not been read yet."""

    path: Path
    value: dict[str, Any] | list[Any]
    key: str | None = field(default=None)


def scalar(text: str) -> Any:
    """The YAML 1.2 core-schema value of a plain scalar."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def parse(text: str, file: str | None) -> Document:
    """Read one YAML document whose root is a mapping.

    Raises:
        ConfigError: for anything else, with the place.
    """
    values, places = _build(text, file)
    if not isinstance(values, dict):
        what = "is empty" if values is None else "must be a mapping of sections, such as `data: {path: …}`"
        raise _error(f"the config {what}", Place(file, 1, 1), hint="rnncli init DATA writes one")
    return Document(values, places, file)


def parse_value(text: str) -> tuple[Any, dict[Path, Place]]:
    """The value of a ``key=value`` override, and the places of keys in it.

    It is a scalar as it stands (``%d/%m/%Y``, ``x*``), a flow list or mapping, or quoted text.

    Raises:
        ConfigError: if a list or a quote is not YAML.
    """
    return _build(text, None) if text.lstrip()[:1] in ("[", "{", "'", '"') else (scalar(text), {})


def dump(values: dict[str, Any]) -> str:
    """YAML that `parse` reads back to equal values."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def inline(value: str | int | float | bool | list[str] | None) -> str:
    """A value on one line of YAML, safe as the value of a key and inside a flow list."""
    text = yaml.dump([value], Dumper=_Dumper, allow_unicode=True, default_flow_style=True, width=float("inf"))
    return text.strip().removeprefix("[").removesuffix("]")


class _Dumper(yaml.SafeDumper):
    """Quotes every text that YAML 1.2 would take for something else, which PyYAML's 1.1 does not."""


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "'" if not isinstance(scalar(text), str) else None
    style = style if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent)


def _error(message: str, place: Place, hint: str | None = None) -> ConfigError:
    return ConfigError([Problem(message, hint, place)])


def _events(text: str, file: str | None) -> Iterator[tuple[yaml.Event, Place]]:
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            mark = event.start_mark
            yield event, Place(file, mark.line + 1, mark.column + 1)  # type: ignore[union-attr]
    except yaml.MarkedYAMLError as error:
        bad = error.problem_mark or error.context_mark
        place = Place(file, bad.line + 1, bad.column + 1) if bad else Place(file)
        raise _error(f"not YAML: {error.problem or error.context}", place, _advice(str(error.problem))) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _error("not YAML: a control character", Place(file, line), "save the file as plain text") from None


def _advice(problem: str) -> str:
    """What to do about the parser's problem."""
    if "'\\t'" in problem:
        return "indent with spaces"
    if "mapping values" in problem:
        return "quote a value with a colon in it, and indent keys alike"
    return "look at the indentation, quotes and brackets from here upwards"


def _check(event: yaml.Event, place: Place, depth: int, documents: int) -> None:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise _error("anchors and aliases are not supported", place, "write the value out")
    if getattr(event, "tag", None) not in (None, "!"):
        raise _error(f"tags such as {event.tag} are not supported", place, "write the plain value")  # type: ignore[attr-defined]
    if depth > MAX_DEPTH:
        raise _error(f"nested more than {MAX_DEPTH} deep", place, "a config has sections of keys")
    if documents > 1:
        raise _error("a second document starts here", place, "one config a file")


def _build(text: str, file: str | None) -> tuple[Any, dict[Path, Place]]:
    """Values and places from the parser's events."""
    places: dict[Path, Place] = {}
    stack: list[_Open] = []
    root: Any = None
    documents = 0
    for number, (event, place) in enumerate(_events(text, file)):
        if number > MAX_VALUES:
            raise _error(f"more than {MAX_VALUES:,} values", place, "is this a config?")
        documents += isinstance(event, yaml.DocumentStartEvent)
        _check(event, place, len(stack), documents)
        if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            stack.pop()
            continue
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            value = scalar(event.value) if event.implicit[0] else event.value
        elif isinstance(event, yaml.MappingStartEvent):
            value = {}
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
        else:
            continue
        parent = stack[-1] if stack else None
        if parent and isinstance(parent.value, dict) and parent.key is None:
            parent.key = _new_key(event, parent, place)
            path = (*parent.path, parent.key)
            places[path] = Place(place.file, place.line, place.column, ".".join(map(str, path)))
            continue
        path = _attach(parent, value)
        root = value if parent is None else root
        if isinstance(value, dict | list):
            stack.append(_Open(path, value))
    return root, places


def _new_key(event: yaml.Event, parent: _Open, place: Place) -> str:
    if not isinstance(event, yaml.ScalarEvent):
        raise _error("a key must be a word", place)
    if event.value in parent.value:
        raise _error(f"the key {event.value} is given twice", place, "keep one of them")
    return str(event.value)


def _attach(parent: _Open | None, value: Any) -> Path:
    """Put `value` where the parser stands and return its path."""
    if parent is None:
        return ()
    if isinstance(parent.value, list):
        parent.value.append(value)
        return (*parent.path, len(parent.value) - 1)
    key, parent.key = str(parent.key), None
    parent.value[key] = value
    return (*parent.path, key)
