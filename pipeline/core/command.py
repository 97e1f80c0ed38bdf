"""How a stage becomes a command: arguments, a log naming the case, one-line errors, progress."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.core.errors import VertebromicsError
from pipeline.core.files import machine_error

logger = logging.getLogger("vertebromics")


def parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """Return an argument parser for ``python -m <module>``, described by its docstring's start."""
    first = (description or "").strip().split("\n\n")[0]
    return argparse.ArgumentParser(prog=f"python -m {module}", description=first)


def batch_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add what every stage over scans takes: the study's folder, and a batch or one scan."""
    arguments.add_argument(
        "--study", required=True, type=Path, help="folder written by python -m pipeline.validate"
    )
    which = arguments.add_mutually_exclusive_group()
    which.add_argument("--batch", help="batch of scans to process (default: all scans)")
    which.add_argument("--scan", help="process this one scan only, to debug a patient")


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
    """
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    options = arguments.parse_args(argv)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        main(options)
    except VertebromicsError as error:
        logger.error("%s", error)
        raise SystemExit(1) from None
    except BrokenPipeError:
        os._exit(1)
    except (OSError, MemoryError) as error:
        if not (machine := machine_error(error)):
            raise
        logger.error("%s", machine)
        raise SystemExit(1) from None


def progress(stage: str, done: int, total: int, name: str) -> None:
    """Log that `done` of `total` items of `stage` are finished, the last being `name`."""
    logger.info("progress %s %d/%d %s", stage, done, total, name)
