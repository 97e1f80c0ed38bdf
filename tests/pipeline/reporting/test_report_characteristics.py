"""Table 1: tests against published values, counts that add up, errors."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline.comparison.groups.clustered_tests import clustered_score_test
from pipeline.reporting.parts.characteristics import (
    CHI_SQUARE,
    CLUSTERED_CHI_SQUARE,
    CLUSTERED_MEANS,
    CLUSTERED_RANK_SUM,
    RANK_SUM,
    characteristics,
    compare_counts,
    compare_numbers,
)
from tests.support.refusals import refusal

# Events and group sizes as printed in two papers on residual pain after vertebral augmentation
# (569 patients, 117 with pain; 268 patients, 37 with pain), with the statistic that Pearson's test
# without continuity correction gives on them.
PUBLISHED = [
    ((25, 452), (27, 117), 34.46),
    ((382, 452), (66, 117), 43.84),
    ((343, 452), (68, 117), 14.63),
    ((217, 452), (34, 117), 13.54),
    ((320, 452), (100, 117), 10.35),
    ((86, 452), (36, 117), 7.61),
    ((14, 231), (6, 37), 4.763),
    ((12, 231), (6, 37), 6.183),
    ((39, 231), (8, 37), 0.495),
]


@pytest.mark.parametrize(("first", "second", "statistic"), PUBLISHED)
def test_chi_square_gives_published_values(first, second, statistic):
    counts = np.array([[first[0], second[0]], [first[1] - first[0], second[1] - second[0]]])
    result = compare_counts(counts)
    assert result.statistic == pytest.approx(statistic, abs=0.006)
    assert result.name == CHI_SQUARE


def test_chi_square_of_three_levels_gives_a_published_value():
    result = compare_counts(np.array([[92, 3], [94, 14], [45, 20]]))
    assert result.statistic == pytest.approx(24.83, abs=0.005)


def test_yates_would_turn_a_published_finding_around():
    counts = np.array([[14, 6], [231 - 14, 37 - 6]])
    assert compare_counts(counts).p == pytest.approx(0.029, abs=0.0005)
    assert stats.chi2_contingency(counts, correction=True).pvalue > 0.05


def with_moments(mean: float, deviation: float, size: int) -> np.ndarray:
    """Return a sample with exactly this mean and standard deviation."""
    values = np.random.default_rng(size).normal(size=size)
    return (values - values.mean()) / values.std(ddof=1) * deviation + mean


@pytest.mark.parametrize(
    ("first", "second", "statistic", "p"),
    [
        ((72.23, 9.08, 452), (69.19, 8.56, 117), 3.27, 0.001),
        ((12.69, 2.35, 452), (13.27, 2.61, 117), -2.33, 0.020),
        ((23.92, 3.61, 231), (23.66, 3.27, 37), 0.411, None),
    ],
)
def test_pooled_t_gives_published_values(first, second, statistic, p):
    result = compare_numbers(with_moments(*first), with_moments(*second), "t")
    # Means are printed with two decimals: their rounding alone moves t by up to 0.04.
    assert result.statistic == pytest.approx(statistic, abs=0.01)
    if p is not None:
        assert result.p == pytest.approx(p, abs=0.0005)


def test_welch_differs_from_pooled():
    a, b = with_moments(0, 1, 40), with_moments(0.5, 3, 12)
    assert compare_numbers(a, b, "welch").p != pytest.approx(compare_numbers(a, b, "t").p)


def test_rank_sum_worked_by_hand():
    # U of the first sample counts pairs in which it is larger, ties as a half:
    # 3 > 1, 3 > 2, 5 > 1, 5 > 2, 5 > 4 and the tie 2 = 2.
    result = compare_numbers(np.array([3.0, 5.0, 2.0, np.nan]), np.array([1.0, 2.0, 4.0]))
    assert result.statistic == pytest.approx(1 + 1 + 1 + 1 + 1 + 1 + 0.5)
    assert result.name == RANK_SUM


@pytest.mark.parametrize("test", ["rank-sum", "t", "welch"])
def test_numbers_that_cannot_be_compared(test):
    same = np.full(4, 2.0)
    for a, b in [(same, same), (np.array([]), same), (np.array([np.nan]), np.arange(4.0))]:
        result = compare_numbers(a, b, test)
        assert np.isnan(result.p)
        assert np.isnan(result.statistic)


def test_t_of_two_constants_is_not_possible():
    assert np.isnan(compare_numbers(np.full(3, 1.0), np.full(3, 2.0), "t").p)


def test_unknown_test_is_refused():
    with refusal("test-of-numbers-unknown", match=r"rank-sum, t, welch, .*Found: yates"):
        compare_numbers(np.arange(3.0), np.arange(3.0), "yates")


def test_small_expected_counts_are_marked():
    assert compare_counts(np.array([[2, 3], [20, 30]])).approximate
    assert not compare_counts(np.array([[20, 30], [20, 30]])).approximate


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=4))
def test_order_of_levels_and_groups_does_not_matter(rows):
    counts = np.array(rows)
    p = compare_counts(counts).p
    assert compare_counts(counts[::-1, ::-1]).p == pytest.approx(p, nan_ok=True)
    assert np.isnan(p) or 0 <= p <= 1


@pytest.fixture
def cohort() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return six units and a dictionary of one variable of each type."""
    table = pd.DataFrame(
        {
            "age": [60.0, 70.0, 80.0, 65.0, 75.0, np.nan],
            "grade": [1.0, 2.0, 2.0, 3.0, 1.0, 1.0],
            "trauma": ["yes", "no", "yes", None, "no", "no"],
            "cement": ["blocky", "spongy", "blocky", "spongy", "mixed", "mixed"],
            "bone": [-1.5, -2.25, -3.0, -2.0, -2.5, -1.0],
        }
    )
    rows = [
        ("age", "Age", "continuous", "years", None),
        ("grade", "Grade", "ordinal", None, "1|2|3"),
        ("trauma", "Trauma", "binary", None, "no|yes"),
        ("cement", "Cement", "categorical", None, "blocky|spongy|mixed|none"),
        ("bone", "Bone density", "continuous", "T-score", None),
    ]
    names = ["column", "label", "type", "unit", "levels"]
    return table, pd.DataFrame(rows, columns=names).assign(timing="preoperative")


