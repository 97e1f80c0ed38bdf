"""Propose a first mask of a vertebral body, from a seed point or a box, for a reader to correct.

The mask is a 3D Slicer segmentation on the image's own grid: one segment, named after the level.
"""

from __future__ import annotations

import argparse
import logging
import math
import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import slicerio

from pipeline.core import command
from pipeline.core.errors import CaseError, StudyError
from pipeline.core.files import whole_file
from pipeline.imaging.geometry import Geometry
from pipeline.imaging.read_ct import accepted_ct
from pipeline.imaging.sources import placed, shown_name
from pipeline.study.option_numbers import bounded_number
from segmentation.regions.body_proposal import propose_body

logger = logging.getLogger("vertebromics")

#: Density from which a voxel counts as bone: between discs (about 80 HU) and the cortex.
THRESHOLD_HU = 130.0
#: Gaps of up to twice this width are closed.
CLOSING_MM = 2.0
SUFFIX = ".seg.nrrd"
LEVEL = re.compile("T([1-9]|1[0-3])|L[1-6]")
#: Slicer's own colour of a vertebra.
_COLOUR = (1.0, 1.0, 0.811765)
#: SNOMED CT: scheme, code, meaning.
_ANATOMY = ["SCT", "123037004", "Anatomical Structure"]
_VERTEBRA = ["SCT", "51282000", "Vertebra"]
#: What a number option looks like.
_SUCH_AS = {
    "--seed": "--seed=-12.5,30,110",
    "--box": "--box=-40,0,90,15,60,130",
    "--limits": "--limits=95,125",
}


def propose(
    image: sitk.Image,
    seed_mm: tuple[float, float, float] | None = None,
    box_mm: tuple[float, ...] | None = None,
    limits_mm: tuple[float, float] | None = None,
    threshold_hu: float = THRESHOLD_HU,
    closing_mm: float = CLOSING_MM,
) -> tuple[np.ndarray, list[str]]:
    """Propose the mask of a vertebral body on the image's own grid.

    Parameters
    ----------
    image : SimpleITK.Image
        Hounsfield units, in any orientation.
    seed_mm : tuple of float, optional
        Point about the middle of the body, LPS; the middle of the box where it is not given.
    box_mm : tuple of float, optional
        Two opposite corners of a box, LPS: x, y, z, x, y, z; the mask stays inside.
    limits_mm : tuple of float, optional
        Lowest and highest z (LPS) of the level, instead of limits found at the discs.
    threshold_hu : float
        Bone is at or above it.
    closing_mm : float
        Gaps of up to twice this width are closed.

    Returns
    -------
    mask : numpy.ndarray
        uint8 0/1, shape (z, y, x) of the image's own index.
    notes : list of str
        What could not be found, as sentences.

    Raises
    ------
    CaseError
        If seed, box or limits make no sense in this image, or no body is found.
    """
    if seed_mm is None and box_mm is None:
        raise CaseError(
            "A proposal needs a seed or a box",
            remedy="pass --seed or --box",
            code="proposal-without-seed",
        )
    if not (math.isfinite(threshold_hu) and math.isfinite(closing_mm) and closing_mm >= 0):
        raise CaseError(
            "The threshold must be a number, and the closing zero or more",
            found=f"{threshold_hu:g} HU, {closing_mm:g} mm",
            remedy="leave out --threshold and --closing, or give such numbers",
            code="proposal-numbers-invalid",
        )
    if seed_mm is None:
        seed_mm = tuple((a + b) / 2 for a, b in zip(box_mm[:3], box_mm[3:], strict=True))
    turned = sitk.DICOMOrient(image, "LPS")
    hu = sitk.GetArrayViewFromImage(turned)
    spacing = turned.GetSpacing()[::-1]
    seed = _voxel(turned, seed_mm)
    box = None if box_mm is None else _voxel_box(turned, box_mm)
    if box is not None and not all(part.start <= at < part.stop
                                   for part, at in zip(box, seed, strict=True)):  # fmt: skip
        raise CaseError(
            "The seed must lie inside the box",
            found=_written(seed_mm),
            where="option --seed",
            remedy="leave out --seed (the middle of the box is taken), or correct one of the two",
            code="seed-outside-box",
        )
    level = None
    if limits_mm is not None:
        at = turned.TransformIndexToPhysicalPoint(seed[::-1])[2]
        level = (min(limits_mm) - at, max(limits_mm) - at)
        if not level[0] < 0 < level[1]:
            raise CaseError(
                "The seed must lie between the limits of its level",
                found=f"z {at:.1f} mm, limits {limits_mm[0]:g} and {limits_mm[1]:g}",
                where="option --limits",
                remedy="give the heights z of the two endplates in mm, one on each side of the "
                "seed, or leave out --limits",
                code="seed-outside-limits",
            )
    mask, notes = propose_body(hu, spacing, seed, threshold_hu, closing_mm, box, level)
    proposed = sitk.GetImageFromArray(mask.astype(np.uint8))
    proposed.CopyInformation(turned)
    back = "".join(sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(
        image.GetDirection()))  # fmt: skip
    return sitk.GetArrayFromImage(sitk.DICOMOrient(proposed, back)), notes


