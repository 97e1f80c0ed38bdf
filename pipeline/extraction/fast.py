"""The engine ``fast``: PyRadiomics' numbers from the part of the work that decides about them.

Where a plain run spends its time, and what is done instead:

- It normalises and spline-filters the whole CT for every mask: here sums over the CT are taken
  once, and the voxels around a region are normalised and interpolated (resampling.py).
- It searches the whole mask several times: here once.
- It bins an image once for each feature class, and builds each texture matrix in a pass of its own:
  here each image is binned once and its matrices are counted together (binning.py, matrices.py).
- Its first-order and shape classes compute the same intermediate results again and again
  (firstorder.py).
- Its texture classes take each formula by itself: here those of a matrix share what they have in
  common (texture.py).

Filters are PyRadiomics' own, on exactly the crop that PyRadiomics filters; the Laplacian of a
Gaussian repeats them bit by bit (laplacian.py). What is not computed here is handed to plain.py,
with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import SimpleITK as sitk

from pipeline.core.errors import CaseError
from pipeline.extraction import plain
from pipeline.extraction.checks import (
    INSIDE_THE_CT,
    Image,
    check_complete,
    check_extent,
    check_grey_values,
    check_label,
    open_volume,
    thinner_than_the_grid,
)
from pipeline.extraction.crops import Crop, Normalisation
from pipeline.extraction.formulas.binning import BinnedImage
from pipeline.extraction.formulas.firstorder import first_order
from pipeline.extraction.formulas.matrices import Region
from pipeline.extraction.formulas.shape import shape_features
from pipeline.extraction.formulas.texture import TEXTURE_CLASSES, texture_features
from pipeline.extraction.kernels import kernels
from pipeline.extraction.laplacian import laplacian_images
from pipeline.extraction.library import (
    as_series,
    extractor,
    feature_names,
    loading_settings,
    radiomics,
)
from pipeline.extraction.params import Parameters
from pipeline.extraction.resampling import (
    Scaling,
    Volume,
    new_spacing,
    on_grid,
    resample_image,
    resample_region,
    resampling_grid,
)
from pipeline.imaging.geometry import Geometry

#: Voxel types that the kernels read.
VOXEL_TYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")

#: Smallest side of a CT, in voxels, whose spline coefficients the kernel mirrors as ITK does.
SMALLEST_SIDE = 4

#: Filters whose image depends on the mask: local binary patterns are taken around its voxels.
FILTERS_OF_A_MASK = ("LBP3D",)

#: Largest integer that every sum of integers below it represents exactly as float64.
EXACT = 2**53


class FastScan:
    """One CT, read and summed once for all of its masks.

    Parameters
    ----------
    image : SimpleITK.Image or path-like
        CT volume in Hounsfield units (x, y, z).
    params : Parameters
        Read are the settings named in `pipeline.extraction.params.CROP_SETTINGS`.

    Raises
    ------
    CaseError
        As `pipeline.extraction.plain.PlainScan`.
    """

    def __init__(self, image: Image, params: Parameters) -> None:
        self.params = params
        self.settings = loading_settings(params)
        self.image = open_volume(image, "CT")
        self._plain: plain.PlainScan | None = None
        self._reason = _why_not(self.image, self.settings)
        self.scaling = self.normalisation = None
        if self._reason is None:
            self.volume = Volume(sitk.GetArrayViewFromImage(self.image), Geometry.of(self.image))
            if self.settings.get("normalize"):
                self._sum_up()

    @property
    def handed_over(self) -> str | None:
        """Why PyRadiomics makes the crops of this CT, None where they are made here."""
        return self._reason

    def crop(self, mask: Image, label: int | None = None) -> Crop:
        """Resample the CT and one region of a mask, cropped to the region and its margin.

        Parameters, result and errors are those of `pipeline.extraction.plain.PlainScan.crop`.
        """
        label = int(self.params.settings.get("label", 1)) if label is None else label
        mask = open_volume(mask, "mask")
        reason = self._reason or _why_not_mask(mask, self.image, self.settings)
        if reason is not None:
            return self._plain_crop(mask, label, reason)
        drawn = Volume(sitk.GetArrayViewFromImage(mask), Geometry.of(mask))
        box = kernels().label_box(drawn.voxels, label)
        if box is None or drawn.fills(box):
            check_label(mask, label)
        spacing = self.settings["resampledPixelSpacing"]
        if spacing is None:
            region = on_grid((drawn.voxels == label).view(np.uint8), drawn.geometry)
            image = self.image if self.scaling is None else self._normalised()
        else:
            _check_inside(drawn.geometry, self.volume.geometry, box)
            if np.allclose(self.volume.geometry.spacing, new_spacing(drawn.geometry, box, spacing)):
                # PyRadiomics then crops without interpolation.
                image, region = self._cut_out(drawn, box, label)
            else:
                grid = resampling_grid(drawn.geometry, box, spacing, self.settings["padDistance"])
                image = resample_image(self.volume, grid, self.scaling)
                region = resample_region(drawn, label, grid)
        check_extent(region, self.params)
        share = self._clipped_share(drawn, box, label)
        return Crop(image, region, share, self.normalisation, "fast")

    def _cut_out(
        self, drawn: Volume, box: tuple[int, ...], label: int
    ) -> tuple[sitk.Image, sitk.Image]:
        """Return image and region on the CT's own grid, ``padDistance`` voxels around the region.

        A mask on a grid of its own is met where the CT's voxels lie, by nearest neighbour.
        """
        if drawn.geometry == self.volume.geometry:
            met = drawn.voxels
        else:
            mask = on_grid((drawn.voxels == label).astype(np.uint8), drawn.geometry)
            onto = sitk.Resample(mask, self.image, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
            met, label = sitk.GetArrayFromImage(onto), 1
            box = kernels().label_box(met, label)
            if box is None:
                raise thinner_than_the_grid()
        pad = int(self.settings["padDistance"])
        low = np.maximum(np.array(box[0::2]) - pad, 0)
        high = np.minimum(np.array(box[1::2]) + pad + 1, self.volume.geometry.size)
        part = tuple(slice(*ends) for ends in zip(low[::-1], high[::-1], strict=True))
        origin = self.volume.geometry.voxel().TransformIndexToPhysicalPoint(low.tolist())
        grid = replace(
            self.volume.geometry, size=tuple((high - low).tolist()), origin=tuple(origin)
        )
        voxels = self.volume.voxels[part]
        image = voxels.copy() if self.scaling is None else self.scaling.apply(voxels)
        return on_grid(image, grid), on_grid((met[part] == label).astype(np.uint8), grid)

    def _sum_up(self) -> None:
        """Find the mean and standard deviation that ITK normalises with."""
        if self.volume.voxels.dtype.itemsize <= 2:
            total, squares, low, high = kernels().integer_sums(self.volume.voxels)
            exact = squares < EXACT
        else:
            exact = False
        if exact:
            count = self.volume.voxels.size
            mean = total / count
            total = float(total)
            sd = math.sqrt((squares - total * total / count) / (count - 1))
        else:
            statistics = sitk.StatisticsImageFilter()
            statistics.Execute(self.image)
            low, high = statistics.GetMinimum(), statistics.GetMaximum()
            mean, sd = statistics.GetMean(), statistics.GetSigma()
        check_grey_values(low, high)
        outliers = self.settings.get("removeOutliers")
        limit = math.inf if outliers is None else float(outliers)
        self.scaling = Scaling(-mean, 1.0 / sd, limit, float(self.settings["normalizeScale"]))
        self.normalisation = Normalisation.of(mean, sd, outliers)

    def _normalised(self) -> sitk.Image:
        return on_grid(self.scaling.apply(self.volume.voxels), self.volume.geometry)

    def _clipped_share(self, drawn: Volume, box: tuple[int, ...], label: int) -> float:
        if self.scaling is None or math.isinf(self.scaling.limit):
            return math.nan
        if drawn.geometry != self.volume.geometry:
            # A mask on a grid of its own is met where the CT's voxels lie.
            mask = on_grid((drawn.voxels == label).astype(np.uint8), drawn.geometry)
            met = sitk.Resample(mask, self.image, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
            values = self.volume.voxels[sitk.GetArrayViewFromImage(met) != 0]
        else:
            within = tuple(slice(box[2 * axis], box[2 * axis + 1] + 1) for axis in (2, 1, 0))
            values = self.volume.voxels[within][drawn.voxels[within] == label]
        limit = self.scaling.limit * self.scaling.last
        if not values.size:
            return math.nan
        return float(np.mean(np.abs(self.scaling.apply(values)) >= limit))

    def _plain_crop(self, mask: sitk.Image, label: int, reason: str) -> Crop:
        if self._plain is None:
            self._plain = plain.PlainScan(self.image, self.params)
        return self._plain.crop(mask, label)._replace(reason=reason)


def _why_not(image: sitk.Image, settings: dict) -> str | None:
    """Return why PyRadiomics has to load the CT's crops, or None."""
    kind = str(sitk.GetArrayViewFromImage(image).dtype)
    if kind not in VOXEL_TYPES:
        return f"voxels of the type {kind}"
    if settings["resampledPixelSpacing"] is not None:
        if settings["interpolator"] not in ("sitkBSpline", sitk.sitkBSpline):
            return f"the interpolator {settings['interpolator']}"
        if min(image.GetSize()) < SMALLEST_SIDE:
            return f"a CT of fewer than {SMALLEST_SIDE} voxels along an axis"
    elif settings["preCrop"]:
        return "preCrop without resampling"
    return None