GROUPS = [(0, "without"), (1, "with")]


def test_characteristics_describe_every_type(cohort):
    table, dictionary = cohort
    group = pd.Series([0, 0, 0, 1, 1, 1])
    found = characteristics(table, dictionary, group, GROUPS)
    age = found[found["variable"] == "Age"].iloc[0]
    # One number of decimals in a row: whole quartiles beside halves are printed as these are.
    assert age["without"] == "70.0 [65.0, 75.0]"
    assert age["with"] == "70.0 [67.5, 72.5]"
    assert len(age["overall"].split(" ")[0].partition(".")[2]) == 1
    assert age["missing"] == 1
    assert age["test"] == RANK_SUM
    trauma = found[found["variable"] == "Trauma"].set_index("level")
    assert trauma.loc["yes", "without"] == "2 (66.7%)"
    # The missing value does not count in the percentage.
    assert trauma.loc["no", "with"] == "2 (100.0%)"
    cement = found[found["variable"] == "Cement"]
    assert list(cement["level"].dropna()) == ["blocky", "spongy", "mixed", "none"]
    assert cement.set_index("level").loc["none", "overall"] == "0 (0.0%)"
    assert found[found["variable"] == "Bone density"].iloc[0]["overall"].startswith("-2.12 [")


@settings(max_examples=40)
@given(
    st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=12),
    st.integers(-6, 2),
)
def test_the_cells_of_a_row_have_one_number_of_decimals(values, power):
    table = pd.DataFrame({"x": np.array(values) * 10.0**power})
    dictionary = pd.DataFrame([{"column": "x", "label": "X", "type": "continuous"}])
    group = pd.Series(np.arange(len(values)) % 2)
    row = characteristics(table, dictionary, group, GROUPS).iloc[0]
    cells = [row[name] for name in ("overall", "without", "with") if row[name] is not None]
    numbers = [part for cell in cells for part in re.findall(r"-?\d+(?:\.\d+)?", cell)]
    assert len({len(part.partition(".")[2]) for part in numbers}) == 1


def test_small_numbers_keep_their_digits():
    table = pd.DataFrame({"x": [0.00123, 0.00125, 0.00131, 0.00142]})
    dictionary = pd.DataFrame([{"column": "x", "label": "X", "type": "continuous"}])
    row = characteristics(table, dictionary, pd.Series([0, 1, 0, 1]), GROUPS).iloc[0]
    assert row["overall"] == "0.001280 [0.001245, 0.001337]"


