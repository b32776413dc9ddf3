"""A checkpoint comes back as it was written, or not at all."""

from __future__ import annotations

import copy
import errno
import io
import json
import os
import pickle
import stat
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as save_tensors

from rnncli import checkpoint, durable
from rnncli.config.document import Document
from rnncli.config.load import check
from rnncli.data.panel import Columns
from rnncli.data.scale import Scaler
from rnncli.errors import CheckpointError, ResourceError, RnncliError
from rnncli.trained import TrainedModel, build_network, load_model, model_bytes, network_tensors

CPU = torch.device("cpu")
CONTENT = {
    "config": {"seed": 1, "rate": 1e-05, "name": "Fluß", "limits": [None, 2.5]},
    "columns": {"targets": ["height", "width"], "labels": None, "wide": False},
    "counters": {"epoch": 12, "loss": 0.25, "on": True},
}
TENSORS = {
    "network.weight": np.linspace(-1, 1, 320, dtype=np.float32).reshape(20, 16),
    "scaler.centre": np.array([[0.1, 1e300]]),
    "flags": np.array([0, 1, 255], dtype=np.uint8),
    "updates": np.array(7, dtype=np.int64),
    "empty": np.zeros((0, 3), dtype=np.float32),
}
RAW = checkpoint.encode(checkpoint.STATE, CONTENT, TENSORS)


def decode(raw: bytes) -> checkpoint.Stored:
    """What is in the bytes of a training state."""
    return checkpoint.decode(raw, "last.safetensors", checkpoint.STATE)


def header_of(raw: bytes) -> dict[str, Any]:
    """The header of a safetensors file."""
    return json.loads(raw[8 : 8 + struct.unpack("<Q", raw[:8])[0]])


