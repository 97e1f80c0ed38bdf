"""The parts of the fast engine, each against what it stands in for."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from radiomics import cMatrices, firstorder, imageoperations
from scipy.spatial.transform import Rotation

from pipeline.core.errors import CaseError, MachineError
from pipeline.core.installed.native_sources import sources_hash
from pipeline.extraction import extract_features, features_of_crop, load_crop, load_params
from pipeline.extraction import kernels as module_of_kernels
from pipeline.extraction.fast import FastScan
from pipeline.extraction.formulas import binning
from pipeline.extraction.formulas.binning import BinnedImage
from pipeline.extraction.formulas.firstorder import first_order
from pipeline.extraction.formulas.matrices import Region, count
from pipeline.extraction.kernels import kernels
from pipeline.extraction.resampling import (
    Scaling,
    Volume,
    new_spacing,
    resample_image,
    resample_region,
    resampling_grid,
)
from pipeline.imaging.geometry import Geometry
from tests.support.refusals import refusal

SETTINGS = {
    "normalize": True, "normalizeScale": 100, "removeOutliers": 3, "binWidth": 25,
    "resampledPixelSpacing": [1, 1, 1], "interpolator": "sitkBSpline", "padDistance": 5,
}  # fmt: skip


def volume(array: np.ndarray, spacing=(1.0, 1.0, 1.0), direction=None) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(mm) for mm in spacing])
    image.SetOrigin((-101.3, 33.7, 211.9))
    if direction is not None:
        image.SetDirection(np.ravel(direction).tolist())
    return image


def ct_and_mask(shape=(12, 14, 16), spacing=(0.8, 0.8, 2.5), dtype=np.int16, seed=0):
    rng = np.random.default_rng(seed)
    ct = volume(rng.normal(100, 60, shape).clip(0, 250).astype(dtype), spacing)
    drawn = np.zeros(shape, np.uint8)
    drawn[3:9, 4:10, 5:12] = rng.random((6, 6, 7)) < 0.9
    return ct, volume(drawn, spacing)


def parameters(**changes):
    return load_params(
        {
            "setting": {**SETTINGS, **changes},
            "imageType": {"Original": {}},
            "featureClass": {"shape": ["MeshVolume"], "firstorder": None, "glcm": ["Idm"]},
        }
    )


def directions(kind: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "oblique":
        return Rotation.random(random_state=seed).as_matrix()
    if kind == "turned":
        return np.eye(3)[rng.permutation(3)] * rng.choice([-1, 1], 3)
    return np.eye(3)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Keep ITK to one thread, as stages do: the order of a sum decides its last bit.

    With several threads the statistics of a volume of floats differ from call to call.
    """
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    yield
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


@settings(max_examples=40)
@given(
    size=st.tuples(*[st.integers(5, 40)] * 3),
    spacing=st.tuples(*[st.sampled_from([0.5, 0.7, 0.75, 1.5, 2.5, 0.9765625])] * 3),
    target=st.sampled_from([[1, 1, 1], [2, 2, 0]]),
    dtype=st.sampled_from(["int16", "uint8", "uint16", "int32", "float32", "float64"]),
    kind=st.sampled_from(["straight", "turned", "oblique"]),
    scaled=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_a_region_is_resampled_to_itks_last_bit(size, spacing, target, dtype, kind, scaled, seed):
    rng = np.random.default_rng(seed)
    shape = size[::-1]
    values = rng.normal(100, 300, shape)
    if dtype.startswith("u"):
        values = values.clip(0, 250)
    # Flat parts: there the last bit decides about the bin, or about the integer.
    values[values > np.quantile(values, 0.6)] = 200.0
    ct = volume(values.astype(dtype), spacing, directions(kind, seed))
    drawn = np.zeros(shape, np.uint8)
    low = [int(rng.integers(0, n - 2)) for n in shape]
    inside = tuple(slice(a, a + int(rng.integers(2, 20))) for a in low)
    drawn[inside] = rng.random(drawn[inside].shape) < 0.8
    drawn[tuple(low)] = drawn[tuple(a + 1 for a in low)] = 1
    mask = volume(drawn, spacing, directions(kind, seed))
    source, scaling = ct, None
    if scaled:
        source = imageoperations.normalizeImage(ct, normalizeScale=100, removeOutliers=1.5)
        statistics = sitk.StatisticsImageFilter()
        statistics.Execute(ct)
        scaling = Scaling(-statistics.GetMean(), 1 / statistics.GetSigma(), 1.5, 100.0)
    image, region = imageoperations.resampleImage(
        source, mask, resampledPixelSpacing=target, interpolator="sitkBSpline", padDistance=5
    )
    geometry = Geometry.of(mask)
    box = kernels().label_box(drawn, 1)
    if np.allclose(spacing, new_spacing(geometry, box, target)):
        return  # PyRadiomics crops instead
    grid = resampling_grid(geometry, box, target, 5)
    assert grid == Geometry.of(image)
    ours = resample_image(Volume(sitk.GetArrayViewFromImage(ct), geometry), grid, scaling)
    assert ours.GetPixelID() == image.GetPixelID()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(ours), sitk.GetArrayFromImage(image))
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(resample_region(Volume(drawn, geometry), 1, grid)),
        sitk.GetArrayFromImage(region),
    )


