"""Table 1: the units of a study described and compared between groups, with the test named.

The tests are those of `pipeline.comparison.groups.group_tests`, because their choice decides P
values near the limit (a chi-square test with Yates' correction turns published findings around) and
must stand in the table: Pearson's chi-square and the rank-sum test, unless the data dictionary
names another for a variable. Where patients have several units, no test takes these for
independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.comparison.groups.clustered_tests import clustered_score_test
from pipeline.comparison.groups.group_tests import (
    BY_MEANS,
    COUNT_TESTS,
    NUMBER_TESTS,
    count_test,
    fits,
    number_test,
)
from pipeline.comparison.groups.summaries import decimals, varies
from pipeline.comparison.table_one.table_one_parts import code_text
from pipeline.core.errors import VertebromicsError
from pipeline.reporting.wording import share

#: Below this expected count in a cell, the chi-square distribution approximates badly
#: (Cochran, Biometrics 1954;10:417-451).
MIN_EXPECTED_COUNT = 5

#: Names of the tests as the table prints them.
CHI_SQUARE = COUNT_TESTS["pearson"]
RANK_SUM = "Wilcoxon rank-sum"
T_POOLED = NUMBER_TESTS["pooled-t"]
T_WELCH = NUMBER_TESTS["welch-t"]
CLUSTERED = ", patients as clusters (generalised score test)"
CLUSTERED_CHI_SQUARE = f"Chi-square{CLUSTERED}"
CLUSTERED_RANK_SUM = f"{RANK_SUM}{CLUSTERED}"
CLUSTERED_MEANS = f"Difference of means{CLUSTERED}"

#: What a test counts as one independent observation.
UNITS, PATIENTS, CLUSTERS = "units", "patients", "clusters of units"

_NAMED_HERE = {"t": "pooled-t", "welch": "welch-t"}
_NUMBER_TESTS = {"rank-sum": RANK_SUM, "t": T_POOLED, "welch": T_WELCH} | NUMBER_TESTS


@dataclass(frozen=True)
class TestResult:
    """Outcome of one comparison.

    Attributes
    ----------
    name : str
        The test in full.
    statistic, p : float
        NaN where the test cannot be done (an empty group, one level, no variation but rounding).
    approximate : bool
        Whether an expected count lies below `MIN_EXPECTED_COUNT`.
    compared : {'units', 'patients', 'clusters of units'}
        What it counts as one independent observation.
    """

    __test__ = False  # the name is the field's, not pytest's

    name: str
    statistic: float
    p: float
    approximate: bool = False
    compared: str = UNITS


def compare_counts(counts: np.ndarray, test: str = "pearson") -> TestResult:
    """Compare proportions, by Pearson's chi-square test without continuity correction by default.

    Parameters
    ----------
    counts : numpy.ndarray of shape (n_levels, n_groups)
        Numbers of units; levels and groups without units are left out.
    test : str
        A key of `pipeline.comparison.groups.group_tests.COUNT_TESTS`.

    Examples
    --------
    >>> result = compare_counts(np.array([[25, 27], [452 - 25, 117 - 27]]))
    >>> round(result.statistic, 2)
    34.46
    """
    found = count_test(counts, test)
    counts = np.asarray(counts, dtype=float)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    approximate = False
    if test != "fisher" and min(counts.shape, default=0) > 1:
        expected = stats.contingency.expected_freq(counts)
        approximate = bool((expected < MIN_EXPECTED_COUNT).any())
    return TestResult(found.name, found.statistic, found.p, approximate)


def compare_numbers(a: np.ndarray, b: np.ndarray, test: str = "rank-sum") -> TestResult:
    """Compare two independent samples of numbers.

    Parameters
    ----------
    a, b : numpy.ndarray of shape (n_a,) and (n_b,)
        Values; missing ones are left out.
    test : str
        ``rank-sum``, Wilcoxon's test (two-sided, always the normal approximation with tie and
        continuity correction; the statistic is Mann and Whitney's U of `a`), ``t`` (pooled
        variance), ``welch``, or a key of `pipeline.comparison.groups.group_tests.NUMBER_TESTS`.
    """
    if test not in _NUMBER_TESTS:
        raise VertebromicsError(
            f"A test for numbers must be one of {', '.join(_NUMBER_TESTS)}",
            found=test,
            code="test-of-numbers-unknown",
        )
    if test != "rank-sum":
        found = number_test([a, b], _NAMED_HERE.get(test, test))
        return TestResult(found.name, found.statistic, found.p)
    a, b = (np.asarray(values, dtype=float) for values in (a, b))
    a, b = a[~np.isnan(a)], b[~np.isnan(b)]
    if min(len(a), len(b)) < 1 or np.ptp(np.concatenate([a, b])) == 0:
        return TestResult(RANK_SUM, np.nan, np.nan)
    result = stats.mannwhitneyu(a, b, alternative="two-sided", method="asymptotic")
    return TestResult(RANK_SUM, float(result.statistic), float(result.pvalue))


def characteristics(
    table: pd.DataFrame,
    dictionary: pd.DataFrame,
    group: pd.Series,
    groups: Sequence[tuple[object, str]],
    *,
    patients: pd.Series | None = None,
    continuous_test: str = "rank-sum",
) -> pd.DataFrame:
    """Describe every variable of `dictionary` overall and in two groups, and compare the groups.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per unit; columns as the dictionary names them.
    dictionary : pandas.DataFrame
        Rows ``column, label, type, unit, levels, timing`` of the variables to describe, and
        ``test`` where one was named beforehand. Continuous and ordinal ones are summed up as median
        and quartiles (mean and standard deviation with a test of means), the others, and those for
        which a test of counts is named, as counts per level.
    group : pandas.Series
        Group of each unit, on the index of `table`; units of no listed group count overall only.
    groups : sequence of (value, label), two of them
        The groups to compare, in the order of their columns.
    patients : pandas.Series, optional
        Patient of each unit, on the index of `table`; every unit is independent without. Where
        patients have several units, a variable that is the same in all units of each patient, in
        groups that are too, is tested with one row per patient, and any other with patients as
        clusters (`pipeline.comparison.groups.clustered_tests`). Summaries are of the units all the
        same.
    continuous_test : {'rank-sum', 't', 'welch'}
        Test for continuous and ordinal variables.

    Returns
    -------
    pandas.DataFrame
        One row per variable and, for categories, one per level: ``variable, level`` (null on a
        variable's own row)``, unit, timing, summary, overall, <label of each group>, missing,
        test, statistic, p, approximate, compared``. Missing values are counted and left out of
        percentages and tests.
    """
    if len(groups) != 2:
        raise VertebromicsError(
            "Characteristics compare two groups", found=len(groups), code="groups-not-two"
        )
    rows: list[dict] = []
    for entry in dictionary.to_dict("records"):
        if entry["column"] not in table:
            raise VertebromicsError(
                "Every described variable must be a column of the analysis table",
                found=entry["column"],
                code="described-column-missing",
            )
        values, numbers = table[entry["column"]], entry["type"] in ("continuous", "ordinal")
        test = _named_test(values, entry)
        if test in COUNT_TESTS and numbers:
            values, numbers = pd.to_numeric(values).astype(float).map(code_text), False
        if numbers:
            rows += _describe_numbers(
                values, entry, group, groups, test or continuous_test, patients
            )
        else:
            rows += _describe_counts(values, entry, group, groups, test or "pearson", patients)
    columns = ["variable", "level", "unit", "timing", "summary", "overall"]
    columns += [label for _, label in groups]
    columns += ["missing", "test", "statistic", "p", "approximate", "compared"]
    if len(set(columns)) < len(columns):
        raise VertebromicsError(
            "Labels of groups must differ from each other and from the table's own columns",
            found=", ".join(label for _, label in groups),
            code="group-labels-clash",
        )
    return pd.DataFrame(rows, columns=columns)


def _named_test(values: pd.Series, entry: dict) -> str | None:
    """Return the test that the dictionary names for a variable.

    Raises
    ------
    VertebromicsError
        If it does not fit the variable.
    """
    test = entry.get("test")
    if not isinstance(test, str) or not test:
        return None
    numbers, levels = entry["type"] in ("continuous", "ordinal"), values.nunique()
    counted = test in COUNT_TESTS and entry["type"] == "continuous"
    if counted or not fits(test, numbers=numbers, levels=levels, groups=2):
        raise VertebromicsError(
            "A test named for a variable must fit it",
            found=f"{test} for {entry['column']}: {entry['type']}, {levels} values",
            remedy="name another in the column `test` of the data dictionary, or leave it blank",
            code="test-misfits-variable",
        )
    return test


def _describe_numbers(
    values: pd.Series,
    entry: dict,
    group: pd.Series,
    groups: Sequence[tuple[object, str]],
    test: str,
    patients: pd.Series | None,
) -> list[dict]:
    numbers = pd.to_numeric(values).astype(float)
    if not varies(numbers.dropna().to_numpy()):
        # What differs by rounding alone is the same value: no digit shows it, no test may find it.
        numbers = numbers.mask(numbers.notna(), numbers.median())
    by_rank = _NAMED_HERE.get(test, test) not in BY_MEANS
    rows, of_group, compared = _observations(numbers, group, groups, patients)
    if compared == CLUSTERS:
        known = numbers[rows].to_numpy()
        columns = stats.rankdata(known) if by_rank else known
        name = CLUSTERED_RANK_SUM if by_rank else CLUSTERED_MEANS
        found = clustered_score_test(columns[:, None], of_group, patients[rows].to_numpy())
        result = TestResult(name, *found, compared=compared)
    else:
        first, second = (numbers[rows][of_group == value].to_numpy() for value in (0, 1))
        result = replace(compare_numbers(first, second, test), compared=compared)
    row = _row(entry, numbers, result)
    row["summary"] = "median [Q1, Q3]" if by_rank else "mean (SD)"
    summarise = _medians if by_rank else _means
    columns = [numbers, *(numbers[group == value] for value, _ in groups)]
    names = ["overall", *(label for _, label in groups)]
    row |= dict(zip(names, summarise(columns), strict=True))
    return [row]


def _describe_counts(
    values: pd.Series,
    entry: dict,
    group: pd.Series,
    groups: Sequence[tuple[object, str]],
    test: str,
    patients: pd.Series | None,
) -> list[dict]:
    texts = values.astype("string")
    listed = entry.get("levels")
    levels = listed.split("|") if isinstance(listed, str) and listed else []
    levels += sorted(set(texts.dropna()) - set(levels))
    counts = _counts(texts, levels, [(group == value) for value, _ in groups])
    head = _row(entry, texts, _compare_levels(texts, levels, group, groups, test, patients))
    head["summary"] = "n (%)"
    rows = [head]
    known = texts.notna()
    for level, numbers in zip(levels, counts, strict=True):
        row = {"variable": entry["label"], "level": level, "summary": "n (%)"}
        row["overall"] = _percent(int((texts == level).sum()), int(known.sum()))
        for (value, label), number in zip(groups, numbers, strict=True):
            row[label] = _percent(int(number), int((known & (group == value)).sum()))
        rows.append(row)
    return rows


def _counts(texts: pd.Series, levels: list[str], members: Sequence[pd.Series]) -> np.ndarray:
    """Count units by level and group, shape (n_levels, n_groups)."""
    counts = [[int(((texts == level) & of).sum()) for of in members] for level in levels]
    return np.array(counts, dtype=int).reshape(len(levels), len(members))


def _compare_levels(
    texts: pd.Series,
    levels: list[str],
    group: pd.Series,
    groups: Sequence[tuple[object, str]],
    test: str,
    patients: pd.Series | None,
) -> TestResult:
    """Compare the shares of levels by the test that suits how units belong to patients."""
    rows, of_group, compared = _observations(texts, group, groups, patients)
    texts = texts[rows]
    counts = _counts(texts, levels, [of_group == 0, of_group == 1])
    result = compare_counts(counts, test) if levels else TestResult(CHI_SQUARE, np.nan, np.nan)
    if compared != CLUSTERS:
        return replace(result, compared=compared)
    # The shares of all levels but one tell that of the last.
    used = [level for level in levels if (texts == level).any()][1:]
    columns = np.array([texts == level for level in used], dtype=float).T.reshape(-1, len(used))
    found = clustered_score_test(columns, of_group, patients[rows].to_numpy())
    return TestResult(CLUSTERED_CHI_SQUARE, *found, result.approximate, compared)


def _observations(
    values: pd.Series,
    group: pd.Series,
    groups: Sequence[tuple[object, str]],
    patients: pd.Series | None,
) -> tuple[pd.Index, np.ndarray, str]:
    """Return the rows to compare, the group of each (0 or 1), and what they are."""
    order = {value: number for number, (value, _) in enumerate(groups)}
    of_group = group.map(order)
    known = values.notna() & of_group.notna()
    rows, of_group = values.index[known], of_group[known].to_numpy(dtype=int)
    if patients is None or not patients.duplicated().any():
        return rows, of_group, UNITS
    units = pd.DataFrame({"value": values[rows], "group": of_group}, index=rows)
    by_patient = units.groupby(patients[rows])
    if (by_patient.nunique() > 1).any(axis=None):
        return rows, of_group, CLUSTERS
    first = ~patients[rows].duplicated().to_numpy()
    return rows[first], of_group[first], PATIENTS


def _row(entry: dict, values: pd.Series, result: TestResult) -> dict:
    return {
        "variable": entry["label"],
        "level": None,
        "unit": entry.get("unit"),
        "timing": entry.get("timing"),
        "missing": int(values.isna().sum()),
        "test": result.name,
        "statistic": result.statistic,
        "p": result.p,
        "approximate": result.approximate,
        "compared": result.compared,
    }


def _medians(columns: Sequence[pd.Series]) -> list[str | None]:
    """Return median and quartiles of each column of a row, all with the same decimals."""
    columns = [values.dropna() for values in columns]
    quartiles = [np.percentile(values, [50, 25, 75]) if len(values) else None for values in columns]
    digits = decimals(columns[0].to_numpy())
    if (columns[0] == columns[0].round()).all():
        # Quartiles of whole numbers are whole or lie between two of them.
        printed = [value for of_column in quartiles if of_column is not None for value in of_column]
        digits = 0 if all(float(value).is_integer() for value in printed) else 1
    return [
        None if of_column is None else "{:.{d}f} [{:.{d}f}, {:.{d}f}]".format(*of_column, d=digits)
        for of_column in quartiles
    ]


def _means(columns: Sequence[pd.Series]) -> list[str | None]:
    """Return mean and standard deviation of each column of a row, all with the same decimals."""
    columns = [values.dropna() for values in columns]
    digits = decimals(columns[0].to_numpy())
    texts: list[str | None] = []
    for values in columns:
        spread = f"{values.std(ddof=1):.{digits}f}" if len(values) > 1 else "–"
        texts.append(f"{values.mean():.{digits}f} ({spread})" if len(values) else None)
    return texts


def _percent(part: int, whole: int) -> str | None:
    return f"{part} ({share(part, whole, 1)})" if whole else None
