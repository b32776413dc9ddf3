"""How much a model's answers owe to each input, and how much each input varies, on data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from rnncli.data.panel import Columns, Rows
from rnncli.data.windows import Batch
from rnncli.inspection.tensors import Array
from rnncli.model.ensemble import members_of
from rnncli.predict import Given
from rnncli.tasks.answers import run
from rnncli.trained import TrainedModel

MOST_WINDOWS = 256


def sample(given: Given) -> Batch:
    """At most 256 windows, spread evenly over the rows; whole ones, but of series that have less than that."""
    panel, context = given.panel, given.shape.context
    found = [
        np.arange(min(int(begin) + context, int(end)), int(end) + 1)
        for begin, end in zip(panel.offsets[:-1], panel.ends, strict=True)
    ]
    origins: Rows = np.concatenate(found)
    chosen = origins[np.unique(np.linspace(0, len(origins) - 1, MOST_WINDOWS).astype(int))]
    return given.windows(chosen).batch(np.arange(len(chosen)))


def spreads(model: TrainedModel, batch: Batch) -> dict[str, float]:
    """Standard deviation of every input as the network reads it; of a category, of its vector."""
    names = (*_past(model), *model.columns.static)
    found = dict.fromkeys(names, 0.0)
    networks = members_of(model.network)
    with torch.inference_mode():
        for network in networks:
            parts = (("past", _past(model), batch.past[_valid(batch)]), ("static", model.columns.static, batch.static))
            for part, columns, read in parts:
                widths = [network.sizes.width([name]) for name in columns]
                values = network.inputs(part, read).double()
                powers = (values - values.mean(0)).square().mean(0)
                for name, power in zip(columns, powers.split(widths), strict=True):
                    found[name] += float(power.sum()) / len(networks)
    return {name: power**0.5 for name, power in found.items()}


def reliance(model: TrainedModel, batch: Batch) -> dict[str, float | None]:
    """How far answers move if the values of an input are shuffled among all windows and steps, the others kept.

    The root mean square of the change over that of the answers about their mean: 0 for an input that is not used; 1
    if the answers move as far as they differ among themselves. It is the permutation importance of Breiman (2001) of
    the answer itself, as no truth is needed. What normalisation takes off a window is kept. None if all answers are
    the same.
    """
    order = np.random.default_rng(0)
    answer = _answers(model, batch)
    spread = float(np.sqrt(np.mean((answer - answer.mean(0)) ** 2)))
    found: dict[str, float | None] = {}
    for part, names in (("past", _past(model)), ("static", model.columns.static)):
        for position, name in enumerate(names):
            moved = _answers(model, _shuffled(batch, part, position, name, model.columns, order))
            change = float(np.sqrt(np.mean((moved - answer) ** 2)))
            found[name] = change / spread if spread > 0 else None
    return found


def _past(model: TrainedModel) -> tuple[str, ...]:
    return model.task.sizes().past


def _answers(model: TrainedModel, batch: Batch) -> Array:
    """(windows or valid steps, …) the task's answers, still scaled; logits of labels."""
    with torch.inference_mode():
        answer: Tensor = model.task.answer(run(model.network, batch), batch)
    return np.asarray((answer[_valid(batch)] if model.task.every else answer).double().cpu().numpy())


def _valid(batch: Batch) -> Tensor:
    """(windows, steps) whether a step is none of the padding."""
    steps = torch.arange(batch.past.shape[1], device=batch.past.device)
    lengths = torch.full_like(steps[:1], len(steps)) if batch.lengths is None else batch.lengths
    return (steps < lengths[:, None]).expand(len(batch.past), -1)


def _shuffled(batch: Batch, part: str, position: int, name: str, columns: Columns, order: np.random.Generator) -> Batch:
    """The batch with one input out of order; what is known of it ahead too."""
    if part == "static":
        static = batch.static.clone()
        static[:, position] = _permuted(static[:, position], order)
        return replace(batch, static=static)
    past, valid = batch.past.clone(), _valid(batch)
    column = past[:, :, position]
    column[valid] = _permuted(column[valid], order)
    ahead = batch.ahead
    if name in columns.known_ahead and ahead.numel():
        ahead, place = ahead.clone(), columns.known_ahead.index(name)
        ahead[:, :, place] = _permuted(ahead[:, :, place].flatten(), order).view(ahead.shape[:2])
    return replace(batch, past=past, ahead=ahead)


def _permuted(values: Tensor, order: np.random.Generator) -> Tensor:
    return values[torch.from_numpy(order.permutation(len(values))).to(values.device)]
