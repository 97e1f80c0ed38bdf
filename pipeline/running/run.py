"""Run a study with Snakemake and show its progress: stage, cases done, time left.

Everything else that Snakemake says stays in its own log. One run of a study at a time
(`pipeline.running.run_lock`): a second one is refused while the first lives, and a killed one
leaves nothing to unlock.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.core import command
from pipeline.core.errors import VertebromicsError
from pipeline.core.files import machine_error
from pipeline.core.installed.job_environment import environment
from pipeline.core.installed.own_files import OWN_FILES, PACKAGES, own_file
from pipeline.running.progress import (
    NOTICE,
    TARGETS,
    Run,
    duration,
    earlier_seconds,
    error_of_log,
    without_places,
)
from pipeline.running.run_lock import HELD, name_run, new_run, only_run
from pipeline.study.config import load_yaml
from pipeline.study.config_checks import study_name_problem

#: What to open after a run of a target, relative to the study's folder, best first.
RESULTS_TO_OPEN = {
    "all": ("report/report.html",),
    "report": ("report/report.html",),
    "preflight": ("report/preflight/index.html",),
    "features": ("tables/features.csv",),
    "models": ("evaluation/metrics.csv", "evaluation/metrics.parquet"),
}

#: Where Snakemake looks for a Snakefile in the working directory.
SNAKEFILES = ("Snakefile", "snakefile", "workflow/Snakefile", "workflow/snakefile")

PLAIN_INTERVAL = 10.0  # seconds between lines where the output is no terminal


def study_folder(configfiles: Sequence[Path], overrides: Sequence[str]) -> Path:
    """Return ``results/<study>`` as the configuration files and ``--config`` name it."""
    named = {"results": "results", "study": None}
    for path in configfiles:
        named.update({key: value for key, value in load_yaml(path).items() if key in named})
    named.update(
        item.split("=", 1) for item in overrides if item.startswith(("study=", "results="))
    )
    if not named["study"]:
        raise VertebromicsError(
            "A study needs a name",
            where=", ".join(str(path) for path in configfiles),
            remedy="write `study: <name>`",
            code="study-name-missing",
        )
    if (problem := study_name_problem(str(named["study"]))) is not None:
        raise problem
    return Path(str(named["results"]), str(named["study"]))


def snakefile(rest: Sequence[str], here: Path = Path()) -> list[str]:
    """Return the option that names this project's Snakefile, where nothing else names one.

    Parameters
    ----------
    rest : sequence of str
        What goes to Snakemake as it stands.
    here : pathlib.Path, optional
        The working directory, whose own Snakefile Snakemake finds.
    """
    named = any(word.startswith(("-s", "--snakefile")) for word in rest)
    if named or any((here / name).is_file() for name in SNAKEFILES):
        return []
    return ["--snakefile", str(OWN_FILES / "Snakefile")]


def with_events(rest: Sequence[str], pipe: int) -> list[str]:
    """Return the options by which Snakemake tells this run's events, and then `rest`.

    Parameters
    ----------
    rest : sequence of str
        What goes to Snakemake as it stands; a logger that it names stays.
    pipe : int
        Open file that receives the events.
    """
    told = ["--logger-vertebromics-events", f"/dev/fd/{pipe}"]
    for at, word in enumerate(rest):
        if word == "--logger" or word.startswith("--logger="):
            named = [word.removeprefix("--logger=")] if word != "--logger" else []
            return [*told, *rest[:at], "--logger", "vertebromics", *named, *rest[at + 1 :]]
    return ["--logger", "vertebromics", *told, *rest]


def follow(process: subprocess.Popen, events: int, run: Run, started: float) -> list[str]:
    """Read a Snakemake process to its end, showing progress, and return its last lines."""
    told: queue.Queue[tuple[str, str] | None] = queue.Queue()

    def pump(stream: Iterable[str], what: str) -> None:
        with contextlib.suppress(OSError):
            for line in stream:
                told.put((what, line.rstrip("\n")))
        told.put(None)

    pipe = os.fdopen(events, encoding="utf-8")
    for stream, what in ((process.stdout, "line"), (pipe, "event")):
        threading.Thread(target=pump, args=(stream, what), daemon=True).start()
    live = sys.stdout.isatty()
    interval = 0.5 if live else PLAIN_INTERVAL
    output: list[str] = []
    shown, due, ended = "", time.monotonic(), 0
    while ended < 2:
        with contextlib.suppress(queue.Empty):
            got = told.get(timeout=0.5)
            if got is None:
                ended += 1
            elif got[0] == "event":
                run.take(json.loads(got[1]), time.monotonic())
            else:
                output = [*output[-400:], got[1]]
                if got[1].startswith(NOTICE):
                    print(f"\r\033[K{got[1]}" if live else got[1], flush=True)
        now = time.monotonic()
        if now >= due and (run.jobs or live):
            shown = run.line(started, now)
            print(f"\r\033[K{shown}" if live else shown, end="" if live else "\n", flush=True)
            due = now + interval
    if live:
        print("\r\033[K", end="")
    return output


def main(configfiles: Sequence[Path], rest: Sequence[str]) -> int:
    """Run Snakemake on a study, say how it ended and what to open.

    Parameters
    ----------
    configfiles : sequence of pathlib.Path
        The study's configuration; a later file wins over an earlier one.
    rest : sequence of str
        Targets and options, handed to Snakemake as they stand.

    Returns
    -------
    int
        Exit status: 0 where everything asked for is there, 130 where a person stopped the run.
    """
    configfiles = [own_file(path) for path in configfiles]
    folder = study_folder(configfiles, rest)
    call = [sys.executable, "-m", "snakemake", "--nolock", *snakefile(rest)]
    studies = ["--configfile", *map(str, configfiles)]
    if {"-n", "--dry-run", "--dryrun"} & set(rest):
        status = subprocess.call([*call, *rest, *studies])
        # The plan is a program of its own, as stages are: it imports what fits models.
        plan = [sys.executable, "-m", "models.plan"]
        for path in configfiles:
            plan += ["--configfile", str(path)]
        return status or subprocess.call(plan)
    started = time.monotonic()
    earlier = earlier_seconds(folder)
    run = Run(seconds=earlier, goes_on=bool(earlier))
    stopped = []
    with only_run(folder) as lock:
        new_run()
        # A shell that starts a run in the background has its children ignore Ctrl-C, by which
        # Snakemake is stopped below.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        events, told = os.pipe()
        process = subprocess.Popen(
            [*call, *with_events(rest, told), *studies],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=[lock, told],
            # Snakemake finds its logger beside this package, however that is installed.
            env=environment(PACKAGES) | {HELD: str(lock)},
            start_new_session=True,
        )
        os.close(told)
        name_run(lock, process.pid)

        def stop(received: int, _: object) -> None:
            # To Snakemake and its jobs at once, as a terminal's Ctrl-C would reach them.
            stopped.append(received)
            os.killpg(process.pid, signal.SIGINT)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        output = follow(process, events, run, started)
        status = process.wait()
        if status >= 0:  # of one that was killed, the next run wants to know whose jobs still work
            os.ftruncate(lock, 0)
    took = duration(time.monotonic() - started)
    if stopped:
        print(f"Stopped after {took}. What is finished is kept.")
        print("Run the same command again to resume.")
        return 130
    if status:
        _tell_failure(run, output)
        return 1
    if run.nothing_to_do:
        print(f"Nothing to do: every result is up to date ({took}).")
    else:
        print(f"Done: {run.jobs_done} jobs in {took}.")
    if (page := to_open(folder, rest)) is not None:
        print(f"Open {page}")
    return 0


def to_open(folder: Path, rest: Sequence[str]) -> Path | None:
    """Return the file of the study's `folder` that answers what was asked for in `rest`."""
    asked = [target for target in TARGETS if target in rest] or ["all"]
    names = [name for target in asked for name in RESULTS_TO_OPEN[target]]
    return next((folder / name for name in names if (folder / name).exists()), None)


