"""The printed rows of the published tables, from their counts and means, each with its test.

Counts, means and printed statistics: rong2025 (table 1), li2021 (tables 1 to 3), as their authors
print them. A column with the printed counts (or the mean and deviation) goes through table 1
with the test named beforehand; statistic and P are those of the paper within its rounding.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline.comparison.groups.published_rows import printed_fits
from pipeline.comparison.table_one.table_one import table_one
from pipeline.comparison.table_one.table_one_parts import Variable

RONG, LI = (452, 117), (231, 37)
#: Study, variable, sizes of both groups, counts of each level in both, test, statistic, P.
COUNTED = [
    ("rong2025", "PFO", RONG, [(25, 27)], "pearson", "34.46", "<.001"),
    ("rong2025", "MVH restored", RONG, [(382, 66)], "pearson", "43.84", "<.001"),
    ("rong2025", "AVH restored", RONG, [(343, 68)], "pearson", "14.63", "<.001"),
    ("rong2025", "BMD above 3.5", RONG, [(217, 34)], "pearson", "13.54", "<.001"),
    ("rong2025", "trauma", RONG, [(320, 100)], "pearson", "10.35", ".001"),
    ("rong2025", "sex", RONG, [(86, 36)], "pearson", "7.61", ".006"),
    ("li2021", "IVC", LI, [(14, 6)], "pearson", "4.763", ".029"),
    ("li2021", "PFO", LI, [(12, 6)], "pearson", "6.183", ".013"),
    ("li2021", "Goutallier", LI, [(94, 14), (45, 20)], "pearson", "24.83", "<.001"),
    ("li2021", "blocky cement", LI, [(75, 21)], "pearson", "8.184", ".004"),
    ("li2021", "sex", LI, [(46, 7)], "pearson", ".02", None),
    ("li2021", "leakage", LI, [(39, 8)], "pearson", ".495", None),
]
#: Study, variable, (n, mean, sd) of both groups, statistic, P.
MEASURED = [
    ("rong2025", "age", [(452, 72.23, 9.08), (117, 69.19, 8.56)], "3.27", ".001"),
    ("rong2025", "PDW", [(452, 12.69, 2.35), (117, 13.27, 2.61)], "-2.33", ".020"),
    ("li2021", "BMI", [(231, 23.92, 3.61), (37, 23.66, 3.27)], ".411", None),
]


def within(printed: str, value: float, slack: float = 0.0) -> bool:
    """Return whether a value is printed so, or is off by what rounded input explains."""
    decimals = len(printed.partition(".")[2])
    # A little more than half a unit: 14.6246 is printed as 14.63, which was rounded twice.
    return abs(value - float(printed)) <= 0.55 * 10**-decimals + slack


def row_of(variable: Variable, table: pd.DataFrame) -> pd.Series:
    found = table_one(table, (variable,), "group", ("none", "pain"))
    return found.rows.iloc[0]


@pytest.mark.parametrize("printed", COUNTED, ids=[f"{row[0]} {row[1]}" for row in COUNTED])
def test_counts(printed):
    _, name, sizes, counts, test, statistic, p = printed
    levels = [f"level {at}" for at in range(len(counts) + 1)]
    values, groups = [], []
    for group, size, place in zip(("none", "pain"), sizes, (0, 1), strict=True):
        own = [pair[place] for pair in counts]
        values += np.repeat(levels, [size - sum(own), *own]).tolist()
        groups += [group] * size
    table = pd.DataFrame({"column": values, "group": groups})
    row = row_of(Variable("column", name, levels=tuple(levels), test=test), table)
    assert within(statistic, row["statistic"]), row["statistic"]
    expected = stats.chi2_contingency(
        pd.crosstab(table["column"], table["group"]), correction=False
    )
    assert row["statistic"] == pytest.approx(expected.statistic)
    assert row["p_value"] == pytest.approx(expected.pvalue)
    assert p is None or printed_fits(p, row["p_value"], row["p_value"])


@pytest.mark.parametrize("printed", MEASURED, ids=[f"{row[0]} {row[1]}" for row in MEASURED])
def test_means(printed):
    _, name, groups, statistic, p = printed
    columns, of = [], []
    for label, (n, mean, sd) in zip(("none", "pain"), groups, strict=True):
        shape = stats.norm.ppf((np.arange(n) + 0.5) / n)
        columns.append(mean + sd * (shape - shape.mean()) / shape.std(ddof=1))
        of += [label] * n
    table = pd.DataFrame({"column": np.concatenate(columns), "group": of})
    row = row_of(Variable("column", name, numbers=True, test="pooled-t"), table)
    # Means and deviations are rounded to two decimals: their difference is known to .01.
    slack = 0.01 / (groups[1][2] / groups[1][0] ** 0.5)
    assert within(statistic, row["statistic"], slack), row["statistic"]
    assert row["p_value"] == pytest.approx(stats.ttest_ind(*columns).pvalue)
    assert p is None or printed_fits(p, row["p_value"] * 0.97, row["p_value"] * 1.03)


def test_the_choice_of_test_decides_about_the_cleft():
    """IVC of li2021: .029 without Yates, above .05 with it."""
    values = np.repeat(["no", "yes", "no", "yes"], [217, 14, 31, 6])
    groups = np.repeat(["none", "pain"], [231, 37])
    table = pd.DataFrame({"column": values, "group": groups})
    p = {
        test: row_of(Variable("column", "IVC", levels=("no", "yes"), test=test), table)["p_value"]
        for test in ("pearson", "yates")
    }
    assert p["pearson"] < 0.05 < p["yates"]
