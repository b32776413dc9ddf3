"""What is wrong with a config, in words: where, what, and which key was meant."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from rnncli.config import rules
from rnncli.config.document import Document, Path
from rnncli.config.names import ALL_KEYS
from rnncli.config.schema import Config
from rnncli.config.wording import wording
from rnncli.errors import Place, Problem

MOST_GUESSES = 50  # unknown keys for which the one that was meant is looked for; beyond, it is another kind of file


def explain(error: ValidationError, document: Document) -> list[Problem]:
    """Every problem that pydantic found, one a key, and the conflicts among the keys that it did not mind."""
    seen: dict[Path, list[Any]] = {}
    for item in error.errors(include_url=False):
        named = item["type"] in ("extra_forbidden", "missing")  # whose own name no union's member follows
        above = _in_document(item["loc"][:-1] if named else item["loc"], document)
        path = (*above, item["loc"][-1]) if named else above
        seen.setdefault(path, []).append(item)
    guess = len(seen) <= MOST_GUESSES
    problems = [Problem(*wording(path, items, guess), place_of(document, path)) for path, items in seen.items()]
    try:
        good = Config.model_validate(_without(document.values, set(seen)))
    except ValidationError:  # a required key is among the bad ones
        return _in_order(problems)
    bad = {".".join(str(part) for part in path) for path in seen}
    return _in_order([*problems, *conflicts(good, document, bad)])


def conflicts(config: Config, document: Document, bad: set[str] | frozenset[str] = frozenset()) -> list[Problem]:
    """The keys that contradict others or have no effect, unless a key that decides it is itself in `bad`."""
    return [
        Problem(conflict.message, conflict.hint, place_of(document, _path(conflict.key)))
        for conflict in rules.conflicts(config)
        if not bad & (rules.DECIDING | {conflict.key})
    ]


def _path(key: str) -> Path:
    """The path of a dotted key; the names of what is searched have a dot themselves."""
    return tuple(key.split(".", 2))


def place_of(document: Document, path: Path) -> Place:
    """Place of a key; a key that is not in the text is named beside the place of its section."""
    found = document.place(path)
    name = ".".join(str(part) for part in path)
    return found if path in document.places else Place(found.file, found.line, found.column, name)


def _in_order(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: (problem.place.line or 0, problem.place.column or 0))


def _without(values: dict[str, Any], bad: set[Path]) -> dict[str, Any]:
    """`values` less the keys at the paths in `bad`."""
    sections = {name: dict(value) if isinstance(value, dict) else value for name, value in values.items()}
    for path in bad:
        if len(path) == 1:
            sections.pop(str(path[0]), None)
        elif len(path) > 1 and isinstance(sections.get(str(path[0])), dict):
            section = sections[str(path[0])]
            inside = section.get(path[1])
            if len(path) > 2 and isinstance(inside, dict):  # a key to search: the others are looked at all the same
                section[path[1]] = {key: value for key, value in inside.items() if key != path[2]} or None
            else:
                section.pop(path[1], None)
    return sections


def _in_document(location: tuple[str | int, ...], document: Document) -> Path:
    """pydantic's location without the names of union members that it adds."""
    path: Path = ()
    for part in location:
        is_field = len(path) < 2 and isinstance(part, str) and ".".join(map(str, (*path, part))) in ALL_KEYS
        if is_field or (*path, part) in document.places:
            path = (*path, part)
    return path
