"""Maps against PyRadiomics' voxel mode, and what must hold of them whatever the numbers."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

import pipeline.extraction.maps
from pipeline.core.errors import CaseError, MachineError, StudyError
from pipeline.core.installed.native_sources import sources_hash
from pipeline.extraction import load_params
from pipeline.extraction.crops import Crop
from pipeline.extraction.library import feature_names
from pipeline.extraction.maps import feature_maps, unit_of, why_no_map
from pipeline.extraction.maps.kernels import FOLDER, kernels
from pipeline.extraction.maps.names import mapped_features, parts_of
from tests.support.refusals import refusal as refused

#: Largest difference from PyRadiomics' voxel mode, relative, and absolute below 1.
TOLERANCE = 1e-6

NORMALISED = {"normalize": True, "normalizeScale": 100}


def crop(side: int = 8, seed: int = 0, margin: int = 4) -> Crop:
    """Return a lumpy ball of correlated noise on an oblique grid; thin parts stick out of it."""
    rng = np.random.default_rng(seed)
    shape = (side + 2 * margin,) * 3
    grey = rng.normal(0, 60, shape) + gaussian_filter(rng.normal(0, 400, shape), 1.5)
    apart = np.indices(shape) - (shape[0] - 1) / 2
    inside = ((apart**2).sum(axis=0) < (side / 2) ** 2) & (rng.random(shape) < 0.9)
    return crop_of(grey, inside)


def crop_of(grey: np.ndarray, inside: np.ndarray) -> Crop:
    image = sitk.GetImageFromArray(grey)
    image.SetSpacing((1.0, 1.2, 0.8))
    image.SetOrigin((-101.3, 33.7, 211.9))
    mask = sitk.GetImageFromArray(inside.astype(np.uint8))
    mask.CopyInformation(image)
    return Crop(image, mask, 0.0)


def parameters(images=("Original",), **changes):
    options = {"LoG": {"sigma": [2.0]}}
    return load_params(
        {
            "imageType": {name: options.get(name, {}) for name in images},
            "setting": {"binWidth": 40, **changes},
        }
    )


def mappable(params) -> list[str]:
    return [name for name in feature_names(params) if why_no_map(name) is None]


@pytest.mark.parametrize(
    ("radius", "images", "changes"),
    [
        (1, ("Original", "LoG"), {}),
        (2, ("Original",), {"distances": [1, 2], "gldm_a": 1, "symmetricalGLCM": False}),
        (1, ("Original",), {"force2D": True, "force2Ddimension": 1, "voxelArrayShift": 500}),
        (1, ("Wavelet",), {"resegmentRange": [-150, 400]}),
    ],
)
def test_maps_are_those_of_pyradiomics(radius, images, changes):
    params, case = parameters(images, **changes), crop()
    names = mappable(params)
    if images == ("Wavelet",):
        names = [name for name in names if name.startswith(("wavelet-LLH", "wavelet-HHH"))]
    ours = feature_maps(case, params, names, radius=radius)
    theirs = feature_maps(case, params, names, radius=radius, engine="pyradiomics")
    assert list(ours) == names
    for name in names:
        np.testing.assert_allclose(
            ours[name], theirs[name], rtol=TOLERANCE, atol=TOLERANCE, err_msg=name
        )
        assert np.isfinite(ours[name]).any(), name


def test_a_weighted_glcm_is_mapped_by_pyradiomics(caplog):
    params, case = parameters(weightingNorm="euclidean"), crop(5)
    with caplog.at_level("INFO", "vertebromics"):
        ours = feature_maps(case, params, ["original_glcm_Contrast"])
    assert "mapped by PyRadiomics: weightingNorm is set" in caplog.text
    theirs = feature_maps(case, params, ["original_glcm_Contrast"], engine="pyradiomics")
    np.testing.assert_array_equal(ours["original_glcm_Contrast"], theirs["original_glcm_Contrast"])


def test_there_is_no_value_outside_the_region():
    params, case = parameters(), crop()
    inside = sitk.GetArrayViewFromImage(case.mask) != 0
    for values in feature_maps(case, params, mappable(params)).values():
        assert values.shape == inside.shape
        assert np.isnan(values[~inside]).all()
    mean = feature_maps(case, params, ["original_firstorder_Mean"])["original_firstorder_Mean"]
    assert np.isfinite(mean[inside]).all()


def test_a_map_is_the_neighbourhoods_own_statistic():
    params, case = parameters(), crop()
    maps = feature_maps(case, params, ["original_firstorder_Mean", "original_firstorder_Maximum"])
    grey, inside = (sitk.GetArrayViewFromImage(each) for each in (case.image, case.mask))
    z, y, x = np.argwhere(inside)[inside.sum() // 2]
    box = tuple(slice(at - 1, at + 2) for at in (z, y, x))
    values = grey[box][inside[box] != 0]
    assert maps["original_firstorder_Mean"][z, y, x] == pytest.approx(values.mean(), rel=1e-12)
    assert maps["original_firstorder_Maximum"][z, y, x] == values.max()


@settings(deadline=None, max_examples=8)
@given(
    axes=st.permutations([0, 1, 2]),
    flips=st.tuples(*[st.booleans()] * 3),
    seed=st.integers(0, 10**6),
)
def test_a_turned_input_turns_its_map(axes, flips, seed):
    """Whatever quarter turn or mirror: directions come in opposite pairs, so that all agree."""
    params = parameters(("Original", "Gradient"))
    names = mappable(params)
    case = crop(6, seed, margin=2)
    case.image.SetSpacing((1.0, 1.0, 1.0))
    case.mask.SetSpacing((1.0, 1.0, 1.0))

    def turned(array: np.ndarray) -> np.ndarray:
        return np.flip(array.transpose(axes), [n for n, flip in enumerate(flips) if flip])

    after = crop_of(
        turned(sitk.GetArrayFromImage(case.image)), turned(sitk.GetArrayFromImage(case.mask))
    )
    after.image.SetSpacing((1.0, 1.0, 1.0))
    after.mask.SetSpacing((1.0, 1.0, 1.0))
    expected, found = feature_maps(case, params, names), feature_maps(after, params, names)
    for name in names:
        if name.endswith("Imc2"):
            continue  # its root turns rounding of 1e-16 into 1e-8, and sums run in another order
        np.testing.assert_allclose(
            found[name], turned(expected[name]), rtol=1e-9, atol=1e-9, err_msg=name
        )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("original_shape_MeshVolume", "a shape belongs to the whole region"),
        ("original_glcm_MCC", "PyRadiomics' voxel mode loses this feature"),
        ("original_glcm_Contrasts", "it is no feature of PyRadiomics that has a value at a voxel"),
        ("age", "it is no feature of PyRadiomics that has a value at a voxel"),
        ("wavelet-LLH_glcm_Contrast", "the parameter file does not ask for it"),
    ],
)
def test_a_feature_without_a_map_is_refused(name, why):
    with refused("feature-without-map", StudyError, match=f"{name}: {why}"):
        feature_maps(crop(4), parameters(), [name])


def test_an_image_that_pyradiomics_does_not_make_is_named():
    # LoG needs four voxels along each axis; PyRadiomics logs that and goes on.
    inside = np.zeros((2, 12, 12), bool)
    inside[:, 3:9, 3:9] = True
    flat = crop_of(np.random.default_rng(0).normal(0, 60, inside.shape), inside)
    with refused("features-missing", CaseError, match="log-sigma-2-0-mm-3D"):
        feature_maps(flat, parameters(("Original", "LoG")), ["log-sigma-2-0-mm-3D_firstorder_Mean"])


def test_radius_and_engine_are_looked_at():
    with pytest.raises(ValueError, match="radius is from 1 to 3 voxels: 4"):
        feature_maps(crop(4), parameters(), ["original_firstorder_Mean"], radius=4)
    with pytest.raises(ValueError, match="one of fast, pyradiomics: slow"):
        feature_maps(crop(4), parameters(), ["original_firstorder_Mean"], engine="slow")


def test_every_feature_of_pyradiomics_but_one_has_a_map():
    without = [name for name in feature_names(parameters()) if why_no_map(name) is not None]
    assert [name for name in without if "_shape_" not in name] == ["original_glcm_MCC"]


@pytest.mark.parametrize(
    ("name", "changes", "unit"),
    [
        ("original_firstorder_Mean", {}, "HU"),
        (
            "original_firstorder_Mean",
            {"normalize": True, "normalizeScale": 100},
            "normalised grey values",
        ),
        ("original_firstorder_TotalEnergy", {}, "(HU) squared x mm3"),
        ("original_firstorder_Entropy", {}, "bits"),
        ("gradient_firstorder_Range", {}, "grey values of the image gradient"),
        ("original_glcm_Contrast", {}, "no unit"),
    ],
)
def test_a_colour_bar_names_its_unit(name, changes, unit):
    params = parameters(("Original", "Gradient"), **changes)
    (mapped,) = mapped_features([name], params)
    assert mapped == parts_of(name)
    assert unit_of(mapped, params) == unit


def test_kernels_that_were_not_built_are_named(monkeypatch):
    kernels.cache_clear()
    monkeypatch.delattr(pipeline.extraction.maps, "_kernels", raising=False)
    monkeypatch.setitem(sys.modules, "pipeline.extraction.maps._kernels", None)
    with refused("kernels-missing", MachineError, match="A map needs its compiled kernels"):
        kernels()
    monkeypatch.undo()
    kernels.cache_clear()
    monkeypatch.setattr(kernels(), "SOURCES_HASH", "0123456789abcdef")
    kernels.cache_clear()
    with refused("kernels-outdated", MachineError):
        kernels()
    monkeypatch.undo()
    kernels.cache_clear()
    assert sources_hash(FOLDER) == kernels().SOURCES_HASH


def test_the_kernel_looks_at_what_it_is_given():
    where, out, found = np.array([13]), np.empty((1, 23)), np.zeros((1, 1), np.uint8)
    bins, grey = np.ones((3, 3, 3), np.int32), np.zeros((3, 3, 3))
    steps = np.array([[0, 0, 1]], np.int32)
    given = [1, bins, grey, where, (1, 1, 1), steps, steps, True, 0.0, 0.0, out, found]
    kernels().voxelwise(*given)
    for place, bad in [
        (0, 6), (2, np.zeros((3, 3, 2))), (3, np.array([12])), (4, (4, 1, 1)),
        (10, np.empty((1, 22))), (11, np.zeros((1, 2), np.uint8)),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match="do not fit"):
            kernels().voxelwise(*given[:place], bad, *given[place + 1 :])
    with pytest.raises(TypeError, match="bin must be a contiguous array of 3 dimensions"):
        kernels().voxelwise(1, bins.astype(float), *given[2:])
