"""Volumes of the store as files: NRRD, with the voxels as they are or in gzip.

Any program that reads NRRD opens them. Of voxels as they are, a stage reads the slices it looks
at: a CT is kept so, unless disk is short. Masks pack well. ISA-L packs four times as fast as zlib
into as many bytes, and opens twice as fast.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from isal import igzip_lib, isal_zlib

from pipeline.core.errors import MachineError
from pipeline.imaging.geometry import Geometry

#: Key of a stored volume's header under which its geometry stands as JSON.
GEOMETRY_KEY = "geometry"

#: ISA-L's level 1: as small as zlib's level 1.
COMPRESSION_LEVEL = 1

#: Bytes unpacked at a time: what stays in the cache of a processor.
_PART = 1 << 20

#: Bytes in which the header of a stored volume ends.
_LONGEST_HEADER = 4096

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


class StoredVolume:
    """What `write_nrrd` wrote, read slice by slice as far as it is asked for.

    Parameters
    ----------
    path : path-like
        File (.nrrd).

    Attributes
    ----------
    geometry : Geometry
        To the last bit.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        with open(path, "rb") as stream:
            start = stream.read(_LONGEST_HEADER)
            self._begin = start.index(b"\n\n") + 2
            lines = start[: self._begin - 2].decode("ascii").splitlines()[1:]
            header = dict(
                line.split(":" if ": " in line.partition("=")[0] else ":=", 1) for line in lines
            )
            self.packed = header["encoding"].strip() == "gzip"
            if self.packed:
                stream.seek(self._begin)
                self._content = stream.read()
                self._opened = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        known = json.loads(header[GEOMETRY_KEY])
        self.geometry = Geometry(**{name: tuple(value) for name, value in known.items()})
        size = [int(number) for number in header["sizes"].split()]
        self._voxels = np.empty(size[::-1], _DTYPES[header["type"].strip()])
        self._read = np.zeros(len(self._voxels), bool)

    def slices(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return the volume, of which no more is certain than some slices.

        Parameters
        ----------
        start, stop : int, optional
            Along z, from the first to before the last one that is asked for; by default all.

        Returns
        -------
        numpy.ndarray
            Shape (z, y, x) of the whole volume.

        Raises
        ------
        EOFError
            If the file ends before they do.
        """
        stop = len(self._voxels) if stop is None else min(stop, len(self._voxels))
        missing = np.flatnonzero(~self._read[start:stop]) + start
        if missing.size:
            # What is packed is unpacked from its beginning.
            first = int(np.count_nonzero(self._read)) if self.packed else int(missing[0])
            self._fill(first, int(missing[-1]) + 1)
        return self._voxels.astype(self._voxels.dtype.newbyteorder("="), copy=False)

    def _fill(self, start: int, stop: int) -> None:
        wanted = memoryview(self._voxels[start:stop].reshape(-1)).cast("B")
        done = 0
        if self.packed:
            while done < len(wanted):
                part = self._opened.decompress(self._content, min(len(wanted) - done, _PART))
                if not part:
                    break
                self._content = b""  # the rest is held by who unpacks it
                wanted[done : done + len(part)] = part
                done += len(part)
        else:
            with open(self._path, "rb") as stream:
                stream.seek(self._begin + start * self._voxels[0].nbytes)
                done = stream.readinto(wanted)
        if done < len(wanted):
            raise EOFError("a stored volume ends before its voxels do")
        self._read[start:stop] = True


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
    volume = StoredVolume(path)
    if volume.packed:
        image = sitk.GetImageFromArray(volume.slices())
    else:
        image = sitk.ReadImage(str(path))  # into its own memory, without a copy
        for key in image.GetMetaDataKeys():
            image.EraseMetaData(key)
    volume.geometry.apply_to(image)
    return image
