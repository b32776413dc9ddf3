"""The closed-form linear map of ``model.skip: linear``, and how much of the answer is the network's beside it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rnncli.data.windows import Batch, Windows
from rnncli.model.ensemble import AnyNetwork, members_of
from rnncli.model.network import Network
from rnncli.model.pieces import newest
from rnncli.tasks.answers import run
from rnncli.tasks.task import Task

# on each weight, a window, in scaled units; the last one leaves next to nothing of the map
PENALTIES = (0.05, 0.15, 0.5, 1.5, 5.0, 15.0, 50.0, 500.0, 5e6)
USUAL = 0.5
REACHES = (1.0, 0.75, 0.6, 0.5, 0.375, 0.25)  # parts of the context that a map may read, the newest
SHARES = tuple(tenth / 10 for tenth in range(11))  # the network's; the map has the rest
USUAL_SHARE = 0.5
TIE = 0.01  # share of a validation loss that may be chance
CHUNK = 1024


@dataclass(frozen=True)
class Blend:
    """s f(x) + (1 - s) W x: a network and a map, each made as if it were alone (Bates and Granger 1969).

    The two err in different places. A network that learns what the map leaves over errs where the map does.

    Attributes:
        map: a network of which the path around is asked, and nothing else.
    """

    map: Network

    def outputs(self, network: AnyNetwork, batch: Batch) -> Tensor:
        """(shares, batch, outputs) of the blend with each of the shares."""
        shares = batch.past.new_tensor(SHARES)[:, None, None]
        return shares * run(network, batch) + (1 - shares) * self.map.around(batch.past, batch.lengths)

    @torch.no_grad()
    def network(self, network: AnyNetwork, share: float) -> AnyNetwork:
        """A copy of the network that answers with the blend: the shares are in its last weights, and in the map's."""
        found = copy.deepcopy(network)
        for member in members_of(found):
            for weight in member.last_weights():
                weight.mul_(share)
            member.get_buffer("skip.weight").copy_((1 - share) * self.map.get_buffer("skip.weight"))
        return found


def pick_share(losses: Tensor | None) -> float:
    """The smallest share of the network that is as good as the best but for a hundredth.

    Args:
        losses: (shares,) on the validation part; None if there is none.
    """
    return USUAL_SHARE if losses is None else SHARES[_first_of_the_best(losses)]


def find_blend(network: AnyNetwork, task: Task, train: Windows, validation: Windows | None) -> Blend | None:
    """The map that goes around a network, and no longer does: the network is trained without it."""
    if not fit_skip(network, task, train, validation):
        return None
    blend = Blend(copy.deepcopy(members_of(network)[0]))
    for member in members_of(network):
        member.get_buffer("skip.weight").zero_()
    return blend


def fit_skip(network: AnyNetwork, task: Task, train: Windows, validation: Windows | None) -> bool:
    """Put W = (A'A + p N I)^-1 A'Y (Hoerl and Kennard 1970) into a path around the recurrence that is in closed form.

    A holds the training windows' targets less their level, Y what follows likewise, one row a window and target;
    rows with an unknown target are passed over. How far W reads into the past is chosen by the loss on the validation
    part: the recurrence makes use of a long past, a map fits its noise. The penalty p then likewise: a map that helps
    where series tend back to a level leads astray where they wander. Of those as good as the best but for a
    hundredth, the one that fits the training part best is taken, the smallest.

    Returns:
        whether there is such a map to fit.
    """
    members = [member for member in members_of(network) if member.settings.skip == "linear"]
    if not members or not len(train):
        return False
    weights = [member.get_buffer("skip.weight") for member in members]
    steps, context = weights[0].shape
    sums = _sums(train, steps, context)
    best = sums.map(context, USUAL)
    if validation is not None and len(validation):
        reaches = [max(1, round(part * context)) for part in REACHES]
        losses = _losses([sums.map(reach, PENALTIES[0]) for reach in reaches], members[0], task, validation)
        maps = [sums.map(reaches[int(losses.argmin())], penalty) for penalty in PENALTIES]
        best = maps[_first_of_the_best(_losses(maps, members[0], task, validation))]
    for weight in weights:
        weight.copy_(best)
    return True


def _losses(maps: list[Tensor], network: Network, task: Task, windows: Windows) -> Tensor:
    """(maps,) summed losses of the path around a network with each of the maps."""
    losses = torch.zeros(len(maps), dtype=torch.float64)
    for batch in _batches(windows):
        for place, found in enumerate(maps):
            network.get_buffer("skip.weight").copy_(found)
            answer = task.answer(network.around(batch.past, batch.lengths), batch)
            losses[place] += task.loss(answer, batch).double().sum().cpu()
    return losses.nan_to_num(torch.inf, torch.inf)


def _first_of_the_best(losses: Tensor) -> int:
    return int((losses <= losses.min() * (1 + TIE)).nonzero()[0])


@dataclass(frozen=True)
class _Sums:
    """A'A, A'Y and N."""

    squares: Tensor
    products: Tensor
    count: int

    def map(self, reach: int, penalty: float) -> Tensor:
        """(steps, context) the map that reads so many of the newest rows."""
        squares, products = self.squares[-reach:, -reach:], self.products[-reach:]
        ridge = penalty * max(1, self.count) * torch.eye(reach, dtype=squares.dtype)
        found = torch.zeros_like(self.products)
        try:
            found[-reach:] = torch.linalg.solve(squares + ridge, products)
        except RuntimeError:  # the penalty is nothing beside enormous numbers
            found[-reach:] = torch.linalg.lstsq(squares + ridge, products, driver="gelsd").solution
        return found.T.float()


def _sums(train: Windows, steps: int, context: int) -> _Sums:
    squares = torch.zeros(context, context, dtype=torch.float64)
    products = torch.zeros(context, steps, dtype=torch.float64)
    count = 0
    for batch in _batches(train):
        targets = batch.level.shape[1]
        inputs = newest(batch.past[:, :, :targets], batch.lengths, context).transpose(1, 2).flatten(0, 1)
        wanted = ((batch.target - batch.level[:, None]) / batch.spread[:, None]).transpose(1, 2).flatten(0, 1)
        known = batch.target_mask.transpose(1, 2).flatten(0, 1).all(1)
        a, y = inputs[known].cpu(), wanted[known].cpu()
        squares += (a.T @ a).double()
        products += (a.T @ y).double()
        count += len(a)
    return _Sums(squares, products, count)


def _batches(windows: Windows) -> Iterator[Batch]:
    for start in range(0, len(windows), CHUNK):
        yield windows.batch(np.arange(start, min(start + CHUNK, len(windows))))
