"""Negative controls: which voxels are mixed, and what stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extraction import features_of_crop, load_params, open_scan
from pipeline.extraction.controls import ControlledScan, mixed
from pipeline.tables.schemas.features.controls import KINDS

ONE_MM = {"binWidth": 25, "resampledPixelSpacing": [1, 1, 1], "padDistance": 4}
NORMALISED = ONE_MM | {"normalize": True, "normalizeScale": 100, "removeOutliers": 3}


def parameters(setting=ONE_MM):
    chosen = {"shape": ["MeshVolume"], "firstorder": ["Mean", "Variance"], "glcm": ["Contrast"]}
    return load_params(
        {"imageType": {"Original": {}}, "featureClass": chosen, "setting": dict(setting)}
    )


def ct_and_mask(spacing=(1.0, 1.0, 1.0), kind=np.int16, seed=0) -> tuple[sitk.Image, sitk.Image]:
    """Return a CT whose texture is a ramp, which shuffling destroys, and a mask amid."""
    rng = np.random.default_rng(seed)
    hu = 10.0 * np.arange(30) + rng.normal(0, 3, (26, 28, 30))
    inside = np.zeros(hu.shape, np.uint8)
    inside[7:19, 8:20, 9:21] = rng.random((12, 12, 12)) < 0.97
    images = [sitk.GetImageFromArray(each) for each in (hu.astype(kind), inside)]
    for image in images:
        image.SetSpacing(spacing)
    return images[0], images[1]


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), share=st.floats(0.1, 0.9), kind=st.sampled_from(KINDS))
def test_one_part_is_mixed_and_the_other_stays(seed, share, kind):
    rng = np.random.default_rng(seed)
    voxels = rng.integers(-1000, 3000, (6, 7, 8)).astype(np.int16)
    inside = rng.random(voxels.shape) < share
    out = mixed(voxels, inside, kind, seed)
    part = inside if kind.endswith("inside") else ~inside
    assert out.dtype == voxels.dtype
    np.testing.assert_array_equal(out[~part], voxels[~part])
    if kind.startswith("shuffled"):
        np.testing.assert_array_equal(np.sort(out[part]), np.sort(voxels[part]))
    else:
        assert np.isin(out[part], voxels[part]).all()
    np.testing.assert_array_equal(out, mixed(voxels, inside, kind, seed))


def test_another_seed_is_another_draw():
    voxels = np.arange(1000).reshape(10, 10, 10)
    inside = np.ones(voxels.shape, bool)
    draws = [mixed(voxels, inside, "shuffled_inside", seed) for seed in (1, 2)]
    assert (draws[0] != draws[1]).mean() > 0.9


@pytest.mark.parametrize("engine", ["fast", "pyradiomics"])
@pytest.mark.parametrize("setting", [ONE_MM, NORMALISED, {"binWidth": 25, "padDistance": 4}])
def test_shuffling_inside_keeps_shape_and_histogram_and_destroys_texture(engine, setting):
    params, (ct, mask) = parameters(setting), ct_and_mask()
    before = sitk.GetArrayFromImage(ct)
    scan = open_scan(ct, params, engine=engine)
    true = features_of_crop(scan.crop(mask, 1), params, engine=engine).values
    controlled = ControlledScan(scan)
    crop = controlled.crop(mask, 1, "shuffled_inside", 5)
    drawn = features_of_crop(crop, params, engine=engine).values
    # On a grid of the same spacing nothing is interpolated.
    for name in ("shape_MeshVolume", "firstorder_Mean", "firstorder_Variance"):
        assert drawn[f"original_{name}"] == pytest.approx(true[f"original_{name}"], rel=1e-9)
    assert drawn["original_glcm_Contrast"] > 3 * true["original_glcm_Contrast"]
    np.testing.assert_array_equal(sitk.GetArrayFromImage(ct), before)
    again = features_of_crop(controlled.crop(mask, 1, "shuffled_inside", 5), params).values
    np.testing.assert_allclose(again, drawn, rtol=1e-9)


def test_both_engines_draw_the_same():
    params, (ct, mask) = parameters(NORMALISED), ct_and_mask((0.8, 0.9, 1.5))
    for kind in KINDS:
        crops = [
            ControlledScan(open_scan(ct, params, engine=engine)).crop(mask, 1, kind, 7)
            for engine in ("fast", "pyradiomics")
        ]
        values = [sitk.GetArrayFromImage(crop.image) for crop in crops]
        np.testing.assert_allclose(values[0], values[1], rtol=1e-6, atol=1e-6)


def test_mixing_around_the_mask_leaves_the_region_as_it_is():
    params, (ct, mask) = parameters(), ct_and_mask()
    scan = open_scan(ct, params)
    true = scan.crop(mask, 1)
    for kind in ("shuffled_outside", "sampled_outside"):
        crop = ControlledScan(scan).crop(mask, 1, kind, 3)
        inside = sitk.GetArrayViewFromImage(crop.mask) != 0
        now, then = (sitk.GetArrayViewFromImage(each.image) for each in (crop, true))
        np.testing.assert_array_equal(now[inside], then[inside])
        assert (now[~inside] != then[~inside]).mean() > 0.9


def test_what_lies_around_reaches_into_the_region_where_it_is_resampled():
    params, (ct, mask) = parameters(), ct_and_mask((0.8, 0.8, 1.5))
    scan = open_scan(ct, params)
    true, crop = scan.crop(mask, 1), ControlledScan(scan).crop(mask, 1, "shuffled_outside", 3)
    inside = sitk.GetArrayViewFromImage(crop.mask) != 0
    now, then = (sitk.GetArrayViewFromImage(each.image)[inside] for each in (crop, true))
    assert np.abs(now - then).max() > 1
    assert np.median(np.abs(now - then)) < 5


def test_a_ct_that_the_fast_engine_does_not_read_is_mixed_too():
    params, (ct, mask) = parameters(NORMALISED), ct_and_mask(kind=np.int64)
    crop = ControlledScan(open_scan(ct, params)).crop(mask, 1, "shuffled_inside", 5)
    assert crop.engine == "pyradiomics"
    ordinary = ControlledScan(open_scan(sitk.Cast(ct, sitk.sitkInt16), params))
    expected = ordinary.crop(mask, 1, "shuffled_inside", 5)
    found = [sitk.GetArrayViewFromImage(each.image) for each in (crop, expected)]
    np.testing.assert_allclose(*found, rtol=1e-6, atol=1e-6)


def test_a_mask_of_another_grid_is_no_case_of_a_study():
    params, (ct, mask) = parameters(), ct_and_mask()
    mask.SetOrigin((0.5, 0, 0))
    with pytest.raises(ValueError, match="on the grid of its CT"):
        ControlledScan(open_scan(ct, params)).crop(mask, 1, "shuffled_inside", 1)
