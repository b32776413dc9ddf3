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
    for row in (row for row in rows if not row["member"]):
        where = _part(row["parameter"]) if row["layer"] is None else f"layer {row['layer']}, {row['direction']}"
        groups.setdefault(where, []).append(row)
    count = max((row["member"] or 0) for row in rows) + 1
    several = f"the first of {count} networks, " if count > 1 else ""
    head = f"{several}{result['cell']}, {result['parameters']:,} parameters in all"
    sheets: list[Sheet] = []
    for where, members in groups.items():
        recurrent = any(row["gate"] for row in members)
        columns = ["gate", "shape", *_NUMBERS] if recurrent else ["shape", *_NUMBERS]
        columns = [name for name in columns if any(row[name] is not None for row in members)]
        names = [{"spectral_radius": "radius", "half_life": "half-life"}.get(name, name) for name in columns]
        cells = [[_short(row), *_cells(row, columns)] for row in members]
        sheets.append(Sheet(where if sheets else f"{head}\n\n{where}", ["weights", *names], cells))
    return sheets


def explanation(result: dict[str, Any]) -> str:
    """What the last columns of the tables mean."""
    text = "radius: largest |eigenvalue| of a gate's recurrent matrix"
    if any(row["half_life"] is not None for row in result["rows"]):
        text += "\nhalf-life: steps in which the forget gate, at rest, lets half of the carry go"
    return text


def _part(parameter: str) -> str:
    """Where in the network a parameter outside the recurrence is."""
    name = parameter.partition(".")[0]
    return "head" if name == "level" else name.replace("_", " ")


def _short(row: dict[str, Any]) -> str:
    """A parameter's name without layer and direction, which the title says."""
    return str(row["parameter"].partition("_l")[0] if row["gate"] else row["parameter"])


def _cells(row: dict[str, Any], columns: list[str]) -> list[Any]:
    return [
        _shape(row["shape"]) if name == "shape" else _number(row[name]) if isinstance(row[name], float) else row[name]
        for name in columns
    ]


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.3g}"


def _flat(row: dict[str, Any]) -> list[Any]:
    return [_shape(value) if name == "shape" else value for name, value in row.items()]


def _shape(shape: list[int]) -> str:
    return "x".join(str(size) for size in shape)
