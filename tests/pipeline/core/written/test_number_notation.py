"""Numbers in any notation are read where they mean one thing, and else left to a person."""

from __future__ import annotations

import argparse
import re
import time
import unicodedata

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import StudyError
from pipeline.core.written.number_notation import read_numbers
from pipeline.core.written.spellings import typed_alike
from pipeline.core.written.yaml_keys import read_yaml
from pipeline.study.option_numbers import bounded_number
from pipeline.tables.features.feature_columns import feature_numbers, only_words
from pipeline.tables.files.sheets import read_sheet
from pipeline.tables.values.formula import Formula
from pipeline.tables.values.implausible import parse_range
from tests.pipeline.tables.test_sheets import edited
from tests.support.refusals import refusal


def read(texts, **options):
    found = read_numbers(pd.Series(texts, dtype=object), **options)
    return found.values.tolist(), dict(found.wrong)


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["12,345,678", "987,654", "12"], [12345678, 987654, 12]),
        (["129,153,353.06", "1.5"], [129153353.06, 1.5]),
        (["1.234,5", "1.234", "0,25"], [1234.5, 1234, 0.25]),
        (["1.234.567", "12"], [1234567, 12]),
        (["1 234,5", "1\u00a0234\u00a0567", "0,5"], [1234.5, 1234567, 0.5]),
        (["1'234.5", "1\u2019234\u2019567.25"], [1234.5, 1234567.25]),
        (["0,415", "1,250"], [0.415, 1.25]),
        (["-0,415"], [-0.415]),
        ([",5", "5,"], [0.5, 5]),
        (["1,234E+05"], [123400]),
        (["\u2212199.65", "\u20135", "\uff0d3"], [-199.65, -5, -3]),
        (["\u0663\u066b\u0665", "\uff11\uff12"], [3.5, 12]),
        (["1.4128D+00", "2.5d-3"], [1.4128, 0.0025]),
        (["np.float64(0.12)", "float32(3)", "[1.]"], [0.12, 3, 1]),
        (["array(0.5, dtype=float32)", "array([2.])"], [0.5, 2]),
        (["1e-5", "+2.", ".5"], [1e-5, 2, 0.5]),
    ],
)  # fmt: skip
def test_a_notation_that_means_one_number_is_read(texts, numbers):
    assert read(texts) == (numbers, {})


@pytest.mark.parametrize(
    ("texts", "wrong"),
    [
        (["1,250", "3,100"], [0, 1]),
        (["1,250", "980.5"], [0]),
        (["1,5", "1.5"], [0]),
        (["12,345,678", "1,5"], [0, 1]),
        (["1.234.567", "1.5"], [0, 1]),
        (["12,345,678", "12.345.678"], [0, 1]),
        (["31.2 cm3", "30"], [0]),
        (["12%"], [0]),
        (["<0.05"], [0]),
        (["(1.5)", "1.5-", "1_000", "1.2.3", "1,2,3", "12,34,567", "2D4", "--1", "1e400", "inf"],
         list(range(10))),
        (["5\u20137"], [0]),
        (["1" * 32_000], [0]),
        (["np.float64(x)", "print(1)"], [0, 1]),
    ],
)  # fmt: skip
def test_what_may_mean_two_things_is_left_to_a_person(texts, wrong):
    begun = time.monotonic()
    assert list(read(texts)[1]) == wrong
    assert time.monotonic() - begun < 2


def test_other_columns_of_the_table_decide():
    assert read(["1,250", "3,100"], decimal_comma=True) == ([1.25, 3.1], {})
    # Never against what the column itself proves.
    assert read(["12,345,678", "1,250"], decimal_comma=True)[0] == [12345678, 1250]


@settings(max_examples=60)
@given(st.lists(st.floats(-1e12, 1e12).map(lambda value: round(value, 3)), min_size=1))
def test_every_way_to_write_numbers_gives_them_back(values):
    values = [*values, 1234567.891]  # proves what the signs mean; 1,000 alone would not
    shown = [f"{value:,.3f}" for value in values]  # 1,234,567.891
    swapped = [text.translate(str.maketrans(",.", ".,")) for text in shown]
    minus = [text.replace("-", "\u2212") for text in shown]
    blanks = [text.replace(",", "\u202f") for text in shown]
    for texts in (shown, swapped, minus, blanks):
        numbers, wrong = read(texts)
        assert not wrong
        assert numbers == pytest.approx(values, rel=1e-12, abs=1e-3)


