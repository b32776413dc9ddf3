"""How large a network's inputs and outputs are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MAX_WIDTH = 16


@dataclass(frozen=True)
class Sizes:
    """What goes into a network and what comes out.

    Attributes:
        past: names of the input columns of a step.
        static: names of the input columns of a series.
        ahead: names of the columns known over the horizon, which are among `past`.
        categories: how many values each categorical column has, beside the unknown one.
        outputs: numbers for a window, or for every step.
        steps: steps of the horizon that the outputs are of, the same number each.
        targets: target columns, which come first among `past` where their own past is an input.
        context: rows of past in a window at most, and
        season: rows of a season; both needed by a path around the recurrence.
        segment: steps read at a time.
        levels: target columns whose level the head reads; 0 without normalisation.
        every: whether every step is answered, and not the newest alone.
        forks: whether every step of a window is trained as an origin of its own.
    """

    past: tuple[str, ...]
    outputs: int
    static: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()
    categories: tuple[tuple[str, int], ...] = ()
    steps: int = 1
    targets: int = 1
    context: int = 0
    season: int = 1
    segment: int = 1
    levels: int = 0
    every: bool = False
    forks: bool = False

    def width(self, columns: Iterable[str]) -> int:
        """Numbers that the columns become: categories become vectors."""
        return len(self.expanded(columns))

    def expanded(self, columns: Iterable[str]) -> list[str]:
        """A name for each of these numbers; those of a vector have their place in brackets."""
        counts = dict(self.categories)
        names: list[str] = []
        for name in columns:
            whole = name not in counts
            names += [name] if whole else [f"{name}[{place}]" for place in range(vector_width(counts[name]))]
        return names


def vector_width(categories: int) -> int:
    """Numbers in the learned vector of a column with so many categories."""
    return min(MAX_WIDTH, categories // 2 + 1)
