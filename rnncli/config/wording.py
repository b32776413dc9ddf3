"""What pydantic found wrong with a key, in words."""

from __future__ import annotations

import difflib
from typing import Any

from rnncli.config import size
from rnncli.config.document import Path
from rnncli.config.names import SCHEMA_HINT, suggest

_TYPES = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_unicode": "must be text in UTF-8",
    "list_type": "must be a list",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
}


_FORMS: dict[str | int, str] = {  # in words, of the keys whose texts have a pattern
    "context": "full, a count of rows, or a count of seasons such as '3 seasons'",
    "delimiter": "one sign that is no letter or digit, such as ; or |, or tab",
    "device": "auto, cpu, cuda or cuda:N",
}


def wording(path: Path, items: list[Any], guess: bool) -> tuple[str, str | None]:
    """Message and hint for the errors of one key (a union gives one error a member)."""
    kinds = {item["type"] for item in items}
    if "extra_forbidden" in kinds:
        return "unknown key", (suggest(path) if guess else None) or SCHEMA_HINT
    if "missing" in kinds:
        in_range = len(path) > 2
        return "is required", "a range has both ends" if in_range else "rnncli init DATA writes a config that has it"
    value = items[0]["input"]
    shown = _shown(value)
    if "string_pattern_mismatch" in kinds:
        return f"must be {_FORMS[path[-1]]}, not {shown}", None
    if "too_short" in kinds:
        return f"must have at least 1 entry, not {shown}", None
    ranged = [item for item in items if item["type"] not in _TYPES and item["type"] != "literal_error"]
    if ranged:
        return f"{ranged[0]['msg'][0].lower()}{ranged[0]['msg'][1:]}, not {shown}", _size(path, value)
    literals = [item["ctx"]["expected"].replace("'", "") for item in items if item["type"] == "literal_error"]
    wanted = [_TYPES[item["type"]].removeprefix("must be ") for item in items if item["type"] in _TYPES]
    close = difflib.get_close_matches(str(value).lower(), " ".join(literals).replace(",", "").split(), 1)
    hint = f"did you mean {close[0]}?" if close and isinstance(value, str) else None
    return f"must be {' or '.join(dict.fromkeys(literals + wanted))}, not {shown}", hint


def _shown(value: Any) -> str:
    """A value as YAML writes it, and not all of it if it is long."""
    words = {"None": "null", "True": "true", "False": "false"}
    try:
        text = repr(value)
    except ValueError:  # Python does not write a number of thousands of digits
        text = "a number of thousands of digits"
    text = words.get(text, text)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _size(path: Path, value: Any) -> str | None:
    """What a hidden size that is out of bounds would take."""
    if path != ("model", "hidden_size") or not isinstance(value, int) or value < 1:
        return None
    return f"so many units need {size.shown(size.square(min(value, 10**99)))}"
