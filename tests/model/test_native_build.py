"""Finding, compiling and refusing the native kernels, and what serves where there are none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import Cli
from native_kernels import compiler, needs_compiler

from rnncli.model import engine
from rnncli.model.backbone import Backbone
from rnncli.model.native import kernels as library
from rnncli.model.native.kernels import Library, UnavailableError

ROOT = Path(__file__).resolve().parent.parent.parent
SANITIZED = Path(__file__).with_name("sanitized.c")
NO_COMPILER = {"CC": "/no/such/compiler"}
CONFIG = """\
data: {path: waves.csv, target: y}
task: {kind: forecasting, horizon: 2}
window: {context: 8}
model: {hidden_size: 6}
training: {epochs: 1, device: cpu}
"""


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty cache folder, no library beside the sources, and nothing remembered."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("RNNCLI_NATIVE", raising=False)
    monkeypatch.setattr(library, "_built", lambda: None)
    for cached in (library.find, engine.native):
        cached.cache_clear()
    yield tmp_path / "cache"
    for cached in (library.find, engine.native):
        cached.cache_clear()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compilation in a second: it is not the speed that is tested."""
    monkeypatch.setattr(library, "FLAGS", tuple(flag for flag in library.FLAGS if flag != "-O3"))


def reason() -> str:
    found = engine.native()
    assert isinstance(found, UnavailableError)
    return str(found)


