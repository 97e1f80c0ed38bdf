"""Clinical values that hardly can be are named with row and column; heavy tails are left alone."""

from __future__ import annotations

import doctest
import logging
import math

import numpy as np
import pandas as pd
import pytest

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from pipeline.core import implausible as module
from pipeline.core.errors import StudyError
from pipeline.core.implausible import implausible, implausible_columns, parse_range
from tests.small_tables import DICTIONARY, small_study, small_tables

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
    for wrong, rule in (("90|18", "A range must be the lowest"), ("old", "A range must be the")):
        dictionary.loc[0, "range"] = wrong
        with pytest.raises(StudyError, match=rule):
            small_study(tmp_path, features, clinical, dictionary)
    dictionary["range"] = ["", "0|1", ""]
    with pytest.raises(StudyError, match="Only numbers have a range"):
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


def test_examples_of_the_documentation_hold():
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
