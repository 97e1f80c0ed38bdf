"""Tables of the analysis `outcomes`: groups compared by the clinical columns."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT, FLAG, NUMBER, TEXT, Column, Table
from pipeline.core.words import Words

NO_TEST: Words = "where nothing is compared"
NO_EFFECT: Words = "where there is none"
OF_NUMBERS: Words = "of numbers"
OF_COUNTS: Words = "of counts"


class ComparedGroups(Table):
    """One row per compared column."""

    variable = Column(TEXT, "column")
    label = Column(TEXT, "what reports call it")
    unit = Column(TEXT, "unit of numbers", null="where it has none")
    compared = Column(
        TEXT,
        "what counts as one observation",
        values=("rows", "patients", "rows, patients as clusters"),
    )
    summary = Column(
        TEXT,
        "what the cells show: n (%), mean (SD), median (quartiles)",
        null="where no row has a value",
    )
    n = Column(COUNT, "rows with a value")
    missing = Column(COUNT, "rows without a value")
    total = Column(TEXT, "all rows together, as printed", null="where no row has a value")
    groups = Column(
        TEXT,
        "the group, as printed",
        pattern="[^=]+=.+",
        named="<column>=<group>",
        null="where no row has a value",
    )
    range = Column(TEXT, "least and greatest value, as printed", null=OF_COUNTS)
    test = Column(TEXT, "test, as the dictionary's column `test` names it", null=NO_TEST)
    test_name = Column(TEXT, "test, in words", null=NO_TEST)
    statistic = Column(NUMBER, "its statistic", null="where the test has none")
    df = Column(NUMBER, "degrees of freedom", null="where the test has none")
    df2 = Column(NUMBER, "degrees of freedom of the denominator", null="where the test has none")
    p_value = Column(NUMBER, "its P value", null=NO_TEST)
    chosen = Column(TEXT, "who chose the test: a rule, or a person beforehand", null=NO_TEST)
    reason = Column(TEXT, "why the rule chose it", null=NO_TEST)
    note = Column(TEXT, "what limits it", null="where nothing does")
    effect = Column(TEXT, "kind of difference", null=NO_EFFECT)
    difference = Column(NUMBER, "second group minus first", null=NO_EFFECT)
    difference_low = Column(NUMBER, "lower limit of its interval", null=NO_EFFECT)
    difference_high = Column(NUMBER, "upper limit of its interval", null=NO_EFFECT)
    ratio_name = Column(TEXT, "kind of ratio", null=NO_EFFECT)
    ratio = Column(NUMBER, "ratio of second and first group", null=NO_EFFECT)
    ratio_low = Column(NUMBER, "lower limit of its interval", null=NO_EFFECT)
    ratio_high = Column(NUMBER, "upper limit of its interval", null=NO_EFFECT)
    standardised = Column(NUMBER, "standardised difference", unit="SD", null=NO_EFFECT)
    standardised_low = Column(NUMBER, "lower limit of its interval", unit="SD", null=NO_EFFECT)
    standardised_high = Column(NUMBER, "upper limit of its interval", unit="SD", null=NO_EFFECT)
    least_p = Column(NUMBER, "least P value of all defensible tests", null=NO_TEST)
    least_p_test = Column(TEXT, "that test", null=NO_TEST)
    largest_p = Column(NUMBER, "largest P value of all defensible tests", null=NO_TEST)
    largest_p_test = Column(TEXT, "that test", null=NO_TEST)
    crosses = Column(FLAG, "whether P crosses .05 between defensible tests")
    p_adjusted = Column(NUMBER, "P value adjusted by `outcomes.adjust`", null=NO_TEST)


class Cells(Table):
    """One row per compared column, level of counts and group, unrounded."""

    variable = Column(TEXT, "column")
    level = Column(TEXT, "level", null=OF_NUMBERS)
    group = Column(TEXT, "group", null="of all groups together")
    n = Column(COUNT, "rows with a value")
    count = Column(NUMBER, "rows of the level", null=OF_NUMBERS)
    share = Column(NUMBER, "their share of n", unit="0 to 1", null=OF_NUMBERS)
    mean = Column(NUMBER, "mean", unit="of the column", null=OF_COUNTS)
    sd = Column(NUMBER, "standard deviation", unit="of the column", null=OF_COUNTS)
    median = Column(NUMBER, "median", unit="of the column", null=OF_COUNTS)
    q1 = Column(NUMBER, "first quartile", unit="of the column", null=OF_COUNTS)
    q3 = Column(NUMBER, "third quartile", unit="of the column", null=OF_COUNTS)
    minimum = Column(NUMBER, "least value", unit="of the column", null=OF_COUNTS)
    maximum = Column(NUMBER, "greatest value", unit="of the column", null=OF_COUNTS)


class GroupEffects(Table):
    """One row per compared column, level of counts and group against the first."""

    variable = Column(TEXT, "column")
    level = Column(TEXT, "level", null=OF_NUMBERS)
    group = Column(TEXT, "group")
    against = Column(TEXT, "the first group")
    effect = Column(TEXT, "kind of difference", null=NO_EFFECT)
    difference = Column(NUMBER, "group minus first group", null=NO_EFFECT)
    difference_low = Column(NUMBER, "lower limit of its interval", null=NO_EFFECT)
    difference_high = Column(NUMBER, "upper limit of its interval", null=NO_EFFECT)
    ratio_name = Column(TEXT, "kind of ratio", null=NO_EFFECT)
    ratio = Column(NUMBER, "odds ratio", null=NO_EFFECT)
    ratio_low = Column(NUMBER, "lower limit of its interval", null=NO_EFFECT)
    ratio_high = Column(NUMBER, "upper limit of its interval", null=NO_EFFECT)
    standardised = Column(NUMBER, "standardised difference", unit="SD", null=NO_EFFECT)
    standardised_low = Column(NUMBER, "lower limit of its interval", unit="SD", null=NO_EFFECT)
    standardised_high = Column(NUMBER, "upper limit of its interval", unit="SD", null=NO_EFFECT)
