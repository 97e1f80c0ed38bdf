"""Clinical values that hardly can be are named with row and column; heavy tails are left alone."""

from __future__ import annotations

import logging
import math

import numpy as np
import pandas as pd
import pytest

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from pipeline.core.errors import StudyError
from pipeline.tables.values.implausible import implausible, implausible_columns, parse_range
from tests.support.refusals import refusal
from tests.support.small_tables import DICTIONARY, small_study, small_tables

RNG = np.random.default_rng(4)
BMI = RNG.normal(27, 4, 90).round(2)
AGE = RNG.integers(50, 90, 90).astype(float)
CRP = RNG.lognormal(1, 1.2, 90)


def with_value(values: np.ndarray, value: float) -> pd.Series:
    spoilt = pd.Series(values).copy()
    spoilt[40] = value
    return spoilt


@pytest.mark.parametrize(
    ("values", "value"),
    [
        *((BMI, 191953.03), (BMI, 2719.0), (BMI, 999.0), (BMI, 270.0), (BMI, 0.27)),
        *((AGE, 710.0), (AGE, 7100.0), (AGE, 1965.0), (CRP, 1e7), (BMI - 27, 5000.0)),
        *((AGE, -9.0), (BMI, -1.0)),
    ],
)
def test_a_lost_point_and_a_code_are_found(values, value):
    assert [(odd.at, odd.value) for odd in implausible(with_value(values, value))] == [(40, value)]


@pytest.mark.parametrize("seed", range(20))
def test_long_tails_are_no_mistakes(seed):
    rng = np.random.default_rng(seed)
    n = 400
    for values in (
        *(rng.normal(size=n), rng.lognormal(0, 1, n), rng.lognormal(3, 2, n)),
        *(rng.exponential(50, n), rng.pareto(1.5, n) + 1, rng.gamma(0.5, 10, n)),
        *(rng.poisson(0.3, n).astype(float), rng.integers(0, 11, n).astype(float)),
        *(np.where(rng.random(n) < 0.7, 0, rng.lognormal(3, 1, n)), rng.standard_t(4, n)),
        *(rng.integers(0, 4000, n).astype(float), rng.uniform(0, 1, n), rng.beta(0.5, 5, n)),
    ):
        assert implausible(pd.Series(values)) == []


def test_a_code_may_stand_there_often_and_a_group_is_no_mistake():
    codes = pd.Series(BMI.copy())
    codes[:12] = 999.0
    assert len(implausible(codes)) == 12
    groups = pd.Series(BMI.copy())
    groups[:12] = RNG.normal(900, 5, 12)
    assert implausible(groups) == []
    assert implausible(pd.Series([1.0] * 30 + [9e9])) == []
    assert implausible(pd.Series([1.0, 2.0, 3.0, 9e9])) == []


def in_other_units(values: np.ndarray, ratio: float, rows: int) -> pd.Series:
    spoilt = pd.Series(values).astype(float).copy()
    spoilt[:rows] = spoilt[:rows] * ratio
    return spoilt


HEIGHT = RNG.normal(170, 9, 60).round()
GLUCOSE = RNG.lognormal(math.log(5.6), 0.2, 60).round(1)


@pytest.mark.parametrize("rows", [3, 5, 12, 20])
@pytest.mark.parametrize(
    ("values", "ratio"),
    [
        *((HEIGHT, 0.01), (HEIGHT / 100, 100), (GLUCOSE, 18.02), (RNG.normal(13, 1.6, 60), 10)),
        *((RNG.normal(75, 6, 60), 1000), (RNG.uniform(40, 85, 60), 12)),
    ],
)
def test_values_in_another_unit_are_named(values, ratio, rows):
    odd = implausible(in_other_units(values, ratio, rows))
    assert [each.at for each in odd] == list(range(rows))
    if rows > 3:  # fewer may be far from all others anyway
        assert all("perhaps in another unit" in each.why for each in odd)
    assert implausible(pd.Series(values)) == []


@pytest.mark.parametrize("values", [
    RNG.choice([2.0, 3.0, 20.0, 30.0], 60), np.r_[RNG.normal(8, 1, 30), RNG.normal(80, 9, 30)],
    np.r_[RNG.exponential(2, 50), RNG.exponential(60, 10)], RNG.integers(0, 4, 60).astype(float),
])  # fmt: skip
def test_doses_and_groups_are_no_units(values):
    assert implausible(pd.Series(values)) == []


@pytest.mark.parametrize(("values", "code"), [
    (np.arange(60) % 11, 99), (np.arange(60) % 3, 9), (np.arange(60) % 2, 99),
    (np.arange(60) % 5, 88), (RNG.integers(20, 90, 60), 999),
])  # fmt: skip
def test_a_code_among_whole_numbers_is_named(values, code):
    spoilt = with_value(values.astype(float), code)
    assert [odd.at for odd in implausible(spoilt)] == [40]
    assert implausible(pd.Series(values.astype(float))) == []


def test_an_age_of_99_and_a_grade_of_9_are_no_codes():
    assert implausible(with_value(np.arange(50.0, 98.0), 99)) == []
    assert implausible(pd.Series(np.arange(60.0) % 10)) == []


