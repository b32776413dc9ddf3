"""Batches of windows: which make one, shuffled to train on and by length to predict, and their gathering."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from rnncli.data.panel import Numbers
from rnncli.data.windows import Batch, Windows

_TOGETHER = 1 << 17  # most numbers of the past that are gathered at once


def shuffled(windows: Windows, batch_size: int, seed: int, epoch: int) -> list[Numbers]:
    """The batches of a pass over the windows: a pure function of (seed, epoch).

    Windows with the whole context and shorter ones are batched apart, so that most batches need no packing.
    """
    whole = _whole(windows)
    random = np.random.default_rng([seed, epoch])
    order = np.arange(len(windows), dtype=np.int32)
    random.shuffle(order)
    groups = [order] if whole.all() else [order[whole[order]], order[~whole[order]]]
    batches = [group[start : start + batch_size] for group in groups for start in range(0, len(group), batch_size)]
    return [batches[position] for position in random.permutation(len(batches))]


def epoch_batches(windows: Windows, batch_size: int, steps: int | None, seed: int, epoch: int) -> list[Numbers]:
    """The batches of an epoch that is one pass over the windows, or `steps` of endless passes, each shuffled anew."""
    if steps is None:
        return shuffled(windows, batch_size, seed, epoch)
    a_pass = count_batches(windows, batch_size)
    first, last = epoch * steps, (epoch + 1) * steps
    passes = range(first // a_pass, -(-last // a_pass))
    batches = [batch for number in passes for batch in shuffled(windows, batch_size, seed, number)]
    begin = first - passes.start * a_pass
    return batches[begin : begin + steps]


def gathered(windows: Windows, batches: list[Numbers], first: int) -> Iterator[Batch]:
    """The batches from the one at `first` on.

    Several are gathered at once where all windows are of one length: of a small batch the calls take longer than the
    copying. Which ones does not follow from `first`, so that training goes on to the same bits.
    """
    numbers = max(1, windows.shape.context * windows.data.inputs.shape[1] * max(map(len, batches), default=1))
    count = max(1, _TOGETHER // numbers) if windows.whole else 1
    for start in range(first - first % count, len(batches), count):
        some = batches[start : start + count]
        with _one_thread():
            several = windows.batch(np.concatenate(some))
        yield from several.parts(list(map(len, some)))[max(0, first - start) :]


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """To wake a second one for a batch takes longer than to copy it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def count_batches(windows: Windows, batch_size: int) -> int:
    """How many batches `shuffled` makes."""
    whole = int(_whole(windows).sum())
    return -(-whole // batch_size) + -(-(len(windows) - whole) // batch_size)


def _whole(windows: Windows) -> NDArray[np.bool_]:
    """(windows,) which of them are as long as the longest."""
    lengths = windows.lengths()
    return np.asarray(lengths == lengths.max())


def by_length(windows: Windows, batch_size: int) -> Iterator[tuple[Numbers, int]]:
    """Batches for prediction: all of one length and one size, as (index, how many of it count).

    The last batch of a length is filled up with repeats. So a window's arithmetic, and every bit of its
    prediction, is the same in whatever company it comes.
    """
    lengths = windows.lengths()
    numbers = np.arange(len(windows), dtype=np.int32)
    whole = lengths == lengths.max(initial=0)
    short = numbers[~whole]
    short = short[np.argsort(lengths[short], kind="stable")]
    groups = np.split(short, np.flatnonzero(np.diff(lengths[short])) + 1)
    for group in (*groups, numbers[whole]):
        for start in range(0, len(group), batch_size):
            index = group[start : start + batch_size]
            yield np.resize(index, batch_size), len(index)
