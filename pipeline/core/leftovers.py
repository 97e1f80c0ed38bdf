"""Temporary files and folders that say whether their writer still lives, and their removal.

A job that is killed leaves what it was writing. Its names begin with a dot and end with ``.tmp`` (a
file's own ending may follow). The writer holds a lock on what it writes, and the kernel lets go of
the lock however the writer ends: what nobody holds is a leftover. Locks of another machine on a
network drive may not be seen here, so the names say which machine wrote (as a hash), and what
another machine wrote is left alone for a day.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: Seconds after which what no living writer of this machine holds is a leftover in any case.
FOREIGN_SECONDS = 24 * 3600

#: Seconds within which the writer may not hold its lock yet.
NEW_SECONDS = 1.0

#: Names of what this module makes: a dot, the machine, chance, `.tmp`, an ending. Names of earlier
#: versions have no machine.
_TEMPORARY = re.compile(r"\.(?:([0-9a-f]{8})-)?[a-z0-9_]{8}\.tmp(?:\.[A-Za-z0-9]+)?")


def machine() -> str:
    """Return a short hash of this machine's name, which may itself name a person or a hospital."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


@contextmanager
def temporary_file(folder: Path, suffix: str = "") -> Iterator[Path]:
    """Yield a new, empty file in `folder` that is gone when the block ends, unless renamed.

    Its rights are those of any new file of this user.
    """
    handle, name = tempfile.mkstemp(
        dir=folder, prefix=f".{machine()}-", suffix=f".tmp{suffix if _plain(suffix) else ''}"
    )
    try:
        _hold(handle)
        os.chmod(name, 0o666 & ~umask())
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
        os.close(handle)


@contextmanager
def temporary_folder_in(folder: Path) -> Iterator[Path]:
    """Yield a new folder in `folder`, which the caller removes or renames."""
    beside = Path(tempfile.mkdtemp(dir=folder, prefix=f".{machine()}-", suffix=".tmp"))
    handle = os.open(beside, os.O_RDONLY)
    try:
        _hold(handle)
        yield beside
    finally:
        os.close(handle)


def name_aside(path: Path) -> Path:
    """Return a new temporary name beside `path`, to which something may be renamed."""
    return path.parent / f".{machine()}-{os.urandom(4).hex()}.tmp"


def clear_leftovers(root: Path, depth: int | None = None) -> int:
    """Remove what killed jobs left below `root`, and return how many files and folders it was.

    What a living process writes stays, of whatever study it is.

    Parameters
    ----------
    root : pathlib.Path
        Folder of results, of a store or of a pseudonymous study; it need not exist.
    depth : int, optional
        How many folders deep to look: entries of a store, which are never written again, are not
        looked into. All by default.
    """
    removed = 0
    for folder, subfolders, names in os.walk(root):
        place = Path(folder)
        for name in [*subfolders, *names]:
            if (match := _TEMPORARY.fullmatch(name)) and _is_left(place / name, match[1]):
                removed += 1
                _remove(place / name)
        deep = depth is not None and len(place.relative_to(root).parts) >= depth
        subfolders[:] = [] if deep else [name for name in subfolders if not name.startswith(".")]
    return removed


def umask() -> int:
    """Return which rights new files of this process lack."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _plain(suffix: str) -> bool:
    return re.fullmatch(r"\.[A-Za-z0-9]+", suffix) is not None


def _hold(handle: int) -> None:
    # A file system without locks leaves the age of a leftover to go by.
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)


def _is_left(path: Path, writer: str | None) -> bool:
    """Return whether nobody writes `path` any more."""
    try:
        age = time.time() - path.lstat().st_mtime
        if age < (NEW_SECONDS if writer == machine() else FOREIGN_SECONDS) or path.is_symlink():
            return False
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # No locks here: only what is old is surely left.
        return age >= FOREIGN_SECONDS
    finally:
        os.close(handle)
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
