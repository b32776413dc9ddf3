"""Several networks of one kind, trained side by side from different weights, that answer with their mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rnncli.model.network import Network


class Ensemble(nn.Module):
    """Answers with the mean of its members' outputs.

    One network by itself is no ensemble: see `members_of`.
    """

    def __init__(self, members: Sequence[Network]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.settings = members[0].settings

    def forward(self, *arguments: Any, **named: Any) -> Tensor:
        """The arguments of `Network`, to its mean result."""
        return torch.stack([member(*arguments, **named) for member in self.members]).mean(0)


AnyNetwork = Network | Ensemble


def members_of(network: AnyNetwork) -> list[Network]:
    """The networks that are trained: the members of an ensemble, or the one."""
    if isinstance(network, Network):
        return [network]
    return [member for member in network.members if isinstance(member, Network)]
