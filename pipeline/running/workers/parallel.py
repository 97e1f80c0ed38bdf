"""Independent tasks over worker processes: the same results whatever the number of workers."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from threadpoolctl import threadpool_limits

from pipeline.core.command import progress
from pipeline.core.errors import MachineError, StudyError

_shared: Any = None
"""What all tasks of a worker process see; set once as the process starts."""


class Workers:
    """Processes that work through tasks, one task each at a time; one means this very process.

    Processes are started afresh (``spawn``), since forking a process in which torch or OpenMP has
    computed may hang, and stay until the block ends, so that libraries are imported once. They end
    at once when the block is left by an error, and when this process dies, be it killed.

    Parameters
    ----------
    count : int
        Processes.
    shared : object, optional
        What every task needs, such as the tables of the folds: handed to each process once.
    threads : int
        Threads that numerical libraries may use in each process.

    Examples
    --------
    >>> import operator
    >>> with Workers(1, shared=[10, 20, 30]) as workers:
    ...     workers.map(operator.getitem, [0, 2])
    [10, 30]
    """

    def __init__(self, count: int = 1, shared: object = None, threads: int = 1) -> None:
        if count < 1:
            raise StudyError(
                "A job needs at least one process to compute in",
                found=count,
                where="option --workers",
                remedy="write 1 or more",
                code="processes-too-few",
            )
        self.count = count
        self.shared = shared
        self.threads = threads

    def __enter__(self) -> Workers:
        self._executor = None
        if self.count > 1:
            context = multiprocessing.get_context("spawn")
            held, self._leash = context.Pipe(duplex=False)
            self._executor = ProcessPoolExecutor(
                self.count, context, _begin, (held, self.shared, self.threads)
            )
            self._held = held
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._executor is None:
            return
        if kind is not None:
            self._leash.close()
        self._executor.shutdown(cancel_futures=True)
        self._leash.close()
        self._held.close()

    def map(
        self,
        function: Callable[[Any, Any], Any],
        tasks: Sequence,
        *,
        stage: str | None = None,
        describe: Callable[[Any, Any], str] = lambda task, result: str(task),
        on_result: Callable[[int, Any], None] | None = None,
        known: int = 0,
    ) -> list:
        """Return ``[function(shared, task) for task in tasks]``.

        Parameters
        ----------
        function : callable
            Takes `shared` and a task; its result may depend on nothing else (seeds belong into the
            task). With several processes it must be importable, and tasks and results picklable.
        tasks : sequence
            What is to be done.
        stage : str, optional
            Name under which progress and the time left are logged; None logs nothing.
        describe : callable
            ``describe(task, result)`` says in the log what was done.
        on_result : callable, optional
            ``on_result(position, result)``, called in this process as each task ends, in whatever
            order they end, for example to keep a journal.
        known : int
            Tasks beside these that an earlier run has done; the log counts them in.

        Returns
        -------
        list
            Results in the order of `tasks`.

        Raises
        ------
        MachineError
            If a process was killed from outside, which is nearly always for want of memory.
        Exception
            Whatever a task raises, as it raised it; of several the one of the first task.
        """
        results: list = [None] * len(tasks)
        started = time.monotonic()
        for done, (position, result) in enumerate(self._finished(function, tasks), start=1):
            results[position] = result
            if on_result is not None:
                on_result(position, result)
            if stage is not None:
                left = (time.monotonic() - started) / done * (len(tasks) - done)
                text = f"{describe(tasks[position], result)}, {left:.0f} s left"
                progress(stage, known + done, known + len(tasks), text)
        return results

    def _finished(self, function: Callable, tasks: Sequence) -> Iterator[tuple[int, Any]]:
        """Yield position and result of each task as it ends."""
        if self._executor is None:
            with threadpool_limits(self.threads):
                for position, task in enumerate(tasks):
                    yield position, function(self.shared, task)
            return
        try:
            futures = {
                self._executor.submit(_work, function, task): n for n, task in enumerate(tasks)
            }
            yield from _as_they_end(futures)
        except BrokenProcessPool:
            raise MachineError(
                "No worker process may be killed",
                found=f"one of {self.count} ended in the middle of its task",
                remedy="most often memory runs out: ask for more, or use fewer workers",
                code="worker-ended",
            ) from None


def _as_they_end(futures: dict[Future, int]) -> Iterator[tuple[int, Any]]:
    """Yield position and result; the error of the first failing task ends it, as in a loop."""
    failed: Future | None = None
    pending = set(futures)
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=futures.__getitem__):
            if future.cancelled():
                continue
            if future.exception() is None:
                yield futures[future], future.result()
            elif failed is None or futures[future] < futures[failed]:
                failed = future
                for later in pending:
                    if futures[later] > futures[failed]:
                        later.cancel()
    if failed is not None:
        raise failed.exception()


def _begin(held: Connection, shared: object, threads: int) -> None:
    """Prepare a worker process."""
    global _shared  # noqa: PLW0603 - an executor's processes have no other place for it
    _shared = shared
    # Whoever interrupts the command reaches its workers too; they end with the leash.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_leash, args=(held,), daemon=True).start()
    threadpool_limits(threads)


def _end_with_the_leash(held: Connection) -> None:
    """End this process as soon as nobody holds the other end of the pipe any more."""
    with contextlib.suppress(EOFError, OSError):
        held.recv()
    os._exit(1)


def _work(function: Callable, task: object) -> object:
    return function(_shared, task)
