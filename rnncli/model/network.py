"""The whole network: inputs -> backbone -> readout -> head."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from rnncli.config import schema
from rnncli.model.backbone import Backbone, dropout, valid_steps
from rnncli.model.cells import State
from rnncli.model.inputs import Inputs
from rnncli.model.pieces import Convolutions, ParallelDecoder, Segments, Skip
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
        output = output.masked_fill(~valid_steps(output, lengths), -torch.inf)
    return output.amax(1)


def read_mean_max(output: Tensor, final: State, lengths: Tensor | None, directions: int) -> Tensor:
    """Mean and maximum, joined."""
    parts = (read_mean(output, final, lengths, directions), read_max(output, final, lengths, directions))
    return torch.cat(parts, dim=1)


class Attention(nn.Module):
    """A weighted mean over the valid steps; a step's weight is learned from its output (Raffel and Ellis 2015)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Linear(width, width)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, output: Tensor, final: State, lengths: Tensor | None, directions: int) -> Tensor:
        """(batch, time, width) to (batch, width)."""
        scores = self.score(torch.tanh(self.mix(output)))
        if lengths is not None:
            scores = scores.masked_fill(~valid_steps(output, lengths), -torch.inf)
        found: Tensor = (scores.softmax(1) * output).sum(1)
        return found


Readout = Callable[[Tensor, State, Tensor | None, int], Tensor]

