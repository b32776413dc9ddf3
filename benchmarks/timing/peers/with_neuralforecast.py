"""The same training with NeuralForecast: windows_batch_size windows a step, the last column by all columns' past."""

import pandas as pd
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import MAE
from neuralforecast.models import GRU, LSTM, RNN

from given import given


def main():
    """Train for as many steps as the epochs have."""
    run = given()
    table = pd.read_csv(run.data, parse_dates=["date"]).rename(columns={"date": "ds", "OT": "y"})
    table["unique_id"] = "one"
    inputs = [name for name in table.columns if name not in ("ds", "y", "unique_id")]
    steps = -(-(len(table) - run.context - run.horizon + 1) // run.batch)
    model = {"rnn": RNN, "lstm": LSTM, "gru": GRU}[run.cell](
        h=run.horizon,
        input_size=run.context,
        encoder_n_layers=1,
        encoder_hidden_size=run.hidden,
        decoder_layers=1,
        decoder_hidden_size=run.hidden,
        hist_exog_list=inputs,
        loss=MAE(),
        max_steps=run.epochs * steps,
        windows_batch_size=run.batch,
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
