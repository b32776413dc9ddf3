"""What the tasks share: the sizes of their inputs, and the id and time columns of their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rnncli.config import schema
from rnncli.data.panel import Columns, Floats, Panel, Rows
from rnncli.model.sizes import Sizes

if TYPE_CHECKING:
    import pandas as pd


def sizes(config: schema.Config, columns: Columns, outputs: int, *, every: bool = False) -> Sizes:
    """Sizes of a network that answers with `outputs` numbers."""
    return Sizes(
        past=columns.step_inputs(flags=config.data.missing == "mask"),
        outputs=outputs,
        segment=config.model.segment if isinstance(config.model.segment, int) else 1,
        static=columns.static,
        # in the order of their names: a dict's own order does not outlive the model's file
        categories=tuple((name, len(values)) for name, values in sorted(columns.categories.items())),
        every=every,
    )


def row_names(panel: Panel, columns: Columns, origins: Rows) -> dict[str, object]:
    """The id and time columns of the rows before `origins`, as they are in the input."""
    from rnncli.data import clock

    series = panel.series_of(origins - 1)
    parts: dict[str, object] = {
        name: [panel.ids[index][position] for index in series] for position, name in enumerate(columns.series)
    }
    if columns.time is not None:
        parts[columns.time] = clock.write(panel.times[origins - 1], columns.time_format)
    return parts


def label_table(odds: Floats, panel: Panel, columns: Columns, origins: Rows) -> pd.DataFrame:
    """A row an origin: the likeliest label and the probability (origins, labels) of each."""
    import pandas as pd

    assert columns.labels is not None
    parts = row_names(panel, columns, origins)
    parts["prediction"] = np.asarray(columns.labels, dtype=object)[odds.argmax(1)]
    for code, label in enumerate(columns.labels):
        parts[f"p_{label}"] = odds[:, code]
    return pd.DataFrame(parts)


def number_table(numbers: Floats, panel: Panel, columns: Columns, origins: Rows) -> pd.DataFrame:
    """A row an origin: its number (origins, targets) for every target."""
    import pandas as pd

    parts = row_names(panel, columns, origins)
    for position, name in enumerate(columns.targets):
        parts[f"{name}_pred"] = numbers[:, position]
    return pd.DataFrame(parts)


def softmax(logits: Floats) -> Floats:
    """Probabilities along the last axis."""
    odds = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(odds / odds.sum(-1, keepdims=True))
