"""What the headers of DICOM images say of slices, without what identifies a person.

Each file's header is read once, and only the attributes named in `HEADER`: a patient's name is not
in memory, let alone in a file. Slices are named by their instance number, as a viewer shows it:
file names and UIDs may identify a person.
"""

from __future__ import annotations

import hashlib
import logging
import mmap
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from pipeline.core.errors import CaseError
from pipeline.imaging.dicom.dicom_contrast import (
    CONTRAST_HEADER,
    contrast_of,
    contrast_phase_of,
    tube_current_of,
    usage_of,
)
from pipeline.imaging.dicom.dicom_damage import DAMAGE, is_damage
from pipeline.imaging.dicom.dicom_start import SHORTEST, has_mark, is_bare, start_of
from pipeline.imaging.dicom.dicom_values import tag_of, value_of

#: Attributes read to choose and check a series. None of them names a person. The description may;
#: it is needed to find the series that the table names by it, and only its digest is kept. Texts on
#: contrast may, and of them only words of `pipeline.imaging.dicom.dicom_contrast` are kept.
HEADER = (
    "SOPClassUID",
    "SOPInstanceUID",
    "Modality",
    "ImageType",
    "SeriesInstanceUID",
    "SeriesDescription",
    "FrameOfReferenceUID",
    "SeriesNumber",
    "InstanceNumber",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "PixelSpacing",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "AcquisitionNumber",
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "NominalPercentageOfCardiacPhase",
    "TriggerTime",
    "AcquisitionTime",
    "ContentTime",
    "SliceThickness",
    "Manufacturer",
    "ManufacturerModelName",
    "KVP",
    "ConvolutionKernel",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    *CONTRAST_HEADER,
)
_TAGS = [tag_of(keyword) for keyword in HEADER]
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
#: Enhanced CT and legacy converted enhanced CT: many frames in one file.
ENHANCED_CT_STORAGES = ("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")

#: Attributes that may tell phases of one series apart, the plainest first. Of times only whether
#: they differ is kept.
PHASES = (
    "AcquisitionNumber",
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "FrameAcquisitionNumber",
    "NominalPercentageOfCardiacPhase",
    "TriggerTime",
    "KVP",
    "ImageType",
    "AcquisitionTime",
    "ContentTime",
)

#: Names of slices that no person stands behind; others are told by their place in the folder.
_PLAIN_NAME = re.compile(
    r"(?:im|img|image|i|ct|slice|file|a|b|z)?[-_]?\d{1,6}(?:\.(?:dcm|ima|img))?", re.IGNORECASE
)


@dataclass(frozen=True)
class Pixels:
    """How a slice's stored values are written.

    Attributes
    ----------
    bits_allocated, bits_stored, high_bit : int or None
        Bits per value in the file, those that count, and the highest of them.
    signed : bool or None
        Whether values are two's complement.
    samples : int or None
        Values per pixel.
    photometric : str
        Photometric interpretation, such as ``MONOCHROME2``.
    padding : tuple of int or None
        Lowest and highest stored value that stand for pixels outside the field of view.
    """

    bits_allocated: int | None
    bits_stored: int | None
    high_bit: int | None
    signed: bool | None
    samples: int | None
    photometric: str
    padding: tuple[int, int] | None


