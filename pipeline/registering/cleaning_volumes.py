"""Copies of NIfTI and NRRD files that identify nobody: geometry, voxels, and names of segments."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import BinaryIO

from isal import igzip

from pipeline.core.errors import CaseError
from pipeline.core.files import whole_file
from pipeline.core.volumes import volume_suffix
from pipeline.registering.cleaning import Rename
from segmentation.label_tables import extension_names, vertebra_extension

#: Text fields of a NIfTI header, by the header's size: data_type, db_name, descrip, aux_file,
#: intent_name.
NIFTI_TEXTS = {
    348: ((4, 14), (14, 32), (148, 228), (228, 252), (328, 344)),
    540: ((240, 320), (320, 344), (508, 524)),
}

#: Fields of a NRRD header that describe the array and its place.
NRRD_FIELDS = frozenset(
    """
    type dimension space spacedimension sizes spacings spacedirections spaceorigin spaceunits kinds
    endian encoding thicknesses axismins axismaxs centers centerings units measurementframe
    lineskip byteskip blocksize
    """.split()  # noqa: SIM905
)

#: What 3D Slicer must know of a segment.
SEGMENT_KEYS = re.compile(
    rb"Segment\d+_(ID|Name|Color|Extent|LabelValue|Layer)"
    rb"|Segmentation_(MasterRepresentation|SourceRepresentation|ReferenceImageExtentOffset)"
)
_NAME = re.compile(rb"Segment(\d+)_Name")
_ID = re.compile(rb"Segment(\d+)_ID")


def clean_volume(source: Path, target: Path, rename: Rename) -> None:
    """Write a copy of a NIfTI or NRRD file without identity.

    Parameters
    ----------
    source, target : pathlib.Path
        Original, and file to write; of the same kind.
    rename : callable
        Returns the name to keep for a segment, from its name and number.

    Raises
    ------
    CaseError
        If the header is not one of these.
    """
    try:
        if volume_suffix(source) == ".nrrd":
            _clean_nrrd(source, target, rename)
        else:
            _clean_nifti(source, target)
    except (ValueError, IndexError, EOFError, igzip.BadGzipFile) as error:
        raise CaseError(
            "A volume must be a whole NIfTI or NRRD file",
            found=type(error).__name__,
            remedy="open it in 3D Slicer and export it again",
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
    out.write(head)
    shutil.copyfileobj(stream, out, 1 << 20)


def _int(head: bytearray, order: str) -> int:
    return int.from_bytes(head[:4], order)


def _offset(head: bytearray, size: int, order: str) -> int:
    import struct

    mark = "<" if order == "little" else ">"
    if size == 348:
        return int(struct.unpack(f"{mark}f", head[108:112])[0])
    return struct.unpack(f"{mark}q", head[168:176])[0]


def _clean_nrrd(source: Path, target: Path, rename: Rename) -> None:
    with open(source, "rb") as stream, whole_file(target) as beside, open(beside, "wb") as out:
        packed = False
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
            kept = _kept_line(line, rename)
            if kept is not None:
                out.write(kept + b"\n")
            packed |= re.match(rb"encoding:\s*gz", line, re.IGNORECASE) is not None
        out.write(b"\n")
        if packed:
            out.write(_bare_gzip_header(stream))
        shutil.copyfileobj(stream, out, 1 << 20)


def _kept_line(line: bytes, rename: Rename) -> bytes | None:
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
        return line
    if line.startswith(b"#"):
        return None
    name = line.partition(b":")[0].decode("ascii", "replace").lower().replace(" ", "")
    if name == "datafile":
        raise ValueError("voxels in another file")
    return line if name in NRRD_FIELDS else None


def _bare_gzip_header(stream: BinaryIO) -> bytes:
    """Read the header of a gzip stream and return one without file name, comment and time."""
    head = stream.read(10)
    if head[:2] != b"\x1f\x8b":
        raise ValueError
    flags = head[3]
    if flags & 4:
        stream.read(int.from_bytes(stream.read(2), "little"))
    for flag in (8, 16):
        if flags & flag:
            while stream.read(1) not in (b"\0", b""):
                pass
    if flags & 2:
        stream.read(2)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
