"""Tests of groups equal scipy's and the published rows of the studies that the project runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline.comparison.groups.group_tests import (
    COUNT_TESTS,
    NUMBER_TESTS,
    count_test,
    fits,
    number_test,
    summary_test,
)
from tests.support.refusals import refusal

RNG = np.random.default_rng(7)

#: Rong et al. 2025 (452 patients without and 117 with residual back pain) and Li et al. 2021 (231
#: and 37): events of each group, chi-square without Yates as printed, and how exactly that fits.
ROWS_OF_COUNTS = {
    "rong2025 PFO": ((25, 27), (452, 117), 34.46, 0.01),
    "rong2025 MVH restored": ((382, 66), (452, 117), 43.84, 0.005),
    "rong2025 AVH restored": ((343, 68), (452, 117), 14.63, 0.01),
    "rong2025 BMD": ((217, 34), (452, 117), 13.54, 0.005),
    "rong2025 trauma": ((320, 100), (452, 117), 10.35, 0.005),
    "rong2025 sex": ((86, 36), (452, 117), 7.61, 0.005),
    "li2021 IVC": ((14, 6), (231, 37), 4.763, 0.0005),
    "li2021 PFO": ((12, 6), (231, 37), 6.183, 0.0005),
    "li2021 cement": ((75, 21), (231, 37), 8.184, 0.0005),
    "li2021 sex": ((46, 7), (231, 37), 0.02, 0.005),
    "li2021 leakage": ((39, 8), (231, 37), 0.495, 0.0005),
}

#: Sizes, means and standard deviations of both groups, t with pooled variance, P to three decimals.
ROWS_OF_MEANS = {
    "rong2025 age": ((452, 117), (72.23, 69.19), (9.08, 8.56), 3.27, 0.001),
    "rong2025 PDW": ((452, 117), (12.69, 13.27), (2.35, 2.61), -2.33, 0.020),
    "li2021 BMI": ((231, 37), (23.92, 23.66), (3.61, 3.27), 0.411, None),
}


def table_of(events: tuple[int, int], totals: tuple[int, int]) -> np.ndarray:
    return np.array([[n - a for a, n in zip(events, totals, strict=True)], list(events)])


def with_moments(n: int, mean: float, deviation: float) -> np.ndarray:
    """Return values that have exactly this mean and standard deviation."""
    values = RNG.normal(size=n)
    return (values - values.mean()) / values.std(ddof=1) * deviation + mean


@pytest.mark.parametrize("name", ROWS_OF_COUNTS)
def test_published_counts(name: str) -> None:
    events, totals, printed, tolerance = ROWS_OF_COUNTS[name]
    found = count_test(table_of(events, totals), "pearson")
    assert found.statistic == pytest.approx(printed, abs=tolerance)
    assert found.df == 1


def test_published_p_values_of_counts() -> None:
    def p(name: str, test: str = "pearson") -> float:
        events, totals, *_ = ROWS_OF_COUNTS[name]
        return count_test(table_of(events, totals), test).p

    assert p("rong2025 MVH restored") < 0.001
    assert round(p("rong2025 sex"), 3) == 0.006
    assert round(p("li2021 IVC"), 3) == 0.029
    assert round(p("li2021 PFO"), 3) == 0.013
    assert p("li2021 IVC", "yates") > 0.05  # the published finding turns with the correction


def test_goutallier_of_li2021() -> None:
    counts = np.array([[92, 3], [94, 14], [45, 20]])
    found = count_test(counts, "pearson")
    assert (round(found.statistic, 2), found.df) == (24.83, 2)


@pytest.mark.parametrize("name", ROWS_OF_MEANS)
def test_published_means(name: str) -> None:
    sizes, means, deviations, printed, p = ROWS_OF_MEANS[name]
    found = summary_test(sizes, means, deviations, "pooled-t")
    # t moves by this much when the printed means and deviations move by half their last digit
    assert found.statistic == pytest.approx(printed, abs=0.01)
    assert p is None or round(found.p, 3) == p
    samples = [with_moments(*each) for each in zip(sizes, means, deviations, strict=True)]
    of_values = number_test(samples, "pooled-t")
    assert of_values.statistic == pytest.approx(found.statistic, rel=1e-9)
    assert (of_values.df, of_values.p) == pytest.approx((found.df, found.p), rel=1e-7)


def test_printed_p_of_yassavoly2025_fit_no_test() -> None:
    adjacent, remote = table_of((1, 17), (31, 220)), table_of((0, 9), (31, 220))
    assert round(count_test(adjacent, "pearson").p, 3) == 0.363  # printed .132
    assert round(count_test(adjacent, "fisher").p, 3) == 0.707
    assert round(count_test(remote, "pearson").p, 3) == 0.251  # printed .046
    assert round(count_test(remote, "fisher").p, 3) == 0.606


COUNTS = st.lists(st.lists(st.integers(1, 40), min_size=3, max_size=3), min_size=2, max_size=4).map(
    np.array
)


@given(COUNTS)
@settings(max_examples=40)
def test_counts_equal_scipy(counts: np.ndarray) -> None:
    for test, options in (
        ("pearson", {"correction": False}),
        ("likelihood-ratio", {"correction": False, "lambda_": "log-likelihood"}),
    ):
        found, scipy = count_test(counts, test), stats.chi2_contingency(counts, **options)
        assert (found.statistic, found.df, found.p) == (scipy.statistic, scipy.dof, scipy.pvalue)
    two = counts[:2, :2]
    scipy = stats.chi2_contingency(two, correction=True)
    assert count_test(two, "yates").p == scipy.pvalue
    assert count_test(two, "fisher").statistic == stats.fisher_exact(two).statistic
    levels, groups = (index.ravel() for index in np.indices(counts.shape))
    x, y = np.repeat(levels, counts.ravel()), np.repeat(groups, counts.ravel())
    found = count_test(counts, "trend")
    r = stats.pearsonr(x, y).statistic
    assert found.statistic == pytest.approx((len(x) - 1) * r**2, rel=1e-9, abs=1e-12)
    assert found.p == pytest.approx(stats.chi2.sf((len(x) - 1) * r**2, 1), rel=1e-9)


def test_the_trend_differs_from_cochran_and_armitage() -> None:
    """N r² is Cochran and Armitage's statistic, (N-1) r² the one that SPSS prints."""
    counts = np.array([[10, 2], [20, 8], [15, 9]])
    levels, groups = (index.ravel() for index in np.indices(counts.shape))
    r = np.corrcoef(np.repeat(levels, counts.ravel()), np.repeat(groups, counts.ravel()))[0, 1]
    assert count_test(counts, "trend").statistic == pytest.approx((counts.sum() - 1) * r**2)


