"""The events of a run: what is planned, done, under way, failed, and how long it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.running.progress import (
    Run,
    duration,
    earlier_seconds,
    error_of_log,
    without_places,
)

PLAN = {"event": "planned", "jobs": {"all": 1, "extract": 2, "train": 1}}


def _job(rule: str, jobid: int, log: Path | None = None) -> dict:
    return {"event": "job", "id": jobid, "rule": rule, "log": log and str(log)}


def _finished(jobid: int) -> dict:
    return {"event": "finished", "id": jobid}


@pytest.fixture
def run() -> Run:
    run = Run(seconds={"extract": 10.0, "train": 20.0})
    run.take(PLAN, 0.0)
    return run


def test_targets_are_no_jobs(run: Run) -> None:
    assert run.planned == {"all": 1, "extract": 2, "train": 1}
    assert (run.jobs, run.jobs_done) == (3, 0)


def test_time_left_starts_from_the_last_run_and_learns_from_this_one(run: Run) -> None:
    assert run.seconds_left(0.0) == 40.0
    run.take(_job("extract", 1), 0.0)
    assert run.seconds_left(4.0) == pytest.approx(36.0)
    run.take(_finished(1), 30.0)
    assert run.jobs_done == 1
    assert run.seconds_left(30.0) == pytest.approx(30.0 + 20.0)
    run.take(_job("extract", 2), 30.0)
    run.take(_job("train", 3), 30.0)
    assert run.seconds_left(30.0) == pytest.approx(30.0)  # the longer of two side by side
    run.take(_finished(2), 60.0)
    run.take(_finished(3), 60.0)
    assert run.seconds_left(60.0) == 0.0


def test_a_job_tells_its_cases_and_its_pace(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "b0.log"
    run.take(_job("extract", 1, log), 0.0)
    log.write_text("12:00 INFO progress extract 1/4 0001 A\n", encoding="utf-8")
    assert run.stage() == "extract 1 of about 8"
    # 5 s a case: 15 s of this job, 20 s of the next, and the training as the last run took it.
    assert run.seconds_left(5.0) == pytest.approx(15.0 + 20.0 + 20.0)
    with log.open("a", encoding="utf-8") as stream:
        stream.write("12:00 INFO progress extract 4/4 0004 A\n")
    run.take(_finished(1), 20.0)
    other = tmp_path / "b1.log"
    run.take(_job("extract", 2, other), 20.0)
    other.write_text("INFO progress extract 1/2 0005 A\n", encoding="utf-8")
    assert run.stage() == "extract 5 of 6"
    assert run.line(0.0, 20.0).startswith("1 of 3 jobs · extract 5 of 6 · 20 s so far · about ")


def test_a_job_tells_its_own_progress_and_not_that_of_its_parts(tmp_path: Path) -> None:
    run, log = Run(), tmp_path / "lr.log"
    run.take({"event": "planned", "jobs": {"nested": 1}}, 0.0)
    run.take(_job("nested", 1, log), 0.0)
    log.write_text(
        "INFO progress select 3/3 fold 2, 0 s left\nINFO progress search lr 7/9 AUROC 0.7\n",
        encoding="utf-8",
    )
    assert run.stage() == "nested"
    with log.open("a", encoding="utf-8") as stream:
        stream.write("INFO progress nested lr 1/5 AUROC 0.700, 40 s left\n")
        stream.write("INFO progress select 3/3 fold 2, 0 s left\n")
    assert run.stage() == "nested 1 of 5"
    assert run.seconds_left(10.0) == pytest.approx(40.0)


def test_a_training_tells_the_sets_of_its_search(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "rf.log"
    run.take(_job("train", 1, log), 0.0)
    log.write_text("INFO progress search rf 2/9 AUROC 0.7, 5 s left\n", encoding="utf-8")
    assert run.stage() == "train 2 of 9"


def test_a_job_that_goes_on_is_paced_by_what_it_does_itself(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "rf.log"
    log.write_text("INFO progress search rf 6/9 AUROC 0.7, 5 s left\n", encoding="utf-8")
    run.take(_job("train", 1, log), 0.0)
    # The killed run's log, until this run writes its own.
    assert run.stage() == "train"
    log.write_text("INFO progress search rf 7/9 AUROC 0.7, 5 s left\n" + "x" * 20000, "utf-8")
    assert run.stage() == "train 7 of 9"
    # One of the three that were left took 6 s, and the two batches before wait their 10 s each.
    assert run.seconds_left(6.0) == pytest.approx(12.0 + 2 * 10.0)
    with log.open("a", encoding="utf-8") as stream:
        stream.write("\nINFO progress search rf 8/9 AUROC 0.7, 5 s left\n")
    assert run.stage() == "train 8 of 9"
    assert run.running[1].seconds(14.0) == pytest.approx(21.0)


def test_after_a_restart_the_jobs_are_those_that_remain(run: Run) -> None:
    assert run.line(0.0, 5.0).startswith("0 of 3 jobs · ")
    run.goes_on = True
    assert run.line(0.0, 5.0).startswith("0 of 3 remaining jobs · ")


def test_a_job_without_a_log_is_named_by_its_rule(run: Run, tmp_path: Path) -> None:
    run.take(_job("train", 3, tmp_path / "not-yet.log"), 0.0)
    assert run.stage() == "train"


def test_failures_name_rule_and_log(run: Run) -> None:
    run.take(_job("extract", 1), 0.0)
    log = "results/x/log/extract/b0.log"
    run.take({"event": "failed", "id": 1, "rule": "extract", "log": log}, 1.0)
    assert run.failures == [("extract", Path("results/x/log/extract/b0.log"))]
    assert not run.running


def test_nothing_to_do_is_noticed(run: Run) -> None:
    run.take({"event": "nothing"}, 0.0)
    assert run.nothing_to_do


def test_the_last_error_of_a_log_is_shown_with_what_follows(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text(
        "2026-11-20 12:00:00,001 ERROR first\n2026-11-20 12:00:00,002 INFO progress a 1/2 b\n"
        "2026-11-20 12:00:01,003 ERROR A mask must hold voxels. Found: 0.\n",
        encoding="utf-8",
    )
    assert error_of_log(log) == "A mask must hold voxels. Found: 0."
    log.write_text("Traceback\n  line\nValueError: x\n", encoding="utf-8")
    assert error_of_log(log) == "Traceback\n  line\nValueError: x"
    assert error_of_log(tmp_path / "none.log") == ""
    assert error_of_log(None) == ""


def test_an_error_of_snakemakes_loses_its_places(run: Run) -> None:
    text = (
        'WorkflowError in file "Snakefile", line 3:\nThere are 2 problems in the options\n'
        '  1. An option must be known. Found: sed.\n  File "common.smk", line 30, in <module>'
    )
    run.take({"event": "error", "text": text}, 0.0)
    assert without_places(run.error) == (
        "There are 2 problems in the options\n1. An option must be known. Found: sed."
    )
    text = (
        'InputFunctionException in rule models in file "Snakefile", line 34:\nError:\n'
        "  WorkflowError:\n    Models need an outcome.\nWildcards:\n\nTraceback:\n"
        '  File "common.smk", line 140, in model_targets (rule models, line 62, Snakefile)'
    )
    assert without_places(text) == "Models need an outcome."


def test_earlier_seconds_are_means_of_the_benchmarks(tmp_path: Path) -> None:
    for batch, seconds in (("b0", "10.0"), ("b1", "20.0")):
        path = tmp_path / "benchmark" / "extract" / f"{batch}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\n{seconds}\t0:00:10\n", encoding="utf-8")
    assert earlier_seconds(tmp_path) == {"extract": 15.0}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (95, "1 min 35 s"), (900, "15 min"), (7500, "2 h 5 min")],
)
def test_durations_are_said_as_people_do(seconds: float, text: str) -> None:
    assert duration(seconds) == text
