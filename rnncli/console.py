"""Both streams: results go to stdout, everything else to stderr; nothing else in rnncli prints.

Names from the user's data pass through `visible` on their way to a person, so that no escape sequence, markup or
bidirectional override in a column name reaches the terminal.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Format = Literal["auto", "table", "csv", "jsonl", "json"]
FORMATS: tuple[Format, ...] = ("auto", "table", "csv", "jsonl", "json")

_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")

# how a cell begins that a spreadsheet takes for a formula; a number may begin so too
_FORMULA = re.compile(r"[=@\t\r]|[+-](?![0-9.]*([eE][-+]?[0-9]+)?$)")

_NUMBER = re.compile(r"-?[0-9.]+(e[-+]?[0-9]+)?|nan|-?inf")


@dataclass
class Settings:
    """How this process speaks; set once from the command line."""

    format: Format = "auto"
    quiet: bool = False
    verbose: bool = False
    progress: bool = True
    excel_safe: bool = False


settings = Settings()


@dataclass(frozen=True)
class Sheet:
    """A table for people and for CSV: a title, column names, rows of values."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def visible(text: str) -> str:
    """`text` with control and bidirectional characters written out as escapes."""
    return _HIDDEN.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), text)


def say(text: str, *, always: bool = False) -> None:
    """A line for the person at the terminal, on stderr; `always` with --quiet too."""
    if always or not settings.quiet:
        _to_stderr(text)


def warn(text: str) -> None:
    """A line that is worth reading even with --quiet; an object a line where the format is JSON."""
    if settings.format in ("json", "jsonl"):
        _to_stderr(json.dumps({"warning": {"message": text}}))
    else:
        _to_stderr(f"warning: {text}")


def _to_stderr(text: str) -> None:
    if sys.stderr is None:
        return
    try:
        sys.stderr.write("\n".join(visible(line) for line in text.split("\n")) + "\n")
        sys.stderr.flush()
    except OSError:  # nobody listens any more: that is no reason to stop
        silence(sys.stderr)


def fail(document: Mapping[str, Any], lines: Iterable[str]) -> None:
    """Report an error, as JSON if that is the format."""
    if settings.format in ("json", "jsonl"):
        _to_stderr(json.dumps(document, ensure_ascii=True))
        return
    for line in lines:
        _to_stderr(line)


def wants_table() -> bool:
    """Whether results are shown to a person."""
    return settings.format == "table" or (settings.format == "auto" and sys.stdout.isatty())


def shows_progress() -> bool:
    """Whether a progress bar can be drawn."""
    capable = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return settings.progress and not settings.quiet and capable


def emit_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> None:
    """Print rows: a table on a terminal, else CSV; or as --format says."""
    if wants_table():
        _print_sheet(Sheet(title, columns, list(rows)))
    elif settings.format == "jsonl":
        for row in rows:
            _print_json(_object(columns, row), indent=None)
    elif settings.format == "json":
        _print_json([_object(columns, row) for row in rows])
    else:
        write_csv(sys.stdout, columns, rows)


def emit_drawing(draw: Callable[[int, bool], Iterable[Text]]) -> None:
    """Print lines that are drawn for a width, at most 80, and with colours or without, as the terminal has them."""
    screen = console(sys.stdout)
    coloured = screen.color_system is not None and not screen.no_color
    for line in draw(min(screen.width, 80), coloured):
        screen.print(line, no_wrap=True, crop=False, overflow="ignore")


def emit_document(document: Mapping[str, Any], sheets: Sequence[Sheet], closing: str = "") -> None:
    """Print a summary: tables on a terminal, else one JSON document; as CSV, the first sheet."""
    if wants_table():
        for number, sheet in enumerate(sheets):
            sys.stdout.write("\n" if number else "")
            _print_sheet(sheet)
        if closing:
            sys.stdout.write("\n" + "\n".join(visible(line) for line in closing.split("\n")) + "\n")
    elif settings.format == "csv":
        write_csv(sys.stdout, sheets[0].columns, sheets[0].rows)
    else:
        _print_json(document, indent=None if settings.format == "jsonl" else 2)


def write_csv(stream: IO[str], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a header and rows."""
    cell = _cell_shown if stream.isatty() else _cell
    writer = csv.writer(stream, lineterminator="\n")
    formulas = 0
    for row in itertools.chain([columns], rows):
        cells = [cell(value) for value in row]
        risky = [isinstance(value, str) and bool(_FORMULA.match(value)) for value in row]
        formulas += sum(risky)
        if settings.excel_safe:
            cells = [f"'{value}" if risk else value for value, risk in zip(cells, risky, strict=True)]
        writer.writerow(cells)
    if formulas and not settings.excel_safe:
        warn(f"{formulas:,} cells would be formulas in a spreadsheet (--excel-safe puts a ' before them)")


def _cell(value: Any) -> Any:
    return f"{value:.9g}" if isinstance(value, float) else "" if value is None else value


def _cell_shown(value: Any) -> Any:
    """A cell on its way to a terminal; in a pipe names keep their bytes."""
    return visible(value) if isinstance(value, str) else _cell(value)


def _object(columns: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    """A row as a JSON object; JSON has no infinity and no NaN."""
    values = (None if isinstance(value, float) and not math.isfinite(value) else value for value in row)
    return dict(zip(columns, values, strict=True))


def _print_json(value: Any, indent: int | None = 2) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    sys.stdout.write(visible_json(text) + "\n")


def visible_json(text: str) -> str:
    """JSON text with hidden characters as JSON escapes, which read back to the same strings."""
    return _HIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _print_sheet(sheet: Sheet) -> None:
    from rnncli.sheets import drawn

    numeric = [_is_numeric([row[position] for row in sheet.rows]) for position in range(len(sheet.columns))]
    cells = [[visible(show(value)) for value in row] for row in sheet.rows]
    title = "\n".join(visible(line) for line in sheet.title.split("\n"))
    screen = console(sys.stdout)
    screen.print(drawn(title, [visible(name) for name in sheet.columns], cells, numeric, screen.width))


def _is_numeric(values: Sequence[Any]) -> bool:
    return all(value is None or _NUMBER.fullmatch(str(value)) for value in values)


def show(value: Any) -> str:
    """A value for people: four significant digits, nothing for None."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def console(stream: IO[str]) -> Console:
    """A Rich console on a stream, never narrower than a table can be; it honours NO_COLOR and FORCE_COLOR."""
    from rich.console import Console

    made = Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=False)
    if made.width < 40:
        made.width = 80
    return made


@contextlib.contextmanager
def closing_stdout() -> Iterator[None]:
    """Flush stdout at the end, where a full disk or a closed pipe shows."""
    yield
    sys.stdout.flush()


def silence(stream: IO[str]) -> None:
    """Send a stream that nobody reads, or that has no room, to nowhere; Python's own flush at exit too."""
    with contextlib.suppress(OSError, ValueError, io.UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
