"""``rnncli predict`` for a small plain file, without torch and pandas."""

from __future__ import annotations

import math
from pathlib import Path

from rnncli import console
from rnncli.errors import clipped
from rnncli.stream.follow import Following
from rnncli.stream.model import load_stream_model
from rnncli.stream.once import SMALL, predict_small


def print_small(run: Path, data: str | None, wanted: tuple[bool, tuple[float, ...], int | str | None, str]) -> bool:
    """Print the answers if the file is small and plain; whether it was."""
    quantiles, levels, context, engine = wanted
    model = load_stream_model(run)
    path = data or model.config.data.path
    if not isinstance(path, str):
        return False
    found = predict_small(
        model, path, Following(quantiles, levels, engine=engine), context, math.inf if engine == "numpy" else SMALL
    )
    if found is None:
        return False
    columns = model.columns
    read = {*columns.targets, *columns.read, *columns.static, *columns.series, columns.time, columns.weight}
    unread = [name for name in found.header if name not in read]
    if unread and data:
        console.warn(f"{path}: the model does not read {clipped(', '.join(unread))}")
    console.emit_rows(found.columns, found.rows)
    return True
