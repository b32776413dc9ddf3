"""Speed: steps, whole runs beside other libraries, start-up, streams, memory, growth, and CUDA.

    python benchmarks/speed.py [--quick] [--only PART …] [--data DIR] [--venvs DIR] [--out FILE]

writes benchmarks/SPEED.md, a section a part; with --only, the other sections stay as they are. --quick measures fewer
shapes and repeats in under three minutes, without the other libraries, and prints. Runs that are compared take turns,
and medians are given: other work on the machine then changes seconds more than ratios. No part needs a file from
elsewhere: without --data, series are made to a shape.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import re
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import rnncli

from timing.measure import Options, cores, processor

PARTS = {  # module: heading
    "steps": "Steps of a layer",
    "training": "Training steps",
    "runs": "Whole runs",
    "startup": "Start-up",
    "streaming": "Streams",
    "memory": "Memory",
    "growth": "Growth",
    "cuda": "CUDA",
}
OUT = Path(__file__).parent / "SPEED.md"


def section(part: str, options: Options) -> str:
    """A part's heading, how and where it was measured, and its tables."""
    module = importlib.import_module(f"timing.{part}")
    begun = time.monotonic()
    body = module.run(options)
    load = f"; load {os.getloadavg()[0]:.1f} at its end" if hasattr(os, "getloadavg") else ""
    given = " --quick" * options.quick + " --data DIR" * (options.data is not None)
    how = f"`{module.COMMAND}{given}`: {time.monotonic() - begun:.0f} s{load}"
    return f"## {PARTS[part]}\n\n{how}\n\n{body}"


def heading() -> str:
    """What all sections have in common."""
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, NumPy {np.__version__}"
    return (
        f"# Speed\n\n{processor()}, {cores()} cores, {platform.system()}; rnncli {rnncli.__version__}, {versions}.\n"
        "Runs that are compared take turns; what is given is medians. CPU seconds are those of a process from its\n"
        "start to its end, all threads together.\n"
    )


def kept(file: Path) -> dict[str, str]:
    """The sections that a file has, by their headings."""
    text = file.read_text() if file.exists() else ""
    found = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)[1:]
    return {name: f"## {name}\n{body.rstrip()}\n" for name, body in zip(found[::2], found[1::2], strict=True)}


def write(file: Path, sections: dict[str, str]) -> None:
    """All sections, in the order of the parts."""
    parts = [sections[name] for name in PARTS.values() if name in sections]
    file.write_text("\n".join([heading(), *parts]))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART")
    parser.add_argument("--data", type=Path, help="a folder with ETTh1.csv")
    default = Path(tempfile.gettempdir()) / "rnncli-benchmarks"
    parser.add_argument("--venvs", type=Path, default=default, help=f"of the other libraries [{default}]")
    parser.add_argument("--out", type=Path, default=None, help=f"[{OUT.name} beside this file; with --quick none]")
    return parser.parse_args()


def main() -> None:
    """Measure the parts, and write each as soon as it is there."""
    given = arguments()
    out = given.out or (None if given.quick else OUT)
    print(heading(), flush=True)
    with tempfile.TemporaryDirectory() as work:
        options = Options(given.quick, given.data, given.venvs.resolve(), Path(work))
        for part in given.only:
            text = section(part, options)
            print(text, flush=True)
            if out is not None:
                write(out, kept(out) | {PARTS[part]: text})


if __name__ == "__main__":
    main()
