"""The Typer app, the single error boundary, and the exit codes."""

import contextlib
import inspect
import itertools
import os
import platform
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

import rnncli
from rnncli import console
from rnncli.cli.check import check
from rnncli.cli.compare import compare
from rnncli.cli.evaluate import evaluate
from rnncli.cli.export import export
from rnncli.cli.init import init
from rnncli.cli.inspect_weights import inspect_weights
from rnncli.cli.options import with_shared_options
from rnncli.cli.predict import predict
from rnncli.cli.report import report
from rnncli.cli.schema import schema
from rnncli.cli.trace import trace
from rnncli.cli.train import train
from rnncli.cli.tune import tune
from rnncli.cli.usage import usage_error
from rnncli.cli.verify import verify
from rnncli.errors import Interrupted, Place, ResourceError, RnncliError, UsageError, is_out_of_memory

EXIT_CODES = """Exit codes: 0 ok, 1 a bug, 2 usage or config, 3 input data, 4 checkpoint or run folder,
5 resource or I/O, 6 result not acceptable (training diverged, --fail-if true, verification mismatch),
130 SIGINT and 143 SIGTERM (state saved first), 141 stdout closed."""
MOST_LINES = 6  # of an error; with --format json all problems are told

# Typer's own error classes have no public name, but every one of them is a base of this one
_USAGE_ERRORS: Any = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="rnncli",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rnncli {rnncli.__version__}")
        raise typer.Exit


@app.callback()
@with_shared_options
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Train, run and explain recurrent sequence models."""


COMMANDS: tuple[tuple[str, Callable[..., None]], ...] = (
    ("init", init),
    ("check", check),
    ("train", train),
    ("tune", tune),
    ("evaluate", evaluate),
    ("predict", predict),
    ("inspect-weights", inspect_weights),
    ("trace", trace),
    ("verify", verify),
    ("export", export),
    ("compare", compare),
    ("report", report),
    ("schema", schema),
)
for name, function in COMMANDS:
    app.command(name, epilog=EXIT_CODES)(with_shared_options(function))

# read by libraries when they are loaded: torch's threads sleep while they wait; what pandas keeps as text in arrow's
# memory, where arrow is there, goes back when it is let go: arrow's own pool kept up to 350 MB of a million rows
OF_LIBRARIES = {"OMP_WAIT_POLICY": "PASSIVE", "ARROW_DEFAULT_MEMORY_POOL": "system"}
if platform.machine() == "x86_64":  # elsewhere torch's products are OpenBLAS's too, here NumPy's few alone
    OF_LIBRARIES["OPENBLAS_NUM_THREADS"] = "1"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    for name, value in OF_LIBRARIES.items():
        os.environ.setdefault(name, value)
    _prepare_streams()
    if "--json" in argv or "--format=json" in argv or ("--format", "json") in itertools.pairwise(argv):
        console.settings.format = "json"  # for errors in the command line itself
    code = _guarded(argv)
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush() if sys.stderr else None
    sys.exit(code)


def _prepare_streams() -> None:
    """UTF-8 whatever the locale; a column name that is not text comes out as it went in."""
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors=errors)


def _guarded(argv: list[str]) -> int:
    """The exit code of a command, every error reported."""
    try:
        if sys.stdout is None:
            raise ResourceError("stdout is closed", "results go there; use > FILE or /dev/null")
        _refuse_repeats(argv)
        with console.closing_stdout():
            result = app(args=argv, prog_name="rnncli", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except BrokenPipeError:
        console.silence(sys.stdout)
        return 141
    except SystemExit as error:  # Typer's way of saying that the pipe was closed
        closed = isinstance(error.__context__, BrokenPipeError)
        console.silence(sys.stdout)
        return 141 if closed else 1
    except KeyboardInterrupt:
        return 130
    except _USAGE_ERRORS as error:
        return _report_usage(error, argv)
    except RnncliError as error:
        _report(error)
        return error.exit_code
    except Exception as error:
        return _report_other(error)


def _refuse_repeats(argv: list[str]) -> None:
    names = [text.partition("=")[0] for text in argv[: argv.index("--") if "--" in argv else None]]
    flags = [name for name in names if name.startswith("--")]
    own = _with_own_format(names)
    if own is not None and "--format" in names[:own]:  # one is of the results, the other of what is written
        flags.remove("--format")
    for name in names:
        if re.fullmatch("-[qv]+", name):
            flags += [{"q": "--quiet", "v": "--verbose"}[letter] for letter in name[1:]]
    for flag in flags:
        if flags.count(flag) > 1:
            raise UsageError(f"{flag} is given twice", "give it once")


def _with_own_format(names: Sequence[str]) -> int | None:
    """The place of a command that has a --format itself."""
    known = dict(COMMANDS)
    place = next((place for place, name in enumerate(names) if name in known), None)
    own = place is not None and "format" in inspect.signature(known[names[place]]).parameters
    return place if own else None


def _report(error: RnncliError) -> None:
    if console.settings.verbose:
        console.say(traceback.format_exc().rstrip())
    problems = list(error.problems)
    lines = [str(problem) for problem in problems]
    if len(lines) > MOST_LINES:
        lines[MOST_LINES - 1 :] = [f"and {len(lines) - MOST_LINES + 1} more problems (--format json lists them all)"]
    word = "" if isinstance(error, Interrupted) else "error: "
    console.fail(error.as_json(), [f"{word}{lines[0]}", *(f"       {line}" for line in lines[1:])])


def _report_usage(error: Any, argv: Sequence[str]) -> int:
    """Typer's own errors: wrong options, unknown commands, or no command at all."""
    if type(error).__name__ == "NoArgsIsHelpError":
        console.fail(UsageError("no command", "rnncli --help lists them").as_json(), [error.format_message()])
    else:
        _report(usage_error(error, argv, dict(COMMANDS)))
    return 2


def _report_other(error: Exception) -> int:
    """Errors of the machine, and bugs."""
    if isinstance(error, OSError):
        place = Place(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
        hint = "name another one" if place else "is the disk full, or the device gone?"
        _report(ResourceError(f"{error.strerror or error}", hint, place))
        console.silence(sys.stdout)
        return 5
    if is_out_of_memory(error):
        _report(ResourceError("out of memory", "lower training.batch_size, window.context or model.hidden_size"))
        return 5
    if os.environ.get("RNNCLI_DEBUG") or console.settings.verbose:
        console.say(traceback.format_exc().rstrip(), always=True)
    what = f"{type(error).__name__}: {error}".split("\n")[0][:200]
    _report(RnncliError(f"bug: {what}", "RNNCLI_DEBUG=1 shows the traceback; please report it"))
    return 1
