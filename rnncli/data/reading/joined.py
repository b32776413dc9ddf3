"""A file whose dates and clocks stand in two columns (``data.clock``), as one with both in that of the dates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from rnncli.data.reading.dialect import join
from rnncli.data.reading.rows import Lines
from rnncli.data.reading.tables import Part
from rnncli.errors import Place, no_column


@dataclass(frozen=True)
class Joined:
    """Such a file as part of a table.

    Attributes:
        part: the file as it is.
        time, clock: its columns of dates and of times of day; the second is no longer in the header.
    """

    part: Part
    time: str
    clock: str

    @property
    def file(self) -> str:
        """Its name for messages."""
        return self.part.file

    @property
    def header(self) -> tuple[str, ...]:
        """Column names."""
        return tuple(name for name in self.part.header if name != self.clock)

    @property
    def lines(self) -> Lines:
        """(rows,) line in the file where each row starts."""
        return self.part.lines

    def frames(self, columns: Sequence[str], kind: type[str] | None) -> Iterator[pd.DataFrame]:
        """The columns, some megabytes at a time; beside times all are text."""
        if self.time not in columns:
            yield from self.part.frames(columns, kind)
            return
        for frame in self.part.frames([*columns, self.clock], str):
            frame[self.time] = join(frame[self.time], frame.pop(self.clock))
            yield frame


def joined(part: Part, time: str, clock: str) -> Joined:
    """A file with both columns in one.

    Raises:
        DataError: if one is not there.
    """
    for name in (time, clock):
        if name not in part.header:
            raise no_column(name, part.header, Place(part.file, 1))
    return Joined(part, time, clock)
