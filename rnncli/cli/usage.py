"""Command lines that Typer refuses, in the words of our own errors: what, and which option or key was meant."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from typer.models import ArgumentInfo

from rnncli.errors import UsageError

Commands = Mapping[str, Callable[..., None]]


def usage_error(error: Any, argv: Sequence[str], commands: Commands) -> UsageError:
    """Typer's error as one of ours.

    Args:
        error: of a class of Typer's that has no public name.
        argv: the command line.
        commands: every command by its name.
    """
    command = next((text for text in argv if text in commands), None)
    asked = f"rnncli {command} --help" if command else "rnncli --help"
    if type(error).__name__ == "NoSuchOption":
        name = str(error.option_name)
        return UsageError(f"no option {name}", _meant(name, command, commands) or f"{asked} lists the options")
    text, _, guess = str(error.format_message()).rstrip(".").partition(". Did you mean ")
    return UsageError(f"{text[:1].lower()}{text[1:]}", f"did you mean {guess}" if guess else asked)


def _meant(name: str, command: str | None, commands: Commands) -> str | None:
    """What was meant by an option: another, one of another command, or a key of the config."""
    shared = ("--format", "--json", "--quiet", "--verbose", "--no-progress", "--excel-safe", "--help", "--version")
    own = [*shared, *(_options(commands[command]) if command else ())]
    close = difflib.get_close_matches(name, own, 1, 0.7)
    if close:
        return f"did you mean {close[0]}?"
    others = [other for other, function in commands.items() if name in _options(function)]
    if others:
        return f"it is an option of rnncli {others[0]}"
    return _key(name) if command in ("train", "tune") else None


def _options(function: Callable[..., None]) -> list[str]:
    """The long names of the options of a command, its arguments left out."""
    parameters = inspect.signature(function, eval_str=True).parameters
    found = {name: getattr(kind.annotation, "__metadata__", (None,))[-1] for name, kind in parameters.items()}
    return [f"--{name.replace('_', '-')}" for name, said in found.items() if not isinstance(said, ArgumentInfo)]


def _key(name: str) -> str | None:
    from rnncli.config.names import suggest

    found = suggest((name.lstrip("-").replace("-", "_"),))
    return found and found.replace("?", "=…?")
