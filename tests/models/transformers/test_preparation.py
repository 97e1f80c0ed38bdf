import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from models.transformers.columns import Predictor
from models.transformers.preparation import AdaptiveScaler, ClinicalEncoder, outlying
from pipeline.core.errors import StudyError
from tests.support.refusals import refusal


@parametrize_with_checks([AdaptiveScaler(), AdaptiveScaler("robust", outliers="mad")])
def test_steps_are_scikit_learn_estimators(estimator, check):
    check(estimator)


PREDICTORS = (
    Predictor("age", "Age", "continuous"),
    Predictor("cleft", "Cleft", "binary", ("no", "yes")),
    Predictor("shape", "Shape", "categorical", ("flat", "wedge", "crush")),
)


def test_encoder_writes_levels_against_the_first():
    X = pd.DataFrame(
        {
            "age": [60.0, np.nan, 80.0, 81.0],
            "cleft": ["yes", "yes", None, "no"],
            "shape": ["crush", "wedge", None, "wedge"],
        }
    )
    encoder = ClinicalEncoder(PREDICTORS).fit(X)
    out = encoder.transform(X)
    assert list(out.columns) == ["age", "cleft=yes", "shape=wedge", "shape=crush"]
    assert list(encoder.get_feature_names_out()) == list(out.columns)
    np.testing.assert_array_equal(out["age"], [60, np.nan, 80, 81])
    np.testing.assert_array_equal(out["cleft=yes"], [1, 1, 1, 0])
    np.testing.assert_array_equal(out["shape=wedge"], [0, 1, 1, 1])
    np.testing.assert_array_equal(out["shape=crush"], [1, 0, 0, 0])
    assert (out.dtypes == "float64").all()


def test_encoder_takes_the_columns_that_a_filter_left_and_breaks_ties_by_the_dictionary():
    X = pd.DataFrame({"cleft": ["yes", "no", None]}, dtype=object)
    encoder = ClinicalEncoder(PREDICTORS).fit(X)
    assert encoder.fill_ == {"cleft": "no"}
    assert list(encoder.transform(X).columns) == ["cleft=yes"]
    nothing = clone(encoder).fit(X[[]]).transform(X[[]])
    assert nothing.shape == (3, 0)


def test_indicators_tell_where_a_predictor_is_missing():
    X = pd.DataFrame({"age": [60.0, np.nan, 80.0], "cleft": ["yes", "no", None], "shape": "flat"})
    encoder = ClinicalEncoder(PREDICTORS, indicators=True).fit(X)
    out = encoder.transform(X)
    names = ["age", "age=(missing)", "cleft=yes", "cleft=(missing)", "shape=wedge", "shape=crush"]
    assert list(out.columns) == list(encoder.get_feature_names_out()) == names
    np.testing.assert_array_equal(out["age=(missing)"], [0, 1, 0])
    np.testing.assert_array_equal(out["cleft=(missing)"], [0, 0, 1])
    # Where training knew every value, nothing could be learned of a missing one.
    assert "shape=(missing)" not in encoder.transform(X.assign(shape=None))


def test_encoder_refuses_a_level_outside_the_dictionary():
    X = pd.DataFrame({"cleft": ["yes", "no"]})
    encoder = ClinicalEncoder(PREDICTORS).fit(X)
    with refusal("level-undescribed", StudyError, match=r"Found: maybe\. In: .*column cleft"):
        encoder.transform(pd.DataFrame({"cleft": ["maybe", None]}))


def test_scaler_chooses_by_the_distribution():
    rng = np.random.default_rng(0)
    normal = rng.normal(5, 2, 400)
    outlying = np.concatenate([rng.normal(0, 1, 340), np.tile([-3.6, 3.6], 30)])
    X = pd.DataFrame(
        {
            "normal": normal,
            "skewed": rng.lognormal(0, 1.5, 400),
            "outlying": outlying,
            "constant": 0.1 + 0.2,
            "rare": np.r_[np.zeros(395), np.ones(5)],
            "code": rng.integers(0, 2, 400),
        }
    )
    scaler = AdaptiveScaler(unscaled=("code", "absent")).fit(X)
    methods = dict(zip(X.columns, scaler.method_, strict=True))
    assert methods == {
        "normal": "z-score",
        "skewed": "robust",
        "outlying": "robust",
        "constant": "constant",
        "rare": "z-score",  # skewed, but without an interquartile range
        "code": "unscaled",
    }
    out = scaler.transform(X)
    assert out["normal"].mean() == pytest.approx(0, abs=1e-12)
    assert out["normal"].std(ddof=0) == pytest.approx(1)
    assert np.percentile(out["skewed"], [25, 50, 75]) @ [-1, 0, 1] == pytest.approx(1)
    assert out["skewed"].median() == pytest.approx(0, abs=1e-12)
    assert (out["constant"] == 0).all()
    np.testing.assert_array_equal(out["code"], X["code"])


def test_scaler_limits_are_the_configured_ones():
    X = np.random.default_rng(1).normal(size=(200, 1))
    assert AdaptiveScaler(max_kurtosis=1.0).fit(X).method_[0] == "robust"
    assert AdaptiveScaler(max_abs_skewness=0.0).fit(X).method_[0] == "robust"
    assert AdaptiveScaler(max_outlier_share=-1.0).fit(X).method_[0] == "robust"


