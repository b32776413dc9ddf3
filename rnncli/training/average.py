"""Means of the weights along the way of training, which lie nearer to the middle of a valley than its newest point.

``ema`` moves a little towards the weights after every update (Polyak and Juditsky 1992); ``last_3`` is the mean of the
weights at the end of the newest three epochs (Izmailov et al. 2018).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from rnncli.model.ensemble import AnyNetwork

Weights = dict[str, Tensor]  # a state_dict, copied

_DECAY = 0.998  # the share of the mean that an update leaves as it was, once there were many


def copy_weights(network: AnyNetwork) -> Weights:
    """The network's state_dict as it is now."""
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


@torch.no_grad()
def follow_update(kind: str, trail: list[Weights], network: AnyNetwork, updates: int) -> None:
    """Move the mean of ``ema`` towards the weights after so many updates; at first it forgets quickly."""
    if kind != "ema":
        return
    if not trail:
        trail.append(copy_weights(network))
        return
    share = max(1 - _DECAY, 9 / (9 + updates))
    for name, tensor in network.state_dict().items():
        trail[0][name].lerp_(tensor, share)


def follow_epoch(kind: str, trail: list[Weights], network: AnyNetwork) -> None:
    """Keep the weights of ``last_k`` at the end of an epoch."""
    if kind.startswith("last_"):
        trail.append(copy_weights(network))
        del trail[: -int(kind.removeprefix("last_"))]


def averaged(trail: list[Weights], network: AnyNetwork) -> AnyNetwork:
    """A copy of the network with the mean weights; the network itself where there is no mean."""
    if not trail:
        return network
    found = copy.deepcopy(network)
    found.load_state_dict({name: torch.stack([one[name] for one in trail]).mean(0) for name in trail[0]})
    return found
