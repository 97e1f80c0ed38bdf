"""Table 1: described as a paper prints it, tests as named or by rule, findings that flip listed."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline.comparison.groups.group_tests import NUMBER_TESTS, count_test
from pipeline.comparison.groups.multiplicity import adjusted
from pipeline.comparison.table_one import table_one_counts
from pipeline.comparison.table_one.table_one import table_one
from pipeline.comparison.table_one.table_one_parts import Variable
from tests.support.refusals import refusal

RNG = np.random.default_rng(2)


def column(*groups: tuple[int, int]) -> list[str]:
    """Return words of groups of (yes, all) units, one group after the other."""
    return [word for yes, n in groups for word in ["yes"] * yes + ["no"] * (n - yes)]


LI = pd.DataFrame(
    {
        "rbp": ["no"] * 231 + ["yes"] * 37,
        "ivc": column((14, 231), (6, 37)),
        "leak": column((39, 231), (8, 37)),
        "bmi": RNG.normal(23.9, 3.6, 268).round(2),
        "grade": np.r_[np.repeat([1.0, 2, 3], (92, 94, 45)), np.repeat([1.0, 2, 3], (3, 14, 20))],
        "vas": np.r_[RNG.integers(0, 9, 231), RNG.integers(2, 11, 37)].astype(float),
    }
)
YES = ("no", "yes")
IVC, LEAK = Variable("ivc", "IVC", levels=YES), Variable("leak", "Leakage", levels=YES)
BMI, VAS = Variable("bmi", "BMI", numbers=True, unit="kg/m2"), Variable("vas", "VAS", numbers=True)
GRADE = Variable("grade", "Goutallier", numbers=True, levels=("1", "2", "3"), ordered=True)
CODE = Variable("grade", "Goutallier", True, ("1", "2", "3"), ordered=True, as_counts=True)


def row_of(variable: Variable, **options: object) -> pd.Series:
    return table_one(LI, [variable], "rbp", YES, **options).rows.iloc[0]


def test_named_tests_are_scipys() -> None:
    a, b = (LI.loc[LI["rbp"] == group, "bmi"] for group in YES)
    t = stats.ttest_ind(a, b)
    found = row_of(BMI, test="pooled-t")
    assert (found["statistic"], found["p_value"], found["df"]) == (t.statistic, t.pvalue, 266)
    welch = stats.ttest_ind(a, b, equal_var=False)
    assert row_of(BMI, test="welch-t")["df"] == welch.df
    table = pd.crosstab(LI["ivc"], LI["rbp"])
    assert row_of(IVC, test="fisher")["p_value"] == stats.fisher_exact(table).pvalue
    assert row_of(IVC, test="yates")["p_value"] == stats.chi2_contingency(table).pvalue
    assert row_of(IVC, test="pearson")["statistic"] == pytest.approx(4.763, abs=5e-4)


def test_a_test_named_for_all_is_that_of_the_columns_it_fits() -> None:
    found = table_one(LI, [IVC, BMI, CODE], "rbp", YES, test="trend").rows.set_index("variable")
    assert list(found["test"]) == ["trend", "pooled-t", "trend"]
    assert list(found["chosen"]) == ["named", "rule", "named"]
    found = table_one(LI, [IVC, BMI, CODE], "rbp", YES, test="mann-whitney").rows
    assert list(found["test"]) == ["fisher", "mann-whitney", "mann-whitney"]
    found = table_one(LI, [CODE], "rbp", YES, test="yates").rows
    assert list(found["test"]) == ["pearson"]


def test_the_dictionary_goes_before_the_command() -> None:
    named = Variable("ivc", "IVC", levels=YES, test="likelihood-ratio")
    assert row_of(named, test="yates")["test"] == "likelihood-ratio"
    assert row_of(named)["reason"] == "named beforehand"


def test_a_trend_needs_an_order() -> None:
    words = LI.assign(side=np.tile(["left", "right", "both", "none"], 67))
    side = Variable("side", "Side", levels=("left", "right", "both", "none"))
    found = table_one(words, [side], "rbp", YES, test="trend").rows
    assert found["test"][0] == "pearson"
    said = Variable("side", "Side", levels=side.levels, test="trend")
    assert table_one(words, [said], "rbp", YES).rows["test"][0] == "trend"


def test_findings_that_depend_on_the_test_are_listed() -> None:
    """IVC of li2021: P .029 by Pearson, above .05 with Yates."""
    found = row_of(IVC, test="pearson")
    assert found["crosses"]
    assert found["least_p"] == found["p_value"]
    assert (found["least_p_test"], found["largest_p"] > 0.05) == ("pearson", True)
    assert not row_of(LEAK)["crosses"]
    assert not row_of(GRADE)["crosses"]


def test_descriptions() -> None:
    found = table_one(LI, [IVC, BMI, CODE], "rbp", YES, test="pooled-t")
    rows = found.rows.set_index("variable")
    assert rows.loc["ivc", "rbp=yes"] == "6 (16.2%)"
    assert rows.loc["ivc", "total"] == "20 (7.5%)"
    assert rows.loc["bmi", "summary"] == "mean ± SD"
    assert rows.loc["bmi", "range"].count(" to ") == 1
    cells = found.cells.set_index(["variable", "level", "group"]).sort_index()
    assert cells.loc[("ivc", "yes", "yes"), "count"] == 6
    bmi = found.cells.query("variable == 'bmi' and group.isna()").iloc[0]
    assert bmi["mean"] == pytest.approx(LI["bmi"].mean())
    assert bmi["median"] == LI["bmi"].median()


def test_effects_are_of_the_second_group_against_the_first() -> None:
    found = row_of(IVC)
    assert found["difference"] == pytest.approx(6 / 37 - 14 / 231)
    assert found["difference_low"] < found["difference"] < found["difference_high"]
    assert found["ratio"] == pytest.approx((6 / 31) / (14 / 217))
    found = row_of(VAS)
    assert (found["effect"], found["difference"] > 0) == ("Hodges-Lehmann shift", True)


def test_missing_values_and_units_of_no_group() -> None:
    gaps = LI.assign(ivc=LI["ivc"].where(LI.index > 9, None))
    gaps["rbp"] = gaps["rbp"].where(gaps.index < 260, None)
    found = table_one(gaps, [IVC], "rbp", YES).rows.iloc[0]
    assert (found["n"], found["missing"]) == (258, 10)
    part = gaps.dropna()
    table = pd.crosstab(part["ivc"], part["rbp"])
    assert found["p_value"] == stats.fisher_exact(table).pvalue


def test_more_than_two_groups() -> None:
    table = LI.assign(site=np.tile(["A", "B", "C", "D"], 67))
    found = table_one(table, [IVC, BMI, VAS], "site", ("A", "B", "C", "D")).rows
    assert list(found["test"]) == ["pearson", "anova", "kruskal"]
    assert found["difference"].isna().all()
    assert found.loc[1, "df2"] == 264


def test_nothing_is_compared_without_groups() -> None:
    found = table_one(LI, [IVC, BMI])
    assert found.rows["test"].isna().all()
    assert found.groups == ()


def test_a_table_too_large_for_fisher_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule then prints Pearson and says so; a named test is refused."""
    monkeypatch.setattr(table_one_counts, "MAX_PATHS", 50_000)
    monkeypatch.setattr(table_one_counts, "BESIDE_PATHS", 50_000)
    rng = np.random.default_rng(0)
    sizes = (0.3, 0.3, 0.2, 0.1, 0.05, 0.03, 0.01, 0.01)
    table = pd.DataFrame(
        {"site": rng.choice(list("ABCDE"), 900), "kind": rng.choice(list("abcdefgh"), 900, p=sizes)}
    )
    kind = Variable("kind", "Kind", levels=tuple("abcdefgh"))
    found = table_one(table, [kind], "site", tuple("ABCDE")).rows.iloc[0]
    assert found["test"] == "pearson"
    assert found["note"].startswith("approximate")
    with refusal("fisher-too-many-tables"):
        table_one(table, [kind], "site", tuple("ABCDE"), test="fisher")