def _why_not_mask(mask: sitk.Image, image: sitk.Image, settings: dict) -> str | None:
    kind = str(sitk.GetArrayViewFromImage(mask).dtype)
    if kind not in VOXEL_TYPES:
        return f"a mask of the type {kind}"
    if settings["resampledPixelSpacing"] is None and Geometry.of(mask) != Geometry.of(image):
        return "a mask on a grid of its own without resampling"
    return None


def _check_inside(mask: Geometry, image: Geometry, box: tuple[int, ...]) -> None:
    """Refuse a region that reaches beyond the CT by more than a thousandth of a voxel."""
    drawn, ct = mask.voxel(), image.voxel()
    low, high = np.array(box[0::2]) - 0.5, np.array(box[1::2]) + 0.5
    corners = [
        ct.TransformPhysicalPointToContinuousIndex(
            drawn.TransformContinuousIndexToPhysicalPoint(corner.tolist())
        )
        for corner in (low, high)
    ]
    below, above = np.min(corners, axis=0), np.max(corners, axis=0)
    if (below < -0.5 - 1e-3).any() or (above > np.array(image.size) - 0.5 + 1e-3).any():
        raise CaseError(
            "The region must lie within the CT",
            found=f"voxels {np.round(below, 2).tolist()} to {np.round(above, 2).tolist()} "
            f"(x, y, z) of a CT of {' x '.join(map(str, image.size))}",
            remedy=INSIDE_THE_CT,
            code="region-outside-ct",
        )


