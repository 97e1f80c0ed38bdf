"""Jobs of a SLURM: none is forgotten while its controller cannot be asked, none charged unasked.

What SLURM does not take (an account that is not the user's, a quality of service that the account
lacks, more time than the partition gives) ends in one sentence of this project's instead of a
trace or the whole call of `sbatch`.

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
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from pipeline.core.errors import VertebromicsError

#: What the executor says of a job that `sbatch`, or `sacctmgr` before it, does not take.
_REFUSED = re.compile(r"SLURM sbatch failed\. The error message was '(?P<said>.*?)'\.\n", re.DOTALL)
_NO_ACCOUNT = re.compile(r"The given account (?P<account>.+) appears to be invalid")

#: How a sentence of `refusal` begins.
REFUSAL = "SLURM must take every job of a run"

_REMEDY = (
    "name what is yours there, as `sacctmgr show associations user=$USER` lists it "
    "(--default-resources slurm_account=NAME slurm_partition=NAME, --slurm-qos NAME), and ask for "
    "no more memory and minutes than the partition gives (`sinfo -o '%P %l %m'`)"
)


class _Refused(BaseException):
    """An account that is not the user's; of every `Exception` the executor prints a trace."""


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
    _word_refusals(executor)


def refusal(said: str | None, asked: dict[str, Any]) -> VertebromicsError | None:
    """Return an error for what the executor says of a job that SLURM did not take.

    Parameters
    ----------
    said : str or None
        What the executor says.
    asked : dict
        What the run asked for, by name; None where it named nothing.

    Returns
    -------
    VertebromicsError or None
        None where `said` tells of something else.
    """
    if said is None:
        return None
    if (found := _REFUSED.match(said)) is not None:
        lines = [
            re.sub(r"^sbatch: (error: )?", "", line).strip() for line in found["said"].splitlines()
        ]
        told = "; ".join(filter(None, lines)) or "no reason"
    elif (found := _NO_ACCOUNT.match(said)) is not None:
        told = f"`sacctmgr` lists no account {found['account']} of this user"
    else:
        return None
    named = ", ".join(f"{name} {value}" for name, value in asked.items() if value)
    return VertebromicsError(
        REFUSAL,
        found=f"{told} ({named or 'neither account nor quality of service was named'})",
        remedy=_REMEDY,
        code="slurm-job-refused",
    )


def _asked(executor: Any, job: Any) -> dict[str, Any]:
    """Return what SLURM may have refused of a job, by the names that people know."""
    asked = job.resources
    return {
        "account": asked.get("slurm_account"),
        "partition": asked.get("slurm_partition"),
        "quality of service": executor.workflow.executor_settings.qos or asked.get("qos"),
        "minutes": asked.get("runtime"),
        "MB": asked.get("mem_mb"),
    }


def _word_refusals(executor: Any) -> None:
    """Have the executor say in one sentence what SLURM does not take."""
    report, account = executor.report_job_error, executor.get_account_arg

    @functools.wraps(report)
    def report_job_error(self: Any, job_info: Any, msg: str | None = None, **options: Any) -> Any:
        told = refusal(msg, _asked(self, job_info.job))
        if told is not None:
            self.logger.debug(msg)
            msg = f"{told.with_code()}\n"  # the executor appends a sentence about logs
        return report(self, job_info, msg=msg, **options)

    @functools.wraps(account)
    def get_account_arg(self: Any, job: Any) -> Iterator[str]:
        try:
            yield from account(self, job)
        except Exception as error:
            if _NO_ACCOUNT.match(str(error)) is None:
                raise
            raise _Refused(str(error)) from None

    def submitting(submit: Callable) -> Callable:
        @functools.wraps(submit)
        def submits(self: Any, jobs: Any) -> None:
            from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

            try:
                submit(self, jobs)
            except _Refused as error:
                for job in jobs if isinstance(jobs, list) else [jobs]:
                    self._report_job_error_threadsafe(SubmittedJobInfo(job), str(error))

        return submits

    executor.report_job_error = report_job_error
    executor.get_account_arg = get_account_arg
    executor.run_job = submitting(executor.run_job)
    executor.run_array_jobs = submitting(executor.run_array_jobs)


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
