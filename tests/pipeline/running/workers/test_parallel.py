import operator
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from pipeline.core.errors import MachineError, StudyError
from pipeline.running.workers.parallel import Workers
from tests.support.refusals import refusal

TASKS = """
import os, signal, time
import numpy as np
from threadpoolctl import threadpool_info
from pipeline.core.errors import StudyError

def power(shared, task):
    time.sleep(0.02 * (task % 3))
    return shared**task

def fail(shared, task):
    time.sleep(0.1 * (task == 1))
    if task in (1, 2):
        raise StudyError("A task must be even", found=task, where="tasks", remedy="choose another")
    return task

def die(shared, task):
    os.kill(os.getpid(), signal.SIGKILL)

def threads(shared, task):
    return [pool["num_threads"] for pool in threadpool_info()], os.getpid()

def sleep(shared, task):
    open(f"{shared}/{os.getpid()}", "w").close()
    time.sleep(60)
"""


@pytest.fixture
def tasks(tmp_path, monkeypatch):
    """Return a module that worker processes can import."""
    (tmp_path / "tasks_of_a_test.py").write_text(TASKS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import tasks_of_a_test

    yield tasks_of_a_test
    del sys.modules["tasks_of_a_test"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_stand_in_the_order_of_the_tasks(tasks, count, caplog):
    seen = {}
    with Workers(count, shared=2) as workers, caplog.at_level("INFO", logger="vertebromics"):
        results = workers.map(
            tasks.power,
            range(7),
            stage="raise 2",
            describe=lambda task, result: f"{task} gives {result}",
            on_result=seen.__setitem__,
        )
        assert workers.map(tasks.power, []) == []
        assert workers.map(tasks.power, [10]) == [1024]
    assert results == [1, 2, 4, 8, 16, 32, 64]
    assert [seen[position] for position in range(7)] == results
    assert "progress raise 2 7/7" in caplog.text
    assert "3 gives 8, " in caplog.text
    assert "s left" in caplog.text


@pytest.mark.parametrize("count", [1, 3])
def test_the_first_failing_task_is_told_whoever_fails_first(tasks, count):
    with pytest.raises(StudyError) as caught, Workers(count) as workers:
        workers.map(tasks.fail, range(6))
    expected = "A task must be even. Found: 1. In: tasks. Remedy: choose another."
    assert str(caught.value) == expected


def test_a_killed_worker_is_an_error_of_the_machine(tasks):
    with (
        refusal("worker-ended", MachineError, match=r"one of 2 ended.*fewer workers"),
        Workers(2) as workers,
    ):
        workers.map(tasks.die, range(3))


def test_each_process_computes_with_the_threads_it_is_given(tasks):
    with Workers(2, threads=1) as workers:
        results = workers.map(tasks.threads, range(4))
    assert all(set(numbers) == {1} for numbers, _ in results)
    assert os.getpid() not in {pid for _, pid in results}


def test_there_is_at_least_one_worker():
    with refusal("processes-too-few", StudyError, match="Found: 0"):
        Workers(0)
    with Workers(1, shared=[1, 2]) as workers:
        assert workers.map(operator.getitem, [1, 0]) == [2, 1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_an_interruption_leaves_no_process_behind(tasks, tmp_path, repository, number):
    folder = tmp_path / "pids"
    folder.mkdir()
    script = tmp_path / "interrupted.py"
    script.write_text(
        textwrap.dedent(f"""
            import argparse, sys
            sys.path[:0] = [{str(tmp_path)!r}, {str(repository)!r}]
            from pipeline.running.workers.parallel import Workers
            from pipeline.core import command
            import tasks_of_a_test

            def main(options):
                with Workers(2, shared={str(folder)!r}) as workers:
                    workers.map(tasks_of_a_test.sleep, range(4))

            if __name__ == "__main__":
                command.run(main, argparse.ArgumentParser())
        """),
        encoding="utf-8",
    )
    process = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL)
    _until(lambda: len(list(folder.iterdir())) == 2)
    process.send_signal(number)
    assert process.wait(timeout=20) != 0
    _until(lambda: not any(_alive(int(file.name)) for file in folder.iterdir()))


def _until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat", encoding="ascii") as stream:
        return stream.read().rpartition(")")[2].split()[0] != "Z"