@pytest.mark.parametrize("axis", range(3))
def test_the_margin_is_wide_enough_for_the_last_bit(axis):
    # A spline coefficient depends on the whole volume; 48 voxels beyond the region decide its bits.
    shape = [8, 8, 8]
    shape[axis] = 260
    rng = np.random.default_rng(axis)
    array = np.where(rng.random(shape) < 0.3, 3071, rng.integers(-1024, 200, shape))
    ct = volume(array.astype(np.int16), (0.7, 0.7, 0.7))
    drawn = np.zeros(shape, np.uint8)
    middle = [slice(2, 6)] * 3
    middle[axis] = slice(120, 140)
    drawn[tuple(middle)] = 1
    mask = volume(drawn, (0.7, 0.7, 0.7))
    params = parameters()
    fast, plain = (load_crop(ct, mask, params, engine=name) for name in ("fast", "pyradiomics"))
    assert fast.engine == "fast"
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(fast.image), sitk.GetArrayFromImage(plain.image)
    )
    assert fast.normalisation == plain.normalisation
    assert fast.clipped_share == plain.clipped_share


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "float32"])
def test_statistics_are_itks_to_the_last_bit(dtype):
    rng = np.random.default_rng(3)
    limits = (-120, 120) if dtype == "int8" else (0, 255) if dtype == "uint8" else (0, 32000)
    ct = volume(rng.integers(*limits, (40, 60, 70)).astype(dtype))
    statistics = sitk.StatisticsImageFilter()
    statistics.Execute(ct)
    found = FastScan(ct, parameters()).normalisation
    assert (found.mean, found.sd) == (statistics.GetMean(), statistics.GetSigma())


