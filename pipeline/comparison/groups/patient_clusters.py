"""Groups compared where a patient has several rows, such as vertebrae: patients are the clusters.

Rows of one patient resemble each other, so that a test that takes them for independent finds too
much. Which of the tests here is used depends on how many patients there are, not on their P.

References
----------
.. [1] Boos DD. On generalized score tests. Am Stat 1992;46:327-333.
.. [2] Rao JNK, Scott AJ. On chi-squared tests for multiway contingency tables with cell proportions
   estimated from survey data. Ann Stat 1984;12:46-60 (second-order correction; Satterthwaite).
.. [3] Mancl LA, DeRouen TA. A covariance estimator for GEE with improved small-sample properties.
   Biometrics 2001;57:126-134.
.. [4] Lumley T. Analysis of complex survey samples. J Stat Softw 2004;9(8) (`svychisq`).
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.comparison.groups.choice_of_test import Choice
from pipeline.comparison.groups.effects import Effect
from pipeline.comparison.groups.group_tests import GroupTest

CLUSTER_TESTS = {
    "gee-score": "Generalised score test (GEE), patients as clusters",
    "rao-scott": "Rao-Scott chi-square (second order, F), patients as clusters",
    "mancl-derouen": "GEE with the covariance of Mancl and DeRouen, t",
    "permutation": "Permutation of patients",
}

FEW_PATIENTS = 40
"""Patients of a group below which the score test's chi-square is not trusted: with 31 against 220
it finds events to differ in 6.8% of cohorts without a difference (docs/proofs.md)."""

PERMUTATIONS = 9_999
SEED = 2025
BLOCK = 1_000
"""Permutations in memory at once."""
ROUNDING = 1e-9
"""Relative difference of two statistics that counts as none."""


def choose_clustered(group: np.ndarray, patients: np.ndarray, levels: int | None) -> Choice:
    """Choose a test by how many patients there are.

    Parameters
    ----------
    group : numpy.ndarray of int, shape (n_rows,)
        Number of each row's group.
    patients : numpy.ndarray of shape (n_rows,)
        Patient of each row.
    levels : int or None
        Different levels of counts; None for numbers.

    Returns
    -------
    Choice
        The score test with at least 40 patients in every group. With fewer: permutation where each
        patient is in one group; otherwise Mancl and DeRouen's covariance for numbers of two groups,
        and Rao and Scott's test for counts. Numbers of more than two groups keep the score test.
    """
    pairs = pd.DataFrame({"group": group, "patient": patients}).drop_duplicates()
    fewest = int(pairs["group"].value_counts().min())
    seen = f"{fewest} patients in the smallest group"
    if fewest >= FEW_PATIENTS:
        return Choice("gee-score", seen)
    if not pairs["patient"].duplicated().any():
        return Choice("permutation", f"few patients: {seen}, each in one group")
    if levels is not None:
        return Choice("rao-scott", f"few patients: {seen}")
    test = "mancl-derouen" if pairs["group"].nunique() == 2 else "gee-score"
    return Choice(test, f"few patients: {seen}")


def clustered_test(
    columns: np.ndarray, group: np.ndarray, patients: np.ndarray, test: str
) -> GroupTest:
    """Compare groups with patients as clusters.

    Parameters
    ----------
    columns : numpy.ndarray of shape (n_rows, n_columns)
        Values or midranks as one column, or an indicator of each level but one.
    group : numpy.ndarray of int, shape (n_rows,)
        Number of each row's group.
    patients : numpy.ndarray of shape (n_rows,)
        Patient of each row.
    test : str
        A key of `CLUSTER_TESTS`, but ``rao-scott``, which takes counts (`rao_scott`).

    Returns
    -------
    GroupTest
        NaN where the test cannot be done: one group, no variation, or too few patients.
    """
    columns = np.asarray(columns, dtype=float)
    columns = columns.reshape(len(columns), -1)
    name = CLUSTER_TESTS[test]
    numbers = np.unique(group)
    if len(numbers) < 2 or columns.shape[1] == 0 or (np.ptp(columns, axis=0) == 0).any():
        return GroupTest(test, name)
    codes = pd.factorize(np.asarray(patients))[0]
    if test == "mancl-derouen":
        return _mancl_derouen(columns[:, 0], group == numbers[-1], codes)
    dummies = np.column_stack([group == number for number in numbers[1:]]).astype(float)
    standard = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    if test == "permutation":
        return _permutation(standard, dummies, codes)
    dummies = dummies - dummies.mean(axis=0)
    products = (dummies[:, :, None] * standard[:, None, :]).reshape(len(standard), -1)
    sums = _sums(products, codes)
    variance, total = sums.T @ sums, sums.sum(axis=0)
    df = products.shape[1]
    if np.linalg.matrix_rank(variance) < df:
        return GroupTest(test, name)
    statistic = float(total @ np.linalg.solve(variance, total))
    return GroupTest(test, name, statistic, float(df), p=float(stats.chi2.sf(statistic, df)))


def _sums(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the sum over each patient's rows, shape (n_patients, n_columns)."""
    sums = np.zeros((codes.max() + 1, values.shape[1]))
    np.add.at(sums, codes, values)
    return sums


