"""The study is held and frozen by a real run of Snakemake, and by nothing else of it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pipeline.running.run_start import at_start


class Workflow:
    """What `at_start` sees of Snakemake: a run calls its hook unless hooks are left out."""

    def __init__(self, said: list[str], *, no_hooks: bool = False, jobs: bool = True) -> None:
        self.execution_settings = SimpleNamespace(no_hooks=no_hooks)
        self._onstart = lambda log: said.append("onstart")
        self._onsuccess = lambda log: said.append("onsuccess")
        self._onerror = lambda log: said.append("onerror")
        self.said, self.jobs = said, jobs

    def execute(self, executor_plugin, scheduler_plugin=None) -> None:
        self.said.append("locks")
        if executor_plugin.common_settings.dryrun_exec or not self.jobs:
            return
        if not self.execution_settings.no_hooks:
            self._onstart("log")
        self.said.append("jobs")
        if not self.execution_settings.no_hooks:
            self._onsuccess("log")


def run(workflow: Workflow, *names: str, dryrun: bool = False) -> list[str]:
    for name in names:
        at_start(
            workflow,
            lambda name=name: workflow.said.append(f"hold {name}"),
            lambda name=name: workflow.said.append(f"freeze {name}"),
        )
    settings = SimpleNamespace(dryrun_exec=dryrun)
    workflow.execute(executor_plugin=SimpleNamespace(common_settings=settings))
    return workflow.said


def test_a_run_holds_first_and_freezes_under_its_locks() -> None:
    assert run(Workflow([]), "s") == [
        *("hold s", "locks", "freeze s", "onstart", "jobs", "onsuccess")
    ]


def test_a_hook_defined_after_the_module_is_kept() -> None:
    workflow = Workflow([])
    at_start(workflow, lambda: None, lambda: workflow.said.append("freeze"))
    workflow._onstart = lambda log: workflow.said.append("the caller's")
    assert run(workflow) == ["locks", "freeze", "the caller's", "jobs", "onsuccess"]


def test_a_run_without_hooks_freezes_all_the_same() -> None:
    said = run(Workflow([], no_hooks=True), "s")
    assert said == ["hold s", "locks", "freeze s", "jobs"]


@pytest.mark.parametrize("options", [{"dryrun": True}, {"jobs": False}])
def test_what_runs_no_job_freezes_nothing(options: dict) -> None:
    dryrun = options.pop("dryrun", False)
    said = run(Workflow([], **options), "s", dryrun=dryrun)
    assert said == (["locks"] if dryrun else ["hold s", "locks"])


def test_each_of_several_studies_is_held_and_frozen() -> None:
    said = run(Workflow([]), "s", "t")
    assert {"hold s", "hold t", "freeze s", "freeze t"} <= set(said)
    assert said.index("locks") > max(said.index("hold s"), said.index("hold t"))
    assert said.index("jobs") > max(said.index("freeze s"), said.index("freeze t"))
