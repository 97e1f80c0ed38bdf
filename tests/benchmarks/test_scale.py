"""The benchmark of large studies counts what Snakemake plans."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("slices", [0, 3])
def test_the_jobs_of_a_simulated_study_are_counted(
    slices: int, tmp_path: Path, repository: Path
) -> None:
    options = ["--scans", "40", "--slices", str(slices), "--measured", "0", "--folder", tmp_path]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale", *map(str, options)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    named = 40 * (max(slices, 1) + 2)
    assert f"40 scans of 2 readers, {named} files named in the table" in done.stdout
    jobs, of_batches, batches = map(
        int, re.findall(r"jobs: (\d+), (\d+) of them of (\d+)", done.stdout)[0]
    )
    assert of_batches == 6 * batches
    assert 1 <= batches <= 8
    assert jobs > of_batches
    assert not list(tmp_path.iterdir())
