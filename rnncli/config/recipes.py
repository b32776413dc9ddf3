"""What serves each kind of problem: the values of the shipped configs of these names, and why each stands there.

``init`` writes them, as far as the data allows. A test keeps table and shipped configs equal.
"""

from __future__ import annotations

from typing import Literal

RecipeName = Literal["long_horizon", "panel", "classification", "regression", "tagging"]
Value = str | int | float | bool | None

RECIPES: dict[RecipeName, dict[str, dict[str, Value]]] = {
    "long_horizon": {
        "window": {"context": 720, "level": False},
        "model": {
            "cell": "gru",
            "hidden_size": 128,
            "segment": 48,
            "decoder": "parallel",
            "skip": "linear",
            "output_dropout": 0.5,
        },
        "training": {
            "epochs": 10,
            "steps_per_epoch": 110,
            "batch_size": 256,
            "learning_rate": 0.002,
            "patience": 4,
            "seeds": 2,
        },
    },
    "panel": {
        "window": {"context": "7 seasons", "normalise": "mean_std", "level": False, "newest": 800},
        "model": {
            "cell": "lstm",
            "hidden_size": 64,
            "segment": "season",
            "skip": "seasonal",
            "recurrent_dropout": 0.3,
            "output_dropout": 0.2,
        },
        "training": {"epochs": 15, "batch_size": 256, "learning_rate": 0.003, "seeds": 3},
    },
    "classification": {
        "model": {
            "cell": "lstm",
            "hidden_size": 64,
            "bidirectional": True,
            "front_end": "conv",
            "segment": 4,
            "readout": "mean_max",
            "output_dropout": 0.4,
        },
        "training": {
            "epochs": 40,
            "steps_per_epoch": 25,
            "batch_size": 16,
            "learning_rate": 0.004,
            "input_noise": 0.1,
            "label_smoothing": 0.1,
            "seeds": 3,
            "patience": None,
        },
    },
    "regression": {
        "window": {"context": 30},
        "model": {"cell": "lstm", "hidden_size": 64, "segment": 5, "output_dropout": 0.3},
        "training": {
            "epochs": 10,
            "steps_per_epoch": 100,
            "batch_size": 64,
            "learning_rate": 0.002,
            "input_noise": 0.3,
            "seeds": 3,
        },
    },
    "tagging": {
        "window": {"context": "full"},
        "model": {"cell": "lstm", "hidden_size": 200},
        "training": {"epochs": 60, "batch_size": 8, "learning_rate": 0.005},
    },
}

# of a key in every recipe, or as "recipe: section.key" in one
REASONS: dict[str, str] = {
    "window.context": "rows of past in a window",
    "panel: window.context": "rows of past in a window: a season is seen several times",
    "long_horizon: window.context": "a long past: two years of days, a month of hours",
    "tagging: window.context": "a sequence is one window, read from its first row to its last",
    "window.normalise": "taken off each window and put back: series of any size teach each other",
    "window.level": "the level itself is not read: the next one was never seen",
    "window.newest": "of long series the newest windows are enough: the forecast follows them",
    "model.cell": "gates that remember for long",
    "long_horizon: model.cell": "as good as lstm here, with fewer weights",
    "panel: model.cell": "forecast held-out rows better than gru",
    "model.hidden_size": "features of the state: more can learn more, and takes longer",
    "regression: model.segment": "neighbouring rows are much alike: several are read at a time",
    "tagging: model.hidden_size": "large: every row has its answer to learn from",
    "model.bidirectional": "the whole sequence is there before the question is asked",
    "model.readout": "what every step said, where the last state has forgotten the first ones",
    "model.front_end": "raw points say little: convolutions turn them into shapes",
    "model.segment": "rows read at a time: hundreds of single steps would be forgotten",
    "panel: model.segment": "the recurrence reads a season at a time",
    "model.decoder": "all segments of the horizon at once, so that errors do not add up",
    "panel: model.skip": 'training begins at the forecast "as a season ago"',
    "long_horizon: model.skip": "a linear map in closed form has a share of the answer",
    "model.recurrent_dropout": "share of the state left out of its own update, against learning by heart",
    "model.output_dropout": "share dropped before the answer, against learning by heart",
    "training.epochs": "passes over the training windows",
    "long_horizon: training.epochs": "after each the held-out part is scored; the best one is kept",
    "long_horizon: training.steps_per_epoch": "counted: windows one row apart are nearly the same",
    "long_horizon: training.patience": "epochs that may bring nothing before training stops",
    "regression: training.epochs": "after each the held-out part is scored; the best one is kept",
    "regression: training.steps_per_epoch": "counted: long training learns a few sequences by heart",
    "classification: training.epochs": "after each the held-out part is scored; the best one is kept",
    "classification: training.steps_per_epoch": "counted: few sequences would be few steps",
    "training.batch_size": "windows in a step",
    "long_horizon: training.batch_size": "windows in a step: many, as they are much alike",
    "panel: training.batch_size": "windows in a step: many, of many series",
    "classification: training.batch_size": "sequences in a step: labelled ones are few",
    "tagging: training.batch_size": "windows in a step: each holds many answers",
    "training.learning_rate": "at the peak of its rise and fall",
    "training.seeds": "networks whose mean answers: they err in different places",
    "training.label_smoothing": "labels softened, against learning them by heart",
    "training.input_noise": "noise on the inputs, against learning them by heart",
    "training.patience": "never stop early: with so few held out the best epoch is luck",
}


def reason(recipe: str | None, key: str) -> str:
    """Why a key of a recipe has its value, in a few words."""
    return REASONS.get(f"{recipe}: {key}") or REASONS[key]