@pytest.mark.parametrize(
    "variable",
    [
        Variable("ivc", "IVC", levels=YES, test="pooled-t"),
        Variable("bmi", "BMI", numbers=True, test="pearson"),
        Variable("grade", "Goutallier", True, ("1", "2", "3"), test="yates"),
        Variable("bmi", "BMI", numbers=True, test="trend"),
    ],
)
def test_a_named_test_that_does_not_fit_is_refused(variable: Variable) -> None:
    with refusal("test-misfits-variable"):
        row_of(variable)


def test_one_group_is_refused() -> None:
    with refusal("groups-too-few"):
        table_one(LI, [IVC], "rbp", ("no",))


@pytest.mark.parametrize("method", ["holm", "bh"])
def test_corrections_equal_statsmodels(method: str) -> None:
    from statsmodels.stats.multitest import multipletests

    values = pd.Series([0.01, np.nan, 0.04, 0.03, 0.2, 0.001])
    known = values.dropna()
    expected = multipletests(known, method={"holm": "holm", "bh": "fdr_bh"}[method])[1]
    assert adjusted(values, method)[known.index].to_numpy() == pytest.approx(expected)
    assert math.isnan(adjusted(values, method)[1])
    assert adjusted(values, "none").equals(values)


def test_every_short_name_has_a_full_one() -> None:
    assert set(NUMBER_TESTS) >= {"pooled-t", "anova"}
    assert count_test(np.ones((2, 2)), "pearson").name.startswith("Pearson")


