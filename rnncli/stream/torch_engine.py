"""The recurrence stepped by torch.nn: for comparison, and for who asks for it; rows then agree but for rounding."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from rnncli.model.backbone import Backbone
from rnncli.model.portable import Portable
from rnncli.stream.engines import Array, Recurrence


def torch_recurrence(network: Portable) -> Recurrence:
    """The recurrence of a network on torch's own kernels."""
    settings, weights = network.settings, network.recurrent
    backbone = Backbone(
        settings.cell,
        weights["weight_ih_l0"].shape[1],
        settings.hidden_size,
        settings.num_layers,
        nonlinearity=settings.nonlinearity,
        bias=settings.bias,
    )
    backbone.engine = "torch"
    backbone.load_state_dict({name: torch.from_numpy(np.array(part)) for name, part in weights.items()})

    def run(x: Array, lengths: NDArray[np.int64], state: Array) -> tuple[Array, Array]:
        start = tuple(torch.from_numpy(np.array(part)) for part in state.transpose(1, 2, 0, 3))
        with torch.inference_mode():
            output, final = backbone(torch.from_numpy(x), torch.from_numpy(lengths), start)
        return output.numpy(), np.stack([part.numpy() for part in final]).transpose(2, 0, 1, 3).copy()

    return run
