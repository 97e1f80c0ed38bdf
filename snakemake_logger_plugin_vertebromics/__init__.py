"""Logger of Snakemake that tells a run as events, and shows people one line of progress.

Snakemake finds it by the name of this package: ``snakemake --logger vertebromics`` shows the cases
done, the stage and the time left instead of every rule. `vertebromics run` has the events written
to a pipe (``--logger-vertebromics-events``), a line of JSON each: what it shows does not depend on
how Snakemake words things. It is imported by every Snakemake in this environment: nothing heavy.
"""

import json
import logging
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Optional

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase

INTERVAL = 10.0
"""Seconds between lines of progress where the output is no terminal."""


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """What the command line says of the logger."""

    # Snakemake reads the type itself, no text of it, and knows `Optional` as typing writes it.
    events: Optional[str] = field(  # noqa: UP045
        default=None,
        metadata={
            "help": "File or pipe for the events of the run, a line of JSON each; without it, "
            "progress is shown instead of every rule."
        },
    )


def event_of(record: logging.LogRecord) -> dict[str, Any] | None:
    """Return what a record tells of the run, None where it tells nothing of it.

    Parameters
    ----------
    record : logging.LogRecord
        Of Snakemake's logger.

    Returns
    -------
    dict or None
        ``event`` is ``planned`` (`jobs`: rule -> number), ``job`` (begun: `id`, `rule`, `log`),
        ``finished`` (`id`), ``failed`` (`id`, `rule`, `log`, and as `text` what an executor
        says, if anything), ``error`` (`text`) or ``nothing`` (to do); `log` is a path or None.
    """
    kind = getattr(record, "event", None)
    if kind == LogEvent.RUN_INFO:
        jobs = {rule: n for rule, n in record.stats.items() if rule != "total"}
        return {"event": "planned", "jobs": jobs}
    if kind in (LogEvent.JOB_INFO, LogEvent.JOB_ERROR):
        told = "job" if kind == LogEvent.JOB_INFO else "failed"
        log = str(record.log[0]) if record.log else None
        job = {"event": told, "id": record.jobid, "rule": record.rule_name, "log": log}
        said = getattr(record, "rule_msg", None) if told == "failed" else None
        return job | {"text": said} if said else job
    if kind == LogEvent.JOB_FINISHED:
        return {"event": "finished", "id": record.job_id}
    if kind == LogEvent.ERROR:
        return {"event": "error", "text": record.getMessage()}
    if kind is None and record.levelno == logging.INFO and _says_nothing_to_do(record):
        return {"event": "nothing"}
    return None


def _says_nothing_to_do(record: logging.LogRecord) -> bool:
    from snakemake.common import NOTHING_TO_BE_DONE_MSG

    return record.getMessage() == NOTHING_TO_BE_DONE_MSG


class LogHandler(LogHandlerBase):
    """Writes events to a pipe, or progress to the terminal."""

    def __post_init__(self) -> None:
        """Open the pipe, or begin to read the run."""
        events = self.settings.events if self.settings is not None else None
        self._pipe = open(events, "w", encoding="utf-8") if events else None  # noqa: SIM115
        if self._pipe is None:
            from pipeline.running.progress import Run

            self._run, self._started, self._due, self._ended = Run(), time.monotonic(), 0.0, False

    def emit(self, record: logging.LogRecord) -> None:
        """Tell one record."""
        try:
            event = event_of(record)
            if self._pipe is not None:
                if event is not None:
                    print(json.dumps(event), file=self._pipe, flush=True)
            else:
                self._show(record, event)
        except Exception:
            self.handleError(record)

    def _show(self, record: logging.LogRecord, event: dict[str, Any] | None) -> None:
        now, live = time.monotonic(), sys.stderr.isatty()
        if record.levelno >= logging.WARNING:
            print(
                f"\r\033[K{record.getMessage()}" if live else record.getMessage(), file=sys.stderr
            )
        if event is None:
            return
        self._run.take(event, now)
        if self._ended:
            return
        self._ended = ends = 0 < self._run.jobs == self._run.jobs_done
        if self._run.jobs and (live or ends or now >= self._due):
            line = self._run.line(self._started, now)
            start, end = ("\r\033[K", "\n" if ends else "") if live else ("", "\n")
            print(f"{start}{line}", end=end, file=sys.stderr, flush=True)
            self._due = now + INTERVAL
        if event["event"] == "nothing":
            print(record.getMessage(), file=sys.stderr)

    def close(self) -> None:
        """Close the pipe."""
        if self._pipe is not None:
            self._pipe.close()
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        """Whether it stands in for what Snakemake prints."""
        return self._pipe is None

    @property
    def writes_to_file(self) -> bool:
        """Whether it writes a log that people look for: a pipe is none."""
        return False

    @property
    def has_filter(self) -> bool:
        """Whether it chooses its records itself."""
        return True

    @property
    def has_formatter(self) -> bool:
        """Whether it words them itself."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """Whether it wants the graph of the rules."""
        return False