def several_rows(patients: int, seed: int = 1) -> tuple[pd.DataFrame, pd.Series]:
    """Return vertebrae of patients: a group, age and sex of the patient, leakage of each row."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(patients), rng.integers(1, 4, patients))
    table = pd.DataFrame(
        {
            "brace": np.array(YES)[(np.arange(patients) % 2)[of]],
            "age": rng.normal(72, 8, patients)[of],
            "leak": np.array(YES)[(rng.random(len(of)) < 0.3).astype(int)],
            "volume": rng.normal(5, 1, patients)[of] + rng.normal(0, 0.5, len(of)),
        }
    )
    return table, pd.Series(of).map("P{:03d}".format)


AGE, VOLUME = Variable("age", "Age", numbers=True), Variable("volume", "Volume", numbers=True)
FEW = [Variable("leak", "Leakage", levels=YES), VOLUME, AGE]


def test_patients_with_several_rows() -> None:
    table, patients = several_rows(100)
    found = table_one(table, FEW, "brace", YES, patients).rows.set_index("variable")
    assert found.loc["age", "compared"] == "patients"
    one = table[~patients.duplicated()]
    alone = table_one(one, [AGE], "brace", YES).rows.iloc[0]
    assert found.loc["age", ["n", "p_value"]].tolist() == [100, alone["p_value"]]
    assert (found.loc[["leak", "volume"], "compared"] == "rows, patients as clusters").all()
    assert (found.loc[["leak", "volume"], "test"] == "gee-score").all()
    assert found.loc["leak", "n"] == len(table)
    assert (found["difference_low"] < found["difference_high"]).all()


def test_few_patients_are_permuted() -> None:
    table, patients = several_rows(24)
    found = table_one(table, FEW, "brace", YES, patients).rows.set_index("variable")
    assert (found.loc[["leak", "volume"], "test"] == "permutation").all()
    mixed = table.assign(brace=np.array(YES)[np.arange(len(table)) % 2])
    found = table_one(mixed, FEW, "brace", YES, patients).rows.set_index("variable")
    assert found["test"].tolist() == ["rao-scott", "mancl-derouen", "mancl-derouen"]


def test_a_named_test_of_dependent_rows_says_so() -> None:
    table, patients = several_rows(60)
    found = table_one(table, FEW, "brace", YES, patients, test="pearson").rows.iloc[0]
    assert found["test"] == "pearson"
    assert found["note"] == "takes rows of one patient for independent"


def test_a_row_without_a_patient_is_one_of_its_own() -> None:
    table, patients = several_rows(60)
    gaps = patients.mask(patients.index < 2, None)
    found = table_one(table, [AGE], "brace", YES, gaps).rows.iloc[0]
    assert found["n"] >= 60


def test_limits_of_rows_that_repeat_are_those_of_their_patients() -> None:
    table, _ = several_rows(90)
    once = table.drop_duplicates("age").reset_index(drop=True)
    twice = pd.concat([once, once], ignore_index=True)
    patients = pd.Series(np.tile(np.arange(len(once)), 2).astype(str))
    twice.loc[0, "volume"] += 1e-9  # so that rows, not patients, are compared
    found = table_one(twice, [VOLUME], "brace", YES, patients).rows.iloc[0]
    alone = table_one(once, [VOLUME], "brace", YES, test="welch-t").rows.iloc[0]
    assert found["difference"] == pytest.approx(alone["difference"], abs=1e-6)
    wide = found["difference_high"] - found["difference_low"]
    assert wide == pytest.approx(alone["difference_high"] - alone["difference_low"], rel=0.03)


def test_every_group_and_level_against_the_first() -> None:
    table = LI.assign(site=np.tile(["A", "B", "C", "D"], 67))
    found = table_one(table, [IVC, BMI, CODE], "site", ("A", "B", "C", "D")).effects
    assert found.groupby("variable", sort=False).size().to_dict() == {
        "ivc": 3,
        "bmi": 3,
        "grade": 9,
    }
    assert (found["against"] == "A").all()
    row = found.query("variable == 'ivc' and group == 'C'").iloc[0]
    shares = [float((table.loc[table["site"] == site, "ivc"] == "yes").mean()) for site in "AC"]
    assert row["difference"] == pytest.approx(shares[1] - shares[0])
    grade = table_one(LI, [CODE], "rbp", YES).effects.set_index("level")
    assert grade.loc["3", "difference"] == pytest.approx(20 / 37 - 45 / 231)
    assert grade["difference"].sum() == pytest.approx(0)


def test_levels_of_clusters_against_the_first() -> None:
    table, patients = several_rows(90)
    table = table.assign(grade=np.arange(len(table)) % 3 + 1.0)
    found = table_one(table, [CODE], "brace", YES, patients).effects
    assert (found["difference_low"] < found["difference"]).all()
    assert (found["effect"] == "difference of shares").all()
