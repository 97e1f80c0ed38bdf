"""PyRadiomics as this project loads it: quiet, and with one extractor per parameter file."""

from __future__ import annotations

import copy
import functools
import json
import logging
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import SimpleITK as sitk

from pipeline.core.errors import StudyError
from pipeline.extraction.params import CROP_SETTINGS, Parameters, schema_warnings_ignored

#: Largest imaginary part, relative, that is rounding of an eigenvalue.
IMAGINARY_ROUNDING = 1e-9


class Prepared:
    """First parent of a feature class of PyRadiomics that is handed what it would compute itself.

    The second parent is PyRadiomics' class, whose formulas are used. Neither image nor mask is
    needed, and the names of the features are looked up once, not for every image.

    Parameters
    ----------
    settings : dict
        PyRadiomics' settings.
    """

    def __init__(self, settings: dict) -> None:
        parent = type(self).__bases__[1]
        self.logger = logging.getLogger(parent.__module__)
        self.settings = settings
        self.voxelBased = False
        self.enabledFeatures: dict = {}
        self.featureValues: dict = {}
        self.featureNames = _names_of(parent)

    def features(self, wanted: list[str] | None) -> dict[str, object]:
        """Return the values of the `wanted` features, or of all that are not deprecated."""
        for name in wanted or ():
            self.enableFeatureByName(name)
        return self.execute()


@functools.cache
def _names_of(feature_class: type) -> dict:
    return feature_class.getFeatureNames()


@functools.cache
def radiomics():
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


def extractor(params: Parameters):
    """Return PyRadiomics' extractor for crops: everything that comes after loading.

    With normalisation, resampling and cropping off, its `execute` is what remains of a plain run.
    """
    return _extractor(_key(params))


def loading_settings(params: Parameters) -> dict:
    """Return the settings that decide about a crop, with PyRadiomics' defaults filled in."""
    defaults = radiomics().featureextractor.RadiomicsFeatureExtractor._getDefaultSettings()
    known = {name: defaults[name] for name in CROP_SETTINGS if name in defaults}
    return known | params.crop_settings


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


def _key(params: Parameters) -> str:
    return json.dumps(params.content)


@functools.lru_cache(maxsize=8)
def _extractor(content: str):
    content = json.loads(content)
    with schema_warnings_ignored():
        made = radiomics().featureextractor.RadiomicsFeatureExtractor(
            copy.deepcopy(content),
            normalize=False,
            resampledPixelSpacing=None,
            preCrop=False,
            additionalInfo=False,
            label=1,
        )
    if not content.get("featureClass") and not made.settings["force2D"]:
        # A file that names no class means all; this one PyRadiomics then leaves out of every mask.
        del made.enabledFeatures["shape2D"]
    return made


@functools.lru_cache(maxsize=8)
def _feature_names(content: str) -> tuple[str, ...]:
    of_crops = _extractor(content)
    classes = radiomics().getFeatureClasses()

    def of_class(image_type: str, name: str) -> list[str]:
        every = classes[name].getFeatureNames()
        wanted = of_crops.enabledFeatures[name] or [
            feature for feature, deprecated in every.items() if not deprecated
        ]
        return [f"{image_type}_{name}_{feature}" for feature in wanted]

    # Filters name their own images, so they are asked, on noise that is large enough for them.
    sigma = max(
        (s for options in of_crops.enabledImagetypes.values() for s in options.get("sigma", ())),
        default=1.0,
    )
    side = 8 + 2 * math.ceil(sigma)
    noise = sitk.GetImageFromArray(np.random.default_rng(0).normal(size=(side, side, side)))
    everywhere = sitk.Cast(noise * 0 + 1, sitk.sitkUInt8)
    names = [
        full
        for name in ("shape", "shape2D")
        if name in of_crops.enabledFeatures
        for full in of_class("original", name)
    ]
    for image_type, options in of_crops.enabledImagetypes.items():
        make = getattr(radiomics().imageoperations, f"get{image_type}Image")
        images = [
            name for _, name, _ in make(noise, everywhere, **{**of_crops.settings, **options})
        ]
        if not images:
            raise StudyError(
                "Every image type of the parameter file must yield an image",
                found=image_type,
                remedy=f"take {image_type} out of `imageType`: LBP2D and LBP3D need scikit-image "
                "and trimesh, which are no part of this installation",
                code="image-type-without-image",
            )
        names += [
            full
            for image in images
            for name in of_crops.enabledFeatures
            if not name.startswith("shape")
            for full in of_class(image, name)
        ]
    return tuple(names)


def as_series(values: Mapping[str, object], names: Sequence[str]) -> pd.Series:
    """Return what PyRadiomics computed as numbers.

    It hands out zero- and one-dimensional arrays alike, and complex numbers where two axes of a
    region are equally long: the imaginary parts of such eigenvalues are rounding, 1e-16 or so.

    Parameters
    ----------
    values : Mapping
        What PyRadiomics returned, by feature.
    names : sequence of str
        Features, in their order.

    Returns
    -------
    pandas.Series of float64
        NaN where a value is complex by more than rounding.
    """
    numbers = np.array([_number(values[name]) for name in names], np.float64)
    return pd.Series(numbers, index=_index(tuple(names)).view())


@functools.lru_cache(maxsize=8)
def _index(names: tuple[str, ...]) -> pd.Index:
    """Return the index that the regions of a study share."""
    return pd.Index(names)


def _number(value: object) -> float:
    if isinstance(value, float):
        return value
    number = np.asarray(value).item()
    if isinstance(number, complex):
        rounding = abs(number.imag) <= IMAGINARY_ROUNDING * abs(number)
        return number.real if rounding else math.nan
    return number
