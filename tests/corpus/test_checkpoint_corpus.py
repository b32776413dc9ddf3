"""Files that pose as a model, a training state or the metrics of a run: each is refused by name, and none is run."""

from __future__ import annotations

import copy
import errno
import io
import json
import os
import pickle
import shutil
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bad_input import READERS
from command_line import process
from safetensors.numpy import save as save_tensors

from rnncli import checkpoint

Change = Callable[[dict[str, Any]], object]


def header_of(raw: bytes) -> dict[str, Any]:
    """The header of a safetensors file."""
    return json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])


def with_header(header: Any, body: bytes) -> bytes:
    """A safetensors file of a header, given as JSON or as its value, and a body."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def forged(raw: bytes, change: Change) -> bytes:
    """The file with its header changed in place."""
    header = header_of(raw)
    change(header)
    return with_header(header, raw[8 + int.from_bytes(raw[:8], "little") :])


def described(raw: bytes, change: Change) -> bytes:
    """The file with the JSON in its metadata changed in place."""

    def changed(header: dict[str, Any]) -> None:
        value = json.loads(header["__metadata__"]["rnncli"])
        change(value)
        header["__metadata__"]["rnncli"] = json.dumps(value)

    return forged(raw, changed)


def remade(raw: bytes, content: Change | None = None, tensors: Change | None = None) -> bytes:
    """The file with other content or tensors and a checksum that fits: a forger's, not a damaged one."""
    stored = checkpoint.decode(raw, "", checkpoint.MODEL)
    said, arrays = copy.deepcopy(stored.content), dict(stored.tensors)
    if content:
        content(said)
    if tensors:
        tensors(arrays)
    return checkpoint.encode(checkpoint.MODEL, said, arrays)


WEIGHT = "network.backbone.weight_hh_l0"


def entry(**parts: Any) -> Callable[[bytes], bytes]:
    """Change the entry of a weight in the header."""
    return lambda raw: forged(raw, lambda header: header[WEIGHT].update(parts))


def flipped(raw: bytes) -> bytes:
    """The file with a bit of its last tensor changed."""
    return raw[:-1] + bytes([raw[-1] ^ 1])


def reversed_offsets(header: dict[str, Any]) -> None:
    """Tensors that end before they begin."""
    header[WEIGHT]["data_offsets"].reverse()


def hole(header: dict[str, Any]) -> None:
    """Four bytes that belong to no tensor."""
    for name, value in header.items():
        if name != "__metadata__":
            value["data_offsets"] = [offset + 4 for offset in value["data_offsets"]]


def twice(raw: bytes) -> bytes:
    """A tensor twice in the header."""
    header = json.dumps(header_of(raw))
    again = json.dumps({WEIGHT: header_of(raw)[WEIGHT]})[1:-1]
    return with_header(f"{header[:-1]}, {again}}}".encode(), raw[8 + int.from_bytes(raw[:8], "little") :])


def many(raw: bytes) -> bytes:
    """200,000 tensors."""
    entries = ",".join(f'"t{number}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for number in range(200_000))
    return with_header(f'{{{entries},"__metadata__":{{"rnncli":"{{}}"}}}}'.encode(), b"")


class Canary:
    """Whoever unpickles it creates a folder."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("canary",)


def torch_saved(value: Any, **options: Any) -> bytes:
    """What torch.save writes."""
    stream = io.BytesIO()
    torch.save(value, stream, **options)
    return stream.getvalue()


def zipped(content: bytes) -> bytes:
    """A zip of a pickle."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.pkl", content)
    return stream.getvalue()