def features_of_crop(image: sitk.Image, mask: sitk.Image, params: Parameters) -> pd.Series:
    """Return the features of a crop: filters, texture matrices, shape.

    Parameters, result and errors are those of `pipeline.extraction.plain.features_of_crop`. Image
    and mask have one grid (`why_not_features`).
    """
    return features_of_masks(image, [mask], params)[0]


def features_of_masks(
    image: sitk.Image, masks: Sequence[sitk.Image], params: Parameters
) -> list[pd.Series]:
    """Return the features of several masks on one crop, whose filters are computed once.

    Parameters
    ----------
    image : SimpleITK.Image
        Of a crop.
    masks : sequence of SimpleITK.Image
        On its grid, 1 inside.
    params : Parameters
        All but the settings that made the crop.

    Returns
    -------
    list of pandas.Series of float64
        In the order of `masks`.

    Raises
    ------
    CaseError
        As `features_of_crop`, whichever mask is at fault.
    """
    library, operations = extractor(params), radiomics().imageoperations
    settings = library.settings
    values: list[dict[str, object]] = []
    regions: list[Region] = []
    used: list[sitk.Image] = []
    for mask in masks:
        check_extent(mask, params)
    try:
        for as_drawn in masks:
            drawn = mask = as_drawn
            if settings.get("resegmentRange") is not None:
                mask = operations.resegmentMask(image, mask, **settings)
                operations.checkMask(image, mask, **settings)
                if settings.get("resegmentShape", False):
                    drawn = mask
            region = Region(sitk.GetArrayViewFromImage(mask) != 0, mask.GetSpacing())
            values.append(_shape(image, drawn, region, params))
            regions.append(region)
            used.append(mask)
        for image_type, changes in library.enabledImagetypes.items():
            asked = {**settings, **changes}
            # No other filter looks at the mask.
            groups = [[at] for at in range(len(used))]
            if image_type not in FILTERS_OF_A_MASK:
                groups = [list(range(len(used)))] if used else []
            for group in groups:
                boxes = [regions[at].box for at in group]
                for voxels, name, changed in _filtered(
                    image_type, image, used[group[0]], boxes, asked
                ):
                    for at in group:
                        binned = BinnedImage(voxels, regions[at], changed)
                        values[at] |= _features_of_image(name, binned, library.enabledFeatures)
    except ValueError as error:
        raise CaseError(
            "PyRadiomics must be able to compute every feature of the region",
            found=" ".join(str(error).split()),
            remedy="look at the mask on the page of the preflight; correct it, or set "
            "on_bad_case: exclude",
            code="feature-not-computable",
        ) from error
    expected = feature_names(params)
    for each in values:
        check_complete(each, expected)
    return [as_series(each, expected) for each in values]


