"""The mean of the weights along the way of training, nearer to the middle of a valley than the newest of them.

It moves a little towards the weights after every update (Polyak and Juditsky 1992).
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
def follow(mean: Weights, network: AnyNetwork, updates: int) -> None:
    """Move the mean towards the weights after so many updates, quickly at first; an empty one becomes the weights."""
    if not mean:
        mean.update(copy_weights(network))
        return
    share = max(1 - _DECAY, 9 / (9 + updates))
    for name, tensor in network.state_dict().items():
        mean[name].lerp_(tensor, share)


def averaged(mean: Weights, network: AnyNetwork) -> AnyNetwork:
    """A copy of the network with the mean weights; the network itself where there is no mean."""
    if not mean:
        return network
    found = copy.deepcopy(network)
    found.load_state_dict(mean)
    return found
