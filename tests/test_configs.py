"""Every shipped config trains through the real CLI and is worth having."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rnncli.config.load import load

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"), key=lambda path: path.name)

# metric -> what the test part must reach; every forecast must beat both baselines besides
MUST_REACH = {
    "air_passengers": {"mae": 22.0},
    "classification": {"accuracy": 0.95},
    "co2": {"mae": 0.8},
    "lesson_carry_lstm": {"mae": 19.0},
    "lesson_rnn": {"mae": 18.0},
    "long_horizon": {"mae": 2.6},
    "panel": {"mase": 0.5},
    "regression": {"mae": 2.9},
    "streaming": {"mae": 17.0},
    "sunspots": {"mae": 17.0},
    "tagging": {"cross_entropy": 0.95},
}


def test_every_config_has_its_line() -> None:
    assert [path.stem for path in CONFIGS] == sorted(MUST_REACH)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_first_line_is_the_command(path: Path) -> None:
    assert path.read_text().splitlines()[0] == f"# rnncli train configs/{path.name}"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_config_trains_and_beats_the_baselines(path: Path, cli, tmp_path: Path) -> None:
    """Already with one network, where the recipe takes the mean of several."""
    done = cli("train", path, "training.seeds=1", "--out", tmp_path / "run", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    for metric, limit in MUST_REACH[path.stem].items():
        value = result["test"][metric]
        assert value >= limit if metric == "accuracy" else value <= limit
        assert result["skill"][metric] > 0
    for scores in result["baselines"].values():
        if "mae" in scores:
            assert result["test"]["mae"] < scores["mae"]


def test_lesson_configs_use_no_trick() -> None:
    for name in ("lesson_rnn", "lesson_carry_lstm"):
        config = load(str(ROOT / "configs" / f"{name}.yaml"))
        assert config.window.normalise == "none"
        assert config.window.transform == "none"
        assert config.model.readout == "last"
        assert (config.training.schedule, config.training.weight_decay) == ("constant", 0.0)