@settings(max_examples=60)
@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    bins=st.integers(1, 9),
    filled=st.floats(0.1, 1.0),
    distances=st.sampled_from([(1,), (1, 2), (2,)]),
    plane=st.sampled_from([None, 0, 1, 2]),
    alpha=st.sampled_from([0, 1, 3]),
    seed=st.integers(0, 10**6),
)
def test_matrices_are_those_of_the_library(shape, bins, filled, distances, plane, alpha, seed):
    rng = np.random.default_rng(seed)
    inside = rng.random(shape) < filled
    inside[0, 0, 0] = inside[-1, -1, -1] = True
    # Where no step fits both engines end with the library's own error.
    sides = [side for axis, side in enumerate(shape) if axis != plane]
    assume(max(sides) > min(distances))
    image = rng.integers(0, bins, shape) * 50.0  # every second bin of 25 is empty
    options = {
        "binWidth": 25, "distances": list(distances), "gldm_a": alpha,
        "force2D": plane is not None, "force2Ddimension": plane or 0,
    }  # fmt: skip
    region = Region(np.pad(inside, 2), (1.0, 1.0, 1.0))
    binned = BinnedImage(np.pad(image, 2), region, options)
    found = count(binned.layout, binned.levels, binned.values, alpha)
    box = tuple(slice(side.start - 2, side.stop - 2) for side in region.box)
    matrix, _ = imageoperations.binImage(image, inside, **options)
    matrix, mask = np.ascontiguousarray(matrix[box]), np.ascontiguousarray(inside[box])
    levels = np.unique(matrix[mask])
    assert binned.values.tolist() == levels.tolist()
    ng, where = int(levels[-1]), (options["force2D"], options["force2Ddimension"])
    rows = levels - 1
    steps = np.array(distances)
    glcm, angles = cMatrices.calculate_glcm(matrix, mask, steps, ng, *where)
    assert (binned.layout.angles == angles).all()
    np.testing.assert_array_equal(found.glcm, glcm[0][np.ix_(rows, rows)])
    longest = max(matrix.shape)
    glrlm, _ = cMatrices.calculate_glrlm(matrix, mask, ng, longest, *where)
    np.testing.assert_array_equal(found.glrlm, glrlm[0][rows])
    glszm = cMatrices.calculate_glszm(matrix, mask, ng, int(mask.sum()), *where)[0][rows]
    sizes = np.flatnonzero(glszm.sum(axis=0))
    np.testing.assert_array_equal(found.zone_sizes, sizes + 1)
    np.testing.assert_array_equal(found.glszm, glszm[:, sizes])
    gldm = cMatrices.calculate_gldm(matrix, mask, steps, ng, alpha, *where)[0][rows]
    width = min(gldm.shape[1], found.gldm.shape[1])
    np.testing.assert_array_equal(found.gldm[:, :width], gldm[:, :width])
    assert found.gldm.sum() == gldm.sum()
    ngtdm = cMatrices.calculate_ngtdm(matrix, mask, steps, ng, *where)[0][rows]
    np.testing.assert_allclose(found.ngtdm, ngtdm[:, :2], rtol=1e-13, atol=1e-13)


@given(
    values=st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=50),
    low=st.integers(-20, 20),
    bins=st.integers(2, 60),
    width=st.sampled_from([0.1, 1.0, 25.0]),
)
def test_bins_are_those_of_numpy_on_the_edges_too(values, low, bins, width):
    edges = np.arange(low * width, low * width + bins * width, width)
    values = np.concatenate([values, edges, np.nextafter(edges, -np.inf), edges + width / 3])
    found = np.empty(len(values), np.int32)
    kernels().bin_values(values, edges, found)
    np.testing.assert_array_equal(found, np.digitize(values, edges))


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("shift", [0, 2000])
def test_first_order_features_are_those_of_the_library(flat, shift):
    rng = np.random.default_rng(5)
    image = np.full((9, 10, 11), 0.1) if flat else rng.normal(-30, 100, (9, 10, 11))
    inside = rng.random(image.shape) < 0.5
    spacing = (0.7, 0.8, 2.5)
    options = {"binWidth": 25, "voxelArrayShift": shift}
    found = first_order(BinnedImage(image, Region(inside, spacing), options))
    theirs = firstorder.RadiomicsFirstOrder(
        volume(image, spacing), volume(inside.astype(np.uint8), spacing), **options
    )
    theirs._initCalculation()
    assert set(found) == set(theirs.featureNames)
    for name, value in found.items():
        expected = getattr(theirs, f"get{name}FeatureValue")()
        assert value == pytest.approx(np.asarray(expected).item(), rel=1e-12, abs=1e-15), name


HANDED_OVER = {
    "the interpolator sitkLinear": {"interpolator": "sitkLinear"},
    "preCrop without resampling": {"resampledPixelSpacing": None, "preCrop": True},
}


