"""Lin's concordance and the intraclass correlation against published and derived values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.comparison.agreement.concordance import (
    icc_2_1,
    icc_2_1_interval,
    lin_ccc,
    lin_ccc_interval,
    lowest_pair,
    overall_ccc,
)

# Bland and Altman, Lancet 1986;327:307-310, table 1: peak expiratory flow (l/min) of 17 persons,
# first reading of a large and of a mini Wright meter.
LARGE = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]

# Shrout and Fleiss, Psychol Bull 1979;86:420-428, table 2: six targets, four judges.
JUDGES = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]

READINGS = arrays(
    np.float64, st.tuples(st.just(2), st.integers(3, 12), st.just(1)),
    elements=st.floats(-1e3, 1e3, width=32),
)  # fmt: skip


def column(values) -> np.ndarray:
    return np.asarray(values, dtype=float)[:, None]


def simulated(rho, shift, n, samples, seed) -> tuple[np.ndarray, np.ndarray]:
    """Return standard normal readings of two readers, (n, samples), the second one shifted."""
    rng = np.random.default_rng(seed)
    common, own = rng.normal(size=(2, n, samples))
    return common, rho * common + np.sqrt(1 - rho**2) * own + shift


def test_ccc_follows_from_the_definition_by_hand():
    # Variances and covariance 2/3, squared shift 1: (4/3) / (2/3 + 2/3 + 1) = 4/7.
    assert lin_ccc(column([1, 2, 3]), column([2, 3, 4])) == pytest.approx([4 / 7], rel=1e-12)
    assert lin_ccc(column([1, 2, 3]), column([3, 2, 1])) == pytest.approx([-1])


def test_ccc_interval_is_the_published_formula_on_the_published_data():
    a, b = np.array(LARGE, float), np.array(MINI, float)
    r = np.corrcoef(a, b)[0, 1]
    ccc = 2 * np.cov(a, b, bias=True)[0, 1] / (a.var() + b.var() + (a.mean() - b.mean()) ** 2)
    u = (a.mean() - b.mean()) / (a.var() * b.var()) ** 0.25
    # Variance of z as printed in Lin 2000, with its divisions by r.
    variance = (
        (1 - r**2) * ccc**2 / ((1 - ccc**2) * r**2)
        + 2 * ccc**3 * (1 - ccc) * u**2 / (r * (1 - ccc**2) ** 2)
        - ccc**4 * u**4 / (2 * r**2 * (1 - ccc**2) ** 2)
    ) / (a.size - 2)
    z = np.arctanh(ccc) + np.array([0, -1, 1]) * 1.959963984540054 * np.sqrt(variance)
    found = np.ravel(lin_ccc_interval(column(LARGE), column(MINI)))
    assert found == pytest.approx(np.tanh(z), rel=1e-12)
    assert found[0] == pytest.approx(0.943, abs=5e-4)


@pytest.mark.parametrize(("rho", "shift"), [(0.9, 0.0), (0.9, 0.5), (0.4, 0.3)])
def test_the_interval_covers_the_true_ccc(rho, shift):
    truth = 2 * rho / (2 + shift**2)
    a, b = simulated(rho, shift, n=100, samples=4000, seed=7)
    _, low, high = lin_ccc_interval(a, b, 0.90)
    # Four binomial standard errors (0.019), and 0.01 for the asymptotic approximation.
    assert np.mean((low <= truth) & (truth <= high)) == pytest.approx(0.90, abs=0.03)


def test_independent_readings_have_an_interval_although_r_is_zero():
    a, b = column([1, 1, -1, -1]), column([1, -1, 1, -1])
    ccc, low, high = lin_ccc_interval(a, b)
    assert ccc == [0]
    assert -1 < low[0] < 0 < high[0] < 1
    assert low == pytest.approx(-high)


def test_icc_equals_shrout_and_fleiss():
    ratings = np.array(JUDGES, float)[:, :, None]
    assert icc_2_1(ratings) == pytest.approx([0.29], abs=0.005)


def test_icc_equals_the_mean_squares_of_statsmodels():
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    rng = np.random.default_rng(3)
    ratings = rng.normal(size=(9, 1)) + rng.normal(0, 0.4, size=(9, 3)) + [0, 0.3, -0.2]
    table = pd.DataFrame(ratings).melt(ignore_index=False).reset_index()
    fit = ols("value ~ C(index) + C(variable)", table).fit()
    subjects, raters, error = anova_lm(fit)["sum_sq"] / anova_lm(fit)["df"]
    expected = (subjects - error) / (subjects + 2 * error + 3 * (raters - error) / 9)
    assert icc_2_1(ratings[:, :, None]) == pytest.approx([expected], rel=1e-10)


def test_a_missing_reading_leaves_out_the_subject_for_that_feature_only():
    a, b = np.tile(column(LARGE), 2), np.tile(column(MINI), 2)
    a[3, 1] = np.nan
    ccc, low, high = lin_ccc_interval(a, b)
    whole = np.ravel(lin_ccc_interval(column(LARGE), column(MINI)))
    rest = np.ravel(lin_ccc_interval(np.delete(column(LARGE), 3, 0), np.delete(column(MINI), 3, 0)))
    assert np.column_stack([ccc, low, high]) == pytest.approx(np.array([whole, rest]), rel=1e-12)
    both = icc_2_1(np.stack([a, b], axis=1))
    alone = icc_2_1(np.stack([np.delete(a, 3, 0), np.delete(b, 3, 0)], axis=1))
    assert both[1] == pytest.approx(alone[1], rel=1e-12)
    assert both[0] != pytest.approx(both[1], rel=1e-6)


def test_undefined_agreement_is_nan_and_never_a_number():
    constant, varying = column([0.1, 0.1, 0.1]), column([1, 2, 4])
    assert np.isnan(lin_ccc(constant, constant)).all()
    assert np.isnan(lin_ccc(column([1]), column([2]))).all()
    ccc, low, high = lin_ccc_interval(constant, varying)
    assert ccc == [0]
    assert np.isnan([low, high]).all()
    assert np.isnan(lin_ccc_interval(column([1, 2]), column([1, 3]))[1]).all()
    assert np.isnan(icc_2_1(np.full((3, 2, 1), 0.1))).all()
    assert np.isnan(icc_2_1(np.ones((3, 1, 1)))).all()


def test_exact_agreement_has_an_exact_interval():
    ccc, low, high = lin_ccc_interval(column(LARGE), column(LARGE))
    assert (ccc, low, high) == (1, 1, 1)
    assert icc_2_1(np.stack([column(LARGE)] * 2, axis=1)) == pytest.approx([1])


def test_large_offsets_do_not_swallow_the_variance():
    a, b = column(LARGE) + 1e10, column(MINI) + 1e10
    assert lin_ccc(a, b) == pytest.approx(lin_ccc(column(LARGE), column(MINI)), rel=1e-6)


@pytest.mark.parametrize(("a", "b"), [(np.ones((3, 1)), np.ones((4, 1))), (np.ones(3), np.ones(3))])
def test_readings_of_other_shapes_are_refused(a, b):
    with pytest.raises(ValueError, match="one shape"):
        lin_ccc(a, b)


def test_ratings_of_other_shapes_and_levels_are_refused():
    with pytest.raises(ValueError, match="raters, p"):
        icc_2_1(np.ones((3, 2)))
    with pytest.raises(ValueError, match="between 0 and 1"):
        lin_ccc_interval(np.ones((3, 1)), np.ones((3, 1)), confidence=95)


@given(READINGS)
def test_ccc_is_symmetric_and_at_most_the_correlation(readings):
    a, b = readings
    forth, back = lin_ccc(a, b), lin_ccc(b, a)
    np.testing.assert_allclose(forth, back, rtol=1e-9)
    if min(a.std(), b.std()) > 1e-3:
        r = np.corrcoef(a[:, 0], b[:, 0])[0, 1]
        assert abs(forth[0]) <= abs(r) + 1e-9
        low, high = (limit[0] for limit in lin_ccc_interval(a, b)[1:])
        assert low - 1e-9 <= forth[0] <= high + 1e-9


def test_readings_that_differ_by_rounding_have_limits():
    rng = np.random.default_rng(0)
    for _ in range(2000):
        a = rng.normal(size=(rng.integers(3, 9), 1)) * 10.0 ** rng.integers(-3, 4)
        b = a * rng.choice([1, 1 + 2e-16, 1 - 2e-16, 1 + 1e-9], size=a.shape)
        for other in (b, -b + 2 * a.mean()):
            ccc, low, high = (value[0] for value in lin_ccc_interval(a, other))
            assert -1 <= low <= ccc <= high <= 1
            assert -1 <= overall_ccc(np.stack([a, b, other], axis=1))[0] <= 1


@given(READINGS, st.floats(0.5, 100))
def test_a_shift_lowers_agreement_that_was_perfect(readings, shift):
    a = readings[0]
    if a.std() > 1e-2:
        assert lin_ccc(a, a + shift)[0] < lin_ccc(a, a)[0] == pytest.approx(1)
        assert lin_ccc(a, a + 2 * shift)[0] < lin_ccc(a, a + shift)[0]


@pytest.mark.parametrize("scale", [1e-3, 1e6])
def test_the_unit_does_not_matter(scale):
    a, b = column(LARGE), column(MINI)
    assert np.ravel(lin_ccc_interval(a * scale, b * scale)) == pytest.approx(
        np.ravel(lin_ccc_interval(a, b)), rel=1e-9
    )


# --- ICC with its interval ---------------------------------------------------------------------

# Shrout and Fleiss, Psychol Bull 1979;86:420-428, table 2: four judges of six targets.
SHROUT_FLEISS = [
    [9, 2, 5, 8],
    [6, 1, 3, 2],
    [8, 4, 6, 8],
    [7, 1, 2, 6],
    [10, 5, 6, 9],
    [6, 2, 4, 7],
]


def test_the_interval_of_the_published_example():
    # ICC(2,1) = 0.29 is printed in the paper; 0.019 to 0.761 is what R's psych::ICC prints.
    icc, low, high = icc_2_1_interval(np.array(SHROUT_FLEISS, float)[:, :, np.newaxis])
    assert icc[0] == pytest.approx(0.29, abs=0.005)
    assert low[0] == pytest.approx(0.019, abs=0.0005)
    assert high[0] == pytest.approx(0.761, abs=0.0005)


def test_icc_intervals_hold_what_they_promise():
    rng = np.random.default_rng(0)
    n, samples = 30, 3000
    subjects = rng.normal(0, 2, (n, 1, samples))
    raters = rng.normal(0, 0.3, (1, 2, samples))
    ratings = subjects + raters + rng.normal(0, 1, (n, 2, samples))
    true = 4 / (4 + 0.09 + 1)
    _, low, high = icc_2_1_interval(ratings, 0.9)
    assert np.mean((low <= true) & (true <= high)) == pytest.approx(0.9, abs=0.03)


def test_icc_intervals_at_the_edges():
    exact = np.repeat([[1.0], [2.0], [4.0]], 2, axis=1)[:, :, np.newaxis]
    constant = np.ones((3, 2, 1))
    single = np.ones((1, 2, 1))
    for ratings, expected in ((exact, 1.0), (constant, np.nan), (single, np.nan)):
        for value in icc_2_1_interval(ratings):
            assert value == pytest.approx([expected], nan_ok=True)
    icc, low, high = icc_2_1_interval(np.random.default_rng(1).normal(size=(20, 2, 50)))
    assert ((low < icc) & (icc < high)).all()
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
        icc_2_1_interval(exact, 1.0)


def test_within_groups_by_hand():
    """Two levels ten apart, two cases each; the second reader reads one higher.

    Within levels the sums of products are 2 + 2 over 4 - 2 cases, times 3/4 for moments over n:
    1.5. The mean squared difference is 1, so 2 * 1.5 / (2 * 1.5 + 1) = 0.75. Over both levels the
    covariance is (36 + 16 + 16 + 36) / 4 = 26, and 52 / (52 + 1) hides most of the shift.
    """
    a, levels = column([1, 3, 11, 13]), ["L1", "L1", "L2", "L2"]
    assert lin_ccc(a, a + 1, levels) == pytest.approx([0.75], rel=1e-12)
    assert lin_ccc(a, a + 1) == pytest.approx([52 / 53], rel=1e-12)


def test_within_groups_is_the_ratio_of_variance_components():
    """Cases' variance over itself and half the disagreement, by analysis of variance."""
    rng = np.random.default_rng(4)
    levels = np.repeat(np.arange(6), 400)
    level, case = rng.normal(0, 5, 6)[levels], rng.normal(0, 2, levels.size)
    readings = np.stack([level + case + rng.normal(0, 1, levels.size) + s for s in (0, 0.5)])
    means = pd.DataFrame(readings.T).groupby(levels).transform("mean").to_numpy().T
    # Mean squares of cases in levels, and of what case, level and reader leave.
    middle = readings.mean(axis=0)
    of_cases = 2 * ((middle - means.mean(axis=0)) ** 2).sum() / (levels.size - 6)
    rest = (readings - means) - (middle - means.mean(axis=0))
    of_error = (rest**2).sum() / (levels.size - 6)
    component = (of_cases - of_error) / 2
    expected = component / (component + np.mean((readings[0] - readings[1]) ** 2) / 2)
    found = lin_ccc(*(column(reading) for reading in readings), levels)
    assert found == pytest.approx([expected], abs=1e-3)
    # True components: 4 / (4 + 1 + 0.5 ** 2 / 2).
    assert found == pytest.approx([4 / 5.125], abs=0.03)


