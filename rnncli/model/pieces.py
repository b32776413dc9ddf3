"""What may stand before and after the recurrence: convolutions, segments, parallel decoding, a path around it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad

from rnncli.model.backbone import Backbone, dropout, valid_steps
from rnncli.model.cells import State

VECTOR = 8  # float32 numbers in a vector of the processor, or a divisor of that


class Wide(nn.Linear):
    """torch's linear layer, whose rows do not depend on their company to the last bit, whatever their width.

    Products treat what is left of a row after whole vectors by where it lies in memory; so rows are filled up with
    zeros.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(…, inputs) to (…, outputs)."""
        missing = -self.in_features % VECTOR
        return (
            linear(pad(x, (0, missing)), pad(self.weight, (0, missing)), self.bias) if missing else super().forward(x)
        )


class Convolutions(nn.Module):
    """Two convolutions over time, each with a norm over its filters and ReLU; the time axis keeps its length.

    Where an LSTM on raw points stays at chance, one on filters of a few points learns. Norms are over the filters of
    a step (Ba et al. 2016), so that no window sees another.

    Args:
        causal: whether a step sees itself and those before, and not as many on both sides.
    """

    taps = (9, 5)

    def __init__(self, inputs: int, filters: int, *, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        widths = (inputs, *(filters for _ in self.taps))
        self.mix = nn.ModuleList(Wide(width * taps, filters) for width, taps in zip(widths, self.taps, strict=False))
        self.norm = nn.ModuleList(nn.LayerNorm(filters) for _ in self.taps)

    def forward(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """(batch, time, inputs) to (batch, time, filters); padding stays zero."""
        valid = None if lengths is None else valid_steps(x, lengths)
        x = x if valid is None else x * valid  # values of the series stand beside every step
        for mix, norm, taps in zip(self.mix, self.norm, self.taps, strict=True):
            ahead = 0 if self.causal else taps // 2
            around = pad(x, (0, 0, taps - 1 - ahead, ahead)).unfold(1, taps, 1)  # (batch, time, inputs, taps)
            x = torch.relu(norm(mix(around.flatten(2))))
            x = x if valid is None else x * valid
        return x


class Segments(nn.Module):
    """Reads several steps at a time: each segment through one linear map and ReLU (Lin et al. 2023, SegRNN).

    The newest step ends the last segment; the first segment is filled up with repeats of the first step.
    """

    def __init__(self, inputs: int, size: int, width: int) -> None:
        super().__init__()
        self.size = size
        self.embed = Wide(inputs * size, width)

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """(batch, time, inputs) to (batch, segments, width), and the segments of each window."""
        most = -(-x.shape[1] // self.size)
        if lengths is None:
            repeats = x[:, :1].expand(-1, most * self.size - x.shape[1], -1)
            return torch.relu(self.embed(torch.cat([repeats, x], dim=1).view(len(x), most, -1))), None
        counts = (lengths + self.size - 1) // self.size
        places = torch.arange(most * self.size, device=x.device) + (lengths - counts * self.size)[:, None]
        places = torch.minimum(places.clamp(min=0), lengths[:, None] - 1)
        taken = x.gather(1, places[:, :, None].expand(-1, -1, x.shape[2]))
        embedded = torch.relu(self.embed(taken.reshape(len(x), most, -1)))
        return embedded * valid_steps(embedded, counts), counts


class ParallelDecoder(nn.Module):
    """All segments of the horizon at once: one more step of the recurrence for each, from the same final state.

    Its input is a learned vector of the segment's place, and what is known ahead of the segment. No forecast is fed
    back, so that no error accumulates (Lin et al. 2023, SegRNN).
    """

    def __init__(self, steps: int, size: int, width: int, known: int, outputs: int) -> None:
        super().__init__()
        self.steps, self.size = steps, size
        self.places = nn.Parameter(torch.randn(-(-steps // size), width) * 0.1)
        self.known = Wide(known * size, width, bias=False) if known else None
        self.out = nn.Linear(width, size * outputs)

    def forward(
        self, backbone: Backbone, final: State, ahead: Tensor | None, share: float, generator: torch.Generator | None
    ) -> Tensor:
        """(batch, steps * outputs) from the final state of `backbone`, parts (layers, batch, hidden)."""
        batch, count = final[0].shape[1], len(self.places)
        x = self.places.expand(batch, -1, -1)
        if self.known is not None and ahead is not None:
            whole = pad(ahead, (0, 0, 0, count * self.size - ahead.shape[1]))
            x = x + self.known(whole.reshape(batch, count, -1))
        state = tuple(part.repeat_interleave(count, dim=1) for part in final)
        output, _ = backbone(x.reshape(batch * count, 1, -1), state=state, generator=generator)
        every: Tensor = self.out(dropout(output, share, generator)).reshape(batch, count * self.size, -1)
        return every[:, : self.steps].flatten(1)


class Skip(nn.Module):
    """A linear path from the window's targets to the forecast, around the recurrence; the same for every target.

    ``linear``: the closed-form ridge map's share of the answer; zero while the network is trained. ``seasonal``: the
    season before, repeated, and a linear map that is learned from zero.
    """

    def __init__(self, kind: str, context: int, steps: int, season: int) -> None:
        super().__init__()
        weight = torch.zeros(steps, context)
        if kind == "linear":
            self.register_buffer("weight", weight)
        else:
            self.weight = nn.Parameter(weight)
        season = season if kind == "seasonal" and season <= context else 0
        self.rows = [context - season + step % season for step in range(steps)] if season else []

    def forward(self, own: Tensor, lengths: Tensor | None) -> Tensor:
        """(batch, time, targets) to (batch, steps, targets), both less the window's level."""
        own = newest(own, lengths, self.weight.shape[1])
        found = linear(own.transpose(1, 2), self.weight).transpose(1, 2)
        return found + own[:, self.rows] if self.rows else found


def newest(x: Tensor, lengths: Tensor | None, steps: int) -> Tensor:
    """(batch, steps, columns) the last valid steps of right-padded windows, zero before the first."""
    if lengths is None:
        return pad(x, (0, 0, max(0, steps - x.shape[1]), 0))[:, -steps:]
    places = torch.arange(-steps, 0, device=x.device) + lengths[:, None]
    taken = x.gather(1, places.clamp(min=0)[:, :, None].expand(-1, -1, x.shape[2]))
    return taken * (places >= 0)[:, :, None]
