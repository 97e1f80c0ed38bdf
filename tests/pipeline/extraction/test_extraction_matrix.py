"""The engines equal plain PyRadiomics on every case of the matrix (tests/extraction_matrix)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.comparison.agreement.equality import EQUALITY_LIMIT, relative_differences
from pipeline.core.errors import CaseError
from pipeline.extraction import ENGINES, extract_features, feature_names, load_params
from pipeline.extraction.params import library_versions
from pipeline.study.options.error_codes import said_in
from tests.extraction_matrix import CASES, REAL
from tests.extraction_matrix.comparison import (
    PlainError,
    engine_features,
    inputs,
    inputs_hash,
    origin,
    plain_features,
    plain_values,
    refuses,
    stored_features,
)
from tests.extraction_matrix.drawn_cases import drawn_case
from tests.extraction_matrix.parameters import PARAMETERS, STEPS
from tests.extraction_matrix.volumes import VOXEL_TYPES
from tests.support.refusals import refusal

#: Warnings of the library: its bin edges overflow in volumes of single bytes, its import is old.
pytestmark = [
    pytest.mark.filterwarnings("ignore:overflow encountered in scalar:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:Please import `map_coordinates`:DeprecationWarning"),
]

YIELDING = [name for name, case in CASES.items() if not case.refused]
REFUSED = [name for name, case in CASES.items() if case.refused]


@pytest.fixture
def case(request, testdata_of):
    return testdata_of(CASES[request.param])


@pytest.fixture
def testdata_of(request):
    """Return a function that skips a real case without its data."""

    def need(case):
        if case.real:
            request.getfixturevalue("testdata")
        return case

    return need


#: What the extraction refuses of a CT and a region.
ROOMS = ("pipeline/extraction/", "pipeline/imaging/")
OF_EXTRACTION = {one.code for one in said_in() if one.place.startswith(ROOMS)}


def assert_equal(found: pd.Series, expected: pd.Series) -> None:
    assert list(found.index) == list(expected.index)
    differences = relative_differences(found, expected)
    far = differences[~(differences <= EQUALITY_LIMIT)].sort_values(ascending=False)
    lines = [
        f"{name}: {value:.2e}, {found[name]!r} for {expected[name]!r}"
        for name, value in far.head(5).items()
    ]
    assert not len(far), f"{len(far)} of {len(found)} features:\n" + "\n".join(lines)


@pytest.mark.parametrize("case", YIELDING, indirect=True)
def test_the_fast_engine_equals_the_stored_plain_values(case):
    pair = inputs(case)
    assert inputs_hash(pair) == origin()["cases"][case.name]["inputs"]
    assert_equal(engine_features(case, pair, "fast")[0], stored_features(case))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", REFUSED, indirect=True)
def test_a_bad_region_is_refused_by_every_engine(case, engine):
    assert refuses(case, engine) is None


@pytest.mark.slow
@pytest.mark.parametrize("case", YIELDING, indirect=True)
def test_the_library_and_all_engines_agree_when_computed_anew(case):
    pair = inputs(case)
    expected = plain_features(case, pair)
    assert_equal(expected, stored_features(case))
    for engine in ENGINES:
        assert_equal(engine_features(case, pair, engine)[0], expected)


@pytest.mark.slow
@pytest.mark.parametrize("case", REFUSED, indirect=True)
def test_the_library_refuses_what_it_refused(case):
    error = origin()["cases"][case.name]["error"]
    if error is None:
        assert case.plain_goes_on
        assert_equal(plain_features(case, inputs(case)), stored_features(case))
        return
    with pytest.raises(PlainError) as caught:
        plain_features(case, inputs(case))
    assert str(caught.value) == error


def compare_drawn(number: int) -> None:
    """Compare a drawn case; what one of both refuses, the other has to refuse or leave out."""
    pair, params = drawn_case(number)
    try:
        expected = plain_values(pair, params)
    except PlainError:
        with pytest.raises(CaseError) as refused:
            extract_features(*pair, params, engine="fast")
        assert refused.value.code in OF_EXTRACTION
        return
    if len(expected) < len(feature_names(load_params(params))):
        # PyRadiomics leaves out a filter for which the crop is too small.
        with refusal("features-missing", CaseError):
            extract_features(*pair, params, engine="fast")
        return
    found = extract_features(*pair, params, engine="fast")
    assert_equal(found, expected)


@pytest.mark.parametrize("number", range(16))
def test_drawn_cases_equal_the_library(number):
    compare_drawn(number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(16, 600))
def test_many_drawn_cases_equal_the_library(number):
    compare_drawn(number)


def test_the_stored_values_are_those_of_the_installed_libraries():
    assert origin()["versions"] == library_versions()
    assert set(origin()["cases"]) == set(CASES)


def test_the_matrix_is_as_wide_as_it_claims():
    assert len(CASES) >= 270
    assert len(REAL) >= 15
    used = {case.params for case in CASES.values()}
    assert used == set(PARAMETERS)
    assert len(used) >= 70


def test_the_comparison_can_fail():
    # A grey value of one voxel in the middle of the region moves most features.
    case = CASES["31 voxels, HU"]
    image, mask = inputs(case)
    image[17, 16, 7] = image[17, 16, 7] + 30
    found = engine_features(case, (image, mask), "fast")[0]
    differences = relative_differences(found, stored_features(case))
    assert (differences > EQUALITY_LIMIT).mean() > 0.5
    with pytest.raises(AssertionError, match=r"\d+ of 200 features:"):
        assert_equal(found, stored_features(case))


def test_differences_are_relative_with_a_floor_near_zero():
    expected = pd.Series({"a": 100.0, "b": -4e-15, "c": np.nan, "d": np.inf, "e": np.nan, "f": 1})
    found = pd.Series({"a": 100.001, "b": 3e-15, "c": np.nan, "d": np.inf, "e": 0.0, "f": np.inf})
    differences = relative_differences(found, expected)
    assert differences["a"] == pytest.approx(1e-5)
    assert differences["b"] == pytest.approx(7e-9)
    assert differences[["c", "d"]].tolist() == [0, 0]
    assert differences[["e", "f"]].tolist() == [np.inf, np.inf]
    with pytest.raises(ValueError, match="same features in the same order"):
        relative_differences(found[::-1], expected)


def test_every_voxel_type_meets_every_combination_of_steps():
    for dtype in VOXEL_TYPES:
        for steps in STEPS:
            assert CASES[f"{dtype.__name__}: {steps}"].params == steps
    drawn = [drawn_case(number) for number in range(200)]
    types = {pair[0].GetPixelID() for pair, _ in drawn}
    assert len(types) == len(VOXEL_TYPES)
    settings = [params["setting"] for _, params in drawn]
    for normalised in (True, False):
        chosen = [one for one in settings if one.get("normalize", False) == normalised]
        assert {"resampledPixelSpacing" in one for one in chosen} == {True, False}
        assert {"preCrop" in one for one in chosen} == {True, False}
