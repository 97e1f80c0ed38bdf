"""Formulas: a small safe language with three-valued logic."""

from __future__ import annotations

import operator
import time

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import StudyError
from pipeline.tables.values.formula import Formula
from tests.support.refusals import refusal

TABLE = pd.DataFrame(
    {
        "age": [49.0, 50.0, None, 80.0],
        "bmi": [20.0, None, 30.0, 0.0],
        "sex": ["F", "M", None, "F"],
        "pfo": ["0", "1", "1", None],
        "VAS day 3": [1.0, 5.0, 4.0, None],
        "class": [0.0, 0.0, 0.0, 1.0],
    }
)
MISSING = None


def evaluate(text: str, **kwargs) -> list:
    result = Formula(text).evaluate(TABLE, **kwargs)
    assert result.dtype == "boolean"
    return [None if pd.isna(value) else bool(value) for value in result]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("age >= 50", [False, True, None, True]),
        ("age >= 50 and bmi > 0", [False, None, None, False]),
        ("age >= 50 or bmi > 0", [True, True, True, True]),
        ("not age >= 50", [True, False, None, False]),
        ("50 <= age < 80", [False, True, None, False]),
        ("age / bmi > 1", [True, None, None, None]),
        ("bmi / bmi == 1", [True, None, True, None]),
        ("-age + 2 * (bmi - 1) < 0", [True, None, None, True]),
        ("sex == 'F'", [True, False, None, True]),
        ('sex != "F"', [False, True, None, False]),
        ("sex in ('F', 'X')", [True, False, None, True]),
        ("sex not in ('F',)", [False, True, None, False]),
        ("age in [49, 80]", [True, False, None, True]),
        ("pfo == 1", [False, True, True, None]),
        ("1 != pfo", [True, False, False, None]),
        ("isnull(age) or isnull(sex)", [False, False, True, False]),
        ("`VAS day 3` >= 4", [False, True, True, None]),
        ("(age >= 50)\n and bmi > 0", [False, None, None, False]),
        ("class == 1 and sex in ('F', 'class')", [False, False, False, True]),
    ],
)
def test_values(text, expected):
    assert evaluate(text) == expected


def test_columns_come_in_the_order_of_the_text():
    assert Formula("b > 1 and `a b` > 1 or isnull(c) and b < 9").columns == ("b", "a b", "c")


def kleene(op: str, a, b):
    """Kleene's tables: and is the minimum, or the maximum, with missing between."""
    order = {False: 0, None: 1, True: 2}
    choose = min if op == "and" else max
    return choose(a, b, key=order.__getitem__)


truth = st.sampled_from([True, False, None])


@settings(max_examples=50)
@given(st.lists(st.tuples(truth, truth), min_size=1), st.sampled_from(["and", "or"]))
def test_missing_values_follow_kleene(pairs, op):
    to_number = {True: 1.0, False: 0.0, None: None}
    table = pd.DataFrame(
        [[to_number[value] for value in pair] for pair in pairs], columns=["a", "b"], dtype=float
    )
    result = Formula(f"a == 1 {op} b == 1").evaluate(table)
    assert [None if pd.isna(v) else bool(v) for v in result] == [kleene(op, *p) for p in pairs]


@pytest.mark.parametrize("code", ["7", "1000000", "1234567", "0.1234567"])
def test_a_code_without_levels_equals_its_number_to_the_last_digit(code):
    """Six digits are not enough: 1234567 would be looked for as 1.23457e+06, and never found."""
    table = pd.DataFrame({"site": [code, "8", None]})
    assert Formula(f"site == {code}").evaluate(table).tolist() == [True, False, pd.NA]


numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))


@settings(max_examples=50)
@given(numbers, numbers, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]))
def test_comparisons_are_those_of_numbers(a, b, sign):
    functions = {
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "==": operator.eq,
        "!=": operator.ne,
    }
    result = Formula(f"x {sign} {b}").evaluate(pd.DataFrame({"x": [a]}))
    assert result.tolist() == [functions[sign](a, b)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("__import__('os').system('true')", "formula-syntax-refused"),
        ("age.__class__ == 1", "formula-syntax-refused"),
        ("age[0] > 1", "formula-syntax-refused"),
        ("(lambda: age)() > 1", "formula-not-a-condition"),
        ("[a for a in age] == 1", "formula-not-a-condition"),
        ("age ** 9 > 1", "formula-syntax-refused"),
        ("age if age else bmi", "formula-not-a-condition"),
        ("age is None", "formula-not-a-condition"),
        ("(age := 3) > 1", "formula-syntax-refused"),
        ("f'{age}' == 'x'", "formula-syntax-refused"),
        ("print(age)", "formula-syntax-refused"),
        ("isnull(age, bmi)", "formula-syntax-refused"),
        ("isnull(column=age)", "formula-syntax-refused"),
        ("age > 1j", "formula-syntax-refused"),
        ("age > True", "formula-compares-truth"),
        ("age == b'x'", "formula-syntax-refused"),
        ("age in bmi", "formula-syntax-refused"),
        ("age in ()", "formula-syntax-refused"),
        ("age & bmi", "formula-syntax-refused"),
        ("age, bmi", "formula-list-misplaced"),
    ],
)
def test_anything_else_is_refused(text, code):
    with refusal(code, StudyError):
        Formula(text).evaluate(TABLE)