def with_header(header: Any, body: bytes) -> bytes:
    """A safetensors file of a header, given as JSON or as its value, and a body."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def body_of(raw: bytes) -> bytes:
    """What comes after the header."""
    return raw[8 + struct.unpack("<Q", raw[:8])[0] :]


def forged(change: Callable[[dict[str, Any]], object], raw: bytes = RAW) -> bytes:
    """The file with its header changed in place."""
    header = header_of(raw)
    change(header)
    return with_header(header, body_of(raw))


def described(change: Callable[[dict[str, Any]], object], raw: bytes = RAW) -> bytes:
    """The file with the JSON in its metadata changed in place."""
    header = header_of(raw)
    value = json.loads(header["__metadata__"]["rnncli"])
    change(value)
    header["__metadata__"]["rnncli"] = json.dumps(value)
    return with_header(header, body_of(raw))


def assert_same(stored: checkpoint.Stored, content: Any = CONTENT, tensors: checkpoint.Tensors = TENSORS) -> None:
    """What was read is what was written, to the bit."""
    assert stored.content == content
    assert stored.tensors.keys() == tensors.keys()
    for name, array in tensors.items():
        found = stored.tensors[name]
        assert (found.dtype, found.shape, found.tobytes()) == (array.dtype, array.shape, array.tobytes()), name


def refused(raw: bytes) -> CheckpointError:
    """The error for bytes that are no checkpoint."""
    with pytest.raises(CheckpointError) as caught:
        decode(raw)
    assert caught.value.problems[0].place.file == "last.safetensors"
    return caught.value


# --- round trip


def test_round_trip() -> None:
    assert_same(decode(RAW))


finite = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | finite | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)
arrays = st.builds(
    lambda dtype, shape, seed: np.random.default_rng(seed).integers(0, 200, shape).astype(dtype),
    st.sampled_from([np.float32, np.float64, np.int64, np.uint8]),
    st.lists(st.integers(0, 4), max_size=3),
    st.integers(0, 2**32),
)
names = st.text(st.characters(codec="utf-8"), max_size=8).filter(lambda name: name != "__metadata__")


@given(
    st.dictionaries(st.text(st.characters(codec="utf-8")), plain, max_size=3),
    st.dictionaries(names, arrays, max_size=4),
)
@settings(deadline=None, max_examples=150)
def test_round_trip_of_anything(content: dict[str, Any], tensors: checkpoint.Tensors) -> None:
    raw = checkpoint.encode(checkpoint.STATE, content, tensors)
    assert_same(decode(raw), content, tensors)
    assert checkpoint.encode(checkpoint.STATE, content, tensors) == raw


def test_round_trip_of_every_kind_of_float() -> None:
    values = np.array([0.0, -0.0, 5e-324, 1.7976931348623157e308, 1 / 3, np.float64(np.float32(0.1))])
    content = {"values": values.tolist(), "large": 2**62 + 1}
    stored = decode(checkpoint.encode(checkpoint.STATE, content, {"values": values}))
    assert_same(stored, content, {"values": values})
    assert np.array(stored.content["values"]).tobytes() == values.tobytes()


def test_no_length_of_the_header_looks_like_a_pickle_or_zip() -> None:
    """A file begins with that length: its first byte may be that of a pickle, its first two those of a zip."""
    starts = set()
    for length in [*range(0, 300, 4), *range(18_400, 19_000, 4)]:
        raw = checkpoint.encode(checkpoint.STATE, {"text": "x" * length}, TENSORS)
        starts.add(raw[:2])
        assert decode(raw).content == {"text": "x" * length}
    assert b"PK" in starts
    assert any(start[:1] == b"\x80" for start in starts)


def test_arrays_that_are_not_contiguous_are_saved_as_they_look() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    stored = decode(checkpoint.encode(checkpoint.STATE, {}, {"turned": array.T, "every second": array[:, ::2]}))
    np.testing.assert_array_equal(stored.tensors["turned"], array.T)
    np.testing.assert_array_equal(stored.tensors["every second"], array[:, ::2])


def test_bytes_do_not_depend_on_order_or_process() -> None:
    backwards = {name: TENSORS[name] for name in reversed(TENSORS)}
    assert checkpoint.encode(checkpoint.STATE, dict(reversed(CONTENT.items())), backwards) == RAW
    code = (
        "import sys, pickle; from rnncli import checkpoint;"
        "sys.stdout.buffer.write(checkpoint.encode(*pickle.load(sys.stdin.buffer)))"
    )
    for seed in ("0", "1"):
        again = subprocess.run(
            [sys.executable, "-c", code],
            input=pickle.dumps((checkpoint.STATE, CONTENT, TENSORS)),
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        assert again.stdout == RAW


def test_numbers_that_are_not_finite_are_never_written_into_the_description() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        checkpoint.encode(checkpoint.STATE, {"loss": float("nan")}, {})


def test_the_file_is_safetensors_that_others_can_read() -> None:
    from safetensors.numpy import load

    assert load(RAW).keys() == TENSORS.keys()
    assert set(header_of(RAW)["__metadata__"]) == {"rnncli"}


# --- damages


def test_every_truncation_is_refused() -> None:
    assert 2000 < len(RAW) < 5000
    for length in range(len(RAW)):
        refused(RAW[:length])


@pytest.mark.parametrize("bit", range(8))
def test_every_flipped_bit_is_refused(bit: int) -> None:
    """Or it changes nothing, as that which makes an ``e`` of a number an ``E``."""
    for position in range(len(RAW)):
        raw = bytearray(RAW)
        raw[position] ^= 1 << bit
        try:
            stored = decode(bytes(raw))
        except CheckpointError:
            continue
        assert_same(stored)


@given(st.integers(0, len(RAW) - 1), st.integers(1, 255))
@settings(deadline=None, max_examples=500)
def test_every_changed_byte_is_refused(position: int, difference: int) -> None:
    raw = bytearray(RAW)
    raw[position] ^= difference
    try:
        stored = decode(bytes(raw))
    except CheckpointError:
        return
    assert_same(stored)


@given(st.integers(0, len(RAW)), st.binary(max_size=40), st.integers(0, 40))
@settings(deadline=None, max_examples=500)
def test_bytes_put_in_place_of_others_are_refused(position: int, inserted: bytes, removed: int) -> None:
    raw = RAW[:position] + inserted + RAW[position + removed :]
    if raw != RAW:
        try:
            stored = decode(raw)
        except CheckpointError:
            return
        assert_same(stored)


@pytest.mark.parametrize("extra", [b"\0", b" ", b"{}", RAW])
def test_trailing_bytes_are_refused(extra: bytes) -> None:
    refused(RAW + extra)


@pytest.mark.parametrize("length", [0, 1, 2**24 + 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, len(RAW) - 7])
def test_a_false_header_length_is_refused(length: int) -> None:
    refused(struct.pack("<Q", length) + RAW[8:])


# --- forgery


class Canary:
    """Whoever unpickles it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def pickled(canary: Canary) -> bytes:
    return pickle.dumps({"state": canary})


