"""How a stage becomes a command: arguments, a log naming the case, one-line errors, progress."""

from __future__ import annotations

import argparse
import atexit
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from pipeline.core.errors import VertebromicsError
from pipeline.core.files import machine_error
from pipeline.core.started_as import NAME_VARIABLE

logger = logging.getLogger("vertebromics")


def parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """Return an argument parser for ``python -m <module>``, described by its docstring's start."""
    first = (description or "").strip().split("\n\n")[0]
    program = os.environ.pop(NAME_VARIABLE, f"python -m {module}")
    return argparse.ArgumentParser(prog=program, description=first)


def batch_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add what every stage over scans takes: the study's folder, and a batch or one scan."""
    arguments.add_argument(
        "--study", required=True, type=Path, help="folder written by python -m pipeline.validate"
    )
    which = arguments.add_mutually_exclusive_group()
    which.add_argument("--batch", help="batch of scans to process (default: all scans)")
    which.add_argument("--scan", help="process this one scan only, to debug a patient")


def configfile_argument(arguments: argparse.ArgumentParser) -> None:
    """Add what commands over a whole study take: its configuration files, in their order."""
    arguments.add_argument(
        "--configfile",
        required=True,
        action="append",
        type=Path,
        help="the study; given twice, the later file wins",
    )


def run(
    main: Callable[[argparse.Namespace], None],
    arguments: argparse.ArgumentParser,
    argv: Sequence[str] | None = None,
) -> None:
    """Parse `argv`, run `main`, and end with one clear line instead of a traceback.

    A `VertebromicsError` is printed as it stands and ends with exit status 1, and so does a fault
    of the machine, such as a full disk. Anything else is a defect of this software: its traceback
    reaches the log. A job that is told to end (SIGTERM, as Snakemake and SLURM do) takes its
    temporary files with it.

    Without `argv` this is the whole process, and it ends here, with the status of `main`.
    """
    if argv is None:
        _end_process(lambda: _run(main, arguments, None))
    _run(main, arguments, argv)


def _run(
    main: Callable[[argparse.Namespace], None],
    arguments: argparse.ArgumentParser,
    argv: Sequence[str] | None,
) -> None:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    options = arguments.parse_args(argv)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        main(options)
    except VertebromicsError as error:
        logger.error("%s", error.with_code())
        raise SystemExit(1) from None
    except BrokenPipeError:
        os._exit(1)  # nobody reads: flushing the output would fail once more
    except Exception as error:
        if not (machine := machine_error(error)):
            raise
        logger.error("%s", machine.with_code())
        raise SystemExit(1) from None


def _end_process(work: Callable[[], None]) -> NoReturn:
    """Do `work`, then end the process as Python would, but for the libraries' own clearing up.

    pyarrow starts threads as it reads a table. Where a short command ends while one of them is
    still starting, which met one command in thirty on a busy machine, clearing up aborts the
    process, and a job fails whose work is done.
    """
    status = 0
    try:
        work()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 130 if isinstance(sys.exception(), KeyboardInterrupt) else 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        # Where nobody reads any more there is nothing left to lose.
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def progress(stage: str, done: int, total: int, name: str) -> None:
    """Log that `done` of `total` items of `stage` are finished, the last being `name`."""
    logger.info("progress %s %d/%d %s", stage, done, total, name)