def test_scores_count_levels_that_nobody_has() -> None:
    counts = np.array([[10, 2], [0, 0], [15, 9]])
    by_place = count_test(counts[[0, 2]], "trend").statistic
    assert count_test(counts, "trend", level_scores=[0, 1, 2]).statistic == pytest.approx(by_place)
    three = np.array([[10, 2], [0, 0], [15, 9], [4, 6]])
    spaced = count_test(three, "trend", level_scores=[0, 1, 2, 3]).statistic
    assert spaced != pytest.approx(count_test(three[[0, 2, 3]], "trend").statistic)


SAMPLE = st.lists(st.integers(0, 60).map(lambda n: n / 4), min_size=4, max_size=25).map(np.array)


@given(st.lists(SAMPLE, min_size=2, max_size=4))
@settings(max_examples=60)
def test_numbers_equal_scipy(samples: list[np.ndarray]) -> None:
    if any(np.ptp(values) == 0 for values in samples):
        return
    two = samples[:2]
    for test, scipy in (
        ("pooled-t", stats.ttest_ind(*two)),
        ("welch-t", stats.ttest_ind(*two, equal_var=False)),
        ("mann-whitney", stats.mannwhitneyu(*two)),
    ):
        found = number_test(two, test)
        assert (found.statistic, found.p) == (scipy.statistic, scipy.pvalue)
    assert number_test(two, "welch-t").df == stats.ttest_ind(*two, equal_var=False).df
    for test, scipy in (("anova", stats.f_oneway(*samples)), ("kruskal", stats.kruskal(*samples))):
        found = number_test(samples, test)
        assert (found.statistic, found.p) == (scipy.statistic, scipy.pvalue)
    sizes = [len(values) for values in samples]
    means = [values.mean() for values in samples]
    deviations = [values.std(ddof=1) for values in samples]
    anova = summary_test(sizes, means, deviations, "anova")
    assert anova.statistic == pytest.approx(stats.f_oneway(*samples).statistic, rel=1e-7, abs=1e-9)
    welch = number_test(samples, "welch-anova")
    scipy = stats.f_oneway(*samples, equal_var=False)
    assert (welch.statistic, welch.p) == pytest.approx((scipy.statistic, scipy.pvalue), rel=1e-7)


