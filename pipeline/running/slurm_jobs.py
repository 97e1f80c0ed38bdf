"""Jobs of a SLURM: none is forgotten while its controller cannot be asked, none charged unasked.

Snakemake's executor for SLURM asks a few times in a row for the states of its jobs, and where none
of these is answered it drops all of them: the run then waits for ever, for nothing. A controller
that is restarted does not answer for some seconds, and a cluster without accounting is meanwhile
asked by a command (`sacct`) that never answers there. Here the jobs are kept until one is.

The executor declares `--slurm-no-account` and never reads it (version 2.8.0): it asks `sacct` for
an account all the same, and ends where a cluster without accounting has no such command. Here a
run that is told to name no account names none and asks nothing.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any


def mend_executor(executor: type | None = None) -> None:
    """Mend what the executor for SLURM does with accounts and with jobs that it is told nothing of.

    Parameters
    ----------
    executor : type, optional
        The executor's class; by default that of the plugin for SLURM, which Snakemake loads where
        it is installed.
    """
    if executor is None:
        plugin = sys.modules.get("snakemake_executor_plugin_slurm")
        if plugin is None:
            return
        executor = plugin.Executor
    if hasattr(executor.check_active_jobs, "__wrapped__"):
        return
    _remember_jobs(executor)
    _name_no_account(executor)


def _name_no_account(executor: Any) -> None:
    """Have the executor name no account where `--slurm-no-account` is given."""
    named = executor.get_account_arg

    @functools.wraps(named)
    def get_account_arg(self: Any, job: Any) -> Iterator[str]:
        if self.workflow.executor_settings.no_account:
            yield ""
        else:
            yield from named(self, job)

    executor.get_account_arg = get_account_arg


def _remember_jobs(executor: Any) -> None:
    """Have the executor ask again later for jobs that it was told nothing about."""
    check = executor.check_active_jobs

    def noting(report: Callable) -> Callable:
        @functools.wraps(report)
        def note(self: Any, job_info: Any, *arguments: Any, **options: Any) -> Any:
            self.__dict__.setdefault("_ended", set()).add(id(job_info))
            return report(self, job_info, *arguments, **options)

        return note

    @functools.wraps(check)
    async def check_active_jobs(self: Any, active_jobs: list) -> AsyncIterator:
        self._ended = set()
        alive = set()
        async for job_info in check(self, active_jobs):
            alive.add(id(job_info))
            yield job_info
        for job_info in active_jobs:
            if id(job_info) not in alive | self._ended:
                yield job_info

    executor.report_job_success = noting(executor.report_job_success)
    executor.report_job_error = noting(executor.report_job_error)
    executor.check_active_jobs = check_active_jobs
