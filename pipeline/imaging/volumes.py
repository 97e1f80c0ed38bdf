"""Volumes in files: NIfTI and NRRD read with their traps closed, NRRD written bare.

SimpleITK reads, after `volume_headers` and `nifti_headers` looked at what it does not report.
Nothing is re-oriented, and no voxel's value is changed.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from pipeline.core.errors import CaseError
from pipeline.core.files import file_hash, raise_if_machine
from pipeline.core.findings import Finding
from pipeline.imaging.geometry import Geometry
from pipeline.imaging.nifti_headers import check_nifti_header, not_finite, read_voxels
from pipeline.imaging.volume_headers import (
    StoredAs,
    check_nrrd_header,
    check_nrrd_length,
    degrees_off,
    form_tolerance,
    largest_distance,
    skew,
    straightened,
)

NIFTI_SUFFIXES = (".nii", ".nii.gz")
NRRD_SUFFIXES = (".nrrd",)
VOLUME_SUFFIXES = NRRD_SUFFIXES + NIFTI_SUFFIXES

#: Types of whole numbers, as a file on disk has them, by ITK's types.
_WHOLE = {
    sitk.sitkInt8: np.dtype("<i1"),
    sitk.sitkUInt8: np.dtype("<u1"),
    sitk.sitkInt16: np.dtype("<i2"),
    sitk.sitkUInt16: np.dtype("<u2"),
    sitk.sitkInt32: np.dtype("<i4"),
    sitk.sitkUInt32: np.dtype("<u4"),
}

_COMPLEX = (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64)


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
    image, findings, _ = read_stored(path)
    return image, findings


def read_stored(path: str | Path) -> tuple[sitk.Image, list[Finding], StoredAs]:
    """Read a volume as `read_volume` does, and say how its file writes the values."""
    path = Path(path)
    suffix = volume_suffix(path)
    if suffix is None:
        raise CaseError(
            f"A volume must be one of {', '.join(VOLUME_SUFFIXES)}",
            found=f"name ending '{''.join(path.suffixes[-2:])}'",
            remedy="export it as NRRD or NIfTI",
            code="volume-of-unknown-kind",
        )
    check_header = check_nrrd_header if suffix in NRRD_SUFFIXES else check_nifti_header
    with plainly_named(path) as path:
        findings, expected, stored = check_header(path)
        try:
            with _silent():
                image = _of_unpacked(path, stored)
                if image is None:
                    image = sitk.ReadImage(str(path))
            stored = replace(stored, unpacked=None)  # as large as the volume
        except RuntimeError as error:
            # ITK does not tell a damaged file from one that memory is too small for, or that the
            # disk does not give.
            raise_if_machine(error)
            file_hash(path)
            if expected is None or not skew(expected.affine[:3, :3]):
                # The library's message holds the path and its own source line; the file is what
                # is wrong.
                raise CaseError(
                    "A volume must be a whole, readable file with three perpendicular axes",
                    found=f"a {suffix} file of {path.stat().st_size} bytes that ITK refuses",
                    remedy="export it again from the program that made it",
                    code="volume-unreadable",
                ) from None
            image, straight = _straight_image(read_voxels(path), expected)
            findings, expected = [*findings, straight], None
        _check_one_value(image)
        if suffix in NRRD_SUFFIXES:
            check_nrrd_length(path, sitk.GetArrayViewFromImage(image).nbytes)
    if expected is not None:
        _check_agreement(Geometry.of(image), expected)
    return without_metadata(image), findings, stored


def _of_unpacked(path: Path, stored: StoredAs) -> sitk.Image | None:
    """Return the image of a file whose numbers are unpacked, None where ITK has to read them.

    ITK says what the file's header means; its voxels are the numbers themselves where it says that
    they are whole ones of the stored length.
    """
    if stored.unpacked is None:
        return None
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    if reader.GetDimension() != 3 or reader.GetNumberOfComponents() != 1:
        return None
    kind = _WHOLE.get(reader.GetPixelID())
    size, spacing = reader.GetSize(), reader.GetSpacing()
    if (
        kind is None
        or 8 * kind.itemsize != stored.bits
        or math.prod(size) * kind.itemsize != len(stored.unpacked)
        or not min(spacing) > 0
    ):
        return None
    image = sitk.GetImageFromArray(np.frombuffer(stored.unpacked, kind).reshape(size[::-1]))
    Geometry(size, spacing, reader.GetOrigin(), reader.GetDirection()).apply_to(image)
    return image


@contextmanager
def plainly_named(path: Path) -> Iterator[Path]:
    """Hand out a name of `path` that every library takes: `.nii.GZ` is one that some refuse.

    Parameters
    ----------
    path : pathlib.Path
        A file whose name ends with one of `VOLUME_SUFFIXES`, in small or capital letters.
    """
    suffix = volume_suffix(path)
    ending = path.name[len(path.name) - len(suffix or "") :]
    if ending in (suffix, (suffix or "").upper()) or not path.exists():
        yield path
        return
    sibling = path.with_name(path.name[: -len(".gz")])
    if ending.lower().endswith(".gz") and sibling.exists():
        yield path  # is refused by this name
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, f"volume{suffix}")
        link.symlink_to(path.absolute())
        yield link


@contextmanager
def _silent() -> Iterator[None]:
    """Keep ITK from writing to the screen; its warnings hold the path of the file."""
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.GlobalWarningDisplayOff()
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def _straight_image(voxels: np.ndarray, skewed: Geometry) -> tuple[sitk.Image, Finding]:
    """Return voxels on the nearest grid of right angles, and what there is to say about it."""
    straight = straightened(skewed.affine)
    moved = largest_distance(straight, skewed.affine, skewed.size)
    image = sitk.GetImageFromArray(voxels)
    if image.GetDimension() == 3:
        Geometry.from_affine(straight, skewed.size).apply_to(image)
    return image, Finding(
        "axes-straightened",
        "warning",
        f"The axes of the NIfTI file are {degrees_off(skew(skewed.affine[:3, :3])):.2g} degrees "
        f"off right angles, as rounding leaves them; they were straightened, which moves no voxel "
        f"by more than {moved:.2g} mm",
        "convert the DICOM again if this is more than rounding",
    )


def _check_one_value(image: sitk.Image) -> None:
    """Refuse what is no volume of single numbers."""
    values = image.GetNumberOfComponentsPerPixel() * (2 if image.GetPixelID() in _COMPLEX else 1)
    if image.GetDimension() != 3 or values != 1:
        raise CaseError(
            "A volume must have three dimensions and one value per voxel",
            found=f"{image.GetDimension()} dimensions of size "
            f"{' x '.join(map(str, image.GetSize()))}, {values} value(s) per voxel",
            remedy="export one phase as a three-dimensional volume with one grey value per voxel",
            code="volume-not-scalar-3d",
        )


def _check_agreement(read: Geometry, expected: Geometry) -> None:
    """Check that ITK understood the NIfTI header as nibabel did."""
    distance = largest_distance(read.affine, expected.affine, read.size)
    if not distance <= form_tolerance(expected.affine, read.size):
        raise CaseError(
            "The orientation of a NIfTI file must be readable in one way only",
            found=f"voxels up to {distance:.3f} mm apart between two readers of the header",
            remedy="convert the DICOM again",
            code="nifti-orientation-ambiguous",
        )


def without_metadata(image: sitk.Image) -> sitk.Image:
    """Erase the metadata of `image`, in which a header's text could travel on, and return it."""
    try:
        for key in image.GetMetaDataKeys():
            image.EraseMetaData(key)
    except TypeError:
        # A key that is no UTF-8 cannot be named to be erased: a copy leaves it behind.
        several = image.GetNumberOfComponentsPerPixel() > 1
        bare = sitk.GetImageFromArray(sitk.GetArrayViewFromImage(image), isVector=several)
        bare.CopyInformation(image)
        return bare
    return image


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
        raise not_finite(int(np.count_nonzero(~np.isfinite(voxels))))
    return low, high