@dataclass(frozen=True)
class Slice:
    """One slice's whitelisted header: a file of a classic series, a frame of an enhanced one.

    Attributes
    ----------
    path : pathlib.Path
        Where the file lies; never shown.
    frame : int or None
        Index of the frame, from zero, in a file of several; None for a file of one slice.
    series, uid, frame_of_reference : str
        SeriesInstanceUID, SOPInstanceUID, FrameOfReferenceUID; never shown.
    description_digest : str
        Digest of the SeriesDescription (`digest_of`); never shown.
    series_number, instance : int or None
        Numbers that a viewer shows.
    image_type : tuple of str
        Values of ImageType or FrameType, in capitals.
    shape : tuple of int
        Rows, columns.
    frames : int
        Frames that the file claims to hold.
    pixels : Pixels
        How the stored values are written.
    pixel_spacing : tuple of float or None
        Distance of rows, distance of columns, in mm.
    orientation : tuple of float or None
        Direction cosines (LPS) along a row, then along a column.
    position : tuple of float or None
        Centre of the first pixel in mm (LPS).
    slope, intercept : float or None
        Stored value to Hounsfield units.
    facts : dict
        Acquisition facts that ingest keeps.
    phase : dict
        Of `PHASES` what the slice states, as text or, for times, as a digest; never shown but for
        numbers.
    header_end : int or None
        Of a file of one slice, the byte at which what follows the header begins: its pixels.
    """

    path: Path
    frame: int | None
    series: str
    uid: str
    frame_of_reference: str
    description_digest: str = field(repr=False)
    series_number: int | None
    instance: int | None
    sop_class: str
    modality: str
    image_type: tuple[str, ...]
    shape: tuple[int, int]
    frames: int
    pixels: Pixels
    pixel_spacing: tuple[float, float] | None
    orientation: tuple[float, ...] | None
    position: tuple[float, ...] | None
    slope: float | None
    intercept: float | None
    rescale_type: str
    lossy: str
    transfer_syntax: str
    facts: dict
    phase: dict[str, str] = field(default_factory=dict, repr=False)
    header_end: int | None = None

    @property
    def label(self) -> str:
        """Name of the slice in a sentence."""
        if self.frame is not None:
            return f"frame {self.frame + 1}"
        return "instance " + ("without number" if self.instance is None else str(self.instance))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom from quoting odd header values, which may identify a person, in a log."""
    log = logging.getLogger("pydicom")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def digest_of(description: str) -> str:
    """Return a digest of a series' description that does not depend on case and blanks."""
    return hashlib.sha256(" ".join(description.split()).casefold().encode()).hexdigest()


def read_headers(files: Iterable[Path]) -> list[Slice]:
    """Return the whitelisted headers of those of `files` that are DICOM images, frame by frame.

    Raises
    ------
    CaseError
        If a file is a damaged DICOM file: leaving it out would shorten a CT without a word.
    """
    slices: list[Slice] = []
    files = list(files)
    with quiet():
        for place, file in enumerate(files, start=1):
            try:
                slices += _read(file)
            except CaseError as error:
                where = _named(file, place, len(files))
                raise CaseError(
                    error.rule,
                    found=f"{error.found}, {where}",
                    remedy=error.remedy,
                    code=error.code,
                ) from None
    return slices


def _named(file: Path, place: int, files: int) -> str:
    """Name a file without what may identify a person."""
    name = f"{file.name}, " if _PLAIN_NAME.fullmatch(file.name) else ""
    return f"in {name}file {place} of {files} in the order of their names"


def _read(file: Path) -> list[Slice]:
    """Return the slices of one file; none where it is no DICOM image."""
    header, end = _read_header(file)
    if header is None:
        return []
    try:
        return _slices_of(file, header, end)
    except CaseError:
        raise
    except (*DAMAGE, OSError) as error:
        if not is_damage(error):
            raise
        # A damaged value is found when it is used, and raises whatever the library likes.
        raise _damaged(f"a header with damaged values ({type(error).__name__})") from None


