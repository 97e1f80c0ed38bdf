"""The formulas of the texture features, against the classes of PyRadiomics that define them."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from radiomics import getFeatureClasses

from pipeline.extraction.formulas.binning import BinnedImage
from pipeline.extraction.formulas.cooccurrence import glcm_features
from pipeline.extraction.formulas.matrices import Region
from pipeline.extraction.formulas.texture import TEXTURE_CLASSES, texture_features
from pipeline.extraction.formulas.tone_differences import LARGEST_COARSENESS
from pipeline.extraction.kernels import kernels

SPACING = (0.7, 0.8, 2.5)


def library_features(feature_class: str, image: np.ndarray, inside: np.ndarray, options: dict):
    """Return PyRadiomics' features of a region that fills its box."""
    volumes = [sitk.GetImageFromArray(array) for array in (image, inside.astype(np.uint8))]
    for volume in volumes:
        volume.SetSpacing(SPACING)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of the means of nothing that it takes
        found = getFeatureClasses()[feature_class](*volumes, **options).execute()
    values = {name: np.asarray(value).item() for name, value in found.items()}
    return pd.Series({name: complex(value).real for name, value in values.items()})


def own_features(feature_class: str, image: np.ndarray, inside: np.ndarray, options: dict):
    binned = BinnedImage(np.pad(image, 1), Region(np.pad(inside, 1), SPACING), options)
    return pd.Series(texture_features(feature_class, binned))


@pytest.mark.parametrize("feature_class", TEXTURE_CLASSES)
@settings(max_examples=60)
@given(
    shape=st.tuples(*[st.integers(1, 7)] * 3),
    bins=st.integers(1, 12),
    apart=st.sampled_from([25.0, 50.0, 500.0]),
    filled=st.sampled_from([0.05, 0.3, 0.8, 1.0]),
    distances=st.sampled_from([(1,), (1, 2), (2,), (3,)]),
    plane=st.sampled_from([None, None, 0, 1, 2]),
    symmetrical=st.booleans(),
    norm=st.sampled_from([None, None, "manhattan", "euclidean", "infinity", "no_weighting"]),
    alpha=st.sampled_from([0, 1, 3]),
    seed=st.integers(0, 10**6),
)
@example(  # levels independent but for rounding, in memory as deleting leaves it
    shape=(3, 7, 7), bins=2, apart=25.0, filled=0.8, distances=(1, 2), plane=None,
    symmetrical=False, norm=None, alpha=0, seed=886,
)  # fmt: skip
def test_features_are_those_of_the_library(
    feature_class, shape, bins, apart, filled, distances, plane, symmetrical, norm, alpha, seed
):
    rng = np.random.default_rng(seed)
    inside = rng.random(shape) < filled
    inside[0, 0, 0] = inside[-1, -1, -1] = True
    sides = [side for axis, side in enumerate(shape) if axis != plane]
    assume(max(sides) > min(distances))  # where no step fits both engines refuse the region
    image = rng.integers(0, bins, shape) * apart
    options = {
        "binWidth": 25, "distances": list(distances), "gldm_a": alpha, "weightingNorm": norm,
        "symmetricalGLCM": symmetrical, "force2D": plane is not None,
        "force2Ddimension": plane or 0,
    }  # fmt: skip
    theirs = library_features(feature_class, image, inside, options)
    found = own_features(feature_class, image, inside, options)
    assert set(found.index) == set(theirs.index)
    if feature_class == "glcm":
        # Third powers that cancel leave rounding of their own size.
        size = np.fmax(theirs["ClusterProminence"], 1) ** 0.75
        found["ClusterShade"], theirs["ClusterShade"] = (
            values["ClusterShade"] / size for values in (found, theirs)
        )
    for name, expected in theirs.items():
        assert found[name] == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True), name


@pytest.mark.parametrize("feature_class", TEXTURE_CLASSES)
def test_a_region_of_one_level_has_the_library_s_exceptions(feature_class):
    image, inside = np.full((4, 5, 6), 130.0), np.ones((4, 5, 6), bool)
    found = own_features(feature_class, image, inside, {"binWidth": 25})
    theirs = library_features(feature_class, image, inside, {"binWidth": 25})
    pd.testing.assert_series_equal(
        found[theirs.index], theirs, check_exact=False, rtol=1e-12, atol=1e-14
    )
    known = {
        "glcm": {"Correlation": 1, "MCC": 1, "Imc1": 0, "Imc2": 0, "JointEnergy": 1},
        "glrlm": {"GrayLevelVariance": 0},
        "glszm": {"ZonePercentage": 1 / 120, "ZoneVariance": 0},
        "gldm": {"GrayLevelVariance": 0},
        "ngtdm": {"Coarseness": LARGEST_COARSENESS, "Busyness": 0, "Contrast": 0, "Strength": 0},
    }
    for name, value in known[feature_class].items():
        assert found[name] == pytest.approx(value, abs=1e-14)


def test_voxels_without_neighbours_leave_the_pairs_undefined():
    inside = np.zeros((5, 5, 5), bool)
    inside[::4, ::4, ::4] = True
    image = np.arange(125.0).reshape(5, 5, 5) * 25
    found = own_features("glcm", image, inside, {"binWidth": 25, "distances": [1, 2]})
    assert found.isna().all()
    one_step = own_features("glcm", image, inside, {"binWidth": 25, "weightingNorm": "infinity"})
    assert one_step.isna().all()
    level = own_features("glcm", image * 0, inside, {"binWidth": 25})
    assert level.drop(["MCC", "InverseVariance"]).isna().all()
    assert level["MCC"] == 1  # PyRadiomics looks at the number of levels only


def test_pairs_of_two_levels_that_always_differ():
    p = np.array([[0, 0.5], [0.5, 0]])[..., None]
    found = glcm_features(p, np.array([1, 3]))
    expected = {
        "Autocorrelation": 3, "JointAverage": 2, "Contrast": 4, "DifferenceAverage": 2,
        "DifferenceVariance": 0, "Correlation": -1, "Id": 1 / 3, "Idm": 1 / 5, "Idn": 3 / 5,
        "Idmn": 9 / 13, "InverseVariance": 1 / 4, "JointEntropy": 1, "JointEnergy": 1 / 2,
        "Imc1": -1, "Imc2": math.sqrt(1 - math.exp(-2)), "MCC": 1, "SumAverage": 4,
        "SumEntropy": 0, "SumSquares": 1, "MaximumProbability": 1 / 2, "ClusterTendency": 0,
    }  # fmt: skip
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name


def test_kernels_refuse_arrays_that_do_not_fit():
    library, p, q = kernels(), np.zeros((2, 2, 3)), np.zeros((2, 2, 3))
    marginal, level = np.zeros((2, 3)), np.array([0, 4], np.int32)
    with pytest.raises(ValueError, match="do not fit p"):
        library.glcm_sums(p, level, np.zeros((9, 3)), np.zeros((4, 3)))
    with pytest.raises(ValueError, match="do not fit p"):
        library.glcm_sums(p, -level, np.zeros((9, 3)), np.zeros((5, 3)))
    with pytest.raises(ValueError, match="the same levels and steps"):
        library.glcm_products(p, marginal, marginal[:1], 0.0, q)
    with pytest.raises(TypeError, match="level must have 1 dimensions"):
        library.glcm_sums(p, level.astype(float), np.zeros((9, 3)), np.zeros((5, 3)))
