"""Commented YAML: keys with their values and, behind or above each, the reason why it stands there."""

from __future__ import annotations

import fnmatch
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rnncli import console
from rnncli.config.document import inline

WIDTH = 79  # of a plain terminal

Value = str | int | float | bool | list[str] | None


@dataclass(frozen=True)
class Entry:
    """A key of a section, or a remark if it has none."""

    key: str
    value: Value = ""
    why: str = ""


def section(name: str, entries: Sequence[Entry]) -> str:
    """The text of a section."""
    return "\n".join([f"{name}:", *(line for entry in entries for line in _lines(entry))]) + "\n"


def shortened(names: Sequence[str], free: Sequence[str]) -> Value:
    """The names as one glob, if it takes exactly these of the `free` columns, else as a list or a single name."""
    if len(names) == 1:
        return names[0]
    if len(names) > 3:
        stem = names[0]
        while not all(name.startswith(stem) for name in names):
            stem = stem[:-1]
        for pattern in (f"{stem}*", f"{stem}[0-9]*")[not stem :]:  # never a bare *: it would take what comes later
            plain = not any(sign in stem for sign in "*?[") and pattern not in free
            if plain and [name for name in free if name and fnmatch.fnmatchcase(name, pattern)] == list(names):
                return pattern
    return list(names)


def remark(text: str, indent: str = "  ") -> str:
    """A text as comment, in as many lines as it takes."""
    start = f"{indent}# "
    lines = textwrap.wrap(one_line(text), WIDTH, initial_indent=start, subsequent_indent=start, break_long_words=False)
    return "\n".join(lines)


def _lines(entry: Entry) -> Iterator[str]:
    """The line of a key with its reason behind it, or above it where both are long."""
    why = one_line(entry.why)
    above = remark(why).splitlines()
    if not entry.key:
        yield from above
        return
    lines = _value_lines(entry)
    if len(lines) == 1 and len(lines[0]) + len(why) + 3 <= WIDTH:
        yield f"{lines[0]} # {why}" if why else lines[0]
    else:
        yield from [*above, *lines]


def _value_lines(entry: Entry) -> list[str]:
    """A key and its value; a long list goes on in further lines."""
    start = f"  {entry.key}: "
    if not isinstance(entry.value, list):
        return [start + _safe(entry.value)]
    lines, line = [], f"{start}["
    for position, item in enumerate(entry.value):
        text = _safe(item) + ("]" if position == len(entry.value) - 1 else ",")
        if len(line) + len(text) + 1 > WIDTH and not line.endswith("["):
            lines.append(line)
            line = "   "
        line += text if line.endswith("[") else f" {text}"
    return [*lines, line]


def _safe(value: str | int | float | bool | None) -> str:
    """A value in YAML; what a terminal would act on is written as an escape, which YAML reads back."""
    return console.visible_json(inline(value))


def one_line(text: str) -> str:
    """Text for a comment: no line break ends it early."""
    return " ".join(console.visible(text).split())