def pickled_with_protocol_0(canary: Canary) -> bytes:
    return pickle.dumps({"state": canary}, protocol=0)


def torch_saved(canary: Canary) -> bytes:
    stream = io.BytesIO()
    torch.save({"state": canary, "weight": torch.zeros(2)}, stream)
    return stream.getvalue()


def torch_saved_in_the_old_way(canary: Canary) -> bytes:
    stream = io.BytesIO()
    torch.save({"state": canary}, stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


def zipped(canary: Canary) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.pkl", pickled(canary) + bytes(10**6))
    return stream.getvalue()


@pytest.mark.parametrize("make", [pickled, pickled_with_protocol_0, torch_saved, torch_saved_in_the_old_way, zipped])
def test_a_pickle_or_zip_is_never_loaded(tmp_path: Path, make: Callable[[Canary], bytes]) -> None:
    canary = tmp_path / "canary"
    raw = make(Canary(canary))
    assert not canary.exists()
    error = refused(raw)
    (tmp_path / "model.safetensors").write_bytes(raw)
    with pytest.raises(CheckpointError):
        load_model(tmp_path, CPU)
    assert not canary.exists()
    if make is not pickled_with_protocol_0:  # which is text, and looks like any other damage
        assert "never loaded" in str(error)
    pickle.loads(pickled(Canary(canary)))
    assert canary.exists()  # so the canary does sing


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}, {"format": "pt", "rnncli": "{}"}])
def test_foreign_safetensors_are_told_from_ours(metadata: dict[str, str] | None) -> None:
    assert "not a model of rnncli" in str(refused(save_tensors(TENSORS, metadata=metadata)))


DEEP = 100_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "1",
        '"text"',
        "{}",
        "NaN",
        '{"format": NaN}',
        '{"format": 1, "content": {"x": Infinity}}',
        '{"format": 1, "format": 1}',
        "[" * DEEP + "]" * DEEP,
        '{"a":' * DEEP + "1" + "}" * DEEP,
        '{"format": ' + "9" * 5000 + "}",
        '{"format": "1"}',
        '{"format": 1.0}',
        '{"format": null}',
        "\0",
        "\ud800",
    ],
    ids=lambda text: ascii(text[:30]),
)
def test_metadata_that_is_not_our_json_is_refused(text: str) -> None:
    refused(forged(lambda header: header["__metadata__"].update(rnncli=text)))


@pytest.mark.parametrize("value", [None, 5, 1.5, True, [], ["{}"], {}, {"a": 1}])
def test_metadata_that_is_no_text_is_refused(value: Any) -> None:
    refused(forged(lambda header: header["__metadata__"].update(rnncli=value)))
    refused(forged(lambda header: header.update(__metadata__=value)))


@pytest.mark.parametrize("name", ["format", "kind", "content", "tensors", "sha256"])
@pytest.mark.parametrize("value", ["gone", None, True, -1, 0, 1.0, "", "1", [], {}, [[]], {"a": []}])
def test_a_description_with_a_false_part_is_refused(name: str, value: Any) -> None:
    refused(described(lambda found: found.pop(name) if value == "gone" else found.update({name: value})))


def test_a_description_with_a_further_part_is_refused() -> None:
    refused(described(lambda found: found.update(module="os.system")))


def test_changed_content_is_refused() -> None:
    """The checksum is over all that is believed, not the weights alone."""
    refused(described(lambda found: found["content"]["config"].update(seed=2)))
    refused(described(lambda found: found["content"]["counters"].update(epoch=13)))
    refused(described(lambda found: found["content"].update(more=1)))


