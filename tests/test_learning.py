"""Networks learn what theory says can be learned, through the real CLI."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

PHI = 0.9
HORIZON = 12


def write_autoregression(path: Path, rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = np.zeros(rows)
    for t in range(1, rows):
        values[t] = PHI * values[t - 1] + random.normal()
    lines = "\n".join(f"{t},{value:.6f}" for t, value in enumerate(values))
    path.write_text(f"t,y\n{lines}\n")


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_forecast_of_an_autoregression_is_as_good_as_theory_allows(cell: str, cli, tmp_path: Path) -> None:
    """y_t = phi y_(t-1) + e_t: the best forecast of step k errs by (1 - phi^2k) / (1 - phi^2), var(e) = 1."""
    write_autoregression(tmp_path / "ar.csv", 8000, seed=1)
    (tmp_path / "c.yaml").write_text(
        f"""
        data: {{path: ar.csv, time: t, target: y}}
        split: {{test: 0.3}}
        task: {{kind: forecasting, horizon: {HORIZON}}}
        window: {{context: 16}}
        model: {{cell: {cell}, hidden_size: 16}}
        training: {{epochs: 12, batch_size: 64, loss: mse, learning_rate: 0.005}}
        """
    )
    trained = cli("train", "c.yaml", "--out", "run")
    assert trained.returncode == 0, trained.stderr
    result = json.loads(cli("evaluate", "run", "--by", "step", "--json").stdout)
    errors = np.array([row["mse"] for row in result["by_step"]])
    steps = np.arange(1, HORIZON + 1)
    theory = (1 - PHI ** (2 * steps)) / (1 - PHI**2)
    assert errors[0] == pytest.approx(1.0, rel=0.1)
    assert errors == pytest.approx(theory, rel=0.2)
    assert (np.diff(errors[:6]) > 0).all()


def test_newest_value_reaches_the_first_step(cli, tmp_path: Path) -> None:
    """A forecast of white noise plus a jump in the very last row follows the jump."""
    write_autoregression(tmp_path / "ar.csv", 3000, seed=2)
    (tmp_path / "c.yaml").write_text(
        """
        data: {path: ar.csv, time: t, target: y}
        task: {kind: forecasting, horizon: 3}
        window: {context: 8, normalise: none}
        model: {cell: gru, hidden_size: 16, bidirectional: true}
        training: {epochs: 12, batch_size: 64, loss: mse, learning_rate: 0.005}
        """
    )
    assert cli("train", "c.yaml", "--out", "run").returncode == 0
    rows = (tmp_path / "ar.csv").read_text().splitlines()
    forecasts = []
    for newest in (-3.0, 3.0):
        changed = "\n".join([*rows[:-1], f"{rows[-1].partition(',')[0]},{newest}"]) + "\n"
        printed = cli("predict", "run", "--data", "-", input=changed).stdout.splitlines()
        forecasts.append([float(line.split(",")[2]) for line in printed[1:]])
    rise = np.subtract(forecasts[1], forecasts[0])
    assert rise == pytest.approx(6 * PHI ** np.arange(1, 4), rel=0.2)
