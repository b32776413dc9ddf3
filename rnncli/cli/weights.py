"""Weights for people: a table a layer and direction."""

from typing import Any

from rnncli import console
from rnncli.console import Sheet

_NUMBERS = ("mean", "std", "min", "max", "spectral_radius", "spectral_norm", "half_life")
_GATE_COLUMNS = ("layer", "direction", "gate", "mean", "std", "low", "high", "half_life")
_NAMES = {
    "spectral_radius": "radius",
    "spectral_norm": "stretch",
    "incoming": "reads",
    "recurrent": "states",
    "outgoing": "is read",
    "half_life": "memory",
    "half_life_on_data": "on data",
    "other_norm": "of other",
    "saturation": "saturated",
    "duplicate_of": "like",
}


def summary_sheets(result: dict[str, Any]) -> list[Sheet]:
    """For CSV one sheet with every column; for people one a layer and direction, narrow enough for 80 columns."""
    rows = result["rows"]
    if not console.wants_table():
        return [Sheet("", list(rows[0]), [_flat(row) for row in rows])]
    head = f"{_several(rows)}{result['cell']}, {result['parameters']:,} parameters in all"
    return [*_by_layer(rows, ["gate", "shape", *_NUMBERS], head), *_data_sheets(result)]


def difference_sheets(result: dict[str, Any]) -> list[Sheet]:
    """The same of `inspect-weights --diff`."""
    rows = result["rows"]
    if not console.wants_table():
        return [Sheet("", list(rows[0]), [_flat(row) for row in rows])]
    head = f"{_several(rows)}{result['other']} beside {result['run']}"
    return _by_layer(rows, ["gate", "shape", "norm", "other_norm", "difference", "relative", "cosine"], head)


def unit_sheets(rows: list[dict[str, Any]]) -> list[Sheet]:
    """Units for people, a table a layer and direction."""
    sheets = []
    for where, members in _groups(rows).items():
        columns = [name for name in members[0] if name not in ("layer", "direction", "member")]
        columns = [name for name in columns if any(row[name] is not None for row in rows)]
        cells = [[_shown(row[name]) for name in columns] for row in members]
        sheets.append(Sheet(where, [_NAMES.get(name, name) for name in columns], cells))
    return sheets


def _data_sheets(result: dict[str, Any]) -> list[Sheet]:
    """What the inputs are worth, and what the gates do on data."""
    inputs = result["inputs"]
    columns = [name for name in inputs[0] if any(row[name] is not None for row in inputs)]
    sheets = [Sheet("inputs", columns, [[_shown(row[name]) for name in columns] for row in inputs])]
    gates = [row for row in result.get("gates", ()) if not row["member"]]
    columns = [name for name in _GATE_COLUMNS if any(row[name] is not None for row in gates)]
    if gates:
        title = f"gates over {result['steps']:,} steps of data"
        names = [_NAMES.get(name, name) for name in columns]
        sheets.append(Sheet(title, names, [[_shown(row[name]) for name in columns] for row in gates]))
    return sheets


def _several(rows: list[dict[str, Any]]) -> str:
    count = max((row["member"] or 0) for row in rows) + 1
    return f"the first of {count} networks, " if count > 1 else ""


def _groups(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rows of the first network by where they belong."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in (row for row in rows if not row["member"]):
        where = _part(row["parameter"]) if row["layer"] is None else f"layer {row['layer']}, {row['direction']}"
        groups.setdefault(where, []).append(row)
    return groups


def _by_layer(rows: list[dict[str, Any]], wanted: list[str], head: str) -> list[Sheet]:
    """A sheet for every part of the network, with those of the columns that say something there."""
    sheets: list[Sheet] = []
    for where, members in _groups(rows).items():
        columns = [name for name in wanted if any(row[name] is not None for row in members)]
        cells = [[_short(row), *_cells(row, columns)] for row in members]
        names = [_NAMES.get(name, name) for name in columns]
        sheets.append(Sheet(where if sheets else f"{head}\n\n{where}", ["weights", *names], cells))
    return sheets


def explanation(result: dict[str, Any]) -> str:
    """What the columns of the tables mean."""
    text = "radius, stretch: largest |eigenvalue|, singular value of a gate's recurrent part"
    if any(row["half_life"] is not None for row in result["rows"]):
        text += "\nmemory: steps in which the gate that keeps the state, at rest, loses half of it"
    text += "\nnorm of an input: that of all weights that read it"
    if "gates" in result:
        text += "; weight: times its spread"
        text += "\nreliance: how far answers move, if it is shuffled, beside how far they differ"
        text += "\nlow, high: share of values below .05 (of a tanh -.95) and above .95"
    for name in ("dead", "duplicates"):
        if result[name]:
            some = ", ".join(result[name][:4]) + ("" if len(result[name]) <= 4 else " …")
            text += f"\n{len(result[name])} {name[:-1] if name == 'duplicates' and len(result[name]) == 1 else name}"
            text += f" {'unit' if name == 'dead' else 'of another unit'}: {some} (--units)"
    return text


def _part(parameter: str) -> str:
    """Where in the network a parameter outside the recurrence is."""
    name = parameter.partition(".")[0]
    return "head" if name == "level" else name.replace("_", " ")


def _short(row: dict[str, Any]) -> str:
    """A parameter's name without layer and direction, which the title says."""
    return str(row["parameter"].partition("_l")[0] if row["gate"] else row["parameter"])


def _cells(row: dict[str, Any], columns: list[str]) -> list[Any]:
    return [_shape(row["shape"]) if name == "shape" else _shown(row[name]) for name in columns]


def _shown(value: Any) -> Any:
    return _number(value) if isinstance(value, float) else value


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.3g}"


def _flat(row: dict[str, Any]) -> list[Any]:
    return [_shape(value) if name == "shape" else value for name, value in row.items()]


def _shape(shape: list[int]) -> str:
    return "x".join(str(size) for size in shape)
