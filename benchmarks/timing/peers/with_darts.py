"""The same training with Darts: the last column, by its own past and that of the other columns."""

import numpy as np
import pandas as pd
import torch
from darts import TimeSeries
from darts.dataprocessing.transformers import Scaler
from darts.models import BlockRNNModel
from sklearn.preprocessing import StandardScaler

from given import given


def main():
    """Train for some epochs."""
    run = given()
    table = pd.read_csv(run.data, parse_dates=["date"])
    inputs = [name for name in table.columns if name not in ("date", "OT")]
    target, past = (
        Scaler(StandardScaler()).fit_transform(TimeSeries.from_dataframe(table, "date", columns).astype(np.float32))
        for columns in (["OT"], inputs)
    )
    model = BlockRNNModel(
        input_chunk_length=run.context,
        output_chunk_length=run.horizon,
        model=run.cell.upper(),
        hidden_dim=run.hidden,
        n_rnn_layers=1,
        batch_size=run.batch,
        n_epochs=run.epochs,
        loss_fn=torch.nn.L1Loss(),
        optimizer_kwargs={"lr": 1e-3},
        pl_trainer_kwargs={"accelerator": "cpu", "logger": False, "enable_checkpointing": False,
                           "enable_progress_bar": False},
    )  # fmt: skip
    model.fit(target, past_covariates=past)


if __name__ == "__main__":
    main()
