"""Start-up: help, and a config of four lines from the start of the process to its metrics."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from timing.measure import RNNCLI, Options, Spent, in_turn, median, spend, table, verdict

COMMAND = "python benchmarks/speed.py --only startup"
HEAVY = ("numpy", "pandas", "torch", "torch._dynamo", "sympy")
HELP_LIMIT, TRAIN_LIMIT = 0.150, 4.0
_LISTING = """
import json, sys
from rnncli.cli.app import main
try:
    main(sys.argv[2:])
except SystemExit as end:
    with open(sys.argv[1], "w") as file:
        json.dump(sorted(sys.modules), file)
    raise
"""


def run(options: Options) -> str:
    """The section of this part."""
    data = Path(__file__).parents[2] / "data" / "air_passengers.csv"
    config = options.work / "four.yaml"
    config.write_text(
        f"data:\n  {{path: {data}, time: month, target: passengers}}\ntask:\n  {{kind: forecasting, horizon: 12}}\n"
    )
    training = ["train", str(config), "--out", str(options.work / "four"), "--overwrite", "--quiet"]
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "rnncli --help": [*RNNCLI, "--help"],
        "import pandas": [sys.executable, "-c", "import pandas"],
        "import torch": [sys.executable, "-c", "import torch"],
        "rnncli train, four lines": [*RNNCLI, *training],
    }
    runs = {name: lambda command=command: spend(command) for name, command in commands.items()}
    found = in_turn(runs, 2 if options.quick else 9)
    loaded = {"rnncli --help": _loaded(options, ["--help"]), "rnncli train, four lines": _loaded(options, training)}
    rows = [_row(name, spent, loaded.get(name)) for name, spent in found.items() if isinstance(spent, list)]
    checks = _checks(found["rnncli --help"], found["rnncli train, four lines"], loaded)
    head = ("command", "CPU ms", "clock ms", "peak MB", "of the heavy libraries it loads")
    return f"{table(head, rows)}\n\n{table(('target', 'measured', 'holds'), checks)}\n"


def _loaded(options: Options, arguments: list[str]) -> list[str]:
    """Which of the heavy libraries a command imports."""
    listing = options.work / "modules.json"
    spend([sys.executable, "-c", _LISTING, listing, *arguments])
    return [name for name in HEAVY if name in json.loads(listing.read_text())]


def _row(name: str, spent: list[Spent], loaded: list[str] | None) -> list[object]:
    cpu, wall = (1000 * median(getattr(one, what) for one in spent) for what in ("cpu", "wall"))
    libraries = "" if loaded is None else ", ".join(loaded) or "none"
    return [f"`{name}`", f"{cpu:.0f}", f"{wall:.0f}", f"{median(one.peak for one in spent):.0f}", libraries]


def _checks(help_spent: list[Spent], train_spent: list[Spent], loaded: dict[str, list[str]]) -> list[list[str]]:
    help_cpu = median(one.cpu for one in help_spent)
    wall = median(one.wall for one in train_spent)
    slow = [name for name, found in loaded.items() if {"torch._dynamo", "sympy"} & set(found)]
    return [
        [f"help in {1000 * HELP_LIMIT:.0f} ms of CPU", f"{1000 * help_cpu:.0f} ms", verdict(help_cpu <= HELP_LIMIT)],
        [f"four lines in {TRAIN_LIMIT:g} s", f"{wall:.1f} s by the clock, "
         f"{median(one.cpu for one in train_spent):.1f} s of CPU", verdict(wall <= TRAIN_LIMIT)],
        ["neither loads torch._dynamo", ", ".join(slow) or "neither", verdict(not slow)],
    ]  # fmt: skip