NEVER = "never loaded"
# what stands in place of model.safetensors, made of a good one; words of the error
FILES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda raw: b"", "truncated: 0 bytes"),
    "7 bytes": (lambda raw: raw[:7], "truncated: 7 bytes"),
    "header length 0": (lambda raw: bytes(8) + raw[8:], "damaged"),
    "header length 2^63": (lambda raw: struct.pack("<Q", 2**63) + raw[8:], "truncated, or not safetensors"),
    "half a header": (lambda raw: raw[:200], "truncated, or not safetensors"),
    "half a body": (lambda raw: raw[:-20], "damaged"),
    "a trailing byte": (lambda raw: raw + b"\0", "damaged"),
    "itself twice": (lambda raw: raw + raw, "damaged"),
    "a header that is not JSON": (lambda raw: with_header(b"{", b""), "not JSON"),
    "a header that is a list": (lambda raw: with_header(b"[]", b""), "not an object"),
    "a header nested 100,000 deep": (lambda raw: with_header(b"[" * 100_000, b""), "not JSON"),
    "overlapping tensors": (entry(data_offsets=[0, 4]), "damaged"),
    "a hole between tensors": (lambda raw: forged(raw, hole), "damaged"),
    "reversed offsets": (lambda raw: forged(raw, reversed_offsets), "damaged"),
    "offsets below zero": (entry(data_offsets=[-4, 0]), "damaged"),
    "offsets beyond 2^63": (entry(data_offsets=[0, 2**70]), "damaged"),
    "shape [0, 2^62]": (entry(shape=[0, 2**62]), "damaged"),
    "shape [2^62, 2^62]": (entry(shape=[2**62, 2**62]), "damaged"),
    "an unknown dtype": (entry(dtype="object"), "unknown kind"),
    "bf16 weights": (entry(dtype="BF16"), "unknown kind"),
    "a duplicate tensor": (twice, "not JSON"),
    "200k tensors": (many, "200,000 tensors"),
    "a bit flip in the body": (flipped, "checksum does not match"),
    "metadata absent": (lambda raw: forged(raw, lambda header: header.pop("__metadata__")), "not a model of rnncli"),
    "a file of another library": (lambda raw: save_tensors({"a": np.zeros(3)}), "not a model of rnncli"),
    "a file of Hugging Face": (lambda raw: save_tensors({"a": np.zeros(3)}, {"format": "pt"}), "not a model of rnncli"),
    "metadata not JSON": (
        lambda raw: forged(raw, lambda header: header["__metadata__"].update(rnncli="{")), "not JSON"
    ),
    "metadata NaN": (
        lambda raw: forged(raw, lambda header: header["__metadata__"].update(rnncli='{"format": NaN}')), "not JSON"
    ),
    "metadata of 50 MB": (
        lambda raw: forged(raw, lambda header: header["__metadata__"].update(rnncli="x" * 50_000_000)),
        "truncated, or not safetensors",
    ),
    "metadata that is a number": (lambda raw: forged(raw, lambda header: header.update(__metadata__=5)), "not a model"),
    "a future format": (lambda raw: described(raw, lambda value: value.update(format=99)), "upgrade rnncli"),
    "format 0": (lambda raw: described(raw, lambda value: value.update(format=0)), "not a model of rnncli"),
    "a further part": (lambda raw: described(raw, lambda value: value.update(module="os.system")), "incomplete"),
    "another seed in the config": (
        lambda raw: described(raw, lambda value: value["content"]["config"].update(seed=1)), "checksum does not match"
    ),
    "ESC in the metadata": (
        lambda raw: described(raw, lambda value: value.update(kind="\x1b[2J\u202e")), "\\x1b[2J\\u202e"
    ),
    "a training state": (lambda raw: checkpoint.encode(checkpoint.STATE, {}, {}), "holds a training state"),
    "pickle": (lambda raw: pickle.dumps({"state": Canary()}), NEVER),
    "pickle of protocol 0": (lambda raw: pickle.dumps(Canary(), protocol=0), "not safetensors"),
    ".pt": (lambda raw: torch_saved({"state": Canary(), "weight": torch.zeros(2)}), NEVER),
    "an old .pt": (lambda raw: torch_saved(Canary(), _use_new_zipfile_serialization=False), NEVER),
    "a stride-0 10^12 view .pt": (lambda raw: torch_saved(torch.zeros(1).expand(10**12)), NEVER),
    "zip": (lambda raw: zipped(pickle.dumps(Canary())), NEVER),
    "a zip bomb": (lambda raw: zipped(bytes(20_000_000)), NEVER),
    "a CSV": (lambda raw: b"t,y\n1,2\n" * 9, "not safetensors"),
    "JSON": (lambda raw: b'{"a": 1}' * 9, "not safetensors"),
    "HTML": (lambda raw: b"<!doctype html><p>404</p>", "not safetensors"),
}  # fmt: skip


