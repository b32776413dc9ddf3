"""Start-up: what is imported, and what help says; what is refused is in tests/corpus."""

from __future__ import annotations

import inspect
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from rnncli.cli import app

HEAVY = ("torch", "pandas", "numpy", "pydantic", "yaml", "safetensors")
COMPILER = ("torch._dynamo", "torch._inductor", "sympy")
ROOT = Path(__file__).parents[2]
COMMANDS = dict(app.COMMANDS)
SHARED = ("--format", "--json", "--quiet", "--verbose", "--no-progress", "--excel-safe", "--help")
DOCUMENTED = {  # PRODUCT.md, section 4
    "init": ("--target", "--time", "--series", "--task", "--horizon"),
    "train": ("--data", "--out", "--resume", "--overwrite", "--device", "--budget"),
    "tune": ("--trials", "--budget", "--jobs", "--storage"),
    "evaluate": ("--data", "--by"),
    "predict": ("--data",),
    "inspect-weights": ("--values", "--diff", "--heatmap"),
    "trace": ("--data", "--what"),
    "compare": (),
    "report": ("--out", "--data", "--device", "--overwrite"),
    "schema": (),
}
CODES = (0, 1, 2, 3, 4, 5, 6, 130, 143, 141)


def _imports_after(statement: str, tmp_path: Path) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    listing = tmp_path / "modules.json"
    code = (
        "import atexit, json, sys\n"
        f"atexit.register(lambda: json.dump(sorted(sys.modules), open({str(listing)!r}, 'w')))\n{statement}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    return done, set(json.loads(listing.read_text()))


def test_importing_the_command_line_imports_nothing_heavy(tmp_path):
    done, modules = _imports_after("import rnncli.cli.app", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "typer" in modules
    assert modules.isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], [], ["trian"], *([command, "--help"] for command in COMMANDS)],
    ids=lambda arguments: " ".join(arguments) or "nothing",
)
def test_what_needs_no_data_imports_nothing_heavy(arguments, tmp_path):
    _, modules = _imports_after(f"from rnncli.cli.app import main\nmain({arguments!r})", tmp_path)
    assert "rnncli.cli.app" in modules
    lazily_by_typer = {"pydantic"} if arguments and not arguments[0].startswith("-") else set()
    assert modules.isdisjoint(set(HEAVY) - lazily_by_typer)


def test_training_loads_no_compiler_of_torch(tmp_path):
    """torch.optim and more would load torch._dynamo and sympy: a second, and 70 MB."""
    keys = ["training.epochs=2", "training.steps_per_epoch=2"]
    command = ["train", str(ROOT / "configs" / "air_passengers.yaml"), *keys, "--out", str(tmp_path / "run"), "--quiet"]
    code = f"import os\nos.chdir({str(ROOT)!r})\nfrom rnncli.cli.app import main\nmain({command!r})"
    done, modules = _imports_after(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "torch" in modules
    assert modules.isdisjoint(COMPILER)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("OMP_WAIT_POLICY", None, "PASSIVE"),
        ("OMP_WAIT_POLICY", "ACTIVE", "ACTIVE"),
        ("OPENBLAS_NUM_THREADS", None, "1" if platform.machine() == "x86_64" else None),
        ("OPENBLAS_NUM_THREADS", "2", "2"),
        ("ARROW_DEFAULT_MEMORY_POOL", None, "system"),
        ("ARROW_DEFAULT_MEMORY_POOL", "mimalloc", "mimalloc"),
    ],
)
def test_libraries_spare_the_machine_unless_asked_not_to(name, given, expected):
    """Threads that spin take the processor from others, and a pool that keeps what is free, memory."""
    code = (
        "import os, sys\nfrom rnncli.cli.app import main\ntry:\n    main(['--version'])\n"
        f"finally:\n    print({{'torch', 'pandas'}} & sys.modules.keys(), os.environ.get({name!r}))"
    )
    environment = {other: value for other, value in os.environ.items() if other != name}
    environment |= {} if given is None else {name: given}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment)
    assert done.stdout.splitlines()[1:] == [f"set() {expected}"]


def test_the_module_is_the_command(cli):
    import rnncli

    done = cli("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"rnncli {rnncli.__version__}\n", "")


@pytest.mark.parametrize(
    ("end", "code", "said"), [("sys.exit(6)", 6, ""), ("raise KeyError('unforeseen')", 1, "taken apart\n")]
)
def test_the_command_leaves_the_interpreter_as_it_is(end, code, said):
    """What was registered for the exit is called; only then, and not after an error of Python's own, it is quick."""
    program = (
        "import atexit, sys\nfrom rnncli import __main__ as command\n"
        "class Late:\n    def __del__(self):\n        print('taken apart')\n"
        f"def main():\n    atexit.register(print, 'registered')\n    print('result')\n    {end}\n"
        "command.main, late = main, Late()\ncommand.run()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (code, f"result\nregistered\n{said}")
    assert ("unforeseen" in done.stderr) == (code == 1)


def test_without_arguments_help_goes_to_stderr(cli):
    done = cli()
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Usage: rnncli")
    assert all(command in done.stderr for command in COMMANDS)


def test_help_goes_to_stdout(invoke):
    for flag in ("--help", "-h"):
        result = invoke(flag)
        assert result.code == 0
        assert result.err == ""
        assert all(command in result.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_every_option_and_every_exit_code(invoke, command):
    shown = invoke(command, "--help").out
    own = {f"--{name.replace('_', '-')}" for name in inspect.signature(COMMANDS[command]).parameters}
    arguments = {"--config", "--overrides", "--run", "--runs", "--source"}
    assert set(DOCUMENTED.get(command, ())) <= own
    for option in (own - arguments) | set(SHARED):
        assert f" {option} " in shown
    ending = " ".join(shown[shown.index("Exit codes:") :].split())
    for code in CODES:
        assert f" {code} " in ending


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_no_default_twice(invoke, command):
    assert "[default: 10s]  [default: 10s]" not in " ".join(invoke(command, "--help").out.split("\n"))


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"schema"}))
def test_help_gives_an_example(invoke, command):
    shown = " ".join(invoke(command, "--help").out.split())
    assert f"rnncli {command} " in shown[shown.index("Example:") :]
