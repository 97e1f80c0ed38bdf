"""Features voxel by voxel, with PyRadiomics' definitions and from kernels of this project.

PyRadiomics lays out a matrix of all grey levels of the region for every voxel, most of it zeros:
a vertebra takes gigabytes and minutes an image. A neighbourhood of 27 voxels has a few levels only,
and the kernels look at those.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import numpy as np
import SimpleITK as sitk

from pipeline.core.errors import CaseError
from pipeline.extraction.checks import check_complete
from pipeline.extraction.crops import Crop
from pipeline.extraction.engine import ENGINES
from pipeline.extraction.formulas.binning import BinnedImage
from pipeline.extraction.formulas.matrices import Region
from pipeline.extraction.library import extractor, radiomics
from pipeline.extraction.maps.kernels import kernels
from pipeline.extraction.maps.names import CLASSES, Mapped, mapped_features
from pipeline.extraction.params import Parameters

logger = logging.getLogger("vertebromics")

#: Largest radius of a neighbourhood, in voxels: 7 x 7 x 7 of them.
MOST_RADIUS = 3

#: How the names of images begin where that is not the image type in small letters.
PREFIXES = {"LoG": "log-", "LBP2D": "lbp-2D", "LBP3D": "lbp-3D"}


def feature_maps(
    crop: Crop,
    params: Parameters,
    names: Sequence[str],
    *,
    radius: int = 1,
    engine: str = ENGINES[0],
) -> dict[str, np.ndarray]:
    """Return the values of features in the neighbourhood of each voxel of a region.

    A neighbourhood is the cube of ``2 radius + 1`` voxels a side around a voxel (a square with
    ``force2D``), of which only the region's own voxels count (``maskedKernel: true`` of
    PyRadiomics' voxel mode). Grey values are put into bins once, over the whole region.

    Parameters
    ----------
    crop : Crop
        From the store or `pipeline.extraction.load_crop`, made with the same parameters.
    params : Parameters
        Of the extraction.
    names : sequence of str
        Features by their full names.
    radius : int, default=1
        In voxels of the resampled grid, from 1 to `MOST_RADIUS`; 1 is PyRadiomics' default.
    engine : {'fast', 'pyradiomics'}
        Who computes. A weighted GLCM or GLRLM (``weightingNorm``) is computed by PyRadiomics.

    Returns
    -------
    dict of str to numpy.ndarray
        float64 of shape (z, y, x), on the grid of `crop.image`; NaN outside the region, and where
        a feature is undefined.

    Raises
    ------
    StudyError
        If a feature has no map.
    ValueError
        If the radius is not allowed, or there is no such engine.
    CaseError
        If PyRadiomics refuses the region, or makes no image of it.

    References
    ----------
    .. [1] PyRadiomics' documentation, "Voxel-based extraction":
       https://pyradiomics.readthedocs.io/en/latest/usage.html#voxel-based-extraction
    """
    wanted = mapped_features(list(names), params)
    if radius not in range(1, MOST_RADIUS + 1):
        raise ValueError(f"a neighbourhood's radius is from 1 to {MOST_RADIUS} voxels: {radius}")
    if engine not in ENGINES:
        raise ValueError(f"the engine of the maps is one of {', '.join(ENGINES)}: {engine}")
    maps = {}
    for image, name, region, settings in _filtered(crop, params, {m.image for m in wanted}):
        shape = sitk.GetArrayViewFromImage(region).shape
        places = np.flatnonzero(sitk.GetArrayViewFromImage(region))
        of_image = [m for m in wanted if m.image == name]
        for feature_class in dict.fromkeys(m.feature_class for m in of_image):
            of_class = [m for m in of_image if m.feature_class == feature_class]
            slow = engine == "pyradiomics" or _why_not(feature_class, settings)
            compute = _by_library if slow else _by_kernels
            if slow and engine == "fast":
                logger.info("%s was mapped by PyRadiomics: %s", feature_class, slow)
            found = compute(image, region, settings, feature_class, of_class, radius)
            for mapped, values in found.items():
                flat = np.full(np.prod(shape), np.nan)
                flat[places] = values
                maps[mapped.name] = flat.reshape(shape)
    check_complete(maps, [mapped.name for mapped in wanted])
    return {mapped.name: maps[mapped.name] for mapped in wanted}


def _why_not(feature_class: str, settings: dict) -> str | None:
    """Return why PyRadiomics has to map a class, None where the kernels do."""
    if feature_class in ("glcm", "glrlm") and settings.get("weightingNorm") is not None:
        return "weightingNorm is set"
    return None


def _filtered(
    crop: Crop, params: Parameters, images: set[str]
) -> Iterator[tuple[sitk.Image, str, sitk.Image, dict]]:
    """Yield the filtered images that are wanted, each with its name, region and settings."""
    library, operations = extractor(params), radiomics().imageoperations
    settings, region = library.settings, crop.mask
    try:
        if settings.get("resegmentRange") is not None:
            region = operations.resegmentMask(crop.image, region, **settings)
            operations.checkMask(crop.image, region, **settings)
        for image_type, changes in library.enabledImagetypes.items():
            prefix = PREFIXES.get(image_type, image_type.lower())
            if not any(name.startswith(prefix) for name in images):
                continue
            make = getattr(operations, f"get{image_type}Image")
            for image, name, changed in make(crop.image, region, **{**settings, **changes}):
                if name in images:
                    yield image, name, region, changed
    except ValueError as error:
        raise CaseError(
            "PyRadiomics must be able to compute every feature of the region",
            found=" ".join(str(error).split()),
            remedy="look at the mask on the page of the preflight; correct it, or set "
            "on_bad_case: exclude",
            code="feature-not-computable",
        ) from error


def _by_kernels(
    image: sitk.Image,
    mask: sitk.Image,
    settings: dict,
    feature_class: str,
    wanted: Sequence[Mapped],
    radius: int,
) -> dict[Mapped, np.ndarray]:
    """Return the values of the region's voxels, in the order of memory."""
    voxels = sitk.GetArrayViewFromImage(image)
    region = Region(sitk.GetArrayViewFromImage(mask) != 0, mask.GetSpacing())
    binned = BinnedImage(voxels, region, settings)
    layout = region.layout(settings)
    radii = [radius] * 3
    if settings.get("force2D", False):
        radii[int(settings.get("force2Ddimension", 0))] = 0
    shape = tuple(side + 2 * radius for side in voxels.shape)
    within = tuple(slice(radius, radius + side) for side in voxels.shape)
    bins, grey = np.zeros(shape, np.int32), np.zeros(shape)
    inside = np.zeros(shape, bool)
    inside[within] = sitk.GetArrayViewFromImage(mask) != 0
    bins[inside], grey[inside] = binned.bins, binned.grey
    where = np.flatnonzero(inside)
    steps, directions = (
        np.ascontiguousarray(each, np.int32) for each in (layout.angles, layout.directions)
    )
    names = CLASSES[feature_class]
    values = np.empty((len(where), len(names)))
    found = np.zeros((len(where), len(steps)), np.uint8)
    kernels().voxelwise(
        list(CLASSES).index(feature_class), bins, grey, where, tuple(radii), steps, directions,
        bool(settings.get("symmetricalGLCM", True)), float(settings.get("gldm_a", 0)),
        float(settings.get("voxelArrayShift", 0)), values, found,
    )  # fmt: skip
    if feature_class == "firstorder":
        values[:, names.index("TotalEnergy")] *= float(np.multiply.reduce(region.spacing))
    if feature_class == "glcm" and len(steps) > 1:
        # PyRadiomics takes this one mean over all steps that any voxel has: none may lack here.
        lacking = found[:, found.any(axis=0)].min(axis=1, initial=1) == 0
        values[lacking, names.index("JointAverage")] = np.nan
    return {mapped: values[:, names.index(mapped.feature)] for mapped in wanted}


def _by_library(
    image: sitk.Image,
    mask: sitk.Image,
    settings: dict,
    feature_class: str,
    wanted: Sequence[Mapped],
    radius: int,
) -> dict[Mapped, np.ndarray]:
    """Return the same by PyRadiomics' voxel mode, called as its extractor calls it."""
    operations = radiomics().imageoperations
    box, _ = operations.checkMask(image, mask, **settings)
    part, region = operations.cropToTumorMask(image, mask, box, padDistance=radius)
    changed = {**settings, "voxelBased": True, "kernelRadius": radius, "maskedKernel": True}
    made = radiomics().getFeatureClasses()[feature_class](part, region, **changed)
    for mapped in wanted:
        made.enableFeatureByName(mapped.feature)
    with np.errstate(all="ignore"):
        found = made.execute()
    maps = {}
    for mapped in wanted:
        value = found[mapped.feature]
        onto = sitk.Resample(value, image, sitk.Transform(), sitk.sitkNearestNeighbor, np.nan)
        maps[mapped] = sitk.GetArrayViewFromImage(onto)[sitk.GetArrayViewFromImage(mask) != 0]
    return maps