@pytest.fixture
def model(ready: Path) -> bytes:
    """The bytes of a good model, in `run` of the working folder."""
    return (ready / "run" / checkpoint.MODEL_FILE).read_bytes()


@pytest.mark.parametrize("case", FILES)
def test_what_is_no_model_is_refused_by_every_command(ready, refuse, model, case):
    make, words = FILES[case]
    (ready / "run" / "model.safetensors").write_bytes(make(model))
    for command in READERS:
        began = time.process_time()
        error = refuse(command, "run", code=4, words=words)
        assert time.process_time() - began < 2  # two calls
        assert error["file"] == "run/model.safetensors"
    assert not (ready / "canary").exists()


def test_the_canary_sings_where_a_pickle_is_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Canary()))
    assert (tmp_path / "canary").exists()


def test_every_truncation_is_refused(ready, invoke, model):
    for length in [*range(0, 200, 9), *range(200, len(model), 211)]:
        (ready / "run" / "model.safetensors").write_bytes(model[:length])
        result = invoke("inspect-weights", "run")
        assert (result.code, result.out) == (4, ""), length


def settings(section: str, **values: Any) -> Change:
    """Change a section of the config in a model's content."""
    return lambda content: content["config"][section].update(values)


def columns(**values: Any) -> Change:
    """Change the columns in a model's content."""
    return lambda content: content["columns"].update(values)


# a forger's file, whose checksum fits: what is changed in its content or tensors
FORGED: dict[str, dict[str, Change]] = {
    "a model of another task": {"content": lambda content: content["config"].update(task={"kind": "classification"})},
    "the wrong hidden size": {"content": settings("model", hidden_size=3)},
    "a hidden size of 60,000": {"content": settings("model", hidden_size=60_000)},
    "the wrong cell": {"content": settings("model", cell="gru")},
    "a cell that is no name": {"content": settings("model", cell="os.system")},
    "a cell that a terminal obeys": {"content": settings("model", cell="\x1b[2J")},
    "two layers": {"content": settings("model", num_layers=2)},
    "layers as text": {"content": settings("model", num_layers="1")},
    "both directions": {"content": settings("model", bidirectional=True)},
    "an unknown key": {"content": settings("model", novel=1)},
    "no model in the config": {"content": lambda content: content["config"].pop("model")},
    "no config": {"content": lambda content: content.pop("config")},
    "a config null": {"content": lambda content: content.update(config=None)},
    "a config that is a list": {"content": lambda content: content.update(config=[1])},
    "extra tensor": {"tensors": lambda tensors: tensors.update({"network.backbone.more": tensors[WEIGHT]})},
    "a tensor of a further layer": {
        "tensors": lambda tensors: tensors.update({"network.backbone.weight_hh_l1": tensors[WEIGHT]})
    },
    "a tensor less": {"tensors": lambda tensors: tensors.pop(WEIGHT)},
    "wrong shape": {"tensors": lambda tensors: tensors.update({WEIGHT: tensors[WEIGHT].T.copy()})},
    "a flat weight": {"tensors": lambda tensors: tensors.update({WEIGHT: tensors[WEIGHT].ravel()})},
    "f64 weights": {"tensors": lambda tensors: tensors.update({WEIGHT: tensors[WEIGHT].astype(np.float64)})},
    "whole numbers as weights": {"tensors": lambda tensors: tensors.update({WEIGHT: tensors[WEIGHT].astype(np.int64)})},
    "a weight that is NaN": {"tensors": lambda tensors: tensors.update({WEIGHT: tensors[WEIGHT] * np.float32("nan")})},
    "no tensors": {"tensors": lambda tensors: tensors.clear()},
}
# of these the weights alone are whole: what else a model knows is not believed by the commands that use it
FORGED_DATA: dict[str, dict[str, Change]] = {
    "another horizon": {"content": settings("task", horizon=5)},
    "a horizon of 10^9": {"content": settings("task", horizon=10**9)},
    "a key without effect": {"content": settings("model", nonlinearity="relu")},
    "no columns": {"content": lambda content: content.pop("columns")},
    "columns null": {"content": columns(targets=None)},
    "no frequency": {"content": columns(frequency=None)},
    "labels of a forecast": {"content": columns(labels=[])},
    "a column without a name": {"content": columns(time="")},
    "a frequency that is none": {"content": columns(frequency="\x1b[2J")},
    "a number as frequency of dates": {"content": columns(frequency="1.5.2")},
    "more ids than statistics": {"content": lambda content: content["scaler"]["ids"].append(["more"])},
    "ids that are numbers": {"content": lambda content: content["scaler"].update(ids=[[1]] * 4)},
    "a scaler of another shape": {
        "tensors": lambda tensors: tensors.update({"scaler.spread": np.ones((1, 1))})
    },
    "no scaler": {"tensors": lambda tensors: tensors.pop("scaler.centre")},
    "a path for a tensor": {"tensors": lambda tensors: tensors.update({"../../x": np.zeros(3, np.float32)})},
}  # fmt: skip


