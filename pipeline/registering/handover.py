"""What lies in the folders that a hospital hands over: CT series, and files that are none.

This is the only place that reads names and dates of patients. Every header is read once, for the
series it belongs to and for the identity values that must never be seen again.
"""

from __future__ import annotations

import filecmp
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from pipeline.core.geometry import Geometry
from pipeline.dicom_headers import quiet
from pipeline.privacy.identity import Identity, is_bare, of_header, of_path

#: CT Image Storage, Enhanced CT, Legacy Converted Enhanced CT.
CT_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.2.2",
)
SEG_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
RTSTRUCT_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"

#: Date attributes of a slice, the nearest to the moment of the scan first.
DATES = ("AcquisitionDate", "AcquisitionDateTime", "SeriesDate", "ContentDate", "StudyDate")


@dataclass
class Series:
    """A CT series.

    Attributes
    ----------
    uid : str
        SeriesInstanceUID.
    patient : str
        What tells patients apart: the patient id, else name and birth date, else the folder.
    files : list of pathlib.Path
        Its slices.
    known_as : set of str
        Texts by which a file name may mean this patient: id, names, accession.
    folders : set of str
        Names of folders that hold series of this patient only.
    date : str or None
        Day of the scan, YYYYMMDD.
    number : int or None
        Series number, as a viewer shows it.
    description : str
        Series description, by which a table may name it.
    grid : Geometry or None
        None where the slices do not lie in a regular stack.
    """

    uid: str
    patient: str
    files: list[Path] = field(default_factory=list)
    known_as: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    date: str | None = None
    number: int | None = None
    description: str = ""
    grid: Geometry | None = None


@dataclass
class Handover:
    """All that was found below the folders of a hospital.

    Attributes
    ----------
    series : list of Series
        CT series, by patient, date and number.
    masks : list of pathlib.Path
        DICOM segmentations and structure sets.
    mask_headers : dict of pathlib.Path to str
        Patient of each of them.
    damaged : list of pathlib.Path
        DICOM files whose header cannot be read.
    other : list of (pathlib.Path, str)
        Images that are no CT slice, with what they are.
    identity : set of Identity
        What must not be seen again.
    """

    series: list[Series] = field(default_factory=list)
    masks: list[Path] = field(default_factory=list)
    mask_headers: dict[Path, str] = field(default_factory=dict)
    damaged: list[Path] = field(default_factory=list)
    other: list[tuple[Path, str]] = field(default_factory=list)
    identity: set[Identity] = field(default_factory=set)


def read_handover(root: Path, files: Iterable[Path]) -> Handover:
    """Read the headers of `files`, which lie below `root`.

    Parameters
    ----------
    root : pathlib.Path
        Folder whose parts below it may name patients.
    files : iterable of pathlib.Path
        Files of any kind.
    """
    found = Handover()
    slices: dict[str, list[Dataset]] = {}
    by_uid: dict[str, Series] = {}
    first_of: dict[tuple[str, str], Path] = {}
    for path in sorted(files):
        found.identity.update(of_path(path, root))
        with quiet():
            try:
                header = pydicom.dcmread(path, stop_before_pixels=True, force=is_bare(path))
            except InvalidDicomError:
                if _was_dicom(path):
                    found.damaged.append(path)
                continue
            except Exception:
                found.damaged.append(path)
                continue
            found.identity.update(of_header(header))
            kind = kind_of(header)
            if kind == "damaged":
                found.damaged.append(path)
                continue
            patient = _patient(header, path, root)
            if kind == "mask":
                found.masks.append(path)
                found.mask_headers[path] = patient
            elif kind != "CT":
                found.other.append((path, kind))
            else:
                uid = str(header.get("SeriesInstanceUID") or path.parent)
                one = by_uid.setdefault(uid, Series(uid, patient))
                slice_uid = str(header.get("SOPInstanceUID") or path)
                first = first_of.setdefault((uid, slice_uid), path)
                if first != path and filecmp.cmp(first, path, shallow=False):
                    found.other.append((path, "a copy of a slice, byte for byte"))
                    continue
                one.files.append(path)
                one.known_as |= _names(header)
                one.number = _whole(header.get("SeriesNumber"))
                one.description = one.description or str(header.get("SeriesDescription") or "")
                dates = (_day(header.get(keyword)) for keyword in DATES)
                one.date = one.date or next((day for day in dates if day), None)
                slices.setdefault(uid, []).extend(_places(header))
    for uid, series in by_uid.items():
        series.grid = stack(slices[uid])
    _name_folders(by_uid.values(), root)
    found.series = sorted(
        by_uid.values(), key=lambda one: (one.patient, one.date or "", one.number or 0, one.uid)
    )
    return found


