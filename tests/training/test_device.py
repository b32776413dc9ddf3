"""What training asks of the machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

_FAULTS = """
import resource, sys, torch
from rnncli.training.device import keep_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.empty(10_000_000).fill_(1.0)  # 40 MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

torch.set_num_threads(1)
if sys.argv[1] == "keep":
    keep_memory()
faults()
print(faults())
"""
A_BLOCK = 40_000_000 // 65536  # pages of 64 kB, the largest that are usual


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of the C libraries glibc alone has the choice")
@pytest.mark.parametrize(
    ("what", "given", "kept"),
    [
        ("keep", {}, True),
        ("nothing", {}, False),
        ("keep", {"MALLOC_MMAP_THRESHOLD_": "65536"}, False),  # what the user says holds
    ],
)
def test_large_blocks_are_kept_for_the_next_step(what: str, given: dict[str, str], kept: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    command = [sys.executable, "-c", _FAULTS, what]
    done = subprocess.run(command, capture_output=True, text=True, env=environment | given, timeout=120, check=True)
    assert (int(done.stdout) < A_BLOCK) == kept
