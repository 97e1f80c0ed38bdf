"""What was found in the folders that a hospital hands over: CT series, and files that are none."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from intake.handover.people.persons import Person
from intake.handover.reading.damage import DAMAGE
from intake.handover.reading.facts import Place
from pipeline.core.errors import CaseError
from pipeline.imaging.dicom.dicom_identity import Identity
from pipeline.imaging.geometry import Geometry

#: Share of a step by which slices may lie off an even stack and still be compared with a mask.
UNEVEN = 0.1


@dataclass(frozen=True, eq=False)
class Image:
    """One CT file: a slice, or the frames of an enhanced CT.

    Attributes
    ----------
    path : pathlib.Path
        Where it lies.
    folders : tuple of str
        The folders in which it lies, below the root that was handed over.
    folder : str
        The one directly below the root (or the root), which may be a patient's.
    person : Person
        Who was scanned, as its header says.
    uid, instance : str
        SeriesInstanceUID, SOPInstanceUID.
    known_as : frozenset of str
        Texts by which a file name may mean the patient.
    date : str or None
        Day of the scan, YYYYMMDD.
    number : int or None
        Series number, as a viewer shows it.
    description : str
        Series description.
    places : list of Place
        What the grid needs of each slice.
    accession : str
        AccessionNumber, by which a clinical sheet may name the examination.
    families : frozenset of str
        Surname, in each group of the name.
    acquisition, temporal : int or None
        AcquisitionNumber, TemporalPositionIdentifier (or -Index).
    contrast : bool
        Whether the header names a contrast agent.
    thickness : float or None
        SliceThickness, mm.
    frame : str
        FrameOfReferenceUID.
    """

    path: Path
    folders: tuple[str, ...]
    folder: str
    person: Person
    uid: str
    instance: str
    known_as: frozenset[str]
    date: str | None
    number: int | None
    description: str
    places: list[Place] = field(repr=False)
    accession: str = ""
    families: frozenset[str] = frozenset()
    acquisition: int | None = None
    temporal: int | None = None
    contrast: bool = False
    thickness: float | None = None
    frame: str = ""


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
    order : tuple of int
        Place in `files` (or frame) of each slice of the grid; empty without a grid.
    persons : set of Person
        Who its headers say was scanned.
    instances : set of str
        SOPInstanceUIDs of its files.
    uids : set of str
        SeriesInstanceUIDs of its files, where each slice has its own.
    accessions : set of str
        AccessionNumbers of its files.
    families : set of str
        Surnames of the patient.
    part : str
        Which part of its SeriesInstanceUID it is, where phases or thicknesses share one.
    contrast : bool or None
        Whether its slices say that contrast was given; None where they differ.
    problem : str
        Why nothing of it may be registered, where its headers contradict one another.
    notes : list of str
        What a person should check.
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
    order: tuple[int, ...] = ()
    persons: set[Person] = field(default_factory=set)
    instances: set[str] = field(default_factory=set)
    uids: set[str] = field(default_factory=set)
    accessions: set[str] = field(default_factory=set)
    families: set[str] = field(default_factory=set)
    part: str = ""
    contrast: bool | None = None
    problem: str = ""
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Add what a person should check, once."""
        if text not in self.notes:
            self.notes.append(text)


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
    by : {'header', 'folder', 'table'}
        What tells patients apart.
    unreadable : list of pathlib.Path
        Files and folders that this user may not read.
    """

    series: list[Series] = field(default_factory=list)
    masks: list[Path] = field(default_factory=list)
    mask_headers: dict[Path, str] = field(default_factory=dict)
    damaged: list[Path] = field(default_factory=list)
    other: list[tuple[Path, str]] = field(default_factory=list)
    identity: set[Identity] = field(default_factory=set)
    by: str = "header"
    unreadable: list[Path] = field(default_factory=list)


def series_of(uid: str, patient: str, images: list[Image]) -> Series:
    """Return the series of images that belong together."""
    one = Series(uid, patient)
    places: list[Place] = []
    for image in images:
        one.files.append(image.path)
        one.known_as |= image.known_as
        one.persons.add(image.person)
        one.instances.add(image.instance)
        one.uids.add(image.uid)
        one.accessions |= {image.accession} - {""}
        one.families |= image.families
        one.number = image.number
        one.description = one.description or image.description
        one.date = one.date or image.date
        places += image.places
    one.grid = stack(places)
    if one.grid is not None and (len(one.files) == 1 or len(places) == len(one.files)):
        heights = _heights(places)
        one.order = tuple(int(place) for place in np.argsort(heights))
    return one


def stack(slices: list[Place]) -> Geometry | None:
    """Return the grid of slices, None where they do not lie in a regular stack."""
    try:
        return _stack(slices)
    except (CaseError, *DAMAGE):
        return None


def _heights(slices: list[Place]) -> np.ndarray:
    """Return where slices lie along their normal, in mm."""
    along = np.array(slices[0].orientation, dtype=float).reshape(2, 3)
    places = np.array([one.position for one in slices], dtype=float)
    return places @ np.cross(*along)


def _stack(slices: list[Place]) -> Geometry | None:
    first = slices[0]
    along = np.array(first.orientation, dtype=float).reshape(2, 3)
    normal = np.cross(*along)
    places = np.array([one.position for one in slices], dtype=float)
    spacing = np.array(first.spacing, dtype=float)
    same = all(
        (one.rows, one.columns) == (first.rows, first.columns)
        and np.allclose(np.array(one.orientation, dtype=float), along.ravel())
        for one in slices
    )
    if not same or len(slices) < 2 or not np.isfinite(places).all():
        return None
    places = places[np.argsort(places @ normal)]
    steps = np.diff(places @ normal)
    if np.ptp(steps) > UNEVEN * abs(steps.mean()):
        return None
    affine = np.eye(4)
    affine[:3, 0] = along[0] * spacing[1]
    affine[:3, 1] = along[1] * spacing[0]
    affine[:3, 2] = (places[-1] - places[0]) / (len(places) - 1)
    affine[:3, 3] = places[0]
    if not np.linalg.norm(affine[:3, 2]):
        return None
    return Geometry.from_affine(affine, (int(first.columns), int(first.rows), len(slices)))
