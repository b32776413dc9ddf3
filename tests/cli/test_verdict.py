"""The sentence below the scores: it never says more than the scores do."""

from __future__ import annotations

from typing import Any

import pytest

from rnncli import console
from rnncli.cli.results import metrics_sheets
from rnncli.evaluation.verdict import verdict


def result(skill: float | None, answers: int = 50, **scores: float | None) -> dict[str, Any]:
    """Metrics of a forecast with the baselines' `scores`, as they stand in metrics.json."""
    return {
        "task": "forecasting",
        "validation": {},
        "test": {"mae": 1.0},
        "baselines": {name: {"mae": value} for name, value in scores.items()},
        "skill": {"mae": skill},
        "answers": {"test": answers},
    }


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (result(0.5, naive=2.0, mean=3.0), "beats the best baseline, naive, on the test part: 50% less error (mae)."),
        (result(-1.0, naive=0.5, mean=3.0), "does NOT beat naive on the test part (mae): use naive"),
        (result(0.5, naive=None, mean=2.0), "beats the best baseline, mean"),
        (result(None, naive=0.0, mean=2.0), "does NOT beat naive on the test part (mae): naive is never wrong there."),
        (result(0.5, 1, naive=2.0), "50% less error (mae); that of 1 answer says little."),
        (result(0.5, 9, naive=2.0), "50% less error (mae); that of 9 answers says little."),
        (result(-0.5, 1, naive=0.5), "change the model."),
        (result(0.5, naive=2.0) | {"network_share": 0.0}, "\nThe linear map answers alone:"),
        (
            result(0.5, naive=2.0) | {"network_share": 0.7},
            "\nThe network has 70% of the answer, the linear map the rest.",
        ),
    ],
)
def test_what_the_model_is_worth(found, sentence):
    assert sentence in verdict(found)


def test_nothing_is_said_where_nothing_was_compared():
    assert verdict({**result(0.5), "skill": {}}) == ""


def test_a_table_of_small_gains_fits_into_80_columns(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(console.settings, "format", "table")
    names = ("mae", "rmse", "mase", "smape", "scaled_mse", "scaled_mae")
    found = result(0.5) | {
        "test": dict.fromkeys(names, 0.91234),
        "baselines": {"seasonal_naive": dict.fromkeys(names, 0.9)},
        "skill": dict.fromkeys(names, -0.00073961),
    }
    console.emit_document({}, metrics_sheets(found))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["scores", "test", "seasonal_naive", "skill"]
    assert max(map(len, lines)) <= 80
