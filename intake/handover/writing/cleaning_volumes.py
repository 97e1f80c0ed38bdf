"""Copies of NIfTI and NRRD files that identify nobody: geometry, voxels, and names of segments."""

from __future__ import annotations

import math
import os
import re
import struct
from gzip import BadGzipFile
from pathlib import Path
from typing import BinaryIO

from isal import igzip, isal_zlib

from intake.handover.writing.cleaning import Allows, Rename, all_allowed
from pipeline.core.errors import CaseError
from pipeline.core.files import whole_file
from pipeline.imaging.volumes import volume_suffix
from segmentation.structures.label_tables import extension_names, vertebra_extension

#: Fields of a NIfTI header that may hold text, by the header's size: data_type, db_name, extents,
#: session_error, glmax, glmin, descrip, aux_file, intent_name; the unused end of NIfTI-2.
NIFTI_TEXTS = {
    348: ((4, 38), (140, 148), (148, 252), (328, 344)),
    540: ((240, 344), (508, 524), (525, 540)),
}

#: Fields of a NRRD header that describe the array and its place.
NRRD_FIELDS = frozenset(
    """
    type dimension space spacedimension sizes spacings spacedirections spaceorigin spaceunits kinds
    endian encoding thicknesses axismins axismaxs centers centerings units measurementframe
    lineskip byteskip blocksize
    """.split()  # noqa: SIM905
)

#: Bytes of a voxel by the types of NRRD.
_SIZES = {
    word: size
    for size, words in {
        1: "signed char|int8|int8_t|uchar|unsigned char|uint8|uint8_t",
        2: "short|short int|signed short|signed short int|int16|int16_t"
        "|ushort|unsigned short|unsigned short int|uint16|uint16_t",
        4: "int|signed int|int32|int32_t|uint|unsigned int|uint32|uint32_t|float",
        8: "longlong|long long|long long int|signed long long|signed long long int|int64|int64_t"
        "|ulonglong|unsigned long long|unsigned long long int|uint64|uint64_t|double",
    }.items()
    for word in words.split("|")
}

#: What 3D Slicer must know of a segment.
SEGMENT_KEYS = re.compile(
    rb"Segment\d+_(ID|Name|Color|Extent|LabelValue|Layer)"
    rb"|Segmentation_(MasterRepresentation|SourceRepresentation|ReferenceImageExtentOffset)"
)
_NAME = re.compile(rb"Segment(\d+)_Name")
_ID = re.compile(rb"Segment(\d+)_ID")


def clean_volume(source: Path, target: Path, rename: Rename, allows: Allows = all_allowed) -> None:
    """Write a copy of a NIfTI or NRRD file without identity.

    Parameters
    ----------
    source, target : pathlib.Path
        Original, and file to write; of the same kind.
    rename : callable
        Returns the name to keep for a segment, from its name and number.
    allows : callable
        Whether the text of a kept field may be copied.

    Raises
    ------
    CaseError
        If the header is not one of these.
    """
    try:
        if volume_suffix(source) == ".nrrd":
            _clean_nrrd(source, target, rename, allows)
        else:
            _clean_nifti(source, target)
    except (ValueError, LookupError, EOFError, struct.error, isal_zlib.error, BadGzipFile) as error:
        raise CaseError(
            "A volume must be a whole NIfTI or NRRD file",
            found=type(error).__name__,
            remedy="open it in 3D Slicer and export it again",
            code="volume-unreadable",
        ) from None


def _clean_nifti(source: Path, target: Path) -> None:
    packed = source.name.lower().endswith(".gz")
    with (
        whole_file(target) as beside,
        open(source, "rb") as raw,
        open(beside, "wb") as out,
        igzip.open(raw, "rb") if packed else raw as stream,
    ):
        if not packed:
            _copy_nifti(stream, out)
            return
        with igzip.IGzipFile("", "wb", 2, out, mtime=0) as squeezed:
            _copy_nifti(stream, squeezed)


def _copy_nifti(stream: BinaryIO, out: BinaryIO) -> None:
    head = bytearray(stream.read(544))
    size = next((n for n in NIFTI_TEXTS if n in (_int(head, "little"), _int(head, "big"))), None)
    if size is None:
        raise ValueError
    for start, end in NIFTI_TEXTS[size]:
        head[start:end] = bytes(end - start)
    order = "little" if _int(head, "little") == size else "big"
    offset = _offset(head, size, order)
    if offset < size + 4:
        raise ValueError
    if offset > len(head):
        head += stream.read(offset - len(head))
    # Extensions hold texts, whole DICOM headers; of them the names of vertebrae stay.
    mark = "<" if order == "little" else ">"
    names = extension_names(bytes(head[size:offset]), mark)
    head[size:offset] = vertebra_extension(names, offset - size, mark)
    end = offset + _voxel_bytes(head, size, mark)
    out.write(head[:end])
    _copy_exactly(stream, out, max(0, end - len(head)))


