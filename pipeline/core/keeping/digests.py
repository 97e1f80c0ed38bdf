"""Digests of a folder's files: written when the folder is complete, compared when it is used.

The list has the format of ``sha256sum``, so that ``sha256sum -c digests.sha256`` checks a folder
without this program. Its first line names the folder, so that one folder cannot pass for another.
"""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.core.files import file_hash, flush

#: File of a folder that lists the digests of the others.
DIGESTS = "digests.sha256"

#: What file managers and network file systems leave in folders: no part of the content, and read by
#: nobody. So is every other hidden file.
DROPPINGS = ("Thumbs.db", "desktop.ini")


def seal(folder: Path, name: str) -> None:
    """Write the digests of all files of a complete folder into it, and flush all to the disk.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of files; it holds no folders.
    name : str
        What the folder is, such as its kind and key.
    """
    (folder / DIGESTS).write_bytes(_list(folder, name))
    for file in sorted(folder.iterdir()):
        flush(file)


def fault_of(folder: Path, name: str) -> str | None:
    """Return how a folder differs from what was sealed under `name`, None where it does not.

    Every file is read once. Names of files that do not belong to the folder are not repeated:
    they may be anything.

    Raises
    ------
    OSError
        If a file cannot be read: that says nothing about its content.
    """
    if not folder.is_dir():
        return "no folder lies there"
    try:
        sealed = (folder / DIGESTS).read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        return f"{DIGESTS} is missing"
    present = _list(folder, name)
    if sealed == present:
        return None
    known, found = (set(text.split(b"\n")) for text in (sealed, present))
    # A file that is both in the list and there has another digest, whichever of the two is damaged.
    changed = _names(known - found) & _names(found - known)
    faults = [f"{file} is not as it was written" for file in sorted(changed)]
    faults += [f"{file} is missing" for file in sorted(_names(known - found) - _names(found))]
    if _names(found) - _names(known):
        faults.append("a file lies there that does not belong to it")
    return [*faults, f"{DIGESTS} is not as it was written"][0]


def _list(folder: Path, name: str) -> bytes:
    lines = [f"# {name}"]
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name == DIGESTS or entry.name in DROPPINGS or entry.name.startswith("."):
            continue
        digest = "folder" if entry.is_dir() else file_hash(entry.path)
        lines.append(f"{digest}  {entry.name}")
    return "\n".join([*lines, ""]).encode()


def _names(lines: set[bytes]) -> set[str]:
    """Return the file names of some lines; those of a damaged list may be unreadable."""
    parts = (line.partition(b"  ") for line in lines if not line.startswith(b"#"))
    return {name.decode("ascii", "replace") for _, mark, name in parts if mark}