def test_a_newer_format_asks_for_a_newer_rnncli() -> None:
    error = refused(described(lambda found: found.update(format=checkpoint.FORMAT + 1)))
    assert f"format {checkpoint.FORMAT + 1} needs a newer rnncli" in str(error)
    assert "upgrade" in str(error)
    error = refused(described(lambda found: (found.update(format=99), found.pop("sha256"), found.update(novel=1))))
    assert "needs a newer rnncli" in str(error)


def test_kinds_are_told_apart() -> None:
    with pytest.raises(CheckpointError, match="holds a training state, not a model"):
        checkpoint.decode(RAW, "model.safetensors", checkpoint.MODEL)


def lone(**entry: Any) -> Callable[[dict[str, Any]], object]:
    """Change the entry of the tensor ``flags``."""
    return lambda header: header["flags"].update(entry)


@pytest.mark.parametrize(
    "change",
    [
        lone(data_offsets=[0, 3]),
        lone(data_offsets=[3, 0]),
        lone(data_offsets=[-3, 0]),
        lone(data_offsets=[0, 2**63]),
        lone(data_offsets=[0, 2**70]),
        lone(data_offsets=[0.0, 3.0]),
        lone(data_offsets=[True, False]),
        lone(data_offsets=[]),
        lone(data_offsets=[0, 3, 6]),
        lone(data_offsets="03"),
        lone(data_offsets=None),
        lone(shape=[2]),
        lone(shape=[3, 1]),
        lone(shape=[-3]),
        lone(shape=[0, 2**62]),
        lone(shape=[2**62, 2**62]),
        lone(shape=None),
        lone(shape=3),
        lone(dtype="I8"),
        lone(dtype="BF16"),
        lone(dtype="F8_E4M3"),
        lone(dtype="object"),
        lone(dtype=""),
        lone(dtype=None),
        lone(dtype=[]),
        lone(dtype={}),
        lone(dtype=1),
        lone(more=1),
        lambda header: header["flags"].pop("shape"),
        lambda header: header.update(flags=[]),
        lambda header: header.update(flags=None),
        lambda header: header.pop("flags"),
        lambda header: header.update(another=header.pop("flags")),
        lambda header: header.update(another=dict(header["flags"])),
        lambda header: header.update(another={"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}),
        lambda header: header.update(another={"dtype": "F32", "shape": [0, 2**62], "data_offsets": [0, 0]}),
        lambda header: header.pop("__metadata__"),
        lambda header: header.clear(),
    ],
)
def test_a_forged_header_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    refused(forged(change))


@pytest.mark.parametrize("shape", [[0, 2**62], [2**62, 0], [0, 2**31, 2**31], [2**63, 0], [0, -1]])
def test_an_impossible_shape_is_refused_even_if_it_is_announced(shape: list[int]) -> None:
    """Nothing is allocated for it, and numpy's own error does not come through."""

    def change(header: dict[str, Any]) -> None:
        header["empty"]["shape"] = shape
        value = json.loads(header["__metadata__"]["rnncli"])
        value["tensors"] = [[name, kind, shape if name == "empty" else was] for name, kind, was in value["tensors"]]
        header["__metadata__"]["rnncli"] = json.dumps(value)

    refused(forged(change))


def test_a_name_twice_is_refused() -> None:
    header = json.dumps(header_of(RAW))
    entry = json.dumps({"flags": header_of(RAW)["flags"]})[1:-1]
    refused(with_header(f"{header[:-1]}, {entry}}}".encode(), body_of(RAW)))


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b"{", b"{}x", b'{"a": NaN}', b"\xff\xfe", b"[" * DEEP, b'{"\xed\xa0\x80":1}']
)
def test_a_header_that_is_not_json_is_refused(text: bytes) -> None:
    refused(with_header(text, b""))


