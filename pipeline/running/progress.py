"""The events of a run: jobs planned, under way, finished and failed, and the time that is left.

`snakemake_logger_plugin_vertebromics` makes them of what Snakemake logs.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.running.slurm_executor_mends import REFUSAL

#: Targets people ask for: rules that compute nothing themselves.
TARGETS = ("all", "preflight", "features", "models", "report")

#: Seconds a job of a rule takes, as long as nothing better is known: measured on the demo studies,
#: those of the models on the one that starts from tables. Larger searches take longer: an earlier
#: run's benchmark files, and then this run's own jobs, replace it.
TYPICAL_SECONDS = {
    "extract": 5.0,
    "perturb": 60.0,
    "agreement": 3.0,
    "select": 6.0,
    "stability": 10.0,
    "train": 23.0,
    "evaluate": 8.0,
    "references": 6.0,
    "sensitivity": 5.0,
    "missingness": 2.0,
    "nested": 8.0,
    "optimism": 10.0,
    "learning_curve": 10.0,
    "ablate": 120.0,
    "study_report": 8.0,
    "gather": 4.0,
    "join": 3.0,
    "reproducibility": 3.0,
}
DEFAULT_SECONDS = 2.0

#: Rules whose own progress the log calls by another name. A job logs that of its parts too, such as
#: the selection in each fold.
STAGE_OF_RULE = {"train": "search", "reader_pages": "viewer"}

#: Bytes of a log that are read from either end.
LOOK = 8192

#: How the Snakefile marks what validation has to say although the run goes on.
NOTICE = "Notice: "


@dataclass
class Job:
    """One job under way: when it started, and how many of its items it has finished.

    A job that goes on where an earlier run was killed begins with the items that it knew then.
    """

    rule: str
    started: float
    log: Path | None = None
    done: int = 0
    total: int = 0
    known: int | None = None
    _earlier: int | None = None

    def __post_init__(self) -> None:
        # What an earlier run of the job left there is none of this one's, which begins it anew.
        self._earlier = self._changed()

    def _changed(self) -> int | None:
        """Return when the log was last written, None where it is not there."""
        try:
            return None if self.log is None else self.log.stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def look(self) -> None:
        """Read how far the job's log says that it is."""
        if (changed := self._changed()) is None or changed == self._earlier:
            return
        try:
            with open(self.log, "rb") as stream:
                head = stream.read(LOOK)
                stream.seek(max(len(head), os.fstat(stream.fileno()).st_size - LOOK))
                text = (head + stream.read()).decode("utf-8", "replace")
        except FileNotFoundError:
            return
        stage = STAGE_OF_RULE.get(self.rule, self.rule)
        steps = re.findall(rf" progress {stage}(?: \S+)*? (\d+)/(\d+) ", text)
        if steps:
            if self.known is None:
                self.known = int(steps[0][0]) - 1
            self.done, self.total = map(int, steps[-1])

    def seconds(self, now: float) -> float | None:
        """Return the job's seconds in this run, by its own pace; None before its first item."""
        if not self.done:
            return None
        known = self.known or 0
        return (now - self.started) * (self.total - known) / (self.done - known)


