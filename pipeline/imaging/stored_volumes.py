"""Volumes of the store as files: NRRD with the voxels in gzip, packed and opened by ISA-L.

Any program that reads NRRD opens them. ISA-L packs a CT four times as fast as zlib into as many
bytes, and opens it twice as fast; what a stage does with a CT takes less time than zlib does.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from isal import isal_zlib

from pipeline.core.errors import MachineError
from pipeline.imaging.geometry import Geometry

#: Key of a stored volume's header under which its geometry stands as JSON.
GEOMETRY_KEY = "geometry"

#: ISA-L's level 1: as small as zlib's level 1.
COMPRESSION_LEVEL = 1

#: Of zlib's functions: a stream with the head and the check sum of gzip.
GZIP = 31

TYPES = {
    "int8": "signed char",
    "uint8": "unsigned char",
    "int16": "short",
    "uint16": "unsigned short",
    "int32": "int",
    "uint32": "unsigned int",
    "int64": "long long int",
    "uint64": "unsigned long long int",
    "float32": "float",
    "float64": "double",
}
"""NRRD's name of each type of voxels."""

_DTYPES = {name: np.dtype(dtype).newbyteorder("<") for dtype, name in TYPES.items()}


def write_nrrd(image: sitk.Image, path: str | Path, *, compressed: bool = True) -> None:
    """Write `image` as a NRRD that carries voxels and geometry, nothing else.

    A NRRD header holds the product of direction and spacing, so that an oblique geometry comes
    back with other last bits; where a vertebra's edge lies half-way between two samples of the
    1 mm grid, they decide. The header's `GEOMETRY_KEY` therefore holds it to the last bit.

    Parameters
    ----------
    image : SimpleITK.Image
        Three-dimensional volume, one real number per voxel; its metadata is not written.
    path : path-like
        File to write (.nrrd).
    compressed : bool, optional
        Whether to pack the voxels.

    Raises
    ------
    MachineError
        If the file cannot be written.
    """
    voxels = sitk.GetArrayViewFromImage(image)
    geometry = Geometry.of(image)
    # A header's vectors run along the index axes x, y, z, each as long as a voxel.
    vectors = [geometry.affine[:3, axis] for axis in range(3)]
    lines = (
        "NRRD0005",
        f"type: {TYPES[voxels.dtype.name]}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, image.GetSize()))}",
        f"space directions: {' '.join(map(_vector, vectors))}",
        "kinds: domain domain domain",
        "endian: little",
        f"encoding: {'gzip' if compressed else 'raw'}",
        f"space origin: {_vector(geometry.affine[:3, 3])}",
        f"{GEOMETRY_KEY}:={json.dumps(geometry.as_json())}",
        "",
        "",
    )
    data = np.ascontiguousarray(voxels, _DTYPES[TYPES[voxels.dtype.name]]).data.cast("B")
    packed = isal_zlib.compress(data, COMPRESSION_LEVEL, GZIP) if compressed else data
    try:
        with open(path, "wb") as stream:
            stream.write("\n".join(lines).encode("ascii"))
            stream.write(packed)
    except OSError:
        raise MachineError(
            "A volume must be writable to the store",
            found=f"{shutil.disk_usage(Path(path).parent).free / 1e6:.0f} MB free on its disk",
            remedy="make room or check the permissions of results/, and start again: what is done "
            "is kept",
            code="disk-full-for-volume",
        ) from None


def _vector(values: np.ndarray) -> str:
    return f"({','.join(repr(float(value)) for value in values)})"


def read_nrrd(path: str | Path) -> sitk.Image:
    """Read what `write_nrrd` wrote, equal in every bit.

    Parameters
    ----------
    path : path-like
        File (.nrrd).

    Returns
    -------
    SimpleITK.Image
        Without metadata.
    """
    content = memoryview(Path(path).read_bytes())
    end = bytes(content[:4096]).index(b"\n\n")
    lines = bytes(content[:end]).decode("ascii").splitlines()[1:]
    header = dict(line.split(":" if ": " in line.partition("=")[0] else ":=", 1) for line in lines)
    packed = content[end + 2 :]
    data = isal_zlib.decompress(packed, GZIP) if header["encoding"].strip() == "gzip" else packed
    size = [int(number) for number in header["sizes"].split()]
    voxels = np.frombuffer(data, _DTYPES[header["type"].strip()]).reshape(size[::-1])
    image = sitk.GetImageFromArray(voxels.astype(voxels.dtype.newbyteorder("="), copy=False))
    known = json.loads(header[GEOMETRY_KEY])
    Geometry(**{name: tuple(value) for name, value in known.items()}).apply_to(image)
    return image