def test_what_differs_between_levels_alone_is_no_agreement():
    rng = np.random.default_rng(5)
    levels = np.repeat(np.arange(8), 25)
    size = 10.0 * levels
    a, b = (column(size + rng.normal(size=levels.size)) for _ in range(2))
    assert lin_ccc(a, b)[0] > 0.99
    assert abs(lin_ccc(a, b, levels)[0]) < 0.2


@given(readings=READINGS, offsets=arrays(np.float64, 3, elements=st.floats(-1e3, 1e3, width=32)))
@settings(max_examples=100)
def test_levels_own_offsets_do_not_count_within(readings, offsets):
    groups = np.arange(readings.shape[1]) % 3
    found = lin_ccc(*readings, groups)
    moved = lin_ccc(*(reading + offsets[groups][:, None] for reading in readings), groups)
    # Where the readings hardly differ, adding and taking away an offset leaves its rounding only.
    if np.ptp(readings) > 1e-3:
        assert moved == pytest.approx(found, abs=1e-4, nan_ok=True)


@given(readings=READINGS)
@settings(max_examples=100)
def test_one_group_gives_the_coefficient_without_groups(readings):
    one = np.zeros(readings.shape[1])
    for found, expected in zip(
        lin_ccc_interval(*readings, groups=one), lin_ccc_interval(*readings), strict=True
    ):
        assert found == pytest.approx(expected, abs=1e-6, nan_ok=True)


