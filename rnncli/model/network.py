"""The whole network: inputs -> backbone -> readout -> head."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from rnncli.config import schema
from rnncli.model.backbone import Backbone
from rnncli.model.cells import State


def read_last(output: Tensor, final: State, lengths: Tensor | None, directions: int) -> Tensor:
    """The newest state of the top layer: forward at the last valid step, joined to backward at the first."""
    return torch.cat(list(final[0][-directions:]), dim=1)


def read_mean(output: Tensor, final: State, lengths: Tensor | None, directions: int) -> Tensor:
    """Mean of the outputs over the valid steps."""
    return output.mean(1) if lengths is None else output.sum(1) / lengths[:, None]


def read_max(output: Tensor, final: State, lengths: Tensor | None, directions: int) -> Tensor:
    """Maximum of the outputs over the valid steps."""
    if lengths is not None:
        padding = torch.arange(output.shape[1], device=output.device) >= lengths[:, None]
        output = output.masked_fill(padding[:, :, None], -torch.inf)
    return output.amax(1)


def read_mean_max(output: Tensor, final: State, lengths: Tensor | None, directions: int) -> Tensor:
    """Mean and maximum, joined."""
    parts = (read_mean(output, final, lengths, directions), read_max(output, final, lengths, directions))
    return torch.cat(parts, dim=1)


READOUTS: dict[str, tuple[Callable[[Tensor, State, Tensor | None, int], Tensor], int]] = {
    "last": (read_last, 1),
    "mean": (read_mean, 1),
    "max": (read_max, 1),
    "mean_max": (read_mean_max, 2),
}


class Network(nn.Module):
    """Windows in, one vector of outputs a window.

    A linear head reads the recurrent state at the newest step, so every horizon step sees the last observed value.
    With window normalisation the head also reads the level that was taken off, which the state does not know; its
    weight starts at zero, and the level is put back onto the output.

    Args:
        settings: the config's model section.
        inputs: input columns.
        outputs: numbers a step of the horizon.
        levels: target columns whose level the head reads; 0 without normalisation.
    """

    def __init__(self, settings: schema.Model, inputs: int, outputs: int, levels: int = 0) -> None:
        super().__init__()
        self.backbone = Backbone(
            settings.cell,
            inputs,
            settings.hidden_size,
            settings.num_layers,
            nonlinearity=settings.nonlinearity,
            bias=settings.bias,
            bidirectional=settings.bidirectional,
            dropout=settings.dropout,
        )
        self.readout, parts = READOUTS[settings.readout]
        directions = len(self.backbone.directions)
        self.head = nn.Linear(parts * directions * settings.hidden_size, outputs)
        self.level = nn.Linear(levels, outputs, bias=False) if levels else None
        if self.level is not None:
            nn.init.zeros_(self.level.weight)

    def forward(
        self,
        past: Tensor,
        lengths: Tensor | None = None,
        level: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Run the network.

        Args:
            past: (batch, time, inputs), padded on the right.
            lengths: (batch,) valid steps; None if all are.
            level: (batch, levels) what normalisation took off.
            generator: source of the dropout masks; without one there is no dropout.

        Returns:
            (batch, outputs).
        """
        output, final = self.backbone(past, lengths, generator=generator)
        features = self.readout(output, final, lengths, len(self.backbone.directions))
        result: Tensor = self.head(features)
        return result if self.level is None or level is None else result + self.level(level)
