import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.feature_selection import f_classif
from sklearn.utils.estimator_checks import parametrize_with_checks

from models.transformers.ccc_filter import CCCFilter
from models.transformers.columns import LEVEL, Predictor
from models.transformers.filters import (
    ClinicalFilter,
    MRMRFilter,
    WilcoxonFilter,
    mrmr_order,
)
from models.transformers.univariate import adjusted_p, chi_square_p, rank_sum_p
from pipeline.core.errors import StudyError
from tests.support.refusals import refusal

REFUSES_ONE_ROW = {"check_fit2d_1sample": "one row has one outcome: a StudyError says so"}


@parametrize_with_checks(
    [WilcoxonFilter(), MRMRFilter(k=2)], expected_failed_checks=lambda _: REFUSES_ONE_ROW
)
def test_filters_are_scikit_learn_estimators(estimator, check):
    check(estimator)


def readings(rng, n=60):
    """Two readers; `agree` agrees, `shifted` is shifted by reader B, `noise` does not agree."""
    agree, shifted, noise = rng.normal(size=(3, n))
    return pd.DataFrame(
        {
            "A:agree": agree,
            "A:shifted": shifted,
            "A:noise": noise,
            "A:flat": 1.0,
            "B:agree": agree + rng.normal(0, 0.1, n),
            "B:shifted": shifted + 1.0,
            "B:noise": rng.normal(size=n),
            "B:flat": 1.0,
        },
        index=[f"{i:03d}" for i in range(n)],
    )


NAMES = ("agree", "shifted", "noise", "flat")


def test_ccc_keeps_what_the_readers_agree_on_and_sees_a_shift():
    X = readings(np.random.default_rng(0))
    ccc = CCCFilter(("A", "B"), NAMES, "A", 0.85).fit(X)
    assert ccc.kept_ == ["agree"]
    # A shift of one SD between readers: 2 s / (2 s + 1), whatever their correlation of 1.
    variance = X["A:shifted"].var(ddof=0)
    assert ccc.ccc_["shifted"] == pytest.approx(2 * variance / (2 * variance + 1))
    assert np.isnan(ccc.ccc_["flat"])
    pd.testing.assert_series_equal(ccc.transform(X)["agree"], X["A:agree"], check_names=False)
    assert list(ccc.get_feature_names_out()) == ["agree"]


def test_ccc_hands_on_the_configured_reader_or_the_mean():
    X = readings(np.random.default_rng(1))
    b = CCCFilter(("A", "B"), NAMES, "B").fit_transform(X)
    mean = CCCFilter(("A", "B"), NAMES, "mean").fit_transform(X)
    np.testing.assert_array_equal(b["agree"], X["B:agree"])
    np.testing.assert_allclose(mean["agree"], (X["A:agree"] + X["B:agree"]) / 2)


def test_ccc_with_one_reader_passes_all_but_says_so():
    X = readings(np.random.default_rng(2)).filter(like="A:")
    X["A:noise"] = np.nan
    ccc = CCCFilter(("A",), NAMES, None).fit(X)
    assert ccc.skipped_
    assert ccc.ccc_.isna().all()
    assert ccc.kept_ == ["agree", "shifted", "flat"]


def test_ccc_of_three_readers_needs_every_pair():
    rng = np.random.default_rng(3)
    X = readings(rng)
    third = {f"C:{name}": X[f"A:{name}"] for name in NAMES} | {"C:agree": rng.normal(size=len(X))}
    ccc = CCCFilter(("A", "B", "C"), NAMES, "A").fit(X.assign(**third))
    assert ccc.kept_ == []
    assert ccc.transform(X.assign(**third)).shape == (len(X), 0)