@pytest.mark.parametrize("case", FORGED)
def test_what_is_not_the_model_of_its_config_is_refused_by_every_command(ready, refuse, model, case):
    (ready / "run" / "model.safetensors").write_bytes(remade(model, **FORGED[case]))
    for command in READERS:
        assert refuse(command, "run", code=4)["file"] == "run/model.safetensors"


@pytest.mark.parametrize("case", FORGED_DATA)
def test_what_does_not_fit_its_scaler_and_columns_is_refused_where_they_are_used(ready, refuse, model, case):
    (ready / "run" / "model.safetensors").write_bytes(remade(model, **FORGED_DATA[case]))
    for command in ("predict", "evaluate"):
        assert refuse(command, "run", code=4)["file"] == "run/model.safetensors"


@pytest.mark.parametrize("path", ["http://example.org/x.csv", "s3://bucket/x.csv", "gone.csv", "."])
def test_a_path_in_a_file_is_trusted_no_more_than_one_that_is_typed(ready, refuse, model, path):
    (ready / "run" / "model.safetensors").write_bytes(remade(model, settings("data", path=path)))
    for command in ("predict", "evaluate"):
        assert path in refuse(command, "run", code=2)["message"]


def test_a_column_in_a_file_that_the_data_has_not_is_a_matter_of_data(ready, refuse, model):
    (ready / "run" / "model.safetensors").write_bytes(remade(model, columns(targets=["gone"])))
    refuse("predict", "run", code=3, words="no column gone")


def test_an_id_that_looks_like_a_path_is_an_id(ready, invoke):
    """F39: ids never become the names of files."""
    data = (ready / "waves.csv").read_text(encoding="utf-8").replace('"plain"', '"../../escaped"')
    (ready / "waves.csv").write_text(data, encoding="utf-8")
    before = sorted(ready.parent.iterdir())
    assert invoke("train", "waves.yaml", "--out", "other", "training.epochs=1").code == 0
    assert "../../escaped," in invoke("predict", "other").out
    assert sorted(ready.parent.iterdir()) == before


# what stands in place of RUN; for compare the file is another, the exit code the same
RUNS: dict[str, str] = {
    "missing": "nowhere",
    "a folder without a model": "empty",
    "the folder above": ".",
    "a CSV": "waves.csv",
    "a config": "run/config.yaml",
    "last.safetensors": "run/last.safetensors",
    "below a file": "waves.csv/run",
    "below a model": "run/model.safetensors/run",
    "a link to itself": "loop",
    "a link to nothing": "dangling",
    "a name of 5,000 letters": "x" * 5000,
    "a name that is not UTF-8": "\udcff",
    "a name that a terminal obeys": "\x1b[2J",
    "a URL": "https://example.org/run",
    "a dash": "-",
    "/dev/null": "/dev/null",
    "/dev/zero": "/dev/zero",
    "/dev/urandom": "/dev/urandom",
}


