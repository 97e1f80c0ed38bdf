"""Fisher's exact test of larger tables against published P values, enumeration and scipy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from scipy.special import gammaln

from pipeline.comparison.groups.fisher_exact import TooManyTablesError, fisher_p
from tests.support.refusals import refusal

#: Table, P as R's `fisher.test` prints it, and where that stands.
PUBLISHED = {
    # Agresti, Categorical Data Analysis (2002) p. 57; example of R's help page: 0.7827
    "job satisfaction": ([[1, 2, 1, 0], [3, 3, 6, 1], [10, 10, 14, 9], [6, 7, 12, 11]], 0.7827),
    # the sixth example of Mehta and Patel (1983), also of R's help page: 0.03929
    "Mehta and Patel 6": (
        [
            [1, 2, 2, 1, 1, 0, 1],
            [2, 0, 0, 2, 3, 0, 0],
            [0, 1, 1, 1, 2, 7, 3],
            [1, 1, 2, 0, 0, 0, 1],
            [0, 1, 1, 1, 1, 0, 0],
        ],
        0.03929,
    ),
    # Holsinger, Tests in R (lecture notes, University of Connecticut): 2.957e-05
    "alleles": ([[12, 17], [4, 25], [15, 4]], 2.957e-05),
}


def enumerated_p(table: np.ndarray) -> float:
    """Add up every table with the same margins, cell by cell."""
    rows, columns = table.sum(axis=1), table.sum(axis=0)

    def fillings(rest: tuple[int, ...], total: int):
        if len(rest) == 1:
            if total <= rest[0]:
                yield (total,)
            return
        for first in range(min(rest[0], total) + 1):
            for others in fillings(rest[1:], total - first):
                yield (first, *others)

    def tables(rest: tuple[int, ...], at: int):
        if at == len(columns):
            yield ()
            return
        for column in fillings(rest, int(columns[at])):
            left = tuple(a - b for a, b in zip(rest, column, strict=True))
            for others in tables(left, at + 1):
                yield (column, *others)

    logs = np.array([-gammaln(np.array(one) + 1).sum() for one in tables(tuple(rows), 0)])
    observed = -gammaln(table + 1).sum()
    weights = np.exp(logs - logs.max())
    return weights[logs <= observed + 1e-7].sum() / weights.sum()


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_values(name: str) -> None:
    table, printed = PUBLISHED[name]
    assert fisher_p(np.array(table))[1] == pytest.approx(printed, rel=2e-4)


@given(hnp.arrays(int, st.tuples(st.integers(2, 3), st.integers(2, 3)), elements=st.integers(0, 4)))
@settings(max_examples=60)
def test_equals_enumeration(table: np.ndarray) -> None:
    if (table.sum(axis=0) == 0).any() or (table.sum(axis=1) == 0).any():
        return
    assert fisher_p(table)[1] == pytest.approx(enumerated_p(table), rel=1e-9)


@given(hnp.arrays(int, (2, 2), elements=st.integers(0, 300)))
@settings(max_examples=60)
def test_equals_scipy_on_two_by_two(table: np.ndarray) -> None:
    if (table.sum(axis=0) == 0).any() or (table.sum(axis=1) == 0).any():
        assert fisher_p(table) == (1.0, 1.0)
        return
    assert fisher_p(table)[1] == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-6)


def test_neither_order_nor_side_matters() -> None:
    table = np.array([[8, 3, 5, 6], [5, 3, 1, 3], [7, 3, 20, 9]])
    expected = fisher_p(table)[1]
    for rows in itertools.permutations(range(3)):
        assert fisher_p(table[list(rows)][:, ::-1])[1] == pytest.approx(expected, rel=1e-9)
    assert fisher_p(table.T)[1] == pytest.approx(expected, rel=1e-9)


def test_the_statistic_is_the_probability_of_the_table() -> None:
    table = np.array([[3, 1, 2], [0, 4, 5]])
    random = stats.random_table(table.sum(axis=1), table.sum(axis=0))
    assert fisher_p(table)[0] == pytest.approx(random.pmf(table), rel=1e-9)


def test_a_table_too_large_is_refused() -> None:
    table = np.array([[20, 30, 40, 10, 9], [30, 20, 30, 20, 5], [10, 20, 20, 30, 4]])
    with refusal("fisher-too-many-tables", TooManyTablesError):
        fisher_p(table, max_paths=100_000)
