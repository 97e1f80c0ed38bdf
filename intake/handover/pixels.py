"""Whether a copy of a DICOM file holds what is needed to read it, and nothing behind the pixels."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.uid import UID_dictionary

#: Attributes without which a copy would be read otherwise than its original: a damaged one is not
#: left out, as others are.
NEEDED = frozenset(
    (
        *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"),
        *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated", "BitsStored"),
        *("HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit"),
        *("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "InstanceNumber"),
        *("RescaleSlope", "RescaleIntercept", "SeriesNumber", "SliceThickness", "KVP"),
        *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "PixelData"),
        *("SegmentSequence", "StructureSetROISequence", "ROIContourSequence"),
        *("SegmentNumber", "ROINumber", "ReferencedROINumber", "ReferencedSegmentNumber"),
        *("ContourSequence", "ContourData", "MaximumFractionalValue"),
    )
)


def check_whole(original: Dataset, kept: Dataset) -> None:
    """Cut what lies behind the pixels of a copy; refuse one that lost what is needed to read it.

    Parameters
    ----------
    original : pydicom.dataset.Dataset
        As read.
    kept : pydicom.dataset.Dataset
        What is written; its pixels are changed.

    Raises
    ------
    ValueError
        If an attribute cannot be copied, or pixels are missing.
    """
    lost = [word for word in NEEDED if word in original and word not in kept]
    lost = [original[word] for word in lost]
    if any(one.VR != "SQ" and one.value not in (None, "", b"") for one in lost):
        raise ValueError  # a sequence of nothing that is kept is no loss
    if "PixelData" not in kept or not kept.PixelData:
        return
    syntax = original.file_meta.get("TransferSyntaxUID")
    if syntax and (syntax not in UID_dictionary or syntax.is_encapsulated):
        return
    bits = int(kept.get("BitsAllocated") or 0)
    count = int(kept.get("NumberOfFrames") or 1) * int(kept.get("SamplesPerPixel") or 1)
    count *= int(kept.get("Rows") or 0) * int(kept.get("Columns") or 0)
    needed = (count * bits + 7) // 8
    if str(kept.get("PhotometricInterpretation") or "").startswith("YBR_FULL_422"):
        return  # two values for three samples; no CT and no mask is one
    if needed <= 0 or len(kept.PixelData) < needed:
        raise ValueError
    kept.PixelData = kept.PixelData[:needed] + b"\0" * (needed % 2)
