"""DICOM files that hold masks: which of a folder is meant, and reading it without a leak.

What a library says about a damaged header may quote it; so only what is said here reaches a log.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from pipeline.core.errors import CaseError
from pipeline.core.files import machine_error
from pipeline.imaging.dicom.dicom_headers import quiet
from pipeline.imaging.dicom.dicom_start import has_mark, is_bare, start_of
from pipeline.imaging.dicom.dicom_unknown import known_element
from pipeline.imaging.sources import source_files
from segmentation.structures.level_names import level_of_code

#: SOP classes of masks: Segmentation, Label Map Segmentation, RT Structure Set.
SEG_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
RTSTRUCT_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"

#: No coordinate of a patient lies farther from the scanner's origin, in mm.
FARTHEST_MM = 1e6


def is_dicom(path: str | Path) -> bool:
    """Return whether a file is DICOM by its first bytes, whatever its name.

    Some planning systems leave out the 128 bytes and the four letters before the first element.
    """
    start = start_of(path)
    return has_mark(start) or is_bare(start)


#: What pydicom and the decoders it calls raise over damaged headers and frames. Anything else is a
#: mistake of this program, and ends the job.
READING_ERRORS = (
    InvalidDicomError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    EOFError,
    OSError,
    MemoryError,
    struct.error,
    zlib.error,
)


@contextmanager
def careful() -> Iterator[None]:
    """Turn whatever a library raises over a damaged header into one error, and keep it quiet.

    pydicom reads values as they are asked for, so that any access may fail, each in its own way.
    """
    with quiet():
        try:
            yield
        except READING_ERRORS as error:
            refuse_machine(error)
            raise CaseError(
                "A DICOM mask must be a whole, readable file",
                found="a file that is cut short or damaged"
                if isinstance(error, OSError | EOFError | struct.error)
                else f"a header with a value that cannot be read ({type(error).__name__})",
                remedy="copy or export it again",
                code="dicom-mask-unreadable",
            ) from None


def refuse_machine(error: Exception) -> None:
    """Raise where the machine, and no damage of a file, made a library fail.

    Raises
    ------
    MachineError
        If memory, disk or the like are at fault.
    OSError
        If the system said so: its word has a number, that of a library about a file has none.
    """
    if machine := machine_error(error):
        raise machine from error
    if isinstance(error, OSError) and error.errno is not None:
        raise error


def read_dicom(path: Path, **options: object) -> pydicom.Dataset:
    """Read a DICOM file; `options` are those of `pydicom.dcmread`.

    A damaged length of an element claims up to 4 GB, for which pydicom would ask the memory; of a
    mapped file no more can be read than it holds.
    """
    with (
        open(path, "rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return pydicom.dcmread(content, force=True, **options)


def kind_of(path: Path) -> str | None:
    """Return ``SEG`` or ``RTSTRUCT`` where a DICOM file holds masks, ``other`` for other DICOM.

    An empty SOPClassUID occurs in anonymised archives; the modality decides then. None stands for
    a file that is no DICOM.
    """
    if not is_dicom(path):
        return None
    with careful():
        header = read_dicom(
            path, stop_before_pixels=True, specific_tags=["SOPClassUID", "Modality"]
        )
        sop_class = str(header.get("SOPClassUID") or "")
        modality = str(header.get("Modality") or "")
    if sop_class in SEG_CLASSES or (not sop_class and modality == "SEG"):
        return "SEG"
    if sop_class == RTSTRUCT_CLASS or (not sop_class and modality == "RTSTRUCT"):
        return "RTSTRUCT"
    return "other"


def mask_of_folder(folder: Path) -> Path:
    """Return the one DICOM segmentation or structure set of a folder.

    Raises
    ------
    CaseError
        If it holds none, or several, or a damaged DICOM file, which may be one of them.
    """
    kinds = {}
    for file in source_files(folder):
        try:
            kinds[file] = kind_of(file)
        except CaseError:
            kinds[file] = "damaged"
    found = [file for file, kind in kinds.items() if kind in ("SEG", "RTSTRUCT")]
    if len(found) == 1 and "damaged" not in kinds.values():
        return found[0]
    counts = [
        f"{list(kinds.values()).count(kind)} {words}"
        for kind, words in (
            ("SEG", "DICOM segmentation(s)"),
            ("RTSTRUCT", "RT structure set(s)"),
            ("damaged", "DICOM file(s) that cannot be read"),
            ("other", "other DICOM file(s)"),
            (None, "other file(s)"),
        )
        if kind in kinds.values()
    ]
    raise CaseError(
        "A folder given as mask must hold exactly one DICOM segmentation or RT structure set",
        found=", ".join(counts) or "an empty folder",
        remedy="name the file itself in column `mask`",
        code="mask-folder-ambiguous",
    )


def referenced_series(dataset: pydicom.Dataset) -> frozenset[str]:
    """Return the SeriesInstanceUIDs of the images that a segmentation or structure set refers to.

    They identify a person: they are compared, never shown.
    """
    return frozenset(_series_below(dataset))


def _series_below(dataset: pydicom.Dataset) -> Iterator[str]:
    """Yield them from a SEG's ReferencedSeries or a structure set's frames of reference."""
    for series in items(dataset, "ReferencedSeriesSequence"):
        if series.get("SeriesInstanceUID"):
            yield str(series.SeriesInstanceUID)
    for frame in items(dataset, "ReferencedFrameOfReferenceSequence"):
        for study in items(frame, "RTReferencedStudySequence"):
            for series in items(study, "RTReferencedSeriesSequence"):
                if series.get("SeriesInstanceUID"):
                    yield str(series.SeriesInstanceUID)


def frames_of_reference(dataset: pydicom.Dataset) -> frozenset[str]:
    """Return the FrameOfReferenceUIDs of a segmentation, or of all regions of a structure set.

    They identify a person: they are compared, never shown.
    """
    found = [dataset.get("FrameOfReferenceUID")]
    found += [
        one.get("FrameOfReferenceUID")
        for one in items(dataset, "ReferencedFrameOfReferenceSequence")
    ]
    return frozenset(str(one) for one in found if one)


def value_of(dataset: pydicom.Dataset, keyword: str) -> object:
    """Return the value of an attribute, None where it is missing."""
    if keyword not in dataset:
        return None
    return known_element(dataset[keyword]).value


def items(dataset: pydicom.Dataset, keyword: str) -> list[pydicom.Dataset]:
    """Return the items of a sequence, none where it is missing or no sequence."""
    value = value_of(dataset, keyword)
    return list(value) if isinstance(value, pydicom.Sequence) else []


def numbers(dataset: pydicom.Dataset, keyword: str) -> list[float]:
    """Return the numbers of an attribute, none where it is missing or holds anything else."""
    try:
        value = value_of(dataset, keyword)
        if value is None or isinstance(value, str):
            return []
        many = value if isinstance(value, list | tuple | pydicom.multival.MultiValue) else [value]
        return [float(one) for one in many]
    except (TypeError, ValueError):
        return []


def whole_number(dataset: pydicom.Dataset, keyword: str) -> int | None:
    """Return the one whole number of an attribute, None where it holds anything else."""
    found = numbers(dataset, keyword)
    return int(found[0]) if len(found) == 1 and found[0].is_integer() else None


#: Sequences of codes that say what a segment or a region is.
MEANINGS = (
    "SegmentedPropertyTypeCodeSequence",
    "SegmentedPropertyTypeModifierCodeSequence",
    "AnatomicRegionSequence",
    "AnatomicRegionModifierSequence",
    "PrimaryAnatomicStructureSequence",
    "RTROIIdentificationCodeSequence",
)


def meanings_of(described: pydicom.Dataset) -> tuple[str, ...]:
    """Return what the codes of a segment or region mean; a vertebra's code is its level."""
    found = []
    for keyword in MEANINGS:
        for item in items(described, keyword):
            code = str(item.get("CodeValue") or "").strip()
            level = level_of_code(str(item.get("CodingSchemeDesignator") or "").strip(), code)
            found += [str(item.get("CodeMeaning") or "").strip(), f"{level} vertebra" * bool(level)]
            found += meanings_of(item)
    return tuple(dict.fromkeys(one for one in found if one))