def test_how_u_was_computed_is_said() -> None:
    assert number_test([np.arange(5.0), np.arange(5.0) + 0.5], "mann-whitney").note == "exact"
    tied = number_test([np.arange(5.0), np.arange(5.0)], "mann-whitney")
    assert tied.note.startswith("normal approximation")


@pytest.mark.parametrize("test", COUNT_TESTS)
def test_nothing_to_compare_has_no_p(test: str) -> None:
    for counts in ([[3, 4], [0, 0]], [[3, 0], [5, 0]], [[0, 0], [0, 0]]):
        assert np.isnan(count_test(np.array(counts), test).p)


@pytest.mark.parametrize("test", NUMBER_TESTS)
def test_values_that_do_not_vary_have_no_p(test: str) -> None:
    assert np.isnan(number_test([np.ones(4), np.ones(5)], test).p)
    assert np.isnan(number_test([np.array([]), np.arange(5.0)], test).p)
    ranks = test in ("mann-whitney", "kruskal")
    assert np.isnan(number_test([np.full(4, 0.1), np.full(5, 0.3)], test).p) is not ranks
    assert np.isnan(number_test([np.array([np.nan]), np.arange(5.0)], test).p)


def test_missing_values_are_left_out() -> None:
    a, b = np.array([1, 2, np.nan, 4]), np.array([3, 5.0, 6])
    found, expected = (number_test([of_a, b], "pooled-t") for of_a in (a, a[[0, 1, 3]]))
    assert (found.statistic, found.df, found.p) == (expected.statistic, expected.df, expected.p)
    assert str(found) == str(expected)


def test_which_test_fits_what() -> None:
    assert fits("yates", numbers=False, levels=2, groups=2)
    assert not fits("yates", numbers=False, levels=3, groups=2)
    assert not fits("pooled-t", numbers=False, levels=2, groups=2)
    assert not fits("welch-t", numbers=True, levels=50, groups=3)
    assert fits("kruskal", numbers=True, levels=50, groups=3)


def test_refused() -> None:
    three = [np.arange(3.0)] * 3
    with refusal("yates-not-two-by-two"):
        count_test(np.ones((3, 2)), "yates")
    with refusal("test-of-counts-unknown"):
        count_test(np.ones((2, 2)), "pooled-t")
    with refusal("test-of-numbers-unknown"):
        number_test(three, "pearson")
    with refusal("test-of-other-groups", match="The test pooled-t must have two groups"):
        number_test(three, "pooled-t")
    with refusal("test-of-means-unknown"):
        summary_test([3, 3], [1, 2], [1, 1], "mann-whitney")