def test_characteristics_with_t_show_means(cohort):
    table, dictionary = cohort
    found = characteristics(
        table, dictionary.head(1), pd.Series([0, 0, 0, 1, 1, 1]), GROUPS, continuous_test="t"
    )
    assert found.loc[0, "without"] == "70.0 (10.0)"
    assert found.loc[0, "summary"] == "mean (SD)"


@pytest.fixture
def several() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the units of 40 patients, one to four of each, and a dictionary."""
    rng = np.random.default_rng(6)
    patient = np.repeat(np.arange(40), rng.integers(1, 5, 40))
    age = rng.normal(70, 9, 40).round()
    age[:5] = np.nan
    table = pd.DataFrame(
        {
            "patient_id": patient,
            "age": age[patient],
            "sex": np.where(rng.random(40) < 0.5, "f", "m")[patient],
            "height": rng.normal(20, 3, len(patient)),
            "grade": rng.choice(["1", "2", "3"], len(patient)),
            "outcome": (rng.random(40) < 0.4)[patient].astype(int),
        }
    )
    rows = [
        ("age", "Age", "continuous", None),
        ("sex", "Sex", "binary", "f|m"),
        ("height", "Height", "continuous", None),
        ("grade", "Grade", "categorical", "1|2|3|4"),
    ]
    dictionary = pd.DataFrame(rows, columns=["column", "label", "type", "levels"])
    return table, dictionary


def test_what_is_the_patients_own_is_compared_once_per_patient(several):
    table, dictionary = several
    found = characteristics(
        table, dictionary, table["outcome"], GROUPS, patients=table["patient_id"]
    )
    heads = found[found["level"].isna()].set_index("variable")
    once = table.drop_duplicates("patient_id")
    alone = characteristics(once, dictionary, once["outcome"], GROUPS)
    alone = alone[alone["level"].isna()].set_index("variable")
    for name in ("Age", "Sex"):
        assert heads.loc[name, "compared"] == "patients"
        assert heads.loc[name, "test"] == alone.loc[name, "test"]
        assert heads.loc[name, "p"] == pytest.approx(alone.loc[name, "p"])
    # What varies inside patients is tested with patients as clusters.
    group, patients = table["outcome"] == 1, table["patient_id"]
    ranks = stats.rankdata(table["height"])[:, None]
    grades = table["grade"].to_numpy()[:, None] == [["2", "3"]]
    for name, columns, test in (
        ("Height", ranks, CLUSTERED_RANK_SUM),
        ("Grade", grades.astype(float), CLUSTERED_CHI_SQUARE),
    ):
        assert heads.loc[name, "compared"] == "clusters of units"
        assert heads.loc[name, "test"] == test
        assert heads.loc[name, "p"] == pytest.approx(
            clustered_score_test(columns, group, patients)[1], rel=1e-9
        )
    # The summaries are of all units.
    levels = found[found["variable"] == "Sex"]["overall"].dropna()
    assert levels.map(lambda text: int(text.split(" ")[0])).sum() == len(table)


def test_a_group_that_varies_inside_patients_makes_clusters_of_them(several):
    table, dictionary = several
    group = pd.Series(np.arange(len(table)) % 2)
    found = characteristics(table, dictionary, group, GROUPS, patients=table["patient_id"])
    heads = found[found["level"].isna()]
    assert (heads["compared"] == "clusters of units").all()
    assert heads["p"].notna().all()


def test_copies_of_units_do_not_make_a_difference_clearer(several):
    table, dictionary = several
    copied = pd.concat([table, table, table], ignore_index=True)
    tables = [
        characteristics(each, dictionary, each["outcome"], GROUPS, patients=each["patient_id"])
        for each in (table, copied)
    ]
    np.testing.assert_allclose(tables[0]["p"], tables[1]["p"], rtol=1e-9)
    naive = [characteristics(each, dictionary, each["outcome"], GROUPS) for each in (table, copied)]
    assert (naive[1]["p"].dropna() < naive[0]["p"].dropna()).all()


def test_means_of_clustered_units(several):
    table, dictionary = several
    height = dictionary[dictionary["column"] == "height"]
    found = characteristics(
        table,
        height,
        table["outcome"],
        GROUPS,
        patients=table["patient_id"],
        continuous_test="welch",
    )
    columns, group = table[["height"]].to_numpy(), table["outcome"] == 1
    statistic, _ = clustered_score_test(columns, group, table["patient_id"])
    assert found.loc[0, "statistic"] == statistic
    assert found.loc[0, "test"] == CLUSTERED_MEANS


def test_one_unit_a_patient_leaves_the_usual_tests(cohort):
    table, dictionary = cohort
    group, patients = pd.Series([0, 0, 0, 1, 1, 1]), pd.Series(list("abcdef"))
    given = characteristics(table, dictionary, group, GROUPS, patients=patients)
    pd.testing.assert_frame_equal(given, characteristics(table, dictionary, group, GROUPS))
    assert set(given["compared"].dropna()) == {"units"}


def test_values_outside_the_listed_levels_are_counted_too(cohort):
    table, dictionary = cohort
    table.loc[0, "cement"] = "unheard of"
    found = characteristics(table, dictionary, pd.Series([0, 0, 0, 1, 1, 1]), GROUPS)
    assert "unheard of" in set(found["level"].dropna())


def test_units_of_no_group_count_overall_only(cohort):
    table, dictionary = cohort
    group = pd.Series([0, 0, 1, 1, 2, 2])
    found = characteristics(table, dictionary, group, GROUPS).set_index(["variable", "level"])
    assert found.loc[("Trauma", "no"), "overall"] == "3 (60.0%)"
    assert found.loc[("Trauma", "no"), "without"] == "1 (50.0%)"


@given(
    st.lists(st.sampled_from(["a", "b", "c", None]), min_size=4, max_size=30),
    st.integers(0, 2**31 - 1),
)
def test_counts_of_levels_and_missing_add_up(values, seed):
    group = pd.Series(np.random.default_rng(seed).integers(0, 2, len(values)))
    dictionary = pd.DataFrame(
        [["v", "Variable", "categorical", None, "a|b|c", "preoperative"]],
        columns=["column", "label", "type", "unit", "levels", "timing"],
    )
    found = characteristics(pd.DataFrame({"v": values}), dictionary, group, GROUPS)
    levels = found[found["level"].notna()]
    counted = levels["overall"].dropna().map(lambda text: int(text.split(" ")[0])).sum()
    assert counted + found["missing"].iloc[0] == len(values)


def test_errors_of_characteristics(cohort):
    table, dictionary = cohort
    group = pd.Series([0, 0, 0, 1, 1, 1])
    with refusal("groups-not-two", match="Found: 3"):
        characteristics(table, dictionary, group, [*GROUPS, (2, "third")])
    with refusal("described-column-missing", match="Found: age"):
        characteristics(table.drop(columns="age"), dictionary, group, GROUPS)
    with refusal("group-labels-clash"):
        characteristics(table, dictionary, group, [(0, "test"), (1, "with")])


def test_a_test_named_in_the_dictionary_is_done() -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "age": rng.normal(70, 8, 60),
            "pfo": rng.choice(["no", "yes"], 60),
            "grade": rng.integers(0, 3, 60).astype(float),
        }
    )
    group = pd.Series(np.repeat([0, 1], 30))
    dictionary = pd.DataFrame(
        {
            "column": ["age", "pfo", "grade"],
            "label": ["Age", "PFO", "Grade"],
            "type": ["continuous", "binary", "ordinal"],
            "levels": [None, "no|yes", None],
            "test": ["welch-t", "yates", "trend"],
        }
    )
    groups = [(0, "no event"), (1, "event")]
    heads = characteristics(table, dictionary, group, groups)
    heads = heads[heads["level"].isna()].set_index("variable")
    a, b = (table.loc[group == value, "age"] for value in (0, 1))
    assert heads.loc["Age", "p"] == stats.ttest_ind(a, b, equal_var=False).pvalue
    assert heads.loc["Age", "summary"] == "mean (SD)"
    counts = pd.crosstab(table["pfo"], group)
    assert heads.loc["PFO", "p"] == stats.chi2_contingency(counts, correction=True).pvalue
    r = np.corrcoef(table["grade"], group)[0, 1]
    assert heads.loc["Grade", "statistic"] == pytest.approx(59 * r**2)
    assert heads.loc["Grade", "summary"] == "n (%)"
    plain = characteristics(table, dictionary.assign(test=None), group, groups)
    assert plain.loc[0, "test"] == "Wilcoxon rank-sum"
    with refusal("test-misfits-variable"):
        characteristics(table, dictionary.assign(test="pearson"), group, groups)
