"""The data dictionary, and the clinical table typed by it."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems
from pipeline.tables.clinical.clinical_table import read_clinical
from pipeline.tables.dictionary import (
    all_levels,
    allowed_predictors,
    read_dictionary,
)
from pipeline.tables.number_columns import column_of_numbers
from tests.support.refusals import refusal

HEADER = "column,label,type,unit,levels,timing,role\n"
ROWS = (
    "age,Age,continuous,years,,preoperative,predictor\n"
    "grade,,ordinal,,0|1|2,preoperative,predictor\n"
    "sex,Sex,binary,,F|M,preoperative,predictor\n"
    "cement,Cement,continuous,ml,,intraoperative,predictor\n"
    "vas,Pain,ordinal,,,postoperative,outcome\n"
    "note,Note,,,,,other\n"
)
CLINICAL = (
    "patient_id,age,grade,sex,cement,vas,note\n0002,70,1,F,3.5,4,NA\n0001,NA,,M,,0,seen twice\n"
)


@pytest.fixture
def dictionary(tmp_path):
    return read(tmp_path, ROWS)


def read(tmp_path, rows, header=HEADER):
    path = tmp_path / "dictionary.csv"
    path.write_text(header + rows)
    return read_dictionary(path)


def clinical(tmp_path, dictionary, text=CLINICAL, key="patient_id"):
    path = tmp_path / "clinical.csv"
    path.write_text(text)
    return read_clinical(path, dictionary, key)


def test_blanks_around_levels_are_no_part_of_them(tmp_path):
    read_back = read(tmp_path, "x,,binary,,no | yes,preoperative,predictor\n")
    assert read_back["levels"].tolist() == ["no|yes"]


def test_label_falls_back_to_the_column(dictionary):
    assert dictionary["label"].tolist()[:2] == ["Age", "grade"]
    assert all_levels(dictionary) == {"sex": ["F", "M"]}


@pytest.mark.parametrize(
    ("code", "row", "words"),
    [
        (
            "cell-not-allowed",
            "x,,continous,,,preoperative,predictor",
            ["row 2", "column type", "`continuous`"],
        ),
        (
            "cell-not-allowed",
            "x,,continuous,,,preop,predictor",
            ["column timing", "perhaps `preoperative`"],
        ),
        (
            "cell-not-allowed",
            "x,,continuous,,,preoperative,predicter",
            ["column role", "perhaps `predictor`"],
        ),
        ("cell-blank", "x,,continuous,,,preoperative,", ["role", "must not be blank", "row 2"]),
        ("type-missing", "x,,,,,preoperative,predictor", ["must have a type"]),
        ("timing-missing", "x,,continuous,,,,predictor", ["must say when it is known"]),
        (
            "levels-unlisted",
            "x,,categorical,,,preoperative,predictor",
            ["must list its levels", "no|yes"],
        ),
        (
            "binary-levels-not-two",
            "x,,binary,,a|b|c,preoperative,predictor",
            ["two levels", "a|b|c"],
        ),
        (
            "levels-repeated",
            "x,,categorical,,a|a,preoperative,predictor",
            ["differ from one another"],
        ),
        (
            "ordinal-levels-not-numbers",
            "x,,ordinal,,low|high,preoperative,predictor",
            ["numbers in their order", "low"],
        ),
        (
            "column-name-with-signs",
            "fold,,continuous,,,preoperative,predictor",
            ["be called", "fold"],
        ),
        (
            "column-name-with-signs",
            "a:b,,continuous,,,preoperative,predictor",
            ["must not hold ':' or"],
        ),
    ],
)
def test_wrong_row_is_told(code, tmp_path, row, words):
    with refusal(code, StudyError) as caught:
        read(tmp_path, row + "\n")
    assert not [word for word in words if word not in str(caught.value)], str(caught.value)


def test_column_described_twice_is_told(tmp_path):
    with refusal(
        "column-described-twice", StudyError, match=r"described once \(also in row 2\).*row 3"
    ):
        read(tmp_path, 2 * "x,,continuous,,,preoperative,predictor\n")


def test_misspelt_header_is_told(tmp_path):
    with refusal("column-missing", StudyError) as caught:
        read(tmp_path, "x,,,,,,other\n", "colum,label,type,unit,level,timing,role\n")
    text = str(caught.value)
    assert "rename colum to column" in text
    assert "rename level to levels" in text


def test_clinical_table_is_typed_and_sorted(tmp_path, dictionary):
    table = clinical(tmp_path, dictionary)
    assert table["patient_id"].tolist() == ["0001", "0002"]
    assert table.dtypes.astype(str).tolist() == [
        "object",
        "float64",
        "float64",
        "object",
        "float64",
        "float64",
        "object",
    ]
    assert table["age"].isna().tolist() == [True, False]
    assert table["sex"].tolist() == ["M", "F"]
    assert table["note"].tolist() == ["seen twice", None]


@pytest.mark.parametrize(
    ("code", "old", "new", "words"),
    [
        ("value-not-a-number", "70,1,F", "seventy,1,F", ["row 2", "column age", "Found: seventy"]),
        ("value-not-a-number", "70,1,F", '"1,250",1,F', ["write 1.250 or 1250"]),
        ("value-not-a-number", "70,1,F", "<70,1,F", ["limit of detection"]),
        ("value-not-a-number", "70,1,F", "inf,1,F", ["Found: inf"]),
        ("value-not-a-number", "70,1,F", "1e999,1,F", ["Found: 1e999"]),
        (
            "value-not-a-level",
            "70,1,F",
            "70,3,F",
            ["levels 0|1|2", "Found: 3", "row 2", "column grade"],
        ),
        ("value-not-a-level", "70,1,F", "70,1,f", ["levels F|M", "perhaps `F` is meant"]),
        ("clinical-row-repeated", "0002,", "0001,", ["0001 in rows 2, 3", "unit: case"]),
        ("cell-not-allowed", "0002,", "a b,", ["row 2", "patient_id", "letters, digits"]),
        ("cell-blank", "0002,", ",", ["must not be blank", "row 2"]),
        ("clinical-key-missing", "patient_id", "patient", ["must have the column patient_id"]),
        (
            "clinical-column-undescribed",
            "vas,note",
            "vas,remark",
            ["described in the data dictionary", "remark"],
        ),
        (
            "clinical-column-undescribed",
            "vas,note",
            "vas,notes",
            ["must be in the clinical table", "`notes`"],
        ),
    ],
)
def test_wrong_value_is_told(code, tmp_path, dictionary, old, new, words):
    with refusal(code, StudyError) as caught:
        clinical(tmp_path, dictionary, CLINICAL.replace(old, new))
    assert not [word for word in words if word not in str(caught.value)], str(caught.value)


def test_all_wrong_values_come_at_once(tmp_path, dictionary):
    text = CLINICAL.replace("70,1,F,3.5", "x,9,G,y")
    with refusal("value-not-a-number", StudyError, match="There are 4 problems"):
        clinical(tmp_path, dictionary, text)


def test_at_most_a_screenful_is_told(tmp_path, dictionary):
    rows = "".join(f"{number},x,,,,,\n" for number in range(30))
    with refusal("value-not-a-number", StudyError) as caught:
        clinical(tmp_path, dictionary, CLINICAL.splitlines()[0] + "\n" + rows)
    assert "There are 30 problems" in str(caught.value)
    assert "... and 10 more" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 22


def test_binary_without_levels_has_two_values(tmp_path):
    dictionary = read(tmp_path, "done,,binary,,,postoperative,other\n")
    with refusal(
        "binary-column-not-two-values", StudyError, match=r"must have two values.*no, perhaps, yes"
    ):
        clinical(tmp_path, dictionary, "patient_id,done\n1,yes\n2,no\n3,perhaps\n")


def test_a_missing_word_may_be_a_level(tmp_path):
    dictionary = read(tmp_path, "x,,categorical,,NA|other,preoperative,predictor\n")
    assert clinical(tmp_path, dictionary, "patient_id,x\n1,NA\n2,\n")["x"].tolist() == ["NA", None]


def numbers(texts):
    problems = Problems("x")
    column = pd.Series(texts, index=range(2, len(texts) + 2), name="x")
    values = column_of_numbers(column, "t", problems)
    return values.tolist(), problems


def test_decimal_comma_is_read_where_it_means_nothing_else():
    assert numbers(["3,5", "12", "1,250"])[0] == [3.5, 12.0, 1.25]
    assert numbers(["0,415", "0,250"])[0] == [0.415, 0.25]
    assert numbers(["1,250.5", "980"])[0] == [1250.5, 980.0]
    for texts in (["3,5", "1.5"], ["1,250", "3,100"]):
        assert numbers(texts)[1], texts


@settings(max_examples=50)
@given(st.lists(st.floats(-1e9, 1e9), min_size=1))
def test_numbers_survive_their_text(values):
    found, problems = numbers([repr(value) for value in values])
    assert not problems
    assert found == values


def test_predictors_are_those_known_in_time(dictionary):
    def names(**kwargs):
        return allowed_predictors(dictionary, **kwargs)["column"].tolist()

    assert names(timing="preoperative") == ["age", "grade", "sex"]
    assert names(timing="postoperative") == ["age", "grade", "sex", "cement"]
    assert names(timing="preoperative", predictors=["sex"]) == ["sex"]
    assert names(timing="preoperative", predictors=[]) == []


@pytest.mark.parametrize(
    ("predictors", "outcome", "code", "words"),
    [
        (["cement"], (), "predictor-known-later", ""),
        (["vas"], (), "predictor-without-role", ""),
        (["ages"], (), "predictor-without-role", "perhaps `age` is meant"),
        ("all", ("age", "vas"), "predictor-in-outcome", ""),
    ],
)
def test_predictors_that_would_leak_are_refused(dictionary, predictors, outcome, code, words):
    with refusal(code, StudyError, match=words):
        allowed_predictors(dictionary, "preoperative", predictors, outcome)


def test_clinical_by_case_keeps_the_patient(tmp_path):
    dictionary = read(tmp_path, "age,,continuous,,,preoperative,predictor\n")
    text = "case_id,patient_id,age\nb,2,1\na,1,2\n"
    table = clinical(tmp_path, dictionary, text, key="case_id")
    assert table.columns.tolist() == ["case_id", "patient_id", "age"]
    assert table["case_id"].tolist() == ["a", "b"]
