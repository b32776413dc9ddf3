"""Every single weight of a stored model, and what it multiplies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter

from rnncli.checkpoint import Stored
from rnncli.config import schema
from rnncli.config.document import Document
from rnncli.config.load import check as check_config
from rnncli.data.panel import Columns
from rnncli.inspection.tensors import Block, blocks
from rnncli.model.sizes import Sizes


def weight_values(model: Stored) -> Iterator[dict[str, Any]]:
    """Every single weight: parameter, gate, unit, what it multiplies, value."""
    settings = check_config(Document(model.content["config"], {})).model
    inputs = input_names(model.content)
    for block in blocks(model):
        table = block.values if block.values.ndim == 2 else block.values[:, None]
        for unit, row in enumerate(table):
            for column, value in enumerate(row):
                yield {
                    "member": block.member,
                    "parameter": block.parameter,
                    "layer": block.layer,
                    "direction": block.direction,
                    "gate": block.gate,
                    "unit": unit,
                    "input": input_name(block, column, inputs, settings),
                    "value": float(value),
                }


def input_names(content: dict[str, Any]) -> list[str]:
    """Names of what the first layer reads."""
    columns = TypeAdapter(Columns).validate_python(content["columns"])
    past = columns.step_inputs(flags=content["config"]["data"]["missing"] == "mask")
    counts = tuple((name, len(values)) for name, values in columns.categories.items())
    return Sizes(past, 0, categories=counts).expanded(past + columns.static)


def input_name(block: Block, column: int, inputs: list[str], settings: schema.Model) -> str | None:
    """What a weight multiplies: an input column, a number in between, or nothing for a bias.

    Numbers in between are units of a state (h3, c3), filters of the front end (f3), and features of a segment (s3).
    """
    if block.values.ndim == 1:
        return None
    filters = settings.front_end == "conv"
    steps = [f"f{unit}" for unit in range(settings.hidden_size)] if filters else inputs
    if block.kind == "weight_ih" and block.layer == 0:
        return f"s{column}" if settings.segment is not None else steps[column]
    if block.parameter == "level.weight":
        return f"level {inputs[column]}"
    if block.parameter == "skip.weight":
        return f"row {column - block.values.shape[1]}"
    if block.parameter == "segments.embed.weight":
        return f"{steps[column % len(steps)]} step {column // len(steps)}"
    if block.parameter.startswith("front_end.mix."):
        read = inputs if block.parameter == "front_end.mix.0.weight" else steps
        taps = block.values.shape[1] // len(read)
        return f"{read[column // taps]} tap {column % taps}"
    if block.parameter == "decoder.known.weight":
        return f"ahead {column}"
    return f"{'c' if block.kind == 'weight_ch' else 'h'}{column}"
