"""The engine: PyRadiomics, cut in two between crop and features.

Another engine belongs behind the same functions (`normalise_volume`, `crop_to_region`,
`features_of_crop`, `feature_names`) and has to give the same numbers.

References
----------
.. [1] van Griethuysen JJM, Fedorov A, Parmar C, et al. Computational radiomics system to decode the
   radiographic phenotype. Cancer Res 2017;77:e104-e107. doi:10.1158/0008-5472.CAN-17-0339
"""

from __future__ import annotations

import copy
import functools
import json
import logging
import math
import os
from typing import NamedTuple

import numpy as np
import pandas as pd
import SimpleITK as sitk

from pipeline.core.errors import CaseError, StudyError
from pipeline.extraction.checks import Image, check_extent, check_label, open_volume
from pipeline.extraction.params import Parameters, load_params, schema_warnings_ignored


class Crop(NamedTuple):
    """The surroundings of one region, normalised and resampled.

    Attributes
    ----------
    image : SimpleITK.Image
        Normalised grey values; float64 where the parameters normalise, else of the CT's type.
    mask : SimpleITK.Image
        Region on the same grid, uint8: 1 inside, 0 outside.
    clipped_share : float
        Share of the region's voxels, on the mask's own grid before resampling, whose grey value
        was cut at the limits of the normalisation (``removeOutliers``); NaN where nothing is cut.
    """

    image: sitk.Image
    mask: sitk.Image
    clipped_share: float


def extract_features(
    image: Image,
    mask: Image,
    params: str | os.PathLike | dict | Parameters,
    *,
    label: int | None = None,
) -> pd.Series:
    """Return the radiomic features of one region of one CT.

    The values are those of the plain ``pyradiomics`` command with the same files and parameters.
    Provenance columns (``diagnostics_...``) are left out whatever the parameters say.

    Parameters
    ----------
    image : SimpleITK.Image or path-like
        CT volume in Hounsfield units (x, y, z), or a file that SimpleITK reads.
    mask : SimpleITK.Image or path-like
        Label map. As in PyRadiomics its grid is the one that is resampled to; a mask whose axes
        run in other directions than the CT's therefore has other wavelet values.
    params : path-like, dict or Parameters
        PyRadiomics parameter file, its content, or what `load_params` returned.
    label : int, optional
        Voxel value of the region in `mask`; by default the parameters' ``label``, which is 1 if
        they do not name one.

    Returns
    -------
    pandas.Series of float64
        One value per feature, under the names and in the order of PyRadiomics. With
        ``radiomics_params/ge2025.yaml`` there are 1,223: 14 of shape in mm, mm2 or mm3, and 93 for
        each of 13 image types, whose grey values are normalised and have no unit. A feature that
        is undefined for a region is NaN.

    Raises
    ------
    CaseError
        If the region is empty, too small, outside the CT, or yields fewer features than asked for.
    StudyError
        If the parameters are invalid.

    See Also
    --------
    load_crop, features_of_crop : The two halves of this function.

    Examples
    --------
    >>> features = extract_features("ct.nrrd", "mask.nrrd", "ge2025.yaml")  # doctest: +SKIP
    >>> features["original_shape_MeshVolume"]  # doctest: +SKIP
    41253.875
    """
    params = load_params(params)
    crop = load_crop(image, mask, params, label=label)
    return features_of_crop(crop.image, crop.mask, params)


def load_crop(image: Image, mask: Image, params: Parameters, *, label: int | None = None) -> Crop:
    """Normalise a CT over its whole volume, then resample and crop it to one region.

    Parameters
    ----------
    image, mask : SimpleITK.Image or path-like
        As in `extract_features`.
    params : Parameters
        From `load_params`.
    label : int, optional
        As in `extract_features`.

    Returns
    -------
    Crop
        For several masks of one CT call `normalise_volume` once and `crop_to_region` for each.
    """
    return crop_to_region(normalise_volume(image, params), mask, params, label=label)


def normalise_volume(image: Image, params: Parameters) -> sitk.Image:
    """Centre and scale the grey values of a volume, if the parameters ask for it.

    Parameters
    ----------
    image : SimpleITK.Image or path-like
        CT volume in Hounsfield units (x, y, z).
    params : Parameters
        Read are ``normalize``, ``normalizeScale`` and ``removeOutliers``.

    Returns
    -------
    SimpleITK.Image
        Mean 0 and standard deviation ``normalizeScale`` over all voxels, then cut at
        ``removeOutliers`` standard deviations; float64. The unchanged volume without ``normalize``.

    Raises
    ------
    CaseError
        If the file is no three-dimensional volume of single numbers, or has one grey value only.
    """
    image = open_volume(image, "CT")
    if not params.settings.get("normalize"):
        return image
    statistics = sitk.MinimumMaximumImageFilter()
    statistics.Execute(image)
    if statistics.GetMinimum() == statistics.GetMaximum():
        raise CaseError(
            "A CT must hold more than one grey value to be normalised",
            found=f"{statistics.GetMinimum():g} in every voxel",
        )
    return _radiomics().imageoperations.normalizeImage(image, **params.crop_settings)