@dataclass
class Run:
    """What is known of a run so far, event by event.

    Snakemake plans the jobs that are left: `goes_on` says that earlier runs have done others.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    planned: Counter = field(default_factory=Counter)
    finished: Counter = field(default_factory=Counter)
    running: dict[int, Job] = field(default_factory=dict)
    items: dict[str, list[int]] = field(default_factory=dict)
    failures: list[tuple[str, Path | None]] = field(default_factory=list)
    nothing_to_do: bool = False
    goes_on: bool = False
    widest: int = 1
    error: str = ""
    refused: dict[str, str] = field(default_factory=dict)
    _took: dict[str, list[float]] = field(default_factory=dict)

    def take(self, event: Mapping[str, Any], now: float) -> None:
        """Take in one event at the time `now`, in seconds.

        Parameters
        ----------
        event : mapping
            As `snakemake_logger_plugin_vertebromics.event_of` describes it.
        now : float
            Seconds of a clock that never goes back.
        """
        what = event["event"]
        log = Path(event["log"]) if event.get("log") else None
        if what == "planned":
            self.planned = Counter(event["jobs"])
        elif what == "job":
            self.running[event["id"]] = Job(event["rule"], now, log)
            self.widest = max(self.widest, len(self.running))
        elif what == "finished":
            self._finish(event["id"], now)
        elif what == "failed":
            self.failures.append((event["rule"], log))
            # A job that no SLURM took has no log, or that of an earlier run; retries ask for more.
            if (event.get("text") or "").startswith(REFUSAL):
                self.refused.setdefault(event["rule"], event["text"].splitlines()[0])
            self.running.pop(event["id"], None)
        elif what == "error":
            self.error = event["text"]
        elif what == "nothing":
            self.nothing_to_do = True

    def _finish(self, jobid: int, now: float) -> None:
        job = self.running.pop(jobid, None)
        if job is None:
            return
        job.look()
        self.finished[job.rule] += 1
        self._took.setdefault(job.rule, []).append(now - job.started)
        if job.total:
            self.items.setdefault(job.rule, []).append(job.total)

    @property
    def jobs(self) -> int:
        """Number of jobs planned, without targets that compute nothing."""
        return sum(count for rule, count in self.planned.items() if rule not in TARGETS)

    @property
    def jobs_done(self) -> int:
        """Number of jobs finished, without targets that compute nothing."""
        return sum(count for rule, count in self.finished.items() if rule not in TARGETS)

    def seconds_left(self, now: float) -> float:
        """Estimate the seconds left, from each rule's mean so far.

        All jobs' seconds over as many jobs as ran at once; but at least the longest job under way
        and one job of each rule that has not begun, since stages wait for one another.
        """
        work, longest, stages = 0.0, 0.0, 0.0
        for rule, count in self.planned.items():
            if rule in TARGETS:
                continue
            running = [job for job in self.running.values() if job.rule == rule]
            paces = [pace for job in running if (pace := job.seconds(now)) is not None]
            known = self._took.get(rule, []) + paces
            typical = TYPICAL_SECONDS.get(rule, DEFAULT_SECONDS)
            mean = sum(known) / len(known) if known else self.seconds.get(rule, typical)
            rests = [max(0.0, (job.seconds(now) or mean) - (now - job.started)) for job in running]
            waiting = max(0, count - self.finished[rule] - len(running))
            work += mean * waiting + sum(rests)
            longest = max([longest, *rests])
            if waiting == count:
                stages += mean
        return max(work / self.widest, longest + stages)

    def stage(self) -> str:
        """Return the stages under way, with how many of their cases or steps are done."""
        for job in self.running.values():
            job.look()
        shown = []
        for rule in dict.fromkeys(job.rule for job in self.running.values()):
            jobs = [job for job in self.running.values() if job.rule == rule and job.total]
            counts = self.items.get(rule, [])
            if not jobs and not counts:
                shown.append(rule)
                continue
            done = sum(counts) + sum(job.done for job in jobs)
            known = sum(counts) + sum(job.total for job in jobs)
            unknown = self.planned[rule] - len(counts) - len(jobs)
            total = known + round(unknown * known / (len(counts) + len(jobs)))
            shown.append(f"{rule} {done} of {'about ' if unknown > 0 else ''}{total}")
        return ", ".join(shown)

    def line(self, started: float, now: float) -> str:
        """Return the one line that a person sees."""
        stage = self.stage()
        if not self.jobs:
            return "Checking the study's configuration, tables and earlier results"
        parts = [f"{self.jobs_done} of {self.jobs} {'remaining ' if self.goes_on else ''}jobs"]
        if stage:
            parts.append(stage)
        parts.append(f"{duration(now - started)} so far")
        if self.jobs_done < self.jobs:
            left = self.seconds_left(now)
            parts.append(f"about {duration(left)} left" if left >= 1 else "nearly done")
        return " · ".join(parts)


def duration(seconds: float) -> str:
    """Return `seconds` as people say it: ``40 s``, ``3 min``, ``2 h 5 min``.

    >>> duration(39.6), duration(95), duration(7500)
    ('40 s', '1 min 35 s', '2 h 5 min')
    """
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} h {minutes} min"
    if whole >= 600:
        return f"{minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def earlier_seconds(folder: Path) -> dict[str, float]:
    """Return each rule's mean seconds in the benchmark files of a study's last run."""
    seconds = {}
    for rule in sorted((folder / "benchmark").glob("*/")):
        values = [
            float(lines[1].split("\t")[0])
            for path in rule.glob("*.tsv")
            if len(lines := path.read_text(encoding="utf-8").splitlines()) > 1
        ]
        if values:
            seconds[rule.name] = sum(values) / len(values)
    return seconds


def error_of_log(path: Path | None, lines: int = 12) -> str:
    """Return the last error of a job's log, or its last lines where none is marked as one."""
    if path is None or not path.exists():
        return ""
    text = path.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()
    errors = [number for number, line in enumerate(text) if re.search(r" ERROR ", line)]
    tail = text[errors[-1] :] if errors else text
    return "\n".join(re.sub(r"^.{19,23} ERROR ", "", line) for line in tail[-lines:])


def without_places(error: str) -> str:
    """Return an error of Snakemake's without the places in its rules that it stands in."""
    place = re.compile(
        r'\s*File "|\s*(Error|Wildcards|Traceback):$'
        r"|\s*\w+(Error|Exception)( in (file|rule) .*)?:$|\s*\w+(Error|Exception) in file .*$"
    )
    lines = error.splitlines()
    return "\n".join(line.strip() for line in lines if line.strip() and not place.match(line))
