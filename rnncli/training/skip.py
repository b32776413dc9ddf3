"""The closed-form linear map of ``model.skip: linear``."""

from __future__ import annotations

import numpy as np
import torch

from rnncli.data.windows import Windows
from rnncli.model.ensemble import AnyNetwork, members_of
from rnncli.model.pieces import newest

PENALTY = 0.05  # on each weight, a window, in scaled units
CHUNK = 1024


def fit_skip(network: AnyNetwork, windows: Windows) -> None:
    """Put W = (A'A + p N I)^-1 A'Y (Hoerl and Kennard 1970) into a path around the recurrence that is in closed form.

    A holds the training windows' targets less their level, Y what follows likewise, one row a window and target;
    rows with an unknown target are passed over.
    """
    closed = [member.skip for member in members_of(network) if member.settings.skip == "linear"]
    if not closed or closed[0] is None or not len(windows):
        return
    steps, context = closed[0].weight.shape
    squares = torch.zeros(context, context, dtype=torch.float64)
    products = torch.zeros(context, steps, dtype=torch.float64)
    count = 0
    for start in range(0, len(windows), CHUNK):
        batch = windows.batch(np.arange(start, min(start + CHUNK, len(windows))))
        targets = batch.level.shape[1]
        inputs = newest(batch.past[:, :, :targets], batch.lengths, context).transpose(1, 2).flatten(0, 1)
        wanted = ((batch.target - batch.level[:, None]) / batch.spread[:, None]).transpose(1, 2).flatten(0, 1)
        known = batch.target_mask.transpose(1, 2).flatten(0, 1).all(1)
        a, y = inputs[known].cpu(), wanted[known].cpu()
        squares += (a.T @ a).double()
        products += (a.T @ y).double()
        count += len(a)
    weight = torch.linalg.solve(squares + PENALTY * count * torch.eye(context, dtype=torch.float64), products)
    for skip in closed:
        assert skip is not None
        skip.weight.copy_(weight.T)
