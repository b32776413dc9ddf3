"""What ``rnncli check`` does."""

from collections.abc import Sequence
from typing import Any

from rnncli import console
from rnncli.cli.settle import quoted
from rnncli.config.load import load
from rnncli.console import Sheet
from rnncli.errors import OutcomeError
from rnncli.training.check import check, document
from rnncli.training.problems import open_all


def run(path: str, keys: Sequence[str], data: str | None, *, fail_on_warning: bool) -> None:
    """Check, print what was found, and fail if that was asked for.

    Raises:
        OutcomeError: if there are warnings and they are to fail.
    """
    config = load(path, [*keys, *([f"data.path={quoted(data)}"] if data is not None else [])])
    result = document(path, check(config, open_all(config.data, console.warn)))
    warnings = result["warnings"]
    console.emit_document(result, sheets(result), verdict(warnings))
    if console.settings.format == "csv":  # which has no place for them
        for warning in warnings:
            console.warn(_sentence(warning))
    if warnings and fail_on_warning:
        raise OutcomeError(f"{_count(warnings)}, and --fail-on-warning", warnings[0]["message"])


def sheets(result: dict[str, Any]) -> list[Sheet]:
    """Tables for people; the parts come first, so that they are what CSV gives."""
    found = [_parts(result["parts"]), _facts(result), _columns(result["columns"])]
    if result["warnings"]:
        rows = [[warning["kind"], _sentence(warning)] for warning in result["warnings"]]
        found.append(Sheet("", ["warning", ""], rows))
    return found


def _parts(parts: Sequence[dict[str, Any]]) -> Sheet:
    names = [name for name in parts[0] if name != "classes"]
    return Sheet("", names, [[part[name] for name in names] for part in parts])


def _facts(result: dict[str, Any]) -> Sheet:
    data, network, training, memory = (result[name] for name in ("data", "network", "training", "memory"))
    lengths = f"{data['shortest']:,} to {data['longest']:,}, median {data['median']:,.0f}"
    by_part = ", ".join(f"{name} {count:,}" for name, count in network["by_part"].items() if count)
    several = f"{network['networks']} networks of " if network["networks"] > 1 else ""
    horizon = f", horizon {training['horizon']:,}" if training["horizon"] else ""
    rows = [
        ["task", result["task"]],
        ["rows", f"{data['rows']:,}"],
        ["series", f"{data['series']:,}" + (f" of {lengths} rows" if data["series"] > 1 else "")],
        ["time", f"{data['first']} to {data['last']}" if data["first"] is not None else None],
        ["frequency", f"{data['frequency']}, season {data['season'] or 'unknown'}" if data["frequency"] else None],
        ["window", f"context {training['context']:,}{horizon}"],
        ["network", f"{network['cell']}, {network['parameters']:,} parameters: {several}{by_part}"],
        ["an epoch", f"{training['steps_an_epoch']:,} steps of up to {training['batch_size']:,} windows"],
        ["memory", f"about {_size(memory['peak'])} at its peak: {_parts_of(memory)}"],
        ["device", result["device"]],
    ]
    return Sheet("", ["what", "is"], [row for row in rows if row[1] is not None])


def _parts_of(memory: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_size(memory[name])}" for name in ("libraries", "data", "batch", "network"))


def _size(count: int) -> str:
    """Bytes for people."""
    return (
        f"{count / 2**30:.1f} GiB"
        if count >= 2**30
        else f"{max(count / 2**20, 0.1):,.{0 if count >= 2**20 else 1}f} MiB"
    )


def _columns(columns: Sequence[dict[str, Any]]) -> Sheet:
    names = [name for name in columns[0] if any(column[name] is not None for column in columns)]
    return Sheet("", names, [[column[name] for name in names] for column in columns])


def _sentence(warning: dict[str, Any]) -> str:
    return f"{warning['message']} ({warning['hint']})" if warning["hint"] else str(warning["message"])


def _count(warnings: Sequence[object]) -> str:
    return f"{len(warnings)} warning{'s' if len(warnings) > 1 else ''}"


def verdict(warnings: Sequence[object]) -> str:
    """Whether training can begin."""
    return f"Ready to train, with {_count(warnings)}." if warnings else "Ready to train: nothing looks odd."