def test_too_many_tensors_are_refused() -> None:
    entries = {f"t{number}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for number in range(20_000)}
    assert "20,000 tensors" in str(refused(with_header({**entries, "__metadata__": {"rnncli": "{}"}}, b"")))


def test_a_huge_header_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "loads", lambda *unused, **more: pytest.fail("parsed"))
    refused(with_header(b'{"a":"' + b"x" * checkpoint.MAX_HEADER + b'"}', b""))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tensors_that_are_not_finite_are_refused(value: float, dtype: type) -> None:
    raw = checkpoint.encode(checkpoint.STATE, {}, {"weight": np.array([1.0, value], dtype=dtype)})
    assert "not finite" in str(refused(raw))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
offsets = st.lists(st.integers(-1, 80) | st.sampled_from([2**31, 2**62, 2**63, 2**64]) | json_values, max_size=3)
entries = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F32", "F64", "I64", "U8", "BOOL", "F16"]) | json_values,
        "shape": offsets | json_values,
        "data_offsets": offsets | json_values,
    },
)


@given(st.binary(max_size=200), st.binary(max_size=20))
@example(b"{}", b"")
@settings(deadline=None, max_examples=300)
def test_any_header_bytes_are_refused(header: bytes, body: bytes) -> None:
    refused(with_header(header, body))
    refused(header + body)


@given(st.sampled_from([*TENSORS, "another"]), entries | json_values)
@settings(deadline=None, max_examples=500)
def test_any_entry_in_the_header_is_refused(name: str, entry: Any) -> None:
    if entry != header_of(RAW).get(name):
        refused(forged(lambda header: header.update({name: entry})))


@given(st.sampled_from(["format", "kind", "content", "tensors", "sha256"]), json_values)
@settings(deadline=None, max_examples=300)
def test_any_value_in_the_description_is_refused(name: str, value: Any) -> None:
    refused(described(lambda found: found.update({name: value})))


# --- models

SETTINGS = {
    "data": {"path": "waves.csv", "time": "day", "target": "height"},
    "window": {"context": 6},
    "task": {"kind": "forecasting", "horizon": 2},
    "model": {"cell": "lstm", "hidden_size": 3, "num_layers": 2},
}


@pytest.fixture(scope="module")
def trained() -> TrainedModel:
    """A model, as far as files are concerned."""
    config = check(Document(SETTINGS, {}))
    columns = Columns(targets=("height",), time="day", frequency="1", season=7)
    ones = np.ones((1, 1))
    scaler = Scaler(config.scale, "none", 1, ((),), centre=ones, spread=ones * 2, deviation=ones, seasonal_error=ones)
    return TrainedModel(config, columns, scaler, build_network(config, columns, 3))


@pytest.fixture
def raw_model(trained: TrainedModel) -> bytes:
    """The bytes of its file."""
    return model_bytes(trained.config, trained.columns, trained.scaler, network_tensors(trained.network))


def remade(raw: bytes, content: Any = None, tensors: checkpoint.Tensors | None = None) -> bytes:
    """A model file with other content or tensors and a checksum that fits: a forger's, not a damaged one."""
    stored = checkpoint.decode(raw, "model.safetensors", checkpoint.MODEL)
    return checkpoint.encode(
        checkpoint.MODEL, stored.content if content is None else content, stored.tensors if tensors is None else tensors
    )


def load(folder: Path, raw: bytes) -> TrainedModel:
    """The model in these bytes."""
    (folder / "model.safetensors").write_bytes(raw)
    return load_model(folder, CPU)


def test_a_model_comes_back_whole(tmp_path: Path, trained: TrainedModel, raw_model: bytes) -> None:
    found = load(tmp_path, raw_model)
    assert (found.config, found.columns) == (trained.config, trained.columns)
    assert found.scaler.ids == trained.scaler.ids
    for name in ("centre", "spread", "deviation", "seasonal_error"):
        np.testing.assert_array_equal(getattr(found.scaler, name), getattr(trained.scaler, name))
    for name, tensor in trained.network.state_dict().items():
        assert torch.equal(found.network.state_dict()[name], tensor), name
    by_file = load_model(tmp_path / "model.safetensors", CPU)
    assert torch.equal(by_file.network.state_dict()[name], tensor)


def test_an_undefined_seasonal_error_comes_back_undefined(tmp_path: Path, trained: TrainedModel) -> None:
    from dataclasses import replace

    scaler = replace(trained.scaler, seasonal_error=np.array([[np.nan]]))
    raw = model_bytes(trained.config, trained.columns, scaler, network_tensors(trained.network))
    assert np.isnan(load(tmp_path, raw).scaler.seasonal_error).all()


