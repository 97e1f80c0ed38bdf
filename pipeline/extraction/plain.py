"""The engine ``pyradiomics``: the library itself, cut in two between crop and features.

Both halves call PyRadiomics' own functions on the same numbers in the same order as a plain run
does, so that the cut changes no bit of the result.

References
----------
.. [1] van Griethuysen JJM, Fedorov A, Parmar C, et al. Computational radiomics system to decode the
   radiographic phenotype. Cancer Res 2017;77:e104-e107. doi:10.1158/0008-5472.CAN-17-0339
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import SimpleITK as sitk

from pipeline.core.errors import CaseError
from pipeline.core.files import raise_if_machine
from pipeline.extraction.checks import (
    INSIDE_THE_CT,
    Image,
    check_complete,
    check_extent,
    check_grey_values,
    check_label,
    no_step_fits,
    open_volume,
    thinner_than_the_grid,
)
from pipeline.extraction.crops import Crop, Normalisation
from pipeline.extraction.library import (
    as_series,
    extractor,
    feature_names,
    loading_settings,
    radiomics,
)
from pipeline.extraction.params import Parameters


class PlainScan:
    """One CT, normalised once for all of its masks.

    Parameters
    ----------
    image : SimpleITK.Image or path-like
        CT volume in Hounsfield units (x, y, z).
    params : Parameters
        Read are the settings named in `pipeline.extraction.params.CROP_SETTINGS`.

    Raises
    ------
    CaseError
        If the file is no three-dimensional volume of single numbers, or has one grey value only
        and shall be normalised.
    """

    def __init__(self, image: Image, params: Parameters) -> None:
        self.params = params
        self.normalised = open_volume(image, "CT")
        self.normalisation = None
        if params.settings.get("normalize"):
            statistics = sitk.StatisticsImageFilter()
            statistics.Execute(self.normalised)
            check_grey_values(statistics.GetMinimum(), statistics.GetMaximum())
            self.normalisation = Normalisation.of(
                statistics.GetMean(), statistics.GetSigma(), params.settings.get("removeOutliers")
            )
            self.normalised = radiomics().imageoperations.normalizeImage(
                self.normalised, **params.crop_settings
            )

    def crop(self, mask: Image, label: int | None = None) -> Crop:
        """Resample the CT and one region of a mask, cropped to the region and its margin.

        Parameters
        ----------
        mask : SimpleITK.Image or path-like
            Label map (x, y, z); its grid decides the orientation of the crop.
        label : int, optional
            Voxel value of the region; by default the parameters' ``label``.

        Returns
        -------
        Crop
            On a grid of ``resampledPixelSpacing`` mm that begins at the mask's own corner, with
            ``padDistance`` voxels around the region where the volume reaches so far.

        Raises
        ------
        CaseError
            If the region is empty, has too few dimensions, or lies outside the CT.
        """
        params = self.params
        label = int(params.settings.get("label", 1)) if label is None else label
        mask = open_volume(mask, "mask")
        check_label(mask, label)
        settings = {**loading_settings(params), "normalize": False, "label": label}
        try:
            image, region = extractor(params).loadImage(self.normalised, mask, None, **settings)
        except ValueError as error:
            raise CaseError(
                "The region must lie within the CT",
                found=" ".join(str(error).split()),
                remedy=INSIDE_THE_CT,
                code="region-outside-ct",
            ) from error
        except RuntimeError as error:
            raise_if_machine(error)
            if settings["resampledPixelSpacing"] is not None:
                # It looks for the label on the grid of a CT that has the spacing already.
                raise thinner_than_the_grid() from error
            if self.normalised.GetSize() != mask.GetSize():
                raise _on_another_grid(self.normalised, mask) from error
            raise
        region = sitk.Cast(region == label, sitk.sitkUInt8)
        check_extent(region, params)
        share = _clipped_share(self.normalised, mask == label, params)
        return Crop(image, region, share, self.normalisation)


def features_of_crop(image: sitk.Image, mask: sitk.Image, params: Parameters) -> pd.Series:
    """Return the features of a crop: filters, texture matrices, shape.

    Parameters
    ----------
    image, mask : SimpleITK.Image
        `Crop.image` and `Crop.mask` (x, y, z), made with the same parameters.
    params : Parameters
        All but the settings that made the crop.

    Returns
    -------
    pandas.Series of float64
        As `pipeline.extraction.extract_features` returns it.

    Raises
    ------
    CaseError
        If PyRadiomics refuses the region, or leaves out an image type because the crop is too small
        for the filter.
    """
    try:
        values = extractor(params).execute(image, mask, label=1)
    except ValueError as error:
        raise CaseError(
            "PyRadiomics must be able to compute every feature of the region",
            found=" ".join(str(error).split()),
            remedy="look at the mask on the page of the preflight; correct it, or set "
            "on_bad_case: exclude",
            code="feature-not-computable",
        ) from error
    except RuntimeError as error:
        raise_if_machine(error)
        if image.GetSize() != mask.GetSize():
            raise _on_another_grid(image, mask) from error
        if "angle" not in str(error):
            raise
        raise no_step_fits(extractor(params).settings.get("distances", [1])) from error
    expected = feature_names(params)
    check_complete(values, expected)
    return as_series(values, expected)


def _on_another_grid(image: sitk.Image, mask: sitk.Image) -> CaseError:
    return CaseError(
        "Without resampling a mask must lie on the grid of its CT",
        found=f"a mask of {' x '.join(map(str, mask.GetSize()))} voxels and a CT of "
        f"{' x '.join(map(str, image.GetSize()))}",
        remedy="set correctMask: true in the parameter file (and no preCrop), or "
        "resampledPixelSpacing",
        code="mask-off-grid-of-ct",
    )


def _clipped_share(normalised: sitk.Image, region: sitk.Image, params: Parameters) -> float:
    settings = params.settings
    if not settings.get("normalize") or settings.get("removeOutliers") is None:
        return math.nan
    # Exact comparison is right: voxels beyond the limits were set to this very product.
    limit = settings["removeOutliers"] * settings.get("normalizeScale", 1)
    # A mask on a grid of its own is met where the CT's voxels lie; on the same grid this is
    # the identity.
    region = sitk.Resample(region, normalised, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    inside = sitk.GetArrayViewFromImage(region) != 0
    values = sitk.GetArrayViewFromImage(normalised)[inside]
    return float(np.mean(np.abs(values) >= limit)) if values.size else math.nan
