"""Where the engine is chosen: the library's own code, or this project's faster way to its numbers.

Engines have two halves. A scan (`PlainScan`) is read and normalised once and yields a `Crop` for
each mask; `features_of_crop` computes the features of a crop.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pandas as pd
import SimpleITK as sitk

from pipeline.core.errors import StudyError
from pipeline.extraction import fast, plain
from pipeline.extraction.checks import Image
from pipeline.extraction.crops import Crop
from pipeline.extraction.params import Parameters, load_params
from pipeline.imaging.ct_options import CtChecks, CtOptions

logger = logging.getLogger("vertebromics")

#: Names of the engines, as the configuration and the commands spell them.
ENGINES = ("fast", "pyradiomics")

#: Engine where none is named.
DEFAULT_ENGINE = ENGINES[0]


class Extraction(NamedTuple):
    """The features of one region and how they were computed.

    Attributes
    ----------
    values : pandas.Series of float64
        One value per feature, under the names and in the order of PyRadiomics.
    engine : str
        Engine that computed them.
    reason : str or None
        Why the engine asked for handed the region to PyRadiomics; None where it did not.
    """

    values: pd.Series
    engine: str
    reason: str | None


def extract_features(
    image: Image,
    mask: Image,
    params: str | os.PathLike | dict | Parameters,
    *,
    label: int | None = None,
    engine: str = DEFAULT_ENGINE,
    series: str | None = None,
    options: CtOptions | None = None,
    limits: CtChecks | None = None,
) -> pd.Series:
    """Return the radiomic features of one region of one CT.

    The values are those of the plain ``pyradiomics`` command with the same files and parameters.
    Provenance columns (``diagnostics_...``) are left out whatever the parameters say.

    Parameters
    ----------
    image : SimpleITK.Image or path-like
        CT volume in Hounsfield units (x, y, z), or what a table of cases may name: a DICOM folder,
        a NIfTI or a NRRD file, which is checked as a study checks it (`pipeline.imaging.read_ct`).
    mask : SimpleITK.Image or path-like
        Label map, or its NIfTI or NRRD file. As in PyRadiomics its grid is the one that is
        resampled to; a mask whose axes run in other directions than the CT's therefore has other
        wavelet values.
    params : path-like, dict or Parameters
        PyRadiomics parameter file, its content, or what `load_params` returned.
    label : int, optional
        Voxel value of the region in `mask`; by default the parameters' ``label``, which is 1 if
        they do not name one.
    engine : str, optional
        One of `ENGINES`.
    series : str, optional
        SeriesInstanceUID or SeriesDescription of the series that is meant, of a DICOM folder.
    options : CtOptions, optional
        How a CT's file or folder is read; the project's defaults.
    limits : CtChecks, optional
        What is accepted of it; the project's defaults.

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
        If a study would refuse the CT or the mask, or the region is empty, too small, outside the
        CT, or yields fewer features than asked for.
    StudyError
        If the parameters are invalid, or there is no such engine.

    See Also
    --------
    extract_masks : To read a CT once for several masks.

    Examples
    --------
    >>> features = extract_features("ct.nrrd", "mask.nrrd", "ge2025.yaml")  # doctest: +SKIP
    >>> features["original_shape_MeshVolume"]  # doctest: +SKIP
    41253.875
    """
    return extract_masks(
        image,
        [mask],
        params,
        label=label,
        engine=engine,
        series=series,
        options=options,
        limits=limits,
    )[0]


def extract_masks(
    image: Image,
    masks: Iterable[Image],
    params: str | os.PathLike | dict | Parameters,
    *,
    label: int | None = None,
    engine: str = DEFAULT_ENGINE,
    series: str | None = None,
    options: CtOptions | None = None,
    limits: CtChecks | None = None,
) -> list[pd.Series]:
    """Return the radiomic features of one region in each of several masks; the CT is read once.

    Parameters
    ----------
    masks : iterable of SimpleITK.Image or path-like
        Label maps, such as those of two readers.
    image, params, label, engine, series, options, limits
        As in `extract_features`, whose errors this function shares.

    Returns
    -------
    list of pandas.Series
        As `extract_features` returns, in the order of `masks`.
    """
    params = load_params(params)
    if not isinstance(image, sitk.Image):
        image = _accepted(image, series, options, limits)
    scan = open_scan(image, params, engine=engine)
    columns = []
    for number, mask in enumerate(masks, start=1):
        crop = scan.crop(mask, label)
        result = features_of_crop(crop, params, engine=engine)
        for reason in dict.fromkeys(filter(None, (crop.reason, result.reason))):
            logger.info("mask %d was computed by PyRadiomics: %s", number, reason)
        columns.append(result.values)
    return columns


def _accepted(
    image: str | os.PathLike,
    series: str | None,
    options: CtOptions | None,
    limits: CtChecks | None,
) -> sitk.Image:
    """Return the CT of a file or folder, with the checks of a study; warnings go to the log."""
    # Reading DICOM imports what jobs over the store's crops never need.
    from pipeline.imaging.read_ct import accepted_ct

    ct = accepted_ct(os.fspath(image), series, options, limits)
    for finding in ct.findings:
        logger.warning("CT: %s. %s", finding.message, finding.remedy)
    return ct.image


def open_scan(
    image: Image, params: Parameters, *, engine: str = DEFAULT_ENGINE
) -> fast.FastScan | plain.PlainScan:
    """Read one CT for all of its masks; its method ``crop(mask, label)`` yields a `Crop` for each.

    Parameters
    ----------
    image : SimpleITK.Image or path-like
        As in `extract_features`.
    params : Parameters
        From `load_params`.
    engine : str, optional
        One of `ENGINES`.

    Raises
    ------
    CaseError
        If the file is no three-dimensional volume of single numbers, or has one grey value only
        and shall be normalised.
    """
    _check_engine(engine)
    return (fast.FastScan if engine == "fast" else plain.PlainScan)(image, params)


def load_crop(
    image: Image,
    mask: Image,
    params: Parameters,
    *,
    label: int | None = None,
    engine: str = DEFAULT_ENGINE,
) -> Crop:
    """Normalise a CT over its whole volume, then resample and crop it to one region.

    Parameters are those of `extract_features`.
    """
    return open_scan(image, params, engine=engine).crop(mask, label)


def features_of_crop(crop: Crop, params: Parameters, *, engine: str = DEFAULT_ENGINE) -> Extraction:
    """Compute the features of a crop: filters, texture matrices, shape.

    Parameters
    ----------
    crop : Crop
        From `load_crop` or ``open_scan(...).crop(...)`` with the same parameters.
    params : Parameters
        All but the settings that made the crop.
    engine : str, optional
        One of `ENGINES`.

    Raises
    ------
    CaseError
        If PyRadiomics refuses the region, or leaves out an image type because the crop is too small
        for the filter.
    """
    _check_engine(engine)
    if engine == "fast":
        reason = fast.why_not_features(crop.image, crop.mask)
        if reason is None:
            return Extraction(fast.features_of_crop(crop.image, crop.mask, params), "fast", None)
    else:
        reason = None
    values = plain.features_of_crop(crop.image, crop.mask, params)
    return Extraction(values, "pyradiomics", reason)


def features_of_masks(
    image: sitk.Image,
    masks: Sequence[sitk.Image],
    params: Parameters,
    *,
    engine: str = DEFAULT_ENGINE,
) -> list[pd.Series]:
    """Compute the features of several masks on the image of one crop.

    Parameters
    ----------
    image : SimpleITK.Image
        `Crop.image`; the engine `fast` computes its filters once for all masks.
    masks : sequence of SimpleITK.Image
        On its grid, uint8: 1 inside.
    params : Parameters
        All but the settings that made the crop.
    engine : str, optional
        One of `ENGINES`.

    Returns
    -------
    list of pandas.Series
        As `features_of_crop` gives for each mask, in every bit.

    Raises
    ------
    CaseError
        As `features_of_crop`.
    """
    _check_engine(engine)
    if engine == "fast" and all(fast.why_not_features(image, mask) is None for mask in masks):
        return fast.features_of_masks(image, masks, params)
    return [plain.features_of_crop(image, mask, params) for mask in masks]


def _check_engine(engine: str) -> None:
    if engine not in ENGINES:
        raise StudyError(
            f"The engine of the extraction must be one of {', '.join(ENGINES)}",
            found=engine,
            where="extraction.engine",
            remedy="write one of them",
            code="engine-unknown",
        )
