"""Whether a DICOM file is whole, and a copy holds what is needed to read it and nothing more."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset

from pipeline.imaging.dicom.dicom_streams import check_end, is_native

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


def check_whole(source: Path, original: Dataset, kept: Dataset) -> None:
    """Cut what fills up the pixels of a copy; refuse one that lost what is needed to read it.

    Elements behind the pixels are not among those that are copied. Bytes that are no element say
    that some were inserted or lost before them, which a copy would no longer show.

    Parameters
    ----------
    source : pathlib.Path
        The original.
    original : pydicom.dataset.Dataset
        As read.
    kept : pydicom.dataset.Dataset
        What is written; its pixels are changed.

    Raises
    ------
    ValueError
        If an attribute cannot be copied, pixels are missing, or no element follows them.
    """
    lost = [word for word in NEEDED if word in original and word not in kept]
    lost = [original[word] for word in lost]
    if any(one.VR != "SQ" and one.value not in (None, "", b"") for one in lost):
        raise ValueError  # a sequence of nothing that is kept is no loss
    if "PixelData" not in kept or not kept.PixelData:
        return
    if not is_native(original):
        return
    check_end(source, original)
    bits = int(kept.get("BitsAllocated") or 0)
    count = int(kept.get("NumberOfFrames") or 1) * int(kept.get("SamplesPerPixel") or 1)
    count *= int(kept.get("Rows") or 0) * int(kept.get("Columns") or 0)
    needed = (count * bits + 7) // 8
    if str(kept.get("PhotometricInterpretation") or "").startswith("YBR_FULL_422"):
        return  # two values for three samples; no CT and no mask is one
    if needed <= 0 or len(kept.PixelData) < needed:
        raise ValueError
    kept.PixelData = kept.PixelData[:needed] + b"\0" * (needed % 2)
