"""The same training with NeuralForecast: windows_batch_size windows a step, the last column by all columns' past."""

import argparse

import pandas as pd
import torch
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import MAE
from neuralforecast.models import GRU, LSTM, RNN


def main():
    """Train for as many steps as the epochs have."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("cell")
    for name in ("hidden", "batch", "context", "horizon", "epochs", "threads"):
        parser.add_argument(f"--{name}", type=int)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    table = pd.read_csv(given.data, parse_dates=["date"]).rename(columns={"date": "ds", "OT": "y"})
    table["unique_id"] = "one"
    inputs = [name for name in table.columns if name not in ("ds", "y", "unique_id")]
    steps = -(-(len(table) - given.context - given.horizon + 1) // given.batch)
    model = {"rnn": RNN, "lstm": LSTM, "gru": GRU}[given.cell](
        h=given.horizon,
        input_size=given.context,
        encoder_n_layers=1,
        encoder_hidden_size=given.hidden,
        decoder_layers=1,
        decoder_hidden_size=given.hidden,
        hist_exog_list=inputs,
        loss=MAE(),
        max_steps=given.epochs * steps,
        windows_batch_size=given.batch,
        batch_size=1,
        scaler_type="standard",
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
    )
    NeuralForecast(models=[model], freq="h").fit(table)


if __name__ == "__main__":
    main()