def crop_to_region(
    normalised: sitk.Image, mask: Image, params: Parameters, *, label: int | None = None
) -> Crop:
    """Resample a normalised CT and one region of a mask, cropped to the region and its margin.

    Parameters
    ----------
    normalised : SimpleITK.Image
        From `normalise_volume`.
    mask : SimpleITK.Image or path-like
        Label map (x, y, z); its grid decides the orientation of the crop.
    params : Parameters
        Read are the settings named in `CROP_SETTINGS`, without normalisation.
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
    label = int(params.settings.get("label", 1)) if label is None else label
    mask = open_volume(mask, "mask")
    check_label(mask, label)
    settings = {**params.crop_settings, "normalize": False, "label": label}
    extractor = _extractor(params)
    try:
        image, region = extractor.loadImage(normalised, mask, None, **settings)
    except ValueError as error:
        raise CaseError(
            "The region must lie within the CT", found=" ".join(str(error).split())
        ) from error
    region = sitk.Cast(region == label, sitk.sitkUInt8)
    check_extent(region, params)
    return Crop(image, region, _clipped_share(normalised, mask == label, params))


def features_of_crop(image: sitk.Image, mask: sitk.Image, params: Parameters) -> pd.Series:
    """Return the features of a crop: filters, texture matrices, shape.

    Parameters
    ----------
    image, mask : SimpleITK.Image
        `Crop.image` and `Crop.mask` (x, y, z) of `load_crop` with the same parameters.
    params : Parameters
        All but the settings that `load_crop` has used up.

    Returns
    -------
    pandas.Series of float64
        As `extract_features` returns it.

    Raises
    ------
    CaseError
        If PyRadiomics refuses the region, or leaves out an image type because the crop is too small
        for the filter.
    """
    extractor = _extractor(params)
    try:
        values = extractor.execute(image, mask, label=1)
    except ValueError as error:
        raise CaseError(
            "PyRadiomics must be able to compute every feature of the region",
            found=" ".join(str(error).split()),
        ) from error
    expected = feature_names(params)
    missing = [name for name in expected if name not in values]
    if missing:
        images = sorted({name.split("_")[0] for name in missing})
        raise CaseError(
            f"A region must yield all {len(expected)} features of the parameter file",
            found=f"{len(missing)} missing, of the image types {', '.join(images)}",
            remedy="the region's surroundings are too small for these filters: check the mask, or "
            "leave them out of the parameter file for all cases",
        )
    # PyRadiomics hands out zero- and one-dimensional arrays alike.
    numbers = [np.asarray(values[name]).item() for name in expected]
    return pd.Series(numbers, index=expected, dtype=np.float64)


def feature_names(params: Parameters) -> list[str]:
    """Return the names of all features that a parameter file asks for, in PyRadiomics' order.

    Parameters
    ----------
    params : Parameters
        From `load_params`.

    Returns
    -------
    list of str
        1,223 names with ``radiomics_params/ge2025.yaml``.

    Raises
    ------
    StudyError
        If an image type can yield no image: LoG without ``sigma``, or a filter whose library is
        not installed.
    """
    return list(_feature_names(_key(params)))


@functools.lru_cache(maxsize=8)
def _feature_names(content: str) -> tuple[str, ...]:
    extractor = _cached_extractor(content)
    classes = _radiomics().getFeatureClasses()

    def of_class(image_type: str, name: str) -> list[str]:
        every = classes[name].getFeatureNames()
        wanted = extractor.enabledFeatures[name] or [
            feature for feature, deprecated in every.items() if not deprecated
        ]
        return [f"{image_type}_{name}_{feature}" for feature in wanted]

    # Filters name their own images, so they are asked, on noise that is large enough for them.
    sigma = max(
        (s for options in extractor.enabledImagetypes.values() for s in options.get("sigma", ())),
        default=1.0,
    )
    side = 8 + 2 * math.ceil(sigma)
    noise = sitk.GetImageFromArray(np.random.default_rng(0).normal(size=(side, side, side)))
    everywhere = sitk.Cast(noise * 0 + 1, sitk.sitkUInt8)
    names = [
        full
        for name in ("shape", "shape2D")
        if name in extractor.enabledFeatures
        for full in of_class("original", name)
    ]
    for image_type, options in extractor.enabledImagetypes.items():
        make = getattr(_radiomics().imageoperations, f"get{image_type}Image")
        images = [
            name for _, name, _ in make(noise, everywhere, **{**extractor.settings, **options})
        ]
        if not images:
            raise StudyError(
                "Every image type of the parameter file must yield an image",
                found=image_type,
                remedy="LoG needs its `sigma`; LBP2D and LBP3D need scikit-image and trimesh, "
                "which are no part of this installation",
            )
        names += [
            full
            for image in images
            for name in extractor.enabledFeatures
            if not name.startswith("shape")
            for full in of_class(image, name)
        ]
    return tuple(names)


def _key(params: Parameters) -> str:
    return json.dumps(params.content)


def _extractor(params: Parameters):
    return _cached_extractor(_key(params))


@functools.lru_cache(maxsize=8)
def _cached_extractor(content: str):
    """Return PyRadiomics' extractor for crops: everything that comes after loading.

    With normalisation, resampling and cropping off, its `execute` is what remains of a plain run.
    """
    with schema_warnings_ignored():
        return _radiomics().featureextractor.RadiomicsFeatureExtractor(
            copy.deepcopy(json.loads(content)),
            normalize=False,
            resampledPixelSpacing=None,
            preCrop=False,
            additionalInfo=False,
            label=1,
        )


@functools.cache
def _radiomics():
    """Import PyRadiomics and keep its log to what a reader of a batch's log can use."""
    import radiomics
    import radiomics.featureextractor

    # Its handler would print every message a second time, without time and level.
    radiomics.setVerbosity(60)
    logging.getLogger("radiomics").setLevel(logging.WARNING)
    # Said for every image type of every mask; the redundant feature is off either way.
    logging.getLogger("radiomics.glcm").addFilter(
        lambda record: not record.getMessage().startswith("GLCM is symmetrical")
    )
    return radiomics


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
