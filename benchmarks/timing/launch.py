"""Runs a command and writes what it took into a file: CPU seconds, seconds by the clock, peak memory in kB.

A process of its own, and a small one: the system counts as a new process's peak what its parent held when it began.

    python launch.py REPORT COMMAND …
"""

import json
import resource
import subprocess
import sys
import time

begun = time.perf_counter()
code = subprocess.call(sys.argv[2:])
wall = time.perf_counter() - begun
used = resource.getrusage(resource.RUSAGE_CHILDREN)
peak = used.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
with open(sys.argv[1], "w") as report:
    json.dump({"cpu": used.ru_utime + used.ru_stime, "wall": wall, "peak": peak / 1024}, report)
sys.exit(code)
