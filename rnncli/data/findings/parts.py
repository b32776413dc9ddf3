"""What the training, validation and test parts lack."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rnncli.data.findings.giveaways import one_value_a_series
from rnncli.data.findings.panel import Finding
from rnncli.data.panel import Columns, Panel, Rows, show_ids
from rnncli.data.split import Split

IMBALANCE = 0.9  # share of the largest class from which accuracy says little
RARE = 0.01  # share of ones, or of zeros, in a 0/1 target


def part_findings(panel: Panel, columns: Columns, split: Split, horizon: int) -> Iterator[Finding]:
    """What the parts lack: a whole horizon, or some of the classes."""
    for name, part in (("validation", split.validation), ("test", split.test)):
        sizes = part.last - part.first
        short = np.flatnonzero((sizes > 0) & (sizes < horizon))
        if len(short):
            who = show_ids([panel.ids[number] for number in short])
            rows = "row" if sizes[short].max() == 1 else "rows"
            message = (
                f"{len(short):,} of {len(panel):,} series have fewer {name} rows than the horizon of {horizon}: {who}"
            )
            hint = f"raise split.{name}; with {sizes[short].max()} {rows} they are not scored"
            yield Finding("short_part", message, hint, None, panel.ids[int(short[0])])
    if columns.labels is not None:
        yield from _classes(panel, columns, split)
    if columns.binary:
        yield from _rare(panel, columns)


def _classes(panel: Panel, columns: Columns, split: Split) -> Iterator[Finding]:
    """Classes that are lonely, missing from a part, or nearly all there is; counted in series if each has one."""
    assert columns.labels is not None
    labels, target = columns.labels, columns.targets[0]
    counts = {name: class_counts(panel, columns, name, split) for name in ("train", "validation", "test")}
    total = np.sum(list(counts.values()), axis=0)
    lonely = np.flatnonzero(total == 1)
    if len(lonely):
        message = f"{target}: one member only of {_some(labels, lonely)}"
        yield Finding("lonely_class", message, "it is in one part alone", target)
    for name, present in counts.items():
        absent = np.flatnonzero((present == 0) & (total > 0))
        if present.sum() and len(absent):
            hint = "it cannot be learned" if name == "train" else "it is not scored"
            part = "training" if name == "train" else name
            message = f"{target}: the {part} part has none of {_some(labels, absent)}"
            yield Finding("absent_class", message, hint, target)
    if total.max() > IMBALANCE * total.sum():
        share = total.max() / total.sum()
        message = f"{target}: {share:.0%} are {labels[int(total.argmax())]}"
        yield Finding("imbalance", message, "look at f1, not at accuracy", target)


def class_counts(panel: Panel, columns: Columns, name: str, split: Split) -> Rows:
    """(labels,) members of each class in a part: series where each has one label, else rows."""
    assert columns.labels is not None
    part = getattr(split, name)
    inside = np.zeros(len(panel.times) + 1, dtype=np.int64)
    np.add.at(inside, part.first[part.series()], 1)
    np.add.at(inside, part.last[part.series()], -1)
    codes = np.where(np.cumsum(inside[:-1]) > 0, panel.values[:, 0], np.nan)
    if one_value_a_series(panel, 0) and len(panel) > 1:
        codes = np.fmax.reduceat(codes, panel.offsets[:-1])
    return np.bincount(codes[~np.isnan(codes)].astype(np.int64), minlength=len(columns.labels))


def _some(labels: tuple[str, ...], index: Rows, most: int = 5) -> str:
    shown = ", ".join(labels[number] for number in index[:most])
    return shown if len(index) <= most else f"{shown} and {len(index) - most:,} more"


def _rare(panel: Panel, columns: Columns) -> Iterator[Finding]:
    """0/1 targets that are nearly always the same."""
    shares = np.nanmean(panel.values[:, : len(columns.targets)], axis=0)
    rare = np.flatnonzero((np.minimum(shares, 1 - shares) < RARE) & (shares > 0) & (shares < 1))
    if len(rare):
        message = f"{_some(columns.targets, rare)}: under {RARE:.0%} of the rows differ from the rest"
        yield Finding(
            "imbalance", message, "look at nll beside the baselines, not at accuracy", columns.targets[int(rare[0])]
        )
