"""Volumes in files: NIfTI and NRRD read with their traps closed, NRRD written bare.

SimpleITK reads; nibabel and pynrrd look at what SimpleITK does not report. Nothing is re-oriented,
and no voxel's value is changed.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import math
import shutil
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import nibabel
import nrrd
import numpy as np
import SimpleITK as sitk

from pipeline.core.errors import CaseError, MachineError
from pipeline.core.findings import Finding
from pipeline.core.geometry import Geometry

NIFTI_SUFFIXES = (".nii", ".nii.gz")
NRRD_SUFFIXES = (".nrrd",)
VOLUME_SUFFIXES = NRRD_SUFFIXES + NIFTI_SUFFIXES

#: Largest distance, in mm, between a voxel's place by a NIfTI's qform and by its sform: the qform
#: is a float32 quaternion, whose rounding stays below this over half a metre.
FORM_TOLERANCE_MM = 0.01

#: zlib level of stored volumes: level 1 writes a CT four times as fast as level 6 and spares a
#: third of the space; reading costs the same.
COMPRESSION_LEVEL = 1

#: Key of a stored volume's header under which its geometry stands as JSON.
GEOMETRY_KEY = "geometry"

#: Encodings of a NRRD that ITK reads.
NRRD_ENCODINGS = ("raw", "gzip", "gz", "ascii", "text", "txt")
#: Spaces of a NRRD that say where left and right, front and back, head and feet are.
PATIENT_SPACES = (
    "left-posterior-superior",
    "right-anterior-superior",
    "left-anterior-superior",
    "lps",
    "ras",
    "las",
)

_COMPLEX = (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64)

_CHUNK = 1 << 22  # bytes unpacked at a time


def volume_suffix(path: str | Path) -> str | None:
    """Return which of `VOLUME_SUFFIXES` a file name ends with, or None."""
    name = Path(path).name.lower()
    return next((suffix for suffix in VOLUME_SUFFIXES if name.endswith(suffix)), None)


def read_volume(path: str | Path) -> tuple[sitk.Image, list[Finding]]:
    """Read a three-dimensional scalar NIfTI or NRRD file as it stands.

    Parameters
    ----------
    path : path-like
        A file whose name ends with one of `VOLUME_SUFFIXES`.

    Returns
    -------
    image : SimpleITK.Image
        Voxels with the file's own type and orientation, and no metadata.
    findings : list of Finding
        Warnings about the header.

    Raises
    ------
    CaseError
        If the file is unreadable, not three-dimensional, not scalar, or contradicts itself.
    """
    path = Path(path)
    suffix = volume_suffix(path)
    if suffix is None:
        raise CaseError(
            f"A volume must be one of {', '.join(VOLUME_SUFFIXES)}",
            found=f"name ending '{''.join(path.suffixes[-2:])}'",
            remedy="export it as NRRD or NIfTI",
        )
    check_header = _check_nrrd_header if suffix in NRRD_SUFFIXES else _check_nifti_header
    findings, expected = check_header(path)
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError:
        # The library's message holds the path and its own source line; the file is what is wrong.
        raise CaseError(
            "A volume must be a whole, readable file with three perpendicular axes",
            found=f"a {suffix} file of {path.stat().st_size} bytes that ITK refuses",
            remedy="open it in 3D Slicer and export it again",
        ) from None
    values = image.GetNumberOfComponentsPerPixel() * (2 if image.GetPixelID() in _COMPLEX else 1)
    if image.GetDimension() != 3 or values != 1:
        raise CaseError(
            "A volume must have three dimensions and one value per voxel",
            found=f"{image.GetDimension()} dimensions of size "
            f"{' x '.join(map(str, image.GetSize()))}, {values} value(s) per voxel",
            remedy="export one phase as a three-dimensional volume",
        )
    if suffix in NRRD_SUFFIXES:
        _check_nrrd_length(path, sitk.GetArrayViewFromImage(image).nbytes)
    if expected is not None:
        _check_agreement(Geometry.of(image), expected)
    return without_metadata(image), findings


def _check_nrrd_length(path: Path, needed: int) -> None:
    """Refuse a NRRD with more bytes than its voxels need: some were inserted, or it is no NRRD."""
    with open(path, "rb") as stream, _quiet():
        header = nrrd.read_header(stream)
        skips = {"line skip", "lineskip", "byte skip", "byteskip"} & header.keys()
        if header.get("encoding") != "raw" or skips:
            return  # a checksum guards what is packed
        found = path.stat().st_size - stream.tell()
    if found != needed:
        raise CaseError(
            "A NRRD file must hold its voxels and nothing else",
            found=f"{found} bytes where {needed} are needed",
            remedy="copy or export the file again",
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep libraries from talking about odd numbers in a header: the checks name them."""
    log = logging.getLogger("nibabel.global")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            yield
    finally:
        log.setLevel(level)


