"""``rnncli inspect-weights`` on the command line: its views, their formats, and what fits into 80 columns."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import process, shell

from rnncli import checkpoint
from rnncli.checkpoint import MODEL, Stored

OLD_KEYS = ["run", "cell", "hidden_size", "num_layers", "bidirectional", "parameters", "rows"]
OLD_COLUMNS = [
    "member", "layer", "direction", "parameter", "gate", "shape", "mean", "std", "min", "max", "norm",
    "spectral_radius", "half_life",
]  # fmt: skip
GOLDEN = """\
gru, 27 parameters in all

layer 0, forward
weights    gate  shape    mean    std     min    max  radius  stretch  memory
weight_ih  r     2x1     0.150  0.050   0.100  0.200
weight_ih  z     2x1     0.350  0.050   0.300  0.400
weight_ih  n     2x1     0.550  0.050   0.500  0.600
weight_hh  r     2x2     0.500  0.500   0.000  1.000   1.000    1.000
weight_hh  z     2x2     0.250  0.433   0.000  1.000   0.000    1.000   2.409
weight_hh  n     2x2    -0.750  0.829  -2.000  0.000   2.000    2.000
bias_ih    r     2       0.000  0.000   0.000  0.000
bias_ih    z     2       1.099  0.000   1.099  1.099
bias_ih    n     2       0.000  0.000   0.000  0.000

head
weights      shape   mean    std    min    max
head.bias    1      0.500  0.000  0.500  0.500
head.weight  1x2    1.500  0.500  1.000  2.000

inputs
input   norm
sales  0.954

