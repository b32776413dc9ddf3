"""Words as numbers: the classes of a target, and the categories of an input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnncli.data.panel import Columns, Floats, Panel
from rnncli.data.reading.frames import Tables
from rnncli.errors import DataError


def classes(tables: Tables, columns: Columns) -> tuple[Floats, Columns]:
    """(rows,) class codes of the target column; NaN where it is empty or, in prediction, absent.

    Raises:
        DataError: for a label that is none of those that `columns` knows already.
    """
    target = columns.targets[0]
    if target not in tables.header:
        return np.full(len(tables), np.nan), columns
    found, keys = tables.codes([target])
    texts = [key[0] for key in keys]
    labels = columns.labels or tuple(sorted(set(texts) - {""}, key=natural_key))
    numbers = {label: float(code) for code, label in enumerate(labels)}
    for number, text in enumerate(texts):
        if text and text not in numbers:
            place = tables.place(int(np.flatnonzero(found == number)[0]), target)
            raise DataError(f"{text!r} is not a class of this model", f"they are {', '.join(labels)}", place)
    codes = np.array([numbers.get(text, np.nan) for text in texts], dtype=np.float64)
    return codes[found], replace(columns, labels=labels)


def categories(tables: Tables, columns: Columns, name: str) -> tuple[Floats, Columns, tuple[str, ...]]:
    """(rows,) codes of a categorical column, NaN where it is empty; without known values, those of the table."""
    found, keys = tables.codes([name])
    texts = [key[0] for key in keys]  # in order of first appearance
    known = columns.categories[name] or tuple(sorted(set(texts) - {""}, key=natural_key))
    numbers = {"": np.nan} | {value: float(code) for code, value in enumerate(known, 1)}
    codes = np.array([numbers.get(text, 0.0) for text in texts], dtype=np.float64)
    notes: tuple[str, ...] = ()
    unseen = np.flatnonzero(codes == 0)
    if len(unseen):
        count = int(np.isin(found, unseen).sum())
        notes = (f"{name}: {count:,} rows hold categories not seen in training, such as {texts[unseen[0]]}",)
    return codes[found], replace(columns, categories={**columns.categories, name: known}), notes


def with_last_label(panel: Panel) -> Panel:
    """The panel of a classification whose series end in their label: the last known one stands in the rows after it.

    A series whose labels contradict each other is left as it is.
    """
    codes, begin, lengths = panel.values[:, 0], panel.offsets[:-1], panel.lengths()
    if not np.isnan(codes[panel.offsets[1:] - 1]).any():
        return panel
    least, most = (part.reduceat(codes, begin) for part in (np.fmin, np.fmax))
    known = np.concatenate([[-1], np.flatnonzero(~np.isnan(codes))])
    newest = known[np.searchsorted(known, panel.offsets[1:]) - 1]
    after = np.arange(len(codes)) > np.repeat(newest, lengths)
    values = panel.values.copy()
    values[:, 0] = np.where(after & np.repeat(least == most, lengths), np.repeat(most, lengths), codes)
    return replace(panel, values=values)


def natural_key(label: str) -> tuple[bool, float, str]:
    """Sort key: numbers by value, before words."""
    try:
        return (False, float(label), label)
    except ValueError:
        return (True, 0.0, label)