def _check_nrrd_header(path: Path) -> tuple[list[Finding], Geometry | None]:
    """Refuse a NRRD whose voxels lie in another file; warn where it has no patient space."""
    try:
        with open(path, "rb") as stream, _quiet():
            header = nrrd.read_header(stream)
            packed = header.get("encoding") in ("gzip", "gz")
            if packed and not {"line skip", "lineskip"} & header.keys():
                _unpacked_length(stream)
    except (nrrd.NRRDError, OSError, ValueError, StopIteration) as error:
        raise CaseError(
            "A .nrrd file must start with a readable NRRD header",
            found=f"a header cut short or damaged ({type(error).__name__})",
            remedy="export it again",
        ) from None
    if "data file" in header or "datafile" in header:
        raise CaseError(
            "A .nrrd file must hold its own voxels",
            found="a header that names another data file",
            remedy="export it as one .nrrd file",
        )
    return _check_nrrd_fields(header), None


def _check_nrrd_fields(header: dict) -> list[Finding]:
    """Refuse what ITK does not read or passes over; warn where there is no patient space."""
    if header.get("encoding") not in NRRD_ENCODINGS:
        raise CaseError(
            "The voxels of a .nrrd file must be raw, text or packed by gzip",
            found=f"encoding {header['encoding']}"
            if header.get("encoding") in ("bzip2", "bz2", "hex")
            else "another encoding",
            remedy="export it from 3D Slicer",
        )
    units = {str(unit).strip('"') for unit in header.get("space units", ())}
    if units - {"mm", "millimeter", "millimeters", "", "nan", "none", "None"}:
        raise CaseError(
            "The unit of a .nrrd file must be millimetres",
            found=f"{len(units)} other space unit(s)",
            remedy="export it from 3D Slicer",
        )
    if "space" not in header:
        return [_no_patient_space("NRRD header has no space field")]
    if header["space"].lower() not in PATIENT_SPACES:
        return [_no_patient_space("space of the NRRD header is not a patient's")]
    return []


def _check_nifti_header(path: Path) -> tuple[list[Finding], Geometry | None]:
    """Check that qform and sform agree and that no sibling's voxels would be read."""
    sibling = path.with_name(path.name[: -len(".gz")])
    if path.name.lower().endswith(".gz") and sibling.exists():
        # ITK takes the header of a.nii.gz and, without a word, the voxels of a.nii.
        raise CaseError(
            "A .nii.gz file must not lie beside an uncompressed file of the same name",
            found=f"{path.name} and {sibling.name}",
            remedy="move one of them away",
        )
    try:
        with _quiet():
            loaded = nibabel.load(path)
            header = loaded.header
            qform, q_code = header.get_qform(coded=True)
            sform, s_code = header.get_sform(coded=True)
            unit = header.get_xyzt_units()[0]
    except Exception as error:
        raise CaseError(
            "A NIfTI file must start with a readable header",
            found=f"a header cut short or damaged ({type(error).__name__})",
            remedy="export it again",
        ) from None
    _check_nifti_values(path, header, unit)
    # The header itself forgets its offset when it is read.
    _check_length(path, int(loaded.dataobj.offset), header)
    size = (*header.get_data_shape(), 1, 1, 1)[:3]
    if q_code and s_code:
        distance = _largest_distance(qform, sform, size)
        if not distance <= FORM_TOLERANCE_MM:
            raise CaseError(
                "The qform and the sform of a NIfTI file must say the same",
                found=f"voxels up to {distance:.3f} mm apart (codes {q_code} and {s_code})",
                remedy="ask who converted the file which is right, and convert the DICOM again",
            )
    if not q_code and not s_code:
        return [_no_patient_space("NIfTI header has neither qform nor sform")], None
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ (sform if s_code else qform)  # RAS to LPS
    return [], Geometry.from_affine(affine, size)


def _check_nifti_values(path: Path, header: nibabel.Nifti1Header, unit: str) -> None:
    """Refuse what ITK does not read, or reads in another way than the standard says."""
    if isinstance(header, nibabel.Nifti2Header):
        raise CaseError(
            "A NIfTI file must be of version 1",
            found="version 2",
            remedy="export it as NRRD or NIfTI-1",
        )
    if unit not in ("mm", "unknown"):
        raise CaseError(
            "The unit of a NIfTI file must be millimetres", found=unit, remedy="convert it again"
        )
    with nibabel.openers.Opener(path) as stream:
        stated = type(header).from_fileobj(stream, check=False)
    slope, intercept = float(stated["scl_slope"]), float(stated["scl_inter"])
    if (slope == 0 or not math.isfinite(slope)) and not (intercept == 0 or math.isnan(intercept)):
        # The standard then rescales nothing; ITK adds the intercept all the same.
        raise CaseError(
            "The rescaling of a NIfTI file must be readable in one way only",
            found=f"slope {slope:g} with intercept {intercept:g}",
            remedy="convert the DICOM again",
        )


def _check_length(path: Path, offset: int, header: nibabel.Nifti1Header) -> None:
    """Refuse a NIfTI that ends before its voxels do: ITK fills the rest with zeros, unasked."""
    needed = offset + math.prod(header.get_data_shape()) * header.get_data_dtype().itemsize
    if path.name.lower().endswith(".gz"):
        with open(path, "rb") as stream:
            found = _unpacked_length(stream)
    else:
        found = path.stat().st_size
    if found < needed:
        raise CaseError(
            "A NIfTI file must hold all of its voxels",
            found=f"{found} of {needed} bytes",
            remedy="copy or export the file again",
        )


