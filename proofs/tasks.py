"""Run a proof's tasks over processes; a killed proof goes on from its journal."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.running.workers.journal import Journal
from pipeline.running.workers.parallel import Workers


def run_missing(
    function: Callable[[Any, Any], dict],
    tasks: Sequence,
    shared: Callable[[], object],
    journal: Path,
    key: str,
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
    journal : pathlib.Path
        File of the finished tasks.
    key : str
        What the results depend on (options, code); with another one everything is run anew.
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
    with Journal(journal, key) as kept:
        waiting = [task for task in tasks if str(task) not in kept.results]
        waiting = waiting[:limit] if limit else waiting
        if waiting:
            with Workers(workers, (function, shared())) as pool:
                pool.map(
                    _run_quietly,
                    waiting,
                    stage=stage,
                    describe=describe,
                    on_result=lambda place, result: kept.add(str(waiting[place]), result),
                )
        return [kept.results[str(task)] for task in tasks if str(task) in kept.results]


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
