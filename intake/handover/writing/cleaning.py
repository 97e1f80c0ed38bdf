"""Copies of DICOM files that identify nobody: what the pipeline needs, and nothing else.

Kept are numbers that describe the image, words from a short list, and the pixels byte for byte.
UIDs are replaced by keyed ones, equal for equal originals, so that references between files still
hold. All other attributes are left out, private ones and free text first of all.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import nullcontext
from pathlib import Path

import pydicom
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, UID_dictionary

from intake.handover.reading.damage import DAMAGE, named, read_mapped
from intake.handover.reading.pixels import NEEDED, check_whole
from pipeline.core.files import whole_file
from pipeline.imaging.dicom.dicom_contrast import (
    GIVEN,
    contrast_of,
    contrast_phase_of,
    fixed_word,
    term_of,
)
from pipeline.imaging.dicom.dicom_identity import REMEMBERED, STANDARD_UIDS, bytes_of
from pipeline.imaging.dicom.dicom_unknown import known_element

#: Groups that describe the image and its regions: acquisition, relation, image, segments,
#: structures, functional groups, pixels.
GROUPS = frozenset((0x0008, 0x0018, 0x0020, 0x0028, 0x0062, 0x3006, 0x5200, 0x7FE0))

NUMBERS = frozenset(("AT", "DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"))
#: Representations that other elements of the header decide where a file states none.
_DEPENDING = frozenset(("OB", "OW", "SQ", "SS", "UI", "US"))
BYTES = frozenset(("OB", "OD", "OF", "OL", "OV", "OW"))

#: Code strings and texts that the pipeline reads, or without which other programs refuse the file.
WORDS = frozenset(
    (
        "BodyPartExamined",
        "BurnedInAnnotation",
        "CodeValue",
        "CodingSchemeDesignator",
        "ContourGeometricType",
        "ConvolutionKernel",
        "DimensionOrganizationType",
        "FrameType",
        "ImageType",
        "LossyImageCompression",
        "LossyImageCompressionMethod",
        "Manufacturer",
        "ManufacturerModelName",
        "Modality",
        "PatientPosition",
        "PhotometricInterpretation",
        "PixelPresentation",
        "PresentationLUTShape",
        "RescaleType",
        "ROIGenerationAlgorithm",
        "ROIName",
        "SegmentAlgorithmType",
        "SegmentationFractionalType",
        "SegmentationType",
        "SegmentLabel",
        "SegmentsOverlap",
        "SpecificCharacterSet",
        "VolumeBasedCalculationTechnique",
        "VolumetricProperties",
    )
)

#: Texts on contrast, which a word of a short list replaces: a copy says whether, never what or by
#: whom.
CONTRAST = frozenset(
    ("ContrastBolusAgent", "ContrastBolusAgentAdministered", "ContrastBolusAgentPhase")
)

#: Sequences of the identification group that say which images a file refers to. The others, of
#: procedures and requests, repeat descriptions that people wrote.
REFERENCES = frozenset(
    (
        "DerivationImageSequence",
        "ReferencedImageSequence",
        "ReferencedInstanceSequence",
        "ReferencedSeriesSequence",
        "SourceImageSequence",
    )
)

#: Names of regions and terms, replaced where they identify, and the number that goes with each.
NAMES = {"SegmentLabel": "SegmentNumber", "ROIName": "ROINumber", "CodeMeaning": "CodeValue"}

Rename = Callable[[str, object], str]

Allows = Callable[[str, str], bool]
"""Tells of a keyword and a text whether it may be copied: it names no patient."""


def all_allowed(keyword: str, text: str) -> bool:
    """Return True: nobody is known whom a text could name."""
    return True


def clean_dicom(
    source: Path,
    target: Path,
    uid: Callable[[str], str],
    rename: Rename,
    allows: Allows = all_allowed,
    *,
    whole: bool = True,
) -> None:
    """Write a copy of a DICOM file without identity.

    Parameters
    ----------
    source, target : pathlib.Path
        Original, and file to write.
    uid : callable
        Returns the UID that replaces one.
    rename : callable
        Returns the name to keep for a region, from its name and number.
    allows : callable
        Whether a text of `WORDS` may be copied. Of several values of an attribute those that may
        not are left out.
    whole : bool
        Whether the file gets its name only once it is on the disk; False in a folder of which the
        same is made sure.

    Raises
    ------
    CaseError
        If the file cannot be read to its end.
    """
    with named():
        original = read_mapped(source)
        kept = _cleaned(original, uid, rename, allows)
        _keep_contrast(original, kept)
        check_whole(source, original, kept)
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = original.file_meta.get(
            "MediaStorageSOPClassUID", original.get("SOPClassUID", "")
        )
        meta.MediaStorageSOPInstanceUID = uid(str(original.get("SOPInstanceUID", source)))
        meta.TransferSyntaxUID = original.file_meta.get("TransferSyntaxUID") or (
            ImplicitVRLittleEndian if original.original_encoding[0] else ExplicitVRLittleEndian
        )
        order = _byte_order(meta.TransferSyntaxUID)
        written = FileDataset("", kept, b"\0" * 128, meta, *order)
        with whole_file(target) if whole else nullcontext(target) as beside:
            _write(written, beside)


def _write(written: FileDataset, path: Path) -> None:
    """Write a file in its transfer syntax, also in one that pydicom does not know."""
    meta = written.file_meta
    if meta.TransferSyntaxUID in UID_dictionary:
        pydicom.dcmwrite(path, written, enforce_file_format=True)
        return
    meta.FileMetaInformationGroupLength, meta.FileMetaInformationVersion = 0, b"\0\1"
    meta.ImplementationClassUID = pydicom.uid.PYDICOM_IMPLEMENTATION_UID
    implicit, little = _byte_order(meta.TransferSyntaxUID)
    pydicom.dcmwrite(path, written, implicit_vr=implicit, little_endian=little, force_encoding=True)


def _byte_order(syntax: UID) -> tuple[bool, bool]:
    """Return whether a transfer syntax is implicit, and whether it is little endian.

    pydicom does not know the latest ones, such as frames that are deflated one by one; these are
    all explicit little endian.
    """
    if syntax not in UID_dictionary:
        return False, True
    return syntax.is_implicit_VR, syntax.is_little_endian


def texts_of(element: pydicom.DataElement) -> list[str]:
    """Return the values of an attribute as texts."""
    value = element.value
    several = isinstance(value, pydicom.multival.MultiValue | list | tuple)
    return [str(one) for one in (value if several else [value]) if one is not None]


#: What becomes of short elements that are equal in many slices: copied as they are, or left out.
_known: dict[Hashable, pydicom.DataElement | None] = {}


def _cleaned(
    original: Dataset, uid: Callable[[str], str], rename: Rename, allows: Allows
) -> Dataset:
    kept = Dataset()
    for tag, raw in list(original.items()):
        if tag.is_private or tag.group not in GROUPS:
            continue
        key = bytes_of(raw, original)
        if key in _known:
            if (copied := _known[key]) is not None:
                kept.add(copied)
            continue
        try:
            element = known_element(original[tag])
            copied = _copied(element, original, uid, rename, allows)
        except DAMAGE:
            if keyword_for_tag(tag) in NEEDED:
                raise
            continue  # a value that cannot be read, and that nobody reads, describes nothing
        if copied is not None:
            kept.add(copied)
        if key is not None and _is_plain(element):
            if len(_known) >= REMEMBERED:
                _known.clear()
            _known[key] = copied
    return kept


def _is_plain(element: pydicom.DataElement) -> bool:
    """Return whether nothing but the bytes of an element decides what becomes of it."""
    decided = element.keyword in NAMES or element.keyword in CONTRAST or element.keyword in WORDS
    return not decided and len(element.VR) == 2 and element.VR not in _DEPENDING


def _copied(
    element: pydicom.DataElement, original: Dataset, uid: Callable[[str], str], rename: Rename,
    allows: Allows,
) -> pydicom.DataElement | None:  # fmt: skip
    """Return what is copied of an element; None where it is left out."""
    tag, vr, keyword = element.tag, element.VR, element.keyword
    if vr == "SQ":
        if tag.group == 0x0008 and keyword not in REFERENCES:
            return None
        items = [_cleaned(item, uid, rename, allows) for item in element.value]
        return pydicom.DataElement(tag, vr, items) if any(len(item) for item in items) else None
    if vr == "UI":
        return pydicom.DataElement(tag, vr, _uids(element.value, uid))
    if keyword in NAMES:
        number = original.get(NAMES[keyword])
        return pydicom.DataElement(tag, vr, rename(str(element.value), number))
    if keyword in CONTRAST:
        word = fixed_word(keyword, str(element.value or ""))
        return None if word is None else pydicom.DataElement(tag, vr, word)
    return element if _is_kept(element) or _is_allowed(element, allows) else None


def _keep_contrast(original: Dataset, kept: Dataset) -> None:
    """Say in a copy what texts that are left out, route and description, state of contrast."""
    if original.get("Modality") != "CT":
        return
    stated, phase = contrast_of(original), contrast_phase_of(original)
    if stated is not None and contrast_of(kept) is None:
        kept.ContrastBolusAgent = "CONTRAST" if stated == GIVEN else "NONE"
    if phase is not None and contrast_phase_of(kept) is None:
        kept.ContrastBolusAgentPhase = term_of(phase)


def _is_allowed(element: pydicom.DataElement, allows: Allows) -> bool:
    """Return whether an attribute is one of `WORDS`; its values that name somebody are removed."""
    if element.keyword not in WORDS:
        return False
    texts = texts_of(element)
    allowed = [one for one in texts if allows(element.keyword, one)]
    if len(allowed) < len(texts):
        element.value = allowed
    return bool(allowed) or not texts


def _is_kept(element: pydicom.DataElement) -> bool:
    if element.VR in BYTES:
        return element.tag.group in (0x0028, 0x7FE0)
    return element.VR in NUMBERS and element.tag.group != 0x0008


def _uids(value: object, uid: Callable[[str], str]) -> object:
    if isinstance(value, pydicom.multival.MultiValue | list):
        return [_uids(one, uid) for one in value]
    text = str(value or "")
    return text if not text or text.startswith(STANDARD_UIDS) else uid(text)
