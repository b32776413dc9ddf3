"""The same training with Ludwig, but of the last column by its own past alone: an encoder of it reads one column."""

import contextlib
import logging
import sys
import tempfile
from importlib.machinery import ModuleSpec
from unittest import mock

import pandas as pd
from torch import library

# Ludwig imports torchvision and torchaudio, whose wheels for CUDA fail beside a torch for CPUs: the one for want of two
# operators, the other as it cannot be loaded. No run here calls either.
operators = library.Library("torchvision", "FRAGMENT")
for name in ("nms", "qnms"):
    operators.define(f"{name}(Tensor boxes, Tensor scores, float iou_threshold) -> Tensor")
sys.modules["torchaudio"] = mock.MagicMock(__version__="2.11.0", __spec__=ModuleSpec("torchaudio", None))

from ludwig.api import LudwigModel  # noqa: E402

from given import given  # noqa: E402


def main():
    """Train for some epochs."""
    run = given()
    table = pd.read_csv(run.data)[["OT"]]
    table["ahead"] = table["OT"]
    config = {
        "input_features": [
            {
                "name": "OT",
                "type": "timeseries",
                "preprocessing": {"window_size": run.context},
                "encoder": {
                    "type": "rnn",
                    "cell_type": run.cell,
                    "num_layers": 1,
                    "state_size": run.hidden,
                    "bidirectional": False,
                    "reduce_output": "last",
                    "num_fc_layers": 0,
                },
            }
        ],
        "output_features": [{"name": "ahead", "type": "timeseries", "preprocessing": {"horizon": run.horizon}}],
        "combiner": {"type": "concat", "num_fc_layers": 0},
        "preprocessing": {"split": {"type": "random", "probabilities": [1.0, 0.0, 0.0]}},
        "trainer": {"epochs": run.epochs, "batch_size": run.batch, "early_stop": -1, "learning_rate": 0.001},
        "backend": {"type": "local"},
    }
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # it locks files where it is called
        LudwigModel(config, logging_level=logging.ERROR).train(
            dataset=table,
            output_directory=folder,
            skip_save_training_description=True,
            skip_save_training_statistics=True,
            skip_save_model=True,
            skip_save_progress=True,
            skip_save_log=True,
            skip_save_processed_input=True,
        )


if __name__ == "__main__":
    main()
