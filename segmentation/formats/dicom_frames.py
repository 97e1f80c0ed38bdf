"""The pixels of one frame of a DICOM segmentation, in every lossless encoding.

pydicom decodes most; frames of one bit a pixel that are packed by run lengths, or deflated one by
one, and those that do not begin with a whole byte are unpacked here.
"""

from __future__ import annotations

import zlib

import numpy as np
import pydicom
from pydicom.encaps import get_frame
from pydicom.pixels import pixel_array
from pydicom.uid import (
    ExplicitVRBigEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from pipeline.core.errors import CaseError
from pipeline.imaging.dicom.dicom_headers import quiet
from segmentation.formats.dicom_files import READING_ERRORS, refuse_machine

#: Each frame deflated by itself (DICOM supplement of 2023); pydicom does not know it yet.
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
#: Compressed transfer syntaxes that keep every bit.
LOSSLESS = (
    DEFLATED_FRAMES,
    RLELossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEG2000Lossless,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
)


def decode_frame(dataset: pydicom.Dataset, index: int) -> np.ndarray:
    """Return the stored values of one frame.

    Parameters
    ----------
    dataset : pydicom.Dataset
        A segmentation whose description of its pixels was checked.
    index : int
        Number of the frame, from 0.

    Returns
    -------
    numpy.ndarray
        Shape (row, column).

    Raises
    ------
    CaseError
        If the frame does not decode.
    """
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    shape = (int(dataset.Rows), int(dataset.Columns))
    bits = int(dataset.BitsAllocated)
    try:
        with quiet():
            frame = _stored(dataset, index, shape, bits, syntax)
    except READING_ERRORS as error:
        refuse_machine(error)
        raise _undecodable(index) from None
    if frame.shape != shape:
        raise _undecodable(index)
    return frame


def _stored(
    dataset: pydicom.Dataset, index: int, shape: tuple[int, int], bits: int, syntax: str
) -> np.ndarray:
    """Decode one frame: by pydicom where it can, else from its bits."""
    if syntax == DEFLATED_FRAMES or (bits == 1 and syntax == RLELossless):
        packed = get_frame(
            dataset.PixelData, index, number_of_frames=int(dataset.get("NumberOfFrames", 1))
        )
        length = (shape[0] * shape[1] * bits + 7) // 8
        if syntax == DEFLATED_FRAMES:
            # No more than a frame is unpacked: a damaged stream must not fill the memory.
            packed = zlib.decompressobj(-15).decompress(packed, length)
        else:
            packed = _run_lengths(packed, length)
        return _unpacked(packed, shape, bits)
    if bits == 1 and not pydicom.uid.UID(syntax).is_encapsulated:
        if syntax == ExplicitVRBigEndian:
            return dataset.pixel_array.reshape(-1, *shape)[index]
        # A frame need not begin with a byte, which pydicom does not take into account.
        first = index * shape[0] * shape[1]
        last = first + shape[0] * shape[1]
        packed = dataset.PixelData[first // 8 : (last + 7) // 8]
        return _unpacked(packed, shape, bits, skip=first % 8)
    return pixel_array(dataset, index=index)


def _unpacked(packed: bytes, shape: tuple[int, int], bits: int, skip: int = 0) -> np.ndarray:
    """Return pixels of 1, 8 or 16 bits from the bytes of one frame, `skip` pixels left out."""
    count = shape[0] * shape[1]
    if bits == 1:
        pixels = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little")
    else:
        pixels = np.frombuffer(packed, f"<u{bits // 8}")
    return pixels[skip : skip + count].reshape(shape)


def _run_lengths(packed: bytes, length: int) -> bytes:
    """Undo run lengths over packed bits: decoders take them for one row of bytes."""
    from highdicom import frame  # slow to import, and seldom needed

    return frame.decode_frame(
        packed,
        transfer_syntax_uid=RLELossless,
        rows=1,
        columns=length,
        samples_per_pixel=1,
        bits_allocated=8,
        bits_stored=8,
        photometric_interpretation="MONOCHROME2",
    ).tobytes()


def _undecodable(index: int) -> CaseError:
    return CaseError(
        "Every frame of a DICOM segmentation must be readable",
        found=f"frame {index + 1}, which does not decode",
        remedy="copy or export it again",
        code="seg-frame-unreadable",
    )