@given(readings=READINGS)
@settings(max_examples=100)
def test_within_groups_it_lies_between_minus_one_and_one(readings):
    found = lin_ccc(*readings, np.arange(readings.shape[1]) // 2)
    assert np.isnan(found) or -1 - 1e-9 <= found <= 1 + 1e-9


def test_the_interval_within_groups_covers_the_truth():
    rng = np.random.default_rng(8)
    levels = np.repeat(np.arange(12), [2, 3, 5, 8, 12, 20, 20, 12, 8, 5, 3, 2])
    a, b = simulated(0.9, 0.3, levels.size, 3000, 9)
    between = rng.normal(0, 4, 12)[levels][:, None]
    _, low, high = lin_ccc_interval(a + between, b + between, 0.90, levels)
    truth = 2 * 0.9 / (2 + 0.3**2)
    assert np.mean((low <= truth) & (truth <= high)) == pytest.approx(0.90, abs=0.03)


def test_groups_of_one_case_and_missing_readings():
    a, b = np.array([[1.0, 1], [3, 3], [9, np.nan]]), np.array([[2.0, 2], [4, 4], [9, 9]])
    alone = lin_ccc(a, b, ["T12", "L1", "L2"])
    assert np.isnan(alone).all()
    # The third case is a level of its own: it has a difference, of none, and no spread.
    pair = lin_ccc(a, b, ["L1", "L1", "L2"])
    assert pair == pytest.approx([8 / 3 / (8 / 3 + 2 / 3), 2 / 3])
    with pytest.raises(ValueError, match="groups must have shape"):
        lin_ccc(a, b, ["L1"])


def test_the_overall_ccc_of_the_published_judges_follows_from_the_definition_by_hand():
    """By fractions from table 2 of Shrout and Fleiss: covariances 230/9, spread and shifts 1813/18.

    Barnhart et al. 2002, equation 3: twice the sum of the covariances of all pairs over the sum of
    both variances and the squared difference of the means of each.
    """
    assert overall_ccc(np.array(JUDGES, float)[:, :, None]) == pytest.approx([460 / 1813])


RATINGS = arrays(
    np.float64, st.tuples(st.integers(2, 9), st.integers(2, 5), st.just(1)),
    elements=st.floats(-1e3, 1e3, width=32),
)  # fmt: skip


@settings(max_examples=60)
@given(RATINGS)
def test_the_overall_ccc_is_the_weighted_mean_of_the_pairs(ratings):
    readers = [ratings[:, at] for at in range(ratings.shape[1])]
    pairs = [(a, b) for at, a in enumerate(readers) for b in readers[at + 1 :]]
    weights = [float(a.var() + b.var() + (a.mean() - b.mean()) ** 2) for a, b in pairs]
    pairwise = [float(lin_ccc(a, b)[0]) for a, b in pairs]
    found = float(overall_ccc(ratings)[0])
    if sum(weights) < 1e-9:  # no variation, but for rounding
        return
    known = [(ccc, w) for ccc, w in zip(pairwise, weights, strict=True) if np.isfinite(ccc)]
    expected = sum(ccc * w for ccc, w in known) / sum(weights)
    assert found == pytest.approx(expected, abs=1e-6)
    assert min(c for c, _ in known) - 1e-6 <= found <= max(c for c, _ in known) + 1e-6
    assert overall_ccc(ratings[:, ::-1]) == pytest.approx([found], abs=1e-9)


def test_the_overall_ccc_of_two_readers_is_lins_and_needs_complete_subjects():
    both = np.stack([column(LARGE), column(MINI)], axis=1)
    assert overall_ccc(both) == pytest.approx(lin_ccc(column(LARGE), column(MINI)))
    three = np.concatenate([both, both[:, :1]], axis=1)
    three[3, 2] = np.nan
    assert overall_ccc(three) == pytest.approx(overall_ccc(np.delete(three, 3, axis=0)))
    assert np.isnan(overall_ccc(np.full((4, 3, 1), 0.1))).all()
    assert np.isnan(overall_ccc(three[:1])).all()
    assert np.isnan(overall_ccc(three[:, :1])).all()
    with pytest.raises(ValueError, match="shape"):
        overall_ccc(np.ones((3, 2)))


def test_the_lowest_pair_is_named_with_its_own_interval():
    readers = [np.array(JUDGES, float)[:, [at]] for at in range(4)]
    found = lowest_pair(readers)
    assert (found.first[0], found.second[0], found.n[0]) == (0, 1, 6)
    own = np.ravel(lin_ccc_interval(readers[0], readers[1]))
    assert np.ravel(found[:3]) == pytest.approx(own)
    # Another pair's interval reaches lower still, and the filter's `bound: lower` asks that one.
    assert found.lowest_low[0] < found.low[0]
    readers[3][:] = np.nan
    nobody = lowest_pair(readers)
    assert np.isnan(nobody.ccc[0])
    assert (nobody.first[0], nobody.second[0], nobody.n[0]) == (0, 3, 0)
    with pytest.raises(ValueError, match="two readers"):
        lowest_pair(readers[:1])


def test_an_icc_of_few_subjects_is_cut_at_the_range_of_a_correlation():
    """The formula gives -3 here: mean square of subjects 0, of raters 0."""
    ratings = np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])[:, :, None]
    assert icc_2_1(ratings) == [-1]
    assert icc_2_1_interval(ratings)[0] == [-1]


@settings(max_examples=60)
@given(RATINGS)
@example(np.array([[[-21.0], [-6.0]], [[-29.0], [-2.0]]]))  # hardly any freedom: infinite quantiles
@example(np.array([[[-475.0], [0], [0]], [[0], [0], [-511.0]]]))  # as good as none
def test_an_icc_and_its_limits_never_leave_the_range_of_a_correlation(ratings):
    values = np.ravel(icc_2_1_interval(ratings))
    assert (np.abs(values[np.isfinite(values)]) <= 1).all()
