"""``rnncli predict --follow``: rows in and answers out until the input ends or a signal comes."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rnncli import console
from rnncli.data.reading.dialect import dialect_of
from rnncli.errors import DataError, Interrupted, Place, ResourceError, UsageError
from rnncli.stream import snapshot
from rnncli.stream.follow import Follower, Following
from rnncli.stream.lines import Block, Stopped, arriving, blocks
from rnncli.stream.model import carries, load_stream_model
from rnncli.training.interrupt import EXIT_CODES, Caught, caught_signals


@dataclass(frozen=True)
class Stream:
    """Where rows come from, and what happens to bad ones and to the state."""

    data: str
    fatal: bool
    state_in: Path | None
    state_out: Path | None
    state_every: int | None


class Saver:
    """Saves the state of a stream where that is asked for: now and then, and at its end."""

    def __init__(self, follower: Follower, path: Path | None, every: int | None) -> None:
        self._follower, self._path, self._every = follower, path, every
        self._saved = follower.rows

    def pieces(self, block: Block) -> Iterator[Block]:
        """The rows of a block, cut where the state is to be saved."""
        if self._every is None:
            yield block
        else:
            yield from block.pieces(self._saved + self._every - self._follower.rows, self._every)

    def save_if_due(self) -> None:
        """Save if so many rows were answered since the last time."""
        if self._every is not None and self._follower.rows - self._saved >= self._every:
            self.save()

    def save(self) -> None:
        """Save, if it was said where."""
        if self._path is not None:
            snapshot.save(self._path, self._follower)
        self._saved = self._follower.rows


def stream_of(
    data: str, on_bad_row: str | None, state_in: str | None, state_out: str | None, state_every: int | None
) -> Stream:
    """The options of a stream.

    Raises:
        UsageError: if they do not fit each other.
    """
    if state_every is not None and state_out is None:
        raise UsageError("--state-every has no effect without --state-out", "say where the state goes")
    if "-" in (state_in, state_out):
        raise UsageError("a state is a file, and - is a stream", "name a file")
    if state_out is not None:
        _check_folder(Path(state_out))
    files = [None if name is None else Path(name) for name in (state_in, state_out)]
    return Stream(data, on_bad_row == "fatal", files[0], files[1], state_every)


def _check_folder(path: Path) -> None:
    """Refuse a place for the state before the first row, and not after a day."""
    if path.is_dir():
        raise ResourceError("is a folder", "name a file for the state", Place(str(path)))
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ResourceError("cannot write there", "name a file in a folder that there is", Place(str(path)))


def follow_rows(run: Path, stream: Stream, wanted: tuple[bool, tuple[float, ...], int | str | None, str]) -> None:
    """Answer every row as it comes."""
    if console.settings.format not in ("auto", "csv", "jsonl"):
        message = f"--format {console.settings.format} needs all rows at once"
        raise UsageError(message, "with --follow it is csv or jsonl")
    model = load_stream_model(run)
    quantiles, levels, context, engine = wanted
    as_json = console.settings.format == "jsonl"
    if context == "full" and not carries(model.config):
        raise UsageError(
            "--context full: the model answers from windows (docs/streaming.md says which do)", "give a number of rows"
        )
    asked = Following(quantiles, levels, context if isinstance(context, int) else None, engine, as_json)
    name = "stdin" if stream.data == "-" else stream.data
    follower = Follower(model, asked, name)
    if stream.state_in is not None:
        _go_on(follower, stream.state_in)
    with _opened(stream.data) as descriptor, caught_signals() as caught, _wake() as wake:
        chunks = arriving(descriptor, wake, _end_without_reader, grows=stream.data != "-")
        found = blocks(name, dialect_of(model.config.data), chunks)
        gc.freeze()  # what is there now stays: it need not be looked through again and again
        saver = Saver(follower, stream.state_out, stream.state_every)
        try:
            for block in _below_header(follower, found):
                for piece in saver.pieces(block):
                    _answer(follower, piece, saver, fatal=stream.fatal)
        except Stopped:
            pass
        except DataError:  # which comes between two rows
            saver.save()
            raise
        saver.save()
        _end(follower, stream, caught)


def _go_on(follower: Follower, path: Path) -> None:
    """Restore the state, and say exactly where it stands."""
    note = snapshot.restore(path, follower)
    if note is not None:
        console.warn(note)
    console.say(
        f"goes on after {follower.rows:,} rows (without the header) and {follower.written:,} lines of answers (without "
        f"theirs): feed the rows from there on; answers beyond that line, if some were printed, come again"
    )


def _below_header(follower: Follower, found: Iterator[Block]) -> Iterator[Block]:
    """The rows; the header is read, and that of the answers is written, unless the state has them already."""
    known = follower.intake.header
    for block in found:
        if not known and block.bad and (not any(block.rows) or block.bad[0][0] < block.lines[0]):
            line, message = block.bad[0]
            raise DataError(f"the header: {message}", "the first line names the columns", Place(follower.name, line))
        if not any(block.rows):
            if known:
                yield block
            continue
        at = next(at for at, row in enumerate(block.rows) if row)
        header = not known or follower.intake.is_header(block.rows[at])
        if header:  # after a state perhaps in another order
            follower.intake.begin(block.rows[at], block.lines[at])
        if not known:
            sys.stdout.write(follower.text.header())
            sys.stdout.flush()
        start = at + 1 if header else 0
        yield Block(block.rows[start:], block.lines[start:], block.bad)
        yield from found
    if not follower.intake.header:
        raise DataError("it is empty", "the first line names the columns", Place(follower.name, 1))


def _answer(follower: Follower, block: Block, saver: Saver, *, fatal: bool) -> None:
    """Write the answers to some rows, then save the state if that is due: what it holds was written before."""
    text, problems = follower.take(block, fatal=fatal)
    sys.stdout.write(text)
    sys.stdout.flush()
    if fatal and problems:
        raise DataError(problems[0].message, "mend it, or take --on-bad-row skip", problems[0].place)
    for problem in problems:
        console.warn(str(problem))
    saver.save_if_due()


def _end(follower: Follower, stream: Stream, caught: Caught) -> None:
    count = len(follower.series.ids)
    console.say(f"{follower.rows:,} rows of {count:,} series, {follower.written:,} lines of answers")
    if caught.signal is not None:
        saved = f"the state is in {stream.state_out}" if stream.state_out is not None else "no state was asked for"
        raise Interrupted(f"{caught.signal.name} after {follower.rows:,} rows: {saved}", EXIT_CODES[caught.signal])


def _end_without_reader() -> None:
    """End when nobody reads the answers any more, though there is none to write.

    Raises:
        BrokenPipeError: then.
    """
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)  # errors alone
        if any(events & select.POLLERR for _, events in poll.poll(0)):
            raise BrokenPipeError


@contextlib.contextmanager
def _opened(data: str) -> Iterator[int]:
    """A descriptor of the input.

    Raises:
        UsageError, DataError, ResourceError: if there is none.
    """
    if data == "-":
        if sys.stdin is None or sys.stdin.closed:
            raise DataError("stdin is closed", "pipe a CSV into the command")
        yield sys.stdin.fileno()
        return
    if "://" in data:
        raise UsageError(f"{data}: only local files are read", "pipe it: --data -")
    if os.path.isdir(data):
        raise UsageError(f"{data}: is a folder", "a stream is one file")
    if data.endswith((".gz", ".parquet")):
        raise UsageError(f"{data}: --follow reads plain text", "unpack it into a pipe: zcat FILE | …")
    try:
        descriptor = os.open(data, os.O_RDONLY)
    except FileNotFoundError:
        raise UsageError(f"{data}: no such file", "--data is relative to the working directory") from None
    except OSError as error:
        raise ResourceError(f"cannot read: {error.strerror}", "look at its permissions", Place(data)) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _wake() -> Iterator[int]:
    """A descriptor on which a byte arrives with every signal that is caught."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    before = signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    try:
        yield reads
    finally:
        signal.set_wakeup_fd(before)
        os.close(reads)
        os.close(writes)
