"""Features of small synthetic regions: equal to PyRadiomics' own run, in one piece or in two."""

from __future__ import annotations

import logging
import math
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pipeline.core.errors import CaseError, StudyError
from pipeline.extraction import (
    DEFAULT_ENGINE,
    Crop,
    extract_features,
    feature_names,
    features_of_crop,
    load_crop,
    load_params,
    open_scan,
    read_crop,
    write_crop,
)
from tests.support.commands import run_here
from tests.support.refusals import refusal

#: A few features of every kind: shape, grey values, matrices, filters.
SMALL = {
    "setting": {
        "normalize": True, "normalizeScale": 100, "removeOutliers": 3, "binWidth": 25,
        "resampledPixelSpacing": [1, 1, 1], "interpolator": "sitkBSpline", "padDistance": 5,
        "additionalInfo": False,
    },
    "imageType": {"Original": {}, "LoG": {"sigma": [1.0]}, "Wavelet": {}, "Gradient": {}},
    "featureClass": {
        "shape": ["MeshVolume", "Sphericity"], "firstorder": ["Mean", "Entropy"],
        "glcm": ["Correlation"], "glrlm": ["RunEntropy"], "glszm": ["ZoneEntropy"],
        "gldm": ["DependenceEntropy"], "ngtdm": ["Busyness"],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def params():
    return load_params(SMALL)


@pytest.fixture(scope="module")
def published(repository):
    return load_params(repository / "radiomics_params" / "ge2025.yaml")


def ct_and_mask(spacing=(0.8, 0.8, 3.0), size=(36, 34, 14), seed=1, rotation=None, label=1):
    """Return a textured volume in HU and an ellipsoid around its middle."""
    rng = np.random.default_rng(seed)
    shape = size[::-1]
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    inside = (grid**2).sum(axis=0) < 0.36
    values = rng.normal(-200, 150, shape) + 400 * inside
    ct = sitk.GetImageFromArray(np.round(values).astype(np.int16))
    mask = sitk.GetImageFromArray(inside.astype(np.uint8) * label)
    for image in (ct, mask):
        image.SetSpacing(spacing)
        image.SetOrigin((-31.25, 17.3, -402.7))
        if rotation is not None:
            image.SetDirection(rotation.as_matrix().ravel().tolist())
    return ct, mask


def plain(ct, mask, content, label=None) -> pd.Series:
    """Return what PyRadiomics itself computes in one go."""
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    warnings.filterwarnings("ignore", "the load_module", DeprecationWarning)  # of its pykwalify
    content = {**content, "setting": {**content["setting"], "additionalInfo": False}}
    values = RadiomicsFeatureExtractor(content).execute(ct, mask, label=label)
    return pd.Series({name: np.asarray(value).item() for name, value in values.items()})


def assert_equal(found: pd.Series, expected: pd.Series, engine: str) -> None:
    """Compare with a plain run: bit by bit where the library computes, else to the last digits."""
    if engine == "pyradiomics":
        pd.testing.assert_series_equal(found, expected, check_exact=True)
    else:
        pd.testing.assert_series_equal(found, expected, rtol=1e-9, atol=1e-12)


@pytest.fixture(params=["fast", "pyradiomics"])
def engine(request) -> str:
    return request.param


def test_all_published_features_equal_pyradiomics(published, engine):
    ct, mask = ct_and_mask()
    features = extract_features(ct, mask, published, engine=engine)
    assert features.shape == (1223,)
    assert features.notna().all()
    assert_equal(features, plain(ct, mask, published.content), engine)


@pytest.mark.parametrize(
    "change",
    [
        {"normalize": False},
        {"removeOutliers": None},
        {"resampledPixelSpacing": None},
        {"resampledPixelSpacing": None, "preCrop": True},
        {"resampledPixelSpacing": [2, 2, 0]},
        {"resegmentRange": [-1, 2], "resegmentMode": "sigma"},
        {"normalize": False, "resegmentRange": [0, 400], "resegmentShape": True},
        {"label": 3},
        {"correctMask": True, "geometryTolerance": 1.0e-3},
        {"additionalInfo": True},
        {"binWidth": 10, "distances": [1, 2], "weightingNorm": "euclidean"},
    ],
    ids=",".join,
)
def test_every_way_of_loading_equals_pyradiomics(change, engine):
    content = {**SMALL, "setting": {**SMALL["setting"], **change}}
    ct, mask = ct_and_mask(label=change.get("label", 1))
    features = extract_features(ct, mask, content, engine=engine)
    assert_equal(features, plain(ct, mask, content), engine)


def test_one_label_of_many_is_extracted(params, engine):
    ct, mask = ct_and_mask(label=29)
    array = sitk.GetArrayFromImage(mask)
    array[:3] = 7
    many = sitk.GetImageFromArray(array)
    many.CopyInformation(mask)
    features = extract_features(ct, many, params, label=29, engine=engine)
    assert_equal(features, plain(ct, many, SMALL, 29), engine)


def test_a_crop_comes_back_from_files_bit_by_bit(params, tmp_path):
    # An oblique geometry: NRRD alone would change its last bits.
    ct, mask = ct_and_mask(rotation=Rotation.from_euler("xyz", [11, -7, 23], degrees=True))
    crop = load_crop(ct, mask, params)
    write_crop(crop, tmp_path)
    again = read_crop(tmp_path)
    for before, after in zip(crop[:2], again[:2], strict=True):
        assert after.GetPixelID() == before.GetPixelID()
        assert after.GetSpacing() == before.GetSpacing()
        assert after.GetOrigin() == before.GetOrigin()
        assert after.GetDirection() == before.GetDirection()
        assert (sitk.GetArrayFromImage(after) == sitk.GetArrayFromImage(before)).all()
    assert again.clipped_share == crop.clipped_share
    pd.testing.assert_series_equal(
        features_of_crop(again, params).values,
        extract_features(ct, mask, params),
        check_exact=True,
    )
    assert_equal(extract_features(ct, mask, params), plain(ct, mask, SMALL), "fast")


def test_files_and_images_give_the_same(params, tmp_path):
    ct, mask = ct_and_mask()
    sitk.WriteImage(ct, tmp_path / "ct.nrrd")
    sitk.WriteImage(mask, tmp_path / "mask.nrrd")
    pd.testing.assert_series_equal(
        extract_features(tmp_path / "ct.nrrd", str(tmp_path / "mask.nrrd"), params),
        extract_features(ct, mask, params),
        check_exact=True,
    )


def test_the_crop_has_the_region_and_its_margin(params, engine):
    ct, mask = ct_and_mask()
    crop = load_crop(ct, mask, params, engine=engine)
    assert crop.image.GetPixelID() == sitk.sitkFloat64
    assert crop.mask.GetPixelID() == sitk.sitkUInt8
    assert crop.image.GetSpacing() == (1, 1, 1)
    inside = np.argwhere(sitk.GetArrayFromImage(crop.mask))
    shape = np.array(crop.mask.GetSize()[::-1])
    assert (inside.min(axis=0) >= 5).all()
    assert (shape - 1 - inside.max(axis=0) >= 5).all()
    # A fifth of the box along z is measured in 3 mm slices, so that the volumes agree within that.
    volume = sitk.GetArrayFromImage(mask).sum() * math.prod(mask.GetSpacing())
    assert len(inside) == pytest.approx(volume, rel=0.05)


def test_clipped_share_counts_the_region_beyond_the_limits(params, engine):
    ct, mask = ct_and_mask()
    array = sitk.GetArrayFromImage(ct)
    inside = np.argwhere(sitk.GetArrayFromImage(mask))
    for place in inside[:25]:
        array[tuple(place)] = 20000
    bright = sitk.GetImageFromArray(array)
    bright.CopyInformation(ct)
    assert load_crop(bright, mask, params, engine=engine).clipped_share == 25 / len(inside)
    scores = (sitk.GetArrayFromImage(ct) - sitk.GetArrayFromImage(ct).mean()) / np.std(
        sitk.GetArrayFromImage(ct), ddof=1
    )
    share = np.mean(np.abs(scores[tuple(inside.T)]) >= 3)
    assert 0 < share < 0.5
    assert load_crop(ct, mask, params, engine=engine).clipped_share == share
    unclipped = load_params({**SMALL, "setting": {**SMALL["setting"], "removeOutliers": None}})
    assert math.isnan(load_crop(bright, mask, unclipped, engine=engine).clipped_share)


def test_a_crop_without_limits_keeps_nan_in_its_file(params, tmp_path):
    ct, mask = ct_and_mask()
    write_crop(Crop(ct, mask, math.nan), tmp_path)
    assert math.isnan(read_crop(tmp_path).clipped_share)


def test_a_flipped_mask_is_resampled_on_its_own_grid_as_pyradiomics_does(params, engine):
    ct, mask = ct_and_mask()
    flipped = sitk.Flip(mask, [False, True, False])
    assert flipped.GetDirection() != mask.GetDirection()
    features = extract_features(ct, flipped, params, engine=engine)
    assert_equal(features, plain(ct, flipped, SMALL), engine)
    crop = load_crop(ct, flipped, params, engine=engine)
    straight = load_crop(ct, mask, params, engine=engine)
    assert crop.clipped_share == straight.clipped_share


@pytest.mark.parametrize(
    ("paint", "label", "code", "message"),
    [
        (
            [],
            None,
            "label-missing-in-mask",
            "voxels of the value 1. Found: an empty mask.*draw the region",
        ),
        (
            [(7, 17, 18)],
            5,
            "label-missing-in-mask",
            "voxels of the value 5. Found: only 1. Remedy: name the region",
        ),
        (
            [(7, 17, 18)],
            None,
            "region-too-narrow",
            "more than one voxel wide in at least 2 directions",
        ),
        (
            [(7, 17, x) for x in range(10, 20)],
            None,
            "region-too-narrow",
            "at least 2 directions. Found: .* in a box",
        ),
    ],
)
def test_a_region_that_is_none_is_refused_in_plain_words(
    params, paint, label, code, message, engine
):
    ct, mask = ct_and_mask(spacing=(1, 1, 1))
    array = np.zeros_like(sitk.GetArrayFromImage(mask))
    for place in paint:
        array[place] = 1
    drawn = sitk.GetImageFromArray(array)
    drawn.CopyInformation(mask)
    with refusal(code, CaseError, match=message):
        load_crop(ct, drawn, params, label=label, engine=engine)


def test_a_mask_without_background_is_refused(params, engine):
    ct, mask = ct_and_mask()
    with refusal("mask-without-background", CaseError, match="Found: the value 1 in every voxel"):
        load_crop(ct, mask * 0 + 1, params, engine=engine)


def test_a_region_thinner_than_the_grid_is_refused(params):
    ct, mask = ct_and_mask(spacing=(0.2, 0.2, 0.2))
    array = np.zeros_like(sitk.GetArrayFromImage(mask))
    array[5, 15, 15] = array[6, 16, 15] = array[5, 16, 16] = 1
    drawn = sitk.GetImageFromArray(array)
    drawn.CopyInformation(mask)
    with refusal("region-lost-on-grid", CaseError):
        load_crop(ct, drawn, params)


@pytest.mark.parametrize("feature_class", ["glcm", "gldm", "ngtdm"])
def test_a_region_smaller_than_every_distance_is_refused(feature_class, engine):
    array = np.zeros((8, 8, 8), np.uint8)
    array[3:5, 3:5, 3:5] = 1
    mask = sitk.GetImageFromArray(array)
    ct = sitk.GetImageFromArray(np.random.default_rng(0).normal(100, 50, array.shape))
    content = {
        "setting": {"binWidth": 25, "distances": [2, 3]},
        "imageType": {"Original": {}},
        "featureClass": {feature_class: None},
    }
    with refusal("region-narrower-than-distances", CaseError, match=r"distances \[2, 3\]"):
        extract_features(ct, mask, content, engine=engine)
    # Runs and zones go by neighbours at distance 1 whatever the file says.
    content["featureClass"] = {"glrlm": None, "glszm": None}
    assert len(extract_features(ct, mask, content, engine=engine)) == 32
    content["setting"] = {"binWidth": 25, "force2D": True, "minimumROIDimensions": 1}
    array[:] = 0
    array[2:6, 3, 3] = 1
    across_slices = sitk.GetImageFromArray(array)
    with refusal("region-narrower-than-distances", CaseError, match=r"distances \[1\]"):
        extract_features(ct, across_slices, content, engine=engine)


def test_a_region_outside_the_ct_is_refused(params, engine):
    ct, mask = ct_and_mask()
    mask.SetOrigin((400.0, 0.0, 0.0))
    with refusal("region-outside-ct", CaseError):
        load_crop(ct, mask, params, engine=engine)


def test_a_smallest_size_of_the_parameters_holds():
    ct, mask = ct_and_mask()
    content = {**SMALL, "setting": {**SMALL["setting"], "minimumROISize": 100_000}}
    with refusal(
        "region-too-small",
        CaseError,
        match=r"more than 100000 voxels \(minimumROISize\). Found: \d+",
    ):
        load_crop(ct, mask, load_params(content))


def test_a_ct_of_one_grey_value_is_refused(params, engine):
    ct, mask = ct_and_mask()
    with refusal("ct-constant", CaseError, match="Found: 0 in every voxel"):
        load_crop(ct * 0, mask, params, engine=engine)


def test_what_is_no_volume_is_refused(params, tmp_path):
    ct, mask = ct_and_mask()
    with refusal(
        "volume-not-scalar-3d",
        CaseError,
        match=r"CT must be a three-dimensional volume.*Found: 2 dim",
    ):
        load_crop(ct[:, :, 3], mask, params)
    with refusal("volume-not-scalar-3d", CaseError, match=r"mask must be.*2 numbers per voxel"):
        load_crop(ct, sitk.Compose(mask, mask), params)
    (tmp_path / "ct.txt").write_text("none")
    with refusal(
        "volume-of-unknown-kind", CaseError, match=r"name ending '\.txt'. In: ct\.txt\. Rem"
    ) as caught:
        load_crop(tmp_path / "ct.txt", mask, params)
    assert str(tmp_path) not in str(caught.value)


def test_a_mask_of_another_size_without_resampling(engine):
    ct, mask = ct_and_mask()
    small = {"imageType": {"Original": {}}, "featureClass": {"firstorder": ["Mean"]}}
    part = mask[1:, :, :]
    for setting in ({"label": 1}, {"label": 1, "preCrop": True}):
        with refusal("mask-off-grid-of-ct", CaseError, match="correctMask"):
            extract_features(ct, part, small | {"setting": setting}, engine=engine)
    corrected = small | {"setting": {"label": 1, "correctMask": True}}
    expected = extract_features(ct, mask, small | {"setting": {"label": 1}}, engine=engine)
    assert_equal(extract_features(ct, part, corrected, engine=engine), expected, engine)


def test_a_region_between_the_voxels_of_the_ct(engine):
    ct, _ = ct_and_mask()
    spacing = list(ct.GetSpacing())
    fine = sitk.Image([4 * n for n in ct.GetSize()], sitk.sitkUInt8)
    fine.SetSpacing([mm / 4 for mm in spacing])
    fine.SetOrigin([start + mm / 8 for start, mm in zip(ct.GetOrigin(), spacing, strict=True)])
    fine[21:23, 21:23, 21:23] = 1
    content = {
        "imageType": {"Original": {}},
        "featureClass": {"firstorder": ["Mean"]},
        "setting": {"label": 1, "resampledPixelSpacing": spacing},
    }
    with refusal("region-lost-on-grid", CaseError):
        extract_features(ct, fine, content, engine=engine)


def test_a_filter_that_pyradiomics_would_skip_is_an_error(engine):
    # PyRadiomics leaves the columns out with a warning; a table cannot miss them for one case.
    content = {**SMALL, "imageType": {"Original": {}, "LoG": {"sigma": [40.0]}}}
    ct, mask = ct_and_mask()
    with refusal(
        "features-missing", CaseError, match=r"all 16 features.*7 missing, .*log-sigma-40-0-mm-3D"
    ):
        extract_features(ct, mask, content, engine=engine)


def test_a_mask_off_the_grid_without_resampling_is_refused(engine):
    content = {**SMALL, "setting": {**SMALL["setting"], "resampledPixelSpacing": None}}
    ct, mask = ct_and_mask()
    mask.SetSpacing((0.7, 0.8, 3.0))
    with refusal("feature-not-computable", CaseError, match="mismatch"):
        extract_features(ct, mask, content, engine=engine)


def test_undefined_features_are_nan(engine):
    # One grey value in the region: no variance, no correlation.
    ct, mask = ct_and_mask(spacing=(1, 1, 1))
    array = sitk.GetArrayFromImage(ct)
    array[sitk.GetArrayFromImage(mask) == 1] = 100
    flat = sitk.GetImageFromArray(array)
    flat.CopyInformation(ct)
    content = {
        "setting": {}, "imageType": {"Original": {}}, "featureClass": {"firstorder": None},
    }  # fmt: skip
    features = extract_features(flat, mask, content, engine=engine)
    assert features["original_firstorder_Skewness"] == 0
    assert features.index.tolist() == feature_names(load_params(content))


@settings(max_examples=8)
@given(st.integers(0, 10**6), st.sampled_from([(0.7, 0.7, 3.0), (0.5, 0.9, 1.5), (1.5, 1.5, 1.5)]))
def test_normalising_once_for_several_masks_changes_nothing(seed, spacing):
    params = load_params(SMALL)
    ct, mask = ct_and_mask(spacing=spacing, seed=seed)
    scan = open_scan(ct, params)
    first = scan.crop(mask)
    second = scan.crop(sitk.BinaryErode(mask, [1, 1, 0]))
    assert_equal(features_of_crop(first, params).values, plain(ct, mask, SMALL), "fast")
    assert second.mask.GetSize() != first.mask.GetSize()


def test_the_log_keeps_to_warnings_that_matter(params, caplog):
    ct, mask = ct_and_mask()
    with caplog.at_level(logging.DEBUG):
        extract_features(ct, mask, params)
    assert [record for record in caplog.records if record.name.startswith("radiomics")] == []


def test_the_command_prints_and_writes_csv(tmp_path):
    # Without normalising: statistics of a whole volume depend on the threads in their last bit.
    params = {**SMALL, "setting": {**SMALL["setting"], "normalize": False}}
    ct, mask = ct_and_mask(label=4)
    sitk.WriteImage(ct, tmp_path / "ct.nrrd")
    sitk.WriteImage(mask, tmp_path / "mask.nrrd")
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    given = ["ct.nrrd", "mask.nrrd", "--params", "p.yaml", "--label", "4"]
    base = [sys.executable, "-m", "pipeline.extraction", *given]
    printed = subprocess.run(base, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert run_here("pipeline.extraction", *given, "--out", "f.csv", cwd=tmp_path).returncode == 0
    assert (tmp_path / "f.csv").read_text() == printed.stdout
    table = pd.read_csv(tmp_path / "f.csv", index_col="feature", float_precision="round_trip")
    expected = extract_features(ct, mask, params, label=4)
    pd.testing.assert_series_equal(
        table["value"], expected, check_names=False, check_exact=True, check_index_type=False
    )
    refused = run_here("pipeline.extraction", *given[:-1], "9", cwd=tmp_path)
    assert refused.returncode == 1
    assert "voxels of the value 9. Found: only 4" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_several_masks_of_one_ct_stand_side_by_side(tmp_path, params):
    ct, mask = ct_and_mask()
    smaller = sitk.BinaryErode(mask, [1, 1, 0])
    for name, image in {"ct": ct, "a": mask, "b": smaller}.items():
        sitk.WriteImage(image, tmp_path / f"{name}.nrrd")
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(SMALL))
    given = ["ct.nrrd", "a.nrrd", "b.nrrd", "--params", "p.yaml", "--engine", DEFAULT_ENGINE]
    done = run_here("pipeline.extraction", *given, "--out", "f.csv", cwd=tmp_path)
    assert done.returncode == 0
    table = pd.read_csv(tmp_path / "f.csv", index_col="feature", float_precision="round_trip")
    assert table.columns.tolist() == ["value_1", "value_2"]
    for column, drawn in zip(table, (mask, smaller), strict=True):
        expected = extract_features(ct, drawn, params)
        assert table[column].to_dict() == expected.to_dict()


def test_an_unknown_engine_is_refused(params):
    ct, mask = ct_and_mask()
    with refusal(
        "engine-unknown", StudyError, match=r"must be one of fast, pyradiomics. Found: pyradiomix"
    ):
        extract_features(ct, mask, params, engine="pyradiomix")
    with refusal("engine-unknown", StudyError, match="Found: other"):
        features_of_crop(load_crop(ct, mask, params), params, engine="other")