def _was_dicom(path: Path) -> bool:
    """Return whether a file that is no DICOM any more was a slice: emptied, or its mark damaged."""
    with open(path, "rb") as stream:
        start = stream.read(136)
    emptied = not start.strip(b"\0") and path.suffix.lower() in ("", ".dcm", ".ima", ".img")
    return emptied or start[132:] == b"\2\0\0\0"


def kind_of(header: Dataset) -> str:
    """Return ``CT``, ``mask``, ``damaged``, or in words what else a DICOM file is."""
    announced = header.file_meta.get("MediaStorageSOPClassUID") or ""
    if "Rows" not in header and announced in CT_CLASSES:
        return "damaged"  # a slice whose header is cut short
    sop_class = str(header.get("SOPClassUID") or "")
    modality = str(header.get("Modality") or "")
    if sop_class in (*SEG_CLASSES, RTSTRUCT_CLASS) or modality in ("SEG", "RTSTRUCT"):
        return "mask"
    words = {str(one).upper() for one in header.get("ImageType") or ()}
    if "LOCALIZER" in words:
        return "a localizer"
    if modality == "CT" and (not sop_class or sop_class in CT_CLASSES):
        return "CT" if "Rows" in header else "damaged"
    return f"no CT slice (modality {modality})" if re.fullmatch("[A-Z]{2,8}", modality) else "no CT"


def _patient(header: Dataset, path: Path, root: Path) -> str:
    identity = str(header.get("PatientID") or "").strip()
    name = str(header.get("PatientName") or "").strip()
    if identity:
        return identity
    if name:
        return f"{name} {header.get('PatientBirthDate') or ''}".strip()
    parts = path.relative_to(root).parts
    return f"folder {parts[0]}" if len(parts) > 1 else f"folder {root.name}"


def _names(header: Dataset) -> set[str]:
    """Return by what a file name may mean the patient of a header."""
    found = set()
    for keyword in ("PatientID", "AccessionNumber", "PatientName"):
        text = str(header.get(keyword) or "").strip()
        for group in text.split("="):
            parts = [part for part in group.split("^") if part]
            found |= {"".join(parts), "".join(parts[:2]), "".join(parts[1::-1])}
    return {one for one in found if one}


def _name_folders(series: Iterable[Series], root: Path) -> None:
    """Let a folder that holds one patient's series only mean this patient."""
    owners: dict[str, set[str]] = {}
    folders: dict[str, set[str]] = {}
    for one in series:
        parts = {part for path in one.files for part in path.relative_to(root).parts[:-1]}
        folders[one.uid] = parts
        for part in parts:
            owners.setdefault(part, set()).add(one.patient)
    for one in series:
        one.folders |= {part for part in folders[one.uid] if len(owners[part]) == 1}


def _places(header: Dataset) -> list[Dataset]:
    """Return the few values that the grid needs, of a slice or of each frame of an enhanced CT."""
    frames = header.get("PerFrameFunctionalGroupsSequence")
    if not frames:
        return [_place([header], header)]
    shared = list(header.get("SharedFunctionalGroupsSequence") or ())
    return [
        _place([*_inner(frame), *(inner for one in shared for inner in _inner(one))], header)
        for frame in frames
    ]


def _inner(groups: Dataset) -> list[Dataset]:
    return [element.value[0] for element in groups if element.VR == "SQ" and element.value]


def _place(sources: list[Dataset], header: Dataset) -> Dataset:
    kept = Dataset()
    for keyword in ("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient"):
        for source in sources:
            if keyword in source and keyword not in kept:
                kept[keyword] = source[keyword]
    for keyword in ("Rows", "Columns"):
        if keyword in header:
            kept[keyword] = header[keyword]
    return kept


def stack(slices: list[Dataset]) -> Geometry | None:
    """Return the grid of slices, None where they do not lie in a regular stack."""
    try:
        first = slices[0]
        along = np.array(first.ImageOrientationPatient, dtype=float).reshape(2, 3)
        normal = np.cross(*along)
        places = np.array([one.ImagePositionPatient for one in slices], dtype=float)
        spacing = np.array(first.PixelSpacing, dtype=float)
        same = all(
            (one.Rows, one.Columns) == (first.Rows, first.Columns)
            and np.allclose(np.array(one.ImageOrientationPatient, dtype=float), along.ravel())
            for one in slices
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    if not same or len(slices) < 2:
        return None
    places = places[np.argsort(places @ normal)]
    affine = np.eye(4)
    affine[:3, 0] = along[0] * spacing[1]
    affine[:3, 1] = along[1] * spacing[0]
    affine[:3, 2] = (places[-1] - places[0]) / (len(places) - 1)
    affine[:3, 3] = places[0]
    if not np.linalg.norm(affine[:3, 2]):
        return None
    return Geometry.from_affine(affine, (int(first.Columns), int(first.Rows), len(slices)))


def _day(value: object) -> str | None:
    match = re.match(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})", str(value or ""))
    return "".join(match.groups()) if match else None


def _whole(value: object) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
