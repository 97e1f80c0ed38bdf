"""One image for a figure: a PNG, or one DICOM slice, of any modality, as a person would see it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk

from pipeline.core.errors import CaseError, StudyError
from pipeline.imaging.dicom.dicom_decode import stored_values
from pipeline.imaging.dicom.dicom_headers import Slice, quiet, read_headers
from pipeline.imaging.dicom.dicom_start import has_mark, is_bare, start_of

PNG = b"\x89PNG\r\n\x1a\n"
PHOTOMETRIC = ("MONOCHROME1", "MONOCHROME2")

MOST_PIXELS = 16_000_000
"""Pixels of a PNG: more than a page prints at 600 dots an inch."""

#: What a PNG may hold besides: which program wrote it, colours; EXIF data are looked at one by one,
#: and may tell the resolution.
_OF_PROGRAMS = ("Software", "icc_profile", "exif", "transparency")
_OF_PIXELS = (0x011A, 0x011B, 0x0128)


@dataclass(frozen=True)
class SingleImage:
    """An image as it was read.

    Attributes
    ----------
    pixels : numpy.ndarray
        Shape (rows, columns), or (rows, columns, 3) where it has colours; of a DICOM slice after
        its rescaling (HU of a CT).
    kind : {'PNG', 'DICOM'}
        What the file is.
    modality : str
        Of a DICOM slice, such as CT or MR.
    texts : tuple of str
        Names of the texts that the file of a PNG holds beside its pixels, EXIF data included, but
        for that of the program which wrote it.
    header : pydicom.Dataset or None
        Of a DICOM slice, without its pixels.
    spacing : tuple of float or None
        Distance of rows and of columns in mm, where the file says it.
    plane : Slice or None
        Of a DICOM slice, where it lies.
    inverted : bool
        Whether low values are bright.
    """

    pixels: np.ndarray
    kind: str
    modality: str = ""
    texts: tuple[str, ...] = ()
    header: pydicom.Dataset | None = None
    spacing: tuple[float, float] | None = None
    plane: Slice | None = None
    inverted: bool = False


def read_single_image(path: Path, where: str) -> SingleImage:
    """Read a PNG or one DICOM slice.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    where : str
        Option that names it, for errors, which do not repeat the file's name.

    Raises
    ------
    StudyError
        If there is no such file, or it is no PNG and no single grey DICOM slice.
    """
    if not path.is_file():
        raise StudyError(
            "An example image must be a file",
            found="no such file",
            where=where,
            remedy="correct its path; a relative one starts at the folder in which you run the "
            "study",
            code="example-image-missing",
        )
    start = start_of(path)
    if start.startswith(PNG):
        return _read_png(path, where)
    if has_mark(start) or is_bare(start):
        return _read_slice(path, where)
    raise StudyError(
        "An example image must be a PNG or one DICOM slice",
        found="a file of another format, by its first bytes",
        where=where,
        remedy="export the image as PNG, or the slice as DICOM",
        code="example-image-format",
    )


def _read_png(path: Path, where: str) -> SingleImage:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path, formats=["PNG"])
        with image:
            large = image.width * image.height > MOST_PIXELS
            if not large:
                image.load()
                texts = [name for name, value in image.info.items() if _is_text(name, value)]
                texts += [f"EXIF {tag}" for tag in image.getexif() if tag not in _OF_PIXELS]
                deep = image.mode.startswith("I")  # 16 bits of grey
                pixels = np.asarray(image if deep else image.convert("RGB"))
    except Image.DecompressionBombError:
        large = True
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise StudyError(
            "A PNG must be readable to its end",
            found=f"a damaged file ({type(error).__name__})",
            where=where,
            remedy="export or copy the image again",
            code="example-image-damaged",
        ) from None
    if large:
        raise StudyError(
            f"A PNG of a figure must have at most {MOST_PIXELS:,} pixels",
            found="more",
            where=where,
            remedy="cut out what the figure shows, or export it smaller",
            code="example-image-large",
        )
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        pixels = pixels[..., 0]
    return SingleImage(pixels, "PNG", texts=tuple(texts))


def _is_text(name: object, value: object) -> bool:
    return isinstance(value, str | bytes) and bool(value.strip()) and name not in _OF_PROGRAMS


def _read_slice(path: Path, where: str) -> SingleImage:
    try:
        slices = read_headers([path])
        if len(slices) != 1 or slices[0].frames != 1:
            raise StudyError(
                "A DICOM file of an example image must hold one slice",
                found=f"{max((one.frames for one in slices), default=0)} slices",
                where=where,
                remedy="export the slice that is shown by itself, or as PNG",
                code="example-image-slices",
            )
        plane = slices[0]
        if plane.pixels.photometric not in PHOTOMETRIC or plane.pixels.samples not in (None, 1):
            raise StudyError(
                "A DICOM slice of an example image must hold grey values",
                found="colours, or a palette",
                where=where,
                remedy="export it as PNG",
                code="example-image-colours",
            )
        (stored,) = stored_values(slices)
    except CaseError as error:
        raise StudyError(
            error.rule, found=error.found, where=where, remedy=error.remedy, code=error.code
        ) from None
    with quiet():
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    slope = 1.0 if plane.slope is None else plane.slope
    values = stored.astype(float) * slope + (plane.intercept or 0.0)
    return SingleImage(
        *(values, "DICOM", plane.modality),
        header=header,
        spacing=plane.pixel_spacing,
        plane=plane,
        inverted=plane.pixels.photometric == "MONOCHROME1",
    )


def mask_on(path: Path, image: SingleImage, where: str) -> np.ndarray:
    """Return a mask on the pixels of an image: shape (rows, columns), 0 outside.

    Parameters
    ----------
    path : pathlib.Path
        A PNG of the image's size, or for a DICOM slice a volume in its space (LPS), of which the
        nearest voxel to each pixel counts.
    image : SingleImage
        The image.
    where : str
        Option that names the mask, for errors.

    Raises
    ------
    StudyError
        If the mask is of another size, or its place cannot be known.
    """
    shape = image.pixels.shape[:2]
    if path.is_file() and start_of(path).startswith(PNG):
        mask = _read_png(path, where).pixels
        mask = mask.max(axis=-1) if mask.ndim == 3 else mask
        if mask.shape != shape:
            raise StudyError(
                "A PNG of a mask must have the rows and columns of its image",
                found=f"{mask.shape[0]} x {mask.shape[1]} for {shape[0]} x {shape[1]}",
                where=where,
                remedy="export image and mask alike",
                code="example-mask-size",
            )
    else:
        mask = _cut_through(path, image, where)
    return mask


def _cut_through(path: Path, image: SingleImage, where: str) -> np.ndarray:
    from pipeline.imaging.volumes import read_volume, volume_suffix

    plane = image.plane
    known = plane is not None and None not in (
        *(plane.position, plane.orientation, plane.pixel_spacing),
    )
    if not path.is_file() or volume_suffix(path) is None or not known:
        raise StudyError(
            "A mask must be a PNG, or a NIfTI or NRRD volume beside a DICOM slice that says where "
            "it lies",
            found="no such file" if not path.is_file() else "another format, or no such slice",
            where=where,
            remedy="correct its path, or export the mask as PNG of the image's size",
            code="example-mask-format",
        )
    try:
        volume, _ = read_volume(path)
    except CaseError as error:
        raise StudyError(
            error.rule, found=error.found, where=where, remedy=error.remedy, code=error.code
        ) from None
    across, down = np.reshape(plane.orientation, (2, 3))
    rows, columns = image.pixels.shape[:2]
    grid = sitk.Image(columns, rows, 1, sitk.sitkUInt8)
    grid.SetOrigin(plane.position)
    grid.SetSpacing((plane.pixel_spacing[1], plane.pixel_spacing[0], 1.0))
    grid.SetDirection(np.column_stack([across, down, np.cross(across, down)]).ravel().tolist())
    there = sitk.Cast(volume != 0, sitk.sitkUInt8)
    cut = sitk.Resample(there, grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    return sitk.GetArrayFromImage(cut)[0]


#: Centre and width of the window of bone, HU.
BONE = (400.0, 1800.0)


def window_of(image: SingleImage, asked: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return lowest and highest value that are shown; None where pixels are shown as they are.

    Parameters
    ----------
    image : SingleImage
        The image.
    asked : tuple of float or None
        Centre and width; without them bone of a CT, all values but the hundredth part at each end
        of another DICOM slice and of 16 bits of grey, and 8 bits as they are.
    """
    if asked is None and image.kind == "DICOM" and image.modality == "CT":
        asked = BONE
    if asked is not None:
        return asked[0] - asked[1] / 2, asked[0] + asked[1] / 2
    if image.pixels.dtype == np.uint8:
        return None
    low, high = np.percentile(image.pixels, [1, 99])
    return float(low), float(max(high, low + 1e-9))


def shown(image: SingleImage, limits: tuple[float, float] | None) -> np.ndarray:
    """Return the pixels as they are shown: 8 bits, of the shape of `image.pixels`."""
    if limits is None:
        return image.pixels
    low, high = limits
    share = np.clip((image.pixels.astype(float) - low) / (high - low), 0, 1)
    if image.inverted:
        share = 1 - share
    return np.round(255 * share).astype(np.uint8)