def _voxel_bytes(head: bytearray, size: int, mark: str) -> int:
    """Return how many bytes the voxels of a NIfTI take, by its header."""
    if size == 348:
        dims = struct.unpack(f"{mark}8h", head[40:56])
        (bits,) = struct.unpack(f"{mark}h", head[72:74])
    else:
        dims = struct.unpack(f"{mark}8q", head[16:80])
        (bits,) = struct.unpack(f"{mark}h", head[14:16])
    rank, *sizes = dims
    if not 1 <= rank <= 7 or min(sizes[:rank]) < 1 or bits < 1:
        raise ValueError
    return (math.prod(sizes[:rank]) * bits + 7) // 8


def _copy_exactly(stream: BinaryIO, out: BinaryIO, count: int) -> None:
    """Copy `count` bytes: what lies behind the voxels is no image, and may name somebody."""
    while count:
        piece = stream.read(min(count, 1 << 20))
        if not piece:
            raise EOFError
        out.write(piece)
        count -= len(piece)
    # The checksum of what was packed is looked at behind its last byte only.
    while stream.read(1 << 20):
        pass


def _int(head: bytearray, order: str) -> int:
    return int.from_bytes(head[:4], order)


def _offset(head: bytearray, size: int, order: str) -> int:
    mark = "<" if order == "little" else ">"
    if size == 348:
        return int(struct.unpack(f"{mark}f", head[108:112])[0])
    return struct.unpack(f"{mark}q", head[168:176])[0]


def _clean_nrrd(source: Path, target: Path, rename: Rename, allows: Allows) -> None:
    with open(source, "rb") as stream, whole_file(target) as beside, open(beside, "wb") as out:
        packed, fields = False, {}
        first = stream.readline(64)
        if not first.startswith(b"NRRD000"):
            raise ValueError
        out.write(first.rstrip() + b"\n")
        while True:
            line = stream.readline(1 << 16)
            if not line:
                raise EOFError
            line = line.rstrip(b"\r\n")
            if not line:
                break
            kept = _kept_line(line, rename, allows)
            if kept is not None:
                out.write(kept + b"\n")
            packed |= re.match(rb"encoding:\s*gz", line, re.IGNORECASE) is not None
            name, _, value = line.partition(b":")
            fields[name.decode("ascii", "replace").lower().replace(" ", "")] = value.strip().lower()
        out.write(b"\n")
        _copy_nrrd_voxels(stream, out, fields, packed)


def _copy_nrrd_voxels(
    stream: BinaryIO, out: BinaryIO, fields: dict[str, bytes], packed: bool
) -> None:
    """Copy the voxels of a NRRD; of what is skipped before them, the length."""
    voxels = math.prod(int(one) for one in fields["sizes"].split())
    size = _SIZES.get(fields["type"].decode("ascii", "replace"), 0)
    lines, skipped = int(fields.get("lineskip", 0)), int(fields.get("byteskip", 0))
    if voxels < 1 or not size or lines < 0 or skipped < -1 or (skipped == -1 and packed):
        raise ValueError
    for _ in range(lines):
        stream.readline()
        out.write(b"\n")
    if packed:
        with (
            igzip.IGzipFile("", "rb", fileobj=stream) as unpacked,
            igzip.IGzipFile("", "wb", 2, out, mtime=0) as squeezed,
        ):
            _copy_behind(unpacked, squeezed, skipped, voxels * size)
    elif fields.get("encoding") == b"raw":
        if skipped == -1:  # the voxels end the file
            stream.seek(-voxels * size, os.SEEK_END)
            skipped = 0
        _copy_behind(stream, out, skipped, voxels * size)
    else:
        words = stream.read()[skipped:].split()
        numbers = [one for one in words[:voxels] if math.isfinite(float(one))]
        if len(numbers) < voxels:
            raise EOFError
        out.write(bytes(skipped) + b"\n".join(numbers) + b"\n")


def _copy_behind(stream: BinaryIO, out: BinaryIO, skipped: int, count: int) -> None:
    while skipped:
        piece = stream.read(min(skipped, 1 << 20))
        if not piece:
            raise EOFError
        out.write(bytes(len(piece)))
        skipped -= len(piece)
    _copy_exactly(stream, out, count)


def _kept_line(line: bytes, rename: Rename, allows: Allows) -> bytes | None:
    """Return a line of a NRRD header without identity, None where it is left out."""
    key, mark, value = line.partition(b":=")
    if mark:
        if not SEGMENT_KEYS.fullmatch(key):
            return None
        if match := _NAME.fullmatch(key):
            text = value.decode("utf-8", "replace")
            return key + b":=" + rename(text, int(match[1]) + 1).encode()
        if match := _ID.fullmatch(key):
            return key + b":=Segment_" + str(int(match[1]) + 1).encode()
        keyword = re.sub(r"^Segment\d+", "Segment", key.decode())
        return line if allows(keyword, value.decode("utf-8", "replace")) else None
    if line.startswith(b"#"):
        return None
    name = line.partition(b":")[0].decode("ascii", "replace").lower().replace(" ", "")
    if name == "datafile":
        raise ValueError("voxels in another file")
    text = line.partition(b":")[2].decode("utf-8", "replace")
    return line if name in NRRD_FIELDS and allows(f"NRRD {name}", text) else None