def _read_header(file: Path) -> tuple[pydicom.Dataset | None, int]:
    """Return the whitelisted part of a DICOM file's header, and where in the file it ends.

    The header is None where it is another file.
    """
    start = start_of(file)
    if len(start) < SHORTEST and not start.strip(b"\0"):
        raise _damaged("an empty file")
    if not has_mark(start) and start[132:136] == b"\2\0\0\0":
        raise _damaged("a file whose letters DICM are wrong")
    # A damaged length claims up to 4 GB; of a mapped file no more is read than it holds.
    with (
        open(file, "rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        try:
            header = pydicom.dcmread(
                content, stop_before_pixels=True, specific_tags=_TAGS, force=is_bare(start)
            )
            return header, content.tell()
        except InvalidDicomError:
            return None, 0  # a text, a picture
        except (*DAMAGE, OSError) as error:
            if not is_damage(error):
                raise
            raise _damaged(f"a header cut short or damaged ({type(error).__name__})") from None


def _damaged(found: str) -> CaseError:
    return CaseError(
        "Every DICOM file in the folder must be readable",
        found=found,
        remedy="copy or export the folder again",
        code="dicom-unreadable",
    )


def _slices_of(file: Path, header: pydicom.Dataset, end: int) -> list[Slice]:
    if "Rows" not in header or "Columns" not in header:
        stored = header.file_meta.get("MediaStorageSOPClassUID", value_of(header, "SOPClassUID"))
        if stored in (CT_IMAGE_STORAGE, *ENHANCED_CT_STORAGES, None):
            raise _damaged("a CT slice whose header is cut short")
        return []  # a report, a structure set, an index
    if _text(header, "SOPClassUID") not in ENHANCED_CT_STORAGES:
        return [replace(_slice_of(file, header, {}), header_end=end)]
    frames = value_of(header, "PerFrameFunctionalGroupsSequence") or ()
    claimed = _frames_of(header)
    if len(frames) != claimed:
        raise _damaged(f"an enhanced CT of {claimed} frames with the headers of {len(frames)}")
    shared = (value_of(header, "SharedFunctionalGroupsSequence") or [pydicom.Dataset()])[0]
    return [
        _slice_of(file, header, _groups(shared) | _groups(own), index, usage_of(own, shared))
        for index, own in enumerate(frames)
    ]


def _groups(item: pydicom.Dataset) -> dict[str, pydicom.Dataset]:
    """Return the functional groups of a frame, or those that all frames share, by keyword."""
    return {
        element.keyword: element.value[0]
        for element in item
        if element.VR == "SQ" and element.keyword and element.value
    }


def _slice_of(
    file: Path,
    header: pydicom.Dataset,
    groups: dict[str, pydicom.Dataset],
    frame: int | None = None,
    usage: tuple[pydicom.Dataset, ...] = (),
) -> Slice:
    """Return the slice that a header, or a header and one frame's functional groups, describe."""
    empty = pydicom.Dataset()

    def group(keyword: str) -> pydicom.Dataset:
        return header if frame is None else groups.get(keyword, empty)

    frame_type = value_of(group("CTImageFrameTypeSequence"), "FrameType")
    image_type = frame_type or value_of(header, "ImageType")
    rescale = group("PixelValueTransformationSequence")
    measures = group("PixelMeasuresSequence")
    return Slice(
        path=file,
        frame=frame,
        series=_text(header, "SeriesInstanceUID"),
        uid=_text(header, "SOPInstanceUID"),
        frame_of_reference=_text(header, "FrameOfReferenceUID"),
        description_digest=digest_of(_text(header, "SeriesDescription")),
        series_number=_whole(header, "SeriesNumber"),
        instance=_whole(header, "InstanceNumber"),
        sop_class=_text(header, "SOPClassUID"),
        modality=_text(header, "Modality"),
        image_type=tuple(part.strip().upper() for part in _several(image_type)),
        shape=(_whole(header, "Rows") or 0, _whole(header, "Columns") or 0),
        frames=_frames_of(header),
        pixels=_pixels_of(header),
        pixel_spacing=_numbers(measures, "PixelSpacing", 2),
        orientation=_numbers(group("PlaneOrientationSequence"), "ImageOrientationPatient", 6),
        position=_numbers(group("PlanePositionSequence"), "ImagePositionPatient", 3),
        slope=_number(rescale, "RescaleSlope"),
        intercept=_number(rescale, "RescaleIntercept"),
        rescale_type=_text(rescale, "RescaleType"),
        lossy=_lossy(header),
        transfer_syntax=_transfer_syntax(header),
        facts={
            "manufacturer": _text(header, "Manufacturer") or None,
            "scanner": _text(header, "ManufacturerModelName") or None,
            "kvp": _number(group("CTXRayDetailsSequence"), "KVP"),
            "kernel": _text(group("CTReconstructionSequence"), "ConvolutionKernel") or None,
            "slice_thickness_mm": _number(measures, "SliceThickness"),
            "tube_current_ma": tube_current_of(header, group("CTExposureSequence")),
            "contrast": contrast_of(header, usage),
            "contrast_phase": contrast_phase_of(header, usage),
        },
        phase=_phase(header, group("FrameContentSequence"), group("CTXRayDetailsSequence")),
    )


def _frames_of(header: pydicom.Dataset) -> int:
    """Return how many frames a file claims; one where it does not say, as the standard has it."""
    stated = _whole(header, "NumberOfFrames")
    return 1 if stated is None else stated


def _lossy(header: pydicom.Dataset) -> str:
    """Return ``01`` where a header says in any way that its image was compressed with loss."""
    stated = _text(header, "LossyImageCompression").upper()
    ratio = _several(value_of(header, "LossyImageCompressionRatio"))
    return "01" if stated not in ("", "00", "0", "NO") or any(ratio) else stated


def _phase(*sources: pydicom.Dataset) -> dict[str, str]:
    """Return what a slice states of `PHASES`."""
    found = {}
    for keyword in PHASES:
        stated = next((text for one in sources if (text := _text(one, keyword))), "")
        if stated:
            found[keyword] = digest_of(stated) if keyword.endswith("Time") else stated
    return found


def _transfer_syntax(header: pydicom.Dataset) -> str:
    """Return the UID of how a file is written; one without it is read as pydicom found it to be."""
    stated = str(header.file_meta.get("TransferSyntaxUID") or "")
    implicit, little = header.original_encoding
    found = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    return stated or str(found if little else ExplicitVRBigEndian)


def _pixels_of(header: pydicom.Dataset) -> Pixels:
    allocated = _whole(header, "BitsAllocated")
    signed = {0: False, 1: True}.get(_whole(header, "PixelRepresentation"))
    padding = None
    limits = [_whole(header, f"PixelPadding{name}") for name in ("Value", "RangeLimit")]
    if limits[0] is not None:
        # Some programs write -2000 as 63536 and the other way round.
        period = 1 << (allocated or 16)
        lowest = -period // 2 if signed else 0
        ends = [(one - lowest) % period + lowest for one in limits if one is not None]
        padding = (min(ends), max(ends))
    return Pixels(
        bits_allocated=allocated,
        bits_stored=_whole(header, "BitsStored"),
        high_bit=_whole(header, "HighBit"),
        signed=signed,
        samples=_whole(header, "SamplesPerPixel"),
        photometric=_text(header, "PhotometricInterpretation"),
        padding=padding,
    )


def _several(value: object) -> list[str]:
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list | MultiValue) else [str(value)]


def _text(header: pydicom.Dataset, keyword: str) -> str:
    return " ".join(_several(value_of(header, keyword))).strip()


def _numbers(header: pydicom.Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    try:
        value = value_of(header, keyword)
        found = tuple(map(float, [value] if count == 1 else value))
    except (TypeError, ValueError):
        return None
    return found if len(found) == count and np.isfinite(found).all() else None


def _number(header: pydicom.Dataset, keyword: str) -> float | None:
    found = _numbers(header, keyword, 1)
    return found[0] if found else None


def _whole(header: pydicom.Dataset, keyword: str) -> int | None:
    found = _number(header, keyword)
    return None if found is None else int(found)
