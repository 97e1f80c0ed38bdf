"""The logger of Snakemake: a run told as events, and as progress to people."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.running.run import with_events

SNAKEFILE = """
rule all:
    input: "b.txt"
rule a:
    output: "a.txt"
    log: "a.log"
    shell: "echo x > {output} 2> {log}"
rule b:
    input: "a.txt"
    output: "b.txt"
    log: "b.log"
    shell: "FAIL cp {input} {output} 2> {log}"
"""


def snakemake(folder: Path, repository: Path, *options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *options],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(repository)},
    )  # fmt: skip


def events_of(folder: Path, repository: Path) -> list[dict]:
    told = ("--logger", "vertebromics", "--logger-vertebromics-events", "events")
    snakemake(folder, repository, *told)
    return [json.loads(line) for line in (folder / "events").read_text().splitlines()]


def test_a_run_is_told_as_events_and_again_as_progress(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE.replace("FAIL", "false;"), encoding="utf-8")
    planned, *rest = events_of(tmp_path, repository)
    rest = [each for each in rest if each["event"] != "error"]
    assert planned == {"event": "planned", "jobs": {"a": 1, "b": 1, "all": 1}}
    (a, b), told = {each["id"]: 0 for each in rest if each["event"] == "job"}, rest
    assert told == [
        {"event": "job", "id": a, "rule": "a", "log": "a.log"},
        {"event": "finished", "id": a},
        {"event": "job", "id": b, "rule": "b", "log": "b.log"},
        {"event": "failed", "id": b, "rule": "b", "log": "b.log"},
    ]
    (tmp_path / "Snakefile").write_text(SNAKEFILE.replace("FAIL", ""), encoding="utf-8")
    shown = snakemake(tmp_path, repository, "--logger", "vertebromics")
    assert shown.returncode == 0
    assert "1 of 1 jobs · " in shown.stderr
    assert "rule b:" not in shown.stderr
    assert events_of(tmp_path, repository) == [{"event": "nothing"}]
    (tmp_path / "Snakefile").write_text('raise WorkflowError("Not this way")\n', encoding="utf-8")
    (error,) = events_of(tmp_path, repository)
    assert error["event"] == "error"
    assert "Not this way" in error["text"]


def test_the_logger_imports_nothing_heavy(repository: Path) -> None:
    code = (
        "import sys, snakemake_logger_plugin_vertebromics as plugin; plugin.LogHandler;"
        "assert not {'snakemake', 'pandas', 'numpy'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=repository, check=True)


@pytest.mark.parametrize(
    ("given", "loggers"),
    [
        (["all"], ["--logger", "vertebromics", "EVENTS", "all"]),
        (["--logger", "own", "all"], ["EVENTS", "--logger", "vertebromics", "own", "all"]),
        (["all", "--logger=own"], ["EVENTS", "all", "--logger", "vertebromics", "own"]),
    ],
)
def test_a_logger_that_somebody_names_stays(given: list[str], loggers: list[str]) -> None:
    events = ["--logger-vertebromics-events", "/dev/fd/7"]
    wanted = [part for word in loggers for part in (events if word == "EVENTS" else [word])]
    assert with_events(given, 7) == wanted
