"""The names and shapes of a network's weights, told by its settings alone: what a file must hold. Without torch."""

from __future__ import annotations

from rnncli.config import schema
from rnncli.model.portable_pieces import TAPS
from rnncli.model.reference import GATES
from rnncli.model.sizes import Sizes, vector_width

Shapes = dict[str, tuple[int, ...]]


def weight_shapes(settings: schema.Model, sizes: Sizes) -> Shapes:
    """What ``Network(settings, sizes).state_dict()`` holds, by name; parts in the order of the network."""
    hidden = settings.hidden_size
    width = sizes.width(sizes.past + sizes.static)
    found: Shapes = {}
    for number, (_, count) in enumerate(sizes.categories):
        found[f"inputs.vectors.column{number}.weight"] = (count + 1, vector_width(count))
    if settings.front_end == "conv":
        found |= _front_end(width, hidden)
        width = hidden
    if settings.segment is not None:
        found |= _linear("segments.embed", width * sizes.segment, hidden)
        width = hidden
    found |= {f"backbone.{name}": shape for name, shape in _recurrent(settings, width).items()}
    return found | _answering(settings, sizes)


def _linear(name: str, inputs: int, outputs: int, *, bias: bool = True) -> Shapes:
    found: Shapes = {f"{name}.weight": (outputs, inputs)}
    return found | ({f"{name}.bias": (outputs,)} if bias else {})


def _front_end(width: int, filters: int) -> Shapes:
    found: Shapes = {}
    for number, (inputs, taps) in enumerate(zip((width, filters), TAPS, strict=True)):
        found |= _linear(f"front_end.mix.{number}", inputs * taps, filters)
        found |= {f"front_end.norm.{number}.{part}": (filters,) for part in ("weight", "bias")}
    return found


def _recurrent(settings: schema.Model, width: int) -> Shapes:
    hidden, rows = settings.hidden_size, len(GATES[settings.cell]) * settings.hidden_size
    ends = ("", "_reverse") if settings.bidirectional else ("",)
    found: Shapes = {}
    for layer in range(settings.num_layers):
        for end in ends:
            suffix = f"l{layer}{end}"
            found[f"weight_ih_{suffix}"] = (rows, width if layer == 0 else hidden * len(ends))
            found[f"weight_hh_{suffix}"] = (rows, hidden)
            if settings.cell == "carry_lstm":
                found[f"weight_ch_{suffix}"] = (hidden, hidden)
            biases = ("bias_ih",) if settings.cell == "carry_lstm" else ("bias_ih", "bias_hh")
            found |= {f"{name}_{suffix}": (rows,) for name in biases if settings.bias}
    return found


def _answering(settings: schema.Model, sizes: Sizes) -> Shapes:
    """Readouts, head or decoder, and what is added to them."""
    hidden = settings.hidden_size
    states, filters = hidden * (1 + settings.bidirectional), hidden * (settings.front_end == "conv")
    known, a_step = sizes.width(sizes.ahead), sizes.outputs // sizes.steps
    found: Shapes = {}
    if settings.readout == "attention":
        for name, size in (("readout", states), ("filter_readout", filters)):
            if size:
                found |= _linear(f"{name}.mix", size, size) | _linear(f"{name}.score", size, 1, bias=False)
    features = (states + filters) * (2 if settings.readout == "mean_max" else 1)
    if settings.decoder == "parallel":
        found["decoder.places"] = (-(-sizes.steps // sizes.segment), hidden)
        found |= _linear("decoder.known", known * sizes.segment, hidden, bias=False) if known else {}
        found |= _linear("decoder.out", hidden, sizes.segment * a_step)
    else:
        found |= _linear("head", features, sizes.outputs)
        if known:
            found |= _linear("ahead.state", features, hidden) | _linear("ahead.known", known, hidden, bias=False)
            found |= _linear("ahead.out", hidden, a_step)
    found |= _linear("level", sizes.levels, sizes.outputs, bias=False) if sizes.levels else {}
    return found | ({"skip.weight": (sizes.steps, sizes.context)} if settings.skip != "none" else {})
