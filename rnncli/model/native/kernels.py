"""The compiled kernels: found beside this file, or compiled once into the user's cache; loaded, and tried out.

Without a compiler, or where anything else is in the way, there is no library, and torch.nn serves: that is not an
error. RNNCLI_NATIVE=0 in the environment says so on purpose; the name of an instruction set asks for that one.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shlex
import struct
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
FLAGS = ("-O3", "-std=c11", "-fPIC", "-shared", "-pthread", "-ffp-contract=off", "-fno-math-errno", "-Wno-psabi")
_COMPILER_SECONDS = 300
CELLS = ("rnn", "lstm", "gru", "carry_lstm")  # of plan.h, in its order
WEIGHTS = ("weight_ih", "weight_hh", "weight_ch", "bias_ih", "bias_hh")  # of a call, likewise
CALL = struct.Struct("@44q")  # a ``struct call``: numbers and addresses


class UnavailableError(Exception):
    """Why there are no native kernels, in words for the user."""


@dataclass(frozen=True, eq=False)
class Library:
    """The kernels of one instruction set; those of the recurrence take a packed ``struct call`` (plan.h) first.

    Attributes:
        name: the instruction set.
        index: its number, their second argument.
        step, update: of step.c; they take the address of a ``struct pass``, and a packed ``struct update``.
    """

    name: str
    index: int
    forward: Callable[[bytes, int], int]
    backward: Callable[[bytes, int], None]
    sizes: Callable[[bytes, int, int, ctypes.Array[ctypes.c_int64]], None]
    step: Callable[[int], int]
    update: Callable[[bytes], float]


@functools.cache
def find() -> Library | UnavailableError:
    """The library of this machine, or why there is none; looked for once a process."""
    wanted = os.environ.get("RNNCLI_NATIVE", "").removeprefix("1")
    if wanted == "0":
        return UnavailableError("RNNCLI_NATIVE=0 forbids it")
    try:
        path = _built() or _compiled()
        try:
            return load(path, wanted)
        except OSError:  # it was damaged since
            path.unlink()
            return load(_compiled(), wanted)
    except (UnavailableError, OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        return error if isinstance(error, UnavailableError) else UnavailableError(str(error))


def source_hash() -> str:
    """SHA-256 of the C files that belong to this version."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.glob("*.[ch]")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _built() -> Path | None:
    """The library that was compiled when the package was installed, if it is of these sources."""
    path = FOLDER / f"_recurrence{sysconfig.get_config_var('EXT_SUFFIX')}"
    with_hash = source_hash().encode()
    return path if path.exists() and with_hash in path.read_bytes() else None


def _compiled() -> Path:
    """The library in the user's cache, compiled if it is not there yet.

    Raises:
        UnavailableError: if there is no compiler, or it fails.
        OSError: if the cache cannot be written.
    """
    compiler = shlex.split(os.environ.get("CC") or "cc")
    source = source_hash()
    machine = (*compiler, _version(compiler), platform.machine(), platform.system(), *FLAGS, source)
    key = hashlib.sha256("\0".join(machine).encode()).hexdigest()[:32]
    path = cache_folder() / f"recurrence-{key}.so"
    if not (path.exists() and path.stat().st_uid == os.geteuid()):  # code from nobody else
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        compile_into(path, compiler, (f'-DSOURCE_HASH="{source}"',))
    return path


def cache_folder() -> Path:
    """Where compiled kernels are kept: rnncli's folder in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rnncli"


def _version(compiler: list[str]) -> str:
    return _run([*compiler, "--version"]).partition("\n")[0]


def compile_into(path: Path, compiler: list[str], options: tuple[str, ...] = ()) -> None:
    """Compile the kernels; the file appears whole or not at all.

    Raises:
        UnavailableError: if the compiler cannot.
        OSError: if the folder cannot be written.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".compiling-") as folder:
        made = Path(folder) / path.name
        sources = sorted(str(source) for source in FOLDER.glob("*.c"))
        _run([*compiler, *FLAGS, *options, "-o", str(made), *sources])
        made.replace(path)


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_COMPILER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"no compiler: {error}") from None
    if done.returncode:
        raise UnavailableError(f"{command[0]} failed: {done.stderr.strip()[:200]}")
    return done.stdout


def load(path: Path, wanted: str = "") -> Library:
    """Load a library, with the fastest instruction set that this processor has, or the wanted one.

    Raises:
        UnavailableError: if there is none that is worth it.
        OSError: if it is no library of this machine.
    """
    functions = ctypes.CDLL(str(path))
    functions.rnncli_set_name.restype = ctypes.c_char_p
    functions.rnncli_set_runs_here.restype = ctypes.c_int64
    for name, arguments in {
        "rnncli_set_name": [ctypes.c_int64],
        "rnncli_set_runs_here": [ctypes.c_int64],
        "rnncli_forward": [ctypes.c_char_p, ctypes.c_int64],
        "rnncli_backward": [ctypes.c_char_p, ctypes.c_int64],
        "rnncli_sizes": [ctypes.c_char_p, ctypes.c_int64, ctypes.c_int64, ctypes.POINTER(ctypes.c_int64)],
        "rnncli_step": [ctypes.c_int64],
        "rnncli_update": [ctypes.c_char_p],
    }.items():
        getattr(functions, name).argtypes = arguments
    functions.rnncli_forward.restype = functions.rnncli_step.restype = ctypes.c_int64
    functions.rnncli_update.restype = ctypes.c_double
    for name in ("rnncli_backward", "rnncli_sizes"):
        getattr(functions, name).restype = None
    index = 0
    while (raw := functions.rnncli_set_name(index)) is not None:
        name = raw.decode()
        here = functions.rnncli_set_runs_here(index)
        if here and wanted in ("", name):
            calls = ("forward", "backward", "sizes", "step", "update")
            return Library(name, index, *(getattr(functions, f"rnncli_{call}") for call in calls))
        index += 1
    raise UnavailableError(f"this processor has not the instruction set {wanted or 'avx2'}")
