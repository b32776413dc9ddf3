"""CUDA: the same commands on a GPU where there is one, a clear refusal where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from rnncli.model.backbone import Backbone
from rnncli.training.device import pick_device

HAS_CUDA = torch.cuda.is_available()
needs_cuda = pytest.mark.skipif(not HAS_CUDA, reason="no CUDA device on this machine")

CONFIG = """
data: {path: d.csv, target: y}
task: {kind: forecasting, horizon: 4}
window: {context: 24}
model: {cell: CELL, hidden_size: 16, num_layers: 2, dropout: 0.1}
training: {epochs: 3, batch_size: 64}
"""


def write_wave(folder: Path, cell: str) -> None:
    values = np.sin(np.arange(600) * 0.3) + np.random.default_rng(0).normal(size=600) * 0.1
    (folder / "d.csv").write_text("y\n" + "\n".join(f"{value:.6f}" for value in values) + "\n")
    (folder / "c.yaml").write_text(CONFIG.replace("CELL", cell))


@pytest.mark.skipif(HAS_CUDA, reason="there is a CUDA device, so it is not refused")
def test_cuda_is_refused_where_there_is_none(cli, tmp_path: Path) -> None:
    write_wave(tmp_path, "lstm")
    done = cli("train", "c.yaml", "--device", "cuda", "--out", "run")
    assert done.returncode == 5
    assert "no CUDA device" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "run").exists()


@pytest.mark.cuda
@needs_cuda
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "carry_lstm"])
def test_training_on_cuda_comes_close_to_the_cpu(cell: str, cli, tmp_path: Path) -> None:
    write_wave(tmp_path, cell)
    scores = {}
    for device in ("cpu", "cuda"):
        done = cli("train", "c.yaml", "model.dropout=0.0", "--device", device, "--out", device)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert result["device"].startswith(device)
        scores[device] = result["test"]["mae"]
    assert scores["cuda"] == pytest.approx(scores["cpu"], rel=0.02)
    carried = cli("predict", "cuda", "--device", "cpu")
    assert carried.returncode == 0
    assert len(carried.stdout.splitlines()) == 5


@pytest.mark.cuda
@needs_cuda
def test_resume_on_cuda_goes_on_with_the_same_dropout(cli, tmp_path: Path) -> None:
    write_wave(tmp_path, "gru")
    whole = cli("train", "c.yaml", "--device", "cuda", "--out", "whole")
    assert whole.returncode == 0, whole.stderr
    cut = cli("train", "c.yaml", "--device", "cuda", "--out", "cut", "--budget", "0s")
    assert cut.returncode == 0, cut.stderr
    resumed = cli("train", "--resume", "cut", "--device", "cuda")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["test"]["mae"] == pytest.approx(json.loads(whole.stdout)["test"]["mae"], rel=1e-4)


@pytest.mark.cuda
@needs_cuda
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "carry_lstm"])
@pytest.mark.parametrize("ragged", [False, True])
def test_outputs_on_cuda_equal_the_cpus(cell: str, ragged: bool) -> None:
    pick_device("cuda")  # with whole products
    torch.manual_seed(0)
    model = Backbone(cell, 3, 20, 2, bidirectional=True)
    x = torch.randn(5, 11, 3)
    lengths = torch.tensor([11, 2, 7, 1, 5]) if ragged else None
    expected, state = model(x, lengths)
    found, found_state = model.cuda()(x.cuda(), None if lengths is None else lengths.cuda())
    torch.testing.assert_close(found.cpu(), expected, atol=2e-5, rtol=1e-4)
    for ours, theirs in zip(found_state, state, strict=True):
        torch.testing.assert_close(ours.cpu(), theirs, atol=2e-5, rtol=1e-4)


@pytest.mark.cuda
@needs_cuda
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "carry_lstm"])
def test_a_model_trained_on_cuda_is_what_the_reference_computes(cell: str, cli, tmp_path: Path) -> None:
    write_wave(tmp_path, cell)
    assert cli("train", "c.yaml", "--device", "cuda", "--out", "run").returncode == 0
    done = cli("verify", "run", "--json")
    assert done.returncode == 0, done.stderr
    compared = {row["name"]: row["ok"] for row in json.loads(done.stdout)["comparisons"]}
    assert compared["cuda"] is compared["saved prediction"] is True


KEYS = {
    "plain": ("model.num_layers=2", "model.dropout=0.1"),
    "quantiles of several": ("training.seeds=2", "training.loss=quantile"),
    "parallel": ("model.segment=6", "model.decoder=parallel", "model.skip=linear", "model.output_dropout=0.2"),
    "conv": ("model.front_end=conv", "model.bidirectional=true", "model.readout=attention", "training.input_noise=0.1"),
    "bf16": ("training.precision=bf16",),
    "recurrent dropout": ("model.recurrent_dropout=0.1",),
    "forks": ("window.origins=every",),
}


@pytest.mark.cuda
@needs_cuda
@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "carry_lstm"])
def test_captured_graphs_give_the_bits_of_single_launches(cell: str, keys: str, invoke, tmp_path: Path) -> None:
    """Dropout masks too: the generator of a graph starts where that of a step stands."""
    write_wave(tmp_path, cell)
    found = []
    for engine in ("auto", "torch"):
        options = ("model.num_layers=1", "model.dropout=0", *KEYS[keys], "--device", "cuda", "--engine", engine)
        done = invoke("train", "c.yaml", *options, "--out", engine)
        assert done.code == 0, done.err
        found.append((tmp_path / engine / "history.csv").read_text())
    assert found[0] == found[1]