@pytest.mark.parametrize("case", RUNS)
def test_what_is_no_run_is_refused(ready, refuse, case):
    (ready / "empty").mkdir()
    (ready / "loop").symlink_to("loop")
    (ready / "dangling").symlink_to("nowhere")
    for command in (*READERS, "compare"):
        refuse(command, RUNS[case], code=4)


@pytest.mark.parametrize("command", READERS)
def test_a_model_without_its_folder_is_a_run(ready, invoke, command):
    whole = invoke(command, "run")
    shutil.copy(ready / "run" / "model.safetensors", ready / "copy.bin")
    alone = invoke(command, "copy.bin")
    assert (alone.code, alone.err) == (0, "")
    if command == "predict":
        assert alone.out == whole.out


def test_a_model_from_a_pipe_is_read_once(ready, invoke, model):
    reader, writer = os.pipe()
    os.write(writer, model)
    os.close(writer)
    result = invoke("predict", f"/dev/fd/{reader}")
    os.close(reader)
    assert result.out == invoke("predict", "run").out


@pytest.mark.parametrize("name", ["model.safetensors", "metrics.json"])
def test_unreadable_perms_are_a_matter_of_permission(ready, refuse, monkeypatch, name):
    real = Path.open

    def denied(path: Path, *arguments: Any, **options: Any) -> Any:
        if path == Path("run") / name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", denied)
    for command in ("compare",) if name == "metrics.json" else READERS:
        assert refuse(command, "run", code=5, words="Permission denied")["file"] == f"run/{name}"


# what stands in place of metrics.json, given the good one
METRICS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "empty": lambda good: b"",
    "not JSON": lambda good: b"{",
    "binary": lambda good: bytes(range(256)),
    "NaN": lambda good: {**good, "seconds": float("nan")},
    "nested 100,000 deep": lambda good: b"[" * 100_000,
    "5,000 digits": lambda good: b'{"parameters": ' + b"9" * 5000 + b"}",
    "a list": lambda good: [good],
    "null": lambda good: None,
    "nothing in it": lambda good: {},
    "no task": lambda good: {key: value for key, value in good.items() if key != "task"},
    "a task that is a number": lambda good: {**good, "task": 5},
    "another task": lambda good: {**good, "task": "regression"},
    "a task that a terminal obeys": lambda good: {**good, "task": "\x1b[2J\n"},
    "no validation": lambda good: {key: value for key, value in good.items() if key != "validation"},
    "test null": lambda good: {**good, "test": None},
    "test a list": lambda good: {**good, "test": [1]},
    "a metric that is text": lambda good: {**good, "test": {"mae": "small"}},
    "a metric that is a list": lambda good: {**good, "test": {"mae": [1]}},
    "parameters as text": lambda good: {**good, "parameters": "many"},
    "seconds null": lambda good: {**good, "seconds": None},
}


@pytest.mark.parametrize("case", METRICS)
def test_damaged_metrics_are_not_compared(ready, refuse, case):
    shutil.copytree(ready / "run", ready / "other")
    path = ready / "other" / "metrics.json"
    made = METRICS[case](json.loads(path.read_bytes()))
    path.write_bytes(made if isinstance(made, bytes) else json.dumps(made).encode())
    for runs in (("other", "run"), ("run", "other")):
        file = refuse("compare", *runs, code=4)["file"]
        assert file in ("other/metrics.json", "other", "run")


@pytest.mark.parametrize("unknown", [{"mae": 1.0}, {"mae": 1.0, "novelty": 2.0}, {"mae": None}])
def test_runs_of_other_versions_are_compared_in_what_they_have(ready, invoke, unknown):
    shutil.copytree(ready / "run", ready / "other")
    path = ready / "other" / "metrics.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "test": unknown}))
    for runs in (("other", "run"), ("run", "other")):
        for format in ("json", "csv", "table"):
            result = invoke("compare", *runs, "--format", format)
            assert (result.code, result.err) == (0, "")