def _tell_failure(run: Run, output: Sequence[str]) -> None:
    if not run.failures:
        told = without_places(run.error) if run.error and not run.jobs else ""
        print(told or "\n".join(output[-15:]))
    for told in dict.fromkeys(run.refused.values()):
        print("Not submitted:", ", ".join(r for r, text in run.refused.items() if text == told))
        print(told)
    for rule, log in dict.fromkeys(run.failures):
        if rule in run.refused:
            continue
        print(f"Failed: {rule}{f' (log: {log})' if log else ''}")
        print(error_of_log(log) or "\n".join(output[-15:]))
    if run.jobs:
        print("What is finished is kept. Run the same command again to resume.")


def parse(argv: Sequence[str] | None = None) -> tuple[list[Path], list[str]]:
    """Return the study's configuration files and everything else, which is Snakemake's."""
    arguments = command.parser("pipeline.running.run", __doc__)
    arguments.allow_abbrev = False  # otherwise Snakemake's --config would mean --configfile
    arguments.usage = "%(prog)s --configfile STUDY.yaml [target ...] [options of snakemake]"
    arguments.epilog = f"Targets: {', '.join(TARGETS)}. Everything else goes to snakemake."
    command.configfile_argument(arguments)
    options, rest = arguments.parse_known_args(argv)
    return options.configfile, rest


if __name__ == "__main__":
    try:
        raise SystemExit(main(*parse()))
    except (VertebromicsError, OSError, MemoryError) as error:
        if (
            told := error if isinstance(error, VertebromicsError) else machine_error(error)
        ) is None:
            raise
        raise SystemExit(str(told)) from None
