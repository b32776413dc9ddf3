"""What is wrong with a config, in words: where, what, and which key was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from rnncli.config import rules, size
from rnncli.config.document import Document, Path
from rnncli.config.schema import Config
from rnncli.errors import Place, Problem

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
    "training.steps_per_epoch": ("limit_train_batches", "num_batches_per_epoch"),
    "training.batch_size": ("bs",),
    "training.clip_norm": ("gradient_clip_val", "grad_clip", "clip"),
    "seed": ("random_state", "random_seed"),
}
_OUR_NAME = {foreign: ours for ours, names in FOREIGN_NAMES.items() for foreign in names}

MOST_GUESSES = 50  # unknown keys for which the one that was meant is looked for; beyond, it is another kind of file
SCHEMA_HINT = "rnncli schema lists every key"

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


def leaves(model: type[BaseModel] = Config, prefix: str = "") -> Iterator[str]:
    """Dotted names of all keys, such as ``model.hidden_size``."""
    for name, info in model.model_fields.items():
        annotation = info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from leaves(annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


ALL_KEYS = set(leaves()) | set(Config.model_fields)


def explain(error: ValidationError, document: Document) -> list[Problem]:
    """Every problem that pydantic found, one a key, and the conflicts among the keys that it did not mind."""
    seen: dict[Path, list[Any]] = {}
    for item in error.errors(include_url=False):
        unknown = item["type"] == "extra_forbidden"
        path = item["loc"] if unknown else _in_document(item["loc"], document)
        seen.setdefault(path, []).append(item)
    guess = len(seen) <= MOST_GUESSES
    problems = [Problem(*_wording(path, items, guess), place_of(document, path)) for path, items in seen.items()]
    try:
        good = Config.model_validate(_without(document.values, set(seen)))
    except ValidationError:  # a required key is among the bad ones
        return _in_order(problems)
    named = {".".join(str(part) for part in path) for path in seen}
    return _in_order([*problems, *conflicts(good, document, named)])


def conflicts(config: Config, document: Document, bad: set[str] | frozenset[str] = frozenset()) -> list[Problem]:
    """The keys that contradict others or have no effect, unless a key that decides it is itself in `bad`."""
    return [
        Problem(conflict.message, conflict.hint, place_of(document, tuple(conflict.key.split("."))))
        for conflict in rules.conflicts(config)
        if not bad & (rules.DECIDING | {conflict.key})
    ]


def place_of(document: Document, path: Path) -> Place:
    """Place of a key; a key that is not in the text is named beside the place of its section."""
    found = document.place(path)
    name = ".".join(str(part) for part in path)
    return found if path in document.places else Place(found.file, found.line, found.column, name)


def suggest(path: Path) -> str | None:
    """The key that was meant, if one can be guessed."""
    name = str(path[-1]).strip().lower()
    if len(path) == 1 and name in ALL_KEYS:
        return f"did you mean {name}?"
    if name in _OUR_NAME:
        return f"did you mean {_OUR_NAME[name]}?"
    elsewhere = [key for key in leaves() if key.split(".")[-1] == name]
    if elsewhere:
        return f"did you mean {elsewhere[0]}?"
    section = ".".join(str(part) for part in path[:-1])
    siblings = [key.split(".")[-1] for key in ALL_KEYS if key.rpartition(".")[0] == section]
    everywhere = {key.split(".")[-1]: key for key in leaves()}
    close = difflib.get_close_matches(name, siblings, 1, 0.6)
    if close:
        return f"did you mean {close[0]}?"
    close = difflib.get_close_matches(name, everywhere, 1, 0.75)
    return f"did you mean {everywhere[close[0]]}?" if close else None


def _in_order(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: (problem.place.line or 0, problem.place.column or 0))


def _without(values: dict[str, Any], bad: set[Path]) -> dict[str, Any]:
    """`values` less the keys at the paths in `bad`."""
    sections = {name: dict(value) if isinstance(value, dict) else value for name, value in values.items()}
    for path in bad:
        if len(path) == 1:
            sections.pop(str(path[0]), None)
        elif len(path) > 1 and isinstance(sections.get(str(path[0])), dict):
            sections[str(path[0])].pop(path[1], None)
    return sections


def _in_document(location: tuple[str | int, ...], document: Document) -> Path:
    """pydantic's location without the names of union members that it adds."""
    path: Path = ()
    for part in location:
        is_field = len(path) < 2 and isinstance(part, str) and ".".join(map(str, (*path, part))) in ALL_KEYS
        if is_field or (*path, part) in document.places:
            path = (*path, part)
    return path


_FORMS: dict[str | int, str] = {  # in words, of the keys whose texts have a pattern
    "average": "none, ema, or last_ and a count such as last_5",
    "context": "full, a count of rows, or a count of seasons such as '3 seasons'",
    "delimiter": "one sign that is no letter or digit, such as ; or |, or tab",
    "device": "auto, cpu, cuda or cuda:N",
}


def _wording(path: Path, items: list[Any], guess: bool) -> tuple[str, str | None]:
    """Message and hint for the errors of one key (a union gives one error a member)."""
    kinds = {item["type"] for item in items}
    if "extra_forbidden" in kinds:
        return "unknown key", (suggest(path) if guess else None) or SCHEMA_HINT
    if "missing" in kinds:
        return "is required", "rnncli init DATA writes a config that has it"
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
