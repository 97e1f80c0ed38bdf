"""What jobs ask a SLURM for, and how a retry asks for more: a study against commands that only say
that they took a job and that it failed. tests/slurm/run.sh runs a real SLURM.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

# Without `sacct`, as on a cluster without accounting.
COMMANDS = {
    # Jobs that are taken, one line each, and fail.
    "sbatch": 'echo "$*" | tr "\\n" " " >>"$CALLS"; echo >>"$CALLS"; wc -l <"$CALLS"',
    # Does not answer the first times, as while the controller is restarted.
    "squeue": 'echo >>"$CALLS.asked"; [ $(wc -l <"$CALLS.asked") -gt ${SILENT:-0} ] || exit 1; '
    'for job in $(seq $(wc -l <"$CALLS")); do echo "$job|TIMEOUT"; done',
    "scontrol": 'printf "MaxArraySize = 1001\\nMinJobAge = 300 sec\\n"',
    "sacctmgr": "echo spine",
    "sinfo": "echo main",
}


@pytest.fixture
def submitted(tmp_path: Path, repository: Path):
    """Return a function: options of a run -> the options of each submission of its first job."""
    folder = tmp_path / "commands"
    folder.mkdir()
    for name, body in COMMANDS.items():
        (folder / name).write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    calls = tmp_path / "calls"
    calls.touch()
    (tmp_path / "features.csv").write_text(
        "patient_id,original_shape_Sphericity\n" + "".join(f"P{n:03},0.{n}\n" for n in range(9)),
        encoding="utf-8",
    )
    config = {"study": "s", "results": str(tmp_path / "r"), "unit": "patient"}
    config["features"] = {"A": str(tmp_path / "features.csv")}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")

    def run(*options: str, **environment: str) -> list[dict[str, str]]:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "snakemake", "features"),
                *("--configfile", str(tmp_path / "study.yaml"), "--directory", str(tmp_path)),
                *("--workflow-profile", str(repository / "profiles/slurm")),
                *("--snakefile", str(repository / "Snakefile")),
                *("--slurm-status-command", "squeue", "--seconds-between-status-checks", "1"),
                *("--slurm-init-seconds-before-status-checks", "1", *options),
            ],
            cwd=repository,
            env=os.environ
            | {"PATH": f"{folder}:{os.environ['PATH']}", "CALLS": str(calls)}
            | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        lines = calls.read_text(encoding="utf-8").splitlines()
        assert done.returncode == 1, done.stderr
        assert lines, done.stderr
        found = [line.partition("--wrap")[0] for line in lines]
        return [dict(re.findall(r"(?<!\S)(-{1,2}[A-Za-z-]+)[ =](\S+)", line)) for line in found]

    return run


def test_a_retry_asks_for_twice_the_memory_and_twice_the_time(submitted) -> None:
    calls = submitted("--slurm-no-account")
    assert [(call["-t"], call["--mem"]) for call in calls] == [("10", "2000"), ("20", "4000")]
    assert "-A" not in calls[0]


def test_the_examples_of_the_docs_reach_sbatch(submitted) -> None:
    calls = submitted(
        *("--default-resources", "slurm_account=spine", "slurm_partition=main"),
        *("--set-resources", "gather_ready:slurm_partition=short"),
        "gather_ready:mem_mb=500 * 4 ** (attempt - 1)",
        *("gather_ready:runtime=5", "gather_ready:constraint=avx2"),
        *("--slurm-qos", "long"),
    )
    first, again = calls
    assert (first["-A"], first["-p"], first["--qos"], first["-C"]) == (
        *("spine", "short", "long", "avx2"),
    )
    assert (first["--mem"], again["--mem"]) == ("500", "2000")
    # A number alone holds for every attempt.
    assert (first["-t"], again["-t"]) == ("5", "5")


def test_jobs_are_not_forgotten_while_the_controller_does_not_answer(submitted) -> None:
    """The executor asks five times in a row, and forgot all jobs where none was answered."""
    first, again = submitted("--slurm-no-account", SILENT="7")
    assert (first["-t"], again["-t"]) == ("10", "20")
