"""A key that is refused."""

from __future__ import annotations

from typing import NamedTuple


class Conflict(NamedTuple):
    """A key that is refused, and why."""

    key: str
    message: str
    hint: str | None = None
