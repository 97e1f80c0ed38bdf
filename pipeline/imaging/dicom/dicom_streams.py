"""Damage in DICOM files that decoders pass over in silence, with values that have moved.

pydicom takes as many bytes of native pixel data as the header claims, whatever follows; nothing
looks at the end of a deflated file; CharLS stops at an unexpected marker of a JPEG-LS stream and
leaves the rest as it is. What is checked here is what the standards say of such streams.

References
----------
.. [1] DICOM PS3.5, 7.1 (elements in order of their tags) and A.5 (deflated explicit VR).
.. [2] ISO/IEC 14495-1 (JPEG-LS), annex C: a zero bit is stuffed behind each byte FF; ISO/IEC
   10918-1 (JPEG), B.1.1.5: a zero byte is.
"""

from __future__ import annotations

import io
import re
import zlib
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.filereader import data_element_generator
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    UID_dictionary,
)

PIXEL_DATA = 0x7FE00010
UNDEFINED_LENGTH = 0xFFFFFFFF

_DEFERRED = 1024  # bytes; longer values are passed over, not read
_PREAMBLE = 132  # bytes, with the letters DICM
_GROUP_LENGTH = 12  # bytes of the element that says how long the file's own header is

_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
#: FF before a byte that is neither stuffed nor a restart marker, in JPEG-LS and lossless JPEG.
_NO_JPEG_LS = re.compile(rb"\xff[\x80-\xcf\xd8-\xff]")
_NO_JPEG_LOSSLESS = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")

#: Transfer syntax -> what its coded data never hold.
_FORBIDDEN = {
    JPEGLSLossless: _NO_JPEG_LS,
    JPEGLSNearLossless: _NO_JPEG_LS,
    JPEGLossless: _NO_JPEG_LOSSLESS,
    JPEGLosslessSV1: _NO_JPEG_LOSSLESS,
}
#: Transfer syntaxes whose frames `check_coded` looks at.
CODED = frozenset(_FORBIDDEN)


def is_native(header: pydicom.Dataset) -> bool:
    """Whether the pixels of a file are written as they are, by its transfer syntax.

    Parameters
    ----------
    header : pydicom.Dataset
        With the file's own header; a file that has none is native.
    """
    syntax = header.file_meta.get("TransferSyntaxUID")
    return not syntax or (syntax in UID_dictionary and not UID(syntax).is_encapsulated)


def check_end(path: Path, header: pydicom.Dataset) -> None:
    """Check that a native file ends with its pixel data, or with whole elements behind them.

    Where the pixels were read, also that they follow the head of their element: with a damaged VR
    they begin elsewhere.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    header : pydicom.Dataset
        Read from it; of it, the transfer syntax is used, and where its pixels end if it has them.

    Raises
    ------
    ValueError
        If something else follows or precedes: bytes were inserted or lost, and values have moved.
    """
    implicit, little = header.original_encoding
    syntax = header.file_meta.get("TransferSyntaxUID")  # files without a preamble have none
    deflated = syntax == DeflatedExplicitVRLittleEndian
    if "PixelData" in header and not deflated:
        pixels = header["PixelData"]
        _check_head(path, pixels.file_tell, implicit, little)
        end = pixels.file_tell + len(pixels.value)
        if end == path.stat().st_size:
            return
        if pixels.file_tell and not pixels.is_undefined_length:
            with open(path, "rb") as stream:
                stream.seek(end)
                _check_elements(stream, implicit, little, PIXEL_DATA)
            return
    with open(path, "rb") as stream:
        if deflated:
            _check_elements(_inflated(stream, header), implicit, little)
        else:
            # Leaves the stream where the element of the pixels begins.
            pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=[], force=True)
            _check_elements(stream, implicit, little)


def _check_head(path: Path, start: int, implicit: bool, little: bool) -> None:
    tag = b"\xe0\x7f\x10\0" if little else b"\x7f\xe0\0\x10"
    with open(path, "rb") as stream:
        stream.seek(start - (8 if implicit else 12))
        head = stream.read(6)
    if head[:4] != tag or not (implicit or head[4:] in (b"OW", b"OB", b"UN")):
        raise ValueError("the pixels do not follow their element's head")


def _inflated(stream: BinaryIO, header: pydicom.Dataset) -> BinaryIO:
    stream.seek(_PREAMBLE + _GROUP_LENGTH + int(header.file_meta.FileMetaInformationGroupLength))
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflate.decompress(stream.read())
    if not inflate.eof or inflate.unused_data.strip(b"\0"):
        raise ValueError("the deflated data do not end with the file")
    return io.BytesIO(data)


def _check_elements(stream: BinaryIO, implicit: bool, little: bool, last: int = 0) -> None:
    """Check that a stream holds elements in the order of their tags, behind `last`, to its end."""
    start = stream.tell()
    size = stream.seek(0, io.SEEK_END)
    stream.seek(start)
    end = start
    for element in data_element_generator(stream, implicit, little, defer_size=_DEFERRED):
        if element.tag < PIXEL_DATA:
            continue
        if element.tag <= last or element.length == UNDEFINED_LENGTH:
            raise ValueError("no element stands behind the pixel data")
        last, end = element.tag, element.value_tell + element.length
    if end != size:
        raise ValueError("the file does not end with an element")


def check_coded(frame: bytes, transfer_syntax: str) -> None:
    """Check that the coded data of a frame are nothing but coded data up to their end.

    Parameters
    ----------
    frame : bytes
        One JPEG-LS or lossless JPEG stream.
    transfer_syntax : str
        One of `CODED`.

    Raises
    ------
    ValueError
        If another marker stands in them, or they have no end.
    """
    start = frame.index(_START_OF_SCAN) + len(_START_OF_SCAN)
    start += int.from_bytes(frame[start : start + 2], "big")
    end = frame.rindex(_END_OF_IMAGE)
    if start > end or _FORBIDDEN[transfer_syntax].search(frame, start, end):
        raise ValueError("a marker stands in the coded data, or none at their end")