def write_proposal(mask: np.ndarray, geometry: Geometry, level: str, path: str | Path) -> None:
    """Write a proposal as 3D Slicer writes a segmentation: one segment named after the level.

    Parameters
    ----------
    mask : numpy.ndarray
        uint8 0/1, shape (z, y, x), with at least one voxel.
    geometry : Geometry
        Its grid.
    level : str
        Name of the segment, such as ``L1``.
    path : path-like
        File to write (.seg.nrrd), whole or not at all.
    """
    inside = np.nonzero(mask)[::-1]
    extent = [int(end) for axis in inside for end in (axis.min(), axis.max())]
    segment = {
        "id": f"Segment_{level}",
        "name": level,
        "color": list(_COLOUR),
        "colorAutoGenerated": False,
        "nameAutoGenerated": False,
        "extent": extent,
        "labelValue": 1,
        "layer": 0,
        "status": "inprogress",
        "terminology": {
            "contextName": "Segmentation category and type - 3D Slicer General Anatomy list",
            "category": _ANATOMY,
            "type": _VERTEBRA,
        },
    }
    segmentation = {
        "voxels": mask.transpose(2, 1, 0),
        "ijkToLPS": geometry.affine,
        "containedRepresentationNames": ["Binary labelmap"],
        "masterRepresentation": "Binary labelmap",
        "segments": [segment],
    }
    with whole_file(path) as beside:
        named = beside.with_name(beside.name + SUFFIX)
        try:
            slicerio.write_segmentation(str(named), segmentation)
            named.replace(beside)
        finally:
            named.unlink(missing_ok=True)


def _voxel(image: sitk.Image, point_mm: tuple[float, ...]) -> tuple[int, int, int]:
    """Return the voxel (z, y, x) that holds a point, or raise where the image does not."""
    index = image.TransformPhysicalPointToIndex([float(value) for value in point_mm])
    if any(not 0 <= at < n for at, n in zip(index, image.GetSize(), strict=True)):
        raise CaseError(
            "The seed must lie inside the image",
            found=f"{_written(point_mm)} mm (LPS); the image goes {_extent(image)}",
            where="option --seed or --box",
            remedy="3D Slicer shows RAS: pass --ras, or change the signs of the first two numbers",
            code="seed-outside-image",
        )
    return index[::-1]


def _voxel_box(image: sitk.Image, box_mm: tuple[float, ...]) -> tuple[slice, slice, slice]:
    """Return the part of the image, as slices (z, y, x), whose voxels' centres lie in a box."""
    corners = np.array(np.meshgrid(*zip(box_mm[:3], box_mm[3:], strict=True))).reshape(3, -1).T
    found = np.array([image.TransformPhysicalPointToContinuousIndex(c.tolist()) for c in corners])
    low = np.maximum(np.ceil(found.min(axis=0) - 1e-6), 0).astype(int)
    high = np.minimum(np.floor(found.max(axis=0) + 1e-6) + 1, image.GetSize()).astype(int)
    if (high - low < 2).any():
        raise CaseError(
            "A box must hold some voxels of the image",
            found=f"{_written(box_mm)} mm (LPS); the image goes {_extent(image)}",
            where="option --box",
            remedy="give two opposite corners; 3D Slicer shows RAS: pass --ras",
            code="box-outside-image",
        )
    return tuple(slice(int(a), int(b)) for a, b in zip(low[::-1], high[::-1], strict=True))