def test_the_lower_limit_of_the_ccc_asks_how_sure_it_is():
    X = readings(np.random.default_rng(0))
    lower = CCCFilter(("A", "B"), NAMES, "A", 0.98, bound="lower")
    few = clone(lower).fit(X.iloc[:6])
    assert few.ccc_["agree"] >= 0.98 > few.ccc_low_["agree"]
    assert few.kept_ == []
    assert clone(lower).fit(X).kept_ == ["agree"]
    strict = clone(lower).set_params(confidence=1 - 1e-9).fit(X)
    assert strict.kept_ == []
    assert strict.ccc_["agree"] >= 0.98
    with refusal("ccc-bound-unknown", StudyError, match=r"Found: upper.*selection\.ccc\.bound"):
        CCCFilter(("A", "B"), NAMES, "A", bound="upper").fit(X)


def test_false_discoveries_are_bounded():
    """Benjamini and Hochberg 1995, table 1: 15 P values, four significant at a rate of .05."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    p += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]
    adjusted = adjusted_p(np.array([*p, np.nan]), "fdr")
    assert (adjusted < 0.05).sum() == 4
    assert adjusted[3] == pytest.approx(0.0095 * 15 / 4)
    assert np.isnan(adjusted[-1])
    np.testing.assert_array_equal(adjusted_p(np.array(p), "none"), p)
    with refusal(
        "correction-unknown",
        StudyError,
        match=r"Found: bonferroni.*selection\.wilcoxon\.correction",
    ):
        adjusted_p(np.array(p), "bonferroni")


def test_noise_passes_the_corrected_filter_rarely():
    rng = np.random.default_rng(5)
    X, y = pd.DataFrame(rng.normal(size=(80, 300))), np.arange(80) % 2
    X[0] += 2 * y
    plain, corrected = WilcoxonFilter(0.1).fit(X, y), WilcoxonFilter(0.1, "fdr").fit(X, y)
    assert plain.support_.sum() > 15
    assert corrected.support_[0]
    assert corrected.support_.sum() <= 3


def test_agreement_within_levels_sees_through_size():
    """A feature that follows the level and nothing else: kept over all levels, not within them."""
    rng = np.random.default_rng(11)
    X = readings(rng)
    levels = np.array(["T12", "L1", "L2"] * 20)
    for reader in "AB":
        size = pd.Series(levels, X.index).map({"T12": 0, "L1": 10, "L2": 20})
        X[f"{reader}:noise"] = size + rng.normal(size=len(X))
    X[LEVEL] = levels
    over_all = CCCFilter(("A", "B"), NAMES, "A").fit(X)
    within = CCCFilter(("A", "B"), NAMES, "A", within_level=True).fit(X)
    assert over_all.kept_ == ["agree", "noise"]
    assert within.kept_ == ["agree"]
    assert within.ccc_["noise"] < 0.5 < within.ccc_low_["agree"]
    assert list(within.transform(X).columns) == ["agree"]


@pytest.mark.parametrize("added", [{}, {LEVEL: ["L1"] * 59 + [None]}])
def test_agreement_within_levels_needs_the_levels(added):
    X = readings(np.random.default_rng(12)).assign(**added)
    with refusal(
        "ccc-level-unknown", StudyError, match=r"rows without a level.*selection\.ccc\.within_level"
    ):
        CCCFilter(("A", "B"), NAMES, "A", within_level=True).fit(X)


def test_ccc_refuses_other_columns_than_it_was_fitted_to():
    X = readings(np.random.default_rng(4))
    ccc = CCCFilter(("A", "B"), NAMES, "A").fit(X)
    with pytest.raises(ValueError, match="feature names"):
        ccc.transform(X.rename(columns={"A:agree": "A:other"}))


def test_wilcoxon_equals_scipy_column_by_column_and_ignores_scale():
    rng = np.random.default_rng(5)
    y = np.repeat([0, 1], [40, 20])
    X = rng.normal(size=(60, 6))
    X[y == 1, 0] += 1.5
    X = X.round(1)
    X[:, 5] = 3.0
    fitted = WilcoxonFilter(p=0.05).fit(X, y)
    expected = [
        stats.mannwhitneyu(X[y == 1, j], X[y == 0, j], method="asymptotic").pvalue for j in range(5)
    ]
    np.testing.assert_allclose(fitted.p_values_[:5], expected)
    assert np.isnan(fitted.p_values_[5])
    assert fitted.support_[0]
    assert not fitted.support_[5]
    np.testing.assert_allclose(rank_sum_p(np.exp(X), y == 1), fitted.p_values_)


@pytest.mark.parametrize("filter_", [WilcoxonFilter(1e-12), MRMRFilter(3)])
def test_a_filter_may_keep_nothing(filter_):
    X = pd.DataFrame({"a": np.ones(20), "b": np.zeros(20)})
    y = np.repeat([0, 1], 10)
    out = clone(filter_).set_output(transform="pandas").fit_transform(X, y)
    assert out.shape == (20, 0)
    empty = clone(filter_).set_output(transform="pandas").fit_transform(X[[]], y)
    assert list(empty.index) == list(X.index)


@pytest.mark.parametrize("filter_", [WilcoxonFilter(), MRMRFilter(3)])
def test_one_outcome_is_refused(filter_):
    with refusal(
        "training-one-outcome", StudyError, match=r"both outcomes.*20 rows with 1 distinct"
    ):
        filter_.fit(np.ones((20, 2)), np.ones(20))


def fcq(X, y, k):
    """mRMR by the textbook: F statistic over the mean absolute correlation with the chosen."""
    relevance, _ = f_classif(X, y)
    correlation = np.abs(np.corrcoef(X, rowvar=False)).clip(0.001)
    chosen = [int(np.argmax(relevance))]
    while len(chosen) < k:
        left = [j for j in range(X.shape[1]) if j not in chosen]
        score = [relevance[j] / correlation[j, chosen].mean() for j in left]
        chosen.append(left[int(np.argmax(score))])
    return chosen


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_mrmr_equals_the_textbook(seed):
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], [50, 30])
    factors = rng.normal(size=(80, 4)) + 0.5 * y[:, None] * rng.normal(size=4)
    X = factors @ rng.normal(size=(4, 12)) + rng.normal(size=(80, 12))
    relevance, order = mrmr_order(X, y == 1, 8)
    assert list(order) == fcq(X, y, 8)
    np.testing.assert_allclose(relevance, f_classif(X, y)[0])


def test_mrmr_equals_the_library_with_its_own_statistics():
    with warnings.catch_warnings():
        from mrmr.pandas import mrmr_classif
    rng = np.random.default_rng(6)
    y = np.repeat([0, 1], [50, 30])
    X = rng.normal(size=(80, 10)) @ rng.normal(size=(10, 10)) + 0.4 * y[:, None]
    theirs = mrmr_classif(pd.DataFrame(X), pd.Series(y), K=6, n_jobs=1, show_progress=False)
    assert list(mrmr_order(X, y == 1, 6)[1]) == theirs


def test_mrmr_picks_what_another_package_prints():
    """Wisconsin breast cancer, which scikit-learn brings along; nothing is scaled or left out.

    The user guide of feature-engine (docs/user_guide/selection/MRMR.rst, method FCQ) prints these F
    statistics, and these six features as what 20% of the thirty leave.
    """
    data = load_breast_cancer()
    relevance, order = mrmr_order(data.data, data.target == 0, 6)
    printed = [646.981021, 118.096059, 697.235272, 573.060747, 83.6511234, 313.233079]
    np.testing.assert_allclose(relevance[:6], printed, rtol=1e-8)
    assert {data.feature_names[column] for column in order} == {
        "mean perimeter",
        "mean concave points",
        "worst radius",
        "worst perimeter",
        "worst area",
        "worst concave points",
    }


def test_the_forests_scheme_equals_the_librarys():
    with warnings.catch_warnings():
        from mrmr.pandas import mrmr_classif
    rng = np.random.default_rng(6)
    y = np.repeat([0, 1], [50, 30])
    X = rng.normal(size=(80, 10)) @ rng.normal(size=(10, 10)) + 0.4 * y[:, None]
    options = {"relevance": "rf", "n_jobs": 1, "show_progress": False}
    theirs = mrmr_classif(pd.DataFrame(X), pd.Series(y), K=6, **options)
    fitted = MRMRFilter(6, "rfcq").fit(X, y)
    assert list(np.argsort(fitted.rank_)[:6]) == theirs
    assert fitted.relevance_.sum() == pytest.approx(1)
    with refusal(
        "mrmr-scheme-unknown",
        StudyError,
        match=r"Found: miq\. In: config key selection\.mrmr\.scheme",
    ):
        MRMRFilter(6, "miq").fit(X, y)


def test_mrmr_by_hand_prefers_a_weaker_feature_to_a_near_copy():
    """Worked on paper, four rows of each outcome.

    F: 8 / (2 / 6) = 24, then 10.125 / (3.75 / 6) = 16.2, and 2 / (2 / 6) = 6. With `first` the
    near copy correlates by 11.5 / sqrt(138.75) = 0.976 and the other by 2 / sqrt(40) = 0.316, so
    that the quotients are 16.59 and 18.97.
    """
    X = pd.DataFrame(
        {
            "first": [0, 0, 1, 1, 2, 2, 3, 3],
            "copy": [0, 0, 1, 1, 2, 2, 3, 4],
            "other": [1, 1, 0, 0, 2, 2, 1, 1],
        }
    )
    y = np.repeat([0, 1], 4)
    fitted = MRMRFilter(k=2).set_output(transform="pandas").fit(X, y)
    np.testing.assert_allclose(fitted.relevance_, [24, 16.2, 6])
    np.testing.assert_array_equal(fitted.rank_, [1, np.nan, 2])
    assert list(fitted.transform(X).columns) == ["first", "other"]
    np.testing.assert_array_equal(MRMRFilter(k=3).fit(X, y).rank_, [1, 3, 2])


def test_mrmr_takes_all_when_fewer_than_k_and_breaks_ties_by_order():
    rng = np.random.default_rng(8)
    y = np.repeat([0, 1], 20)
    x = rng.normal(size=40) + y
    _, order = mrmr_order(np.column_stack([x, x, x]), y == 1, 2)
    assert list(order) == [0, 1]
    _, order = mrmr_order(np.column_stack([x, rng.normal(size=40), np.ones(40)]), y == 1, 20)
    assert sorted(order) == [0, 1]


def test_mrmr_leaves_warnings_on():
    """The library silences every warning of the process when it is imported."""
    mrmr_order(np.random.default_rng(9).normal(size=(10, 2)), np.arange(10) < 5, 1)
    with pytest.warns(UserWarning, match="still heard"):
        warnings.warn("still heard", stacklevel=1)


PREDICTORS = (
    Predictor("cleft", "Cleft", "binary", ("no", "yes")),
    Predictor("age", "Age", "continuous"),
    Predictor("grade", "Grade", "ordinal"),
    Predictor("noise", "Noise", "categorical", ("a", "b", "c")),
)


def clinical(n=200):
    rng = np.random.default_rng(10)
    y = (np.arange(n) % 3 == 0).astype(int)
    X = pd.DataFrame(
        {
            "cleft": np.where(rng.random(n) < 0.2 + 0.5 * y, "yes", "no"),
            "age": 70 + 8 * rng.normal(size=n) + 6 * y,
            "grade": rng.integers(0, 4, n) + y.astype(float),
            "noise": rng.choice(["a", "b", "c"], n),
        }
    )
    X.loc[::7, "age"] = np.nan
    X.loc[::9, "cleft"] = None
    return X, y


def test_clinical_filter_tests_levels_by_chi_square_and_numbers_by_ranks():
    X, y = clinical()
    fitted = ClinicalFilter(PREDICTORS, 0.05).fit(X, y)
    assert fitted.tests_ == ["chi-square", "rank-sum", "rank-sum", "chi-square"]
    known = X["cleft"].notna()
    counts = pd.crosstab(X.loc[known, "cleft"], y[known]).to_numpy()
    assert fitted.p_values_[0] == pytest.approx(
        stats.chi2_contingency(counts, correction=False).pvalue
    )
    aged = X["age"].notna()
    old, young = X.loc[aged & (y == 1), "age"], X.loc[aged & (y == 0), "age"]
    assert fitted.p_values_[1] == pytest.approx(
        stats.mannwhitneyu(old, young, method="asymptotic").pvalue
    )
    assert list(fitted.support_) == [True, True, True, False]


@pytest.mark.parametrize(
    ("counts", "statistic"),
    [
        # Back pain after augmentation, temporal validation: with the factor, of 452 and of 117.
        ([[25, 27], [427, 90]], 34.46),
        ([[382, 66], [70, 51]], 43.84),
        ([[343, 68], [109, 49]], 14.63),
        ([[217, 34], [235, 83]], 13.54),
        ([[320, 100], [132, 17]], 10.35),
        ([[86, 36], [366, 81]], 7.61),
        # After vertebroplasty: of 231 and of 37; Goutallier 0-1, 2 and 3-4.
        ([[14, 6], [217, 31]], 4.763),
        ([[12, 6], [219, 31]], 6.183),
        ([[92, 3], [94, 14], [45, 20]], 24.83),
        ([[75, 21], [156, 16]], 8.184),
        ([[46, 7], [185, 30]], 0.02),
        ([[39, 8], [192, 29]], 0.495),
    ],
)
def test_chi_square_gives_the_published_values(counts, statistic):
    """Pearson's statistics as two studies print them, to the last digit; Yates' are others."""
    levels, events = [], []
    for level, (without, having) in enumerate(counts):
        levels += [f"level {level}"] * (without + having)
        events += [False] * without + [True] * having
    p_value = chi_square_p(np.array(levels, dtype=object), np.array(events))
    found = stats.chi2.isf(p_value, len(counts) - 1)
    assert found == pytest.approx(statistic, abs=10 ** -len(str(statistic).split(".")[1]))


def test_rank_sum_by_hand():
    """Three values below three others: U = 0, mean 4.5, SD sqrt(3 * 3 * 7 / 12), continuity 0.5."""
    values = np.array([[1.0], [2], [3], [4], [5], [6]])
    events = np.arange(6) >= 3
    z = (4.5 - 0.5) / np.sqrt(63 / 12)
    assert rank_sum_p(values, events)[0] == pytest.approx(2 * stats.norm.sf(z))
    # Ties 2, 2, 2 share their rank and shrink the variance by 1 - (27 - 3) / (216 - 6).
    values[1:4] = 2.0
    z = (1 + 3 + 3 - 6 - 4.5 + 0.5) / np.sqrt(63 / 12 * (1 - 24 / 210))
    assert rank_sum_p(values, events)[0] == pytest.approx(2 * stats.norm.sf(abs(z)))


def test_untestable_predictors_are_dropped():
    y = np.repeat([0, 1], 10)
    X = pd.DataFrame({"cleft": ["no"] * 20, "age": [np.nan] * 10 + [70.0] * 10})
    fitted = ClinicalFilter(PREDICTORS, 0.5).set_output(transform="pandas").fit(X, y)
    assert np.isnan(fitted.p_values_).all()
    assert fitted.transform(X).shape == (20, 0)


def test_filters_can_be_cloned():
    ccc = CCCFilter(("A", "B"), NAMES, "A", 0.7)
    assert clone(ccc).get_params() == ccc.get_params()
    assert clone(ClinicalFilter(PREDICTORS, 0.2)).get_params()["predictors"] == PREDICTORS
