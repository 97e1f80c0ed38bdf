"""Headers of what a hospital hands over, read once each.

This is the only place that reads names and dates of patients: for the series that a file belongs
to, for who was scanned (`intake.handover.patients`), and for the identity values that must
never be seen again.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID_dictionary

from intake.handover.damage import DamagedError, named, read_mapped
from intake.handover.patients import settle
from intake.handover.persons import (
    Person,
    canonical,
    contradictions,
    one_person,
    person_of,
)
from intake.handover.sources import Handover, Image
from intake.identity.identities import Identity, of_header, of_path

#: CT Image Storage, Enhanced CT, Legacy Converted Enhanced CT.
CT_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.2.2",
)
SEG_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
RTSTRUCT_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
DIRECTORY_CLASS = "1.2.840.10008.1.3.10"

#: Date attributes of a slice, the nearest to the moment of the scan first.
DATES = ("AcquisitionDate", "AcquisitionDateTime", "SeriesDate", "ContentDate", "StudyDate")

#: Share of the smallest slice's size above which an unknown file beside slices may be one.
ALIKE = 0.8

#: Headers of a slice that a copy with a corrected name must share.
SAME_SLICE = (
    *("Rows", "Columns", "PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient"),
    *("RescaleSlope", "RescaleIntercept", "BitsStored", "PixelRepresentation"),
)


def read_handover(root: Path, files: Iterable[Path], *, by: str = "header") -> Handover:
    """Read the headers of `files`, which lie below `root`.

    Parameters
    ----------
    root : pathlib.Path
        Folder whose parts below it may name patients.
    files : iterable of pathlib.Path
        Files of any kind.
    by : {'header', 'folder', 'table'}
        What tells patients apart (`intake.handover.patients.settle`).
    """
    return read_handovers([(root, files)], by=by)


def read_handovers(
    folders: Iterable[tuple[Path, Iterable[Path]]], *, by: str = "header"
) -> Handover:
    """Read the headers of files below several roots, each with its files, as one handover."""
    reading = _Reading()
    for root, files in folders:
        for path in sorted(files):
            reading.read(path, root)
    reading.find_torn()
    return settle(reading.found, reading.images, reading.masks, reading.told, by)


class _Reading:
    """Headers as they are read, file by file.

    Attributes
    ----------
    found : Handover
        What is no CT so far.
    images : list of Image
        CT files.
    masks : list of (pathlib.Path, str, Person)
        Structure sets and segmentations with folder and person.
    told : dict of str to dict of str to int
        By series, what a person should know of its files, and of how many.
    """

    def __init__(self) -> None:
        self.found = Handover()
        self.images: list[Image] = []
        self.masks: list[tuple[Path, str, Person]] = []
        self.told: dict[str, dict[str, int]] = {}
        self._first: dict[tuple[str, str], Image] = {}
        self._seen: set[Path] = set()
        self._unknown: list[Path] = []

    def read(self, path: Path, root: Path) -> None:
        """Read one file, unless it was read below another root."""
        self.found.identity.update(_of_path(path, root))
        if path.resolve() in self._seen:
            return
        self._seen.add(path.resolve())
        try:
            with named():
                header = _header_of(path)
                if header is None:
                    self._unknown.append(path)
                    return
                identity = set(of_header(header))
                kind = kind_of(header)
                if kind == "damaged":
                    raise ValueError
                person = person_of(header)
                folder = top_folder(path, root)
                image = _image(path, root, person, header) if kind == "CT" else None
                uid = str(header.get("SeriesInstanceUID") or "")
        except DamagedError:
            self.found.damaged.append(path)
            return
        self.found.identity.update(identity)
        if kind == "mask":
            self.found.masks.append(path)
            self.masks.append((path, folder, person))
        elif image is None:
            self.found.other.append((path, kind))
            if kind != "a localizer":
                self._tell(uid, "images of its series say that they are no CT, and were left out")
        else:
            self._take(image)

    def find_torn(self) -> None:
        """Count files of no known kind as damaged where they look like the slices beside them.

        The first bytes of a slice without a preamble may be what is damaged.
        """
        slices: dict[tuple[Path, str], list[Path]] = {}
        for image in self.images:
            slices.setdefault((image.path.parent, image.path.suffix), []).append(image.path)
        for path in self._unknown:
            beside = slices.get((path.parent, path.suffix), ())
            if len(beside) > 1:
                least = min(one.stat().st_size for one in beside)
                if path.stat().st_size > ALIKE * least:
                    self.found.damaged.append(path)

    def _take(self, image: Image) -> None:
        """Take a CT file, unless it is another's copy."""
        first = self._first.setdefault((image.uid, image.instance), image)
        if first is not image:
            if filecmp.cmp(first.path, image.path, shallow=False):
                self.found.other.append((image.path, "a copy of a slice, byte for byte"))
                return
            if _same_slice(first, image):
                self.found.other.append((image.path, "a copy of a slice with another header"))
                what = "slices were there twice, with other headers, as after a name was corrected"
                self._tell(image.uid, what)
                return
        self.images.append(image)

    def _tell(self, uid: str, what: str) -> None:
        counts = self.told.setdefault(uid, {})
        counts[what] = counts.get(what, 0) + 1


