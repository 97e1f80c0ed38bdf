"""Every kind of row of a table 1, test named beforehand: the command against R and scipy.

Columns of the studies' sizes, by formulas of whole numbers (tests/golden/comparison/make_rows.R).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline import table1
from pipeline.comparison.groups.group_tests import COUNT_TESTS, NUMBER_TESTS

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "comparison" / "rows.csv"
ROWS = pd.read_csv(GOLDEN)
SIZES = {
    "tiny": (12, 9),
    "zhang2025": (150, 29),
    "yassavoly2025": (220, 31),
    "li2021": (231, 37),
    "rong2025": (452, 117),
    "three": (90, 60, 31),
}
WORDS = {"two": ["no", "yes"], "three": ["0-1", "2", "3-4"]}


@cache
def columns(size: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the columns as R has them (levels as numbers), and the group of each row."""
    sizes = SIZES[size]
    group = np.repeat(np.arange(len(sizes)), sizes)
    place = np.concatenate([np.arange(1, n + 1) for n in sizes])
    v = (place * 37 + group * 13 * (place % 3)) % 101
    two = (v < 15 + 20 * group).astype(int)
    three = (v >= 40 + 10 * group).astype(int) + (v >= 75)
    return pd.DataFrame({"two": two, "three": three, "number": (v + 2 * group) / 10}), group


def asked(size: str) -> pd.DataFrame:
    return ROWS[ROWS["size"] == size]


@pytest.fixture(scope="module", params=SIZES)
def printed(request, tmp_path_factory) -> tuple[str, pd.DataFrame]:
    """Run the command on a column of its own for every row, its test named in the dictionary."""
    folder = tmp_path_factory.mktemp(request.param)
    held, group = columns(request.param)
    table = {"group": np.array(["a", "b", "c"])[group]}
    lines = ["column,label,type,unit,levels,timing,role,test", "group,Group,categorical,,,,other,"]
    for row in asked(request.param).itertuples():
        name = f"{row.column} {row.test}"
        if row.column == "number":
            table[name] = held["number"]
            kind, levels = "continuous", ""
        else:
            table[name] = np.array(WORDS[row.column])[held[row.column]]
            kind = "binary" if row.column == "two" else "categorical"
            levels = "|".join(WORDS[row.column])
        lines.append(f"{name},{name},{kind},,{levels},preoperative,predictor,{row.test}")
    pd.DataFrame(table).to_csv(folder / "table.csv", index=False)
    (folder / "dictionary.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    given = [folder / "table.csv", "--by", "group", "--dictionary", folder / "dictionary.csv"]
    given += ["--out", folder / "out"]
    table1.main(table1._arguments().parse_args([str(one) for one in given]))
    found = pd.read_csv(folder / "out" / "table1.csv", dtype={"test": str})
    return request.param, found.set_index("variable")


def of_scipy(size: str, column: str, test: str) -> tuple[float | None, float]:
    """Return statistic and P; no statistic of Fisher's test, which R does not print alike."""
    held, group = columns(size)
    if column == "number":
        samples = [held.loc[group == each, "number"] for each in np.unique(group)]
        found = {
            "pooled-t": lambda: stats.ttest_ind(*samples),
            "welch-t": lambda: stats.ttest_ind(*samples, equal_var=False),
            "mann-whitney": lambda: stats.mannwhitneyu(*samples),
            "anova": lambda: stats.f_oneway(*samples),
            "kruskal": lambda: stats.kruskal(*samples),
        }[test]()
        return found.statistic, found.pvalue
    counts = pd.crosstab(held[column], group).to_numpy()
    if test == "trend":
        statistic = (len(held) - 1) * stats.pearsonr(held[column], group).statistic ** 2
        return statistic, stats.chi2.sf(statistic, 1)
    if test == "fisher":
        return None, stats.fisher_exact(counts).pvalue if counts.shape == (2, 2) else np.nan
    lambda_ = "log-likelihood" if test == "likelihood-ratio" else None
    found = stats.chi2_contingency(counts, correction=test == "yates", lambda_=lambda_)
    return found.statistic, found.pvalue


def test_every_row_is_that_of_r_and_of_scipy(printed):
    size, table = printed
    assert len(table) == len(asked(size))
    for row in asked(size).itertuples():
        found = table.loc[f"{row.column} {row.test}"]
        assert found["test"] == row.test
        statistic, p = of_scipy(size, row.column, row.test)
        # scipy has no exact test of larger tables; R's has, to about 1e-7.
        if not np.isnan(p):
            assert found["p_value"] == pytest.approx(p, rel=1e-9)
        rel = 1e-6 if row.test == "fisher" else 1e-9
        assert found["p_value"] == pytest.approx(row.p_value, rel=rel)
        if statistic is not None:
            assert found["statistic"] == pytest.approx(statistic, rel=1e-9)
            assert found["statistic"] == pytest.approx(row.statistic, rel=1e-9)
        if not np.isnan(row.df):
            assert found["df"] == pytest.approx(row.df, rel=1e-9)


def test_no_kind_of_row_is_missing():
    kinds = set(ROWS["test"])
    # Welch's analysis of variance is chosen by the rule only; R has it in values.csv.
    assert kinds == set(table1.TESTS) - {"auto"}
    assert kinds == {*COUNT_TESTS, *NUMBER_TESTS} - {"welch-anova"}
    assert ((ROWS["test"] == "fisher") & (ROWS["column"] == "three")).sum() == len(SIZES)
