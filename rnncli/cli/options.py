"""Options that every command has, and the parsers of option values."""

import functools
import inspect
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, cast, get_args, get_type_hints

import typer

from rnncli import console
from rnncli.errors import UsageError

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


def format_option(text: str) -> str:
    """A result format."""
    if text not in console.FORMATS:
        raise typer.BadParameter(f"'{text}' is not one of {', '.join(console.FORMATS)}")
    return text


def file_name(text: str) -> str:
    """A file name, or - for stdin."""
    if not text or "\0" in text:
        raise typer.BadParameter("an empty name" if not text else "a NUL in a name")
    return text


def folder_name(text: str) -> Path:
    """A folder, which is no stream."""
    if text == "-":
        raise typer.BadParameter("a run is a folder, and - is a stream")
    return Path(file_name(text))


def duration(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``10m`` or ``1.5h``."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smh]?)", text)
    if not match or not math.isfinite(float(match[1])):
        raise typer.BadParameter(f"'{text}' is not a time such as 90s, 10m or 1.5h")
    return float(match[1]) * _SECONDS[match[2]]


def whole_number(text: str) -> int:
    """A whole number from 1 on."""
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", text):
        raise typer.BadParameter(f"{text} is not a whole number from 1 to 999999999")
    return int(text)


def task_name(text: str) -> str:
    """A task."""
    from rnncli.config.schema import TaskName

    if text not in get_args(TaskName):
        raise typer.BadParameter(f"{text} is not one of {', '.join(get_args(TaskName))}")
    return text


def _shared(
    format: Annotated[
        str | None,
        typer.Option(parser=format_option, metavar="auto|table|csv|jsonl|json", help="Format of the results."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no notes.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tracebacks with errors.")] = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="No progress bar.")] = False,
    excel_safe: Annotated[
        bool, typer.Option("--excel-safe", help="Put ' before CSV cells that a spreadsheet would take for formulas.")
    ] = False,
) -> None:
    """Settle how this process speaks."""
    if json and format not in (None, "json"):
        raise UsageError(f"--json and --format {format}", "give one of them")
    settings = console.settings
    if format is not None and settings.format not in ("auto", format):
        raise UsageError(f"--format {format} beside {settings.format}", "give one of them")
    settings.format = "json" if json else cast(console.Format, format or settings.format)
    settings.quiet |= quiet
    settings.verbose |= verbose
    settings.progress &= not no_progress
    settings.excel_safe |= excel_safe


def with_shared_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that every command has; where it has one of that name itself, its own is meant."""
    own = inspect.signature(function).parameters
    shared = {name: parameter for name, parameter in inspect.signature(_shared).parameters.items() if name not in own}

    @functools.wraps(function)
    def command(**arguments: Any) -> None:
        _shared(**{name: arguments.pop(name) for name in shared})
        function(**arguments)

    keyword = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own.values(), *shared.values())
    ]
    command.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
    hints = get_type_hints(_shared, include_extras=True) | get_type_hints(function, include_extras=True)
    command.__annotations__ = hints
    del command.__wrapped__
    return command


Config = Annotated[str, typer.Argument(metavar="CONFIG", help="YAML config.", show_default=False)]
ConfigOrResume = Annotated[
    str | None, typer.Argument(metavar="CONFIG", help="YAML config; with --resume it may be left out.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE | ~KEY]...", help="Set a key, or restore its default."),
]
Run = Annotated[
    str, typer.Argument(parser=file_name, metavar="RUN", help="Run folder, or a model.safetensors.", show_default=False)
]
DataFile = Annotated[
    str | None,
    typer.Option("--data", parser=file_name, metavar="FILE|-", help="Read this instead of data.path; - is stdin."),
]
Device = Annotated[
    str,
    typer.Option("--device", metavar="auto|cpu|cuda|cuda:N", help="Where to compute; auto takes CUDA if there is one."),
]


def one_of(text: str, names: tuple[str, ...]) -> str:
    """One of some words."""
    if text not in names:
        raise typer.BadParameter(f"'{text}' is not one of {', '.join(names)}")
    return text


def check_device(name: str) -> str:
    """The name, if it is of a device.

    Raises:
        UsageError: if it is not.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,4})?", name):
        raise UsageError(f"--device '{name}' must be auto, cpu, cuda or cuda:N")
    return name


def config_and_keys(
    config: str | None, overrides: list[str] | None, resume: Path | None
) -> tuple[str | None, list[str]]:
    """The config and the overrides; beside --resume the first word may be an override itself."""
    if config is not None and resume is not None and ("=" in config or config.startswith("~")):
        return None, [config, *(overrides or [])]
    return config, list(overrides or [])