def _of_path(path: Path, root: Path) -> Iterator[Identity]:
    """Yield what a path says of a person; names that are no UTF-8 in each encoding that fits."""
    for one in of_path(path, root):
        raw = os.fsencode(one.value)
        if raw.decode(errors="ignore").encode() == raw:
            yield one
            continue
        for encoding in ("cp1252", "gb18030", "shift_jis", "cp437"):
            with contextlib.suppress(UnicodeDecodeError):
                yield replace(one, value=raw.decode(encoding))


def _header_of(path: Path) -> Dataset | None:
    """Return the header of a DICOM file; None for another file."""
    try:
        return read_mapped(path, stop_before_pixels=True)
    except InvalidDicomError:
        if _was_dicom(path):
            raise ValueError from None
        return None


def _image(path: Path, root: Path, person: Person, header: Dataset) -> Image:
    dates = (_day(header.get(keyword)) for keyword in DATES)
    return Image(
        path, path.relative_to(root).parts[:-1], top_folder(path, root), person,
        uid=str(header.get("SeriesInstanceUID") or path.parent),
        instance=str(header.get("SOPInstanceUID") or path),
        known_as=frozenset(_names(header)),
        date=next((day for day in dates if day), None),
        number=_whole(header.get("SeriesNumber")),
        description=str(header.get("SeriesDescription") or ""),
        places=_places(header),
        accession=str(header.get("AccessionNumber") or "").strip(),
        families=frozenset(_families(header)),
        acquisition=_whole(header.get("AcquisitionNumber")),
        temporal=_whole(_first(header, "TemporalPositionIdentifier", "TemporalPositionIndex")),
        contrast=bool(_first(header, "ContrastBolusAgent", "ContrastBolusVolume")),
        thickness=_real(header.get("SliceThickness")),
        frame=str(header.get("FrameOfReferenceUID") or ""),
    )  # fmt: skip


def _same_slice(one: Image, other: Image) -> bool:
    """Return whether two files of one SOPInstanceUID hold the same slice: pixels and place.

    A series that was sent again after a name was corrected is such a copy. Of two persons' slices
    none is.
    """
    who = (one.person, other.person)
    ids = {canonical(person.id) for person in who if person.id}
    if contradictions(who, stated=True) or (len(ids) > 1 and not one_person(*who)):
        return False
    try:
        with named():
            first, second = read_mapped(one.path), read_mapped(other.path)
            return first.get("PixelData") == second.get("PixelData") and all(
                first.get(keyword) == second.get(keyword) for keyword in SAME_SLICE
            )
    except DamagedError:
        return False


def top_folder(path: Path, root: Path) -> str:
    """Return the folder directly below `root` in which a file lies, else the root's own name."""
    parts = path.relative_to(root).parts
    return parts[0] if len(parts) > 1 else root.resolve().name


def _was_dicom(path: Path) -> bool:
    """Return whether a file that is no DICOM any more was a slice: emptied, or its mark damaged."""
    with open(path, "rb") as stream:
        start = stream.read(136)
    emptied = not start.strip(b"\0") and path.suffix.lower() in ("", ".dcm", ".ima", ".img")
    return emptied or start[132:] == b"\2\0\0\0"


def kind_of(header: Dataset) -> str:
    """Return ``CT``, ``mask``, ``damaged``, or in words what else a DICOM file is."""
    announced = str(header.file_meta.get("MediaStorageSOPClassUID") or "")
    sop_class = str(header.get("SOPClassUID") or "")
    modality = str(header.get("Modality") or "")
    if announced in CT_CLASSES and ("Rows" not in header or not _is_class(sop_class)):
        return "damaged"  # a slice whose header is cut short, or whose class is none
    if not sop_class and not modality and announced != DIRECTORY_CLASS:
        return "damaged"  # no image says neither
    if sop_class in (*SEG_CLASSES, RTSTRUCT_CLASS) or modality in ("SEG", "RTSTRUCT"):
        return "mask"
    words = {str(one).upper() for one in header.get("ImageType") or ()}
    if "LOCALIZER" in words:
        return "a localizer"
    if modality == "CT" and (not sop_class or sop_class in CT_CLASSES):
        return "CT" if "Rows" in header else "damaged"
    return f"no CT slice (modality {modality})" if re.fullmatch("[A-Z]{2,8}", modality) else "no CT"


def _is_class(text: str) -> bool:
    return not text or text in UID_dictionary


def _names(header: Dataset) -> set[str]:
    """Return by what a file name may mean the patient of a header."""
    found = set()
    for keyword in ("PatientID", "AccessionNumber", "PatientName"):
        text = str(header.get(keyword) or "").strip()
        for group in text.split("="):
            parts = [part for part in group.split("^") if part]
            found |= {"".join(parts), "".join(parts[:2]), "".join(parts[1::-1])}
    return {one for one in found if one}


def _families(header: Dataset) -> set[str]:
    """Return the surname of a header, in each group of the name; a name without parts has none."""
    text = str(header.get("PatientName") or "").strip()
    groups = [re.split(r"[\^,]", group) for group in text.split("=")]
    return {parts[0].strip() for parts in groups if len(parts) > 1 and parts[0].strip()}


def _first(header: Dataset, *keywords: str) -> object:
    return next((header[word].value for word in keywords if word in header), None)


def _real(value: object) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


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


def _day(value: object) -> str | None:
    match = re.match(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})", str(value or ""))
    return "".join(match.groups()) if match else None


def _whole(value: object) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
