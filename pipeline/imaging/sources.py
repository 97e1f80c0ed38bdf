"""Source files as people handed them in: what they hold, hashed, and how an error names them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path, PurePath

from pipeline.core.errors import CaseError
from pipeline.core.files import file_hash, machine_error, read_json, walk, write_json
from pipeline.core.keeping.store import Store


def source_files(path: str | Path) -> list[Path]:
    """Return the file `path`, or all files below the folder `path`, sorted by name.

    Hidden files and a DICOMDIR (an index that goes stale) are no part of a scan.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise CaseError(
            "An image or mask named in the table of cases must exist",
            found="no such file or folder",
            remedy="check the path in the table; it is relative to the table's folder",
            code="image-file-missing",
        )
    files = []
    for folder, subfolders, names in walk(path):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        files += [
            Path(folder) / name
            for name in names
            if not name.startswith(".") and name.upper() != "DICOMDIR"
        ]
    return sorted(files)


def content_hash(files: Sequence[Path], store: Store) -> str:
    """Return the SHA-256 over the content of `files`, whatever their names and order.

    What was hashed before is not read again: the store keeps the result under each file's place,
    size and times. The time of the last change of status counts too, since unpacking an archive
    gives new content old modification times.

    Parameters
    ----------
    files : sequence of pathlib.Path
        One file, or the files of a DICOM folder.
    store : Store
        Where the result is kept, as kind ``manifest``.
    """
    manifest = []
    for file in files:
        facts = file.stat()
        place = os.path.abspath(file)
        manifest.append([place, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns])

    def make(folder: Path) -> None:
        digest = hashlib.sha256()
        for one in sorted(file_hash(file) for file in files):
            digest.update(one.encode())
        write_json({"sha256": digest.hexdigest()}, folder / "content.json")

    # The manifest itself stays out of the store: names of files may identify a person.
    entry = store.get_or_make("manifest", {"files": manifest}, make)
    return read_json(entry / "content.json")["sha256"]


def shown_name(path: str | PurePath) -> str:
    """Return `path` as errors and tables show it: relative as written, never an absolute path."""
    path = PurePath(path)
    return path.name if path.is_absolute() else path.as_posix()


def placed(error: Exception, where: str) -> Exception:
    """Return `error` as a finding may quote it: with the file it is about, without bare paths.

    Parameters
    ----------
    error : Exception
        What reading one scan or mask raised.
    where : str
        The file's name for people (`shown_name`); kept only where the error names no place.
    """
    if machine := machine_error(error, where):
        return machine
    if isinstance(error, OSError):
        return CaseError(
            "An image or mask must be a readable file",
            found=error.strerror or type(error).__name__,
            where=where,
            remedy="check that the file is there, and that the disk is mounted",
            code="image-file-unreadable",
        )
    if isinstance(error, CaseError) and error.where is None:
        return CaseError(
            error.rule, found=error.found, where=where, remedy=error.remedy, code=error.code
        )
    return error
