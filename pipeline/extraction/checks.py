"""What a CT and a mask must be before PyRadiomics sees them, in the words of who made them."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Sequence

import numpy as np
import SimpleITK as sitk

from pipeline.core.errors import CaseError
from pipeline.extraction.params import Parameters
from pipeline.imaging.sources import placed, shown_name
from pipeline.imaging.volumes import check_finite, read_volume

logger = logging.getLogger("vertebromics")

Image = sitk.Image | str | os.PathLike


def open_volume(image: Image, what: str) -> sitk.Image:
    """Return `image`, read if it is a file, or refuse what is no volume; `what` names it."""
    if not isinstance(image, sitk.Image):
        path = os.fspath(image)
        if not os.path.isfile(path):
            raise CaseError(
                f"The {what} must be an existing NRRD or NIfTI file",
                found=os.path.basename(path),
                remedy="check the path and the mount",
                code="volume-file-missing",
            )
        try:
            image, findings = read_volume(path)
        except (CaseError, OSError) as error:
            raise placed(error, shown_name(path)) from None
        for finding in findings:
            logger.warning("%s: %s. %s", what, finding.message, finding.remedy)
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise CaseError(
            f"The {what} must be a three-dimensional volume with one number per voxel",
            found=f"{image.GetDimension()} dimensions, {image.GetNumberOfComponentsPerPixel()} "
            "numbers per voxel",
            code="volume-not-scalar-3d",
        )
    if sitk.GetArrayViewFromImage(image).dtype.kind == "f":
        check_finite(image)
    return image


def check_label(mask: sitk.Image, label: int) -> None:
    """Refuse a mask without voxels of the value `label`, naming those it has, or without others."""
    labels = np.unique(sitk.GetArrayViewFromImage(mask))
    if label not in labels:
        others = ", ".join(f"{value:g}" for value in labels if value != 0)
        raise CaseError(
            f"A mask must hold voxels of the value {label}",
            found=f"only {others}" if others else "an empty mask",
            remedy="name the region's value in the column `label`" if others else "draw the region",
            code="label-missing-in-mask",
        )
    if len(labels) == 1:
        raise CaseError(
            "A mask must hold voxels outside its region: PyRadiomics finds no label without them",
            found=f"the value {label} in every voxel",
            remedy="draw the region on the grid of the CT",
            code="mask-without-background",
        )


def check_extent(region: sitk.Image, params: Parameters) -> None:
    """Refuse what PyRadiomics would refuse later, with the numbers that explain it."""
    inside = sitk.GetArrayViewFromImage(region) != 0
    voxels = np.count_nonzero(inside)
    where = "the resampled grid" if params.settings.get("resampledPixelSpacing") else "its grid"
    if not voxels:
        raise CaseError(
            f"A region must hold voxels on {where}",
            found="none: the region is thinner than the grid",
            remedy="draw the whole region; if it is meant to be so thin, set a finer "
            "resampledPixelSpacing in the parameter file, for all cases",
            code="region-lost-on-grid",
        )
    drawn = inside.any(axis=0)
    along = (inside.any(axis=(1, 2)), drawn.any(axis=1), drawn.any(axis=0))
    extent = np.array([np.ptp(np.flatnonzero(taken)) + 1 for taken in along])
    directions = max(params.settings.get("minimumROIDimensions", 2), 1)
    if (extent > 1).sum() < directions:
        box = " x ".join(map(str, extent))
        raise CaseError(
            f"A region must be more than one voxel wide in at least {directions} directions",
            found=f"{voxels} voxels in a box of {box} on {where}",
            remedy="a stray click of the drawing tool looks like this: draw the region again",
            code="region-too-narrow",
        )
    smallest = params.settings.get("minimumROISize")
    if smallest is not None and voxels <= smallest:
        raise CaseError(
            f"A region must hold more than {smallest} voxels (minimumROISize)",
            found=f"{voxels} on {where}",
            remedy="draw the whole region, leave out the case, or lower minimumROISize in the "
            "parameter file, for all cases",
            code="region-too-small",
        )


#: What helps where a region reaches beyond its CT.
INSIDE_THE_CT = "name the CT on which the mask was drawn, or draw the mask again on this CT"


def thinner_than_the_grid() -> CaseError:
    """Return the error of a region between whose voxels no voxel of the CT lies."""
    return CaseError(
        "A region must hold voxels on the grid of its CT",
        found="none: the region is thinner than the grid",
        remedy="draw the region on the grid of the CT",
        code="region-lost-on-grid",
    )


def check_grey_values(low: float, high: float) -> None:
    """Refuse to normalise a CT whose lowest and highest grey values are the same."""
    if low == high:
        raise CaseError(
            "A CT must hold more than one grey value to be normalised",
            found=f"{low:g} in every voxel",
            remedy="hand in the original CT, or set `normalize: false` in the parameter file",
            code="ct-constant",
        )


def no_step_fits(distances: Sequence[int]) -> CaseError:
    """Return the error of a region in whose box no step to a neighbour fits.

    Parameters
    ----------
    distances : sequence of int
        Lengths of the steps in voxels.
    """
    return CaseError(
        "A region must be wider than the smallest distance of its texture matrices",
        found=f"no two places in its box at the distances {[int(d) for d in distances]}",
        remedy="name a smaller one under `distances` in the parameter file; with `force2D` the box "
        "is that of a slice",
        code="region-narrower-than-distances",
    )


def check_complete(names: Collection[str], expected: Sequence[str]) -> None:
    """Refuse a region for which a filter made no image: a table cannot miss columns for one case.

    Parameters
    ----------
    names : collection of str
        Features that were computed.
    expected : sequence of str
        Features that the parameter file asks for.
    """
    missing = [name for name in expected if name not in names]
    if missing:
        images = sorted({name.split("_")[0] for name in missing})
        raise CaseError(
            f"A region must yield all {len(expected)} features of the parameter file",
            found=f"{len(missing)} missing, of the image types {', '.join(images)}",
            remedy="the region's surroundings are too small for these filters: check the mask, or "
            "leave them out of the parameter file for all cases",
            code="features-missing",
        )
