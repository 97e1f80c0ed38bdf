"""Masks in MetaImage files (.mha), as ITK programs save them: read as the NRRD of the same bytes.

The stages of a study read NRRD and NIfTI alone, so the study's copy is a NRRD. Nothing is kept but
the grid and the voxels; a file that is cut short is refused, where ITK fills up with zeros.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nrrd
import numpy as np

from pipeline.core.errors import CaseError

SUFFIX = ".mha"

_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
#: Bytes within which a header ends.
_HEADER = 65_536


def is_metaimage(path: Path) -> bool:
    """Return whether a file's name is that of a MetaImage in one file."""
    return path.name.lower().endswith(SUFFIX)


@contextmanager
def as_nrrd(path: Path) -> Iterator[Path]:
    """Yield a NRRD with the voxels and the grid of a MetaImage; any other file as it is.

    Raises
    ------
    CaseError
        If the file is cut short, damaged, or no volume of one value a voxel.
    """
    if not is_metaimage(path):
        yield path
        return
    try:
        voxels, fields = _read(path)
    except (ValueError, LookupError, zlib.error) as error:
        raise CaseError(
            "A MetaImage must be a whole volume with one value a voxel, its voxels in the file",
            found=str(error) if isinstance(error, ValueError) else type(error).__name__,
            remedy="open it in 3D Slicer or ITK-SNAP and save it as .nii.gz",
            code="metaimage-unreadable",
        ) from None
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "mask.nrrd"
        nrrd.write(str(copy), voxels, fields, index_order="F")
        yield copy


def _read(path: Path) -> tuple[np.ndarray, dict]:
    """Return the voxels of a MetaImage, shape (x, y, z), and the fields of a NRRD of them."""
    content = path.read_bytes()
    head, found, _ = content[:_HEADER].partition(b"ElementDataFile")
    start = content.find(b"\n", len(head)) + 1
    if not found or not start or content[len(head) : start].split(b"=")[1].strip() != b"LOCAL":
        raise ValueError("no voxels in the file")
    lines = [line.partition("=") for line in head.decode("latin-1").splitlines()]
    told = {key.strip(): text.strip() for key, sign, text in lines if sign}
    if told.get("ObjectType", "Image") != "Image" or told["NDims"] != "3":
        raise ValueError(f"{told.get('NDims')} dimensions")
    if told.get("ElementNumberOfChannels", "1") != "1" or told.get("HeaderSize", "0") != "0":
        raise ValueError("several values a voxel, or bytes before them")
    if told.get("BinaryData", "True") != "True":
        raise ValueError("voxels written as text")
    order = ">" if _says(told, "BinaryDataByteOrderMSB", "ElementByteOrderMSB") else "<"
    kind = np.dtype(order + _TYPES[told["ElementType"]])
    size = [int(one) for one in told["DimSize"].split()]
    data = content[start:]
    if _says(told, "CompressedData"):
        inflate = zlib.decompressobj()
        data = inflate.decompress(data)
        if not inflate.eof:
            raise ValueError("compressed voxels that are cut short")
    if len(data) != int(np.prod(size)) * kind.itemsize:
        raise ValueError(f"{len(data)} bytes for {' x '.join(map(str, size))} voxels")
    matrix = _numbers(told, 9, "1 0 0 0 1 0 0 0 1", "TransformMatrix", "Rotation", "Orientation")
    spacing = _numbers(told, 3, None, "ElementSpacing", "ElementSize")
    fields = {
        "space": "left-posterior-superior",
        # a row of the matrix is the direction of an axis
        "space directions": matrix.reshape(3, 3) * spacing[:, None],
        "space origin": _numbers(told, 3, None, "Offset", "Position", "Origin"),
        "kinds": ["domain"] * 3,
        "encoding": "gzip",
    }
    voxels = np.frombuffer(data, kind).reshape(size, order="F")
    return voxels.astype(kind.newbyteorder("=")), fields


def _says(told: dict[str, str], *keys: str) -> bool:
    return any(told.get(key, "").lower() == "true" for key in keys)


def _numbers(told: dict[str, str], count: int, default: str | None, *keys: str) -> np.ndarray:
    text = next((told[key] for key in keys if key in told), default)
    if text is None:
        raise ValueError(f"no {keys[0]}")
    values = np.array([float(one) for one in text.split()])
    if len(values) != count or not np.isfinite(values).all():
        raise ValueError(f"{len(values)} numbers of {keys[0]}")
    return values
