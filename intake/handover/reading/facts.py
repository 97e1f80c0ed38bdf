"""What the header of one DICOM file says, as far as the intake needs it: nothing of pixels."""

from __future__ import annotations

import re
from typing import NamedTuple

from pydicom.dataset import Dataset
from pydicom.uid import UID_dictionary

from intake.handover.people.persons import Person, person_of
from pipeline.imaging.dicom.dicom_contrast import GIVEN, contrast_of
from pipeline.imaging.dicom.dicom_identity import Identity, of_header

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


class Place(NamedTuple):
    """Where a slice lies; None where the header does not say it.

    Attributes
    ----------
    spacing : tuple of float or None
        Of rows and columns, mm.
    orientation : tuple of float or None
        Six direction cosines.
    position : tuple of float or None
        Of the first pixel, mm, LPS.
    rows, columns : int or None
        Pixels.
    """

    spacing: tuple[float, ...] | None = None
    orientation: tuple[float, ...] | None = None
    position: tuple[float, ...] | None = None
    rows: int | None = None
    columns: int | None = None


class Facts(NamedTuple):
    """What a header says.

    Attributes
    ----------
    kind : str
        ``unknown`` (no DICOM), ``damaged``, ``CT``, ``mask``, or in words what else it is.
    uid, instance : str
        SeriesInstanceUID and SOPInstanceUID; empty where none is stated.
    person : Person or None
        Who was scanned.
    identity : frozenset of Identity
        What must not be seen again.
    known_as, families : sequence of str
        Texts by which a file name may mean the patient; surnames.
    date : str or None
        Day of the scan, YYYYMMDD.
    number, acquisition, temporal : int or None
        SeriesNumber, AcquisitionNumber, TemporalPositionIdentifier (or -Index).
    description, accession, frame : str
        SeriesDescription, AccessionNumber, FrameOfReferenceUID.
    contrast : bool
        Whether the header states that contrast was given.
    thickness : float or None
        SliceThickness, mm.
    places : tuple of Place
        Of the slice, or of each frame.
    """

    kind: str
    uid: str = ""
    instance: str = ""
    person: Person | None = None
    identity: frozenset[Identity] = frozenset()
    known_as: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    date: str | None = None
    number: int | None = None
    acquisition: int | None = None
    temporal: int | None = None
    description: str = ""
    accession: str = ""
    frame: str = ""
    contrast: bool = False
    thickness: float | None = None
    places: tuple[Place, ...] = ()


def facts_of(header: Dataset) -> Facts:
    """Return what a header says.

    Raises
    ------
    ValueError
        And whatever else damaged bytes raise, if the header is damaged.
    """
    identity = frozenset(of_header(header))
    kind = kind_of(header)
    if kind == "damaged":
        raise ValueError
    person = person_of(header)
    uid = str(header.get("SeriesInstanceUID") or "")
    if kind != "CT":
        return Facts(kind, uid, person=person, identity=identity)
    dates = (_day(header.get(keyword)) for keyword in DATES)
    return Facts(
        kind, uid, str(header.get("SOPInstanceUID") or ""), person, identity,
        known_as=tuple(sorted(_names(header))),
        families=tuple(sorted(_families(header))),
        date=next((day for day in dates if day), None),
        number=_whole(header.get("SeriesNumber")),
        acquisition=_whole(header.get("AcquisitionNumber")),
        temporal=_whole(_first(header, "TemporalPositionIdentifier", "TemporalPositionIndex")),
        description=str(header.get("SeriesDescription") or ""),
        accession=str(header.get("AccessionNumber") or "").strip(),
        frame=str(header.get("FrameOfReferenceUID") or ""),
        contrast=contrast_of(header) == GIVEN,
        thickness=_real(header.get("SliceThickness")),
        places=tuple(_places(header)),
    )  # fmt: skip


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


def _places(header: Dataset) -> list[Place]:
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


def _place(sources: list[Dataset], header: Dataset) -> Place:
    found = {}
    for keyword in ("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient"):
        source = next((one for one in sources if keyword in one), None)
        found[keyword] = None if source is None else _numbers(source[keyword].value)
    rows, columns = (_whole(header.get(keyword)) for keyword in ("Rows", "Columns"))
    return Place(*found.values(), rows, columns)


def _numbers(values: object) -> tuple[float, ...] | None:
    try:
        return tuple(float(one) for one in values)
    except (TypeError, ValueError):
        return None


def _day(value: object) -> str | None:
    match = re.match(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})", str(value or ""))
    return "".join(match.groups()) if match else None


def _whole(value: object) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