WEIGHT = "network.backbone.weight_hh_l0"


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop(WEIGHT),
        lambda tensors: tensors.update({"network.backbone.weight_hh_l2": tensors[WEIGHT]}),
        lambda tensors: tensors.update({"network.more": tensors[WEIGHT]}),
        lambda tensors: tensors.update({WEIGHT: tensors[WEIGHT].T.copy()}),
        lambda tensors: tensors.update({WEIGHT: tensors[WEIGHT][:, :2].copy()}),
        lambda tensors: tensors.update({WEIGHT: tensors[WEIGHT].ravel()}),
        lambda tensors: tensors.update({WEIGHT: tensors[WEIGHT][None]}),
        lambda tensors: tensors.update({WEIGHT: tensors[WEIGHT].astype(np.float64)}),
        lambda tensors: tensors.update({WEIGHT: tensors[WEIGHT].astype(np.int64)}),
        lambda tensors: tensors.update({WEIGHT: np.zeros((0, 3), np.float32)}),
        lambda tensors: tensors.update({"more": tensors[WEIGHT]}),
        lambda tensors: tensors.update({"../../more": tensors[WEIGHT]}),
        lambda tensors: tensors.update({"best.more": tensors[WEIGHT]}),
        lambda tensors: tensors.update({"scaler.more": tensors["scaler.centre"]}),
        lambda tensors: tensors.pop("scaler.centre"),
        lambda tensors: tensors.pop("scaler.seasonal_error"),
        lambda tensors: tensors.update({"scaler.centre": tensors["scaler.centre"].astype(np.float32)}),
        lambda tensors: tensors.update({"scaler.centre": np.ones((1, 2))}),
        lambda tensors: tensors.update({"scaler.spread": np.ones((2, 1))}),
        lambda tensors: tensors.update({"scaler.spread": np.ones(1)}),
        lambda tensors: tensors.update({"scaler.deviation": np.ones((1, 1, 1))}),
        lambda tensors: tensors.update({"scaler.seasonal_error": np.ones((0, 1))}),
        lambda tensors: tensors.clear(),
    ],
)
def test_tensors_must_be_exactly_those_of_the_config(
    tmp_path: Path, raw_model: bytes, change: Callable[[checkpoint.Tensors], object]
) -> None:
    tensors = dict(checkpoint.decode(raw_model, "", checkpoint.MODEL).tensors)
    change(tensors)
    with pytest.raises(CheckpointError) as caught:
        load(tmp_path, remade(raw_model, tensors=tensors))
    assert caught.value.problems[0].place.file == str(tmp_path / "model.safetensors")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a JSON document, inner ones too."""
    yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from leaves(item, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with the value at `path` replaced."""
    if not path:
        return new
    changed = copy.copy(value)
    changed[path[0]] = replaced(value[path[0]], path[1:], new)
    return changed


def test_content_of_the_wrong_type_is_refused(tmp_path: Path, raw_model: bytes) -> None:
    """Whatever stands wherever: an error with the file's name, or a model."""
    content = checkpoint.decode(raw_model, "", checkpoint.MODEL).content
    for path in leaves(content):
        for wrong in (None, True, 7, 1.5, "text", [], [7], {}, {"a": 1}):
            try:
                found = load(tmp_path, remade(raw_model, content=replaced(content, path, wrong)))
            except CheckpointError:
                continue
            assert isinstance(found, TrainedModel)
            assert {type(part) for part in (found.columns.targets, found.columns.series)} == {tuple}, (path, wrong)
            assert all(isinstance(name, str) for name in found.columns.values), (path, wrong)
            assert isinstance(found.columns.season, int), (path, wrong)
            assert all(isinstance(part, str) for key in found.scaler.ids for part in key), (path, wrong)