@needs_compiler
def test_the_kernels_are_compiled_once(fresh: Path, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(engine.native(), Library)
    (made,) = (fresh / "rnncli").iterdir()
    library.find.cache_clear()
    monkeypatch.setattr(library, "compile_into", lambda *arguments: pytest.fail("compiled again"))
    assert isinstance(library.find(), Library)
    assert list((fresh / "rnncli").iterdir()) == [made]


@needs_compiler
def test_another_source_or_compiler_is_compiled_anew(fresh: Path, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    library.find()
    for name, value in (("source_hash", lambda: "0" * 64), ("_version", lambda compiler: "another")):
        monkeypatch.setattr(library, name, value)
        library.find.cache_clear()
        assert isinstance(library.find(), Library)
    assert len(list((fresh / "rnncli").iterdir())) == 3


def test_without_a_compiler_torch_serves(fresh: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "compiler" in reason()
    x = torch.randn(2, 3, 4)
    for cell in ("rnn", "lstm", "gru", "carry_lstm"):
        torch.manual_seed(1)
        backbone = Backbone(cell, 4, 5, 2, bidirectional=True)
        assert torch.equal(backbone(x)[0], backbone(x)[0])


@pytest.mark.parametrize("compiler", ["false", "true", "no-such-compiler --option"])
def test_a_compiler_that_makes_nothing_is_no_error(fresh: Path, monkeypatch: pytest.MonkeyPatch, compiler: str) -> None:
    monkeypatch.setenv("CC", compiler)
    assert reason()
    assert not [path for path in fresh.rglob("*") if path.is_file()]


def test_a_cache_that_cannot_be_written_is_no_error(fresh: Path) -> None:
    fresh.write_text("in the way")
    assert reason()


@needs_compiler
def test_a_broken_file_in_the_cache_is_made_anew(fresh: Path, quick: None) -> None:
    path = library._compiled()
    path.write_bytes(b"no library")
    assert isinstance(engine.native(), Library)
    assert path.read_bytes().startswith(b"\x7fELF") or sys.platform == "darwin"


def test_kernels_that_compute_something_else_are_not_used(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find", lambda: "a library")
    monkeypatch.setattr(engine, "_computes", lambda found, cell: cell != "gru")
    assert "test" in reason()


def test_the_environment_can_forbid_them(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNNCLI_NATIVE", "0")
    assert "RNNCLI_NATIVE=0" in reason()


@needs_compiler
def test_an_instruction_set_that_is_not_there_is_not_used(
    fresh: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNNCLI_NATIVE", "abacus")
    assert "abacus" in reason()


def test_other_types_autocast_and_tracing_are_torchs(library: Library) -> None:
    x, weight = torch.randn(2, 3, 4), torch.randn(5, 4)
    assert isinstance(engine.native_for("auto", x, weight), Library)
    assert isinstance(engine.native_for("native", x, torch.nn.Parameter(weight)), Library)
    assert engine.native_for("torch", x, weight) is None
    assert engine.native_for("auto", x.double(), weight.double()) is None
    assert engine.native_for("auto", x.to("meta"), weight) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert engine.native_for("auto", x, weight) is None
    seen: list[object] = []
    torch.func.vmap(lambda part: (seen.append(engine.native_for("auto", part, weight)), part)[1])(x)
    assert seen == [None]


def test_a_backbone_follows_its_type(library: Library) -> None:
    torch.manual_seed(2)
    backbone = Backbone("lstm", 4, 6, 2)
    x = torch.randn(2, 3, 4)
    single = backbone(x)[0]
    torch.testing.assert_close(backbone.double()(x.double())[0].float(), single, rtol=0, atol=1e-6)


@pytest.fixture
def waves(tmp_path: Path) -> Path:
    values = np.sin(np.arange(80) / 3)
    (tmp_path / "waves.csv").write_text("y\n" + "".join(f"{value:.4f}\n" for value in values))
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


@needs_compiler
@pytest.mark.parametrize(("wanted", "engine_used"), [("auto", "native"), ("native", "native"), ("torch", "torch")])
def test_the_manifest_says_who_computed(cli: Cli, waves: Path, wanted: str, engine_used: str) -> None:
    done = cli("train", "c.yaml", f"training.engine={wanted}", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert json.loads((waves / "run/manifest.json").read_text())["engine"] == engine_used


def test_native_kernels_that_cannot_be_had_are_refused(cli: Cli, waves: Path) -> None:
    done = cli("train", "c.yaml", "training.engine=native", "--out", "run", env={"RNNCLI_NATIVE": "0"})
    assert done.returncode == 5
    assert "training.engine: native: RNNCLI_NATIVE=0 forbids it (set it to auto)" in done.stderr
    assert not (waves / "run").exists()


@needs_compiler
def test_a_native_model_is_read_where_there_are_no_kernels(cli: Cli, waves: Path) -> None:
    assert cli("train", "c.yaml", "training.engine=native", "--out", "run").returncode == 0
    with_kernels, without = (cli("predict", "run", env=env) for env in ({}, {"RNNCLI_NATIVE": "0"}))
    assert without.returncode == 0, without.stderr
    first, second = (np.genfromtxt(done.stdout.splitlines(), delimiter=",")[1:, -1] for done in (with_kernels, without))
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-5)


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("sanitizer", ["address,undefined", "thread"])
def test_the_sanitizers_find_nothing(sanitizer: str, tmp_path: Path) -> None:
    sources = [str(path) for path in sorted(library.FOLDER.glob("*.c"))]
    flags = [flag for flag in library.FLAGS if flag not in ("-O3", "-shared")]
    watched = ["-O1", "-g", f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all", "-DWITH_PORTABLE", "-DWINDOW=5000"]
    program = tmp_path / "sanitized"
    command = [*compiler(), *flags, *watched, "-I", str(library.FOLDER), "-o", str(program), str(SANITIZED), *sources]
    subprocess.run(command, check=True)
    for seed in range(3):
        done = subprocess.run([program, str(seed), "400"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        assert "portable" in done.stdout


@pytest.mark.slow
@needs_compiler
def test_a_package_without_a_compiler_is_installed_without_kernels(tmp_path: Path) -> None:
    """The extension is optional: setuptools leaves it out if it cannot be built."""
    pytest.importorskip("setuptools", minversion="77")
    source = tmp_path / "source"
    shutil.copytree(ROOT / "rnncli", source / "rnncli", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = [sys.executable, "setup.py", "-q", "build", "--build-base", str(tmp_path / "base"), "--build-lib"]
    for name, changes in (("with", {}), ("without", NO_COMPILER)):
        command = [*build, str(tmp_path / name), "--force"]
        environment = os.environ | changes
        subprocess.run(command, cwd=source, env=environment, check=True, capture_output=True)
    assert list((tmp_path / "with").rglob("_recurrence*.so"))
    assert not list((tmp_path / "without").rglob("_recurrence*.so"))
    assert list((tmp_path / "without").rglob("recurrence.c"))


@pytest.mark.slow
def test_these_tests_pass_without_a_compiler() -> None:
    command = [sys.executable, "-m", "pytest", "-m", "not slow", str(Path(__file__).parent)]
    environment = os.environ | NO_COMPILER | {"RNNCLI_NATIVE": "0"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "skipped" in done.stdout
