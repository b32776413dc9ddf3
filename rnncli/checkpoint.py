"""Trained models and training states in safetensors, checked before they are believed.

A file is the safetensors format with one metadata key, ``rnncli``, holding JSON: format version, kind, contents, the
tensors' names, and the SHA-256 of all that and of the tensor bytes. No class or
function is ever looked up by a name from a file.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from rnncli.errors import CheckpointError, Place, ResourceError

FORMAT = 1
MODEL, STATE = "model", "training state"  # kinds of file
MODEL_FILE = "model.safetensors"
MAX_BYTES = 8 << 30
MAX_HEADER = 16 << 20
MAX_TENSORS = 4096
_DTYPES = {"F32", "F64", "I64", "U8"}

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Stored:
    """What a file holds: tensors and the JSON that goes with them."""

    kind: str
    content: dict[str, Any]
    tensors: Tensors


def model_path(run: Path) -> Path:
    """The model file of a run folder; a path to a file is taken as it is."""
    return run / MODEL_FILE if os.path.isdir(run) else run  # which is False for a name that is too long


def encode(kind: str, content: Mapping[str, Any], tensors: Tensors) -> bytes:
    """The bytes of a file; the same for the same input, always."""
    ordered = {name: np.asarray(tensors[name], order="C") for name in sorted(tensors)}
    listing = [[name, str(array.dtype), list(array.shape)] for name, array in ordered.items()]
    described = {"format": FORMAT, "kind": kind, "content": content, "tensors": listing}
    text = _text({**described, "sha256": _digest(described, ordered)})
    return bytes(save_tensors(ordered, metadata={"rnncli": text}))


def decode(raw: bytes, file: str, kind: str) -> Stored:
    """The content of a file, if everything about it is as it was written.

    Raises:
        CheckpointError: for anything else.
    """
    described = _described(raw, file)
    if described["kind"] != kind:
        raise _bad(file, f"holds a {described['kind']}, not a {kind}")
    try:
        tensors = load_tensors(raw)
    except (SafetensorError, ValueError, KeyError) as error:
        raise _bad(file, f"damaged: {error}") from None
    listing = [[name, str(array.dtype), list(array.shape)] for name, array in sorted(tensors.items())]
    if listing != described["tensors"]:
        raise _bad(file, "damaged: the tensors are not those that were saved")
    if _digest(described, dict(sorted(tensors.items()))) != described["sha256"]:
        raise _bad(file, "damaged: the checksum does not match")
    if not all(np.isfinite(array).all() for array in tensors.values()):
        raise _bad(file, "holds numbers that are not finite")
    return Stored(kind, described["content"], tensors)


def read(path: Path, kind: str) -> Stored:
    """Read and check a file.

    Raises:
        CheckpointError: if it is missing or not what was written.
        ResourceError: if it cannot be read.
    """
    hint = "is this a run folder of rnncli train?"
    try:
        raw = _bytes(path)
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError("no such file", hint, Place(str(path))) from None
    except IsADirectoryError:
        raise CheckpointError("is a folder", hint, Place(str(path))) from None
    except ValueError:
        raise CheckpointError("is not the name of a file", hint, Place(str(path))) from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENAMETOOLONG):
            raise CheckpointError(f"not a file: {error.strerror}", hint, Place(str(path))) from None
        raise ResourceError(f"cannot read: {error.strerror}", "look at its permissions", Place(str(path))) from None
    return decode(raw, str(path), kind)


def _bytes(path: Path) -> bytes:
    """The content of a file, which may be a pipe; of what cannot be safetensors, such as /dev/zero, the beginning."""
    with path.open("rb") as stream:
        if os.fstat(stream.fileno()).st_size > MAX_BYTES:
            raise _bad(str(path), f"larger than {MAX_BYTES:,} bytes")
        start = stream.read(8)
        if not 0 < int.from_bytes(start, "little") <= MAX_HEADER:
            return start + stream.read(64)
        if stream.seekable():  # so that nothing is held twice
            stream.seek(0)
            return stream.read()
        return start + stream.read()


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=True)


def _digest(described: Mapping[str, Any], tensors: Tensors) -> str:
    digest = hashlib.sha256(_text({key: described[key] for key in described if key != "sha256"}).encode())
    for array in tensors.values():
        digest.update(array.tobytes())
    return digest.hexdigest()


def _described(raw: bytes, file: str) -> dict[str, Any]:
    """The JSON in the header, after every check that needs no tensor."""
    header = _header(raw, file)
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or set(metadata) != {"rnncli"} or not isinstance(metadata["rnncli"], str):
        raise CheckpointError("not a model of rnncli", "rnncli train writes one", Place(file))
    end = 0
    for entry in sorted(header.values(), key=lambda entry: entry["data_offsets"]):
        if entry["dtype"] not in _DTYPES or entry["data_offsets"][0] != end:
            raise _bad(file, "damaged: tensors overlap or are of an unknown kind")
        end = entry["data_offsets"][1]
    described = _json(metadata["rnncli"], file)
    if type(described.get("format")) is not int or described["format"] < 1:
        raise _bad(file, "not a model of rnncli")
    if described["format"] > FORMAT:
        raise CheckpointError(f"format {described['format']} needs a newer rnncli", "upgrade rnncli", Place(file))
    if set(described) != {"format", "kind", "content", "tensors", "sha256"}:
        raise _bad(file, "damaged: its description is incomplete")
    if not isinstance(described["content"], dict):
        raise _bad(file, "damaged: its description says nothing")
    return described


def _header(raw: bytes, file: str) -> dict[str, Any]:
    if len(raw) < 8:
        raise _bad(file, f"truncated: {len(raw)} bytes")
    (size,) = struct.unpack("<Q", raw[:8])
    if (size > MAX_HEADER or size > len(raw) - 8) and (raw[:1] == b"\x80" or raw[:2] == b"PK"):
        raise CheckpointError("a pickle or zip, which is never loaded", "rnncli reads safetensors", Place(file))
    if size > MAX_HEADER or size > len(raw) - 8:
        raise _bad(file, "truncated, or not safetensors")
    count = raw.count(b'"data_offsets"', 8, 8 + size)
    if count > MAX_TENSORS:  # so many take seconds to parse
        raise _bad(file, f"{count:,} tensors")
    header = _json(raw[8 : 8 + size].decode(errors="replace"), file)
    valid = all(
        isinstance(entry, dict)
        and set(entry) == {"dtype", "shape", "data_offsets"}
        and isinstance(entry["dtype"], str)
        and _are_sizes(entry["shape"])
        and _are_sizes(entry["data_offsets"])
        and len(entry["data_offsets"]) == 2
        for name, entry in header.items()
        if name != "__metadata__"
    )
    if not valid:
        raise _bad(file, "damaged: not a safetensors header")
    return header


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _json(text: str, file: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a name twice")
        return found

    def refuse(name: str) -> None:
        raise ValueError(name)

    if len(text) > MAX_HEADER:
        raise _bad(file, "its description is too large")
    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise _bad(file, "damaged: its description is not JSON") from None
    if not isinstance(value, dict):
        raise _bad(file, "damaged: its description is not an object")
    return value


def _bad(file: str, message: str) -> CheckpointError:
    return CheckpointError(message, "restore it from a copy, or train again", Place(file))