def test_a_key_that_this_rnncli_does_not_know_is_named(tmp_path: Path, raw_model: bytes) -> None:
    content = checkpoint.decode(raw_model, "", checkpoint.MODEL).content
    for section, key in (("model", "novel"), ("training", "novel")):
        more = {**content["config"][section], key: 1}
        with pytest.raises(CheckpointError, match=f"{section}.{key}: unknown key"):
            load(tmp_path, remade(raw_model, content=replaced(content, ("config", section), more)))
    with pytest.raises(CheckpointError, match="novel: unknown key"):
        load(tmp_path, remade(raw_model, content={**content, "config": {**content["config"], "novel": 1}}))


def test_content_with_a_part_missing_is_refused(tmp_path: Path, raw_model: bytes) -> None:
    content = checkpoint.decode(raw_model, "", checkpoint.MODEL).content
    for part in content:
        with pytest.raises(CheckpointError):
            load(tmp_path, remade(raw_model, content={key: value for key, value in content.items() if key != part}))
    for key in content["scaler"]:
        short = {name: value for name, value in content["scaler"].items() if name != key}
        with pytest.raises(CheckpointError):
            load(tmp_path, remade(raw_model, content={**content, "scaler": short}))


@pytest.mark.parametrize("name", ["os.system", "__import__('os')", "../../etc", "rnncli.errors.CheckpointError"])
@pytest.mark.parametrize("key", [("model", "cell"), ("task", "kind"), ("training", "optimizer"), ("scale", "kind")])
def test_no_name_in_a_file_is_looked_up(tmp_path: Path, raw_model: bytes, key: tuple[str, str], name: str) -> None:
    content = checkpoint.decode(raw_model, "", checkpoint.MODEL).content
    with pytest.raises(CheckpointError):
        load(tmp_path, remade(raw_model, content=replaced(content, ("config", *key), name)))


def test_a_model_of_another_task_is_refused(tmp_path: Path, raw_model: bytes) -> None:
    content = checkpoint.decode(raw_model, "", checkpoint.MODEL).content
    with pytest.raises(CheckpointError):
        load(tmp_path, remade(raw_model, content=replaced(content, ("config", "task"), {"kind": "classification"})))