# a file of the run, what stands in its place, the exit code of --resume
STATES: dict[str, tuple[str, Callable[[Path], bytes], int]] = {
    "last empty": ("last.safetensors", lambda run: b"", 4),
    "last a pickle": ("last.safetensors", lambda run: pickle.dumps(Canary()), 4),
    "last a model": ("last.safetensors", lambda run: (run / "model.safetensors").read_bytes(), 4),
    "last with a bit flipped": ("last.safetensors", lambda run: flipped((run / "last.safetensors").read_bytes()), 4),
    "last of a future format": (
        "last.safetensors",
        lambda run: described((run / "last.safetensors").read_bytes(), lambda value: value.update(format=99)),
        4,
    ),
    "config empty": ("config.yaml", lambda run: b"", 4),
    "config not UTF-8": ("config.yaml", lambda run: b"\x80\xff", 4),
    "config no mapping": ("config.yaml", lambda run: b"- 1", 4),
    "config with an unknown key": ("config.yaml", lambda run: (run / "config.yaml").read_bytes() + b"novel: 1\n", 4),
    "config changed": (
        "config.yaml", lambda run: (run / "config.yaml").read_bytes().replace(b"hidden_size: 12", b"hidden_size: 13"), 4
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", STATES)
def test_a_damaged_run_is_not_resumed(ready, refuse, case):
    name, make, code = STATES[case]
    (ready / "run" / name).write_bytes(make(ready / "run"))
    error = refuse("train", "--resume", "run", "training.epochs=3", code=code)
    assert error["file"] in (f"run/{name}", "run/last.safetensors")
    assert not (ready / "canary").exists()


def test_an_older_state_with_a_newer_mtime_is_refused(ready, refuse, invoke):
    run = ready / "run"
    older = (run / "last.safetensors").read_bytes()
    assert invoke("train", "--resume", "run", "training.epochs=3").code == 0
    (run / "last.safetensors").rename(run / "prev.safetensors")
    (run / "last.safetensors").write_bytes(older)
    words = ["is at epoch 2, step 0", "prev.safetensors is later, at epoch 3, step 0"]
    assert refuse("train", "--resume", "run", code=4, words=words)["file"] == "run/last.safetensors"
    (run / "last.safetensors").unlink()
    assert invoke("train", "--resume", "run").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--resume", "nowhere"], 4, "no run to resume"),
        (["--resume", "waves.csv"], 4, "is a file"),
        (["waves.yaml", "--resume", "waves.csv"], 4, "is a file"),
        (["--resume", "waves.csv/run"], 4, "no run to resume"),
        (["waves.yaml", "--resume", "waves.csv/run"], 5, "cannot write: Not a directory"),
        (["--resume", "/dev/null"], 4, "is a file"),
        (["--resume", "run", "model.hidden_size=3"], 2, "was 12, is 3"),
        (["--resume", "run", "--data", "other.csv"], 3, "--allow-data-change"),
        (["--resume", "run", "--overwrite"], 2, "--overwrite beside --resume"),
        (["--resume", "run", "--out", "other"], 2, "--out beside --resume"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_resumed_is_refused(ready, refuse, arguments, code, words):
    data = (ready / "waves.csv").read_bytes().replace(b"5.0000", b"5.5000")
    (ready / "other.csv").write_bytes(data)
    refuse("train", *arguments, code=code, words=words)


# processes of their own


@pytest.mark.parametrize(("make", "words"), [(zipped, "never loaded"), (bytes, "truncated: 0 bytes")])
def test_a_process_of_its_own_refuses_it_too(ready, make, words):
    (ready / "run" / "model.safetensors").write_bytes(make(b""))
    done = process(["inspect-weights", "run"], ready)
    assert (done.returncode, done.stdout) == (4, b"")
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("error: run/model.safetensors: ")
    assert words in line