def test_long_words_take_no_time():
    begun = time.monotonic()
    for word in ("9" * 32_000 + "x", "9," * 16_000, "' " * 16_000 + "x", "1.5 " + "x" * 30_000):
        column = pd.Series([word] * 3, dtype=object)
        only_words(column)
        feature_numbers(column)
    assert time.monotonic() - begun < 3


def test_undefined_features_are_no_words():
    texts = pd.Series(["1.5", "-nan(ind)", "None", "1.#QNAN", "inf", "-Infinity", None])
    found = feature_numbers(texts)
    assert not found.wrong
    assert found.values.notna().tolist() == [True] + [False] * 6


def test_a_remedy_for_two_notations_is_a_number():
    wrong = read_numbers(pd.Series(["1,234.5", "1.234,5"])).wrong
    remedies = [re.search(r"write (\S+),", each)[1] for each in wrong.values()]
    assert remedies == ["1234.5", "1234.5"]


def test_every_blank_of_unicode_may_part_thousands():
    blanks = [sign for sign in map(chr, range(0x10000)) if unicodedata.category(sign) == "Zs"]
    told = read_numbers(pd.Series([f"1{sign}234,5" for sign in blanks]))
    assert not told.wrong
    assert set(told.values) == {1234.5}


@pytest.mark.parametrize("text", ["1e400", "-1e400", "1e-400", "-2.5E-9999", "1.5D-400"])
def test_a_number_that_no_computer_holds_is_neither_zero_nor_infinite(text):
    for values in ([text], ["0.5", text], ["0", text, None]):
        for read_by in (read_numbers, feature_numbers):
            told = read_by(pd.Series(values, dtype=object))
            at = values.index(text)
            assert "from 4.9e-324 to 1.8e308" in told.wrong[at]
            assert pd.isna(told.values[at])


@pytest.mark.parametrize(
    ("text", "number"),
    [("0e-400", 0.0), ("0.000E+99", 0.0), ("4.9e-324", 5e-324), ("1.7e308", 1.7e308), ("-0", 0.0)],
)
def test_zero_and_the_smallest_and_largest_numbers_are_read(text, number):
    told = read_numbers(pd.Series([text, "1"]))
    assert not told.wrong
    assert told.values[0] == number


def test_equal_spellings_do_not_make_a_small_number_zero():
    values = pd.Series(["0", "1e-400", "0.0", "1e400"], dtype=object)
    assert typed_alike(values).tolist() == ["0", "1e-400", "0", "1e400"]


@pytest.mark.parametrize("written", [b"1E-400", b"1.5e+400"])
def test_a_workbook_keeps_a_number_that_no_computer_holds(tmp_path, written):
    path = tmp_path / "t.xlsx"
    pd.DataFrame({"patient_id": ["a", "b"], "x": [0.25, 3.5]}).to_excel(path, index=False)
    texts = read_sheet(edited(path, b"<v>0.25</v>", b"<v>" + written + b"</v>"))["x"]
    assert texts.tolist() == [written.decode(), "3.5"]
    assert list(read_numbers(texts).wrong) == [texts.index[0]]


def test_other_doors_refuse_such_numbers_too():
    for text in ("x > 1e-400", "x == -2.5e-400"):
        with refusal("formula-number-out-of-bounds", StudyError):
            Formula(text)
    Formula("x > 0.0 and x < 1e-300")
    with pytest.raises(yaml.YAMLError, match="no number that can be computed with"):
        read_yaml(b"a: 1.0e-400")
    assert read_yaml(b"a: 0.0e-400") == {"a": 0.0}
    with pytest.raises(ValueError, match="beyond"):
        parse_range("0|1e400")
    with pytest.raises(argparse.ArgumentTypeError, match="a number at least 0"):
        bounded_number("number", minimum=0)("1e-400")


@pytest.mark.parametrize(
    ("cells", "remedies"),
    [
        (["0,365", "0.5"], ["write 0.365, if that is meant"]),
        (["14,6", "2.5"], ["write 14.6, if that is meant"]),
        (["1,000,000", "5,5"], ["write 1000000, if that is meant", "write 5.5, if that is meant"]),
        (["1,250"], ["write 1.250 or 1250, whichever is meant"]),
    ],
)
def test_a_remedy_names_only_what_a_cell_can_mean(cells, remedies):
    assert list(read_numbers(pd.Series(cells)).wrong.values()) == remedies
