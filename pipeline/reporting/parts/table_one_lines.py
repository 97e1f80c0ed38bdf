"""Table 1 as it is printed, on its own page and in the report: lines, marks, effects, rules."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from pipeline.comparison.groups.choice_of_test import NORMALITY_TESTS, SMALL_CELLS
from pipeline.comparison.groups.group_tests import TEST_NAMES
from pipeline.comparison.groups.multiplicity import ADJUSTMENTS
from pipeline.comparison.groups.summaries import count as count_text
from pipeline.comparison.table_one.table_one_parts import LEVEL_OF_SIGNIFICANCE, PATIENTS
from pipeline.reporting.wording import NO_VALUE, count, interval, number, p_value, sentence_list

SYMBOLS = {
    "pooled-t": "t",
    "welch-t": "t",
    "mann-whitney": "U",
    "anova": "F",
    "welch-anova": "F",
    "kruskal": "H",
}
"""Symbols of statistics; those of counts are chi-squares, and Fisher's test prints none."""


SEVERAL_ROWS = (
    "Patients have several rows. Variables that are the same in all rows of every patient, as the "
    "groups are, are described and compared per patient; all others per row, with patients as "
    "clusters in tests and intervals."
)


MARKS = "abcdefghijklmnop"


class Line(NamedTuple):
    """One printed line: a variable, or a level of one."""

    name: str
    indented: bool
    cells: tuple[str, ...]
    tail: tuple[str, ...]
    mark: str = ""


def size_of(units: object, rows: pd.Index) -> str:
    """Return the number of rows, and of patients where some have several."""
    if units.patients is None:
        return f"n = {count(len(rows))}"
    known = units.patients[rows]
    return f"{count(len(rows))} rows, {count(known.nunique() + known.isna().sum())} patients"


def marks_of_tests(rows: pd.DataFrame) -> dict[str, str]:
    """Return the letter behind the P values of each test."""
    return dict(zip(rows["test"].dropna().unique(), MARKS, strict=False))


def tails_of(by: str | None, adjust: str) -> list[str]:
    """Return the heads of the columns behind those of the groups."""
    tails = ["Range", "Missing"]
    if by:
        tails += ["Statistic", "df", "P"] + (["P corrected"] if adjust != "none" else [])
    return tails


def printed_lines(
    rows: pd.DataFrame, cells: pd.DataFrame, by: str | None, groups: tuple[str, ...], adjust: str
) -> list[Line]:
    """Return the printed lines of a table 1: each variable, and the levels below it.

    Parameters
    ----------
    rows, cells, groups
        As `pipeline.comparison.table_one.table_one.table_one` returns them; rows with `p_adjusted`.
    by : str or None
        Column of the groups.
    adjust : str
        Key of `pipeline.comparison.groups.multiplicity.ADJUSTMENTS`.
    """
    marks, lines = marks_of_tests(rows) if by else {}, []
    for row in rows.to_dict("records"):
        first, *levels = _lines(row, cells, by, groups, adjust)
        lines += [first._replace(mark=marks.get(row["test"], "")), *levels]
    return lines


def _lines(
    row: dict, cells: pd.DataFrame, by: str | None, groups: tuple[str, ...], adjust: str
) -> list[Line]:
    unit = f", {row['unit']}" if row["unit"] else ""
    each = ", per patient" if row["compared"] == PATIENTS else ""
    tail = [row["range"] if isinstance(row["range"], str) else "", str(row["missing"])]
    if by:
        tail += [_statistic(row), _df(row), p_value(row["p_value"])]
        tail += [p_value(row["p_adjusted"])] if adjust != "none" else []
    texts = tuple(row[name] for name in ("total", *(f"{by}={group}" for group in groups)))
    if row["summary"] != "n (%)":
        return [Line(f"{row['label']}{unit}, {row['summary']}{each}", False, texts, tuple(tail))]
    of_row = cells[cells["variable"] == row["variable"]]
    levels = list(dict.fromkeys(of_row["level"]))
    if len(levels) == 2:
        name = f"{row['label']}{unit}: {levels[1]}, n (%){each}"
        return [Line(name, False, texts, tuple(tail))]
    blank = ("",) * len(texts)
    lines = [Line(f"{row['label']}{unit}, n (%){each}", False, blank, tuple(tail))]
    for level in levels:
        here = of_row[of_row["level"] == level]
        parts = [here[here["group"].isna()], *(here[here["group"] == each] for each in groups)]
        shown = [count_text(int(each["count"].iloc[0]), int(each["n"].iloc[0])) for each in parts]
        lines.append(Line(str(level), True, tuple(shown), ("",) * len(tail)))
    return lines


