"""One run of a study at a time, whoever starts it: the runner, or Snakemake itself.

A run holds a lock on a file of the study's folder, and the kernel lets go of it however the run
ends. The file says who runs. What a killed run left is put right by the next one: processes that
still work for it, half-written files, Snakemake's own locks.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import logging
import os
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from pipeline.core.errors import VertebromicsError
from pipeline.core.files import machine_error
from pipeline.core.leftovers import clear_leftovers

logger = logging.getLogger(__name__)

#: File of a study's folder that a run holds.
LOCK_FILE = ".running"

#: Variables by which the runner tells Snakemake that it holds the lock (its file descriptor), and
#: by which the processes of a run are known.
HELD, RUN = "VERTEBROMICS_RUN_LOCK", "VERTEBROMICS_RUN"

#: Options with which Snakemake only looks at a study.
LOOKING = frozenset(
    (
        *("--lint", "--list", "--list-rules", "-l", "--list-target-rules", "--lt", "--dag"),
        *("--rulegraph", "--filegraph", "--d3dag", "--summary", "-S", "--detailed-summary", "-D"),
        *("--list-changes", "--lc", "--list-input-changes", "--li", "--list-params-changes"),
        *("--lp", "--list-untracked", "--lu", "--report", "--print-compilation"),
        *("--list-conda-envs", "--generate-unit-tests", "--containerize"),
    )
)

#: Seconds that processes of a killed run get to end by themselves.
PATIENCE = 10.0

#: Studies that this process holds until it ends.
_held_here: set[Path] = set()

#: Where a store is looked through for leftovers: kind, first letters of the keys.
_STORE_DEPTH = 2


@contextlib.contextmanager
def only_run(folder: Path) -> Iterator[int]:
    """Hold the study for this run; the kernel lets go of it however the run ends.

    Yields the file descriptor that a child process inherits, so that a run whose runner was killed
    still counts as alive.

    Parameters
    ----------
    folder : pathlib.Path
        ``results/<study>``; made if it does not exist.

    Raises
    ------
    VertebromicsError
        If another run holds it, saying which. Nothing was touched then.
    MachineError
        If the folder cannot be written.
    """
    lock = _open(folder)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _refusal(folder, _words(lock)) from None
        except OSError:
            logger.warning(
                "The file system of %s has no locks: take care that only one run of a study goes "
                "on at a time",
                folder,
            )
        _end_orphans(_words(lock))
        os.ftruncate(lock, 0)
        yield lock
    finally:
        os.close(lock)


def name_run(lock: int, process: int, group: int | None = None) -> None:
    """Write into the lock file who runs, for the person who is refused meanwhile.

    Parameters
    ----------
    lock : int
        From `only_run`.
    process : int
        The process that runs Snakemake.
    group : int, optional
        Its process group, to which its jobs belong; by default it leads one.
    """
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    words = (process, socket.gethostname(), since, group or process, os.environ.get(RUN, ""))
    os.ftruncate(lock, 0)
    os.pwrite(lock, "".join(f"{word}\n" for word in words).encode(), 0)


def begin_run(folder: Path, store: Path, arguments: Sequence[str]) -> None:
    """Hold the study for the rest of this process, and put right what a killed run left.

    For the Snakefile: does nothing where Snakemake only looks, or where this process holds the
    study already, and takes the runner's word that it does.

    Parameters
    ----------
    folder, store : pathlib.Path
        ``results/<study>`` and ``results/store``.
    arguments : sequence of str
        Of Snakemake's command line.

    Raises
    ------
    VertebromicsError
        If another run holds the study, saying which. Nothing was touched then.
    """
    if LOOKING.intersection(part.split("=")[0] for part in arguments):
        return
    place = folder.resolve()
    if place in _held_here:
        return
    if not _is_held(folder):
        if not _held_here:
            new_run()
        held = contextlib.ExitStack()
        lock = held.enter_context(only_run(folder))
        name_run(lock, os.getpid(), os.getpgrp())
        atexit.register(_end, lock, held, os.getpid())
        # Snakemake's own locks name files. Whose run is over holds nothing: the lock above says so.
        _clear_locks(folder)
    _held_here.add(place)
    left = clear_leftovers(folder) + clear_leftovers(store, _STORE_DEPTH)
    if left:
        logger.warning("half-written files and folders of killed jobs are removed: %d", left)


def new_run() -> None:
    """Mark this process and all that it will start as one run."""
    os.environ[RUN] = secrets.token_hex(8)


def _open(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise machine_error(error, folder.name) or VertebromicsError(
            "The folder of a study's results must be a folder that can be written",
            found=error.strerror,
            where=folder.name,
            remedy="give another folder as `results`, or another name to the study",
            code="results-folder-not-writable",
        ) from error


def _words(lock: int) -> list[str]:
    """Return what the lock file says of the run that holds it or was killed, line by line."""
    return os.pread(lock, 1000, 0).decode("utf-8", "replace").splitlines()


def _end(lock: int, held: contextlib.ExitStack, process: int) -> None:
    if os.getpid() == process:  # and no fork of it
        os.ftruncate(lock, 0)
        held.close()


def _refusal(folder: Path, words: Sequence[str]) -> VertebromicsError:
    process, host, since, group, *_ = (*words, "", "", "", "")
    who = f"process {process}" + (f" on {host} since {since}" if host else "")
    remedy = "wait until it ends, or stop it"
    if process:
        remedy += f": kill -INT -- -{group or process}, on the machine that started it"
    return VertebromicsError(
        "Only one run of a study goes on at a time",
        found=f"another one under way{f' ({who})' if process else ''}",
        where=str(folder),
        remedy=remedy,
        code="study-already-running",
    )


def _is_held(folder: Path) -> bool:
    """Return whether the runner that started this process holds the study for it."""
    try:
        ours, there = os.fstat(int(os.environ[HELD])), os.stat(folder / LOCK_FILE)
    except (KeyError, ValueError, OSError):
        return False
    return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)


def _clear_locks(folder: Path) -> None:
    inside = f"{folder.as_posix()}/"
    for path in Path(".snakemake", "locks").glob("*.lock"):
        with contextlib.suppress(OSError):
            files = path.read_text(encoding="utf-8").split("\n")
            if all(name.startswith(inside) for name in files if name) and any(files):
                path.unlink()
                logger.warning("a lock that a killed run of Snakemake left is removed")


def _end_orphans(words: Sequence[str]) -> None:
    """End what still works for a run that was killed: it would write into this run's results."""
    if len(words) < 5 or not words[4] or words[1] != socket.gethostname():
        return
    orphans = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(RUN) == words[4]:
                process.terminate()
                orphans.append(process)
    _, alive = psutil.wait_procs(orphans, PATIENCE)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, PATIENCE)
    if orphans:
        logger.warning("processes of a killed run that still worked are ended: %d", len(orphans))
