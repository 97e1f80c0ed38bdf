"""How a stage becomes a command: arguments, a log naming the case, one-line errors, progress."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.core.errors import VertebromicsError

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

    A `VertebromicsError` is printed as it stands and ends with exit status 1. Anything else is a
    defect of this software: its traceback reaches the log.
    """
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


def progress(stage: str, done: int, total: int, name: str) -> None:
    """Log that `done` of `total` items of `stage` are finished, the last being `name`."""
    logger.info("progress %s %d/%d %s", stage, done, total, name)