def _filtered(
    image_type: str,
    image: sitk.Image,
    mask: sitk.Image,
    boxes: Sequence[tuple[slice, ...]],
    asked: Mapping,
) -> Iterator[tuple[np.ndarray, str, Mapping]]:
    """Yield the images of a filter as arrays (z, y, x), certain within boxes; names, settings."""
    if image_type == "LoG" and str(sitk.GetArrayViewFromImage(image).dtype) in VOXEL_TYPES:
        common = tuple(
            slice(min(side.start for side in sides), max(side.stop for side in sides))
            for sides in zip(*boxes, strict=True)
        )
        yield from laplacian_images(image, common, asked)
        return
    make = getattr(radiomics().imageoperations, f"get{image_type}Image")
    for filtered, name, changed in make(image, mask, **asked):
        # Its memory is the image's, which lives as long as this step does.
        yield sitk.GetArrayViewFromImage(filtered), name, changed


def why_not_features(image: sitk.Image, mask: sitk.Image) -> str | None:
    """Return why PyRadiomics has to compute the features of a crop, or None."""
    if Geometry.of(image) != Geometry.of(mask):
        return "a mask on a grid of its own"
    return None


def _shape(
    image: sitk.Image, drawn: sitk.Image, region: Region, params: Parameters
) -> dict[str, object]:
    """Return the features of shape: of the region as drawn, in the box of what was kept of it."""
    library = extractor(params)
    if "shape2D" in library.enabledFeatures:
        box, _ = radiomics().imageoperations.checkMask(image, drawn, **library.settings)
        return library.computeShape(image, drawn, box, **library.settings)
    if "shape" not in library.enabledFeatures:
        return {}
    inside = sitk.GetArrayViewFromImage(drawn)[region.box] != 0
    wanted = library.enabledFeatures["shape"]
    found = shape_features(inside, drawn.GetSpacing(), library.settings, wanted)
    return {f"original_shape_{name}": value for name, value in found.items()}


def _features_of_image(name: str, binned: BinnedImage, enabled: dict) -> dict[str, object]:
    """Return the features of one filtered image by their full names."""
    values: dict[str, object] = {}
    for feature_class in enabled:
        if feature_class == "firstorder":
            found = first_order(binned)
        elif feature_class in TEXTURE_CLASSES:
            found = texture_features(feature_class, binned)
        else:
            continue  # shape is computed once, of the mask
        values |= {f"{name}_{feature_class}_{feature}": value for feature, value in found.items()}
    return values
