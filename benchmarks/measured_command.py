"""Run a command and write what it took: wall and CPU seconds, peak memory.

A process of its own, and a small one: Linux counts the memory of whoever starts a command towards
the command's peak. ``python -m benchmarks.measured_command OUT.json COMMAND ...``
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time


def main(out: str, *command: str) -> None:
    """Run `command`, its output swallowed, and write its measures to the file `out`."""
    start = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    wall = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(command[:4])} ... failed\n{done.stdout}\n{done.stderr}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    measures = {
        "wall": wall,
        "cpu": used.ru_utime + used.ru_stime,
        "megabytes": used.ru_maxrss / 1024,
    }
    with open(out, "w", encoding="utf-8") as stream:
        json.dump(measures, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])