# how each is made for outputs of a width, and how many such widths it gives
READOUTS: dict[str, tuple[Callable[[int], Readout], int]] = {
    "last": (lambda width: read_last, 1),
    "mean": (lambda width: read_mean, 1),
    "max": (lambda width: read_max, 1),
    "mean_max": (lambda width: read_mean_max, 2),
    "attention": (Attention, 1),
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

    inputs -> front end -> segments -> recurrence -> readout -> head, and a path around them all. The head reads the
    recurrent state at the newest step, so every horizon step sees the last observed value. With window normalisation
    it also reads the level that was taken off, which the state does not know; its weight starts at zero, and the
    level is put back onto the output. Values of the series stand beside every step.

    Args:
        settings: the config's model section.
        sizes: what goes in and comes out.
    """

    def __init__(self, settings: schema.Model, sizes: Sizes) -> None:
        super().__init__()
        self.settings, self.sizes = settings, sizes
        self.inputs = Inputs(sizes)
        width = sizes.width(sizes.past + sizes.static)
        # else the answer of a step would be told what follows
        causal = (sizes.every or sizes.forks) and not settings.bidirectional
        conv = settings.front_end == "conv"
        self.front_end = Convolutions(width, settings.hidden_size, causal=causal) if conv else None
        width = settings.hidden_size if self.front_end is not None else width
        self.segments = Segments(width, sizes.segment, settings.hidden_size) if settings.segment is not None else None
        self.backbone = Backbone(
            settings.cell,
            settings.hidden_size if self.segments is not None else width,
            settings.hidden_size,
            settings.num_layers,
            nonlinearity=settings.nonlinearity,
            bias=settings.bias,
            bidirectional=settings.bidirectional,
            dropout=settings.dropout,
            recurrent_dropout=settings.recurrent_dropout,
        )
        make, parts = READOUTS[settings.readout]
        states = len(self.backbone.directions) * settings.hidden_size
        filters = settings.hidden_size if self.front_end is not None else 0
        self.readout, self.filter_readout = make(states), make(filters) if filters else None
        features = parts * (states + filters)
        known, a_step = sizes.width(sizes.ahead), sizes.outputs // sizes.steps
        self.head = self.decoder = self.ahead = None
        if settings.decoder == "parallel":
            self.decoder = ParallelDecoder(sizes.steps, sizes.segment, settings.hidden_size, known, a_step)
        else:
            self.head = nn.Linear(features, sizes.outputs)
            self.ahead = Ahead(features, known, settings.hidden_size, a_step) if known else None
        self.level = nn.Linear(sizes.levels, sizes.outputs, bias=False) if sizes.levels else None
        self.skip = None
        if settings.skip != "none":
            self.skip = Skip(settings.skip, sizes.context, sizes.steps, sizes.season)
        if settings.skip == "seasonal":  # training begins at the season before
            for parameter in self.last_weights():
                nn.init.zeros_(parameter)
        elif self.level is not None:
            nn.init.zeros_(self.level.weight)

    def last_weights(self) -> list[nn.Parameter]:
        """Those of the layers whose sum is the answer, but for the path around."""
        layers = (self.head, self.decoder and self.decoder.out, self.ahead and self.ahead.out, self.level)
        return [parameter for layer in layers if layer is not None for parameter in layer.parameters()]

    def forward(
        self,
        past: Tensor,
        lengths: Tensor | None = None,
        level: Tensor | None = None,
        generator: torch.Generator | None = None,
        *,
        static: Tensor | None = None,
        ahead: Tensor | None = None,
        forks: bool = False,
    ) -> Tensor:
        """Run the network.

        Args:
            past: (batch, time, past columns), padded on the right.
            lengths: (batch,) valid steps; None if all are.
            level: (batch, levels) what normalisation took off.
            generator: source of the dropout masks; without one there is no dropout.
            static: (batch, static columns), needed if there are any.
            ahead: (batch, horizon, columns known ahead), needed if there are any.
            forks: whether every step is an origin of its own; `ahead` has (batch * time, …) rows then.

        Returns:
            (batch, outputs), (batch, time, outputs) if every step is answered, or (batch * time, outputs) of origins.
        """
        x, counts, filters = self.read(past, lengths, static)
        x = dropout(x, self.settings.input_dropout, generator)
        output, final = self.backbone(x, counts, generator=generator)
        known = self.inputs("ahead", ahead) if ahead is not None and self.sizes.ahead else None
        share = self.settings.output_dropout
        if self.decoder is not None:
            result: Tensor = self.decoder(self.backbone, final, known, share, generator)
        else:
            features = self._features(output, final, counts, filters, lengths, every=forks or self.sizes.every)
            result = self._head(dropout(features.flatten(0, 1) if forks else features, share, generator), known)
        if self.level is not None and level is not None:
            result = result + self.level(level)
        return result if self.skip is None else result + self.around(past, lengths)

    def read(
        self, past: Tensor, lengths: Tensor | None, static: Tensor | None
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """What the recurrence reads of windows.

        Returns:
            (batch, steps, width), the valid steps of each window or None, and (batch, time, filters) of the front end.
        """
        x = self.inputs("past", past)
        if static is not None and self.sizes.static:
            x = torch.cat([x, self.inputs("static", static)[:, None].expand(-1, x.shape[1], -1)], dim=2)
        filters = None if self.front_end is None else self.front_end(x, lengths)
        x = x if filters is None else filters
        if self.segments is None:
            return x, lengths, filters
        segments, counts = self.segments(x, lengths)
        return segments, counts, filters

    def _features(
        self,
        output: Tensor,
        final: State,
        counts: Tensor | None,
        filters: Tensor | None,
        lengths: Tensor | None,
        *,
        every: bool,
    ) -> Tensor:
        """What the head reads: (batch, features), or (batch, time, features) if it is asked at every step."""
        if every:
            return output if filters is None else torch.cat([output, filters], dim=2)
        features = self.readout(output, final, counts, len(self.backbone.directions))
        if filters is None or self.filter_readout is None:
            return features
        newest_step = filters[:, -1] if lengths is None else filters[torch.arange(len(filters)), lengths - 1]
        return torch.cat([features, self.filter_readout(filters, (newest_step[None],), lengths, 1)], dim=1)

    def _head(self, features: Tensor, known: Tensor | None) -> Tensor:
        assert self.head is not None
        result: Tensor = self.head(features)
        return result if self.ahead is None or known is None else result + self.ahead(features, known).flatten(1)

    def around(self, past: Tensor, lengths: Tensor | None) -> Tensor:
        """(batch, outputs) of the path around the recurrence, the same for all quantiles of a target."""
        assert self.skip is not None
        found: Tensor = self.skip(past[:, :, : self.sizes.targets], lengths)
        quantiles = self.sizes.outputs // (self.sizes.steps * self.sizes.targets)
        return found[..., None].expand(-1, -1, -1, quantiles).flatten(1)
