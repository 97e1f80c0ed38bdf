"""Repeated measurements against published examples, scipy and a regression library."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline.comparison.course import paired
from tests.support.refusals import refusal

RNG = np.random.default_rng(4)
VAS = paired.Scale("VAS", "points", 0, 10, mcid=2)

#: Student's sleep data (R: `sleep`), hours of extra sleep by two drugs in ten patients.
FIRST = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
SECOND = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])

#: Hollander and Wolfe, table 3.1 (R: `wilcox.test`): depression before and after a tranquilliser.
BEFORE = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
AFTER = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])

#: Hollander and Wolfe, table 7.1 (R: `friedman.test`): rounding first base by three methods.
ROUNDING = np.array(
    [
        *(5.40, 5.50, 5.55, 5.85, 5.70, 5.75, 5.20, 5.60, 5.50, 5.55, 5.50, 5.40),
        *(5.90, 5.85, 5.70, 5.45, 5.55, 5.60, 5.40, 5.40, 5.35, 5.45, 5.50, 5.35),
        *(5.25, 5.15, 5.00, 5.85, 5.80, 5.70, 5.25, 5.20, 5.10, 5.65, 5.55, 5.45),
        *(5.60, 5.35, 5.45, 5.05, 5.00, 4.95, 5.50, 5.50, 5.40, 5.45, 5.55, 5.50),
        *(5.55, 5.55, 5.35, 5.45, 5.50, 5.55, 5.50, 5.45, 5.25, 5.65, 5.60, 5.40),
        *(5.70, 5.65, 5.55, 6.30, 6.30, 6.25),
    ]
).reshape(22, 3)


def test_paired_t_of_the_sleep_data() -> None:
    """R: t = 4.0621, df = 9, P = 0.002833, mean 1.58 (0.70 to 2.46)."""
    found = paired.paired_test(FIRST, SECOND, "paired-t")
    assert (round(found.statistic, 4), found.df, round(found.p, 6)) == (4.0621, 9, 0.002833)
    change = paired.mean_change(FIRST, SECOND)
    assert change[1:] == pytest.approx((1.58, 0.7001142, 2.4598858), abs=1e-6)


def test_signed_ranks_of_the_depression_data() -> None:
    """V = 40 of the falls (5 of the rises), one-sided P 0.01953; Walsh median 0.46."""
    found = paired.paired_test(BEFORE, AFTER, "wilcoxon")
    assert (found.statistic, found.p) == (5, pytest.approx(2 * 0.01953125))
    assert paired.median_change(BEFORE, AFTER).value == pytest.approx(-0.46)


def test_friedman_of_the_rounding_data() -> None:
    """R: chi-squared 11.143, df 2, P 0.003805."""
    found = paired.friedman(ROUNDING)
    assert (round(found.statistic, 3), found.df, round(found.p, 6)) == (11.143, 2, 0.003805)
    assert "22 patients" in found.note
    gap = ROUNDING.copy()
    gap[0, 1] = np.nan
    assert "21 patients" in paired.friedman(gap).note


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_exact_distribution_of_signed_ranks(n: int) -> None:
    sums = [
        sum(rank for rank, sign in enumerate(signs, 1) if sign)
        for signs in itertools.product((0, 1), repeat=n)
    ]
    counted = np.cumsum(np.bincount(sums, minlength=n * (n + 1) // 2 + 1)) / 2**n
    assert paired._signed_rank_distribution(n) == pytest.approx(counted)


@pytest.mark.parametrize("n", [20, 80])
def test_limits_of_a_change_are_those_of_the_signed_rank_test(n: int) -> None:
    before = RNG.normal(size=n)
    after = before + RNG.normal(0.5, 1, n)
    found = paired.median_change(before, after)
    for limit, away in ((found.low, -1e-6), (found.high, 1e-6)):
        assert stats.wilcoxon(after - before - limit - away).pvalue < 0.055
        assert stats.wilcoxon(after - before - limit + away).pvalue > 0.045


def test_the_choice_sees_the_shape_of_the_differences_only() -> None:
    before = RNG.normal(size=60)
    skewed = before + np.exp(RNG.normal(size=60) * 1.5)
    for shift in (0.0, 5.0):
        normal = before + RNG.normal(size=60) / 4 + shift
        assert paired.choose_paired(before, normal).test == "paired-t"
        assert paired.choose_paired(before, skewed + shift).test == "wilcoxon"


def test_ancova_equals_a_regression_library() -> None:
    import statsmodels.formula.api as smf

    group = np.repeat([0, 1, 2], 25)
    before = RNG.normal(7, 1.5, 75)
    after = 0.5 * before - 0.8 * (group == 1) + RNG.normal(0, 1, 75)
    found = paired.ancova(before, after, group)
    data = pd.DataFrame({"after": after, "before": before, "group": group})
    fit = smf.ols("after ~ before + C(group)", data).fit()
    assert found["difference"].to_numpy() == pytest.approx(fit.params.iloc[1:3].to_numpy())
    assert found[["low", "high"]].to_numpy() == pytest.approx(fit.conf_int().iloc[1:3].to_numpy())
    assert found["p"].to_numpy() == pytest.approx(fit.pvalues.iloc[1:3].to_numpy())
    assert found["slope"][0] == pytest.approx(fit.params["before"])
    crossed = smf.ols("after ~ before * C(group)", data).fit()
    assert found["interaction_p"][0] == pytest.approx(crossed.compare_f_test(fit)[1])


def test_ancova_without_enough_patients_is_empty() -> None:
    assert paired.ancova(np.arange(3.0), np.arange(3.0), np.array([0, 1, 1])).empty
    assert paired.ancova(np.ones(9), np.arange(9.0), np.arange(9) % 2).empty


def test_share_that_reaches_the_least_change_that_matters() -> None:
    before, after = np.array([5.3, 8, 7, 6, np.nan]), np.array([3.3, 5, 6, 9, 2])
    assert paired.reached(before, after, VAS) == (2, 4)
    upward = paired.Scale("walking", "minutes", 0, 60, mcid=2, low_is_good=False)
    assert paired.reached(before, after, upward) == (1, 4)
    with refusal("improvement-without-mcid"):
        paired.reached(before, after, paired.Scale("VAS", "points", 0, 10))


def test_over_time() -> None:
    table = pd.DataFrame({"pre": RNG.integers(5, 11, 40), "m1": RNG.integers(1, 6, 40)})
    table = table.astype(float)
    table.loc[3, "m1"] = np.nan
    found = paired.over_time(table, ["pre", "m1"], VAS).set_index("time")
    assert math.isnan(found.loc["pre", "p_value"])
    assert (found.loc["m1", "n"], found.loc["m1", "pairs"]) == (39, 39)
    assert found.loc["m1", "change_high"] < 0
    assert 0 < found.loc["m1", "reached"] <= found.loc["m1", "reached_of"] == 39


def test_values_outside_the_scale_are_refused() -> None:
    """An ODI of 0 to 50 points handed in as if it were one of 0 to 100%, or the reverse."""
    odi = paired.Scale("ODI", "points", 0, 50)
    with refusal("scale-out-of-range"):
        odi.check(np.array([22.0, 64.0, np.nan]), "column odi")
    with refusal("paired-test-unknown"):
        paired.paired_test(FIRST, SECOND, "pooled-t")
    with refusal("friedman-too-few-times"):
        paired.friedman(ROUNDING[:, :2])


def test_nothing_changes() -> None:
    same = np.arange(5.0)
    for test in ("paired-t", "wilcoxon"):
        assert math.isnan(paired.paired_test(same, same, test).p)
    assert paired.choose_paired(same, same).test == "wilcoxon"
    assert math.isnan(paired.friedman(np.ones((4, 3))).p)
    assert math.isnan(paired.median_change(np.array([np.nan]), np.array([1.0])).value)
    assert math.isnan(paired.mean_change(np.array([1.0]), np.array([2.0])).low)
