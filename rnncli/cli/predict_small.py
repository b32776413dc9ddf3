"""``rnncli predict`` for a small plain file, without torch and pandas."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rnncli import console
from rnncli.data.reading.sources import Source, pieces, source
from rnncli.errors import clipped
from rnncli.stream.follow import Following
from rnncli.stream.model import StreamModel, load_stream_model
from rnncli.stream.once import Small, predict_small

SMALL = 1 << 18  # bytes


@dataclass(frozen=True)
class Asked:
    """What is asked of a prediction for whole files."""

    quantiles: bool
    levels: tuple[float, ...]
    every: bool
    context: int | str | None
    engine: str


def print_small(run: Path, data: str | None, asked: Asked) -> tuple[bool, Source | None]:
    """Print the answers if the file is small and plain; whether it was, and stdin if it was read for nothing."""
    model = load_stream_model(run)
    path = data or model.config.data.path
    if not isinstance(path, str) or not _may_be_plain(path):
        return False, None
    file = source(path)
    raw = _read(file, endless=asked.engine == "numpy")
    found = None if raw is None else _answers(model, raw, file.name, asked)
    if found is None:
        return False, file if file.kept is not None else None
    if data:
        _warn_of_unread(model, found, file.name)
    console.emit_rows(found.columns, found.rows)
    return True, None


def _may_be_plain(path: str) -> bool:
    if os.path.isfile(path):
        return path.endswith((".csv", ".tsv"))
    return path == "-" or (os.path.exists(path) and not os.path.isdir(path))


def _read(file: Source, *, endless: bool) -> bytes | None:
    """All that a file holds, if that is little; what can be read only once is kept."""
    if file.kept is None and not endless and os.path.getsize(file.path) > SMALL:
        return None
    raw = b""
    for part in pieces(file):
        if endless or len(raw) <= SMALL:
            raw += part
    return raw if endless or len(raw) <= SMALL else None


def _answers(model: StreamModel, raw: bytes, name: str, asked: Asked) -> Small | None:
    wanted = Following(asked.quantiles, asked.levels, engine=asked.engine)
    return predict_small(model, raw, name, wanted, asked.context, every=asked.every)


def _warn_of_unread(model: StreamModel, found: Small, name: str) -> None:
    columns = model.columns
    read = {*columns.targets, *columns.read, *columns.static, *columns.series, columns.time, columns.weight}
    read |= {model.config.data.clock}
    unread = [column for column in found.header if column not in read]
    if unread:
        console.warn(f"{name}: the model does not read {clipped(', '.join(unread))}")
