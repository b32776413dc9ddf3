"""Every error that a user can cause, and the exit code of each.

::

    RnncliError          1   a bug, if it is not one of those below
    ├── UsageError       2   command line
    │   └── MissingExtraError  an optional dependency is not installed
    ├── ConfigError      2   the YAML config, every problem at once
    ├── DataError        3   input data
    ├── CheckpointError  4   run folder or model file
    ├── ResourceError    5   disk, permission, memory, device
    ├── OutcomeError     6   the result is not acceptable
    │   └── DivergedError      training left the finite numbers
    └── Interrupted      130 or 143, after the state was saved
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

_LONGEST_KEY, _LONGEST_TEXT = 80, 400  # characters shown; a value of a user can have millions


def clipped(text: str, most: int = _LONGEST_TEXT) -> str:
    """`text` on one line, without its middle if it is longer than `most` characters."""
    half = most // 2
    return (text if len(text) <= most else f"{text[:half]}…{text[-half:]}").replace("\n", "\\n")


@dataclass(frozen=True)
class Place:
    """Where in a file a problem is; every part that is not known is None."""

    file: str | None = None
    line: int | None = None
    column: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        file = None if self.file is None else clipped(self.file)
        position = ":".join(str(part) for part in (file, self.line, self.column) if part is not None)
        return " ".join(part for part in (position, clipped(self.key or "", _LONGEST_KEY)) if part)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, where, and what to do next."""

    message: str
    hint: str | None = None
    place: Place = Place()

    def __str__(self) -> str:
        message = clipped(self.message)
        text = f"{self.place}: {message}" if str(self.place) else message
        return f"{text} ({clipped(self.hint)})" if self.hint else text


class RnncliError(Exception):
    """Base of all errors with a message for the user."""

    exit_code: ClassVar[int] = 1
    kind: ClassVar[str] = "bug"

    def __init__(self, message: str, hint: str | None = None, place: Place | None = None) -> None:
        self.problems: Sequence[Problem] = [Problem(message, hint, place or Place())]
        super().__init__(str(self.problems[0]))

    def as_json(self) -> dict[str, object]:
        """The first problem as the documented object; further ones under ``problems``."""
        rows = [
            {
                "code": self.exit_code,
                "kind": self.kind,
                "message": clipped(problem.message),
                "hint": problem.hint and clipped(problem.hint),
                **asdict(problem.place),
            }
            for problem in self.problems
        ]
        return {"error": {**rows[0], **({"problems": rows} if len(rows) > 1 else {})}}


class UsageError(RnncliError):
    """Command-line arguments that cannot be acted on."""

    exit_code = 2
    kind = "usage"


class MissingExtraError(UsageError):
    """An optional dependency that is not installed."""

    kind = "missing_extra"


class ConfigError(RnncliError):
    """All problems of a config at once."""

    exit_code = 2
    kind = "config"

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems[0].message)
        self.problems = problems


class DataError(RnncliError):
    """Input data that cannot be understood."""

    exit_code = 3
    kind = "data"


def no_column(name: str, header: Sequence[str], place: Place) -> DataError:
    """What is said of a table without a column: the nearest that is there, or all."""
    import difflib

    folded = {column.casefold(): column for column in header}
    close = difflib.get_close_matches(name.casefold(), folded, 1)
    hint = f"did you mean {folded[close[0]]}?" if close else f"it has {', '.join(header)}"
    return DataError(f"no column {name}", hint, place)


class CheckpointError(RnncliError):
    """A model file or run folder that cannot be used."""

    exit_code = 4
    kind = "checkpoint"


class ResourceError(RnncliError):
    """Disk, permission, memory or device."""

    exit_code = 5
    kind = "resource"


class OutcomeError(RnncliError):
    """The command worked, its result is not acceptable."""

    exit_code = 6
    kind = "outcome"


class DivergedError(OutcomeError):
    """Training produced a number that is not finite."""

    kind = "diverged"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python's or of torch's says that memory did not do."""
    return isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__ or "allocate memory" in str(error)


class Interrupted(RnncliError):  # noqa: N818 - not a mistake of anyone
    """A signal stopped the command after it had saved its state."""

    kind = "interrupted"

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]
