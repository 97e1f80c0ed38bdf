"""A proof's finished tasks, one line each, so that a killed proof goes on where it stopped."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from models.parallel import Workers


class Journal:
    """Results of finished tasks in a file of JSON lines.

    Parameters
    ----------
    path : path-like
        The file; made with its folder when the first result comes.
    key : str
        What the results depend on (options, code); lines of another key are not read, but kept.
    """

    def __init__(self, path: str | Path, key: str) -> None:
        self.path = Path(path)
        self.key = key

    def read(self) -> dict[str, dict]:
        """Return the results by task; a last line that a killed process cut short is dropped."""
        if not self.path.exists():
            return {}
        found = {}
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            if entry["key"] == self.key:
                found[entry["task"]] = entry["result"]
        return found

    def add(self, task: str, result: dict) -> None:
        """Append the result of a task."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"key": self.key, "task": task, "result": result})
        with self.path.open("a+", encoding="utf-8") as stream:
            # A line that was cut short must not swallow this one.
            stream.seek(0)
            text = stream.read()
            stream.write(("" if not text or text.endswith("\n") else "\n") + line + "\n")


def run_missing(
    function: Callable[[Any, Any], dict],
    tasks: Sequence,
    shared: Callable[[], object],
    journal: Journal,
    *,
    stage: str,
    describe: Callable[[Any, dict], str],
    workers: int,
    limit: int = 0,
) -> list[dict]:
    """Run the tasks that the journal lacks, and return the results of all that are done.

    Parameters
    ----------
    function : callable
        ``function(shared, task)``, importable.
    tasks : sequence
        What the proof consists of; ``str(task)`` names one.
    shared : callable
        Makes what every task needs; not called where nothing is left to do.
    journal : Journal
        Finished tasks.
    stage : str
        Name under which progress and the time left are logged.
    describe : callable
        Says of a task and its result what was found.
    workers : int
        Processes; results do not depend on it.
    limit : int
        Tasks of this run at most, 0 for all.

    Returns
    -------
    list of dict
        In the order of `tasks`; those not done yet are left out.
    """
    done = journal.read()
    waiting = [task for task in tasks if str(task) not in done]
    waiting = waiting[:limit] if limit else waiting
    if waiting:
        with Workers(workers, (function, shared())) as pool:
            pool.map(
                _run_quietly,
                waiting,
                stage=stage,
                describe=describe,
                on_result=lambda place, result: journal.add(str(waiting[place]), result),
            )
    done = journal.read()
    return [done[str(task)] for task in tasks if str(task) in done]


def _run_quietly(shared: tuple[Callable, object], task: object) -> dict:
    function, own = shared
    with _quiet():
        return function(own, task)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the stages' own progress, hundreds of lines a task, out of the log."""
    logger = logging.getLogger("vertebromics")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
