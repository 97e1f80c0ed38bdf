"""One registration at a time into a study and its linkage."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.core.errors import StudyError

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def only_one(out: Path, linkage_path: Path) -> Iterator[None]:
    """Hold a study and its linkage; the kernel lets go of them however the process ends.

    Raises
    ------
    StudyError
        If another registration holds one of them. Nothing was touched then.
    """
    with contextlib.ExitStack() as held:
        for path in sorted({out.resolve(), linkage_path.resolve()}):
            held.enter_context(_lock(path.with_name(f".{path.name}.registering")))
        yield


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy() from None
        except OSError:
            logger.warning(
                "No locks on this disk: take care that nobody else runs an intake at the same time"
            )
        if not path.exists() or os.fstat(handle).st_ino != path.stat().st_ino:
            raise _busy()  # its holder ended, and another began, in this moment
        yield
        path.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _busy() -> StudyError:
    return StudyError(
        "One intake at a time may write a study and its linkage",
        found="another one that is running",
        remedy="wait until it ends, and start again",
        code="registration-already-running",
    )
