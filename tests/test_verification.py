"""What `verify` finds: nothing on a model as it was trained, and every weight that was changed since."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command_line import Invoke
from native_kernels import has_compiler
from small_runs import fit, opened, tags

from rnncli import checkpoint, proof, verification
from rnncli.errors import CheckpointError
from rnncli.given import Given
from rnncli.model.cells import CELLS
from rnncli.tasks.task import TASKS
from rnncli.trained import TrainedModel, model_bytes, network_tensors
from rnncli.verification import COMPARISONS, Question, verify

LIMIT = 1e-5
NAMES = ["saved prediction", "numpy float32", "torch", "native kernels", "stream", "cuda", "onnx"]

DATA: dict[str, dict[str, Any]] = {
    "forecasting": {"target": "y", "past": ["x", "w"], "future": ["z"], "static": "g", "categorical": "w"},
    "classification": {"target": "label", "past": ["x", "w"], "static": "g", "categorical": "w"},
    "regression": {"target": "y", "past": ["x", "z"]},
    "tagging": {"target": ["b", "c"], "past": ["x", "z"]},
}


def frame() -> pd.DataFrame:
    """Ten series of unequal length, with a value `g` and a label each."""
    found = tags("abcdefghij", 14)
    number = found["id"].map(ord)
    return found.assign(g=number % 3 * 1.5, label=np.where(number % 2, "odd", "even"))


def values_for(task: str, model: dict[str, Any], training: dict[str, Any] | None = None) -> dict[str, Any]:
    horizon = {"horizon": 3} if task == "forecasting" else {}
    return {
        "data": {"series": "id", "time": "t", **DATA[task]},
        "task": {"kind": task, **horizon},
        "window": {"context": "full" if task == "classification" else 8},
        "model": {"hidden_size": 6, **model},
        "training": training or {},
    }


def errors(model: TrainedModel, folder: Path, count: int = 20) -> dict[str, float | None]:
    found, windows = verify(model, opened(frame(), folder, "new.csv"), count, LIMIT)
    assert windows == min(count, windows)
    assert all(comparison.ok for comparison in found), found
    return {comparison.name: comparison.error for comparison in found}


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one_way", "two_ways"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", TASKS)
def test_nothing_is_off(task: str, cell: str, layers: int, bidirectional: bool, tmp_path: Path) -> None:
    model = {"cell": cell, "num_layers": layers, "bidirectional": bidirectional}
    found = errors(fit(frame(), tmp_path, values_for(task, model)), tmp_path)
    assert list(found) == NAMES
    streams = not bidirectional and task != "forecasting"  # whose data.future a stream does not know
    assert (found["stream"] is not None) == streams
    left_out = {"cuda", *([] if streams else ["stream"]), *([] if has_compiler() else ["native kernels"])}
    compared = [error for name, error in found.items() if name not in left_out]
    assert all(error is not None and 0 < error < LIMIT for error in compared)


FORECASTERS: dict[str, dict[str, Any]] = {
    "conv": {"model": {"front_end": "conv", "readout": "attention"}},
    "parallel": {"model": {"segment": 2, "decoder": "parallel", "skip": "linear"}},
    "seasonal": {"model": {"skip": "seasonal"}, "data": {"season": 4}},
    "forks": {"window": {"context": 8, "origins": "every"}},
    "quantiles": {"training": {"loss": "quantile"}},
    "several": {"training": {"seeds": 2}},
    "mean_std": {"window": {"context": 8, "normalise": "mean_std"}},
}


@pytest.mark.parametrize("kind", FORECASTERS)
def test_nothing_is_off_whatever_the_forecaster(kind: str, tmp_path: Path) -> None:
    values = values_for("forecasting", {})
    for section, keys in FORECASTERS[kind].items():
        values[section] = values.get(section, {}) | keys
    assert list(errors(fit(frame(), tmp_path, values), tmp_path)) == NAMES


@pytest.mark.parametrize("kind", FORECASTERS)
def test_a_stream_is_what_its_windows_are(kind: str, tmp_path: Path) -> None:
    values = values_for("forecasting", {})
    for section, keys in FORECASTERS[kind].items():
        values[section] = values.get(section, {}) | keys
    values["data"] = {name: key for name, key in values["data"].items() if name != "future"}
    found = errors(fit(frame(), tmp_path, values), tmp_path)["stream"]
    assert found is not None
    assert found < LIMIT


@pytest.fixture(scope="module")
def forecaster(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainedModel]:
    folder = tmp_path_factory.mktemp("forecaster")
    return folder, fit(frame(), folder, values_for("forecasting", {}))


def changes(model: TrainedModel) -> Iterator[tuple[str, checkpoint.Tensors]]:
    """The weights with one number of one of them changed, and never one that no window reads."""
    for name in sorted(network_tensors(model.network)):
        weights = network_tensors(model.network)
        weights[name].flat[-1] += 0.05
        yield name, weights


def test_a_weight_that_was_changed_with_its_checksum_is_caught(
    forecaster: tuple[Path, TrainedModel], tmp_path: Path, invoke: Invoke
) -> None:
    folder, model = forecaster
    for name, weights in changes(model):
        raw = model_bytes(model.config, model.columns, model.scaler, weights, model.residuals, model.proof)
        (tmp_path / "m.safetensors").write_bytes(raw)
        result = invoke("verify", "m.safetensors", "--data", folder / "d.csv", "--json")
        assert result.code == 6, name
        assert json.loads(result.err)["error"]["kind"] == "outcome"
        document = json.loads(result.out)
        assert document["ok"] is False
        assert [row["name"] for row in document["comparisons"] if row["ok"] is False] == ["saved prediction"]


def test_a_bit_that_was_changed_without_its_checksum_is_caught_before(
    forecaster: tuple[Path, TrainedModel], tmp_path: Path, invoke: Invoke
) -> None:
    folder, _ = forecaster
    raw = bytearray((folder / "run" / "model.safetensors").read_bytes())
    raw[-9] ^= 1
    (tmp_path / "m.safetensors").write_bytes(raw)
    assert invoke("verify", "m.safetensors", "--data", folder / "d.csv").code == 4


def test_a_model_without_a_saved_prediction_is_compared_all_the_same(
    forecaster: tuple[Path, TrainedModel], tmp_path: Path, invoke: Invoke
) -> None:
    folder, model = forecaster
    weights = network_tensors(model.network)
    (tmp_path / "m.safetensors").write_bytes(model_bytes(model.config, model.columns, model.scaler, weights))
    result = invoke("verify", "m.safetensors", "--data", folder / "d.csv", "--windows", "3", "--json")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert document["windows"] == 3
    first, second = document["comparisons"][:2]
    assert (first["ok"], first["error"], first["reason"]) == (None, None, "the model's file holds none")
    assert second["ok"] is True


@pytest.mark.parametrize(
    ("name", "shape"), [("past", (2, 3)), ("lengths", (3,)), ("level", (2, 5)), ("outputs", (2, 1)), ("more", (1,))]
)
def test_a_saved_prediction_of_another_network_is_refused(
    forecaster: tuple[Path, TrainedModel], name: str, shape: tuple[int, ...]
) -> None:
    _, model = forecaster
    tensors = proof.tensors_of(model.proof) | {f"proof.{name}": np.ones(shape, dtype=np.float32)}
    with pytest.raises(CheckpointError, match="saved prediction"):
        proof.saved(tensors, model.task.sizes(), "m.safetensors")


@pytest.mark.parametrize("part", ["past", "lengths", "level", "static", "ahead", "outputs"])
def test_a_saved_prediction_lacks_nothing(forecaster: tuple[Path, TrainedModel], part: str) -> None:
    _, model = forecaster
    tensors = proof.tensors_of(model.proof)
    del tensors[f"proof.{part}"]
    with pytest.raises(CheckpointError, match="saved prediction"):
        proof.saved(tensors, model.task.sizes(), "m.safetensors")


def test_a_saved_prediction_is_small_whatever_the_windows_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {}
    for most in (1 << 16, 2000, 400, 100, 8):
        monkeypatch.setattr(proof, "MOST_BYTES", most)
        taken = fit(frame(), tmp_path, values_for("tagging", {})).proof
        tensors = proof.tensors_of(taken)
        sizes[most] = 0 if taken is None else len(taken.outputs)
        assert sum(tensor.nbytes for tensor in tensors.values()) <= most
        if most == 100:
            assert taken is not None
            assert taken.given.past.shape[1] < 8
    assert list(sizes.values()) == [proof.MOST_WINDOWS, *sorted(list(sizes.values())[1:], reverse=True)]
    assert list(sizes.values())[-2:] == [1, 0]


def _all(value: float, given: Given) -> Any:
    return np.full((len(given.past), 3), value)


def test_numbers_that_are_not_finite_are_off(forecaster: tuple[Path, TrainedModel], tmp_path: Path) -> None:
    _, model = forecaster
    question = verification.ask(model, opened(frame(), tmp_path), 5, LIMIT)
    for odd in (np.nan, np.inf):
        found = verification.compared("odd", question, partial(_all, odd))
        assert not found.ok


def test_the_limit_grows_with_outputs_beyond_one(forecaster: tuple[Path, TrainedModel], tmp_path: Path) -> None:
    _, model = forecaster
    question = verification.ask(model, opened(frame(), tmp_path), 5, LIMIT)
    small, large = (replace(question, truth=np.full_like(question.truth, size)) for size in (0.5, -300.0))
    assert verification.numpy_float32(small).limit == LIMIT
    assert verification.numpy_float32(large).limit == pytest.approx(300 * LIMIT)


def test_the_place_of_the_largest_error_is_told(forecaster: tuple[Path, TrainedModel], tmp_path: Path) -> None:
    _, model = forecaster
    question = verification.ask(model, opened(frame(), tmp_path), 1000, LIMIT)
    row = 25  # windows end at rows from the eighth on, where the horizon follows
    panel = question.panel
    assert row < len(question.origins)

    moved = replace(question, truth=question.truth.copy())
    moved.truth[row, 1] += 1
    found = verification.numpy_float32(moved)
    series = int(np.searchsorted(panel.offsets, question.origins[row] - 1, side="right")) - 1
    number = int(question.origins[row] - panel.offsets[series])
    assert found.where == f"series {panel.ids[series][0]}, row {number}, output 2"
    assert found.error == pytest.approx(1)


def test_every_comparison_takes_a_question(forecaster: tuple[Path, TrainedModel], tmp_path: Path) -> None:
    _, model = forecaster
    question: Question = verification.ask(model, opened(frame(), tmp_path), 2, LIMIT)
    assert [compare(question).name for compare in COMPARISONS] == NAMES


def test_data_without_a_window_is_refused(
    forecaster: tuple[Path, TrainedModel], tmp_path: Path, invoke: Invoke
) -> None:
    folder, _ = forecaster
    frame().groupby("id").head(3).to_csv(tmp_path / "short.csv", index=False)
    result = invoke("verify", folder / "run", "--data", "short.csv")
    assert result.code == 3
    assert "no window" in result.err


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e999", "x", "", "1_0", "0x1"])
def test_a_tolerance_is_a_number_from_zero_on(text: str, forecaster: tuple[Path, TrainedModel], invoke: Invoke) -> None:
    result = invoke("verify", forecaster[0] / "run", f"--tol={text}")
    assert result.code == 2
    assert result.out == ""


@pytest.mark.parametrize("count", ["0", "-3", "1.5", "x"])
def test_windows_are_counted_from_one(count: str, forecaster: tuple[Path, TrainedModel], invoke: Invoke) -> None:
    assert invoke("verify", forecaster[0] / "run", f"--windows={count}").code == 2


def test_a_table_for_people_is_narrow(forecaster: tuple[Path, TrainedModel], invoke: Invoke) -> None:
    folder, _ = forecaster
    result = invoke("verify", folder / "run", "--data", folder / "d.csv", "--format", "table")
    assert result.code == 0
    assert all(len(line.rstrip()) <= 80 for line in result.out.splitlines())
    assert "yes" in result.out
