"""Windows answered row by row: what a stream computes, for comparison with what computes them whole."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnncli.stream.model import StreamModel, carries
from rnncli.stream.networks import Carried, Windowed
from rnncli.stream.series import Series


def in_steps(
    model: StreamModel, past: NDArray[Any], lengths: NDArray[Any], level: Any, static: Any, ahead: Any
) -> NDArray[Any]:
    """Outputs (windows, outputs) of the arguments of ``Network.forward``; (windows, time, outputs) of a tagger."""
    if not carries(model.config):
        return _whole(model, past, lengths, level, static, ahead)
    network = Carried(model, "auto")
    sizes = network.networks[0].sizes
    series = Series(model, network.memory, [])
    for window in range(len(past)):
        series.add((str(window),))
    found = np.zeros((*past.shape[:2], sizes.outputs), np.float32)
    for step in range(past.shape[1]):
        active = np.flatnonzero(lengths > step)
        found[active, step], *_ = network.outputs(
            series,
            active,
            past[active, step].astype(np.float32),
            static[active].astype(np.float32) if sizes.static else None,
            ahead[active].astype(np.float32) if sizes.ahead else None,
        )
    return found if sizes.every else found[np.arange(len(past)), lengths - 1]


def _whole(
    model: StreamModel, past: NDArray[Any], lengths: NDArray[Any], level: Any, static: Any, ahead: Any
) -> NDArray[Any]:
    context = model.config.window.context
    assert isinstance(context, int)
    networks = Windowed(model, "auto", context).networks
    found: NDArray[Any] = np.mean(
        [network.forward(past, lengths, level, static, ahead) for network in networks], axis=0
    )
    return found
