"""What inspect-weights says equals what NumPy finds in the stored tensors."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_runs import fit

from rnncli import checkpoint, inspection
from rnncli.config.document import parse
from rnncli.config.load import check
from rnncli.data.panel import Columns
from rnncli.data.scale import Scaler
from rnncli.inspection import summary, weight_values
from rnncli.trained import build_network, model_bytes, network_tensors


def stored(cell: str, *, layers: int = 2, bidirectional: bool = True, missing: str = "error") -> checkpoint.Stored:
    """A model with initial weights, as it would be read from its file."""
    config = check(
        parse(
            f"data: {{path: d.csv, target: y, past: x, missing: {missing}}}\n"
            "task: {kind: forecasting, horizon: 3}\n"
            f"model: {{cell: {cell}, hidden_size: 4, num_layers: {layers}, "
            f"bidirectional: {str(bidirectional).lower()}}}",
            None,
        )
    )
    columns = Columns(("y",), ("x",))
    one = np.ones((1, 2))
    scaler = Scaler(config.scale, "none", 1, ((),), one * 0, one, one[:, :1], one[:, :1])
    raw = model_bytes(config, columns, scaler, network_tensors(build_network(config, columns, seed=1)))
    return checkpoint.decode(raw, "model", checkpoint.MODEL)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "carry_lstm"])
def test_summary_accounts_for_every_parameter(cell: str) -> None:
    model = stored(cell)
    result = summary(model)
    counted = sum(int(np.prod(row["shape"])) for row in result["rows"])
    assert result["parameters"] == counted
    assert counted == sum(array.size for name, array in model.tensors.items() if name.startswith("network."))
    assert {row["direction"] for row in result["rows"]} == {"forward", "backward", None}


def test_statistics_are_those_of_the_gates_rows() -> None:
    model = stored("lstm")
    row = next(
        row for row in summary(model)["rows"] if (row["parameter"], row["gate"]) == ("weight_hh_l1_reverse", "g")
    )
    block = model.tensors["network.backbone.weight_hh_l1_reverse"][8:12].astype(float)
    assert (row["layer"], row["direction"], row["shape"]) == (1, "backward", [4, 4])
    assert row["mean"] == pytest.approx(block.mean())
    assert row["std"] == pytest.approx(block.std())
    assert (row["min"], row["max"]) == (pytest.approx(block.min()), pytest.approx(block.max()))
    assert row["norm"] == pytest.approx(np.sqrt((block**2).sum()))
    assert row["spectral_radius"] == pytest.approx(max(abs(np.linalg.eigvals(block))))
    assert row["spectral_norm"] == pytest.approx(np.sqrt(max(np.linalg.eigvalsh(block.T @ block))))
    assert row["spectral_norm"] >= row["spectral_radius"]


def test_half_life_is_how_long_the_forget_gate_keeps_half() -> None:
    model = stored("lstm", layers=1, bidirectional=False)
    bias = sum(model.tensors[f"network.backbone.bias_{kind}_l0"][4:8].astype(float) for kind in ("ih", "hh"))
    row = next(row for row in summary(model)["rows"] if row["half_life"] is not None)
    assert (row["parameter"], row["gate"]) == ("weight_hh_l0", "f")
    kept = (1 / (1 + np.exp(-bias))) ** (np.log(0.5) / np.log(1 / (1 + np.exp(-bias))))
    assert kept == pytest.approx(0.5)
    assert row["half_life"] == pytest.approx(np.median(np.log(0.5) / np.log(1 / (1 + np.exp(-bias)))))


def test_a_cell_that_keeps_nothing_has_no_half_life() -> None:
    assert all(row["half_life"] is None for row in summary(stored("rnn"))["rows"])


def test_a_gru_keeps_by_its_update_gate() -> None:
    model = stored("gru", layers=1, bidirectional=False)
    bias = sum(model.tensors[f"network.backbone.bias_{kind}_l0"][4:8].astype(float) for kind in ("ih", "hh"))
    (row,) = [row for row in summary(model)["rows"] if row["half_life"] is not None]
    assert (row["parameter"], row["gate"]) == ("weight_hh_l0", "z")
    assert row["half_life"] == pytest.approx(np.median(np.log(0.5) / np.log(1 / (1 + np.exp(-bias)))))


def test_values_are_the_tensors_themselves() -> None:
    model = stored("gru", missing="mask")
    rows = list(weight_values(model))
    weights = {name: array for name, array in model.tensors.items() if name.startswith("network.")}
    assert len(rows) == sum(array.size for array in weights.values())
    first = [row for row in rows if row["parameter"] == "weight_ih_l0" and (row["gate"], row["unit"]) == ("z", 2)]
    assert [row["input"] for row in first] == ["y", "x", "observed(y)", "observed(x)"]
    assert [row["value"] for row in first] == pytest.approx(weights["network.backbone.weight_ih_l0"][4 + 2])
    assert {row["input"] for row in rows if row["parameter"] == "level.weight"} == {"level y"}


@pytest.mark.parametrize("view", [[], ["--units"], ["--inputs"], ["--values"], ["--heatmap", "-"]], ids=" ".join)
def test_command_needs_neither_torch_nor_pandas(view: list[str], tmp_path: Path) -> None:
    model = stored("lstm")
    raw = checkpoint.encode(checkpoint.MODEL, model.content, model.tensors)
    (tmp_path / "model.safetensors").write_bytes(raw)
    program = (
        "import sys\nfrom rnncli.cli.app import main\n"
        f"sys.argv = {['rnncli', 'inspect-weights', str(tmp_path), *view]!r}\n"
        "try:\n    main()\nfinally:\n    sys.stderr.write(str({'torch', 'pandas', 'matplotlib'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "set()"
    assert view or json.loads(done.stdout)["cell"] == "lstm"


def test_csv_is_one_tidy_table(tmp_path: Path, cli) -> None:
    model = stored("carry_lstm")
    path = tmp_path / "alone.safetensors"
    path.write_bytes(checkpoint.encode(checkpoint.MODEL, model.content, model.tensors))
    done = cli("inspect-weights", path, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == len(summary(model)["rows"])
    assert {row["gate"] for row in rows if row["parameter"] == "weight_ch_l0"} == {"o"}
    wide = cli("inspect-weights", path, "--format", "table", env={"COLUMNS": "80"})
    assert max(len(line) for line in wide.stdout.splitlines()) <= 80


AROUND: dict[str, dict[str, Any]] = {
    "segments": {"model": {"segment": 4, "decoder": "parallel", "skip": "linear"}},
    "filters": {"model": {"front_end": "conv", "segment": 4}},
    "several": {"model": {"front_end": "conv", "skip": "seasonal"}, "training": {"seeds": 2}},
}


@pytest.mark.parametrize("name", AROUND)
def test_every_weight_around_the_recurrence_has_its_input(name, tmp_path):
    frame = pd.DataFrame({"y": np.sin(np.arange(80.0)), "x": np.cos(np.arange(80.0))})
    values = {"data": {"target": "y", "past": "x", "season": 4}, "task": {"kind": "forecasting", "horizon": 3}}
    fit(frame, tmp_path, {**values, "window": {"context": 8}, **AROUND[name]})
    model = checkpoint.read(tmp_path / "run" / "model.safetensors", checkpoint.MODEL)
    inspection.check(model, "model.safetensors")
    rows = list(weight_values(model))
    assert len(rows) == summary(model)["parameters"]
    named = {(row["parameter"], row["input"]) for row in rows}
    assert {row["member"] for row in rows} == ({0, 1} if name == "several" else {None})
    if name == "segments":
        assert {("segments.embed.weight", "y step 3"), ("skip.weight", "row -1"), ("weight_ih_l0", "s7")} <= named
    else:
        assert {("front_end.mix.0.weight", "x tap 8"), ("front_end.mix.1.weight", "f7 tap 4")} <= named
        assert (("segments.embed.weight", "f7 step 3") in named) == (name == "filters")
        assert (("weight_ih_l0", "f7") in named) == (name == "several")
