"""Keys of the data section that contradict each other or could have no effect."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from rnncli.config.conflict import Conflict
from rnncli.config.schema import Config, Data
from rnncli.config.zones import is_zone, near_zone


def data_conflicts(config: Config) -> Iterator[Conflict]:
    """Every key of the data section that contradicts another or could have no effect."""
    data = config.data
    yield from _time(data)
    yield from _steps(config)
    yield from _dialect(data)
    yield from _columns(data)
    if data.layout == "wide":
        if config.task.kind != "forecasting":
            yield Conflict("data.layout", f"wide is for forecasting, not for {config.task.kind}")
        for key in ("series", "static"):
            if getattr(data, key):
                message = "has no effect with the wide layout: the target columns are the series"
                yield Conflict(f"data.{key}", message)
    if data.future and config.task.kind != "forecasting":
        yield Conflict("data.future", f"acts on forecasts, not on {config.task.kind}", "name it in data.past")
    if data.categorical and config.task.kind == "forecasting" and not (data.past or data.future or data.static):
        yield Conflict("data.categorical", "has no effect: it says which of the inputs are categories", "set data.past")


def _steps(config: Config) -> Iterator[Conflict]:
    """The keys of uneven and too few steps."""
    data, kind = config.data, config.task.kind
    if data.irregular == "resample" and kind == "tagging":
        yield Conflict("data.irregular", "resample makes rows that are not in the input; tagging answers every row")
    if data.frequency and kind != "forecasting" and data.irregular not in ("error", "resample"):
        yield Conflict("data.frequency", f"has no effect on {kind}", "set data.irregular: resample")
    if data.short_series == "skip" and kind == "classification":
        yield Conflict("data.short_series", "has no effect on classification: a single row is enough")


def _time(data: Data) -> Iterator[Conflict]:
    for key in ("clock", "time_format", "time_unit", "time_zone", "calendar", "frequency", "irregular"):
        if getattr(data, key) and not data.time:
            yield Conflict(f"data.{key}", "has no effect without data.time")
    if data.time_unit and data.time_format:
        yield Conflict("data.time_unit", "has no effect beside data.time_format: that is for texts, this for numbers")
    if data.clock and data.clock == data.time:
        yield Conflict("data.clock", "is data.time itself", "leave it out")
    if data.clock and data.time_unit:
        yield Conflict("data.time_unit", "has no effect beside data.clock: a date with its clock is a text")
    if data.time_zone and not is_zone(data.time_zone):
        yield Conflict("data.time_zone", f"{data.time_zone!r} is no time zone", near_zone(data.time_zone))


def _dialect(data: Data) -> Iterator[Conflict]:
    """How cells are written: signs that differ from each other, and a codec that Python knows."""
    if not _is_text_codec(data.encoding):
        yield Conflict("data.encoding", f"{data.encoding!r} is no text encoding", "such as utf-8, latin-1 or cp1252")
    paths = [data.path] if isinstance(data.path, str) else data.path
    for key, default in (("encoding", "utf-8"), ("delimiter", None)):
        if getattr(data, key) != default and all(path.endswith(".parquet") for path in paths):
            yield Conflict(f"data.{key}", "has no effect on Parquet files", "leave it out")
    if data.delimiter == data.decimal:
        yield Conflict("data.delimiter", "is data.decimal too", "set data.delimiter: ';', or leave it out")
    if data.thousands == data.decimal:
        hint = "set data.decimal: ','" if data.thousands == "." else "set data.decimal: '.'"
        yield Conflict("data.thousands", "is data.decimal too", hint)


def _is_text_codec(name: str) -> bool:
    try:
        codecs.getincrementaldecoder(name)
        b"    ".decode(name)
    except UnicodeError:  # a codec that these are no bytes of
        return True
    except (LookupError, ValueError):  # none, or one of no text; a name with NUL
        return False
    return True


def _columns(data: Data) -> Iterator[Conflict]:
    """Every column has one part, and none has a name that `predict` gives to a column of its own."""
    parts = {name: getattr(data, name) for name in ("time", "series", "target", "past", "future", "static", "weight")}
    seen: dict[str, str] = {}
    for part, names in parts.items():
        for name in [names] if isinstance(names, str) else names or []:
            if seen.setdefault(name, part) != part:
                yield Conflict(f"data.{part}", f"{name} is data.{seen[name]} already", "a column has one part")
    targets = [data.target] if isinstance(data.target, str) else data.target
    answers = {"step", "prediction", *(f"{name}_pred" for name in targets)}
    for part in ("time", "series"):
        names = parts[part]
        for name in answers & set([names] if isinstance(names, str) else names or []):
            yield Conflict(f"data.{part}", f"{name} is the name of a column that predict adds", "rename it")