def sizes(rows: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    height = rng.normal(171, 8, rows).round()
    weight = (rng.normal(26, 3, rows) * (height / 100) ** 2).round()
    table = pd.DataFrame({"height": height, "weight": weight})
    return table.assign(bmi=(weight / (height / 100) ** 2).round(1))


def test_pounds_among_kilograms_are_named():
    rows = [{"column": each, "type": "continuous", "role": "predictor", "levels": None}
            for each in ("height", "weight", "bmi")]  # fmt: skip
    dictionary, table = pd.DataFrame(rows), sizes()
    assert list(implausible_columns(table, dictionary)) == []
    table.loc[[3, 7], "weight"] = (table.loc[[3, 7], "weight"] * 2.2046).round()
    for without in ([], ["bmi"]):
        given = dictionary[~dictionary["column"].isin(without)]
        ((name, odd),) = implausible_columns(table.drop(columns=without), given)
        assert (name, [each.at for each in odd]) == ("weight", [3, 7])
    assert "body mass index" in odd[0].why
    table = sizes().assign(height=lambda t: t["height"] / 100)
    table.loc[5, "height"] = 1.17  # 1.71, mistyped
    ((name, odd),) = implausible_columns(table, dictionary)
    assert (name, [each.at for each in odd]) == ("weight", [5])
    assert "and the table states" in odd[0].why
    assert list(implausible_columns(table, dictionary.assign(range=["1|3", "0|500", ""]))) == []


def test_row_and_column_are_named(tmp_path, caplog):
    features, clinical = small_tables(90)
    clinical["bmi"] = with_value(BMI, 191953.03)
    clinical["days"] = with_value(AGE, 9999.0)
    dictionary = DICTIONARY.copy()
    dictionary["range"] = ""
    dictionary.loc[3] = ["bmi", "BMI", "continuous", "kg/m2", "", "preoperative", "predictor", ""]
    dictionary.loc[4] = ["days", "", "continuous", "", "", "", "other", ""]
    study = small_study(tmp_path, features, clinical, dictionary)
    said = "clinical.csv, row 42, column bmi: 191953.03 is implausible"
    assert said in caplog.text
    assert "column days" not in caplog.text
    assert [name for name, _ in implausible_columns(study.clinical, study.dictionary)] == ["bmi"]
    # Both remedies.
    caplog.clear()
    small_study(tmp_path, features, clinical, dictionary, missing_values=[191953.03])
    dictionary.loc[3, "range"] = "10|200000"
    small_study(tmp_path, features, clinical, dictionary)
    assert "implausible" not in caplog.text


def test_other_units_and_codes_are_named_with_their_rows(tmp_path, caplog):
    features, clinical = small_tables()
    clinical["height"] = in_other_units(HEIGHT, 0.01, 5)
    clinical["vas"] = with_value(np.arange(60) % 11.0, 99)
    dictionary = DICTIONARY.copy()
    for name in ("height", "vas"):
        row = [name, "", "continuous", "", "", "preoperative", "predictor"]
        dictionary.loc[len(dictionary)] = row
    small_study(tmp_path, features, clinical, dictionary)
    for row in range(2, 7):
        assert f"row {row}, column height: {clinical['height'][row - 2]:g} is impl" in caplog.text
    assert "perhaps in another unit, since 100 times apart" in caplog.text
    assert "row 42, column vas: 99 is implausible (perhaps a code for `not known`" in caplog.text
    caplog.clear()
    clinical.loc[:4, "height"] *= 100
    small_study(tmp_path, features, clinical, dictionary, missing_values=[99])
    assert "implausible" not in caplog.text


def test_a_range_of_the_dictionary(tmp_path, caplog):
    features, clinical = small_tables()
    clinical["age"] = clinical["age"].clip(50, 89)
    clinical.loc[[2, 7], "age"] = 95, 12
    dictionary = DICTIONARY.copy()
    dictionary["range"] = ["18|90", "", ""]
    small_study(tmp_path, features, clinical, dictionary)
    assert "row 4, column age: 95 is implausible (outside the range 18 to 90" in caplog.text
    assert "row 9, column age: 12 is implausible" in caplog.text
    clinical["age"] = 5
    caplog.clear()
    small_study(tmp_path, features, clinical, dictionary)
    assert "column age: 55 more are implausible" in caplog.text
    for wrong in ("90|18", "old"):
        dictionary.loc[0, "range"] = wrong
        with refusal("range-invalid", StudyError):
            small_study(tmp_path, features, clinical, dictionary)
    dictionary["range"] = ["", "0|1", ""]
    with refusal("range-of-no-number", StudyError):
        small_study(tmp_path, features, clinical, dictionary)


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        *(("10|80", (10, 80)), ("10-80", (10, 80)), ("-5 - 5", (-5, 5)), ("[0, 1]", (0, 1))),
        *(("|120", (-math.inf, 120)), ("0.5..2", (0.5, 2)), ("1e-3 to 1e3", (0.001, 1000))),
    ],
)
def test_ranges_are_read(text, bounds):
    assert parse_range(text) == bounds


def test_clean_tables_have_no_implausible_value(testdata, caplog):
    caplog.set_level(logging.WARNING)
    for seed in range(5):
        table, info = simulate_tables(300, seed, features=feature_names()[:60]).analysis()
        numbers = [p["column"] for p in info["predictors"] if p["type"] == "continuous"]
        assert numbers
        for name in numbers:
            assert implausible(table[name].astype(float)) == [], name
    for path in (testdata / "dcurves" / "benchmark_data").glob("df_*.csv"):
        for name, column in pd.read_csv(path).select_dtypes("number").items():
            assert implausible(column.astype(float)) == [], (path.name, name)