def test_a_column_constant_in_training_stays_zero_elsewhere():
    scaler = AdaptiveScaler().fit(np.full((5, 1), 7.0))
    np.testing.assert_array_equal(scaler.transform(np.array([[7.0], [9.0]])), [[0.0], [0.0]])


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    shift=st.floats(-1e3, 1e3),
    scale=st.floats(1e-2, 1e2),
)
def test_scaling_undoes_units(seed, shift, scale):
    rng = np.random.default_rng(seed)
    X = rng.standard_t(3, size=(50, 3))
    ours = AdaptiveScaler().fit(X)
    other = AdaptiveScaler().fit(X * scale + shift)
    assert list(ours.method_) == list(other.method_)
    np.testing.assert_allclose(
        other.transform(X * scale + shift), ours.transform(X), atol=1e-6, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("zscore", ["z-score", "z-score", "constant"]),
        ("robust", ["robust", "robust", "constant"]),
        ("none", ["unscaled"] * 3),
    ],
)
def test_scaler_treats_every_column_alike_on_request(method, expected):
    rng = np.random.default_rng(2)
    X = np.column_stack([rng.normal(size=300), rng.lognormal(0, 2, 300), np.full(300, 4.0)])
    scaler = AdaptiveScaler(method).fit(X)
    assert list(scaler.method_) == expected
    if method == "none":
        np.testing.assert_array_equal(scaler.transform(X), X)


def test_the_choice_of_scaling_by_hand():
    """Moments on paper, divided by n.

    Nine zeros and a ten: mean 1, m2 = (9 * 1 + 81) / 10 = 9, m3 = (729 - 9) / 10 = 72, m4 =
    (6561 + 9) / 10 = 657: skewness 72 / 27 = 2.667, Pearson's kurtosis 657 / 81 = 8.111. -1 and 1
    four times each and four zeros: skewness 0, m2 = 8 / 12, kurtosis (8 / 12) / (8 / 12)^2 = 1.5.
    """
    spike, even = np.r_[np.zeros(9), 10.0][:, None], np.repeat([-1.0, 0, 1], 4)[:, None]
    loose = {"max_outlier_share": 1.0, "max_kurtosis": 99.0}
    for limit, method in ((2.66, False), (2.67, True)):
        scaler = AdaptiveScaler(max_abs_skewness=limit, **loose).fit(spike)
        assert scaler._bell_shaped(spike)[0] == method
    for limit, method in ((8.11, False), (8.12, True)):
        scaler = AdaptiveScaler(max_abs_skewness=9, max_outlier_share=1.0, max_kurtosis=limit)
        assert scaler.fit(spike)._bell_shaped(spike)[0] == method
    for limit, method in ((1.49, "robust"), (1.51, "z-score")):
        assert AdaptiveScaler(max_kurtosis=limit).fit(even).method_[0] == method
    # Robust: median 0 and quartiles -1 and 1; z-score: SD sqrt(2 / 3).
    robust = AdaptiveScaler("robust").fit(even)
    assert (robust.center_[0], robust.scale_[0]) == (0, 2)
    assert AdaptiveScaler("zscore").fit(even).scale_[0] == pytest.approx(np.sqrt(2 / 3))


def test_the_convention_of_the_kurtosis_moves_the_limit_by_three():
    X = np.random.default_rng(3).laplace(size=(4000, 1))  # excess 3: Pearson's is 6
    for limit, convention, method in (
        (5.0, "fisher", "z-score"),
        (5.0, "pearson", "robust"),
        (8.0, "pearson", "z-score"),
    ):
        scaler = AdaptiveScaler(max_kurtosis=limit, kurtosis=convention).fit(X)
        assert scaler.method_[0] == method


def test_outliers_by_hand():
    """Eleven values: quartiles 3.5 and 8.5 (fences -4 and 16), median 6, MAD 3, mean 9.09, SD 12.0.

    Tukey: 17 and 45 lie outside. Modified z-scores: 0.6745 * 11 / 3 = 2.47 and 0.6745 * 39 / 3 =
    8.77, so 45 alone. z-scores: (45 - 9.09) / 12.0 = 2.99, so none.
    """
    values = np.array([[1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 45]], dtype=float).T
    assert list(np.flatnonzero(outlying(values, "tukey"))) == [9, 10]
    assert list(np.flatnonzero(outlying(values, "mad"))) == [10]
    assert list(np.flatnonzero(outlying(values, "zscore"))) == []
    # Of n values none lies further off than (n - 1) / sqrt(n) SD: 2.85 of ten, 3.02 of eleven.
    alone = np.r_[np.zeros(10), 1.0][:, None]
    assert list(np.flatnonzero(outlying(alone, "zscore"))) == [10]
    assert not outlying(alone[1:], "zscore").any()


def test_where_most_values_are_one_every_other_is_an_outlier():
    values = np.r_[np.zeros(18), 1.0, 2.0][:, None]
    for rule in ("tukey", "mad"):
        assert list(np.flatnonzero(outlying(values, rule))) == [18, 19]


@pytest.mark.parametrize(
    ("option", "value"), [("method", "minmax"), ("kurtosis", "excess"), ("outliers", "iqr")]
)
def test_scaler_refuses_what_it_does_not_know(option, value):
    with refusal(
        "scaling-option-unknown",
        StudyError,
        match=rf"Found: {value}\. In: config key scaling\.{option}",
    ):
        AdaptiveScaler(**{option: value}).fit(np.zeros((3, 1)))