def _permutation(standard: np.ndarray, dummies: np.ndarray, codes: np.ndarray) -> GroupTest:
    """Give the groups out to the patients anew, each patient with all rows."""
    name = CLUSTER_TESTS["permutation"]
    sums = _sums(standard, codes)
    first = np.unique(codes, return_index=True)[1]
    if not (dummies == dummies[first][codes]).all():
        return GroupTest("permutation", name, note="patients are in several groups")
    groups = dummies[first]
    within, of_groups = sums.T @ sums, np.atleast_2d(np.cov(groups, rowvar=False))
    if np.linalg.matrix_rank(within) < len(within):
        return GroupTest("permutation", name)
    inner, outer = np.linalg.inv(within), np.linalg.inv(of_groups)

    def statistics(of: np.ndarray) -> np.ndarray:
        """Return the statistic of each of several ways to give out groups."""
        total = np.einsum("bik,ij->bkj", of, sums)
        return np.einsum("kl,blj,jm,bkm->b", outer, total, inner, total)

    observed = float(statistics(groups[None])[0])
    rng = np.random.default_rng(SEED)
    blocks = [min(BLOCK, PERMUTATIONS - start) for start in range(0, PERMUTATIONS, BLOCK)]
    orders = (np.argsort(rng.random((size, len(groups))), axis=1) for size in blocks)
    found = np.concatenate([statistics(groups[order]) for order in orders])
    as_large = int((found >= observed * (1 - ROUNDING)).sum())
    p = (1 + as_large) / (1 + PERMUTATIONS)
    note = f"{PERMUTATIONS:,} permutations, seed {SEED}"
    return GroupTest("permutation", name, observed, p=p, note=note)


def _mancl_derouen(values: np.ndarray, second: np.ndarray, codes: np.ndarray) -> GroupTest:
    """Test the group's coefficient of a regression of the values on the group [3]_."""
    import statsmodels.api as sm
    from statsmodels.genmod.cov_struct import Independence

    name, clusters = CLUSTER_TESTS["mancl-derouen"], codes.max() + 1
    binary = set(np.unique(values)) <= {0.0, 1.0}
    shares = [values[second].mean(), values[~second].mean()]
    if clusters < 4 or (binary and (min(shares) == 0 or max(shares) == 1)):
        return GroupTest("mancl-derouen", name, note="too few patients, or a level nobody has")
    family = sm.families.Binomial() if binary else sm.families.Gaussian()
    order = np.argsort(codes, kind="stable")
    design = np.column_stack([np.ones(len(values)), second.astype(float)])[order]
    model = sm.GEE(values[order], design, codes[order], family=family, cov_struct=Independence())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = model.fit(cov_type="bias_reduced")
    error = float(fit.bse[1])
    if not error > 0 or not np.isfinite(error):
        return GroupTest("mancl-derouen", name)
    t, df = float(fit.params[1]) / error, float(clusters - 2)
    return GroupTest("mancl-derouen", name, t, df, p=float(2 * stats.t.sf(abs(t), df)))


