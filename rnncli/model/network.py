"""The whole network: inputs -> backbone -> readout -> head."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from rnncli.config import schema
from rnncli.model.backbone import Backbone
from rnncli.model.cells import State
from rnncli.model.inputs import Inputs
from rnncli.model.sizes import Sizes


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


class Ahead(nn.Module):
    """What is known of each step ahead, read together with the state: the same small network for every step.

    Its last layer starts at zero, so that training begins without it.
    """

    def __init__(self, features: int, width: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.state = nn.Linear(features, hidden)
        self.known = nn.Linear(width, hidden, bias=False)
        self.out = nn.Linear(hidden, outputs)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, features: Tensor, known: Tensor) -> Tensor:
        """(batch, features) and (batch, horizon, width) to (batch, horizon, outputs)."""
        result: Tensor = self.out(torch.relu(self.state(features)[:, None] + self.known(known)))
        return result


class Network(nn.Module):
    """Windows in, one vector of outputs a window, or a step.

    A linear head reads the recurrent state at the newest step, so every horizon step sees the last observed value.
    With window normalisation the head also reads the level that was taken off, which the state does not know; its
    weight starts at zero, and the level is put back onto the output. Values of the series stand beside every step.

    Args:
        settings: the config's model section.
        sizes: what goes in and comes out.
    """

    def __init__(self, settings: schema.Model, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.inputs = Inputs(sizes)
        self.backbone = Backbone(
            settings.cell,
            sizes.width(sizes.past + sizes.static),
            settings.hidden_size,
            settings.num_layers,
            nonlinearity=settings.nonlinearity,
            bias=settings.bias,
            bidirectional=settings.bidirectional,
            dropout=settings.dropout,
        )
        self.readout, parts = READOUTS[settings.readout]
        features = parts * len(self.backbone.directions) * settings.hidden_size
        self.head = nn.Linear(features, sizes.outputs)
        self.level = nn.Linear(sizes.levels, sizes.outputs, bias=False) if sizes.levels else None
        if self.level is not None:
            nn.init.zeros_(self.level.weight)
        self.ahead = None
        if sizes.ahead:
            width, a_step = sizes.width(sizes.ahead), sizes.outputs // sizes.steps
            self.ahead = Ahead(features, width, settings.hidden_size, a_step)

    def forward(
        self,
        past: Tensor,
        lengths: Tensor | None = None,
        level: Tensor | None = None,
        generator: torch.Generator | None = None,
        *,
        static: Tensor | None = None,
        ahead: Tensor | None = None,
    ) -> Tensor:
        """Run the network.

        Args:
            past: (batch, time, past columns), padded on the right.
            lengths: (batch,) valid steps; None if all are.
            level: (batch, levels) what normalisation took off.
            generator: source of the dropout masks; without one there is no dropout.
            static: (batch, static columns), needed if there are any.
            ahead: (batch, horizon, columns known ahead), needed if there are any.

        Returns:
            (batch, outputs), or (batch, time, outputs) if every step is answered.
        """
        x = self.inputs("past", past)
        if static is not None and self.sizes.static:
            x = torch.cat([x, self.inputs("static", static)[:, None].expand(-1, x.shape[1], -1)], dim=2)
        output, final = self.backbone(x, lengths, generator=generator)
        if self.sizes.every:
            every: Tensor = self.head(output)
            return every
        features = self.readout(output, final, lengths, len(self.backbone.directions))
        result: Tensor = self.head(features)
        if self.level is not None and level is not None:
            result = result + self.level(level)
        if self.ahead is not None and ahead is not None:
            result = result + self.ahead(features, self.inputs("ahead", ahead)).flatten(1)
        return result
