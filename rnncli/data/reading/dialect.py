"""How the files of a config are written: their encoding, their signs, and what their times count in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rnncli.config import schema


@dataclass(frozen=True)
class Dialect:
    """The keys of ``data`` that say how cells are written; each is described in the schema.

    Attributes:
        joined: the columns of the date and of its clock, where they stand apart.
    """

    encoding: str = "utf-8"
    delimiter: str | None = None
    decimal: str = "."
    thousands: str | None = None
    time_unit: str | None = None
    time_zone: str | None = None
    joined: tuple[str, str] | None = None

    def between(self, file: str) -> str:
        """The character between the cells of a file: a tab if its name ends in .tsv, unless the config says another."""
        if self.delimiter is not None:
            return "\t" if self.delimiter in ("tab", "\\t") else self.delimiter
        return "\t" if file.removesuffix(".gz").endswith(".tsv") else ","


def dialect_of(data: schema.Data) -> Dialect:
    """The dialect that a config names."""
    joined = (data.time, data.clock) if data.time and data.clock else None
    return Dialect(data.encoding, data.delimiter, data.decimal, data.thousands, data.time_unit, data.time_zone, joined)


def join(dates: Iterable[str], clocks: Iterable[str]) -> list[str]:
    """Cells of a date and of its clock as one each."""
    return [f"{date.strip()} {clock.strip()}".strip() for date, clock in zip(dates, clocks, strict=True)]
