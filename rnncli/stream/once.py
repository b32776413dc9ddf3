"""``predict`` for a small file without torch and pandas: a stream whose last answers alone are wanted.

Only what is plain is answered so. Whatever the whole reader would refuse, sort, fill in or warn of is left to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnncli.data.reading.dialect import dialect_of
from rnncli.data.reading.numbers import EXACT_UP_TO
from rnncli.errors import RnncliError
from rnncli.stream.cells import numbers
from rnncli.stream.follow import Follower, Following
from rnncli.stream.lines import Block, blocks
from rnncli.stream.model import StreamModel, carries, hindrance
from rnncli.tasks.intervals import fewest


@dataclass(frozen=True)
class Small:
    """The answers for a small file.

    Attributes:
        columns: their names.
        rows: their values.
        header: of the file.
    """

    columns: list[str]
    rows: Iterator[list[Any]]
    header: tuple[str, ...]


def predict_small(
    model: StreamModel,
    raw: bytes,
    name: str,
    wanted: Following,
    context: int | str | None = None,
    *,
    every: bool = False,
) -> Small | None:
    """The answers for the last row of every series, or for every row; None if the file is not plain.

    Args:
        raw: all that the file holds.
        name: of the file.
        context: rows of past that an answer follows from, or ``full``; None for ``window.context``.
        every: answer every row; a tagger always does.
    """
    config = model.config
    if hindrance(config, model.columns) or config.data.missing != "error":
        return None
    if any(
        len(model.residuals if model.residuals is not None else ()) < fewest(level / 100) for level in wanted.levels
    ):
        return None
    if every and wanted.levels:  # those of a stream adapt from row to row
        return None
    context = context or config.window.context
    tagging = config.task.kind == "tagging"
    if (tagging and (context != "full" or every)) or (context == "full" and not carries(config)):
        return None
    asked = replace(wanted, context=context if isinstance(context, int) else None, as_json=True, scored=False)
    try:
        return _answered(Follower(model, asked, name), raw, last=not (tagging or every))
    except RnncliError:
        return None  # whose message is not for this file, but for a stream


def _answered(follower: Follower, raw: bytes, *, last: bool) -> Small | None:
    dialect = dialect_of(follower.model.config.data)
    try:
        raw.decode(dialect.encoding)
    except UnicodeDecodeError:
        return None
    if b"\0" in raw:
        return None
    found = list(blocks(follower.name, dialect, iter([raw])))
    if any(block.bad for block in found):
        return None
    rows = [row for block in found for row in block.rows]
    if len(rows) < 2 or not all(rows):
        return None
    header = rows[0]
    if len(set(header)) < len(header) or not all(header):
        return None
    if not _targets_are_plain(follower, header, rows[1:]):
        return None
    follower.intake.begin(header, 1)
    arrivals = follower.intake.take(Block(rows[1:], list(range(2, len(rows) + 1))))
    columns = follower.model.columns
    codes = [columns.values.index(name) for name in columns.categories if name in columns.values]
    odd = (arrivals.values[:, codes] == 0).any() or (np.abs(arrivals.values) >= EXACT_UP_TO).any()
    if follower.intake.problems or odd or columns.static:
        return None
    ids, times, answer, _ = follower.answers(arrivals, last=last)
    return Small(follower.text.columns, follower.text.rows(ids, times, answer), tuple(header))


def _targets_are_plain(follower: Follower, header: list[str], rows: list[list[str]]) -> bool:
    """Whether targets that are no inputs hold what the whole reader takes, where they are there at all."""
    columns = follower.model.columns
    for name in () if columns.target_is_input else columns.targets:
        if name not in header or any(len(row) != len(header) for row in rows):
            continue
        cells = [row[header.index(name)] for row in rows]
        if columns.labels is not None and not set(cells) <= {"", *columns.labels}:
            return False
        if columns.labels is None and numbers(cells, follower.intake.dialect) is None:
            return False
    return True
