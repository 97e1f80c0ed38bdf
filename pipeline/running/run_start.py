"""What a real run of Snakemake does before its first job, and nothing else of Snakemake does.

While a Snakefile is read, a run cannot be told from ``--summary`` or ``--unlock``, and `onstart`
is left out in a module and with ``--no-hooks``. So this stands at Snakemake's own start of a run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def at_start(workflow: Any, hold: Callable[[], None], freeze: Callable[[], None]) -> None:
    """Let a real run of `workflow` call `hold` at its start and `freeze` before its first job.

    Parameters
    ----------
    workflow : snakemake.workflow.Workflow
        That reads the Snakefile, as the main process; several modules may call this.
    hold : callable
        Holds the study: called before Snakemake plans jobs or takes locks of its own.
    freeze : callable
        Writes the study: called once Snakemake holds its locks and there are jobs to run, before
        hooks of the workflow.
    """
    execute = workflow.execute

    def run(**settings: Any) -> None:
        if not settings["executor_plugin"].common_settings.dryrun_exec:
            hold()
            _before_hooks(workflow, freeze)
        execute(**settings)

    workflow.execute = run


def _before_hooks(workflow: Any, freeze: Callable[[], None]) -> None:
    if workflow.execution_settings.no_hooks:
        workflow.execution_settings.no_hooks = False
        workflow._onstart = workflow._onsuccess = workflow._onerror = lambda log: None
    hook = workflow._onstart

    def start(log: Any) -> None:
        freeze()
        hook(log)

    workflow._onstart = start