def _extent(image: sitk.Image) -> str:
    ends = [image.TransformIndexToPhysicalPoint(corner)
            for corner in ((0, 0, 0), [n - 1 for n in image.GetSize()])]  # fmt: skip
    return f"from {_written(ends[0])} to {_written(ends[1])}"


def _written(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)


def _numbers(text: str, count: int, option: str) -> tuple[float, ...]:
    """Read so many numbers separated by commas."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != count or not all(map(math.isfinite, values)):
        raise StudyError(
            f"Option {option} takes {count} numbers separated by commas, in mm",
            found=text,
            remedy=f"such as {_SUCH_AS[option]}",
            code="coordinates-invalid",
        )
    return values


def _points(text: str, option: str, ras: bool, count: int = 3) -> tuple[float, ...]:
    """Read points in LPS, or in RAS as 3D Slicer shows them."""
    values = _numbers(text, count, option)
    return tuple(-v if ras and place % 3 < 2 else v for place, v in enumerate(values))


def main(options: argparse.Namespace) -> None:
    """Read a CT, propose a mask and write it."""
    if not LEVEL.fullmatch(options.level):
        raise StudyError(
            "The level must be thoracic or lumbar",
            found=options.level,
            where="option --level",
            remedy="write T1-T13 or L1-L6",
            code="level-not-thoracolumbar",
        )
    if not options.out.name.lower().endswith(SUFFIX):
        raise StudyError(
            f"A proposal is written as {SUFFIX}",
            found=options.out.name,
            where="option --out",
            remedy=f"let its name end in {SUFFIX}",
            code="proposal-file-name",
        )
    if options.out.exists() and not options.overwrite:
        raise StudyError(
            "A proposal must not replace a file, which may have been corrected since",
            where=options.out.name,
            remedy="choose another name, or pass --overwrite",
            code="proposal-would-overwrite",
        )
    seed = options.seed and _points(options.seed, "--seed", options.ras)
    box = options.box and _points(options.box, "--box", options.ras, 6)
    limits = options.limits and _numbers(options.limits, 2, "--limits")
    try:
        image = accepted_ct(options.image, options.series).image
        mask, notes = propose(image, seed, box, limits, options.threshold, options.closing)
    except (CaseError, OSError) as error:
        raise placed(error, shown_name(options.image)) from error
    geometry = Geometry.of(image)
    write_proposal(mask, geometry, options.level, options.out)
    for note in notes:
        logger.warning("%s", note)
    volume = np.count_nonzero(mask) * geometry.voxel_volume_ml
    logger.info("%s: %.1f ml proposed; correct it before use", options.level, volume)


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("segmentation.propose", __doc__)
    arguments.add_argument("image", type=Path, help="CT: DICOM folder, NIfTI or NRRD file")
    arguments.add_argument(
        "--seed", help="X,Y,Z in mm (LPS): about the middle of the body (--seed=-3,20,110)"
    )
    arguments.add_argument(
        "--box", help="X,Y,Z,X,Y,Z in mm (LPS): two opposite corners; the mask stays inside"
    )
    arguments.add_argument(
        "--ras", action="store_true", help="seed and box are RAS, as 3D Slicer shows them"
    )
    arguments.add_argument("--level", required=True, help="T1-T13 or L1-L6: name of the segment")
    arguments.add_argument(
        "--limits", help="LOW,HIGH: z in mm where the level ends, instead of the discs found"
    )
    arguments.add_argument(
        "--threshold",
        type=bounded_number("number", minimum=-1024, maximum=32767),
        default=THRESHOLD_HU,
        metavar="HU",
        help=f"bone is at or above it ({THRESHOLD_HU:g})",
    )
    arguments.add_argument(
        "--closing",
        type=bounded_number("number", minimum=0, maximum=100),
        default=CLOSING_MM,
        metavar="MM",
        help=f"gaps of up to twice this width are closed ({CLOSING_MM:g})",
    )
    arguments.add_argument("--series", help="description or UID of the series in a DICOM folder")
    arguments.add_argument("--out", required=True, type=Path, help="file to write (.seg.nrrd)")
    arguments.add_argument("--overwrite", action="store_true", help="replace the file --out")
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
