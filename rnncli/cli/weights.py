"""Weights for people: a table a layer and direction."""

from typing import Any

from rnncli import console
from rnncli.console import Sheet

_NUMBERS = ("mean", "std", "min", "max", "norm", "spectral_radius", "half_life")


def summary_sheets(result: dict[str, Any]) -> list[Sheet]:
    """For CSV one sheet with every column; for people one a layer and direction, narrow enough for 80 columns."""
    rows = result["rows"]
    if not console.wants_table():
        return [Sheet("", list(rows[0]), [_flat(row) for row in rows])]
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        where = "head" if row["layer"] is None else f"layer {row['layer']}, {row['direction']}"
        groups.setdefault(where, []).append(row)
    head = f"{result['cell']}, {result['parameters']:,} parameters in all"
    sheets: list[Sheet] = []
    for where, members in groups.items():
        recurrent = any(row["gate"] for row in members)
        columns = [*(["gate"] if recurrent else []), "shape", *_NUMBERS[: 7 if recurrent else 5]]
        shown = [
            [row["parameter"].partition("_l")[0] if recurrent else row["parameter"], *_cells(row, columns)]
            for row in members
        ]
        names = [{"spectral_radius": "radius", "half_life": "half-life"}.get(name, name) for name in columns]
        sheets.append(Sheet(f"{head}\n\n{where}" if not sheets else f"\n{where}", ["weights", *names], shown))
    return sheets


def _cells(row: dict[str, Any], columns: list[str]) -> list[Any]:
    return [
        _shape(row["shape"]) if name == "shape" else f"{row[name]:.3g}" if isinstance(row[name], float) else row[name]
        for name in columns
    ]


def _flat(row: dict[str, Any]) -> list[Any]:
    return [_shape(value) if name == "shape" else value for name, value in row.items()]


def _shape(shape: list[int]) -> str:
    return "x".join(str(size) for size in shape)