def _statistic(row: dict) -> str:
    if row["test"] == "fisher" or pd.isna(row["statistic"]):
        return NO_VALUE
    digits = 1 if row["test"] == "mann-whitney" else 3
    return f"{SYMBOLS.get(row['test'], 'χ²')} = {number(row['statistic'], digits)}"


def _df(row: dict) -> str:
    if pd.isna(row["df"]):
        return NO_VALUE
    parts = [row["df"]] + ([] if pd.isna(row["df2"]) else [row["df2"]])
    return ", ".join(number(each, 0 if float(each).is_integer() else 1) for each in parts)


def _short(test: object) -> str:
    return TEST_NAMES.get(test, str(test))


def span(row: dict) -> list[str]:
    """Return least, largest and printed P of a variable, each with its test."""
    names = ("least_p", "largest_p", "p")
    values = dict(row, p=row["p_value"], p_test=row["test"])
    return [
        text for each in names for text in (p_value(values[each]), _short(values[f"{each}_test"]))
    ]


def full_name(rows: pd.DataFrame, test: str) -> str:
    """Return the full name of a test, with what has to be said about it."""
    of_test = rows[rows["test"] == test]
    names = sentence_list(dict.fromkeys(of_test["test_name"]))
    notes = sentence_list(note for note in dict.fromkeys(of_test["note"].fillna("")) if note)
    return f"{names} ({notes})" if notes else names


def effect_head(groups: tuple[str, ...]) -> str:
    """Return which groups are compared."""
    if len(groups) == 2:
        return f"{groups[1]} against {groups[0]}"
    return f"Each group against {groups[0]}" if groups else ""


def effect_lines(
    effects: pd.DataFrame, groups: tuple[str, ...], names: dict[str, str]
) -> list[tuple[str, ...]]:
    """Return name, kind of difference, difference, ratio, standardised difference.

    Parameters
    ----------
    effects, groups
        As `pipeline.comparison.table_one.table_one.table_one` returns them.
    names : dict of str to str
        Label of each variable.
    """
    lines, seen = [], set()
    for row in effects.to_dict("records"):
        share = row["effect"] == "difference of shares"
        times, digits = (100, 1) if share else (1, 2)
        shift = [row[name] for name in ("difference", "difference_low", "difference_high")]
        text = interval(*(times * each for each in shift), digits)
        kind = "difference of shares, percentage points" if share else row["effect"]
        ratio = interval(row["ratio"], row["ratio_low"], row["ratio_high"], 2)
        if ratio != NO_VALUE and row["ratio_name"] != "odds ratio":
            ratio += " (conditional, exact)"
        standard = [row[f"standardised{each}"] for each in ("", "_low", "_high")]
        of = (row["variable"], row["group"])
        once = NO_VALUE if of in seen else interval(*standard, 2)
        seen.add(of)
        name = names[row["variable"]] + (f": {row['level']}" if share else "")
        name += f", {row['group']}" if len(groups) > 2 else ""
        lines.append((name, kind, text, ratio, once))
    return lines


def choices_of(rows: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    """Return name, test, who chose it and why, and its note."""
    return [
        (row["label"], row["test_name"], _why(row), row["note"] or "")
        for row in rows.to_dict("records")
    ]


def _why(row: dict) -> str:
    return row["reason"] if row["chosen"] == "named" else f"by rule: {row['reason']}"


def rules_of(normality: str, small_cells: str) -> list[str]:
    """Return the rules by which tests were chosen, as sentences."""
    return [
        "A test is named beforehand (in the data dictionary, or for all columns that it fits), or "
        "chosen by a rule that never sees the P value of a comparison.",
        f"Numbers: {NORMALITY_TESTS[normality]} in every group (above 5,000 values "
        "Kolmogorov-Smirnov, Lilliefors). All P at least 0.05: mean ± SD; Levene's test on the "
        "mean, as SPSS does it, then pooled variance (P at least 0.05) or Welch. Otherwise: median "
        "[quartiles], Mann-Whitney or Kruskal-Wallis.",
        f"Counts, {SMALL_CELLS[small_cells]}.",
        "Statistics are those of the first group against the second. Differences and ratios are of "
        "the second group against the first.",
    ]


def multiplicity(rows: pd.DataFrame, adjust: str) -> str:
    """Return how many P values there are, and what that means."""
    tests = int(rows["p_value"].notna().sum())
    text = f"{count(tests)} P values, {ADJUSTMENTS[adjust]}."
    if adjust == "none" and tests > 1:
        expected = number(tests * LEVEL_OF_SIGNIFICANCE, 1)
        text += (
            f" If no variable differed between the groups, about {expected} of them would still be "
            "below 0.05 by chance."
        )
    return text