radius, stretch: largest |eigenvalue|, singular value of a gate's recurrent part
memory: steps in which the gate that keeps the state, at rest, loses half of it
norm of an input: that of all weights that read it
"""


def small_model(trained: Path) -> Stored:
    """A GRU of two units with round weights, after the likeness of a trained run."""
    model = checkpoint.read(trained / "run" / "model.safetensors", MODEL)
    content: dict[str, Any] = json.loads(json.dumps(model.content))
    content["config"]["model"] |= {"cell": "gru", "hidden_size": 2}
    content["columns"]["targets"] = ["sales"]
    weights = {
        "backbone.weight_ih_l0": [[0.1], [0.2], [0.3], [0.4], [0.5], [0.6]],
        "backbone.weight_hh_l0": [[1, 0], [0, 1], [0, 1], [0, 0], [-1, 0], [0, -2]],
        "backbone.bias_ih_l0": [0, 0, np.log(3), np.log(3), 0, 0],  # an update gate of 3/4
        "head.weight": [[1, 2]],
        "head.bias": [0.5],
    }
    tensors = {name: array for name, array in model.tensors.items() if not name.startswith("network.")}
    return Stored(
        MODEL, content, {**tensors, **{f"network.{name}": np.float32(rows) for name, rows in weights.items()}}
    )


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_tables_for_people(trained, tmp_path, invoke, monkeypatch):
    model = small_model(trained)
    (tmp_path / "m.safetensors").write_bytes(checkpoint.encode(MODEL, model.content, model.tensors))
    monkeypatch.setenv("COLUMNS", "80")
    result = invoke("inspect-weights", "m.safetensors", "--format", "table")
    assert result.code == 0, result.err
    assert "\n".join(line.rstrip() for line in result.out.splitlines()) + "\n" == GOLDEN


def test_the_document_keeps_its_keys(trained, invoke):
    document = json.loads(invoke("inspect-weights", "run", cwd=trained).out)
    assert list(document)[: len(OLD_KEYS)] == OLD_KEYS
    assert list(document["rows"][0])[: len(OLD_COLUMNS)] == [*OLD_COLUMNS[:12], "spectral_norm"]
    assert set(OLD_COLUMNS) <= set(document["rows"][0])
    assert all(row["saturation"] is None for row in document["rows"])
    assert (document["dead"], document["duplicates"]) == ([], [])
    assert "gates" not in document


def test_with_data_it_says_what_the_gates_do(trained, invoke):
    result = invoke("inspect-weights", "run", "--data", "waves.csv", cwd=trained)
    document = json.loads(result.out)
    assert document["steps"] == 4 * 40
    gates = {row["gate"]: row for row in document["gates"]}
    assert list(gates) == ["i", "f", "g", "o"]
    for row in document["rows"]:
        if row["parameter"] == "weight_hh_l0":
            assert row["saturation"] == gates[row["gate"]]["saturation"]
        else:
            assert row["saturation"] is None
    assert all(0 < row["mean"] < 1 for name, row in gates.items() if name != "g")
    assert gates["f"]["half_life"] > 0
    (source,) = document["inputs"]
    assert source["weight"] == pytest.approx(source["norm"] * source["spread"])
    assert source["reliance"] > 0
    piped = shell("cat waves.csv | rnncli inspect-weights run --data -", trained)
    assert json.loads(piped.stdout) == document


@pytest.mark.parametrize("data", [[], ["--data", "waves.csv"]], ids=["weights", "data"])
def test_every_unit_has_a_row(trained, invoke, data):
    arguments = ["inspect-weights", "run", "--units", *data]
    found = rows(invoke(*arguments, cwd=trained).out)
    assert [row["unit"] for row in found] == [str(unit) for unit in range(12)]
    assert all(float(row["half_life"]) > 0 for row in found)
    assert ("half_life_on_data" in found[0]) == bool(data)
    document = json.loads(invoke(*arguments, "--json", cwd=trained).out)
    assert [str(row["unit"]) for row in document] == [row["unit"] for row in found]


def test_every_input_has_a_row(trained, invoke):
    found = rows(invoke("inspect-weights", "run", "--inputs", cwd=trained).out)
    assert list(found[0]) == ["input", "norm", "spread", "weight", "reliance"]
    assert len(found) == 1
    assert found[0]["reliance"] == ""


@pytest.mark.parametrize(
    "view", [[], ["--data", "waves.csv"], ["--units", "--data", "waves.csv"], ["--diff", "run"], ["--heatmap", "-"]]
)
def test_every_view_fits_into_80_columns(trained, view, invoke, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = invoke("inspect-weights", "run", "--format", "table", *view, cwd=trained).out
    assert text.count("\n") > 10
    assert max(len(line) for line in text.splitlines()) <= 80


def test_a_run_beside_another(trained, tmp_path, invoke):
    document = json.loads(invoke("inspect-weights", "run", "--diff", "run", cwd=trained).out)
    assert list(document) == ["run", "other", "rows"]
    assert {row["difference"] for row in document["rows"]} == {0.0}
    found = rows(invoke("inspect-weights", "run", "--diff", "run", "--format", "csv", cwd=trained).out)
    assert len(found) == len(document["rows"])
    model = small_model(trained)
    (tmp_path / "m.safetensors").write_bytes(checkpoint.encode(MODEL, model.content, model.tensors))
    refused = invoke("inspect-weights", trained / "run", "--diff", "m.safetensors")
    assert (refused.code, refused.out) == (4, "")
    assert refused.err.startswith("error: m.safetensors: its cell is gru, that of ")
    assert invoke("inspect-weights", trained / "run", "--diff", "nowhere").code == 4


def test_colours_are_for_those_who_can_see_them(trained):
    arguments = ["inspect-weights", "run", "--heatmap", "-"]
    plain = process(arguments, trained).stdout
    assert b"\x1b" not in plain
    assert "▒".encode() in plain
    assert process(arguments, trained, env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).stdout == plain
    coloured = process(arguments, trained, env={"FORCE_COLOR": "1", "COLUMNS": "80"}).stdout.decode()
    assert "\x1b[" in coloured
    assert "▀" in coloured
    assert max(len(line) for line in re.sub("\x1b\\[[0-9;]*m", "", coloured).splitlines()) <= 80


def test_a_picture_that_cannot_be_written_is_5(trained, invoke, tmp_path):
    (tmp_path / "folder.png").mkdir()
    result = invoke("inspect-weights", trained / "run", "--heatmap", "nowhere/w.png")
    assert (result.code, result.out) == (5, "")
    assert invoke("inspect-weights", trained / "run", "--heatmap", "folder.png").code == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.png"]