def _unpacked_length(stream: BinaryIO) -> int:
    """Return how many bytes a gzip stream unpacks to, or refuse one that is damaged.

    ITK unpacks as far as it needs and never looks at the checksum at the end, so that one wrong
    bit of a copy can change half of the voxels.
    """
    length = 0
    try:
        with gzip.GzipFile(fileobj=stream) as unpacked:
            while chunk := unpacked.read(_CHUNK):
                length += len(chunk)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise CaseError(
            "A compressed volume must be whole and have the right checksum",
            found="a file that was cut off or damaged",
            remedy="copy or export the file again",
        ) from None
    return length


def _no_patient_space(what: str) -> Finding:
    return Finding(
        "no-patient-space",
        "warning",
        f"The {what}: left and right, head and feet are assumed",
        "export it with its orientation, or compare it with the scan in a viewer",
    )


def _largest_distance(a: np.ndarray, b: np.ndarray, size: tuple[int, ...]) -> float:
    """Return how far apart (mm) two affines of shape (4, 4) put a voxel of a grid of `size`."""
    corners = np.array(
        [[(i >> k & 1) * (size[k] - 1) for k in range(3)] + [1] for i in range(8)], dtype=float
    )
    return float(np.linalg.norm(((a - b) @ corners.T)[:3], axis=0).max())


def _check_agreement(read: Geometry, expected: Geometry) -> None:
    """Check that ITK understood the NIfTI header as nibabel did."""
    distance = _largest_distance(read.affine, expected.affine, read.size)
    if not distance <= FORM_TOLERANCE_MM:
        raise CaseError(
            "The orientation of a NIfTI file must be readable in one way only",
            found=f"voxels up to {distance:.3f} mm apart between two readers of the header",
            remedy="convert the DICOM again",
        )


def without_metadata(image: sitk.Image) -> sitk.Image:
    """Erase the metadata of `image`, in which a header's text could travel on, and return it."""
    for key in image.GetMetaDataKeys():
        image.EraseMetaData(key)
    return image


def write_nrrd(image: sitk.Image, path: str | Path, *, compressed: bool = True) -> None:
    """Write `image` as a NRRD that carries voxels and geometry, nothing else.

    A NRRD header holds the product of direction and spacing, so that an oblique geometry comes
    back with other last bits; where a vertebra's edge lies half-way between two samples of the
    1 mm grid, they decide. `GEOMETRY_KEY` therefore holds the geometry to the last bit.

    Parameters
    ----------
    image : SimpleITK.Image
        Three-dimensional volume; its metadata is erased.
    path : path-like
        File to write (.nrrd).
    compressed : bool, optional
        Whether to pack the voxels.

    Raises
    ------
    MachineError
        If the file cannot be written.
    """
    without_metadata(image)
    image.SetMetaData(GEOMETRY_KEY, json.dumps(Geometry.of(image).as_json()))
    try:
        sitk.WriteImage(
            image, str(path), useCompression=compressed, compressionLevel=COMPRESSION_LEVEL
        )
    except RuntimeError:
        # ITK does not say what failed; its message holds a path and its own source line.
        raise MachineError(
            "A volume must be writable to the store",
            found=f"{shutil.disk_usage(Path(path).parent).free / 1e6:.0f} MB free on its disk",
            remedy="make room or check the permissions of results/, and start again: what is done "
            "is kept",
        ) from None
    finally:
        without_metadata(image)


def read_nrrd(path: str | Path) -> sitk.Image:
    """Read a volume that `write_nrrd` wrote, equal to it in every bit."""
    image = sitk.ReadImage(str(path), imageIO="NrrdImageIO")
    if image.HasMetaDataKey(GEOMETRY_KEY):
        known = json.loads(image.GetMetaData(GEOMETRY_KEY))
        Geometry(**{name: tuple(value) for name, value in known.items()}).apply_to(image)
    return without_metadata(image)


def image_hash(image: sitk.Image) -> str:
    """Return the SHA-256 of the voxels (type and values) and the geometry of `image`."""
    voxels = np.ascontiguousarray(sitk.GetArrayViewFromImage(image))
    described = json.dumps([str(voxels.dtype), Geometry.of(image).as_json()], sort_keys=True)
    digest = hashlib.sha256(described.encode())
    digest.update(voxels.data)
    return digest.hexdigest()


def check_finite(image: sitk.Image) -> tuple[float, float]:
    """Return the lowest and highest voxel value, or raise where one is not a finite number."""
    voxels = sitk.GetArrayViewFromImage(image)
    low, high = float(voxels.min()), float(voxels.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise CaseError(
            "Every voxel of a CT must be a number",
            found=f"{int(np.count_nonzero(~np.isfinite(voxels)))} voxels that are NaN or infinite",
            remedy="convert the DICOM again",
        )
    return low, high
