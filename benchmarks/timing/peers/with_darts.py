"""The same training with Darts: the last column, by its own past and that of the other columns."""

import argparse

import numpy as np
import pandas as pd
import torch
from darts import TimeSeries
from darts.dataprocessing.transformers import Scaler
from darts.models import BlockRNNModel
from sklearn.preprocessing import StandardScaler


def main():
    """Train for some epochs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("cell")
    for name in ("hidden", "batch", "context", "horizon", "epochs", "threads"):
        parser.add_argument(f"--{name}", type=int)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    table = pd.read_csv(given.data, parse_dates=["date"])
    inputs = [name for name in table.columns if name not in ("date", "OT")]
    target, past = (
        Scaler(StandardScaler()).fit_transform(TimeSeries.from_dataframe(table, "date", columns).astype(np.float32))
        for columns in (["OT"], inputs)
    )
    model = BlockRNNModel(
        input_chunk_length=given.context,
        output_chunk_length=given.horizon,
        model=given.cell.upper(),
        hidden_dim=given.hidden,
        n_rnn_layers=1,
        batch_size=given.batch,
        n_epochs=given.epochs,
        loss_fn=torch.nn.L1Loss(),
        optimizer_kwargs={"lr": 1e-3},
        pl_trainer_kwargs={"accelerator": "cpu", "logger": False, "enable_checkpointing": False,
                           "enable_progress_bar": False},
    )  # fmt: skip
    model.fit(target, past_covariates=past)


if __name__ == "__main__":
    main()
