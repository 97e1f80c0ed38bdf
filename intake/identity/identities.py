"""Values that identify a person, collected from DICOM headers and from names of files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from pipeline.core.files import everything_below
from pipeline.imaging.dicom import dicom_start
from pipeline.imaging.dicom.dicom_identity import Identity, of_header


def of_path(path: Path, root: Path) -> Iterator[Identity]:
    """Yield the names of a file below `root` and of its folders there."""
    *folders, name = path.relative_to(root).parts
    for folder in folders:
        yield Identity("path", "folder name", folder)
    yield Identity("path", "file name", name.split(".")[0] or name)


def of_folder(root: Path) -> set[Identity]:
    """Return what identifies a person in the headers and names of all files below `root`."""
    found: set[Identity] = set()
    for path in everything_below(root):
        if not path.is_file():
            continue
        found.update(of_path(path, root))
        header = read_header(path)
        if header is not None:
            found.update(of_header(header))
    found.add(Identity("path", "folder name", root.name))
    return found


def read_header(path: Path) -> Dataset | None:
    """Return a file's DICOM header without its pixels, or None where it is no DICOM file."""
    from pipeline.imaging.dicom.dicom_headers import quiet

    with quiet():
        try:
            return pydicom.dcmread(path, stop_before_pixels=True, force=is_bare(path))
        except Exception:
            return None


def is_bare(path: Path) -> bool:
    """Return whether a file is DICOM without preamble: it starts with group 2 or 8."""
    return dicom_start.is_bare(dicom_start.start_of(path))