def test_a_config_far_larger_than_its_weights_is_refused_without_building_it(
    tmp_path: Path, raw_model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 layers of 65,536 would be eight terabytes."""
    drawn: list[int] = []
    uniform = torch.nn.init.uniform_

    def count(tensor: torch.Tensor, *arguments: Any, **options: Any) -> torch.Tensor:
        drawn.append(tensor.numel() if tensor.device.type != "meta" else 0)
        if sum(drawn) > 10**6:
            raise AssertionError(f"{sum(drawn)} numbers drawn")
        return uniform(tensor, *arguments, **options)

    monkeypatch.setattr(torch.nn.init, "uniform_", count)
    content = checkpoint.decode(raw_model, "", checkpoint.MODEL).content
    raw = remade(raw_model, content=replaced(content, ("config", "model", "hidden_size"), 2000))
    with pytest.raises(CheckpointError):
        load(tmp_path, raw)


# --- reading and writing


def test_reading_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(RAW)
    for path in (tmp_path / "last.safetensors", tmp_path / "file" / "last.safetensors"):
        with pytest.raises(CheckpointError, match="no such file"):
            checkpoint.read(path, checkpoint.STATE)
    with pytest.raises(CheckpointError, match="is a folder"):
        checkpoint.read(tmp_path, checkpoint.STATE)


def test_a_file_larger_than_the_cap_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    path.touch()
    os.truncate(path, checkpoint.MAX_BYTES + 1)
    with pytest.raises(CheckpointError, match="larger than"):
        checkpoint.read(path, checkpoint.STATE)


def test_a_file_that_may_not_be_read_is_a_matter_of_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.safetensors"
    path.write_bytes(RAW)

    def denied(self: Path, mode: str) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(ResourceError, match="cannot read: Permission denied"):
        checkpoint.read(path, checkpoint.STATE)


def test_writing_and_reading(tmp_path: Path) -> None:
    path, previous = tmp_path / "last.safetensors", tmp_path / "prev.safetensors"
    older = checkpoint.encode(checkpoint.STATE, {"older": True}, {})
    durable.write(path, older, previous)
    assert (path.read_bytes(), previous.exists()) == (older, False)
    durable.write(path, RAW, previous)
    assert (path.read_bytes(), previous.read_bytes()) == (RAW, older)
    assert_same(checkpoint.read(path, checkpoint.STATE))
    assert {found.name for found in tmp_path.iterdir()} == {"last.safetensors", "prev.safetensors"}


def test_a_generation_that_is_the_last_one_already_leaves_nothing_behind(tmp_path: Path) -> None:
    """So a process killed between its two renames leaves them; renaming a file to itself does nothing."""
    path, previous = tmp_path / "last.safetensors", tmp_path / "prev.safetensors"
    path.write_bytes(b"old")
    os.link(path, previous)
    durable.write(path, RAW, previous)
    assert (path.read_bytes(), previous.read_bytes()) == (RAW, b"old")
    assert {found.name for found in tmp_path.iterdir()} == {"last.safetensors", "prev.safetensors"}


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o027, 0o000])
def test_the_mode_honours_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        durable.write(tmp_path / "model.safetensors", RAW)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model.safetensors").stat().st_mode) == 0o666 & ~umask


def test_the_order_of_a_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new bytes are on the disk before they get their name, and the name before the write is over."""
    path, previous = tmp_path / "last.safetensors", tmp_path / "prev.safetensors"
    path.write_bytes(b"old")
    log: list[str] = []

    opened: dict[int, str] = {}

    def told(path: Any) -> str:
        name = opened[path] if isinstance(path, int) else os.fspath(path)
        if name == str(tmp_path):
            return "folder"
        return "temporary" if durable.TEMPORARY in name else Path(name).name

    def watched(name: str) -> None:
        real = getattr(os, name)

        def function(*arguments: Any, **options: Any) -> Any:
            if name == "fsync" and told(arguments[0]) == "temporary":
                assert os.fstat(arguments[0]).st_size == len(RAW)  # nothing is left in Python's buffer
            result = real(*arguments, **options)
            if name == "open":
                opened[result] = os.fspath(arguments[0])
            else:
                log.append(" ".join([name, *map(told, arguments[:2])]))
            return result

        monkeypatch.setattr(os, name, function)

    for name in ("open", "fsync", "link", "replace", "rename"):
        watched(name)
    durable.write(path, RAW, previous)
    assert log == [
        "fsync temporary",
        "link last.safetensors temporary",
        "replace temporary prev.safetensors",
        "replace temporary last.safetensors",
        "fsync folder",
    ]


def test_a_temporary_file_is_never_followed_or_shared(tmp_path: Path) -> None:
    """Someone's link under the temporary name is not written through."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    path = tmp_path / "last.safetensors"
    (tmp_path / f"{durable.TEMPORARY}{os.getpid()}-{path.name}").symlink_to(precious)
    with pytest.raises(ResourceError):
        durable.write(path, RAW)
    assert precious.read_text() == "mine"
    assert not path.exists()


def test_a_link_at_the_path_is_replaced_and_not_its_target(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "last.safetensors"
    target.write_text("mine")
    path.symlink_to(target)
    durable.write(path, RAW, tmp_path / "prev.safetensors")
    assert target.read_text() == "mine"
    assert not path.is_symlink()
    assert path.read_bytes() == RAW


def test_a_folder_at_the_path_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").mkdir()
    with pytest.raises(ResourceError, match=r"model\.safetensors: cannot write"):
        durable.write(tmp_path / "model.safetensors", RAW)
    assert [found.name for found in tmp_path.iterdir()] == ["model.safetensors"]


def test_clean_removes_temporary_files_alone(tmp_path: Path) -> None:
    for name in (f"{durable.TEMPORARY}1-last.safetensors", f"{durable.TEMPORARY}2-x", "last.safetensors", "mine"):
        (tmp_path / name).touch()
    durable.clean(tmp_path)
    assert {found.name for found in tmp_path.iterdir()} == {"last.safetensors", "mine"}


def test_errors_have_the_exit_code_of_checkpoints() -> None:
    error = refused(b"")
    assert isinstance(error, RnncliError)
    assert (error.exit_code, error.kind) == (4, "checkpoint")