@pytest.mark.parametrize("reason", HANDED_OVER)
def test_what_the_settings_ask_for_is_handed_over_with_the_reason(reason):
    ct, mask = ct_and_mask()
    params = parameters(**HANDED_OVER[reason])
    crop = load_crop(ct, mask, params, engine="fast")
    assert (crop.engine, crop.reason) == ("pyradiomics", reason)
    found = features_of_crop(crop, params, engine="fast")
    assert found.engine == "fast"
    expected = extract_features(ct, mask, params, engine="pyradiomics")
    np.testing.assert_allclose(found.values, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("pad", [0, 3, 40])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_a_ct_of_the_spacing_asked_for_is_cut_out(dtype, normalize, pad):
    ct, mask = ct_and_mask(dtype=dtype)
    # Not to the last digit: a NIfTI keeps its spacing as float32.
    near = [0.8, 0.8 + 1e-7, 2.5]
    setting = {"resampledPixelSpacing": near, "padDistance": pad, "normalize": normalize}
    crops = [
        load_crop(ct, mask, parameters(**setting), engine=engine)
        for engine in ("fast", "pyradiomics")
    ]
    assert (crops[0].engine, crops[0].reason) == ("fast", None)
    for fast, plain in zip(crops[0][:2], crops[1][:2], strict=True):
        assert Geometry.of(fast) == Geometry.of(plain)
        assert fast.GetPixelID() == plain.GetPixelID()
        np.testing.assert_array_equal(*map(sitk.GetArrayFromImage, (fast, plain)))


def test_a_mask_on_a_grid_of_its_own_is_met_where_the_voxels_lie():
    ct, mask = ct_and_mask()
    fine = sitk.Image([2 * n for n in mask.GetSize()], sitk.sitkUInt8)
    fine.SetSpacing([mm / 2 for mm in mask.GetSpacing()])
    fine.SetOrigin(mask.GetOrigin())
    fine = sitk.Resample(mask, fine, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    params = parameters(resampledPixelSpacing=[0.8, 0.8, 2.5], padDistance=2)
    crops = [load_crop(ct, fine, params, engine=engine) for engine in ("fast", "pyradiomics")]
    assert crops[0].reason is None
    for fast, plain in zip(crops[0][:2], crops[1][:2], strict=True):
        assert Geometry.of(fast) == Geometry.of(plain)
        np.testing.assert_array_equal(*map(sitk.GetArrayFromImage, (fast, plain)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_a_ct_is_normalised_in_float64_whatever_its_type(dtype):
    ct, mask = ct_and_mask(dtype=dtype)
    params = parameters(normalize=True, removeOutliers=2, resampledPixelSpacing=None)
    crops = [load_crop(ct, mask, params, engine=engine) for engine in ("fast", "pyradiomics")]
    for crop in crops:
        assert crop.image.GetPixelID() == sitk.sitkFloat64
    np.testing.assert_allclose(
        *[sitk.GetArrayFromImage(crop.image) for crop in crops], rtol=1e-13, atol=1e-13
    )
    assert crops[0].clipped_share == crops[1].clipped_share


def test_voxels_of_other_types_are_handed_over():
    ct, mask = ct_and_mask(dtype=np.int64)
    assert load_crop(ct, mask, parameters(), engine="fast").reason == "voxels of the type int64"
    ct, mask = ct_and_mask()
    wide = sitk.Cast(mask, sitk.sitkInt64)
    assert load_crop(ct, wide, parameters(), engine="fast").reason == "a mask of the type int64"


def test_a_ct_of_few_slices_is_handed_over():
    ct, mask = ct_and_mask()
    thin = load_crop(ct[:, :, 4:7], mask[:, :, 4:7], parameters(), engine="fast")
    assert thin.reason == "a CT of fewer than 4 voxels along an axis"


def test_a_mask_that_pyradiomics_has_to_correct_is_handed_over():
    ct, mask = ct_and_mask()
    part = mask[2:, :, :]
    params = parameters(resampledPixelSpacing=None, correctMask=True)
    crop = load_crop(ct, part, params, engine="fast")
    assert crop.reason == "a mask on a grid of its own without resampling"
    found = features_of_crop(crop, params, engine="fast")
    assert (found.engine, found.reason) == ("pyradiomics", "a mask on a grid of its own")
    expected = extract_features(ct, part, params, engine="pyradiomics")
    np.testing.assert_array_equal(found.values, expected)


def test_without_the_compiled_kernels_there_is_one_clear_error(monkeypatch):
    import pipeline.extraction

    kernels.cache_clear()
    monkeypatch.delattr(pipeline.extraction, "_kernels", raising=False)
    monkeypatch.setitem(sys.modules, "pipeline.extraction._kernels", None)
    ct, mask = ct_and_mask()
    with refusal(
        "kernels-missing",
        MachineError,
        match=r"compiled kernels.*make install.*engine: pyradiomics",
    ):
        load_crop(ct, mask, parameters(), engine="fast")
    assert load_crop(ct, mask, parameters(), engine="pyradiomics").engine == "pyradiomics"
    monkeypatch.undo()
    kernels.cache_clear()
    assert kernels().label_box(np.ones((1, 1, 1), np.uint8), 1) == (0,) * 6


@pytest.mark.parametrize("built", ["0123456789abcdef", None])
def test_kernels_of_other_sources_are_one_clear_error(monkeypatch, built):
    module = kernels()
    kernels.cache_clear()
    if built is None:
        monkeypatch.delattr(module, "SOURCES_HASH")
    else:
        monkeypatch.setattr(module, "SOURCES_HASH", built)
    ct, mask = ct_and_mask()
    found = rf"kernels of ({built}|an older version), sources of [0-9a-f]{{16}}"
    with refusal("kernels-outdated", MachineError, match=rf"{found}.*make install"):
        load_crop(ct, mask, parameters(), engine="fast")
    monkeypatch.undo()
    assert sources_hash(module_of_kernels.FOLDER) == kernels().SOURCES_HASH


def test_kernels_without_sources_beside_them_are_taken_as_they_are(monkeypatch, tmp_path):
    kernels.cache_clear()
    monkeypatch.setattr(module_of_kernels, "FOLDER", tmp_path)
    assert sources_hash(tmp_path) is None
    assert kernels().label_box(np.ones((1, 1, 1), np.uint8), 1) == (0,) * 6
    kernels.cache_clear()


def test_texture_kernels_refuse_arrays_that_do_not_fit():
    region = Region(np.ones((2, 3, 4), bool), (1.0, 1.0, 1.0))
    layout = region.layout({})
    levels = np.ones(region.size, np.uint16)
    assert count(layout, levels, np.array([3]), 0.0).zone_sizes == [24]
    with pytest.raises(ValueError, match="shapes of the matrices do not fit together"):
        count(layout, levels[1:], np.array([3]), 0.0)
    with pytest.raises(ValueError, match="an item for each set of directions"):
        kernels().zone_links(layout.direction_steps, np.zeros(13, np.uint16))
    with pytest.raises(TypeError, match="level must have 1 dimensions and one of the types H"):
        count(layout, levels.astype(np.int32), np.array([3]), 0.0)


def test_more_grey_levels_than_the_kernels_number_are_refused(monkeypatch):
    monkeypatch.setattr(binning, "MOST_LEVELS", 2)
    inside = np.ones((1, 2, 2), bool)
    binned = BinnedImage(
        np.array([[[0, 30], [60, 90]]]), Region(inside, (1.0,) * 3), {"binWidth": 25}
    )
    assert first_order(binned)["Maximum"] == 90
    with refusal(
        "grey-levels-too-many", CaseError, match=r"2 grey levels at most.*Found: 4.*larger binWidth"
    ):
        binned.levels  # noqa: B018


def test_kernels_refuse_arrays_of_another_form():
    library = kernels()
    mask = np.ones((2, 3, 4), np.uint8)
    grid = np.zeros((6, 3))
    with pytest.raises(TypeError, match="a volume must have 3 dimensions"):
        library.label_box(mask[0], 1)
    with pytest.raises(TypeError, match="voxels must have 3 dimensions and one of the types bBhH"):
        library.integer_sums(mask.astype(float))
    with pytest.raises(ValueError, match="starts and ends must be"):
        library.nearest_label(mask, 1, grid, grid[:2], np.empty((6, 4), np.uint8))
    with pytest.raises(ValueError, match="C-contiguous"):
        library.label_box(mask.transpose(), 1)
    with pytest.raises(ValueError, match="two edges"):
        library.bin_values(np.zeros(3), np.zeros(1), np.zeros(3, np.int32))
    with pytest.raises(ValueError, match=r"counts must be \(256\)"):
        library.cube_cases(mask, np.zeros(8), np.zeros((3, 256)))
    with pytest.raises(ValueError, match="a number for each index, and room for each voxel"):
        library.coordinates(mask, *(np.zeros(n) for n in mask.shape), np.zeros((3, 7)))
    with pytest.raises(ValueError, match="a number for each index"):
        library.coordinates(mask, *(np.zeros(3) for n in mask.shape), np.zeros((3, 24)))
    assert library.label_box(mask, 7) is None
