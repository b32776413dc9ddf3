"""A model on data: what its gates and units do there, joined to what its weights say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rnncli.data.reading.frames import Tables
from rnncli.inspection.activity import Activity, gate_rows, observe, unit_activity
from rnncli.inspection.reliance import reliance, sample, spreads
from rnncli.predict import read_given
from rnncli.trained import TrainedModel


@dataclass(frozen=True)
class OnData:
    """What was seen.

    Attributes:
        cell: of the model, and whether it is an ensemble.
        activity: of gates and units.
        spreads, reliance: of every input, by name.
        notes: what a person should know of the data.
    """

    cell: str
    several: bool
    activity: Activity
    spreads: dict[str, float]
    reliance: dict[str, float | None]
    notes: tuple[str, ...]

    def gates(self) -> list[dict[str, Any]]:
        """A row for every gate of a layer and direction."""
        return gate_rows(self.activity, self.cell, several=self.several)

    def add_to_blocks(self, rows: list[dict[str, Any]]) -> None:
        """Put the saturation of each gate beside its recurrent weights."""
        shares = {
            (row["member"], row["layer"], row["direction"], row["gate"]): row["saturation"] for row in self.gates()
        }
        for row in rows:
            if row["parameter"].startswith("weight_hh"):
                row["saturation"] = shares[row["member"], row["layer"], row["direction"], row["gate"]]

    def add_to_units(self, rows: list[dict[str, Any]]) -> None:
        """Put what a unit does beside what its weights say; one that never moves is dead whatever they say."""
        found = unit_activity(self.activity)
        for row in rows:
            seen = found[row["member"] or 0, row["layer"], row["direction"]][row["unit"]]
            row |= {**seen, "dead": seen["dead"] or row["dead"]}


def look(model: TrainedModel, tables: Tables) -> OnData:
    """Run a model over a table.

    Raises:
        DataError: for anything in it that the model cannot read.
    """
    given = read_given(model, tables)
    batch = sample(given)
    return OnData(
        model.config.model.cell,
        model.config.training.seeds > 1,
        observe(model.network, given),
        spreads(model, batch),
        reliance(model, batch),
        given.panel.notes,
    )
