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

from pipeline.running.slurm_executor_mends import REFUSAL, refusal

# Without `sacct`, as on a cluster without accounting.
COMMANDS = {
    # Jobs that are taken, one line each, and fail; or none is taken.
    "sbatch": '[ -z "$REFUSES" ] || { printf "sbatch: error: %s\\n" "$REFUSES" >&2; exit 1; }; '
    'echo "$*" | tr "\\n" " " >>"$CALLS"; echo >>"$CALLS"; wc -l <"$CALLS"',
    # Does not answer the first times, as while the controller is restarted.
    "squeue": 'echo >>"$CALLS.asked"; [ $(wc -l <"$CALLS.asked") -gt ${SILENT:-0} ] || exit 1; '
    'for job in $(seq $(wc -l <"$CALLS")); do echo "$job|TIMEOUT"; done',
    "scontrol": 'printf "MaxArraySize = 1001\\nMinJobAge = 300 sec\\n"',
    "sacctmgr": "echo spine",
    "sinfo": "echo main",
}


@pytest.fixture
def on_slurm(tmp_path: Path, repository: Path):
    """Return a function: program and options of a run -> its process, and what sbatch was given."""
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

    def run(
        program: str, *options: str, **environment: str
    ) -> tuple[subprocess.CompletedProcess, list[str]]:
        done = subprocess.run(
            [
                *(sys.executable, "-m", program, "features"),
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
        assert done.returncode == 1, done.stderr
        return done, calls.read_text(encoding="utf-8").splitlines()

    return run


@pytest.fixture
def submitted(on_slurm):
    """Return a function: options of a run -> the options of each submission of its first job."""

    def run(*options: str, **environment: str) -> list[dict[str, str]]:
        done, lines = on_slurm("snakemake", *options, **environment)
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


@pytest.mark.parametrize(
    ("asked", "refuses", "found"),
    [
        (
            ["--default-resources", "slurm_account=bones"],
            "",
            "`sacctmgr` lists no account bones of this user (account bones, minutes 10, MB 2000)",
        ),
        (
            ["--default-resources", "slurm_account=spine", "--slurm-qos", "gold"],
            "Batch job submission failed: Invalid qos specification",
            "Batch job submission failed: Invalid qos specification "
            "(account spine, quality of service gold, minutes 10, MB 2000)",
        ),
        (
            ["--slurm-no-account"],
            "Batch job submission failed: Requested time limit is invalid",
            "Batch job submission failed: Requested time limit is invalid (minutes 10, MB 2000)",
        ),
    ],
    ids=["account of somebody else", "quality of service not granted", "too many minutes"],
)
def test_what_slurm_does_not_take_is_told_in_one_sentence(on_slurm, asked, refuses, found) -> None:
    told, calls = on_slurm("pipeline.running.run", *asked, REFUSES=refuses)
    assert not calls
    lines = told.stdout.splitlines()
    at = lines.index("Not submitted: gather_ready")
    assert lines[at + 1].startswith(f"{REFUSAL}. Found: {found}. Remedy: name what is yours there")
    assert lines[at + 1].endswith(" [slurm-job-refused]")
    # Neither a trace nor the whole call of sbatch.
    assert "Traceback" not in told.stdout
    assert "sbatch --parsable" not in told.stdout
    # Of plain Snakemake alike.
    again, _ = on_slurm("snakemake", *asked, REFUSES=refuses)
    assert f"{REFUSAL}. Found: {found}." in again.stderr
    assert "Traceback" not in again.stderr
    assert "sbatch --parsable" not in again.stderr


def test_other_failures_keep_their_words() -> None:
    assert refusal(None, {}) is None
    assert refusal("SLURM-job '3' failed, SLURM status is: 'TIMEOUT'.", {}) is None
