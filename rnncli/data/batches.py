"""Which windows make a batch: shuffled to train on, by length to predict."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rnncli.data.panel import Rows
from rnncli.data.windows import Windows


def shuffled(windows: Windows, batch_size: int, seed: int, epoch: int) -> list[Rows]:
    """The batches of an epoch: a pure function of (seed, epoch).

    Windows with the whole context and shorter ones are batched apart, so that most batches need no packing.
    """
    lengths = windows.lengths()
    whole = lengths == lengths.max()
    del lengths  # the order below takes as much
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(np.arange(len(windows), dtype=np.int32))
    groups = [order] if whole.all() else [order[whole[order]], order[~whole[order]]]
    batches = [group[start : start + batch_size] for group in groups for start in range(0, len(group), batch_size)]
    return [batches[position] for position in random.permutation(len(batches))]


def by_length(windows: Windows, batch_size: int) -> Iterator[tuple[Rows, int]]:
    """Batches for prediction: all of one length and one size, as (index, how many of it count).

    The last batch of a length is filled up with repeats. So a window's arithmetic, and every bit of its
    prediction, is the same in whatever company it comes.
    """
    lengths = windows.lengths()
    order = np.argsort(lengths, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
        for start in range(0, len(group), batch_size):
            index = group[start : start + batch_size]
            yield np.resize(index, batch_size), len(index)