@pytest.mark.parametrize(
    ("code", "text", "words"),
    [
        ("formula-not-a-condition", "age = 50", "write =="),
        ("formula-compares-truth", "sex == True", "such as == 'TRUE'"),
        ("formula-compares-truth", "age == None", "a missing value is isnull(column)"),
        ("formula-syntax-refused", "dead.event == 1", "between backticks"),
        ("formula-not-a-condition", "age >= ", "condition over columns"),
        ("formula-without-column", "1 > 0", "at least one column"),
        ("formula-column-unknown", "ages > 50", "perhaps `age` is meant"),
        ("formula-part-of-another-kind", "age + 1", "must be a condition"),
        ("formula-part-of-another-kind", "age and bmi > 1", "Each side of `and`"),
        ("formula-part-of-another-kind", "not age", "What follows `not`"),
        ("formula-part-of-another-kind", "-sex == 1", "What follows a sign"),
        ("formula-part-of-another-kind", "sex + 1 > 1", "must be a number"),
        ("formula-category-ordered", "sex >= 'F'", "Categories have no order"),
        ("formula-kinds-differ", "sex == age", "Numbers must be compared with numbers"),
        ("formula-kinds-differ", "age == 'x'", "Numbers must be compared with numbers"),
        ("formula-condition-compared", "(age > 1) == (bmi > 1)", "must not be compared"),
        ("formula-isnull-misused", "isnull > 3 and age > 1", "followed by a column"),
        ("formula-not-a-condition", "(" * 500 + "age > 1" + ")" * 500, "condition over columns"),
        ("formula-too-long", "age > 1 or " * 300 + "age > 1", "longer than"),
    ],
)
def test_mistakes_are_explained(code, text, words):
    with refusal(code, StudyError) as caught:
        Formula(text, "config key outcome.formula").evaluate(TABLE)
    assert words in str(caught.value)
    assert "config key outcome.formula" in str(caught.value)


def test_a_value_beyond_the_levels_would_never_be_true():
    levels = {"sex": ["F", "M"], "pfo": ["0", "1"]}
    assert evaluate("sex == 'M' or pfo == 1", levels=levels) == [False, True, True, None]
    with refusal(
        "formula-value-not-a-level", StudyError, match=r"one of its levels.*Found: f.*perhaps `F`"
    ):
        evaluate("sex == 'f'", levels=levels)
    with refusal("formula-value-not-a-level", StudyError, match=r"levels: 0, 1"):
        evaluate("pfo in (1, 2)", levels=levels)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"x > {'9' * 400}", "formula-number-out-of-bounds"),
        ("x > 1e400", "formula-number-out-of-bounds"),
        (f"x > {'9' * 5000}", "formula-too-long"),
        ("-" * 1900 + "x > 1", "formula-too-deep"),
        ("not " * 400 + "x > 1", "formula-too-deep"),
        ("x" + " + 1" * 300 + " > 2", "formula-too-deep"),
        ("(" * 900 + "x" + ")" * 900 + " > 1", "formula-not-a-condition"),
        ("`" * 1500, "formula-not-a-condition"),
        ("'" * 1999, "formula-not-a-condition"),
        ("x\0 > 1", "formula-not-a-condition"),
    ],
)
def test_a_formula_beyond_all_measure_is_one_error(text, code):
    begun = time.monotonic()
    with refusal(code, StudyError) as refused:
        Formula(text)
    assert time.monotonic() - begun < 2
    assert len(str(refused.value)) < 700


def test_a_long_formula_of_plain_parts_is_none_of_them():
    table = pd.DataFrame({"x": [1.0, 7.0], "s": ["a", "\\d"]})
    assert Formula(" or ".join(["x > 5"] * 150)).evaluate(table).tolist() == [False, True]
    assert Formula("(" * 60 + "x > 5" + ")" * 60).evaluate(table).tolist() == [False, True]
    assert Formula("s == '\\d'").evaluate(table).tolist() == [False, True]  # no warning of Python's
