"""The files below a folder that is handed over: none is passed over without a word."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core.errors import StudyError


@dataclass
class Below:
    """What lies below a folder.

    Attributes
    ----------
    files : list of pathlib.Path
        Regular files, sorted; hidden ones and a DICOMDIR, an index that goes stale, are none.
    passed : list of (pathlib.Path, str)
        What is not looked into, with the reason.
    unreadable : list of pathlib.Path
        Files and folders that this user may not read.
    """

    files: list[Path] = field(default_factory=list)
    passed: list[tuple[Path, str]] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)


def below(root: Path) -> Below:
    """Return what lies below `root`. Links to folders are not followed: they may run in circles."""
    found = Below()

    def closed(error: OSError) -> None:
        found.unreadable.append(Path(error.filename))

    for folder, subfolders, names in os.walk(root, onerror=closed):
        subfolders.sort()
        for name in subfolders:
            if os.path.islink(os.path.join(folder, name)):
                reason = "a link to a folder, which is not followed: hand in the folder itself"
                found.passed.append((Path(folder) / name, reason))
        for name in names:
            path = Path(folder) / name
            if name.startswith(".") or name.upper() == "DICOMDIR":
                continue
            try:
                kind = path.stat().st_mode
            except OSError:
                found.passed.append((path, "a link that leads nowhere"))
                continue
            if not stat.S_ISREG(kind):
                found.passed.append((path, "no file that holds data (a pipe, a socket, a device)"))
            elif not os.access(path, os.R_OK):
                found.unreadable.append(path)
            else:
                found.files.append(path)
    found.files.sort()
    return found


@contextmanager
def in_utf_8(path: Path) -> Iterator[Path]:
    """Yield a name of a file that C++ libraries accept: others make ITK end the process.

    Names of old disks and archives are in other encodings than UTF-8; such a file gets a link.
    """
    raw = os.fsencode(path)
    if raw.decode(errors="ignore").encode() == raw:
        yield path
        return
    ending = re.search(rb"(\.seg)?(\.[A-Za-z0-9]+){1,2}$", raw)
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / ("mask" + (ending[0].decode() if ending else ""))
        link.symlink_to(os.path.abspath(path))
        yield link


def check_readable(unreadable: list[Path], report: str) -> None:
    """End before anything is written if a file or folder may not be read: it may hold a patient.

    Parameters
    ----------
    unreadable : list of pathlib.Path
        From `below`.
    report : str
        Name of the report that lists them; an error on the screen names no file of a hospital.
    """
    if unreadable:
        raise StudyError(
            "Everything that is handed over must be readable: what is closed may hold patients",
            found=f"{len(unreadable)} files or folders without the right to read; {report} lists "
            "them",
            remedy="give this user the right (chmod -R u+rX FOLDER), and run the intake again",
            code="handover-unreadable",
        )
