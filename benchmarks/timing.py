"""Timing that a busy machine disturbs least: the compared runs take turns."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Runs:
    """Measures of the repeated runs of one thing.

    Attributes
    ----------
    cpu, wall : list of float
        Seconds per run; CPU counts user and system time.
    megabytes : list of float
        Peak memory per run; empty where the runs share a process.
    """

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    def text(self) -> str:
        """Return minimum and median, as the table prints them."""
        parts = [
            f"{name} {min(values):.3f} / {statistics.median(values):.3f} s"
            for name, values in (("CPU", self.cpu), ("wall", self.wall))
            if values
        ]
        if self.megabytes:
            parts.append(f"{max(self.megabytes):.0f} MB")
        return ", ".join(parts)


def take_turns(jobs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Runs]:
    """Run all `jobs` in this process, one after the other, `rounds` times.

    Parameters
    ----------
    jobs : mapping
        Name to function without arguments. Each is run once before, so that imports and caches
        count for none.
    rounds : int
        How often each is measured.
    """
    runs = {name: Runs() for name in jobs}
    for job in jobs.values():
        job()
    for _ in range(rounds):
        for name, job in jobs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            job()
            runs[name].cpu.append(time.process_time() - cpu)
            runs[name].wall.append(time.perf_counter() - wall)
    return runs


def commands_take_turns(
    commands: Mapping[str, Sequence[str | Path]], rounds: int, **environment: str
) -> dict[str, Runs]:
    """Run all `commands`, each in a process of its own, one after the other, `rounds` times.

    Parameters
    ----------
    commands : mapping
        Name to command line.
    rounds : int
        How often each is measured, every one from a cold start.
    **environment : str
        Variables to set for the commands.
    """
    runs = {name: Runs() for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            measures = measured(command, **environment)
            for measure, value in measures.items():
                getattr(runs[name], measure).append(value)
    return runs


def measured(command: Sequence[str | Path], **environment: str) -> dict[str, float]:
    """Run one command and return its wall and CPU seconds and peak memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "measures.json")
        wrapper = [sys.executable, "-m", "benchmarks.measured_command", str(out)]
        done = subprocess.run(
            [*wrapper, *map(str, command)],
            check=False, cwd=ROOT, env={**os.environ, **environment},
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr)
        return json.loads(out.read_text(encoding="utf-8"))
