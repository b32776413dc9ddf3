"""The usual script: Dataset, DataLoader, a torch.nn layer, torch.optim.Adam, loss.item() a step."""

import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from given import given


class Windows(Dataset):
    """Every window of a table, and the values of its last column that follow."""

    def __init__(self, values, context, horizon):
        self.values, self.context, self.horizon = values, context, horizon

    def __len__(self):
        return len(self.values) - self.context - self.horizon + 1

    def __getitem__(self, index):
        end = index + self.context
        return self.values[index:end], self.values[end : end + self.horizon, -1]


class Forecaster(nn.Module):
    """A recurrent layer, and a linear map from its newest output to the horizon."""

    def __init__(self, cell, inputs, hidden, horizon):
        super().__init__()
        self.layer = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell](inputs, hidden, batch_first=True)
        self.head = nn.Linear(hidden, horizon)

    def forward(self, x):
        """(batch, horizon) forecasts from (batch, time, inputs)."""
        return self.head(self.layer(x)[0][:, -1])


def main():
    """Train for some epochs."""
    run = given()
    torch.manual_seed(0)
    table = pd.read_csv(run.data).drop(columns="date")
    values = torch.tensor(((table - table.mean()) / table.std()).to_numpy(), dtype=torch.float32)
    windows = Windows(values, run.context, run.horizon)
    loader = DataLoader(windows, batch_size=run.batch, shuffle=True)
    model = Forecaster(run.cell, values.shape[1], run.hidden, run.horizon)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.L1Loss()
    for epoch in range(run.epochs):
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: {total / len(loader):.4f}")


if __name__ == "__main__":
    main()