def clustered_effect(
    values: np.ndarray,
    second: np.ndarray,
    patients: np.ndarray,
    confidence: float = 0.95,
    *,
    odds: bool = False,
) -> Effect:
    """Return the difference of two means or shares with limits robust to patients.

    Parameters
    ----------
    values : numpy.ndarray of shape (n_rows,)
        Numbers, or 0 and 1 for shares.
    second : numpy.ndarray of bool, shape (n_rows,)
        Whether a row is of the second group; the first is the reference.
    patients : numpy.ndarray of shape (n_rows,)
        Patient of each row.
    confidence : float, default=0.95
        Level of the interval, between 0 and 1.
    odds : bool, optional
        Return the odds ratio of the shares instead.

    Returns
    -------
    Effect
        With limits from the variance of the patients' own sums, and t with as many degrees of
        freedom as patients less two; without limits where there are too few.
    """
    name = "odds ratio" if odds else "difference of means"
    codes = pd.factorize(np.asarray(patients))[0]
    sizes, clusters = np.array([(~second).sum(), second.sum()]), codes.max(initial=-1) + 1
    if min(sizes) == 0:
        return Effect(name)
    means = np.array([values[~second].mean(), values[second].mean()])
    scale = np.ones(2)
    if odds:
        if not ((means > 0) & (means < 1)).all():
            return Effect(name)
        scale = 1 / (means * (1 - means))
    of = second.astype(int)
    influence = np.where(second, 1, -1) * scale[of] * (values - means[of]) / sizes[of]
    transformed = np.log(means / (1 - means)) if odds else means
    value = float(transformed[1] - transformed[0])
    if clusters < 4:
        return Effect(name, float(np.exp(value)) if odds else value)
    sums = _sums(influence[:, None], codes)
    error = float(np.sqrt(clusters / (clusters - 1) * (sums**2).sum()))
    half = float(stats.t.ppf((1 + confidence) / 2, clusters - 2)) * error
    found = np.array([value, value - half, value + half])
    return Effect(name, *(float(each) for each in (np.exp(found) if odds else found)))


def rao_scott(level: np.ndarray, group: np.ndarray, patients: np.ndarray) -> GroupTest:
    """Compare shares of levels by Pearson's chi-square, corrected for patients as clusters [2]_.

    Parameters
    ----------
    level, group : numpy.ndarray of int, shape (n_rows,)
        Numbers of each row's level and group.
    patients : numpy.ndarray of shape (n_rows,)
        Patient of each row.

    Returns
    -------
    GroupTest
        F with its degrees of freedom, as `svychisq` of R's package survey prints it for rows of
        equal weight in patients as sampling units [4]_.
    """
    name = CLUSTER_TESTS["rao-scott"]
    level, group = (np.unique(each, return_inverse=True)[1] for each in (level, group))
    rows, columns, n = level.max() + 1, group.max() + 1, len(level)
    codes = pd.factorize(np.asarray(patients))[0]
    clusters = codes.max() + 1
    if min(rows, columns) < 2 or clusters < 3:
        return GroupTest("rao-scott", name)
    cell = level * columns + group
    cells = np.eye(rows * columns)[cell]
    shares = cells.mean(axis=0)
    deviations = _sums(cells - shares, codes) / n
    variance = clusters / (clusters - 1) * deviations.T @ deviations
    of_row, of_column = np.divmod(np.arange(rows * columns), columns)
    main = np.column_stack(
        [
            np.ones(rows * columns),
            *((of_row == at).astype(float) for at in range(1, rows)),
            *((of_column == at).astype(float) for at in range(1, columns)),
        ]
    )
    crossed = np.column_stack(
        [
            ((of_row == at) & (of_column == other)).astype(float)
            for at in range(1, rows)
            for other in range(1, columns)
        ]
    )
    contrasts = crossed - main @ np.linalg.lstsq(main, crossed, rcond=None)[0]
    inverse = np.diag(np.where(shares > 0, 1 / np.where(shares > 0, shares, 1), 0))
    as_random = contrasts.T @ (inverse / n) @ contrasts
    as_drawn = contrasts.T @ inverse @ variance @ inverse @ contrasts
    delta = np.linalg.solve(as_random, as_drawn)
    trace = float(np.trace(delta))
    if not trace > 0:
        return GroupTest("rao-scott", name)
    counts = n * shares.reshape(rows, columns)
    pearson = stats.chi2_contingency(counts, correction=False).statistic
    df = trace**2 / float(np.trace(delta @ delta))
    df2 = df * (clusters - 1)
    statistic = float(pearson / trace)
    return GroupTest("rao-scott", name, statistic, df, df2, float(stats.f.sf(statistic, df, df2)))
